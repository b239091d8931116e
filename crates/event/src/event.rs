//! One CloudTrail record: parsed once, kept as it came.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{
    Category, EventError, EventId, RawResource, ResourceName, member,
    parse::{self, Parsed, Slot},
    resources,
};

/// A CloudTrail record.
///
/// Holds the bytes of the record exactly as they came, and where in them the members are that the rest
/// of the product asks for; nothing is parsed twice. Cloning copies a pointer.
///
/// When a member stands in an object twice, the last one counts, as in `serde_json`, Python and
/// JavaScript.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    raw: Bytes,
    parsed: Parsed,
}

impl Event {
    /// The largest record, in bytes. AWS: an event is at most 256 KB, and 1 MB when it is enriched with
    /// resource tags and condition keys.
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// Reads a record: `raw` is one JSON object, which may have white space around it. In it are, with a
    /// value of the right type and form: `eventID` (1 to 128 characters), `eventTime` (RFC 3339),
    /// `eventName`, `eventSource`, `awsRegion`; and `userIdentity`, if present, is an object or null. Other
    /// members may have any value; one of an unexpected type is as good as absent.
    ///
    /// # Errors
    /// [`EventError`] says what is wrong with the record.
    pub fn parse(raw: Bytes) -> Result<Self, EventError> {
        let (span, parsed) = parse::parse(&raw)?;
        let raw = if span == (0..raw.len()) { raw } else { raw.slice(span) };
        Ok(Self(Arc::new(Inner { raw, parsed })))
    }

    /// The record exactly as it came: one JSON object, no white space around it.
    pub fn raw(&self) -> &Bytes {
        &self.0.raw
    }

    /// The record's text; the same bytes as [`Event::raw`].
    pub fn raw_str(&self) -> &str {
        std::str::from_utf8(&self.0.raw).unwrap_or_default()
    }

    /// What makes two deliveries of this event the same event: the value of its `eventID`.
    pub fn key(&self) -> EventId {
        self.0.parsed.key
    }

    /// `eventID`.
    pub fn id(&self) -> &str {
        self.required(Slot::Id)
    }

    /// `eventTime`.
    pub fn time(&self) -> DateTime<Utc> {
        self.0.parsed.time
    }

    /// `eventName`.
    pub fn name(&self) -> &str {
        self.required(Slot::Name)
    }

    /// `eventSource`.
    pub fn source(&self) -> &str {
        self.required(Slot::Source)
    }

    /// `awsRegion`; it has the form of a [`crate::Region`].
    pub fn region(&self) -> &str {
        self.required(Slot::Region)
    }

    /// `eventCategory`, or what an old record says in its place.
    pub fn category(&self) -> Category {
        self.0.parsed.category
    }

    /// `managementEvent`.
    pub fn management_event(&self) -> Option<bool> {
        self.0.parsed.management_event
    }

    /// `readOnly`.
    pub fn read_only(&self) -> Option<bool> {
        self.0.parsed.read_only
    }

    /// `eventVersion`.
    pub fn version(&self) -> Option<&str> {
        self.text(Slot::Version)
    }

    /// `eventType`, such as `AwsApiCall`.
    pub fn event_type(&self) -> Option<&str> {
        self.text(Slot::Type)
    }

    /// `errorCode`.
    pub fn error_code(&self) -> Option<&str> {
        self.text(Slot::ErrorCode)
    }

    /// `errorMessage`.
    pub fn error_message(&self) -> Option<&str> {
        self.text(Slot::ErrorMessage)
    }

    /// `sourceIPAddress`: an address, or the DNS name of the service that called.
    pub fn source_ip_address(&self) -> Option<&str> {
        self.text(Slot::SourceIpAddress)
    }

    /// `userAgent`.
    pub fn user_agent(&self) -> Option<&str> {
        self.text(Slot::UserAgent)
    }

    /// `recipientAccountId`.
    pub fn recipient_account_id(&self) -> Option<&str> {
        self.text(Slot::RecipientAccountId)
    }

    /// `sharedEventID`: what the events of one call in several accounts have in common.
    pub fn shared_event_id(&self) -> Option<&str> {
        self.text(Slot::SharedEventId)
    }

    /// `vpcEndpointId`.
    pub fn vpc_endpoint_id(&self) -> Option<&str> {
        self.text(Slot::VpcEndpointId)
    }

    /// `sessionCredentialFromConsole`: `true` when present.
    pub fn session_credential_from_console(&self) -> Option<&str> {
        self.text(Slot::SessionCredentialFromConsole)
    }

    /// `userIdentity.type`.
    pub fn user_identity_type(&self) -> Option<&str> {
        self.text(Slot::IdentityType)
    }

    /// `userIdentity.principalId`.
    pub fn principal_id(&self) -> Option<&str> {
        self.text(Slot::PrincipalId)
    }

    /// `userIdentity.arn`.
    pub fn user_identity_arn(&self) -> Option<&str> {
        self.text(Slot::IdentityArn)
    }

    /// `userIdentity.accountId`.
    pub fn user_identity_account_id(&self) -> Option<&str> {
        self.text(Slot::IdentityAccountId)
    }

    /// `userIdentity.accessKeyId`; the empty text that some records have counts as absent.
    pub fn access_key_id(&self) -> Option<&str> {
        self.text(Slot::AccessKeyId).filter(|key| !key.is_empty())
    }

    /// `userIdentity.invokedBy`.
    pub fn invoked_by(&self) -> Option<&str> {
        self.text(Slot::InvokedBy)
    }

    /// The name that `LookupEvents` shows as `Username`: the user's name; `root` for the root user; for a
    /// role or a federated user the name of the session; for a service its name.
    pub fn user_name(&self) -> Option<Cow<'_, str>> {
        let user_name = self.text(Slot::UserName).filter(|name| !name.is_empty());
        let name = match self.user_identity_type() {
            Some("Root") => Some("root"),
            Some("AssumedRole") => self.session_name().or(user_name),
            Some("FederatedUser") => user_name.or_else(|| self.session_name()),
            _ => user_name.or_else(|| self.invoked_by()),
        };
        name.map(Cow::Borrowed)
    }

    /// The session's name: in `ID:session` or `arn:…:assumed-role/role/session`.
    fn session_name(&self) -> Option<&str> {
        let of_principal = self.principal_id().and_then(|id| id.split_once(':')).map(|(_, session)| session);
        let of_arn =
            || self.user_identity_arn().and_then(|arn| arn.rsplit_once('/')).map(|(_, session)| session);
        of_principal
            .filter(|session| !session.is_empty())
            .or_else(of_arn)
            .filter(|session| !session.is_empty())
    }

    /// The resources that `LookupEvents` lists: those in the record's `resources`, and those that the
    /// request's parameters and the response's elements name. Each once, in the record's order. Walks the
    /// record's bytes anew at each call.
    pub fn resources(&self) -> Vec<ResourceName> {
        resources::names(self)
    }

    /// The record's `resources` as they stand there, for event selectors. Walks that part of the record's
    /// bytes anew at each call.
    pub fn raw_resources(&self) -> Vec<RawResource> {
        self.value(Slot::Resources).map(resources::listed).unwrap_or_default()
    }

    /// The text of the string, boolean or number at `path`, a member's name for each object on the way
    /// and an index for each array. `None` for null, an object, an array, or when there is no such value.
    /// Walks the record's bytes.
    pub fn value_at(&self, path: &[&str]) -> Option<Cow<'_, str>> {
        member::value_at(&self.0.raw, path)
    }

    /// The JSON text of the value at `path`, of any type, as it stands in the record.
    pub fn json_at(&self, path: &[&str]) -> Option<&str> {
        let span = member::span_at(&self.0.raw, path)?;
        std::str::from_utf8(self.0.raw.get(span)?).ok()
    }

    /// The JSON text of a member that [`parse`] took note of.
    pub(crate) fn value(&self, slot: Slot) -> Option<&[u8]> {
        self.0.parsed.bytes(slot, &self.0.raw)
    }

    fn text(&self, slot: Slot) -> Option<&str> {
        self.0.parsed.text(slot, &self.0.raw)
    }

    fn required(&self, slot: Slot) -> &str {
        self.text(slot).unwrap_or_default()
    }
}

impl TryFrom<Bytes> for Event {
    type Error = EventError;

    fn try_from(raw: Bytes) -> Result<Self, Self::Error> {
        Self::parse(raw)
    }
}

/// Two events are equal when their bytes are.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.0.raw == other.0.raw
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.raw_str()).finish()
    }
}
