//! What a record is, and what is read from it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use opentrail_event::{Category, Event, EventError, EventId, JsonError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn base() -> Value {
    json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": "arn:aws:iam::123456789012:user/Mary",
            "accountId": "123456789012", "accessKeyId": "AKIAEXAMPLE", "userName": "Mary",
        },
        "eventTime": "2021-07-29T23:53:37Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": "us-east-1",
        "eventID": "ded40a0b-f008-4226-a490-986736f65f57",
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "eventCategory": "Management",
        "recipientAccountId": "123456789012",
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut record = base();
    record[member] = value;
    record
}

fn parse(record: &Value) -> Result<Event, EventError> {
    Event::parse(Bytes::from(record.to_string()))
}

fn user_name(identity: Value) -> Option<String> {
    let event = parse(&with("userIdentity", identity)).unwrap();
    event.user_name().map(|name| name.into_owned())
}

#[test]
fn the_members_are_read() {
    let event = parse(&base()).unwrap();
    assert_eq!(event.id(), "ded40a0b-f008-4226-a490-986736f65f57");
    assert_eq!(event.key(), EventId::of(event.id()));
    assert_eq!(event.time().to_rfc3339(), "2021-07-29T23:53:37+00:00");
    assert_eq!((event.name(), event.source()), ("CreateUser", "iam.amazonaws.com"));
    assert_eq!(event.region(), "us-east-1");
    assert_eq!(event.category(), Category::Management);
    assert_eq!((event.read_only(), event.management_event()), (Some(false), Some(true)));
    assert_eq!(event.event_type(), Some("AwsApiCall"));
    assert_eq!(event.version(), Some("1.08"));
    assert_eq!(event.access_key_id(), Some("AKIAEXAMPLE"));
    assert_eq!(event.user_identity_type(), Some("IAMUser"));
    assert_eq!(event.user_identity_arn(), Some("arn:aws:iam::123456789012:user/Mary"));
    assert_eq!(event.user_identity_account_id(), Some("123456789012"));
    assert_eq!(event.principal_id(), Some("AIDAEXAMPLE"));
    assert_eq!(event.recipient_account_id(), Some("123456789012"));
    assert_eq!(event.user_name().as_deref(), Some("Mary"));
    assert_eq!(event.error_code(), None);
    assert_eq!(event.shared_event_id(), None);
    assert_eq!(event.vpc_endpoint_id(), None);
    assert_eq!(event.session_credential_from_console(), None);
    assert_eq!(event.value_at(&["userIdentity", "userName"]).as_deref(), Some("Mary"));
    assert_eq!(event.json_at(&["readOnly"]), Some("false"));
}

#[test]
fn a_member_that_every_record_has_must_be_there() {
    for member in ["eventID", "eventTime", "eventName", "eventSource", "awsRegion"] {
        let mut record = base();
        record.as_object_mut().unwrap().remove(member);
        assert_eq!(parse(&record), Err(EventError::Missing { member }));
        for value in [json!(5), json!(null), json!({"a": "b"}), json!("")] {
            let error = parse(&with(member, value.clone())).unwrap_err();
            let EventError::Invalid { member: named, .. } = error else {
                panic!("{member} {value}: {error}")
            };
            assert_eq!(named, member);
        }
    }
}

#[test]
fn the_form_of_a_value_is_checked() {
    for (member, value) in [
        ("eventID", json!("x".repeat(129))),
        ("eventID", json!("a\nb")),
        ("eventName", json!("n".repeat(513))),
        ("eventTime", json!("2021-07-29")),
        ("eventTime", json!("2021-02-30T00:00:00Z")),
        ("eventTime", json!("2021-07-29T24:00:00Z")),
        ("awsRegion", json!("../../etc")),
        ("awsRegion", json!("US-EAST-1")),
        ("userIdentity", json!("Mary")),
        ("userIdentity", json!([])),
    ] {
        assert!(
            matches!(parse(&with(member, value.clone())), Err(EventError::Invalid { .. })),
            "{member} {value}"
        );
    }
    assert!(parse(&with("eventID", json!("é".repeat(128)))).is_ok());
    assert!(parse(&with("userIdentity", json!(null))).is_ok());
}

#[test]
fn a_time_may_have_an_offset_and_a_fraction() {
    for (text, seconds) in [
        ("2021-07-30T01:53:37+02:00", 1_627_602_817),
        ("2021-07-29T23:53:37.250Z", 1_627_602_817),
        ("2021-07-29T23:53:37Z", 1_627_602_817),
        ("1969-12-31T23:59:59Z", -1),
    ] {
        assert_eq!(parse(&with("eventTime", json!(text))).unwrap().time().timestamp(), seconds, "{text}");
    }
}

#[test]
fn the_bytes_are_kept_as_they_came_without_the_space_around_them() {
    let pretty = serde_json::to_string_pretty(&base()).unwrap();
    let event = Event::parse(Bytes::from(format!(" \r\n{pretty}\n\n"))).unwrap();
    assert_eq!(event.raw_str(), pretty);
    assert_eq!((event.name(), event.region()), ("CreateUser", "us-east-1"));
}

#[test]
fn one_object_and_nothing_else_is_a_record() {
    let record = base().to_string();
    assert_eq!(Event::parse(Bytes::from("[]")), Err(EventError::NotAnObject));
    assert_eq!(Event::parse(Bytes::from(" 5 ")), Err(EventError::NotAnObject));
    assert_eq!(Event::parse(Bytes::new()), Err(EventError::Json(JsonError::Ended { at: 0 })));
    assert_eq!(
        Event::parse(Bytes::from(format!("{record}{record}"))),
        Err(EventError::Json(JsonError::Trailing { at: record.len() }))
    );
    let mut invalid = record.clone().into_bytes();
    let at = record.find("Mary").unwrap();
    invalid[at] = 0xFF;
    assert_eq!(Event::parse(Bytes::from(invalid)), Err(EventError::NotUtf8 { at }));
}

#[test]
fn a_record_has_a_largest_size_and_depth() {
    let padding = Event::MAX_BYTES - with("p", json!("")).to_string().len();
    assert!(parse(&with("p", json!("x".repeat(padding)))).is_ok());
    assert_eq!(
        parse(&with("p", json!("x".repeat(padding + 1)))),
        Err(EventError::TooLarge { bytes: Event::MAX_BYTES + 1 })
    );
    let deep =
        base().to_string().replacen('{', &format!("{{\"p\":{}{},", "[".repeat(200), "]".repeat(200)), 1);
    assert!(matches!(Event::parse(Bytes::from(deep)), Err(EventError::Json(JsonError::TooDeep { .. }))));
}

#[test]
fn the_last_of_two_members_counts() {
    let record = base().to_string();
    let twice = format!(
        r#"{{"eventName":5,"readOnly":true,"userIdentity":{{"invokedBy":"x","userName":"Eve"}},{}"#,
        &record[1..]
    );
    let event = Event::parse(Bytes::from(twice)).unwrap();
    assert_eq!((event.name(), event.read_only()), ("CreateUser", Some(false)));
    assert_eq!((event.user_name().as_deref(), event.invoked_by()), (Some("Mary"), None));
    assert_eq!(event.value_at(&["eventName"]).as_deref(), Some("CreateUser"));
}

#[test]
fn escapes_are_decoded_in_names_and_values() {
    let escaped = base()
        .to_string()
        .replace("eventName", r"event\u004eame")
        .replace("CreateUser", r"Create\u0055ser")
        .replace("\"Mary\"", r#""M\u00e1ry \ud83d\ude00 \"\\""#);
    let event = Event::parse(Bytes::from(escaped)).unwrap();
    assert_eq!(event.name(), "CreateUser");
    assert_eq!(event.user_name().as_deref(), Some("Máry 😀 \"\\"));
    assert_eq!(event.value_at(&["eventName"]).as_deref(), Some("CreateUser"));
}

#[test]
fn a_boolean_may_be_written_as_a_text() {
    assert_eq!(parse(&with("readOnly", json!("true"))).unwrap().read_only(), Some(true));
    assert_eq!(parse(&with("readOnly", json!("maybe"))).unwrap().read_only(), None);
    assert_eq!(parse(&with("readOnly", json!(1))).unwrap().read_only(), None);
}

#[test]
fn the_category_of_an_old_record_is_what_its_management_event_says() {
    let mut record = with("managementEvent", json!(false));
    record.as_object_mut().unwrap().remove("eventCategory");
    assert_eq!(parse(&record).unwrap().category(), Category::Data);
    record.as_object_mut().unwrap().remove("managementEvent");
    assert_eq!(parse(&record).unwrap().category(), Category::Management);
    assert_eq!(parse(&with("eventCategory", json!("Insight"))).unwrap().category(), Category::Insight);
}

#[test]
fn the_user_name_is_the_one_that_lookup_events_shows() {
    let name = |identity| user_name(identity);
    assert_eq!(name(json!({"type": "Root", "userName": "alias"})).as_deref(), Some("root"));
    assert_eq!(name(json!({"type": "IAMUser", "userName": "Alice"})).as_deref(), Some("Alice"));
    assert_eq!(
        name(json!({"type": "AssumedRole", "principalId": "AROAX:deploy:7", "arn": "arn:aws:sts::1:assumed-role/r/deploy"}))
            .as_deref(),
        Some("deploy:7")
    );
    assert_eq!(
        name(json!({"type": "AssumedRole", "principalId": "AROAX", "arn": "arn:aws:sts::1:assumed-role/r/deploy"})).as_deref(),
        Some("deploy")
    );
    assert_eq!(
        name(json!({"type": "FederatedUser", "principalId": "123456789012:Bob", "arn": "arn:aws:sts::1:federated-user/Bob"}))
            .as_deref(),
        Some("Bob")
    );
    assert_eq!(
        name(json!({"type": "AWSService", "invokedBy": "s3.amazonaws.com"})).as_deref(),
        Some("s3.amazonaws.com")
    );
    assert_eq!(name(json!({"invokedBy": "s3.amazonaws.com"})).as_deref(), Some("s3.amazonaws.com"));
    for kind in ["SAMLUser", "WebIdentityUser", "IdentityCenterUser", "IAMUser"] {
        assert_eq!(
            name(json!({"type": kind, "userName": "u", "invokedBy": "x"})).as_deref(),
            Some("u"),
            "{kind}"
        );
    }
    assert_eq!(
        name(json!({"type": "AWSAccount", "principalId": "AIDAX", "accountId": "210987654321"})),
        None
    );
    assert_eq!(name(json!(null)), None);
}

#[test]
fn an_empty_access_key_id_is_none() {
    let identity = json!({"type": "Root", "accessKeyId": ""});
    assert_eq!(parse(&with("userIdentity", identity)).unwrap().access_key_id(), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((".{0,8}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes every character of every string as an escape.
fn all_escaped(value: &Value) -> String {
    let escaped = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::String(text) => escaped(text),
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(all_escaped).collect::<Vec<_>>().join(" , "))
        }
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}:{}", escaped(key), all_escaped(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_the_json_says_however_it_is_written(
        texts in proptest::collection::vec(".{1,20}", 4),
        extra in proptest::collection::vec(("[a-z]{1,6}", any_json()), 0..4),
        form in 0..3u8,
    ) {
        let mut record = Map::new();
        record.extend(extra.clone().into_iter().map(|(key, value)| (format!("x{key}"), value)));
        record.extend(base().as_object().unwrap().clone());
        record.insert("errorCode".into(), json!(texts[0]));
        record.insert("vpcEndpointId".into(), json!(texts[1]));
        record.insert("userIdentity".into(), json!({"type": "IAMUser", "userName": texts[2], "arn": texts[3]}));
        let record = Value::Object(record);
        let text = match form {
            0 => record.to_string(),
            1 => serde_json::to_string_pretty(&record).unwrap(),
            _ => all_escaped(&record),
        };
        let event = Event::parse(Bytes::from(text.clone())).unwrap();
        prop_assert_eq!(event.raw_str(), &text);
        prop_assert_eq!(event.name(), "CreateUser");
        prop_assert_eq!(event.error_code(), Some(&*texts[0]));
        prop_assert_eq!(event.vpc_endpoint_id(), Some(&*texts[1]));
        prop_assert_eq!(event.user_name().map(|name| name.into_owned()), Some(texts[2].clone()));
        prop_assert_eq!(event.user_identity_arn(), Some(&*texts[3]));
        for (key, _) in &extra {
            let key = format!("x{key}");
            let expected = match &record[&key] {
                Value::String(text) => Some(text.clone()),
                value @ (Value::Bool(_) | Value::Number(_)) => Some(value.to_string()),
                _ => None,
            };
            prop_assert_eq!(event.value_at(&[&key]).map(|text| text.into_owned()), expected);
            let json: Value = serde_json::from_str(event.json_at(&[&key]).unwrap()).unwrap();
            prop_assert_eq!(&json, &record[&key]);
        }
    }

    #[test]
    fn a_record_with_a_byte_changed_is_refused_or_still_json(at: prop::sample::Index, byte: u8) {
        let mut raw = base().to_string().into_bytes();
        let at = at.index(raw.len());
        raw[at] = byte;
        if let Ok(event) = Event::parse(Bytes::from(raw)) {
            let value: Value = serde_json::from_slice(event.raw()).unwrap();
            prop_assert_eq!(value["eventName"].as_str(), Some(event.name()));
            event.resources();
        }
    }

    #[test]
    fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::parse(Bytes::from(raw));
    }
}
