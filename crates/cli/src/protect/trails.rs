//! The trails that deliver to a bucket.

use serde::Deserialize;
use serde_json::json;

use super::{ProtectError, flags::Wishes, policy::Trail};
use crate::client::{Client, ServerArguments};

/// The target of CloudTrail's DescribeTrails.
const DESCRIBE_TRAILS: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails";
/// Stands for the bucket's account where no trail tells it.
pub(super) const UNKNOWN_ACCOUNT: &str = "000000000000";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "trailList", default)]
    trails: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(rename = "TrailARN")]
    arn: String,
    #[serde(rename = "S3BucketName", default)]
    bucket: String,
    #[serde(rename = "S3KeyPrefix")]
    prefix: Option<String>,
}

/// Where CloudTrail is asked: on AWS each service has a host of its own.
pub(super) fn endpoint(server: &ServerArguments, given: Option<&str>) -> String {
    let of_aws = server.endpoint.trim_end_matches('/').ends_with(".amazonaws.com");
    match given {
        Some(endpoint) => endpoint.to_owned(),
        None if of_aws => format!("https://cloudtrail.{}.amazonaws.com", server.region),
        None => server.endpoint.clone(),
    }
}

/// The trails that the command names, or those that the endpoint knows for the bucket. An endpoint without CloudTrail
/// knows none.
pub(super) async fn of(client: &Client, bucket: &str, wishes: &Wishes) -> Result<Vec<Trail>, ProtectError> {
    if !wishes.trails.is_empty() {
        return wishes.trails.iter().map(|arn| trail(arn, None, wishes)).collect();
    }
    let all = json!({"includeShadowTrails": true});
    let answer: Result<Answer, _> = client.aws_json_once("cloudtrail", DESCRIBE_TRAILS, &all).await;
    let Ok(answer) = answer else { return Ok(Vec::new()) };
    let here = answer.trails.into_iter().filter(|trail| trail.bucket == bucket);
    let mut found: Vec<Trail> = here
        .map(|described| trail(&described.arn, described.prefix.as_deref(), wishes))
        .collect::<Result<_, _>>()?;
    found.dedup();
    Ok(found)
}

fn trail(arn: &str, prefix: Option<&str>, wishes: &Wishes) -> Result<Trail, ProtectError> {
    let mut parts = arn.splitn(6, ':');
    let [Some("arn"), Some(_), Some("cloudtrail"), Some(_), Some(account), Some(name)] =
        std::array::from_fn(|_| parts.next())
    else {
        return Err(ProtectError::BadArn(arn.to_owned()));
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if !is_account || !name.starts_with("trail/") {
        return Err(ProtectError::BadArn(arn.to_owned()));
    }
    let prefix = wishes.prefix.as_deref().or(prefix).unwrap_or_default().trim_end_matches('/');
    Ok(Trail {
        arn: arn.to_owned(),
        account: account.to_owned(),
        prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
        organization: wishes.organization_id.clone(),
    })
}
