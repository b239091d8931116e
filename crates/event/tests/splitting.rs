//! How an upload is cut into records.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use opentrail_event::{JsonError, SplitError, SplitReason, split_records};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// The records as text, and of each error its index.
fn split(body: impl Into<Bytes>) -> Vec<Result<String, usize>> {
    let texts = split_records(body.into());
    texts
        .map(|record| record.map(|text| String::from_utf8(text.to_vec()).unwrap()).map_err(|e| e.index))
        .collect()
}

fn ok(texts: &[&str]) -> Vec<Result<String, usize>> {
    texts.iter().map(|text| Ok((*text).to_owned())).collect()
}

fn errors(body: &'static str) -> Vec<SplitError> {
    split_records(Bytes::from_static(body.as_bytes())).filter_map(Result::err).collect()
}

const A: &str = r#"{"eventID":"a","x":[{"Records":[1]}]}"#;
const B: &str = r#"{ "eventID" : "b\n}" }"#;

#[test]
fn all_forms_of_an_upload_are_understood() {
    for body in [
        format!(r#"{{"Records":[{A},{B}]}}"#),
        format!("\u{feff}{{ \"Records\" : [\r\n{A} ,\n{B}\n] }}\n"),
        format!(r#"{{"version":{{"Records":[]}},"Records":[{A},{B}],"more":[5]}}"#),
        format!(r#"{{"R\u0065cords":[{A},{B}]}}"#),
        format!("[{A},{B}]"),
        format!(" [ {A} , {B} ] "),
        format!("{A}\n{B}"),
        format!("\n\r\n{A}\r\n \r\n\t{B}\r\n\n"),
        format!("\u{feff}{A}\n{B}\n"),
        format!("{A}{B}"),
        format!(r#"{{"Records":[{A}]}}{{"Records":[{B}]}}"#),
        format!("{{\"Records\":[{A}]}}\n[{B}]\n"),
        format!(r#"{{"Records":[{A}],"Records":[{B}]}}"#),
    ] {
        assert_eq!(split(body.clone()), ok(&[A, B]), "{body}");
    }
}

#[test]
fn a_single_record_may_be_pretty_printed() {
    let value: Value = serde_json::from_str(A).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(split(pretty.clone()), ok(&[&pretty]));
    assert_eq!(split(format!("{pretty}\r\n{pretty}")), ok(&[&pretty, &pretty]));
    assert_eq!(split("{}"), ok(&["{}"]));
}

#[test]
fn an_upload_without_records_gives_nothing() {
    for body in ["", " \n\r\n", "\u{feff}", r#"{"Records":[]}"#, "[]", "[ ]\n[]"] {
        assert_eq!(split(body), [], "{body}");
    }
}

#[test]
fn records_that_are_no_array_are_left_to_the_parser() {
    for body in [r#"{"Records":null}"#, r#"{"Records":{"a":1}}"#] {
        assert_eq!(split(body), ok(&[body]));
    }
}

#[test]
fn a_bad_line_is_one_bad_record() {
    for bad in [
        "{",
        r#"{"a":"#,
        r#"{"a":1"#,
        r#"{"a":"x"#,
        "garbage",
        "{]",
        "}",
        "{\"a\":\"\u{1}\"}",
        "5",
        "null",
        "\"x\"",
        ",",
    ] {
        let body = format!("{A}\n{bad}\n{B}\n");
        assert_eq!(split(body.clone()), [Ok(A.to_owned()), Err(1), Ok(B.to_owned())], "{body}");
        let body = format!("{bad}\r\n{A}\n{bad}\n{bad}\n\n{B}");
        if bad != "{" {
            assert_eq!(
                split(body.clone()),
                [Err(0), Ok(A.to_owned()), Err(2), Err(3), Ok(B.to_owned())],
                "{body}"
            );
        }
        let body = format!("{A}\n{bad}");
        assert_eq!(split(body.clone()), [Ok(A.to_owned()), Err(1)], "{body}");
    }
}

#[test]
fn a_broken_pretty_printed_record_is_one_bad_record() {
    let body = format!("{{\n  \"a\": [\n    {{\n    x\n  ]\n}}\n{A}\n");
    assert_eq!(split(body), [Err(0), Ok(A.to_owned())]);
}

#[test]
fn an_element_that_is_no_object_is_one_bad_record() {
    let body = format!(r#"{{"Records":[5,{A},null,"x",[{{}}],{B},true]}}"#);
    assert_eq!(split(body), [Err(0), Ok(A.to_owned()), Err(2), Err(3), Err(4), Ok(B.to_owned()), Err(6)]);
    assert_eq!(errors("[5]"), [SplitError { index: 0, reason: SplitReason::NotAnObject }]);
}

#[test]
fn a_truncated_document_gives_what_is_whole_and_then_one_error() {
    let whole = format!(r#"{{"Records":[{A},{B}],"a":"b"}}"#);
    let (ends_a, ends_b) = (12 + A.len(), 12 + A.len() + 1 + B.len());
    for end in 1..whole.len() {
        let mut expected = ok(&[A, B]);
        expected.truncate(usize::from(end >= ends_a) + usize::from(end >= ends_b));
        expected.push(Err(expected.len()));
        let part = Bytes::copy_from_slice(&whole.as_bytes()[..end]);
        assert_eq!(split(part), expected, "{}", &whole[..end]);
    }
}

#[test]
fn an_array_broken_in_the_middle_ends_with_one_error() {
    for broken in [
        format!("[{A} {B}]"),
        format!("[{A},]"),
        format!("[{A}}}"),
        format!(r#"{{"Records":[{A},x,{B}]}}"#),
        format!(r#"{{"Records":[{A}]]"#),
        format!(r#"{{"Records":[{A}],}}"#),
    ] {
        assert_eq!(split(broken.clone()), [Ok(A.to_owned()), Err(1)], "{broken}");
    }
}

#[test]
fn an_error_says_where() {
    assert_eq!(
        errors("{}\n{\"a\":x}"),
        [SplitError { index: 1, reason: SplitReason::Json(JsonError::Unexpected { at: 8 }) }]
    );
}

#[test]
fn lines_made_to_be_read_again_and_again_are_given_up() {
    let filler = format!("\"k\":[{}0]x", "0,".repeat(200_000));
    let body = format!("{}{{{filler}\n", "{\"a\":\n".repeat(98));
    let found = split(body);
    assert!(found.iter().all(Result::is_err));
    assert!(found.len() < 20, "{}", found.len());
}

fn object() -> impl Strategy<Value = Value> {
    let text = r#"[ -~\n\r\té{}\[\]",\\]{0,12}"#;
    let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), text.prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 10, 3, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((text, inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::vec((text, value), 0..4).prop_map(|members| {
        let members: Map<String, Value> = members.into_iter().filter(|(key, _)| key != "Records").collect();
        Value::Object(members)
    })
}

proptest! {
    #[test]
    fn every_form_gives_the_same_texts(records in proptest::collection::vec(object(), 0..6), pretty: bool) {
        let text = |record: &Value| {
            if pretty { serde_json::to_string_pretty(record) } else { serde_json::to_string(record) }.unwrap()
        };
        let texts: Vec<String> = records.iter().map(text).collect();
        let expected: Vec<Result<String, usize>> = texts.iter().cloned().map(Ok).collect();
        for body in [
            format!("{{\"Records\":[{}]}}", texts.join(",")),
            format!("{{\"a\":1,\n\"Records\": [ {}\n],\"b\":[] }}", texts.join(" ,\r\n")),
            format!("[{}]", texts.join(",")),
            texts.join("\n"),
            texts.join("\r\n\r\n") + "\r\n",
            texts.concat(),
        ] {
            prop_assert_eq!(&split(body), &expected);
        }
    }

    #[test]
    fn a_bad_line_hides_no_good_one(
        lines in proptest::collection::vec(prop_oneof![
            object().prop_map(|value| (value.to_string(), true)),
            r#"[!-Z\]-z|}][ -~]{0,20}"#.prop_filter_map("JSON by chance", |line| {
                serde_json::Deserializer::from_str(&line).into_iter::<Value>().next()
                    .is_some_and(|first| first.is_err()).then_some((line, false))
            }),
        ], 0..8),
    ) {
        let body = lines.iter().map(|(line, _)| line.as_str()).collect::<Vec<_>>().join("\n");
        let found = split(body);
        let expected: Vec<Result<String, usize>> = lines.iter().enumerate()
            .map(|(index, (line, good))| if *good { Ok(line.clone()) } else { Err(index) }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_are_cut_without_a_panic_into_slices_of_them(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            r#"([\[\]{}",:5x\n \\]|"Records":|\{"a":1\}){0,60}"#.prop_map(String::into_bytes),
        ],
    ) {
        let body = Bytes::from(body);
        let range = body.as_ptr_range();
        let mut count = 0;
        for (index, record) in split_records(body.clone()).enumerate() {
            match record {
                Ok(text) => {
                    let slice = text.as_ptr_range();
                    prop_assert!(range.start <= slice.start && slice.end <= range.end);
                    prop_assert_eq!((text[0], text[text.len() - 1]), (b'{', b'}'));
                }
                Err(error) => prop_assert_eq!(error.index, index),
            }
            count += 1;
        }
        prop_assert!(count <= body.len());
    }
}
