//! The record of an S3 call, member for member as CloudTrail writes S3's.

use opentrail_event::{AccountId, Category, RecordResource};
use serde_json::{Map, Value, json};

use super::{
    catalog::Scope,
    document,
    scene::{Proof, Scene},
};
use crate::{
    fault::Fault,
    recording::{Deed, Who},
};

/// S3, in records.
const EVENT_SOURCE: &str = "s3.amazonaws.com";

/// Headers that are parameters of a call and appear in its record.
const SHOWN_HEADERS: &[&str] = &[
    "x-amz-acl",
    "x-amz-account-id",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-attributes",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-storage-class",
    "x-amz-tagging-directive",
    "x-amz-website-redirect-location",
];

/// The ARN of a bucket.
pub(super) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub(super) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The record of a call with its outcome: `elements` are its `responseElements`, `sent` the bytes of its answer.
pub(super) fn of<'a>(
    scene: &'a Scene,
    elements: Option<Value>,
    fault: Option<&'a Fault>,
    sent: u64,
) -> Deed<'a> {
    let subject = scene.subject();
    Deed {
        event_name: subject.operation.event,
        read_only: subject.operation.read_only,
        category: if subject.operation.scope == Scope::Bucket {
            Category::Management
        } else {
            Category::Data
        },
        parameters: Some(Value::Object(parameters(scene))),
        elements,
        resources: resources(scene, subject.operation.scope, subject.key.as_deref()),
        ..frame(scene, fault, sent)
    }
}

/// The record of one object's deletion among those of a DeleteObjects call.
pub(super) fn of_one_deletion<'a>(
    scene: &'a Scene,
    key: &str,
    version_id: Option<&str>,
    elements: Option<Value>,
) -> Deed<'a> {
    let subject = scene.subject();
    let mut parameters = Map::new();
    parameters.insert("bucketName".to_owned(), json!(subject.bucket));
    if let Some(host) = &scene.arrival.host {
        parameters.insert("Host".to_owned(), json!(host));
    }
    parameters.insert("key".to_owned(), json!(key));
    if let Some(version_id) = version_id {
        parameters.insert("versionId".to_owned(), json!(version_id));
    }
    Deed {
        event_name: "DeleteObject",
        read_only: false,
        category: Category::Data,
        parameters: Some(Value::Object(parameters)),
        elements,
        resources: resources(scene, Scope::Object, Some(key)),
        ..frame(scene, None, 0)
    }
}

/// What all records of a call have in common.
fn frame<'a>(scene: &'a Scene, fault: Option<&'a Fault>, sent: u64) -> Deed<'a> {
    let found = scene.subject().found.as_ref();
    Deed {
        event_source: EVENT_SOURCE,
        event_name: "",
        region: found.map_or_else(|| scene.region.clone(), |bucket| bucket.region.clone()),
        arrival: &scene.arrival,
        who: match &scene.sender {
            Ok(caller) => Who::Known(caller),
            Err(stranger) => stranger.who(),
        },
        accounts: accounts(scene, found.map(|bucket| bucket.owner), fault.is_none()),
        read_only: false,
        category: Category::Data,
        parameters: None,
        elements: None,
        additional: Some(additional(scene, sent)),
        resources: Vec::new(),
        // "Not modified" is an answer, not a failure.
        fault: fault.filter(|fault| fault.status() != http::StatusCode::NOT_MODIFIED),
    }
}

/// The accounts whose record it is: the caller's, and the bucket's where the call succeeded. The call of
/// someone without an account belongs to the bucket's.
fn accounts(scene: &Scene, owner: Option<AccountId>, succeeded: bool) -> Vec<AccountId> {
    match (&scene.sender, scene.account()) {
        (_, Some(account)) => {
            let mut accounts = vec![account];
            accounts.extend(owner.filter(|owner| succeeded && *owner != account));
            accounts
        }
        (Err(stranger), None) => vec![stranger.account(&scene.rooms)],
        (Ok(_), None) => vec![owner.unwrap_or(scene.rooms.home)],
    }
}

/// `requestParameters`: the bucket, the host, the key, the query, and headers that are parameters.
fn parameters(scene: &Scene) -> Map<String, Value> {
    let subject = scene.subject();
    let mut parameters = Map::new();
    let mut set = |name: &str, value: &str| parameters.insert(name.to_owned(), json!(value));
    for (name, value) in scene.query.iter().chain(&scene.signing) {
        set(name, value);
    }
    for name in SHOWN_HEADERS {
        if let Some(value) = scene.header(name) {
            set(name, value);
        }
    }
    if let Some(bucket) = &subject.bucket {
        set("bucketName", bucket);
    }
    if let Some(host) = &scene.arrival.host {
        set("Host", host);
    }
    if let Some(key) = &subject.key {
        set("key", key);
    }
    if !matches!(subject.operation.name, "DeleteObjects" | "CompleteMultipartUpload" | "SelectObjectContent")
        && let Some((name, value)) = scene.intake.document().and_then(|text| document::shown(&text))
    {
        parameters.insert(name, value);
    }
    parameters
}

fn additional(scene: &Scene, sent: u64) -> Value {
    let mut additional = Map::new();
    let method = match scene.proof {
        Proof::None => None,
        Proof::Header => Some("AuthHeader"),
        Proof::Query { .. } => Some("QueryString"),
    };
    if let Some(method) = method {
        additional.insert("SignatureVersion".to_owned(), json!("SigV4"));
        additional.insert("AuthenticationMethod".to_owned(), json!(method));
    }
    if let Some(tls) = &scene.arrival.tls {
        additional.insert("CipherSuite".to_owned(), json!(tls.cipher_suite));
    }
    if let Some(applied) = scene.progress.lock().sse_applied {
        additional.insert("SSEApplied".to_owned(), json!(applied));
    }
    additional.insert("bytesTransferredIn".to_owned(), json!(scene.intake.received()));
    additional.insert("bytesTransferredOut".to_owned(), json!(sent));
    additional.insert("x-amz-id-2".to_owned(), json!(scene.host_id));
    Value::Object(additional)
}

fn resources(scene: &Scene, scope: Scope, key: Option<&str>) -> Vec<RecordResource> {
    let subject = scene.subject();
    let Some(bucket) = &subject.bucket else { return Vec::new() };
    let made = (subject.operation.name == "CreateBucket").then(|| scene.account()).flatten();
    let owner = subject.found.as_ref().map(|bucket| bucket.owner).or(made);
    let the_bucket = RecordResource::new("AWS::S3::Bucket", bucket_arn(bucket), owner);
    match scope {
        Scope::Bucket => vec![the_bucket],
        Scope::Objects => {
            let prefix = RecordResource {
                account_id: None,
                kind: Some("AWS::S3::Object".to_owned()),
                arn: None,
                arn_prefix: Some(format!("{}/", bucket_arn(bucket))),
            };
            vec![prefix, the_bucket]
        }
        Scope::Object => {
            let arn = object_arn(bucket, key.unwrap_or_default());
            vec![RecordResource::new("AWS::S3::Object", arn, None), the_bucket]
        }
    }
}
