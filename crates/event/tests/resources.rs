//! The resources that an event is about.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use opentrail_event::Event;
use serde_json::{Value, json};

fn event(source: &str, name: &str, members: Value) -> Event {
    let mut record = json!({
        "eventID": "1", "eventTime": "2026-01-01T00:00:00Z", "eventName": name, "eventSource": source,
        "awsRegion": "us-east-1",
    });
    record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Event::parse(Bytes::from(record.to_string())).unwrap()
}

fn resources(event: &Event) -> Vec<(String, String)> {
    event.resources().into_iter().map(|r| (r.kind.unwrap_or_default(), r.name)).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect()
}

#[test]
fn listed_resources_come_first_and_each_once() {
    let listed = json!([
        {"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"},
        {"accountId": "1", "ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"},
        {"ARNPrefix": "arn:aws:s3:::b/", "type": "AWS::S3::Object"},
        {"ARN": "arn:aws:x:::y"},
        {"type": "AWS::Z"},
        5, {}, {"type": 7, "ARN": null},
    ]);
    let event = event(
        "s3.amazonaws.com",
        "PutObject",
        json!({"resources": listed, "requestParameters": {"bucketName": "b", "key": "k"}, "responseElements": {"bucketName": "b"}}),
    );
    assert_eq!(
        resources(&event),
        pairs(&[
            ("AWS::S3::Object", "arn:aws:s3:::b/k"),
            ("AWS::S3::Bucket", "arn:aws:s3:::b"),
            ("AWS::S3::Object", "arn:aws:s3:::b/"),
            ("", "arn:aws:x:::y"),
            ("AWS::S3::Bucket", "b"),
        ])
    );
    let raw = event.raw_resources();
    assert_eq!(raw.len(), 5);
    assert_eq!((raw[4].kind.as_deref(), raw[4].arn.as_deref()), (Some("AWS::Z"), None));
}

#[test]
fn requests_and_responses_name_resources() {
    let created = event(
        "iam.amazonaws.com",
        "CreateUser",
        json!({
            "requestParameters": {"userName": "Bob"},
            "responseElements": {"user": {"userName": "Bob", "arn": "arn:aws:iam::1:user/Bob", "userId": "AIDAB", "path": "/"}},
        }),
    );
    assert_eq!(
        resources(&created),
        pairs(&[
            ("AWS::IAM::User", "Bob"),
            ("AWS::IAM::User", "arn:aws:iam::1:user/Bob"),
            ("AWS::IAM::User", "AIDAB"),
        ])
    );
    let run = event(
        "ec2.amazonaws.com",
        "RunInstances",
        json!({
            "requestParameters": {"instancesSet": {"items": [{"imageId": "ami-1"}]}},
            "responseElements": {"instancesSet": {"items": [{"instanceId": "i-1", "vpcId": "vpc-1"}, {"instanceId": "i-2", "vpcId": "vpc-1"}]}},
        }),
    );
    assert_eq!(
        resources(&run),
        pairs(&[
            ("AWS::EC2::Ami", "ami-1"),
            ("AWS::EC2::Instance", "i-1"),
            ("AWS::EC2::VPC", "vpc-1"),
            ("AWS::EC2::Instance", "i-2"),
        ])
    );
    let trail = event(
        "cloudtrail.amazonaws.com",
        "CreateTrail",
        json!({"requestParameters": {"name": "t", "s3BucketName": "b", "isMultiRegionTrail": true}, "responseElements": {"trailARN": "arn:aws:cloudtrail:us-east-1:1:trail/t"}}),
    );
    assert_eq!(
        resources(&trail),
        pairs(&[
            ("AWS::CloudTrail::Trail", "t"),
            ("AWS::S3::Bucket", "b"),
            ("AWS::CloudTrail::Trail", "arn:aws:cloudtrail:us-east-1:1:trail/t"),
        ])
    );
}

#[test]
fn an_unknown_service_names_none() {
    let other =
        event("x.example", "Do", json!({"requestParameters": {"userName": "Bob"}, "resources": null}));
    assert_eq!(resources(&other), []);
}

#[test]
fn the_number_of_derived_resources_is_bounded() {
    let items: Vec<Value> = (0..5000).map(|n| json!({"instanceId": format!("i-{n}")})).collect();
    let many = event("ec2.amazonaws.com", "RunInstances", json!({"responseElements": {"items": items}}));
    assert_eq!(many.resources().len(), 100);
}
