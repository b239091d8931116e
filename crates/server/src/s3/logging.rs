//! Access logging of a bucket: where it goes, and the line of each call.

use std::sync::Arc;

use chrono::Utc;
use http::StatusCode;
use opentrail_identity::Principal;
use opentrail_vault::access_log::{AccessLogLine, AccessLogging, LogKeyFormat};
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::{Proof, Scene},
    shape,
    table::{Answered, plain},
};
use crate::fault::Fault;

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetBucketLoggingInput,
) -> Answered<dto::GetBucketLoggingOutput> {
    let logging = scene.vault().bucket(&input.bucket)?.logging.clone();
    let logging_enabled = logging.map(|AccessLogging { target_bucket, target_prefix, format }| {
        let target_object_key_format = format.map(format_out);
        dto::LoggingEnabled { target_bucket, target_grants: None, target_object_key_format, target_prefix }
    });
    plain(dto::GetBucketLoggingOutput { logging_enabled })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketLoggingInput,
) -> Answered<dto::PutBucketLoggingOutput> {
    let logging = input.bucket_logging_status.logging_enabled.map(logging_in).transpose()?;
    scene.change(|vault, tx| Ok(vault.put_access_logging(tx, &input.bucket, logging)?)).await?;
    plain(dto::PutBucketLoggingOutput::default())
}

fn logging_in(asked: dto::LoggingEnabled) -> Result<AccessLogging, Refusal> {
    let dto::LoggingEnabled { target_bucket, target_grants, target_object_key_format, target_prefix } = asked;
    if target_grants.is_some_and(|grants| !grants.is_empty()) {
        // Buckets give access by policies alone (S3 user guide, "Enabling server access logging").
        return Err(Refusal::of("AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    let format = target_object_key_format.map(format_in).transpose()?;
    Ok(AccessLogging { target_bucket, target_prefix, format })
}

fn format_in(format: dto::TargetObjectKeyFormat) -> Result<LogKeyFormat, Refusal> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::of("MalformedXML", message)
    };
    match (format.simple_prefix, format.partitioned_prefix) {
        (Some(_), None) => Ok(LogKeyFormat::Simple),
        (None, Some(partitioned)) => {
            match partitioned.partition_date_source.as_ref().map(dto::PartitionDateSource::as_str) {
                Some(dto::PartitionDateSource::EVENT_TIME) => Ok(LogKeyFormat::ByEventTime),
                Some(dto::PartitionDateSource::DELIVERY_TIME) => Ok(LogKeyFormat::ByDeliveryTime),
                _ => Err(malformed()),
            }
        }
        _ => Err(malformed()),
    }
}

fn format_out(format: LogKeyFormat) -> dto::TargetObjectKeyFormat {
    let partitioned = |source| dto::TargetObjectKeyFormat {
        partitioned_prefix: Some(dto::PartitionedPrefix {
            partition_date_source: Some(dto::PartitionDateSource::from_static(source)),
        }),
        simple_prefix: None,
    };
    match format {
        LogKeyFormat::Simple => dto::TargetObjectKeyFormat {
            partitioned_prefix: None,
            simple_prefix: Some(dto::SimplePrefix::default()),
        },
        LogKeyFormat::ByEventTime => partitioned(dto::PartitionDateSource::EVENT_TIME),
        LogKeyFormat::ByDeliveryTime => partitioned(dto::PartitionDateSource::DELIVERY_TIME),
    }
}

/// Notes a call that ends now, if its bucket is logged.
pub(super) fn note(scene: &Scene, status: StatusCode, fault: Option<&Fault>, sent: u64) {
    let subject = scene.subject();
    let Some(bucket) = subject.found.as_ref().filter(|bucket| bucket.logging.is_some()) else { return };
    let (owner, at) = (shape::canonical_id(bucket.owner), scene.arrival.at);
    let mut line = AccessLogLine::of(&owner, &bucket.name, at, &scene.arrival.request_id, &operation(scene));
    line.remote_ip = Some(scene.arrival.source_ip.to_string());
    line.requester = requester(scene);
    line.key.clone_from(&subject.key);
    line.request_uri = Some(format!("{} {} HTTP/1.1", scene.method, uri(scene)));
    line.status = Some(status.as_u16());
    line.error_code = fault.map(|fault| fault.code().to_owned());
    line.bytes_sent = sent;
    line.object_size = match subject.operation.name {
        "GetObject" if status == StatusCode::OK => Some(sent),
        "PutObject" | "UploadPart" if fault.is_none() => Some(scene.intake.received()),
        _ => None,
    };
    line.total_time = u64::try_from((Utc::now() - at).num_milliseconds()).ok();
    line.referrer = scene.header("referer").map(str::to_owned);
    line.user_agent.clone_from(&scene.arrival.user_agent);
    line.version_id = scene.parameter("versionId").map(str::to_owned);
    line.host_id = Some(scene.host_id.clone());
    line.authentication = match scene.proof {
        Proof::None => None,
        Proof::Header => Some("AuthHeader"),
        Proof::Query { .. } => Some("QueryString"),
    };
    line.signature_version = line.authentication.map(|_| "SigV4");
    line.host.clone_from(&scene.arrival.host);
    if let Some(tls) = &scene.arrival.tls {
        line.cipher_suite = Some(tls.cipher_suite.clone());
        line.tls_version = Some(tls.version.clone());
    }
    scene.rooms.access_log.add(&(bucket.name.clone(), bucket.owner), [line]);
}

/// Who calls: root by its canonical id, others by their ARN, nobody by nothing.
fn requester(scene: &Scene) -> Option<String> {
    let caller = scene.sender.as_ref().ok()?;
    match &caller.principal {
        Principal::Root { account } => Some(shape::canonical_id(*account)),
        other => other.arn().map(|arn| arn.to_string()),
    }
}

/// The path and the query, without what only a signature needs.
fn uri(scene: &Scene) -> String {
    let query = serde_urlencoded::to_string(&scene.query).unwrap_or_default();
    if query.is_empty() { scene.path.clone() } else { format!("{}?{query}", scene.path) }
}

/// The operation as access logs call it: the method and what it is about.
fn operation(scene: &Scene) -> String {
    let name = scene.subject().operation.name;
    let about = match name {
        "ListObjectVersions" => "BUCKETVERSIONS",
        "ListMultipartUploads" | "CreateMultipartUpload" => "UPLOADS",
        "UploadPart" | "UploadPartCopy" => "PART",
        "CompleteMultipartUpload" | "AbortMultipartUpload" | "ListParts" => "UPLOAD",
        "DeleteObjects" => "MULTI_OBJECT_DELETE",
        _ if name.contains("BucketPolicy") => "BUCKETPOLICY",
        _ if name.contains("Versioning") => "VERSIONING",
        _ if name.contains("Lifecycle") => "LIFECYCLE",
        _ if name.contains("Logging") => "LOGGING_STATUS",
        _ if name.contains("Encryption") => "ENCRYPTION",
        _ if name.contains("Location") => "LOCATION",
        _ if name.contains("PublicAccessBlock") => "PUBLIC_ACCESS_BLOCK",
        _ if name.contains("OwnershipControls") => "OWNERSHIP_CONTROLS",
        _ if name.contains("ObjectLockConfiguration") => "OBJECT_LOCK_CONFIGURATION",
        _ if name.contains("Retention") => "OBJECT_LOCK_RETENTION",
        _ if name.contains("LegalHold") => "OBJECT_LOCK_LEGALHOLD",
        _ if name.contains("Acl") => "ACL",
        _ if name.contains("ObjectTagging") => "OBJECT_TAGGING",
        _ if name.contains("Tagging") => "TAGGING",
        _ if scene.subject().key.is_some() => "OBJECT",
        _ => "BUCKET",
    };
    match name {
        "CopyObject" => "REST.COPY.OBJECT".to_owned(),
        "UploadPartCopy" => "REST.COPY.PART".to_owned(),
        "RestoreObject" => "REST.POST.RESTORE".to_owned(),
        _ => format!("REST.{}.{about}", scene.method),
    }
}
