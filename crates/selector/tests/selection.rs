//! Event selectors against a naive model that reads the record's JSON.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use opentrail_event::Event;
use opentrail_selector::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType, Selection,
    Selectors,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

const NAMES: [&str; 5] = ["GetObject", "PutObject", "PutObjectAcl", "RunInstances", "Decrypt"];
const SOURCES: [&str; 4] =
    ["s3.amazonaws.com", "kms.amazonaws.com", "ec2.amazonaws.com", "rdsdata.amazonaws.com"];
const KINDS: [&str; 3] = ["AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"];
const ARNS: [&str; 6] = [
    "arn:aws:s3:::one/a",
    "arn:aws:s3:::one/b",
    "arn:aws:s3:::two/a",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "arn:aws:lambda:us-east-1:123456789012:function:f2",
    "arn:aws:dynamodb:us-east-1:123456789012:table/t",
];
const TEXTS: [&str; 9] =
    ["Put", "GetObject", "Object", "s3.", ".com", "AwsApiCall", "arn:aws:s3:::one/", "arn:aws:iam", "/a"];

fn record() -> impl Strategy<Value = Value> {
    let resources = vec((select(&KINDS[..]), select(&ARNS[..])), 0..3);
    (
        select(&["Management", "Data", "NetworkActivity", "Insight"][..]),
        select(&NAMES[..]),
        select(&SOURCES[..]),
        option::of(any::<bool>()),
        resources,
        option::of(select(&["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/a"][..])),
        any::<bool>(),
        option::of(select(&["VpceAccessDenied", "AccessDenied"][..])),
    )
        .prop_map(|(category, name, source, read_only, resources, arn, console, error)| {
            let mut record = json!({
                "eventVersion": "1.11", "userIdentity": {"type": "Root"}, "eventTime": "2026-03-01T09:59:59Z",
                "eventSource": source, "eventName": name, "awsRegion": "us-east-1", "eventID": "id",
                "eventCategory": category, "eventType": "AwsApiCall",
            });
            if let Some(read_only) = read_only {
                record["readOnly"] = read_only.into();
            }
            if let Some(arn) = arn {
                record["userIdentity"]["arn"] = arn.into();
            }
            if console {
                record["sessionCredentialFromConsole"] = "true".into();
            }
            if let Some(error) = error {
                record["errorCode"] = error.into();
            }
            if !resources.is_empty() {
                record["resources"] =
                    resources.iter().map(|(kind, arn)| json!({"type": kind, "ARN": arn})).collect();
            }
            record
        })
}

fn basic() -> impl Strategy<Value = EventSelector> {
    let values = select(
        &[
            "arn:aws:s3",
            "arn:aws:s3:::one/",
            "arn:aws:s3:::two/a",
            "arn:aws:lambda",
            ARNS[3],
            "arn:aws:dynamodb",
            ARNS[5],
        ][..],
    );
    let resource = values.prop_map(|value| {
        let kind = if value.contains(":s3") {
            0
        } else if value.contains(":lambda") {
            1
        } else {
            2
        };
        DataResource { kind: KINDS[kind].into(), values: vec![value.into()] }
    });
    (
        select(&[ReadWriteType::All, ReadWriteType::ReadOnly, ReadWriteType::WriteOnly][..]),
        any::<bool>(),
        vec(resource, 0..3),
        vec(select(&["kms.amazonaws.com", "rdsdata.amazonaws.com"][..]), 0..2),
    )
        .prop_map(|(read_write_type, include, data_resources, without)| EventSelector {
            read_write_type,
            include_management_events: include,
            data_resources,
            exclude_management_event_sources: without
                .into_iter()
                .filter(|_| include)
                .map(str::to_owned)
                .collect(),
        })
}

fn naive_basic(selector: &EventSelector, record: &Value) -> bool {
    let reads = record["readOnly"] == json!(true);
    let right_kind = match selector.read_write_type {
        ReadWriteType::All => true,
        ReadWriteType::ReadOnly => reads,
        ReadWriteType::WriteOnly => !reads,
    };
    let source = record["eventSource"].as_str().unwrap();
    let taken = match record["eventCategory"].as_str().unwrap() {
        "Management" => {
            selector.include_management_events
                && !selector.exclude_management_event_sources.iter().any(|known| known == source)
        }
        "Data" => selector.data_resources.iter().any(|wanted| {
            resources(record).iter().any(|(kind, arn)| {
                *kind == wanted.kind
                    && wanted.values.iter().any(|value| {
                        let all = value.matches(':').count() == 2;
                        if all || kind == "AWS::S3::Object" { arn.starts_with(value) } else { arn == value }
                    })
            })
        }),
        _ => false,
    };
    right_kind && taken
}

fn resources(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    record["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|resource| (text(&resource["type"]), text(&resource["ARN"])))
        .collect()
}

fn condition(field: &'static str) -> impl Strategy<Value = AdvancedFieldSelector> {
    let texts = || option::weighted(0.3, vec(select(&TEXTS[..]).prop_map(str::to_owned), 1..3));
    (texts(), texts(), texts(), texts(), texts(), texts()).prop_filter_map("no operator", move |all| {
        let (equals, starts_with, ends_with, not_equals, not_starts_with, not_ends_with) = all;
        let made = AdvancedFieldSelector {
            field: field.into(),
            equals,
            starts_with,
            ends_with,
            not_equals,
            not_starts_with,
            not_ends_with,
        };
        (made != AdvancedFieldSelector { field: field.into(), ..AdvancedFieldSelector::default() })
            .then_some(made)
    })
}

fn exact(field: &str, value: &str) -> AdvancedFieldSelector {
    AdvancedFieldSelector {
        field: field.into(),
        equals: Some(vec![value.into()]),
        ..AdvancedFieldSelector::default()
    }
}

fn advanced() -> impl Strategy<Value = AdvancedEventSelector> {
    (
        select(&["Management", "Data"][..]),
        select(&KINDS[..]),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
        option::of(condition("eventName")),
        option::of(condition("eventSource")),
        option::of(condition("resources.ARN")),
        option::of(condition("userIdentity.arn")),
    )
        .prop_map(|(category, kind, read_only, console, name, source, arn, user)| {
            let mut fields = vec![exact("eventCategory", category)];
            if category == "Data" {
                fields.push(exact("resources.type", kind));
                fields.extend(arn);
            }
            fields.extend(read_only.map(|value| exact("readOnly", &value.to_string())));
            fields.extend(console.map(|value| exact("sessionCredentialFromConsole", &value.to_string())));
            fields.extend(name);
            fields.extend(source);
            fields.extend(user);
            AdvancedEventSelector { name: None, field_selectors: fields }
        })
}

fn naive_condition(condition: &AdvancedFieldSelector, value: Option<&str>) -> bool {
    let list = |values: &Option<Vec<String>>, test: fn(&str, &str) -> bool| {
        value.is_some_and(|value| values.iter().flatten().any(|wanted| test(value, wanted)))
    };
    let is: fn(&str, &str) -> bool = |a, b| a == b;
    let starts: fn(&str, &str) -> bool = |a, b| a.starts_with(b);
    let ends: fn(&str, &str) -> bool = |a, b| a.ends_with(b);
    let asks = condition.equals.is_some() || condition.starts_with.is_some() || condition.ends_with.is_some();
    let wanted = list(&condition.equals, is)
        || list(&condition.starts_with, starts)
        || list(&condition.ends_with, ends);
    let unwanted = list(&condition.not_equals, is)
        || list(&condition.not_starts_with, starts)
        || list(&condition.not_ends_with, ends);
    (!asks || wanted) && !unwanted
}

fn naive_advanced(selector: &AdvancedEventSelector, record: &Value) -> bool {
    let of = |name: &str| selector.field_selectors.iter().find(|condition| condition.field == name);
    let plain = selector.field_selectors.iter().all(|condition| {
        let value = match condition.field.as_str() {
            "resources.type" | "resources.ARN" => return true,
            "readOnly" => Some(if record["readOnly"] == json!(true) { "true" } else { "false" }),
            "sessionCredentialFromConsole" => {
                Some(record["sessionCredentialFromConsole"].as_str().unwrap_or("false"))
            }
            "userIdentity.arn" => record["userIdentity"]["arn"].as_str(),
            name => record[name].as_str(),
        };
        naive_condition(condition, value)
    });
    let touches = match (of("resources.type"), of("resources.ARN")) {
        (None, None) => true,
        (kind, arn) => resources(record).iter().any(|(k, a)| {
            kind.is_none_or(|c| naive_condition(c, Some(k)))
                && arn.is_none_or(|c| naive_condition(c, Some(a)))
        }),
    };
    plain && touches
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn basic_selectors_take_what_the_model_takes(record in record(), selectors in vec(basic(), 1..4)) {
        let event = Event::parse(record.to_string().into()).unwrap();
        let expected = selectors.iter().any(|selector| naive_basic(selector, &record));
        let compiled = Selectors::of_request(Some(selectors), None).unwrap();
        prop_assert_eq!(Selection::compile(&compiled).selects(&event), expected);
    }

    #[test]
    fn advanced_selectors_take_what_the_model_takes(record in record(), selectors in vec(advanced(), 1..4)) {
        let event = Event::parse(record.to_string().into()).unwrap();
        let expected = selectors.iter().any(|selector| naive_advanced(selector, &record));
        let compiled = Selection::compile(&Selectors::Advanced(selectors));
        prop_assert_eq!(compiled.selects(&event), expected);
    }
}

#[test]
fn network_activity_is_taken_by_its_own_selector_only() {
    let text = r#"{"eventVersion":"1.11","userIdentity":{"type":"Root"},"eventTime":"2026-03-01T09:59:59Z","eventSource":"ec2.amazonaws.com","eventName":"X","awsRegion":"us-east-1","eventID":"d","eventCategory":"NetworkActivity","errorCode":"VpceAccessDenied","vpcEndpointId":"vpce-1"}"#;
    let event = Event::parse(text.into()).unwrap();
    assert!(!Selection::compile(&Selectors::default()).selects(&event));
    let with = |extra: AdvancedFieldSelector| {
        let fields =
            vec![exact("eventCategory", "NetworkActivity"), exact("eventSource", "ec2.amazonaws.com"), extra];
        let selector = AdvancedEventSelector { name: None, field_selectors: fields };
        let selectors = Selectors::of_request(None, Some(vec![selector])).unwrap();
        Selection::compile(&selectors).selects(&event)
    };
    assert!(with(exact("vpcEndpointId", "vpce-1")));
    assert!(with(exact("errorCode", "VpceAccessDenied")));
    assert!(!with(exact("vpcEndpointId", "vpce-2")));
}
