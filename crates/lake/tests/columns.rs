//! What becomes of a record's members, held against a naive reading of the same JSON.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod model;

use chrono::{DateTime, Utc};
use model::{expected, row_of};
use opentrail_event::Event;
use opentrail_lake::{Columns, Extra, Shape};
use proptest::prelude::*;
use serde_json::{Value, json};

fn event(members: &str) -> Event {
    let raw = format!(
        r#"{{"eventID":"id-1","eventTime":"2026-03-01T10:00:00Z","eventName":"N","eventSource":"s.amazonaws.com","awsRegion":"us-east-1"{members}}}"#
    );
    Event::parse(raw.into_bytes().into()).unwrap()
}

/// The row of one event with these members.
fn row(members: &str) -> Value {
    let mut columns = Columns::new(Shape::Event);
    columns.push(&event(members), Extra::default());
    row_of(&columns.finish().unwrap(), 0)
}

#[test]
fn nested_json_in_maps_is_its_text() {
    let row = row(
        r#","requestParameters":{"a":"x\n\"y\"","b":{"c": [1, 2]},"d":[],"e":null,"f":1.50,"g":true,"":"é"}"#,
    );
    assert_eq!(
        row["requestParameters"],
        json!([
            ["a", "x\n\"y\""],
            ["b", r#"{"c": [1, 2]}"#],
            ["d", "[]"],
            ["e", null],
            ["f", "1.50"],
            ["g", "true"],
            ["", "é"]
        ])
    );
}

#[test]
fn members_of_unexpected_types_lose_no_event() {
    let row = row(concat!(
        r#","requestParameters":"text","responseElements":[1],"additionalEventData":7,"readOnly":"true","managementEvent":1"#,
        r#","resources":{"ARN":"arn:aws:s3:::b"},"errorCode":404,"errorMessage":{"a":1},"tlsDetails":"none","userAgent":null"#,
        r#","userIdentity":{"arn":5,"sessionContext":{"attributes":{"creationDate":"soon"},"sessionIssuer":"me"}}"#
    ));
    for column in [
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "managementEvent",
        "tlsDetails",
        "userAgent",
    ] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
    assert_eq!(row["readOnly"], json!(true));
    assert_eq!(row["errorCode"], json!("404"));
    assert_eq!(row["errorMessage"], json!(r#"{"a":1}"#));
    assert_eq!(row["resources"][0]["ARN"], json!("arn:aws:s3:::b"));
    assert_eq!(row["userIdentity"]["arn"], json!("5"));
    assert_eq!(row["userIdentity"]["sessionContext"]["attributes"]["creationDate"], Value::Null);
    assert_eq!(row["userIdentity"]["sessionContext"]["sessionIssuer"], Value::Null);
}

#[test]
fn the_last_of_several_members_with_one_name_counts() {
    let row = row(concat!(
        r#","userIdentity":{"type":"Root","arn":"a"},"userIdentity":{"type":"IAMUser","type":"Role"}"#,
        r#","resources":[{"ARN":"one"},{"ARN":"two"}],"resources":[{"ARN":"three"}]"#,
        r#","requestParameters":{"a":"1","b":"2","a":"3"},"readOnly":true,"readOnly":null"#
    ));
    assert_eq!(row["userIdentity"]["type"], json!("Role"));
    assert_eq!(row["userIdentity"]["arn"], Value::Null);
    assert_eq!(row["resources"].as_array().unwrap().len(), 1);
    assert_eq!(row["resources"][0]["ARN"], json!("three"));
    assert_eq!(row["requestParameters"], json!([["a", "3"], ["b", "2"]]));
    assert_eq!(row["readOnly"], Value::Null);
}

#[test]
fn a_large_map_with_repeated_keys_keeps_each_once() {
    let members: Vec<String> = (0..200).map(|n| format!(r#""k{}":"{n}""#, n % 150)).collect();
    let row = row(&format!(r#","requestParameters":{{{}}}"#, members.join(",")));
    let entries = row["requestParameters"].as_array().unwrap();
    assert_eq!(entries.len(), 150);
    assert_eq!(entries[0], json!(["k0", "150"]));
    assert_eq!(entries[149], json!(["k149", "149"]));
}

#[test]
fn the_record_is_kept_as_it_came() {
    let event = event(r#" , "userAgent" :  "a\u0062" , "eventJson":"not this""#);
    let mut columns = Columns::new(Shape::Event);
    columns.push(&event, Extra::default());
    let row = row_of(&columns.finish().unwrap(), 0);
    assert_eq!(row["eventJson"], json!(event.raw_str()));
    assert_eq!(row["userAgent"], json!("ab"));
    assert_eq!(row["eventCategory"], json!("Management"));
}

#[test]
fn insights_have_their_columns() {
    let row = row(concat!(
        r#","eventCategory":"Insight","insightState":"Start","insightContext":{"baselineAverage":0.5,"insightDuration":"12","#,
        r#""attributions":[{"attribute":"userAgent","insight":[{"value":"cli","average":2}],"baseline":[]}]}"#
    ));
    assert_eq!(row["insightState"], json!("Start"));
    assert_eq!(row["insightContext"]["baselineAverage"], json!(0.5));
    assert_eq!(row["insightContext"]["insightDuration"], json!(12));
    assert_eq!(row["insightContext"]["attributions"][0]["insight"][0]["average"], json!(2.0));
}

#[test]
fn events_from_outside_get_their_metadata() {
    let record = r#"{"eventVersion":"1.09","eventCategory":"ActivityAuditLog","eventType":"ActivityLog","eventID":"e","eventTime":"2026-03-01T10:00:00","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventData":{"version":"1","UID":"u","userIdentity":{"type":"t","principalId":"p","details":{"a":{"b":1}}},"additionalEventData":{"k":"v"}}}"#;
    let time: DateTime<Utc> = "2026-03-01T10:00:05Z".parse().unwrap();
    let mut columns = Columns::new(Shape::Activity);
    let extra = Extra {
        ingestion_time: Some(time),
        channel_arn: Some("arn:aws:cloudtrail:us-east-1:111122223333:channel/c"),
        addendum: Some(r#"{"reason":"UPDATED_DATA","originalUID":"u0"}"#),
    };
    columns.push_record(record, extra).unwrap();
    let row = row_of(&columns.finish().unwrap(), 0);
    assert_eq!(row["metadata"]["ingestionTime"], json!("2026-03-01T10:00:05Z"));
    assert_eq!(row["metadata"]["channelARN"], json!("arn:aws:cloudtrail:us-east-1:111122223333:channel/c"));
    assert_eq!(row["addendum"]["originalUID"], json!("u0"));
    assert_eq!(row["eventData"]["userIdentity"]["details"], json!([["a", r#"{"b":1}"#]]));
    assert_eq!(row["eventJson"], json!(record));
}

#[test]
fn other_spellings_of_configuration_items_are_known() {
    let record = r#"{"eventID":"e","eventTime":"2026-03-01T10:00:00Z","eventData":{"configurationStateId":"3","awsAccountId":"111122223333","ARN":"arn:aws:s3:::b","Tags":{"a":"b"},"relationships":[{"relationshipName":"Is attached to"}],"relatedEvents":["x"]}}"#;
    let mut columns = Columns::new(Shape::ConfigurationItem);
    columns.push_record(record, Extra::default()).unwrap();
    let row = row_of(&columns.finish().unwrap(), 0);
    assert_eq!(row["eventData"]["configurationItemStateId"], json!("3"));
    assert_eq!(row["eventData"]["accountId"], json!("111122223333"));
    assert_eq!(row["eventData"]["arn"], json!("arn:aws:s3:::b"));
    assert_eq!(row["eventData"]["tags"], json!([["a", "b"]]));
    assert_eq!(row["eventData"]["relationships"][0]["name"], json!("Is attached to"));
    assert_eq!(row["eventData"]["relatedEvents"], json!(r#"["x"]"#));
}

#[test]
fn a_record_that_cannot_be_a_row_adds_none() {
    let mut columns = Columns::new(Shape::Evidence);
    let good = r#"{"eventID":"e","eventTime":"2026-03-01T10:00:00Z","eventData":{"attributes":{"a":"b"},"time":"2026-02-01T00:00:00Z"}}"#;
    columns.push_record(good, Extra::default()).unwrap();
    for bad in [
        "",
        "[]",
        "7",
        r#"{"eventID":"e"}"#,
        r#"{"eventTime":"2026-03-01T10:00:00Z"}"#,
        r#"{"eventID":"e","eventTime":"soon"}"#,
        r#"{"eventID":"e","eventTime":"2026-03-01T10:00:00Z"} x"#,
        r#"{"eventID":"f","eventTime":"2026-03-01T10:00:00Z","eventData":{"attributes":{"a":"b","c":"#,
    ] {
        columns.push_record(bad, Extra::default()).unwrap_err();
    }
    columns.push_record(good, Extra::default()).unwrap();
    assert_eq!(columns.len(), 2);
    assert!(columns.bytes() > 2 * good.len());
    let batch = columns.finish().unwrap();
    assert_eq!(row_of(&batch, 0), row_of(&batch, 1));
    assert!(columns.is_empty());
    assert_eq!(columns.finish().unwrap().num_rows(), 0);
}

/// Any JSON value as text, a few levels deep.
fn json_text() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just(r#""plain""#.to_owned()),
        Just(r#""esc\"aped\\ \u00e9\n""#.to_owned()),
        Just(r#""2026-03-01T10:00:00Z""#.to_owned()),
        Just(r#""true""#.to_owned()),
        Just(r#""""#.to_owned()),
    ];
    let leaf = prop_oneof![
        text,
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        Just("-0.50e3".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![
            Just("type"),
            Just("arn"),
            Just("ARN"),
            Just("attributes"),
            Just("sessionContext"),
            Just("sessionIssuer"),
            Just("creationDate"),
            Just("attributions"),
            Just("insight"),
            Just("average"),
            Just("other"),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            proptest::collection::vec((name, inner), 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn odd_records_are_read_as_the_model_reads_them(
        records in proptest::collection::vec(
            proptest::collection::vec((proptest::sample::select(MEMBERS), json_text()), 0..6),
            1..5,
        )
    ) {
        let mut columns = Columns::new(Shape::Event);
        let mut events = Vec::new();
        for members in &records {
            let members: String = members.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
            let raw = format!(r#"{{"eventID":"i","eventTime":"2026-03-01T10:00:00.5+01:00","eventName":"N","eventSource":"s","awsRegion":"us-east-1"{members}}}"#);
            // A userIdentity that is no object is the one thing that an event can't have.
            if let Ok(event) = Event::parse(raw.into_bytes().into()) {
                columns.push(&event, Extra::default());
                events.push(event);
            }
        }
        let batch = columns.finish().unwrap();
        prop_assert_eq!(batch.num_rows(), events.len());
        for (at, event) in events.iter().enumerate() {
            prop_assert_eq!(row_of(&batch, at), expected(event));
        }
    }
}

const MEMBERS: &[&str] = &[
    "userIdentity",
    "requestParameters",
    "responseElements",
    "resources",
    "readOnly",
    "eventCategory",
    "errorCode",
    "tlsDetails",
    "insightContext",
    "insightDetails",
    "serviceEventDetails",
    "unknown",
];

#[test]
fn field_ids_stand_at_every_field() {
    for shape in Shape::ALL {
        let batch = Columns::new(shape).finish().unwrap();
        assert_eq!(batch.schema(), shape.arrow());
        assert!(
            batch.schema().fields().iter().all(|field| field.metadata().contains_key("PARQUET:field_id")),
            "{shape:?}"
        );
    }
}
