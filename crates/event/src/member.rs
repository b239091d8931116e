//! Finding one value in a record's bytes by its path.

use std::{borrow::Cow, ops::Range};

use crate::{
    JsonError,
    scan::{Kind, Scanner},
};

/// Where the value at `path` is. The last of several members with one name counts.
pub(crate) fn span_at(raw: &[u8], path: &[&str]) -> Option<Range<usize>> {
    let mut span = 0..raw.len();
    for step in path {
        // The scanner keeps the offsets of the whole record and is stopped by the value's own end.
        let mut scanner = Scanner::new(raw.get(..span.end)?, span.start);
        span = match scanner.kind().ok()? {
            Kind::Object => member(&mut scanner, step).ok()?,
            Kind::Array => element(&mut scanner, step.parse().ok()?).ok()?,
            _ => None,
        }?;
    }
    Some(span)
}

fn member(scanner: &mut Scanner<'_>, name: &str) -> Result<Option<Range<usize>>, JsonError> {
    let mut found = None;
    scanner.object(|scanner, key| {
        let start = scanner.at();
        scanner.skip_value()?;
        if key.bytes(scanner.text()).as_ref() == name.as_bytes() {
            found = Some(start..scanner.at());
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

fn element(scanner: &mut Scanner<'_>, index: usize) -> Result<Option<Range<usize>>, JsonError> {
    let mut found = None;
    let mut at = 0;
    scanner.array(|scanner| {
        let start = scanner.at();
        scanner.skip_value()?;
        if at == index {
            found = Some(start..scanner.at());
        }
        at += 1;
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

/// The string, boolean or number at `path` as text.
pub(crate) fn value_at<'a>(raw: &'a [u8], path: &[&str]) -> Option<Cow<'a, str>> {
    let span = span_at(raw, path)?;
    let mut scanner = Scanner::new(raw, span.start);
    match scanner.kind().ok()? {
        Kind::String => Some(scanner.string().ok()?.decode(raw)),
        Kind::Bool | Kind::Number => Some(String::from_utf8_lossy(raw.get(span)?)),
        Kind::Object | Kind::Array | Kind::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{span_at, value_at};

    const RAW: &[u8] =
        br#"{"a":{"b":[1,{"c":"x\n\u00e9"}],"n":null,"t":true},"a2":-1.5e3,"d":1,"d":2,"":"empty"}"#;

    #[test]
    fn a_path_goes_through_objects_and_arrays() {
        for (path, value) in [
            (&["a", "b", "0"][..], Some("1")),
            (&["a", "b", "1", "c"], Some("x\né")),
            (&["a", "t"], Some("true")),
            (&["a2"], Some("-1.5e3")),
            (&["d"], Some("2")),
            (&[""], Some("empty")),
            (&["a", "n"], None),
            (&["a", "b"], None),
            (&["a", "b", "2"], None),
            (&["a", "b", "x"], None),
            (&["a2", "x"], None),
            (&[], None),
        ] {
            assert_eq!(value_at(RAW, path).as_deref(), value, "{path:?}");
        }
        assert_eq!(span_at(RAW, &["a", "n"]).map(|span| &RAW[span]), Some(&b"null"[..]));
    }
}
