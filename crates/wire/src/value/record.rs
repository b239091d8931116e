//! A [`Value`] as `requestParameters` or `responseElements` of a CloudTrail record.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::SecondsFormat;

use super::Value;

/// How a record writes times inside `requestParameters` and `responseElements`; AWS's services differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordTimes {
    /// `Jul 30, 2024 9:53:13 PM` (IAM).
    Spoken,
    /// `Jul 30, 2024, 9:53:13 PM` (STS).
    SpokenWithComma,
    /// ISO 8601 (CloudTrail).
    Iso,
}

/// The tree with member names in CloudTrail's spelling: the first letter small, the rest as in the API.
pub fn to_record(value: &Value, times: RecordTimes) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(v) => (*v).into(),
        Value::Int(v) => (*v).into(),
        Value::Float(v) => serde_json::Number::from_f64(*v).map_or(serde_json::Value::Null, Into::into),
        Value::Text(v) => v.as_str().into(),
        Value::Blob(v) => BASE64_STANDARD.encode(v).into(),
        Value::Time(v) => match times {
            RecordTimes::Spoken => v.format("%b %-d, %Y %-I:%M:%S %p").to_string().into(),
            RecordTimes::SpokenWithComma => v.format("%b %-d, %Y, %-I:%M:%S %p").to_string().into(),
            RecordTimes::Iso => v.to_rfc3339_opts(SecondsFormat::Secs, true).into(),
        },
        Value::List(items) => items.iter().map(|item| to_record(item, times)).collect(),
        Value::Map(members) => serde_json::Value::Object(
            members.iter().map(|(name, v)| (first_letter_small(name), to_record(v, times))).collect(),
        ),
    }
}

fn first_letter_small(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_ascii_lowercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::{RecordTimes, Value, to_record};

    #[test]
    fn names_and_times_are_cloudtrails() {
        let value = Value::Map(vec![
            ("UserName".into(), Value::Text("alice".into())),
            ("CreateDate".into(), Value::Time(Utc.with_ymd_and_hms(2024, 7, 30, 21, 53, 13).unwrap())),
        ]);
        assert_eq!(
            to_record(&value, RecordTimes::Spoken).to_string(),
            r#"{"userName":"alice","createDate":"Jul 30, 2024 9:53:13 PM"}"#
        );
        assert!(
            to_record(&value, RecordTimes::SpokenWithComma).to_string().contains("Jul 30, 2024, 9:53:13 PM")
        );
        assert_eq!(
            to_record(&value, RecordTimes::Iso).to_string(),
            r#"{"userName":"alice","createDate":"2024-07-30T21:53:13Z"}"#
        );
    }
}
