use std::{collections::HashMap, fs, io::Read, path::Path};

use arrow_array::{Array, RecordBatch, cast::AsArray};
use opentrail_event::Event;
use proptest::prelude::*;

use super::*;
use crate::{
    Columns, Extra,
    encode::encode,
    encode_keeping,
    schema::{FORM, RECORD, REST, Shape},
};

mod many_forms;
mod pieces;

fn batch(records: &[String]) -> RecordBatch {
    let mut columns = Columns::new(Shape::Event);
    for record in records {
        columns.push_record(record, Extra::default()).unwrap();
    }
    columns.finish().unwrap()
}

fn read(file: &crate::EncodedFile) -> Vec<RecordBatch> {
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn texts(array: &arrow_array::ArrayRef) -> Vec<Option<String>> {
    array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// What comes back of records that were written into a file, and how many of them were written whole.
fn written(records: &[String]) -> (Vec<String>, usize) {
    let files = encode(Shape::Event, &[batch(records)]).unwrap();
    let (mut found, mut whole) = (Vec::new(), 0);
    for batch in files.iter().flat_map(read) {
        found.extend(texts(&super::records(Shape::Event, &batch).unwrap()).into_iter().flatten());
        whole += batch.num_rows() - batch.column_by_name(RECORD).unwrap().null_count();
    }
    (found, whole)
}

fn record(members: &str) -> String {
    format!(r#"{{"eventID":"id-1","eventTime":"2026-03-01T10:00:00Z"{members}}}"#)
}

/// The form and the rest that a record has in a file; none if it is there whole.
fn stored(record: &str) -> Option<(String, Option<String>)> {
    let files = encode(Shape::Event, &[batch(&[record.to_owned()])]).unwrap();
    let batch = read(&files[0]).remove(0);
    let back = texts(&super::records(Shape::Event, &batch).unwrap());
    assert_eq!(back, [Some(record.to_owned())]);
    let text = |name: &str| texts(batch.column_by_name(name).unwrap()).remove(0);
    text(FORM).map(|form| (form, text(REST)))
}

#[test]
fn a_form_says_how_each_member_was_written() {
    let (form, rest) = stored(&record(concat!(
        r#","userIdentity":{"type":"Root","accountId":5,"more":[1]},"readOnly":true,"managementEvent":"false""#,
        r#","requestParameters":{"a":"x","b":{"c":[1,2]},"d":null,"e":"\u0061"},"resources":[{"ARN":"a"},7,null]"#,
        r#","errorMessage":null,"nobody":"knows","responseElements":null"#
    )))
    .unwrap();
    // The documented characters, in this test's own words: a form that was written must be read for ever.
    assert_eq!(form, "1s%s${#s&r|4:more}2r6s-{srn-}3[{%s}-n],n|6:nobody.n}");
    assert_eq!(rest.as_deref(), Some(r#"[1],"\u0061",7,"knows""#));
}

#[test]
fn what_is_odd_is_kept_whole_and_what_is_not_is_not() {
    for (members, has_form) in [
        ("", true),
        (r#","errorCode":"a\"b\\c\nd\u0001\u001f""#, true),
        (r#","errorCode":"a\/b","userAgent":"\u00e9","sourceIPAddress":"\uD83D\uDE00é""#, true),
        (r#","errorCode":"one","errorCode":"two""#, true),
        (r#","userIdentity":{"arn":"one"},"userIdentity":5"#, true),
        (r#","userIdentity":{"arn": "one"}"#, true),
        (r#","requestParameters":{"a":"1","b":"2","a":"3"}"#, true),
        (r#","requestParameters":{ "a":"1"},"responseElements":{"a" :1}"#, true),
        (
            r#","insightContext":{"baselineAverage":0.5,"insightAverage":1e3,"baselineDuration":12,"insightDuration":"7"}"#,
            true,
        ),
        (r#","resources":{"ARN":"one"},"tlsDetails":{}"#, true),
        (r#","resources":[],"requestParameters":{}"#, true),
        (r#","eventJson":"x","opentrail_form":"y","opentrail_rest":null"#, true),
        (r#","err\u006frCode":"x""#, true),
        (r#", "errorCode":"x""#, false),
        (r#","errorCode" :"x""#, false),
    ] {
        let record = record(members);
        assert_eq!(stored(&record).is_some(), has_form, "{record}");
    }
    for time in
        ["2026-03-01T10:00:00", "2026-03-01T10:00:00.5Z", "2026-03-01T11:00:00+01:00", "0001-01-01T00:00:00Z"]
    {
        let record = format!(r#"{{"eventTime":"{time}","eventID":"id"}}"#);
        assert!(stored(&record).is_some(), "{record}");
    }
    assert!(stored(" {\"eventID\":\"a\",\"eventTime\":\"2026-03-01T10:00:00Z\"}").is_none());
    assert!(stored("{\"eventID\":\"a\",\"eventTime\":\"2026-03-01T10:00:00Z\"}\n").is_none());
}

#[test]
fn files_of_files_and_whole_ones_have_the_same_records() {
    let all: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"eventID":"id-{n:02}","eventTime":"2026-03-01T10:00:{n:02}Z","x":{n}}}"#))
        .collect();
    let rows = |keep, batches: &[RecordBatch]| -> Vec<RecordBatch> {
        encode_keeping(Shape::Event, batches, keep).unwrap().iter().flat_map(read).collect()
    };
    let forms = rows(Keep::Forms, &[batch(&all)]);
    let whole = rows(Keep::Whole, &forms);
    let nulls = |batches: &[RecordBatch], name: &str| -> usize {
        batches.iter().map(|batch| batch.column_by_name(name).unwrap().null_count()).sum()
    };
    assert_eq!((nulls(&forms, RECORD), nulls(&forms, FORM)), (50, 0));
    assert_eq!((nulls(&whole, RECORD), nulls(&whole, FORM)), (0, 50));
    let mixed: Vec<RecordBatch> = forms.iter().chain(&whole).cloned().collect();
    for (batches, times) in
        [(rows(Keep::Forms, &mixed), 2), (rows(Keep::Whole, &mixed), 2), (rows(Keep::Forms, &whole), 1)]
    {
        let mut found: Vec<_> = batches
            .iter()
            .flat_map(|batch| texts(&super::records(Shape::Event, batch).unwrap()))
            .collect::<Option<_>>()
            .unwrap();
        found.sort_unstable();
        let mut expected: Vec<String> = all.iter().flat_map(|record| vec![record.clone(); times]).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

fn restored(
    form: &str,
    rest: Option<&str>,
    rows: &source::Members<'_>,
    row: usize,
) -> Result<String, Misfit> {
    let program = compile::compile(form, rows)?;
    restore::Restorer::default().record(&program, rest, row).map(str::to_owned)
}

#[test]
fn a_form_that_does_not_fit_is_an_error() {
    let batch = batch(&[record(r#","errorCode":"x""#)]);
    let rows = source::Members::of_rows(Shape::Event, &batch);
    for form in [
        "", "}", "x", "#", "#s", "#s}", "1s%s+q}", "1s%s-}", "1s}}", "|99:a}", "|x}", "~1s}", "$s}", "$[}",
        "3{}", "\u{7f}s}",
    ] {
        let restored = restored(form, None, &rows, 0);
        assert!(restored.is_err() || form == "}", "{form}: {}", restored.unwrap_or_default());
    }
    assert!(restored("}", Some("1"), &rows, 0).is_err());
}

fn gather(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let mut text = Vec::new();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => drop(flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut text).unwrap()),
            Some("json") => text = bytes,
            _ => continue,
        }
        for record in opentrail_event::split_records(text.into()).map_while(Result::ok) {
            found.push(Event::parse(record).unwrap().raw_str().to_owned());
        }
    }
}

#[test]
fn real_records_have_forms_and_come_back_byte_for_byte() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        eprintln!("no real records here");
        return;
    }
    let mut all = Vec::new();
    gather(&data.join("trail"), &mut all);
    let delivered = all.len();
    gather(&data.join("attacks"), &mut all);
    assert!(delivered > 1_000 && all.len() > delivered);
    let (mut found, _) = written(&all);
    let mut expected = all.clone();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len());
    // Not `assert_eq`, which would print all of them.
    assert!(found == expected, "a record came back as another");
    let files = encode(Shape::Event, &[batch(&all[..delivered])]).unwrap();
    let forms = files.iter().flat_map(read).flat_map(|rows| texts(rows.column_by_name(FORM).unwrap()));
    let mut distinct = HashMap::<Option<String>, usize>::new();
    forms.for_each(|form| *distinct.entry(form).or_default() += 1);
    let odd = distinct.remove(&None).unwrap_or_default();
    eprintln!("{odd} of {delivered} records are whole, the others have {} forms", distinct.len());
    assert!(distinct.len() * 50 < delivered, "{} forms", distinct.len());
    assert!(odd * 100 < delivered, "{odd} of {delivered} records are whole");
}

/// Any JSON value, as text, with or without odd spacing.
fn json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        r#"[ -~é]{0,12}"#.prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u0041\/\b""#.to_owned()),
        Just(r#""2026-03-01T10:00:00Z""#.to_owned()),
    ];
    let leaf = prop_oneof![
        text,
        any::<i32>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| number.to_string()),
        Just("1.50e2".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let space = prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n")];
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), space.clone())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(","))),
            (proptest::collection::vec((name(), inner), 0..6), space).prop_map(|(members, space)| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{name}:{space}{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A quoted name, most often one that the schema has.
fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "userIdentity",
        "sessionContext",
        "attributes",
        "creationDate",
        "mfaAuthenticated",
        "sessionIssuer",
        "arn",
        "resources",
        "ARN",
        "accountId",
        "type",
        "requestParameters",
        "responseElements",
        "readOnly",
        "errorCode",
        "eventTime",
        "eventID",
        "insightContext",
        "baselineAverage",
        "baselineDuration",
        "attributions",
        "insight",
        "value",
        "average",
        "tlsDetails",
        "webIdFederationData",
        "eventJson",
        "opentrail_form",
        "addendum",
    ]);
    prop_oneof![
        8 => known.prop_map(|name| format!("\"{name}\"")),
        1 => "[a-z\"\\\\é]{0,4}".prop_map(|name| serde_json::to_string(&name).unwrap()),
        1 => Just(r#""\u0061rn""#.to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_records_come_back_byte_for_byte(
        all in proptest::collection::vec(proptest::collection::vec((name(), json()), 0..12), 1..6)
    ) {
        let records: Vec<String> = all
            .iter()
            .enumerate()
            .map(|(number, members)| {
                // The last of several members with one name counts: these two must.
                let mut text: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                text.push(format!(r#""eventID":"{number}""#));
                text.push(r#""eventTime":"2026-03-01T10:00:00Z""#.to_owned());
                format!("{{{}}}", text.join(","))
            })
            .collect();
        let (mut found, _) = written(&records);
        found.sort_unstable();
        let mut expected = records.clone();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_form_panics(form in "[#-~0-9:snr{}\\[\\]|~é-]{0,30}", rest in "[\\[\\]{}\",:0-9a-z ]{0,12}") {
        let batch = batch(&[record(r#","resources":[{"ARN":"x"}],"requestParameters":{"a":"b"},"userIdentity":{"arn":"c"}"#)]);
        let rows = source::Members::of_rows(Shape::Event, &batch);
        let _ = restored(&form, Some(&rest), &rows, 0);
    }
}
