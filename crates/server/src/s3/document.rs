//! The document in a call's body as its record shows it: XML and policies as JSON.

use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value};

/// Elements inside one another; S3's documents have far fewer.
const MAX_DEPTH: usize = 16;

/// The member of `requestParameters` that shows a document, and its name: `bucketPolicy` for a policy, the root
/// element's name for XML. `None` where it is neither.
pub(super) fn shown(text: &[u8]) -> Option<(String, Value)> {
    let text = std::str::from_utf8(text).ok()?;
    match serde_json::from_str::<Value>(text) {
        Ok(policy) => Some(("bucketPolicy".to_owned(), policy)),
        Err(_) => of_xml(text),
    }
}

/// An element that is being read: its name, its members so far, and its text so far.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

fn of_xml(text: &str) -> Option<(String, Value)> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if open.len() == MAX_DEPTH {
                    return None;
                }
                open.push(opened(&start)?);
            }
            Event::Empty(start) => {
                let element = opened(&start)?;
                if let Some(root) = close(element, &mut open) {
                    return Some(root);
                }
            }
            Event::Text(piece) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&piece.decode().ok()?);
                }
            }
            Event::GeneralRef(reference) => {
                let element = open.last_mut()?;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => element.text.push(character),
                    None => element
                        .text
                        .push_str(quick_xml::escape::resolve_xml_entity(&reference.decode().ok()?)?),
                }
            }
            Event::CData(piece) => open.last_mut()?.text.push_str(&piece.decode().ok()?),
            Event::End(_) => {
                let element = open.pop()?;
                if let Some(root) = close(element, &mut open) {
                    return Some(root);
                }
            }
            Event::Eof => return None,
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
}

fn opened(start: &quick_xml::events::BytesStart<'_>) -> Option<Open> {
    let name = std::str::from_utf8(start.local_name().as_ref()).ok()?.to_owned();
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let name = std::str::from_utf8(attribute.key.as_ref()).ok()?.to_owned();
        members.insert(name, Value::String(attribute.unescape_value().ok()?.into_owned()));
    }
    Some(Open { name, members, text: String::new() })
}

/// Puts a read element into its parent; the root is handed back.
fn close(element: Open, open: &mut [Open]) -> Option<(String, Value)> {
    let Open { name, members, text } = element;
    let value =
        if members.is_empty() { Value::String(text.trim().to_owned()) } else { Value::Object(members) };
    let Some(parent) = open.last_mut() else { return Some((name, value)) };
    match parent.members.get_mut(&name) {
        None => drop(parent.members.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::shown;

    #[test]
    fn xml_and_policies_become_json() {
        let xml = br#"<?xml version="1.0"?><Tagging xmlns="http://s3/"><TagSet><Tag><Key>a&amp;b</Key><Value/></Tag><Tag><Key>c</Key><Value>d</Value></Tag></TagSet></Tagging>"#;
        let (name, value) = shown(xml).expect("shown");
        assert_eq!(name, "Tagging");
        assert_eq!(
            value,
            json!({"xmlns": "http://s3/", "TagSet": {"Tag": [{"Key": "a&b", "Value": ""}, {"Key": "c", "Value": "d"}]}})
        );
        assert_eq!(shown(br#"{"Version":"1"}"#), Some(("bucketPolicy".to_owned(), json!({"Version": "1"}))));
        assert_eq!(shown(b"<a><b></a>"), None);
        assert_eq!(shown(b"plain"), None);
    }
}
