//! Rows of one batch that have different forms.

use arrow_array::{ArrayRef, BooleanArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::{filter::filter_record_batch, take::take_record_batch};

use super::*;

/// The batch as files have it, in the order of the records.
fn formed(records: &[String]) -> RecordBatch {
    let whole = batch(records);
    let slim = without_records(&whole).unwrap();
    Keep::Forms.rows(Shape::Event, &slim, |row| records.get(row).map(String::as_str)).unwrap()
}

fn records_of(batch: &RecordBatch) -> Vec<String> {
    let found = super::records(Shape::Event, batch).unwrap();
    match found.data_type() {
        DataType::Utf8View => found.as_string_view().iter().flatten().map(str::to_owned).collect(),
        _ => texts(&found).into_iter().flatten().collect(),
    }
}

/// As queries have it: the texts, but for those within others, are views.
fn with_views(batch: &RecordBatch) -> RecordBatch {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(|column| match column.as_string_opt::<i32>() {
            Some(texts) => std::sync::Arc::new(arrow_array::StringViewArray::from(texts)) as ArrayRef,
            None => column.clone(),
        })
        .collect();
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields: Vec<_> =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true)).collect();
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Records of three forms in turns, one of them with a map, a list and a struct whose sizes differ.
fn alternating(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| match n % 3 {
            0 => record(&format!(r#","errorCode":"code \"{n}\"","readOnly":true"#)),
            1 => record(&format!(r#","readOnly":false,"unknown":[{n}],"userAgent":"agent {n}""#)),
            _ => {
                let entries: Vec<_> = (0..n % 5).map(|key| format!(r#""key{key}":"{n}\n""#)).collect();
                let items: Vec<_> = (0..n % 4).map(|item| format!(r#"{{"ARN":"arn {n}-{item}"}}"#)).collect();
                record(&format!(
                    r#","userIdentity":{{"type":"Root","sessionContext":{{"attributes":{{"creationDate":"2026-03-01T10:00:{:02}Z"}}}}}},"requestParameters":{{{}}},"resources":[{}]"#,
                    n % 60,
                    entries.join(","),
                    items.join(",")
                ))
            }
        })
        .collect()
}

#[test]
fn forms_may_alternate_from_row_to_row() {
    let all = alternating(200);
    let rows = formed(&all);
    assert_eq!(rows.column_by_name(FORM).unwrap().null_count(), 0);
    assert!(records_of(&rows) == all);
    assert!(records_of(&with_views(&rows)) == all);
    let whole = Keep::Whole.rows(Shape::Event, &rows, |_| None).unwrap();
    assert!(texts(whole.column_by_name(RECORD).unwrap()).into_iter().flatten().eq(all));
}

#[test]
fn any_part_of_a_batch_has_its_own_records() {
    let all = alternating(200);
    let plain = formed(&all);
    for rows in [with_views(&plain), plain] {
        for (from, length) in [(0, 1), (1, 7), (63, 66), (199, 1), (200, 0)] {
            assert!(records_of(&rows.slice(from, length)) == all[from..from + length], "{from}, {length}");
        }
        let chosen: BooleanArray = (0..all.len()).map(|n| Some(n % 7 == 2)).collect();
        let expected: Vec<_> = all.iter().skip(2).step_by(7).cloned().collect();
        let filtered = filter_record_batch(&rows, &chosen).unwrap();
        assert!(records_of(&filtered) == expected);
        assert!(records_of(&filtered.slice(3, 9)) == expected[3..12]);
        let backwards = (0..all.len() as u32).rev().collect::<arrow_array::UInt32Array>();
        let turned = take_record_batch(&rows, &backwards).unwrap();
        assert!(records_of(&turned).iter().eq(all.iter().rev()));
    }
}

#[test]
fn more_forms_than_are_remembered_come_back() {
    let all: Vec<String> =
        (0..3_000).map(|n| record(&format!(r#","member{n}":{n},"{}":null"#, "x".repeat(n)))).collect();
    let twice: Vec<String> = all.iter().chain(&all).cloned().collect();
    let rows = formed(&twice);
    assert_eq!(rows.column_by_name(FORM).unwrap().null_count(), 0);
    assert!(records_of(&rows) == twice);
    let members = source::Members::of_rows(Shape::Event, &rows);
    let mut programs = programs::Programs::new(&members);
    for form in texts(rows.column_by_name(FORM).unwrap()).iter().flatten() {
        assert_eq!(&*programs.of(form).unwrap().form, *form);
        assert!(programs.bytes() < 2 << 20);
    }
}

#[test]
fn a_form_fits_one_row_and_not_the_next() {
    let all = [
        record(r#","userIdentity":{"arn":"a"},"requestParameters":{"a":"1"},"resources":[{"ARN":"x"}]"#),
        record(r#","requestParameters":{"a":"1","b":"2"},"resources":[{"ARN":"x"},{"ARN":"y"}]"#),
        record(r#","userIdentity":null"#),
    ];
    let rows = formed(&all);
    let members = source::Members::of_rows(Shape::Event, &rows);
    // Their places, in this test's own words: the identity, the parameters and the resources.
    for form in ["${%s}}", "-{s}}", "3[{%s}]}", "3{%s}}", "$-${%s}}"] {
        let fits: Vec<bool> = (0..all.len()).map(|row| restored(form, None, &members, row).is_ok()).collect();
        assert!(!fits[1] && !fits[2], "{form}: {fits:?}");
    }
    let forms: Vec<_> = texts(rows.column_by_name(FORM).unwrap()).into_iter().flatten().collect();
    for (of, form) in forms.iter().enumerate() {
        for (row, expected) in all.iter().enumerate() {
            let made = restored(form, None, &members, row);
            assert_eq!(made.as_ref() == Ok(expected), of == row, "{form} in row {row}: {made:?}");
        }
    }
}

#[test]
fn what_a_column_has_is_not_left_to_the_rest_for_a_form_before() {
    let escaped =
        |n: usize| record(&format!(r#","errorMessage":"\u0061 long message with odd escapes {n}""#));
    let plain = |n: usize| record(&format!(r#","errorMessage":"a long message with no escapes at all {n}""#));
    let all: Vec<String> = (0..20).map(|n| if n % 10 == 0 { escaped(n) } else { plain(n) }).collect();
    let rows = formed(&all);
    assert_eq!(rows.column_by_name(REST).unwrap().null_count(), 18);
    assert!(records_of(&rows) == all);
}
