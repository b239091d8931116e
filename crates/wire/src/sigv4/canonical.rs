//! The canonical request: the bytes that both sides hash.
//!
//! Source: IAM User Guide, "Create a signed AWS API request"; Amazon S3 API reference, "Signature calculations".

use std::borrow::Cow;

use http::{HeaderMap, Uri, header::HOST};
use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};

use crate::RESERVED;

/// What AWS's `UriEncode` encodes in a path, where `/` separates.
const ENCODE_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// One or two spellings of the same path or query, the documented one first.
///
/// Signers agree on requests that are already in canonical form. For others some sign the bytes as sent and some the
/// re-encoded text; both bind the request as sent, so both are taken.
pub(super) type Spellings<'a> = Vec<Cow<'a, str>>;

/// The spellings of `path` (as sent) that may have been signed.
///
/// S3 signs the path with each segment encoded once; other services sign the encoded path normalised (RFC 3986,
/// section 5.2.4, and empty segments removed) and encoded a second time.
pub(super) fn path_spellings(path: &str, s3: bool) -> Spellings<'_> {
    let path = if path.is_empty() { "/" } else { path };
    let reencoded = reencode(path, ENCODE_PATH);
    let mut spellings = if s3 {
        vec![reencoded, Cow::Borrowed(path)]
    } else {
        let twice = |path: &str| utf8_percent_encode(&normalise(path), ENCODE_PATH).to_string();
        vec![Cow::Owned(twice(path)), Cow::Owned(twice(&reencoded))]
    };
    spellings.dedup();
    spellings
}

/// The spellings of `query` (as sent) that may have been signed, without `X-Amz-Signature`, sorted by name, then value.
pub(super) fn query_spellings(query: &str) -> Spellings<'_> {
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|_| !query.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != super::presigned::SIGNATURE)
        .collect();
    let mut documented: Vec<(Cow<'_, str>, Cow<'_, str>)> = pairs
        .iter()
        .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
        .map(|(name, value)| (reencode_parameter(name), reencode_parameter(value)))
        .collect();
    documented.sort_unstable();
    let mut as_sent = pairs;
    as_sent.sort_unstable();
    let mut spellings = vec![
        Cow::Owned(join(documented.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))),
        Cow::Owned(join(as_sent.into_iter())),
    ];
    spellings.dedup();
    spellings
}

fn join<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut joined = String::new();
    for (name, value) in pairs {
        if !joined.is_empty() {
            joined.push('&');
        }
        joined.push_str(name);
        joined.push('=');
        joined.push_str(value);
    }
    joined
}

/// Decodes and encodes again, so that every spelling of the same text becomes one.
fn reencode<'a>(text: &'a str, set: &'static AsciiSet) -> Cow<'a, str> {
    let decoded: Cow<'a, [u8]> = percent_decode_str(text).into();
    let encoded = percent_encoding::percent_encode(&decoded, set).to_string();
    if encoded == text { Cow::Borrowed(text) } else { Cow::Owned(encoded) }
}

/// As [`reencode`], with `+` read as a space, as in forms.
fn reencode_parameter(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        Cow::Owned(reencode(&text.replace('+', "%20"), RESERVED).into_owned())
    } else {
        reencode(text, RESERVED)
    }
}

/// Removes `.`, `..` and empty segments; keeps a trailing `/`.
fn normalise(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let tail = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{tail}", kept.join("/"))
}

/// `name:value\n` for each of `names` (sorted, lower case). Values are trimmed, runs of white space become one space,
/// repeated headers are joined by a comma. A header that is absent counts as empty, so that only a signer that meant
/// it so agrees.
pub(super) fn header_lines(headers: &HeaderMap, uri: &Uri, names: &[String]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(names.len() * 48);
    for name in names {
        lines.extend_from_slice(name.as_bytes());
        lines.push(b':');
        let mut values = headers.get_all(name.as_str()).iter().map(http::HeaderValue::as_bytes).peekable();
        if values.peek().is_none() && name == HOST.as_str() {
            // HTTP/2 carries the host as `:authority`.
            lines.extend_from_slice(uri.authority().map_or("", |authority| authority.as_str()).as_bytes());
        }
        for (at, value) in values.enumerate() {
            if at > 0 {
                lines.push(b',');
            }
            fold(value, &mut lines);
        }
        lines.push(b'\n');
    }
    lines
}

/// Appends `value` trimmed and with runs of white space folded into one space.
fn fold(value: &[u8], out: &mut Vec<u8>) {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// The canonical request.
pub(super) fn request(
    method: &str,
    path: &str,
    query: &str,
    header_lines: &[u8],
    signed_headers: &str,
    payload: &str,
) -> Vec<u8> {
    let size =
        method.len() + path.len() + query.len() + header_lines.len() + signed_headers.len() + payload.len();
    let mut request = Vec::with_capacity(size + 8);
    for part in
        [method.as_bytes(), path.as_bytes(), query.as_bytes(), header_lines, signed_headers.as_bytes()]
    {
        request.extend_from_slice(part);
        request.push(b'\n');
    }
    request.extend_from_slice(payload.as_bytes());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_paths_are_encoded_once_and_not_normalised() {
        assert_eq!(path_spellings("/a//b/../c%20d", true), ["/a//b/../c%20d"]);
        assert_eq!(path_spellings("/a+b", true), ["/a%2Bb", "/a+b"]);
        assert_eq!(path_spellings("/a%2fb", true), ["/a/b", "/a%2fb"]);
        assert_eq!(path_spellings("", true), ["/"]);
    }

    #[test]
    fn other_paths_are_normalised_and_encoded_twice() {
        assert_eq!(path_spellings("/a//b/./../c%20d/", false), ["/a/c%2520d/"]);
        assert_eq!(path_spellings("/../..", false), ["/"]);
        assert_eq!(path_spellings("//", false), ["/"]);
    }

    #[test]
    fn queries_are_sorted_by_encoded_name_then_value() {
        assert_eq!(query_spellings("b=2&a=2&a=1&acl"), ["a=1&a=2&acl=&b=2"]);
        assert_eq!(query_spellings("a=x+y"), ["a=x%20y", "a=x+y"]);
        assert_eq!(query_spellings("a=%7e"), ["a=~", "a=%7e"]);
        assert_eq!(query_spellings(""), [""]);
        assert_eq!(query_spellings("a=1&&b"), ["a=1&b=", "=&a=1&b="]);
        assert_eq!(query_spellings("X-Amz-Signature=00&a"), ["a="]);
    }

    #[test]
    fn headers_are_folded_and_joined() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "  one \t two  ".parse().unwrap());
        headers.append("x-a", "three".parse().unwrap());
        let uri: Uri = "http://example.com:8080/".parse().unwrap();
        let names = ["host".to_owned(), "x-a".to_owned(), "x-b".to_owned()];
        let lines = header_lines(&headers, &uri, &names);
        assert_eq!(lines, b"host:example.com:8080\nx-a:one two,three\nx-b:\n");
    }
}
