//! The records that our own services write.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use chrono::{DateTime, Utc};
use opentrail_event::{
    AccountId, Category, Event, Record, RecordResource, Region, SessionContext, SessionIssuer, TlsDetails,
    UserIdentity,
};
use serde_json::{Value, json};

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn time() -> DateTime<Utc> {
    "2026-03-01T10:20:30.987Z".parse().unwrap()
}

fn event_id() -> uuid::Uuid {
    uuid::Uuid::from_u128(0xded4_0a0b_f008_4226_a490_9867_36f6_5f57)
}

fn mary() -> UserIdentity {
    UserIdentity::IamUser {
        principal_id: "AIDAEXAMPLE".into(),
        arn: "arn:aws:iam::123456789012:user/Mary".parse().unwrap(),
        account: account(),
        access_key_id: Some("AKIAEXAMPLE".into()),
        user_name: "Mary".into(),
        session: None,
        invoked_by: None,
    }
}

fn record(identity: UserIdentity) -> Record {
    let mut record = Record::new(
        event_id(),
        time(),
        identity,
        "iam.amazonaws.com",
        "CreateUser",
        Region::us_east_1(),
        account(),
    );
    record.source_ip_address = "127.0.0.1".into();
    record
}

fn session() -> SessionContext {
    SessionContext {
        issuer: Some(SessionIssuer {
            kind: "Role".into(),
            principal_id: "AROAEXAMPLE".into(),
            arn: "arn:aws:iam::123456789012:role/Deploy".parse().unwrap(),
            account_id: account(),
            user_name: Some("Deploy".into()),
        }),
        creation_date: time(),
        mfa_authenticated: false,
        source_identity: None,
        federated_provider: None,
    }
}

#[test]
fn a_full_record_has_all_members_in_order() {
    let mut record = record(mary());
    record.user_agent = Some("aws-cli/2".into());
    record.error_code = Some("EntityAlreadyExists".into());
    record.error_message = Some("User with name Bob already exists.".into());
    record.request_parameters = Some(json!({"userName": "Bob"}));
    record.additional_event_data = Some(json!({"a": 1}));
    record.request_id = Some("cb6847ec-e9aa-413f-8630-38216c022461".into());
    record.read_only = Some(false);
    record.resources = vec![RecordResource::new("AWS::S3::Bucket", "arn:aws:s3:::b", Some(account()))];
    record.api_version = Some("2010-05-08".into());
    record.service_event_details = Some(json!({}));
    record.shared_event_id = Some(event_id());
    record.vpc_endpoint_id = Some("vpce-1".into());
    record.vpc_endpoint_account_id = Some(account());
    record.addendum = Some(json!({"reason": "DELIVERY_DELAY"}));
    record.session_credential_from_console = true;
    record.event_context = Some(json!({}));
    record.tls_details = Some(TlsDetails {
        tls_version: Some("TLSv1.3".into()),
        cipher_suite: None,
        client_provided_host_header: Some("localhost".into()),
    });
    let event = record.into_event().unwrap();
    assert_eq!(
        event.raw_str(),
        concat!(
            r#"{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","#,
            r#""arn":"arn:aws:iam::123456789012:user/Mary","accountId":"123456789012","accessKeyId":"AKIAEXAMPLE","#,
            r#""userName":"Mary"},"eventTime":"2026-03-01T10:20:30Z","eventSource":"iam.amazonaws.com","#,
            r#""eventName":"CreateUser","awsRegion":"us-east-1","sourceIPAddress":"127.0.0.1","userAgent":"aws-cli/2","#,
            r#""errorCode":"EntityAlreadyExists","errorMessage":"User with name Bob already exists.","#,
            r#""requestParameters":{"userName":"Bob"},"responseElements":null,"additionalEventData":{"a":1},"#,
            r#""requestID":"cb6847ec-e9aa-413f-8630-38216c022461","eventID":"ded40a0b-f008-4226-a490-986736f65f57","#,
            r#""readOnly":false,"resources":[{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}],"#,
            r#""eventType":"AwsApiCall","apiVersion":"2010-05-08","managementEvent":true,"#,
            r#""recipientAccountId":"123456789012","serviceEventDetails":{},"#,
            r#""sharedEventID":"ded40a0b-f008-4226-a490-986736f65f57","vpcEndpointId":"vpce-1","#,
            r#""vpcEndpointAccountId":"123456789012","eventCategory":"Management","#,
            r#""addendum":{"reason":"DELIVERY_DELAY"},"#,
            r#""tlsDetails":{"tlsVersion":"TLSv1.3","clientProvidedHostHeader":"localhost"},"#,
            r#""sessionCredentialFromConsole":"true","eventContext":{}}"#,
        )
    );
}

#[test]
fn what_does_not_apply_is_left_out() {
    let event = record(mary()).into_event().unwrap();
    let value: Value = serde_json::from_slice(event.raw()).unwrap();
    let members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "eventVersion",
            "userIdentity",
            "eventTime",
            "eventSource",
            "eventName",
            "awsRegion",
            "sourceIPAddress",
            "requestParameters",
            "responseElements",
            "eventID",
            "eventType",
            "managementEvent",
            "recipientAccountId",
            "eventCategory",
        ]
    );
    assert_eq!(value["requestParameters"], Value::Null);
}

#[test]
fn a_data_event_says_so_twice() {
    let event = record(mary()).into_data_event().into_event().unwrap();
    assert_eq!((event.management_event(), event.category()), (Some(false), Category::Data));
}

#[test]
fn every_identity_has_the_members_that_aws_writes() {
    let arn = "arn:aws:sts::123456789012:assumed-role/Deploy/ci".parse().unwrap();
    let session_json = json!({
        "sessionIssuer": {
            "type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::123456789012:role/Deploy",
            "accountId": "123456789012", "userName": "Deploy",
        },
        "attributes": {"creationDate": "2026-03-01T10:20:30Z", "mfaAuthenticated": "false"},
    });
    for (identity, expected, user_name) in [
        (
            UserIdentity::Root {
                account: account(),
                access_key_id: Some("AKIAROOT".into()),
                session: None,
                invoked_by: None,
            },
            json!({
                "type": "Root", "principalId": "123456789012", "arn": "arn:aws:iam::123456789012:root",
                "accountId": "123456789012", "accessKeyId": "AKIAROOT",
            }),
            Some("root"),
        ),
        (
            UserIdentity::AssumedRole {
                principal_id: "AROAEXAMPLE:ci".into(),
                arn,
                account: account(),
                access_key_id: Some("ASIAEXAMPLE".into()),
                session: session(),
                invoked_by: Some("cloudformation.amazonaws.com".into()),
            },
            json!({
                "type": "AssumedRole", "principalId": "AROAEXAMPLE:ci",
                "arn": "arn:aws:sts::123456789012:assumed-role/Deploy/ci", "accountId": "123456789012",
                "accessKeyId": "ASIAEXAMPLE", "sessionContext": session_json,
                "invokedBy": "cloudformation.amazonaws.com",
            }),
            Some("ci"),
        ),
        (
            UserIdentity::FederatedUser {
                principal_id: "123456789012:Bob".into(),
                arn: "arn:aws:sts::123456789012:federated-user/Bob".parse().unwrap(),
                account: account(),
                access_key_id: None,
                session: session(),
                invoked_by: None,
            },
            json!({
                "type": "FederatedUser", "principalId": "123456789012:Bob",
                "arn": "arn:aws:sts::123456789012:federated-user/Bob", "accountId": "123456789012",
                "sessionContext": session_json,
            }),
            Some("Bob"),
        ),
        (
            UserIdentity::AwsService { invoked_by: "cloudtrail.amazonaws.com".into() },
            json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}),
            Some("cloudtrail.amazonaws.com"),
        ),
        (
            UserIdentity::AwsAccount {
                principal_id: "AIDAOTHER".into(),
                account: "210987654321".parse().unwrap(),
            },
            json!({"type": "AWSAccount", "principalId": "AIDAOTHER", "accountId": "210987654321"}),
            None,
        ),
        (
            UserIdentity::Anonymous,
            json!({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}),
            None,
        ),
        (
            UserIdentity::Unknown { access_key_id: Some("AKIAGONE".into()) },
            json!({"type": "Unknown", "principalId": "", "accessKeyId": "AKIAGONE"}),
            None,
        ),
    ] {
        let written = serde_json::to_string(&identity).unwrap();
        assert_eq!(written, expected.to_string());
        let kind = identity.kind();
        let event = record(identity).into_event().unwrap();
        assert_eq!(event.user_identity_type(), Some(kind));
        assert_eq!(event.user_name().as_deref(), user_name);
    }
}

#[test]
fn fields_that_are_too_large_are_cut_or_omitted() {
    let mut large = record(mary());
    large.request_parameters = Some(json!({"policyDocument": "x".repeat(200_000)}));
    large.response_elements = Some(json!({"x": "y".repeat(90_000)}));
    large.additional_event_data = Some(json!("z".repeat(30_000)));
    large.error_message = Some("é".repeat(1000));
    let event = large.into_event().unwrap();
    let omitted = |field: &str| event.value_at(&[field, "omitted"]);
    assert_eq!(omitted("requestParameters").as_deref(), Some("true"));
    assert_eq!(event.value_at(&["requestParameters", "originalSize"]).as_deref(), Some("200021"));
    assert_eq!(
        event.value_at(&["requestParameters", "reason"]).as_deref(),
        Some("requestParameters too large")
    );
    assert_eq!(omitted("responseElements"), None);
    assert_eq!(omitted("additionalEventData").as_deref(), Some("true"));
    assert_eq!(event.error_message().map(str::len), Some(1024));
}

#[test]
fn the_largest_record_we_write_is_a_record() {
    let mut largest = record(mary());
    let large = json!("\u{1}".repeat(17_000));
    largest.request_parameters = Some(large.clone());
    largest.response_elements = Some(large.clone());
    largest.service_event_details = Some(large);
    assert!(largest.into_event().unwrap().raw().len() > 300_000);
}

#[test]
fn an_event_is_equal_to_the_one_read_from_its_bytes() {
    let event = record(mary()).into_event().unwrap();
    let again = Event::parse(event.raw().clone()).unwrap();
    assert_eq!(again, event);
    assert_eq!(again.key().value(), event_id().as_u128());
}
