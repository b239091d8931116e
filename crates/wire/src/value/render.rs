//! A [`Value`] in the two spellings of answers.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use quick_xml::escape::escape;
use serde_json::Number;

use super::Value;

/// As awsJson and restJson write it: times are epoch seconds (with milliseconds where there are any),
/// blobs base64.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(v) => (*v).into(),
        Value::Int(v) => (*v).into(),
        Value::Float(v) => Number::from_f64(*v).map_or(serde_json::Value::Null, Into::into),
        Value::Text(v) => v.as_str().into(),
        Value::Blob(v) => BASE64_STANDARD.encode(v).into(),
        Value::Time(v) => epoch_seconds(*v),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(members) => {
            serde_json::Value::Object(members.iter().map(|(name, v)| (name.clone(), to_json(v))).collect())
        }
    }
}

pub(super) fn epoch_seconds(time: DateTime<Utc>) -> serde_json::Value {
    let millis = time.timestamp_millis();
    if millis % 1000 == 0 { (millis / 1000).into() } else { (millis as f64 / 1000.0).into() }
}

/// As awsQuery writes it inside an element: members as elements, lists as `<member>`s, times in ISO 8601,
/// blobs base64. Appends to `xml`.
pub fn to_xml(value: &Value, xml: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(v) => xml.push_str(if *v { "true" } else { "false" }),
        Value::Int(v) => xml.push_str(&v.to_string()),
        Value::Float(v) => xml.push_str(&v.to_string()),
        Value::Text(v) => push_text(v, xml),
        Value::Blob(v) => xml.push_str(&BASE64_STANDARD.encode(v)),
        Value::Time(v) => xml.push_str(&v.to_rfc3339_opts(SecondsFormat::Secs, true)),
        Value::List(items) => {
            for item in items {
                element("member", item, xml);
            }
        }
        Value::Map(members) => {
            for (name, member) in members {
                element(name, member, xml);
            }
        }
    }
}

fn element(name: &str, value: &Value, xml: &mut String) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    to_xml(value, xml);
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

/// Text between tags. What XML 1.0 can't say at all (most control characters) becomes U+FFFD, so that no
/// name a caller chose makes an answer unreadable.
fn push_text(text: &str, xml: &mut String) {
    let sayable =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..) && c != '\u{FFFE}';
    if text.chars().all(sayable) {
        xml.push_str(&escape(text));
    } else {
        let replaced: String = text.chars().map(|c| if sayable(c) { c } else { '\u{FFFD}' }).collect();
        xml.push_str(&escape(replaced.as_str()));
    }
}

/// Text between tags, on its own.
pub(crate) fn render_text(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    push_text(text, &mut xml);
    xml
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::{TimeZone, Utc};
    use serde::Serialize;

    use super::super::{Blob, Timestamp, to_value};
    use super::{to_json, to_xml};

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        name: &'static str,
        nothing: Option<bool>,
        created: Timestamp,
        key: Blob,
        tags: Vec<&'static str>,
    }

    fn output() -> Output {
        Output {
            name: "a<b&\u{1}",
            nothing: None,
            created: Timestamp(Utc.timestamp_opt(1_700_000_000, 0).unwrap()),
            key: Blob(Bytes::from_static(b"key")),
            tags: vec!["x", "y"],
        }
    }

    #[test]
    fn json_has_epoch_seconds_and_base64() {
        let json = to_json(&to_value(&output()).unwrap());
        assert_eq!(
            json.to_string(),
            r#"{"Name":"a<b&\u0001","Created":1700000000,"Key":"a2V5","Tags":["x","y"]}"#
        );
    }

    #[test]
    fn xml_has_iso_times_members_and_only_what_xml_can_say() {
        let mut xml = String::new();
        to_xml(&to_value(&output()).unwrap(), &mut xml);
        assert_eq!(
            xml,
            "<Name>a&lt;b&amp;\u{FFFD}</Name><Created>2023-11-14T22:13:20Z</Created><Key>a2V5</Key>\
             <Tags><member>x</member><member>y</member></Tags>"
        );
    }
}
