//! The eight attributes by which history is searched.

use std::{fmt, str::FromStr};

use opentrail_event::{Event, ResourceName};

/// What `LookupEvents` can search for: AWS's `LookupAttribute.AttributeKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The record's `eventID`.
    EventId,
    /// The record's `eventName`.
    EventName,
    /// The record's `readOnly`: `true` or `false`; a record without it has no value.
    ReadOnly,
    /// [`Event::user_name`].
    Username,
    /// The type of any of [`Event::resources`].
    ResourceType,
    /// The name of any of [`Event::resources`].
    ResourceName,
    /// The record's `eventSource`.
    EventSource,
    /// [`Event::access_key_id`].
    AccessKeyId,
}

impl Attribute {
    /// All of them, in AWS's order.
    pub const ALL: [Self; 8] = [
        Self::EventId,
        Self::EventName,
        Self::ReadOnly,
        Self::Username,
        Self::ResourceType,
        Self::ResourceName,
        Self::EventSource,
        Self::AccessKeyId,
    ];

    /// AWS's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventId => "EventId",
            Self::EventName => "EventName",
            Self::ReadOnly => "ReadOnly",
            Self::Username => "Username",
            Self::ResourceType => "ResourceType",
            Self::ResourceName => "ResourceName",
            Self::EventSource => "EventSource",
            Self::AccessKeyId => "AccessKeyId",
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no attribute's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a lookup attribute")]
pub struct UnknownAttributeError(String);

impl FromStr for Attribute {
    type Err = UnknownAttributeError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|attribute| attribute.as_str() == name)
            .ok_or_else(|| UnknownAttributeError(name.chars().take(64).collect()))
    }
}

/// How a value is compared. Upper and lower case are different, as with AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// The value is this text.
    Exact(String),
    /// The value has this text in it. Ours.
    Contains(String),
}

impl Matcher {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::Contains(text) => value.contains(text.as_str()),
        }
    }
}

/// A condition on an attribute; one that has several values (resources) satisfies it with any of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Which attribute.
    pub attribute: Attribute,
    /// How its value must be.
    pub matcher: Matcher,
}

impl Filter {
    /// The attribute has exactly this value.
    pub fn exact(attribute: Attribute, value: impl Into<String>) -> Self {
        Self { attribute, matcher: Matcher::Exact(value.into()) }
    }

    /// The attribute's value has this text in it.
    pub fn contains(attribute: Attribute, text: impl Into<String>) -> Self {
        Self { attribute, matcher: Matcher::Contains(text.into()) }
    }

    /// Whether an event satisfies the condition.
    pub fn matches(&self, event: &Event) -> bool {
        let resources = match self.attribute {
            Attribute::ResourceName | Attribute::ResourceType => event.resources(),
            _ => Vec::new(),
        };
        let mut found = false;
        each_value(event, &resources, |attribute, value| {
            found |= attribute == self.attribute && self.matcher.matches(value);
        });
        found
    }
}

/// Calls `visit` with every value that an event has; `resources` are the event's.
pub(crate) fn each_value(event: &Event, resources: &[ResourceName], mut visit: impl FnMut(Attribute, &str)) {
    visit(Attribute::EventId, event.id());
    visit(Attribute::EventName, event.name());
    visit(Attribute::EventSource, event.source());
    if let Some(read_only) = event.read_only() {
        visit(Attribute::ReadOnly, if read_only { "true" } else { "false" });
    }
    if let Some(name) = event.user_name() {
        visit(Attribute::Username, &name);
    }
    if let Some(key) = event.access_key_id() {
        visit(Attribute::AccessKeyId, key);
    }
    for resource in resources {
        visit(Attribute::ResourceName, &resource.name);
        if let Some(kind) = &resource.kind {
            visit(Attribute::ResourceType, kind);
        }
    }
}
