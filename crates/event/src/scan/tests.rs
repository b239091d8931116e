//! The scanner against `serde_json`.

use proptest::prelude::*;
use serde_json::Value;

use super::{JsonError, Kind, MAX_DEPTH, Scanner};

fn scan(text: &[u8]) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(text, 0);
    scanner.skip_value()?;
    scanner.finish()
}

/// The same walk through the callbacks in place of the iterative one.
fn walk(scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, _| walk(scanner)),
        Kind::Array => scanner.array(walk),
        _ => scanner.skip_value(),
    }
}

fn agrees_with_serde_json(text: &str) -> Result<(), TestCaseError> {
    let ours = scan(text.as_bytes());
    let theirs = serde_json::from_str::<Value>(text);
    prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}: {:?} but {:?}", text, ours, theirs);
    let mut scanner = Scanner::new(text.as_bytes(), 0);
    let walked = walk(&mut scanner).and_then(|()| scanner.finish());
    prop_assert_eq!(walked, ours, "{:?}", text);
    if let (Ok(()), Ok(Value::String(expected))) = (ours, theirs) {
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        scanner.skip_whitespace();
        let string = scanner.string().unwrap();
        prop_assert_eq!(string.decode(text.as_bytes()), expected);
    }
    Ok(())
}

#[test]
fn what_json_is_and_what_not() {
    for text in [
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0",
        "1.5e-3",
        "1e400",
        "1e-400",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "NaN",
        "true",
        "tru",
        "truee",
        "null",
        "nul",
        "\"\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "\"é\"",
        "\"",
        "\"\\",
        "\"\\u12",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "[}",
        "{]",
        "[1]]",
        "é",
        "\u{feff}{}",
        "",
        " ",
        "1 2",
        "{\"a\":1}x",
    ] {
        agrees_with_serde_json(text).unwrap();
    }
    agrees_with_serde_json(&"9".repeat(308)).unwrap();
    agrees_with_serde_json(&"9".repeat(309)).unwrap();
}

#[test]
fn nesting_is_bounded_and_takes_no_stack() {
    let nested = |depth: u32| "[".repeat(depth as usize) + &"]".repeat(depth as usize);
    assert_eq!(scan(nested(MAX_DEPTH).as_bytes()), Ok(()));
    assert_eq!(scan(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep { at: MAX_DEPTH as usize }));
    assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH)).is_ok());
    assert!(scan("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn the_offset_of_an_error_is_the_bytes() {
    assert_eq!(scan(br#"{"a":x}"#), Err(JsonError::Unexpected { at: 5 }));
    assert_eq!(scan(br#"{"a":"#), Err(JsonError::Ended { at: 5 }));
    assert_eq!(scan(b"[\"abcdefgh\x01\"]"), Err(JsonError::ControlCharacter { at: 10 }));
    assert_eq!(scan(br#"["ab\qcd"]"#), Err(JsonError::Escape { at: 4 }));
    assert_eq!(scan(b"[12, 03]"), Err(JsonError::Number { at: 5 }));
    assert_eq!(scan(b"[] []"), Err(JsonError::Trailing { at: 3 }));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_on_text_of_json_characters(text in r#"[\[\]{}",:0-9eE+.\-tfnulars\\/ \n\u{1}é😀]{0,24}"#) {
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn agrees_on_strings(inside in r#"(\\u[dD][89abCf][0-9a-f]{2}|\\u[0-9a-fA-F]{4}|\\["\\/bfnrtx]|[ -~é😀])*"#) {
        agrees_with_serde_json(&format!("\"{inside}\""))?;
    }

    #[test]
    fn agrees_on_values_and_on_broken_ones(
        value in value(), pretty: bool, at: prop::sample::Index, with: prop::sample::Index, cut: bool,
    ) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        prop_assert_eq!(scan(text.as_bytes()), Ok(()));
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        if cut {
            characters.truncate(at);
        } else {
            characters[at] = *with.get(&['"', '\\', '{', ']', ',', '0', ' ', '\u{2}', 'e']);
        }
        agrees_with_serde_json(&characters.into_iter().collect::<String>())?;
    }
}
