//! A configuration of S3's as the AWS CLI takes it: JSON in place of XML.

use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value};

/// Elements that may stand several times, and the names of their lists.
const LISTS: &[(&str, &str)] = &[
    ("Rule", "Rules"),
    ("Transition", "Transitions"),
    ("NoncurrentVersionTransition", "NoncurrentVersionTransitions"),
];
/// Elements that hold others, also where they are empty.
const OUTER: &[&str] = &["Filter", "And", "Expiration", "Destination"];
/// Elements that hold a number.
const NUMBERS: &[&str] = &[
    "Days",
    "NoncurrentDays",
    "NewerNoncurrentVersions",
    "DaysAfterInitiation",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
    "Priority",
    "Minutes",
];

/// An element that is being read.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    inner: Map<String, Value>,
}

impl Open {
    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    fn value(self) -> Value {
        if !self.inner.is_empty() || OUTER.contains(&self.name.as_str()) {
            return Value::Object(self.inner);
        }
        let text = self.text.trim();
        if NUMBERS.contains(&self.name.as_str())
            && let Ok(number) = text.parse::<u64>()
        {
            return number.into();
        }
        match (self.name.as_str(), text) {
            ("ExpiredObjectDeleteMarker", text) => (text == "true").into(),
            // Keys and prefixes may begin or end with a space.
            ("Prefix" | "Key" | "Value", _) => self.text.into(),
            (_, text) => text.into(),
        }
    }

    fn add(&mut self, element: Self) {
        let name = element.name.clone();
        let value = element.value();
        match list(&self.name, &name) {
            None => drop(self.inner.insert(name, value)),
            Some(list) => {
                let many = self.inner.entry(list).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(many) = many {
                    many.push(value);
                }
            }
        }
    }
}

/// The list that an element belongs to. A filter has one tag, or an `And` with any number.
fn list(outer: &str, name: &str) -> Option<&'static str> {
    match (outer, name) {
        ("And", "Tag") => Some("Tags"),
        _ => LISTS.iter().find(|(one, _)| *one == name).map(|(_, many)| *many),
    }
}

/// What the document says; nothing where it can't be read.
pub(super) fn json(text: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader::from_str(text);
    // The innermost is last; the first stands for the document.
    let mut open = vec![Open::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => open.push(Open::named(start.local_name().as_ref())),
            Event::Empty(start) => open.last_mut()?.add(Open::named(start.local_name().as_ref())),
            Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(reference) => {
                let escaped = format!("&{};", reference.decode().ok()?);
                open.last_mut()?.text.push_str(&quick_xml::escape::unescape(&escaped).ok()?);
            }
            Event::End(_) => {
                let element = open.pop()?;
                open.last_mut()?.add(element);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let root = open.pop()?.inner.into_iter().next()?.1;
    match root {
        Value::Object(inner) => Some(inner),
        _ => Some(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn a_configuration_is_written_as_the_aws_cli_takes_it() {
        let text = r#"<?xml version="1.0"?>
            <LifecycleConfiguration xmlns="x"><Rule><ID>a &amp; b</ID><Filter><Prefix></Prefix></Filter>
            <Status>Enabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>
            <Rule><ID>2</ID><Filter><And><Prefix>c/</Prefix><Tag><Key>k</Key><Value>1</Value></Tag></And></Filter>
            <Status>Disabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
            </Rule><Rule><ID>3</ID><Filter/></Rule></LifecycleConfiguration>"#;
        let expected = json!({"Rules": [
            {"ID": "a & b", "Filter": {"Prefix": ""}, "Status": "Enabled",
             "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
            {"ID": "2", "Filter": {"And": {"Prefix": "c/", "Tags": [{"Key": "k", "Value": "1"}]}},
             "Status": "Disabled", "Expiration": {"ExpiredObjectDeleteMarker": true}},
            {"ID": "3", "Filter": {}},
        ]});
        assert_eq!(super::json(text).map(Value::Object), Some(expected));
        assert_eq!(super::json("<a><b></a>"), None);
    }
}
