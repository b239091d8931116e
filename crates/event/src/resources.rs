//! The resources that a record is about.

use crate::{
    Event, JsonError,
    json_string::Str,
    parse::Slot,
    resource_rules::{Rule, rules_of},
    scan::{Kind, Scanner},
};

/// The most resources that are derived from one record: no more than a page shows, and a bound on what a
/// hostile record can make us index.
pub(crate) const MAX_RESOURCES: usize = 100;

/// A resource as `LookupEvents` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceName {
    /// The type, such as `AWS::S3::Bucket`.
    pub kind: Option<String>,
    /// The name or the ARN.
    pub name: String,
}

/// An element of a record's `resources`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawResource {
    /// `type`, such as `AWS::S3::Object`.
    pub kind: Option<String>,
    /// `ARN`, or the `ARNPrefix` of a call about many objects.
    pub arn: Option<String>,
}

/// The elements of a `resources` array.
pub(crate) fn listed(array: &[u8]) -> Vec<RawResource> {
    let mut found = Vec::new();
    let mut scanner = Scanner::new(array, 0);
    // The bytes were checked when the record was parsed, so that there is no error here to lose.
    let _ = scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return scanner.skip_value();
        }
        let resource = one_listed(scanner)?;
        if resource.kind.is_some() || resource.arn.is_some() {
            found.push(resource);
        }
        Ok::<(), JsonError>(())
    });
    found
}

fn one_listed(scanner: &mut Scanner<'_>) -> Result<RawResource, JsonError> {
    let mut resource = RawResource { kind: None, arn: None };
    scanner.object(|scanner, key| {
        let of_string = scanner.kind()? == Kind::String;
        match key.bytes(scanner.text()).as_ref() {
            b"type" if of_string => resource.kind = Some(text(scanner)?),
            b"ARN" | b"ARNPrefix" if of_string => resource.arn = Some(text(scanner)?),
            _ => scanner.skip_value()?,
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(resource)
}

fn text(scanner: &mut Scanner<'_>) -> Result<String, JsonError> {
    let string = scanner.string()?;
    Ok(string.decode(scanner.text()).into_owned())
}

/// All resources of a record, each once.
pub(crate) fn names(event: &Event) -> Vec<ResourceName> {
    let mut names = Names { found: Vec::new() };
    for resource in event.raw_resources() {
        if let Some(arn) = resource.arn {
            names.add(resource.kind, arn);
        }
    }
    let rules = rules_of(event.source());
    if !rules.is_empty() {
        for slot in [Slot::RequestParameters, Slot::ResponseElements] {
            if let Some(value) = event.value(slot) {
                let mut walk = Walk { rules, event_name: event.name(), names: &mut names };
                // Checked when the record was parsed, as above.
                let _ = walk.value(&mut Scanner::new(value, 0), Place { parent: None, member: None });
            }
        }
    }
    names.found
}

struct Names {
    found: Vec<ResourceName>,
}

impl Names {
    fn add(&mut self, kind: Option<String>, name: String) {
        if name.is_empty() || self.found.len() >= MAX_RESOURCES {
            return;
        }
        let resource = ResourceName { kind, name };
        if !self.found.contains(&resource) {
            self.found.push(resource);
        }
    }
}

/// The names of the member that a value belongs to, and of the object around it. Arrays have no name:
/// their elements have the array's.
#[derive(Clone, Copy)]
struct Place {
    parent: Option<Str>,
    member: Option<Str>,
}

struct Walk<'a> {
    rules: &'static [Rule],
    event_name: &'a str,
    names: &'a mut Names,
}

impl Walk<'_> {
    /// Recursion is bounded by the depth that a record may have.
    fn value(&mut self, scanner: &mut Scanner<'_>, place: Place) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Object => scanner.object(|scanner, key| {
                self.value(scanner, Place { parent: place.member, member: Some(key) })
            }),
            Kind::Array => scanner.array(|scanner| self.value(scanner, place)),
            Kind::String => {
                let value = scanner.string()?;
                if let Some(kind) = self.kind_of(scanner.text(), place) {
                    self.names.add(Some(kind.to_owned()), value.decode(scanner.text()).into_owned());
                }
                Ok(())
            }
            Kind::Number | Kind::Bool | Kind::Null => scanner.skip_value(),
        }
    }

    fn kind_of(&self, text: &[u8], place: Place) -> Option<&'static str> {
        let member = place.member?.bytes(text);
        let parent = place.parent.map(|parent| parent.bytes(text));
        self.rules
            .iter()
            .find(|rule| rule.fits(self.event_name, parent.as_deref(), &member))
            .map(|rule| rule.kind)
    }
}
