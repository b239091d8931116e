//! Basic event selectors.

use serde::{Deserialize, Serialize};

use crate::InvalidSelectors;

/// Most basic selectors of a trail (AWS: CloudTrail quotas).
pub const MAX_SELECTORS: usize = 5;
/// Most data resources over all basic selectors of a trail (AWS: CloudTrail quotas).
pub const MAX_DATA_RESOURCES: usize = 250;
/// Longest value of a data resource in characters; the longest ARN that S3 can make is shorter.
pub const MAX_VALUE: usize = 2048;

/// The event sources that management events can do without.
const EXCLUDABLE: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// Whether calls that read, that write, or both are taken. A record that does not say counts as writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadWriteType {
    /// Both.
    #[default]
    All,
    /// Only calls that read.
    ReadOnly,
    /// Only calls that write.
    WriteOnly,
}

impl std::str::FromStr for ReadWriteType {
    type Err = InvalidSelectors;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "All" => Ok(Self::All),
            "ReadOnly" => Ok(Self::ReadOnly),
            "WriteOnly" => Ok(Self::WriteOnly),
            other => Err(InvalidSelectors::ReadWriteType(other.chars().take(64).collect())),
        }
    }
}

/// One basic selector, its members named as in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EventSelector {
    /// Reading, writing or both.
    pub read_write_type: ReadWriteType,
    /// Whether management events are taken.
    pub include_management_events: bool,
    /// The resources whose data events are taken.
    pub data_resources: Vec<DataResource>,
    /// Sources whose management events are left out.
    pub exclude_management_event_sources: Vec<String>,
}

impl Default for EventSelector {
    fn default() -> Self {
        Self {
            read_write_type: ReadWriteType::All,
            include_management_events: true,
            data_resources: Vec::new(),
            exclude_management_event_sources: Vec::new(),
        }
    }
}

/// The resources of one type whose data events are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataResource {
    /// `AWS::S3::Object`, `AWS::Lambda::Function` or `AWS::DynamoDB::Table`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// ARNs, or for S3 prefixes of ARNs; `arn:aws:s3`, `arn:aws:lambda`, `arn:aws:dynamodb` mean all. Without any,
    /// nothing is taken.
    #[serde(default)]
    pub values: Vec<String>,
}

pub(super) fn check(selectors: &[EventSelector]) -> Result<(), InvalidSelectors> {
    if !(1..=MAX_SELECTORS).contains(&selectors.len()) {
        return Err(InvalidSelectors::SelectorCount { count: selectors.len(), limit: MAX_SELECTORS });
    }
    let count = selectors.iter().flat_map(|s| &s.data_resources).map(|r| r.values.len()).sum();
    if count > MAX_DATA_RESOURCES {
        return Err(InvalidSelectors::DataResourceCount { count, limit: MAX_DATA_RESOURCES });
    }
    selectors.iter().try_for_each(check_one)
}

fn check_one(selector: &EventSelector) -> Result<(), InvalidSelectors> {
    let excluded = &selector.exclude_management_event_sources;
    if let Some(source) = excluded.iter().find(|source| !EXCLUDABLE.contains(&source.as_str())) {
        return Err(InvalidSelectors::ExcludedSource(source.chars().take(256).collect()));
    }
    if !excluded.is_empty() && !selector.include_management_events {
        return Err(InvalidSelectors::ExcludedWithoutManagement);
    }
    for resource in &selector.data_resources {
        if Service::of(&resource.kind).is_none() {
            return Err(InvalidSelectors::DataResourceType(resource.kind.chars().take(256).collect()));
        }
        if let Some(value) = resource.values.iter().find(|value| !is_valid_value(&resource.kind, value)) {
            return Err(InvalidSelectors::DataResourceValue {
                kind: resource.kind.clone(),
                value: value.chars().take(256).collect(),
            });
        }
    }
    Ok(())
}

/// The three services whose data events basic selectors know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Lambda,
    DynamoDb,
}

impl Service {
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "AWS::S3::Object" => Some(Self::S3),
            "AWS::Lambda::Function" => Some(Self::Lambda),
            "AWS::DynamoDB::Table" => Some(Self::DynamoDb),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Lambda => "lambda",
            Self::DynamoDb => "dynamodb",
        }
    }

    fn resource_start(self) -> &'static str {
        match self {
            Self::S3 => "",
            Self::Lambda => "function:",
            Self::DynamoDb => "table/",
        }
    }
}

/// Whether the value means all resources of its type: `arn:PARTITION:SERVICE` alone.
pub(super) fn means_all(value: &str) -> bool {
    value.split(':').count() == 3 || value.ends_with(":s3:::")
}

fn is_valid_value(kind: &str, value: &str) -> bool {
    let Some(service) = Service::of(kind) else { return false };
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let of_service = value.chars().count() <= MAX_VALUE
        && parts.len() >= 3
        && parts[0] == "arn"
        && parts[1].starts_with("aws")
        && parts[2] == service.name();
    of_service
        && match (service, parts.get(5)) {
            (_, None) => parts.len() == 3,
            (Service::S3, Some(resource)) => resource.is_empty() || resource.contains('/'),
            (_, Some(resource)) => {
                resource.strip_prefix(service.resource_start()).is_some_and(|rest| !rest.is_empty())
            }
        }
}

/// Whether a resource's ARN is one of those that `value` means. S3 values are prefixes, the others are exact;
/// a table's value covers its streams and indexes, a function's its versions are not.
pub(super) fn value_matches(service: Service, value: &str, arn: &str) -> bool {
    if service == Service::S3 || means_all(value) {
        return arn.starts_with(value);
    }
    arn == value
        || (service == Service::DynamoDb && arn.strip_prefix(value).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_value(kind: &str, value: &str) -> Result<(), InvalidSelectors> {
        let resource = DataResource { kind: kind.into(), values: vec![value.into()] };
        check(&[EventSelector { data_resources: vec![resource], ..EventSelector::default() }])
    }

    #[test]
    fn values_have_the_form_of_their_type() {
        for (kind, value) in [
            ("AWS::S3::Object", "arn:aws:s3"),
            ("AWS::S3::Object", "arn:aws:s3:::"),
            ("AWS::S3::Object", "arn:aws:s3:::bucket/"),
            ("AWS::S3::Object", "arn:aws:s3:::bucket/some/key"),
            ("AWS::Lambda::Function", "arn:aws:lambda"),
            ("AWS::Lambda::Function", "arn:aws:lambda:us-west-2:111111111111:function:hello"),
            ("AWS::DynamoDB::Table", "arn:aws:dynamodb:us-west-2:111111111111:table/t"),
        ] {
            assert_eq!(with_value(kind, value), Ok(()), "{value}");
        }
        for (kind, value) in [
            ("AWS::S3::Object", "bucket/"),
            ("AWS::S3::Object", "arn:aws:s3:::bucket"),
            ("AWS::S3::Object", "arn:aws:lambda"),
            ("AWS::Lambda::Function", "arn:aws:lambda:us-west-2"),
            ("AWS::DynamoDB::Table", "arn:aws:dynamodb:us-west-2:111111111111:table/"),
        ] {
            assert!(
                matches!(with_value(kind, value), Err(InvalidSelectors::DataResourceValue { .. })),
                "{value}"
            );
        }
        assert!(matches!(with_value("AWS::S3::Bucket", "x"), Err(InvalidSelectors::DataResourceType(_))));
    }

    #[test]
    fn the_limits_are_those_of_aws() {
        assert!(matches!(check(&[]), Err(InvalidSelectors::SelectorCount { count: 0, .. })));
        assert!(check(&vec![EventSelector::default(); 5]).is_ok());
        assert!(check(&vec![EventSelector::default(); 6]).is_err());
        let many = |n: usize| EventSelector {
            data_resources: vec![DataResource {
                kind: "AWS::S3::Object".into(),
                values: (0..n).map(|i| format!("arn:aws:s3:::b{i}/")).collect(),
            }],
            ..EventSelector::default()
        };
        assert!(check(&[many(125), many(125)]).is_ok());
        assert!(matches!(
            check(&[many(125), many(126)]),
            Err(InvalidSelectors::DataResourceCount { count: 251, .. })
        ));
    }

    #[test]
    fn only_two_sources_can_be_left_out() {
        let without = |source: &str, management| EventSelector {
            include_management_events: management,
            exclude_management_event_sources: vec![source.into()],
            ..EventSelector::default()
        };
        assert!(check(&[without("kms.amazonaws.com", true)]).is_ok());
        assert!(check(&[without("s3.amazonaws.com", true)]).is_err());
        assert_eq!(
            check(&[without("kms.amazonaws.com", false)]),
            Err(InvalidSelectors::ExcludedWithoutManagement)
        );
    }

    #[test]
    fn a_function_is_exact_and_a_bucket_is_a_prefix() {
        let function = "arn:aws:lambda:us-west-2:111111111111:function:helloworld";
        assert!(value_matches(Service::Lambda, function, function));
        assert!(!value_matches(Service::Lambda, function, &format!("{function}2")));
        assert!(value_matches(Service::Lambda, "arn:aws:lambda", function));
        assert!(value_matches(Service::S3, "arn:aws:s3:::b/pre", "arn:aws:s3:::b/prefix/k"));
        let table = "arn:aws:dynamodb:us-west-2:111111111111:table/t";
        assert!(value_matches(Service::DynamoDb, table, &format!("{table}/stream/1")));
        assert!(!value_matches(Service::DynamoDb, table, &format!("{table}2")));
    }
}
