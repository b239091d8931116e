//! An answer before a protocol spells it.
//!
//! awsJson writes a time as epoch seconds, awsQuery as ISO 8601, and a CloudTrail record in a third way;
//! so an operation's output is first turned into a [`Value`], in which times and blobs are still that.

mod record;
mod render;
mod serializer;

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use record::{RecordTimes, to_record};
pub(crate) use render::render_text;
pub use render::{to_json, to_xml};
pub use serializer::{UnspeakableError, to_value};

/// A tree of what AWS's models can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Absent; dropped from structures.
    Null,
    /// `boolean`
    Bool(bool),
    /// `integer`, `long`
    Int(i64),
    /// `float`, `double`
    Float(f64),
    /// `string`
    Text(String),
    /// `blob`
    Blob(Bytes),
    /// `timestamp`
    Time(DateTime<Utc>),
    /// `list`
    List(Vec<Value>),
    /// `structure` or `map`, in the order given.
    Map(Vec<(String, Value)>),
}

pub(crate) const TIMESTAMP: &str = "$opentrail::Timestamp";
pub(crate) const BLOB: &str = "$opentrail::Blob";

/// A point in time in an operation's input or output, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub DateTime<Utc>);

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TIMESTAMP, &self.0.timestamp_millis())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Epoch seconds, or text in RFC 3339: what SDKs send in awsJson and awsQuery.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor).map(Self)
    }
}

struct TimestampVisitor;

impl de::Visitor<'_> for TimestampVisitor {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a timestamp: epoch seconds or RFC 3339")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
        Utc.timestamp_opt(seconds, 0).single().ok_or_else(|| E::custom("a timestamp out of range"))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
        i64::try_from(seconds)
            .map_err(|_| E::custom("a timestamp out of range"))
            .and_then(|seconds| self.visit_i64(seconds))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
        let millis = (seconds * 1000.0).round();
        // The bound is far inside what an i64 holds and what chrono can say.
        if !millis.is_finite() || millis.abs() > 8.0e15 {
            return Err(E::custom("a timestamp out of range"));
        }
        DateTime::from_timestamp_millis(millis as i64).ok_or_else(|| E::custom("a timestamp out of range"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.to_utc());
        }
        text.parse::<f64>()
            .map_err(|_| E::custom(format_args!("{text:?} is no timestamp")))
            .and_then(|seconds| self.visit_f64(seconds))
    }
}

/// Bytes in an operation's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Raw<'a>(&'a [u8]);
        impl Serialize for Raw<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }
        serializer.serialize_newtype_struct(BLOB, &Raw(&self.0))
    }
}
