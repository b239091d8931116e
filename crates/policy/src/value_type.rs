//! The types that values of condition keys have.

use std::net::IpAddr;

use crate::scalar::{self, Number};

/// The type of a condition key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Any text.
    String,
    /// An integer, or a finite fraction.
    Numeric,
    /// `true` or `false`, in any case.
    Boolean,
    /// An IPv4 or IPv6 address.
    Ip,
    /// Base64.
    Binary,
    /// A date of the W3C's profile of ISO 8601, or seconds since 1970.
    Date,
}

impl ValueType {
    /// Whether a condition on a key of this type could compare this value.
    pub fn accepts(self, value: &str) -> bool {
        match self {
            Self::String => true,
            Self::Numeric => Number::parse(value).is_some(),
            Self::Boolean => scalar::parse_bool(value).is_some(),
            Self::Ip => value.parse::<IpAddr>().is_ok(),
            Self::Binary => scalar::parse_binary(value).is_some(),
            Self::Date => scalar::parse_date(value).is_some(),
        }
    }
}
