//! The condition keys of an S3 call (Service Authorization Reference, "Condition keys for Amazon S3").

use opentrail_policy::Context;
use opentrail_vault::Tags;

use super::{
    encryption, headers, object_lock,
    scene::{Proof, Scene},
    shape,
};

/// Headers that are condition keys of the same name.
const HEADERS: &[&str] = &[
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "if-match",
    "if-none-match",
];

/// Query parameters that are condition keys: parameter and key.
const PARAMETERS: &[(&str, &str)] = &[
    ("prefix", "s3:prefix"),
    ("delimiter", "s3:delimiter"),
    ("max-keys", "s3:max-keys"),
    ("versionId", "s3:VersionId"),
];

/// The condition keys of a call.
pub(super) fn of(scene: &Scene) -> Context {
    let mut context = scene.arrival.context(&scene.region);
    for name in HEADERS {
        if let Some(value) = scene.header(name) {
            context.set(&format!("s3:{name}"), value);
        }
    }
    for (parameter, key) in PARAMETERS {
        if let Some(value) = scene.parameter(parameter) {
            context.set(key, value);
        }
    }
    if let Some(tls) = &scene.arrival.tls {
        context.set("s3:TlsVersion", tls.version.trim_start_matches("TLSv"));
    }
    match scene.proof {
        Proof::None => {}
        Proof::Header => {
            context.set("s3:authType", "REST-HEADER").set("s3:signatureversion", "AWS4-HMAC-SHA256");
        }
        Proof::Query { age } => {
            context.set("s3:authType", "REST-QUERY-STRING").set("s3:signatureversion", "AWS4-HMAC-SHA256");
            context.set("s3:signatureAge", age.to_string());
        }
    }
    if let Some(account) = scene.account() {
        context.set(Context::CANONICAL_USER, shape::canonical_id(account));
    }
    object_lock::set_keys_in_headers(&mut context, scene);
    encryption::set_keys_of_upload(&mut context, scene);
    // Tags that can't be read are refused by the operation itself.
    if let Ok(tags) = headers::tags(scene)
        && !tags.is_empty()
    {
        set_request_tags(&mut context, &tags);
    }
    context
}

/// The tags that the call sets.
pub(super) fn set_request_tags(context: &mut Context, tags: &Tags) {
    for (key, value) in tags {
        context.set(&format!("s3:RequestObjectTag/{key}"), value.as_str());
    }
    context.set_many("s3:RequestObjectTagKeys", tags.keys().cloned());
}

/// The tags of the object that is there.
pub(super) fn set_existing_tags(context: &mut Context, tags: &Tags) {
    for (key, value) in tags {
        context.set(&format!("s3:ExistingObjectTag/{key}"), value.as_str());
    }
}
