//! Functions of URLs: the parts of RFC 3986, and percent-encoding.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use datafusion::common::Result;

use super::call::{Call, Function, failed, function, returns};
use super::column::TextBuilder;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("url_extract_protocol", (Text) -> returns::text => |call| extract(call, |url| url.protocol)),
    function!("url_extract_host", (Text) -> returns::text => |call| extract(call, |url| url.host)),
    function!("url_extract_path", (Text) -> returns::text => |call| extract(call, |url| Some(url.path))),
    function!("url_extract_query", (Text) -> returns::text => |call| extract(call, |url| url.query)),
    function!("url_extract_fragment", (Text) -> returns::text => |call| extract(call, |url| url.fragment)),
    function!("url_extract_port", (Text) -> returns::bigint => port),
    function!("url_extract_parameter", (Text, Text) -> returns::text => parameter),
    function!("url_encode", (Text) -> returns::text => |call| super::text::each(call, |text| Some(encode(text)))),
    function!("url_decode", (Text) -> returns::text => url_decode),
];

struct Url<'a> {
    protocol: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i64>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// The parts of a URL; nothing if it has characters that no URL has.
    fn parse(text: &'a str) -> Option<Self> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || "\"<>\\^`{|}".contains(c);
        if text.contains(refused) {
            return None;
        }
        let (text, fragment) = part(text, '#');
        let (text, query) = part(text, '?');
        let scheme = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (protocol, rest) = match text.split_once(':') {
            Some((name, rest)) if scheme(name) => (Some(name), rest),
            _ => (None, text),
        };
        let Some(after) = rest.strip_prefix("//") else {
            return Some(Self { protocol, host: None, port: None, path: rest, query, fragment });
        };
        let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
        let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (address, None),
        };
        let host = Some(host).filter(|host| !host.is_empty());
        Some(Self { protocol, host, port, path, query, fragment })
    }
}

fn part(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn extract(call: &Call, choose: impl Fn(Url<'_>) -> Option<&str>) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let found = texts.get(row).and_then(Url::parse).and_then(&choose);
        // What the parts have in percent-encoding is given as it is meant, as java.net.URI does.
        result.push(found.map(decoded).as_deref())?;
    }
    Ok(result.finish())
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

fn port(call: &Call) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let ports: Int64Array = (0..call.rows).map(|row| texts.get(row).and_then(Url::parse)?.port).collect();
    Ok(Arc::new(ports))
}

fn parameter(call: &Call) -> Result<ArrayRef> {
    let (texts, names) = (call.texts(0)?, call.texts(1)?);
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let found = texts.get(row).zip(names.get(row)).and_then(|(text, name)| {
            let query = Url::parse(text)?.query?;
            query.split('&').find_map(|pair| {
                let (key, value) = part(pair, '=');
                (decoded(key) == name).then(|| decoded(value.unwrap_or_default()).into_owned())
            })
        });
        result.push(found.as_deref())?;
    }
    Ok(result.finish())
}

/// `application/x-www-form-urlencoded`, as Java's URLEncoder writes it.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn url_decode(call: &Call) -> Result<ArrayRef> {
    let texts = call.texts(0)?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            result.push(None)?;
            continue;
        };
        let spaced = text.replace('+', " ");
        let bytes = percent_encoding::percent_decode_str(&spaced);
        let decoded = bytes.decode_utf8().map_err(|_| failed(format!("Cannot decode URL: {text}")))?;
        result.push(Some(&decoded))?;
    }
    Ok(result.finish())
}
