//! The shapes that several operations take or answer with.

use opentrail_identity::Tag;
use opentrail_policy::Context;
use opentrail_trails::Trail;
use serde::{Deserialize, Serialize};

use crate::call::Call;

/// The input of operations that take a trail's name or ARN and nothing else.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneTrail {
    /// A name that is missing is as wrong as an empty one.
    #[serde(default)]
    pub(super) name: String,
}

/// The ARN that a trail's name stands for in a call: what its permission is asked for.
pub(super) fn trail_arn(name_or_arn: &str, call: &Call) -> String {
    if name_or_arn.starts_with("arn:") {
        name_or_arn.to_owned()
    } else {
        format!("arn:aws:cloudtrail:{}:{}:trail/{name_or_arn}", call.region, call.account)
    }
}

/// A trail as CreateTrail and UpdateTrail answer with it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TrailShape {
    name: String,
    s3_bucket_name: String,
    s3_key_prefix: Option<String>,
    kms_key_id: Option<String>,
    include_global_service_events: bool,
    is_multi_region_trail: bool,
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    log_file_validation_enabled: bool,
    is_organization_trail: bool,
    /// Said only where it is not the default, true: the AWS CLI's own model does not know it yet.
    recursive_logging: Option<bool>,
}

impl From<&Trail> for TrailShape {
    fn from(trail: &Trail) -> Self {
        Self {
            name: trail.name.to_string(),
            s3_bucket_name: trail.bucket.clone(),
            s3_key_prefix: trail.prefix.clone(),
            kms_key_id: trail.kms_key.clone(),
            include_global_service_events: trail.include_global_service_events,
            is_multi_region_trail: trail.is_multi_region,
            trail_arn: trail.arn().to_string(),
            log_file_validation_enabled: trail.log_file_validation,
            is_organization_trail: trail.organization.is_some(),
            recursive_logging: (!trail.recursive_logging).then_some(false),
        }
    }
}

/// `Tag`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagShape {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

/// Tags as the rules take them; a value that is missing is empty.
pub(super) fn pairs(tags: &[TagShape]) -> Vec<(String, String)> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone().unwrap_or_default())).collect()
}

/// The condition keys of the tags in a request: `aws:TagKeys` and `aws:RequestTag/…`.
pub(super) fn set_request_tags(context: &mut Context, tags: &[TagShape]) {
    let tags: Vec<Tag> = pairs(tags).iter().map(|(key, value)| Tag::new(key, value)).collect();
    opentrail_identity::set_request_tags(context, &tags);
}
