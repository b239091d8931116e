//! The shapes of imports.

use chrono::{DateTime, Utc};
use opentrail_lake::import::{Import, ImportStatus, S3Source, Statistics};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

/// `ImportSource`
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct SourceShape {
    #[serde(rename = "S3")]
    pub(super) s3: S3Shape,
}

/// `S3ImportSource`
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct S3Shape {
    #[serde(rename = "S3LocationUri")]
    pub(super) location_uri: String,
    #[serde(rename = "S3BucketRegion")]
    pub(super) bucket_region: String,
    #[serde(rename = "S3BucketAccessRoleArn")]
    pub(super) role_arn: String,
}

impl From<&S3Source> for SourceShape {
    fn from(source: &S3Source) -> Self {
        Self {
            s3: S3Shape {
                location_uri: source.location_uri.clone(),
                bucket_region: source.region.clone(),
                role_arn: source.role_arn.clone(),
            },
        }
    }
}

impl From<SourceShape> for S3Source {
    fn from(SourceShape { s3 }: SourceShape) -> Self {
        Self { location_uri: s3.location_uri, region: s3.bucket_region, role_arn: s3.role_arn }
    }
}

/// `ImportStatistics`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StatisticsShape {
    prefixes_found: u64,
    prefixes_completed: u64,
    files_completed: u64,
    events_completed: u64,
    failed_entries: u64,
}

impl From<Statistics> for StatisticsShape {
    fn from(statistics: Statistics) -> Self {
        Self {
            prefixes_found: statistics.prefixes_found,
            prefixes_completed: statistics.prefixes_completed,
            files_completed: statistics.files_completed,
            events_completed: statistics.events_completed,
            failed_entries: statistics.failed_entries,
        }
    }
}

/// What StartImport, StopImport and GetImport answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ImportShape {
    import_id: String,
    destinations: Vec<String>,
    import_source: SourceShape,
    start_event_time: Option<Timestamp>,
    end_event_time: Option<Timestamp>,
    import_status: &'static str,
    created_timestamp: Timestamp,
    updated_timestamp: Timestamp,
    /// StartImport says none.
    import_statistics: Option<StatisticsShape>,
}

impl ImportShape {
    pub(super) fn new(import: &Import, status: ImportStatus, statistics: Option<Statistics>) -> Self {
        let time = |time: Option<DateTime<Utc>>| time.map(Timestamp);
        Self {
            import_id: import.id.to_string(),
            destinations: vec![import.destination.clone()],
            import_source: SourceShape::from(&import.source),
            start_event_time: time(import.range.start),
            end_event_time: time(import.range.end),
            import_status: status.as_str(),
            created_timestamp: Timestamp(import.created),
            updated_timestamp: Timestamp(import.updated),
            import_statistics: statistics.map(StatisticsShape::from),
        }
    }
}

/// The input of operations that take an import's id and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneImport {
    pub(super) import_id: String,
}
