//! A trail that writes everything into a bucket of the server's own vault.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Connection},
    error::BenchError,
    process::ACCOUNT,
};

/// The bucket.
pub(crate) const BUCKET: &str = "bench-trail";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
}

/// Makes the bucket with the policy that AWS documents, and a multi-region trail with validation that takes
/// management events and the data events of the generated records; answers its ARN.
pub(crate) async fn make(connection: &mut Connection) -> Result<String, BenchError> {
    connection.ask(Ask::s3(Method::PUT, &format!("/{BUCKET}"), "")).await?;
    connection.ask(Ask::s3(Method::PUT, &format!("/{BUCKET}?policy"), policy().to_string())).await?;
    let created: Created = call(
        connection,
        "CloudTrail_20131101.CreateTrail",
        json!({
            "Name": "bench", "S3BucketName": BUCKET, "IsMultiRegionTrail": true, "EnableLogFileValidation": true,
        }),
    )
    .await?;
    let selectors = json!({"TrailName": "bench", "AdvancedEventSelectors": selectors()});
    call::<Value>(connection, "CloudTrail_20131101.PutEventSelectors", selectors).await?;
    call::<Value>(connection, "CloudTrail_20131101.StartLogging", json!({"Name": "bench"})).await?;
    Ok(created.trail_arn)
}

/// The trail takes no new events from now on.
pub(crate) async fn stop(connection: &mut Connection) -> Result<(), BenchError> {
    call::<Value>(connection, "CloudTrail_20131101.StopLogging", json!({"Name": "bench"})).await.map(drop)
}

/// What the server says of the trail's delivery.
pub(crate) async fn status(connection: &mut Connection) -> Result<Value, BenchError> {
    call(connection, "CloudTrail_20131101.GetTrailStatus", json!({"Name": "bench"})).await
}

async fn call<T: serde::de::DeserializeOwned>(
    connection: &mut Connection,
    target: &'static str,
    input: Value,
) -> Result<T, BenchError> {
    connection.cloudtrail("us-east-1", target, &input).await
}

/// Calls to the trail's own bucket are left out: each delivery would make the next one.
fn selectors() -> Value {
    let data = |kind: &str| {
        json!({"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": [kind]},
            {"Field": "resources.ARN", "NotStartsWith": [format!("arn:aws:s3:::{BUCKET}")]},
        ]})
    };
    json!([
        {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
        data("AWS::S3::Object"),
        data("AWS::Lambda::Function"),
        data("AWS::DynamoDB::Table"),
    ])
}

fn policy() -> Value {
    let source = format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/bench");
    let service = json!({"Service": "cloudtrail.amazonaws.com"});
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl",
                "Resource": format!("arn:aws:s3:::{BUCKET}"),
                "Condition": {"StringEquals": {"aws:SourceArn": source}},
            },
            {
                "Effect": "Allow", "Principal": service, "Action": "s3:PutObject",
                "Resource": format!("arn:aws:s3:::{BUCKET}/AWSLogs/{ACCOUNT}/*"),
                "Condition": {"StringEquals": {
                    "aws:SourceArn": source, "s3:x-amz-acl": "bucket-owner-full-control",
                }},
            },
        ],
    })
}
