//! Events from outside AWS: what PutAuditEvents takes, and the record that comes of it.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-integration-event-schema.html>

use std::{net::IpAddr, ops::RangeInclusive};

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, Utc};
use opentrail_event::{AccountId, JsonError, JsonScanner, Region};
use serde_json::{Map, Value, json, value::RawValue};

/// Longest `version` in characters (AWS: the event schema; so are the limits that follow).
const MAX_VERSION: usize = 256;
/// Longest `userIdentity.type` in characters.
const MAX_IDENTITY_TYPE: usize = 128;
/// Longest name, id or source in characters.
const MAX_TEXT: usize = 1024;
/// Longest `errorCode` and `errorMessage` in characters.
const MAX_ERROR: usize = 256;
/// Largest `requestParameters` and `responseElements` in bytes of JSON.
const MAX_PARAMETERS: usize = 100 << 10;
/// Largest `additionalEventData` in bytes of JSON.
const MAX_ADDITIONAL: usize = 28 << 10;
/// The years that a time can be written with (RFC 3339: four digits), in UTC.
const YEARS: RangeInclusive<i32> = 0..=9999;
/// The version of the records.
const EVENT_VERSION: &str = "1.0";

/// Why one event of a call is not taken; the codes are AWS's (ResultErrorEntry).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A member that must be there is not.
    #[error("The field {0} is required.")]
    FieldNotFound(&'static str),
    /// A member is too long.
    #[error("The field {field} is longer than {limit}.")]
    FieldTooLong {
        /// The member.
        field: &'static str,
        /// How long it may be, with its unit.
        limit: String,
    },
    /// It is not what the schema says.
    #[error("{0}")]
    InvalidData(String),
    /// The account is not the one that owns the channel.
    #[error("The recipientAccountId must be that of the account which owns the channel.")]
    InvalidRecipient,
    /// A source that only AWS's own events have.
    #[error("The eventSource {0} is one of AWS.")]
    InvalidEventSource(String),
    /// The data has another digest than the one that was sent with it.
    #[error("The eventDataChecksum is not the base64 text of the SHA-256 digest of eventData.")]
    InvalidChecksum,
}

impl Rejection {
    /// AWS's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FieldNotFound(_) => "FieldNotFound",
            Self::FieldTooLong { .. } => "FieldTooLong",
            Self::InvalidData(_) => "InvalidData",
            Self::InvalidRecipient => "InvalidRecipient",
            Self::InvalidEventSource(_) => "InvalidEventSource",
            Self::InvalidChecksum => "InvalidChecksum",
        }
    }
}

/// The `eventData` of one event, checked.
#[derive(Debug)]
pub struct AuditEvent {
    time: DateTime<Utc>,
    data: Box<RawValue>,
}

/// Where a record comes from and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// The channel's ARN.
    pub channel: &'a str,
    /// The account that owns it.
    pub account: AccountId,
    /// The region of the call.
    pub region: &'a Region,
    /// When the call came.
    pub at: DateTime<Utc>,
}

impl AuditEvent {
    /// Reads and checks `eventData` for a channel of this account.
    ///
    /// # Errors
    /// The first rule of the schema that is broken.
    pub fn read(data: &str, account: AccountId) -> Result<Self, Rejection> {
        let broken =
            |error: serde_json::Error| Rejection::InvalidData(format!("eventData is no JSON: {error}"));
        let members: Value = serde_json::from_str(data).map_err(broken)?;
        let Value::Object(members) = members else {
            return Err(Rejection::InvalidData("eventData is no JSON object.".to_owned()));
        };
        required(&members, "version", MAX_VERSION)?;
        check_identity(&members)?;
        optional(&members, "userAgent", MAX_TEXT)?;
        let source = required(&members, "eventSource", MAX_TEXT)?;
        if source == "amazonaws.com" || source.ends_with(".amazonaws.com") {
            return Err(Rejection::InvalidEventSource(source.to_owned()));
        }
        required(&members, "eventName", MAX_TEXT)?;
        let time = required(&members, "eventTime", MAX_TEXT)?;
        let time = read_time(time).filter(|time| YEARS.contains(&time.year())).ok_or_else(|| {
            Rejection::InvalidData("The eventTime must have the form yyyy-MM-DDTHH:mm:ss, in UTC.".to_owned())
        })?;
        required(&members, "UID", MAX_TEXT)?;
        object(&members, "requestParameters", MAX_PARAMETERS)?;
        object(&members, "responseElements", MAX_PARAMETERS)?;
        optional(&members, "errorCode", MAX_ERROR)?;
        optional(&members, "errorMessage", MAX_ERROR)?;
        if let Some(address) = optional(&members, "sourceIPAddress", MAX_TEXT)?
            && address.parse::<IpAddr>().is_err()
        {
            let message = "The sourceIPAddress is neither an IPv4 nor an IPv6 address.";
            return Err(Rejection::InvalidData(message.to_owned()));
        }
        if required(&members, "recipientAccountId", MAX_TEXT)? != account.as_str() {
            return Err(Rejection::InvalidRecipient);
        }
        object(&members, "additionalEventData", MAX_ADDITIONAL)?;
        check_readable(data)?;
        let data = RawValue::from_string(data.to_owned()).map_err(broken)?;
        Ok(Self { time, data })
    }

    /// The record of the event, under the id that it is given.
    ///
    /// # Errors
    /// If it has no JSON form, which does not happen.
    pub fn record(&self, id: &str, passage: Passage<'_>) -> Result<Box<RawValue>, serde_json::Error> {
        let second = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let head = json!({
            "eventVersion": EVENT_VERSION,
            "eventCategory": "ActivityAuditLog",
            "eventType": "ActivityLog",
            "eventID": id,
            "eventTime": second(self.time),
            "awsRegion": passage.region,
            "recipientAccountId": passage.account,
            "addendum": null,
            "metadata": { "ingestionTime": second(passage.at), "channelARN": passage.channel },
        });
        let head = head.to_string();
        let open = head.strip_suffix('}').unwrap_or(&head);
        RawValue::from_string(format!("{open},\"eventData\":{}}}", self.data.get()))
    }
}

fn check_identity(members: &Map<String, Value>) -> Result<(), Rejection> {
    let Some(identity) = given(members, "userIdentity") else {
        return Err(Rejection::FieldNotFound("userIdentity"));
    };
    let Value::Object(identity) = identity else { return Err(no_object("userIdentity")) };
    required(identity, "type", MAX_IDENTITY_TYPE)?;
    required(identity, "principalId", MAX_TEXT)?;
    object(identity, "details", MAX_PARAMETERS)
}

/// Whether the reader of records, which allows less nesting than other readers of JSON, will take the data where it
/// stands in its record. What it does not take would be acknowledged and never be seen.
fn check_readable(data: &str) -> Result<(), Rejection> {
    let nested = format!("{{\"eventData\":{data}}}");
    let mut scanner = JsonScanner::new(nested.as_bytes(), 0);
    let unreadable = |error: JsonError| Rejection::InvalidData(format!("eventData can't be taken: {error}"));
    scanner.skip_value().and_then(|()| scanner.finish()).map_err(unreadable)
}

/// A member that is there; null is as good as none.
fn given<'a>(members: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    members.get(field).filter(|value| !value.is_null())
}

fn required<'a>(
    members: &'a Map<String, Value>,
    field: &'static str,
    limit: usize,
) -> Result<&'a str, Rejection> {
    let text = optional(members, field, limit)?;
    text.filter(|text| !text.is_empty()).ok_or(Rejection::FieldNotFound(field))
}

fn optional<'a>(
    members: &'a Map<String, Value>,
    field: &'static str,
    limit: usize,
) -> Result<Option<&'a str>, Rejection> {
    let Some(value) = given(members, field) else { return Ok(None) };
    let Value::String(text) = value else {
        return Err(Rejection::InvalidData(format!("The field {field} must be a string.")));
    };
    if text.chars().count() > limit {
        return Err(Rejection::FieldTooLong { field, limit: format!("{limit} characters") });
    }
    Ok(Some(text))
}

fn object(members: &Map<String, Value>, field: &'static str, limit: usize) -> Result<(), Rejection> {
    let Some(value) = given(members, field) else { return Ok(()) };
    if !value.is_object() {
        return Err(no_object(field));
    }
    if value.to_string().len() > limit {
        return Err(Rejection::FieldTooLong { field, limit: format!("{limit} bytes") });
    }
    Ok(())
}

fn no_object(field: &str) -> Rejection {
    Rejection::InvalidData(format!("The field {field} must be a JSON object."))
}

/// A time as the schema has it, or with a zone or fractions of a second, which AWS's own clients send.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        columns::{Columns, Extra},
        schema::Shape,
    };

    const ACCOUNT: &str = "123456789012";

    fn sample() -> Value {
        json!({
            "version": "1.0",
            "userIdentity": { "type": "CustomUser", "principalId": "alice", "details": { "team": "a" } },
            "userAgent": "agent/1",
            "eventSource": "shop.example.com",
            "eventName": "Checkout",
            "eventTime": "2026-11-20T12:13:14Z",
            "UID": "u-1",
            "requestParameters": { "cart": 7 },
            "sourceIPAddress": "192.0.2.1",
            "recipientAccountId": ACCOUNT,
        })
    }

    fn read(value: &Value) -> Result<AuditEvent, Rejection> {
        AuditEvent::read(&value.to_string(), ACCOUNT.parse().expect("an account"))
    }

    fn without(field: &str) -> Value {
        let mut value = sample();
        value.as_object_mut().expect("an object").remove(field);
        value
    }

    fn with(field: &str, new: Value) -> Value {
        let mut value = sample();
        value[field] = new;
        value
    }

    #[test]
    fn a_record_has_the_form_that_aws_documents() {
        let region: Region = "eu-west-1".parse().expect("a region");
        let passage = Passage {
            channel: "arn:aws:cloudtrail:eu-west-1:123456789012:channel/c",
            account: ACCOUNT.parse().expect("an account"),
            region: &region,
            at: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
        };
        let record = read(&sample()).expect("it is good").record("an-id", passage).expect("JSON");
        let record: Value = serde_json::from_str(record.get()).expect("JSON");
        assert_eq!(
            record,
            json!({
                "eventVersion": "1.0",
                "eventCategory": "ActivityAuditLog",
                "eventType": "ActivityLog",
                "eventID": "an-id",
                "eventTime": "2026-11-20T12:13:14Z",
                "awsRegion": "eu-west-1",
                "recipientAccountId": ACCOUNT,
                "addendum": null,
                "metadata": { "ingestionTime": "2027-01-15T08:00:00Z", "channelARN": passage.channel },
                "eventData": sample(),
            })
        );
    }

    /// What is read becomes a row; the rest is refused, so that nothing is acknowledged and lost.
    #[test]
    fn what_is_taken_becomes_a_row() {
        let region: Region = "eu-west-1".parse().expect("a region");
        let account = ACCOUNT.parse().expect("an account");
        let passage = Passage { channel: "c", account, region: &region, at: DateTime::UNIX_EPOCH };
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deep = |levels: usize| {
            let data = sample().to_string();
            format!("{},\"more\":{}}}", data.strip_suffix('}').expect("an object"), nested(levels))
        };
        let timed = |time: &str| with("eventTime", json!(time)).to_string();
        let taken = [
            deep(98),
            timed("0000-01-01T00:00:00Z"),
            timed("9999-12-31T23:59:59Z"),
            timed("2016-12-31T23:59:60Z"),
            timed("2026-11-20T12:13:14.5+01:00"),
        ];
        for data in taken {
            let event = AuditEvent::read(&data, account).expect("it is good");
            let record = event.record("an-id", passage).expect("JSON");
            let mut rows = Columns::new(Shape::Activity);
            rows.push_record(record.get(), Extra::default()).expect("a row");
        }
        let refused = [
            deep(99),
            deep(120),
            timed("9999-12-31T23:59:59-01:00"),
            timed("0000-01-01T00:00:00+01:00"),
            timed("+12026-11-20T12:13:14"),
            timed("-0001-11-20T12:13:14"),
        ];
        for data in refused {
            assert_eq!(
                AuditEvent::read(&data, account).expect_err("it is not").code(),
                "InvalidData",
                "{data}"
            );
        }
    }

    #[test]
    fn what_the_schema_requires_must_be_there() {
        for field in
            ["version", "userIdentity", "eventSource", "eventName", "eventTime", "UID", "recipientAccountId"]
        {
            assert_eq!(read(&without(field)).expect_err("it is missing").code(), "FieldNotFound", "{field}");
        }
        let nobody = with("userIdentity", json!({ "type": "CustomUser" }));
        assert_eq!(read(&nobody).expect_err("no principal"), Rejection::FieldNotFound("principalId"));
    }

    #[test]
    fn what_breaks_the_schema_is_named_with_its_code() {
        let long = "x".repeat(2000);
        let cases = [
            (with("eventName", json!(long)), "FieldTooLong"),
            (with("errorMessage", json!(long)), "FieldTooLong"),
            (with("requestParameters", json!({ "x": "y".repeat(MAX_PARAMETERS) })), "FieldTooLong"),
            (with("additionalEventData", json!({ "x": "y".repeat(MAX_ADDITIONAL) })), "FieldTooLong"),
            (with("requestParameters", json!("text")), "InvalidData"),
            (with("eventName", json!(5)), "InvalidData"),
            (with("eventTime", json!("yesterday")), "InvalidData"),
            (with("sourceIPAddress", json!("localhost")), "InvalidData"),
            (json!([1]), "InvalidData"),
            (with("recipientAccountId", json!("999999999999")), "InvalidRecipient"),
            (with("eventSource", json!("iam.amazonaws.com")), "InvalidEventSource"),
        ];
        for (value, code) in cases {
            assert_eq!(read(&value).expect_err("it is broken").code(), code, "{value}");
        }
        let account = ACCOUNT.parse().expect("an account");
        assert_eq!(AuditEvent::read("{", account).expect_err("no JSON").code(), "InvalidData");
        assert!(read(&with("eventTime", json!("2026-11-20T12:13:14"))).is_ok());
        assert!(read(&with("userAgent", Value::Null)).is_ok());
    }
}
