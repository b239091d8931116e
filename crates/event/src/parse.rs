//! The one pass over a record's bytes.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    Category, Event, EventError, EventId,
    json_string::Str,
    name::is_region,
    scan::{Kind, Scanner},
};

/// The longest `eventID`, in characters.
const MAX_ID: usize = 128;
/// The longest `eventName` and `eventSource`, in bytes. AWS's own stay below 100; a limit because both
/// become keys of indexes.
const MAX_NAME: usize = 512;

/// The members that an event remembers the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Id,
    Time,
    Name,
    Source,
    Region,
    Version,
    Type,
    ErrorCode,
    ErrorMessage,
    SourceIpAddress,
    UserAgent,
    RecipientAccountId,
    SharedEventId,
    VpcEndpointId,
    SessionCredentialFromConsole,
    IdentityType,
    PrincipalId,
    IdentityArn,
    IdentityAccountId,
    AccessKeyId,
    UserName,
    InvokedBy,
    Resources,
    RequestParameters,
    ResponseElements,
}

const SLOTS: usize = Slot::ResponseElements as usize + 1;

/// The slots that are filled from `userIdentity`.
const OF_IDENTITY: [Slot; 7] = [
    Slot::IdentityType,
    Slot::PrincipalId,
    Slot::IdentityArn,
    Slot::IdentityAccountId,
    Slot::AccessKeyId,
    Slot::UserName,
    Slot::InvokedBy,
];

/// Where a text is: in the raw bytes, or, when it had escapes, in the decoded ones.
#[derive(Clone, Copy)]
struct Place {
    /// The highest bit says that the place is in the decoded text.
    start: u32,
    len: u32,
}

impl Place {
    const NONE: Self = Self { start: u32::MAX, len: u32::MAX };
    const DECODED: u32 = 1 << 31;

    fn is_none(self) -> bool {
        self.len == u32::MAX
    }
}

/// What is known of a record after the one pass.
pub(crate) struct Parsed {
    pub(crate) key: EventId,
    pub(crate) time: DateTime<Utc>,
    pub(crate) category: Category,
    pub(crate) management_event: Option<bool>,
    pub(crate) read_only: Option<bool>,
    places: [Place; SLOTS],
    decoded: Box<str>,
}

impl Parsed {
    pub(crate) fn bytes<'a>(&'a self, slot: Slot, raw: &'a [u8]) -> Option<&'a [u8]> {
        place_bytes(self.places[slot as usize], raw, &self.decoded)
    }

    pub(crate) fn text<'a>(&'a self, slot: Slot, raw: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(slot, raw)?).ok()
    }
}

fn place_bytes<'a>(place: Place, raw: &'a [u8], decoded: &'a str) -> Option<&'a [u8]> {
    if place.is_none() {
        return None;
    }
    let (bytes, start) = if place.start & Place::DECODED == 0 {
        (raw, place.start)
    } else {
        (decoded.as_bytes(), place.start & !Place::DECODED)
    };
    bytes.get(start as usize..start as usize + place.len as usize)
}

/// Reads a record; also says where in `raw` the object is.
pub(crate) fn parse(raw: &[u8]) -> Result<(Range<usize>, Parsed), EventError> {
    if raw.len() > Event::MAX_BYTES {
        return Err(EventError::TooLarge { bytes: raw.len() });
    }
    if let Err(error) = std::str::from_utf8(raw) {
        return Err(EventError::NotUtf8 { at: error.valid_up_to() });
    }
    let mut scanner = Scanner::new(raw, 0);
    if scanner.kind()? != Kind::Object {
        scanner.skip_value()?;
        scanner.finish()?;
        return Err(EventError::NotAnObject);
    }
    let start = scanner.at();
    let mut found = Found::new(raw, start);
    scanner.object(|scanner, key| found.member(scanner, key))?;
    let end = scanner.at();
    scanner.finish()?;
    Ok((start..end, found.finish()?))
}

/// What the pass has found so far. Places are relative to the object's start, for the bytes that are kept
/// begin there.
struct Found<'a> {
    raw: &'a [u8],
    origin: usize,
    places: [Place; SLOTS],
    decoded: String,
    category: Option<Category>,
    management_event: Option<bool>,
    read_only: Option<bool>,
    /// The slots whose member is there with a value of another type, as bits.
    mistyped: u32,
}

impl<'a> Found<'a> {
    fn new(raw: &'a [u8], origin: usize) -> Self {
        Self {
            raw,
            origin,
            places: [Place::NONE; SLOTS],
            decoded: String::new(),
            category: None,
            management_event: None,
            read_only: None,
            mistyped: 0,
        }
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Str) -> Result<(), EventError> {
        let slot = match key.bytes(self.raw).as_ref() {
            b"eventID" => Slot::Id,
            b"eventTime" => Slot::Time,
            b"eventName" => Slot::Name,
            b"eventSource" => Slot::Source,
            b"awsRegion" => Slot::Region,
            b"eventVersion" => Slot::Version,
            b"eventType" => Slot::Type,
            b"errorCode" => Slot::ErrorCode,
            b"errorMessage" => Slot::ErrorMessage,
            b"sourceIPAddress" => Slot::SourceIpAddress,
            b"userAgent" => Slot::UserAgent,
            b"recipientAccountId" => Slot::RecipientAccountId,
            b"sharedEventID" => Slot::SharedEventId,
            b"vpcEndpointId" => Slot::VpcEndpointId,
            b"sessionCredentialFromConsole" => Slot::SessionCredentialFromConsole,
            b"userIdentity" => return self.identity(scanner),
            b"resources" => return self.value(scanner, Slot::Resources, Kind::Array),
            b"requestParameters" => return self.value(scanner, Slot::RequestParameters, Kind::Object),
            b"responseElements" => return self.value(scanner, Slot::ResponseElements, Kind::Object),
            _ => return self.other(scanner, key),
        };
        self.string(scanner, slot)
    }

    /// The members that need no place: they are read into what they mean.
    fn other(&mut self, scanner: &mut Scanner<'_>, key: Str) -> Result<(), EventError> {
        match key.bytes(self.raw).as_ref() {
            b"eventCategory" => {
                self.category = None;
                if scanner.kind()? == Kind::String {
                    let name = scanner.string()?;
                    self.category = Some(Category::of(&name.decode(self.raw)));
                    return Ok(());
                }
            }
            b"managementEvent" => {
                self.management_event = self.boolean(scanner)?;
                return Ok(());
            }
            b"readOnly" => {
                self.read_only = self.boolean(scanner)?;
                return Ok(());
            }
            _ => {}
        }
        Ok(scanner.skip_value()?)
    }

    /// A boolean, or one of the texts `true` and `false` that some services write in its place.
    fn boolean(&mut self, scanner: &mut Scanner<'_>) -> Result<Option<bool>, EventError> {
        match scanner.kind()? {
            Kind::Bool => Ok(Some(scanner.boolean()?)),
            Kind::String => Ok(match scanner.string()?.bytes(self.raw).as_ref() {
                b"true" => Some(true),
                b"false" => Some(false),
                _ => None,
            }),
            _ => {
                scanner.skip_value()?;
                Ok(None)
            }
        }
    }

    fn identity(&mut self, scanner: &mut Scanner<'_>) -> Result<(), EventError> {
        for slot in OF_IDENTITY {
            self.places[slot as usize] = Place::NONE;
        }
        match scanner.kind()? {
            Kind::Object => scanner.object(|scanner, key| {
                let slot = match key.bytes(self.raw).as_ref() {
                    b"type" => Slot::IdentityType,
                    b"principalId" => Slot::PrincipalId,
                    b"arn" => Slot::IdentityArn,
                    b"accountId" => Slot::IdentityAccountId,
                    b"accessKeyId" => Slot::AccessKeyId,
                    b"userName" => Slot::UserName,
                    b"invokedBy" => Slot::InvokedBy,
                    _ => return Ok(scanner.skip_value()?),
                };
                self.string(scanner, slot)
            }),
            Kind::Null => Ok(scanner.skip_value()?),
            _ => Err(EventError::Invalid { member: "userIdentity", expected: "an object" }),
        }
    }

    fn string(&mut self, scanner: &mut Scanner<'_>, slot: Slot) -> Result<(), EventError> {
        self.places[slot as usize] = Place::NONE;
        if scanner.kind()? != Kind::String {
            self.mistyped |= 1 << slot as u32;
            return Ok(scanner.skip_value()?);
        }
        let text = scanner.string()?;
        self.places[slot as usize] = if text.escaped {
            let start = self.decoded.len();
            self.decoded.push_str(&text.decode(self.raw));
            place(start, self.decoded.len(), Place::DECODED)
        } else {
            place(text.start - self.origin, text.end - self.origin, 0)
        };
        Ok(())
    }

    fn value(&mut self, scanner: &mut Scanner<'_>, slot: Slot, kind: Kind) -> Result<(), EventError> {
        let as_expected = scanner.kind()? == kind;
        let start = scanner.at();
        scanner.skip_value()?;
        self.places[slot as usize] =
            if as_expected { place(start - self.origin, scanner.at() - self.origin, 0) } else { Place::NONE };
        Ok(())
    }

    fn finish(self) -> Result<Parsed, EventError> {
        let id = self.required(Slot::Id, "eventID")?;
        if id.is_empty() || id.chars().count() > MAX_ID || id.chars().any(char::is_control) {
            return Err(EventError::Invalid { member: "eventID", expected: "a text of 1 to 128 characters" });
        }
        for (slot, member) in [(Slot::Name, "eventName"), (Slot::Source, "eventSource")] {
            let name = self.required(slot, member)?;
            if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
                return Err(EventError::Invalid { member, expected: "a name of 1 to 512 bytes" });
            }
        }
        if !is_region(self.required(Slot::Region, "awsRegion")?) {
            return Err(EventError::Invalid {
                member: "awsRegion",
                expected: "a region name such as us-east-1",
            });
        }
        let time = time(self.required(Slot::Time, "eventTime")?).ok_or(EventError::Invalid {
            member: "eventTime",
            expected: "a time such as 2026-01-31T23:59:59Z (RFC 3339)",
        })?;
        Ok(Parsed {
            key: EventId::of(id),
            time,
            category: self.category.unwrap_or_else(|| Category::of_record(None, self.management_event)),
            management_event: self.management_event,
            read_only: self.read_only,
            places: self.places,
            decoded: self.decoded.into_boxed_str(),
        })
    }

    fn required(&self, slot: Slot, member: &'static str) -> Result<&str, EventError> {
        let object = self.raw.get(self.origin..).unwrap_or_default();
        place_bytes(self.places[slot as usize], object, &self.decoded)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or(if self.mistyped & (1 << slot as u32) == 0 {
                EventError::Missing { member }
            } else {
                EventError::Invalid { member, expected: "a string" }
            })
    }
}

/// Offsets are below [`Event::MAX_BYTES`], which leaves the highest bit of 32 free.
fn place(start: usize, end: usize, mark: u32) -> Place {
    const { assert!(Event::MAX_BYTES < Place::DECODED as usize, "an offset must leave the mark's bit free") };
    Place { start: start as u32 | mark, len: (end - start) as u32 }
}

/// A time in RFC 3339; the form that CloudTrail writes, `2021-07-29T23:53:37Z`, without a general parser.
fn time(text: &str) -> Option<DateTime<Utc>> {
    utc_seconds(text.as_bytes())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc)))
}

fn utc_seconds(text: &[u8]) -> Option<DateTime<Utc>> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let punctuated = text[4] == b'-'
        && text[7] == b'-'
        && text[10] == b'T'
        && text[13] == b':'
        && text[16] == b':'
        && text[19] == b'Z';
    let number = |range: Range<usize>| {
        text.get(range)?
            .iter()
            .try_fold(0u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    if !punctuated {
        return None;
    }
    let year = i32::try_from(number(0..4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)?
        .and_hms_opt(number(11..13)?, number(14..16)?, number(17..19)?)
        .map(|time| time.and_utc())
}
