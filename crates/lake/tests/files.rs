//! Parquet files of real and of made-up events: what is in them, in what order, and what a reader finds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod model;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow_array::{Array, RecordBatch, cast::AsArray, types::TimestampMicrosecondType};
use bytes::Bytes;
use chrono::NaiveDate;
use model::{expected, row_of};
use opentrail_event::Event;
use opentrail_lake::{Columns, EncodedFile, Expected, Extra, Keep, LakeError, Run, Shape, encode, merge};
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector},
    file::{
        properties::ReaderProperties,
        reader::{FileReader, SerializedFileReader},
        serialized_reader::ReadOptionsBuilder,
    },
    schema::types::Type,
};
use serde_json::{Value, json, value::RawValue};

/// Every record in the files under a folder, gzipped or not.
fn records(folder: &Path) -> Vec<Event> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(records(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => {
                let mut text = Vec::new();
                flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
                text
            }
            Some("json") => bytes,
            _ => continue,
        };
        let records: Vec<Box<RawValue>> =
            match serde_json::from_slice::<BTreeMap<String, Vec<Box<RawValue>>>>(&text) {
                Ok(mut file) => file.remove("Records").unwrap(),
                Err(_) => serde_json::from_slice(&text).unwrap(),
            };
        found.extend(records.iter().map(|record| Event::parse(record.get().to_owned().into()).unwrap()));
    }
    found
}

fn batches(events: &[Event], rows: usize) -> Vec<RecordBatch> {
    let mut columns = Columns::new(Shape::Event);
    events
        .chunks(rows)
        .map(|events| {
            events.iter().for_each(|event| columns.push(event, Extra::default()));
            columns.finish().unwrap()
        })
        .collect()
}

fn read(file: &EncodedFile) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
    assert_eq!(reader.schema().fields(), Shape::Event.arrow().fields());
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// Rows of files, with their records whole again.
fn rows(batches: &[RecordBatch]) -> Vec<Value> {
    let rows = batches.iter().flat_map(|batch| {
        let records = records_of(batch);
        (0..batch.num_rows()).map(move |row| {
            let mut value = row_of(batch, row);
            value["eventJson"] = json!(records[row]);
            value["opentrail_form"] = Value::Null;
            value["opentrail_rest"] = Value::Null;
            value
        })
    });
    rows.collect()
}

fn records_of(batch: &RecordBatch) -> Vec<String> {
    let records = opentrail_lake::records(Shape::Event, batch).unwrap();
    records.as_string::<i32>().iter().map(|record| record.unwrap().to_owned()).collect()
}

/// How many rows have their record whole.
fn whole(batches: &[RecordBatch]) -> usize {
    batches
        .iter()
        .map(|batch| batch.num_rows() - batch.column_by_name("eventJson").unwrap().null_count())
        .sum()
}

fn sorted(values: impl IntoIterator<Item = Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    texts.sort_unstable();
    texts
}

fn made_up(count: usize, days: usize) -> Vec<Event> {
    (0..count)
        .map(|n| {
            let (day, source, name) = (1 + n % days, ["s3", "ec2", "iam"][n % 3], ["Get", "Put", "List", "Delete"][n % 4]);
            let raw = format!(
                r#"{{"eventID":"id-{n}","eventTime":"2026-03-{day:02}T{:02}:{:02}:00Z","eventName":"{name}","eventSource":"{source}.amazonaws.com","awsRegion":"us-east-1","requestID":"r{n}","resources":[{{"ARN":"arn:aws:s3:::bucket-{n}"}}]}}"#,
                (n * 7) % 24,
                (n * 13) % 60,
            );
            Event::parse(raw.into_bytes().into()).unwrap()
        })
        .collect()
}

#[test]
fn every_real_record_goes_through_columns_and_a_file_and_comes_back_equal() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        eprintln!("no real records here");
        return;
    }
    let events = records(&data);
    assert_eq!(events.len(), 30_786);
    let files = encode(Shape::Event, &batches(&events, 4_000)).unwrap();
    let (mut found, mut records_whole) = (Vec::new(), 0);
    for file in &files {
        let batches = read(file);
        records_whole += whole(&batches);
        assert_eq!(file.rows, batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>());
        found.extend(rows(&batches));
    }
    assert_eq!(sorted(found), sorted(events.iter().map(expected)));
    let stored: usize = files.iter().map(|file| file.bytes.len()).sum();
    let json: usize = events.iter().map(|event| event.raw().len()).sum();
    assert!(stored * 8 < json, "{stored} bytes of {json} bytes of JSON");
    assert!(records_whole * 50 < events.len(), "{records_whole} records are kept whole");
}

/// Issue 5: no more than half of what CloudTrail's own gzip files take, which is 261 bytes an event of these.
#[test]
fn delivered_events_take_half_of_their_gzip_files() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/trail");
    if !data.exists() {
        eprintln!("no real records here");
        return;
    }
    let events = records(&data);
    let files = encode(Shape::Event, &batches(&events, 4_000)).unwrap();
    let mut columns = BTreeMap::<String, i64>::new();
    for column in files.iter().flat_map(|file| file.metadata.row_groups()).flat_map(|group| group.columns()) {
        *columns.entry(column.column_path().string()).or_default() += column.compressed_size();
        *columns.entry("bloom filters".to_owned()).or_default() +=
            i64::from(column.bloom_filter_length().unwrap_or(0));
    }
    let each = |bytes: i64| bytes as f64 / events.len() as f64;
    let mut sizes: Vec<_> = columns.into_iter().collect();
    sizes.sort_by_key(|(_, size)| -size);
    for (path, size) in sizes.iter().take(30) {
        eprintln!("{:8.2} {path}", each(*size));
    }
    let stored = each(files.iter().map(|file| file.bytes.len() as i64).sum());
    eprintln!("{stored:8.2} bytes an event, {} files, {} events", files.len(), events.len());
    assert!(stored <= 130.0, "{stored} bytes an event");
}

#[test]
fn there_is_a_file_for_each_day_and_rows_are_in_order() {
    let events = made_up(3_000, 3);
    let files = encode(Shape::Event, &batches(&events, 700)).unwrap();
    let days: Vec<NaiveDate> = files.iter().map(|file| file.day).collect();
    assert_eq!(days, (1..=3).map(|day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap()).collect::<Vec<_>>());
    for file in &files {
        let rows = rows(&read(file));
        let keys: Vec<_> = rows
            .iter()
            .map(|row| {
                (row["eventSource"].to_string(), row["eventName"].to_string(), row["eventTime"].as_i64())
            })
            .collect();
        assert!(keys.is_sorted());
        let times = || rows.iter().filter_map(|row| row["eventTime"].as_i64());
        assert_eq!(times().min(), Some(file.min_time.timestamp_micros()));
        assert_eq!(times().max(), Some(file.max_time.timestamp_micros()));
        assert!(times().all(|time| time.div_euclid(86_400_000_000) == i64::from(file.day.to_epoch_days())));
    }
}

/// What compaction does.
#[test]
fn a_file_of_files_has_their_rows_in_order() {
    let events = made_up(20_000, 1);
    for (many, at_once) in [(1, 64), (7, 100), (40, 1_000)] {
        let small: Vec<EncodedFile> = events
            .chunks(events.len() / many)
            .flat_map(|events| encode(Shape::Event, &batches(events, 4_000)).unwrap())
            .collect();
        let (pulled, runs) = runs(&small, at_once);
        let expected = Expected { rows: events.len() as u64, bytes: 0, keep: Keep::Forms };
        let merged = merge(Shape::Event, runs, expected).unwrap();
        let [whole] = &encode(Shape::Event, &batches(&events, 4_000)).unwrap()[..] else { panic!("one day") };
        assert_eq!((merged.day, merged.rows, pulled.load(Ordering::Relaxed)), (whole.day, 20_000, 20_000));
        assert_eq!((merged.min_time, merged.max_time), (whole.min_time, whole.max_time));
        let key =
            |row: &Value| [&row["eventSource"], &row["eventName"], &row["eventTime"]].map(Value::to_string);
        let (merged, whole) = (rows(&read(&merged)), rows(&read(whole)));
        assert_eq!(merged.iter().map(key).collect::<Vec<_>>(), whole.iter().map(key).collect::<Vec<_>>());
        assert_eq!(sorted(merged), sorted(whole));
    }
}

/// Rows of several days, or none, make no file.
#[test]
fn what_is_not_of_one_day_is_not_merged() {
    let two_days = encode(Shape::Event, &batches(&made_up(100, 2), 100)).unwrap();
    for files in [&two_days[..], &[]] {
        let expected = Expected { rows: 100, bytes: 0, keep: Keep::Forms };
        let merged = merge(Shape::Event, runs(files, 10).1, expected);
        assert!(matches!(merged, Err(LakeError::Arrow(_))), "{merged:?}");
    }
}

/// The rows of files, so many at once, and how many were asked for.
fn runs(files: &[EncodedFile], at_once: usize) -> (Arc<AtomicUsize>, Vec<Run>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let runs = files.iter().map(|file| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
        let pulled = pulled.clone();
        let run: Run = Box::new(reader.with_batch_size(at_once).build().unwrap().map(move |batch| {
            let batch = batch?;
            pulled.fetch_add(batch.num_rows(), Ordering::Relaxed);
            Ok(RecordBatch::try_new(Shape::Event.arrow(), batch.columns().to_vec())?)
        }));
        run
    });
    (pulled.clone(), runs.collect())
}

#[test]
fn no_rows_make_no_files() {
    assert!(encode(Shape::Event, &[]).unwrap().is_empty());
    let empty = Columns::new(Shape::Evidence).finish().unwrap();
    assert!(encode(Shape::Evidence, &[empty]).unwrap().is_empty());
}

#[test]
fn rows_before_1970_have_their_day() {
    let raw = r#"{"eventID":"i","eventTime":"1969-12-31T23:00:00Z","eventName":"N","eventSource":"s","awsRegion":"us-east-1"}"#;
    let event = Event::parse(Bytes::from_static(raw.as_bytes())).unwrap();
    let files = encode(Shape::Event, &batches(&[event], 1)).unwrap();
    assert_eq!(files[0].day, NaiveDate::from_ymd_opt(1969, 12, 31).unwrap());
}

#[test]
fn a_bloom_filter_knows_what_is_in_the_file() {
    let events = made_up(2_000, 1);
    let file = encode(Shape::Event, &batches(&events, 2_000)).unwrap().remove(0);
    let options = ReadOptionsBuilder::new()
        .with_reader_properties(ReaderProperties::builder().set_read_bloom_filter(true).build())
        .build();
    let reader = SerializedFileReader::new_with_options(file.bytes.clone(), options).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let leaf = |path: &str| {
        let columns = reader.metadata().row_group(0).columns();
        columns.iter().position(|column| column.column_path().string() == path).unwrap()
    };
    for (path, there, form) in [
        ("eventID", "id-7", "id-x"),
        ("requestID", "r7", "rx"),
        ("resources.list.element.ARN", "arn:aws:s3:::bucket-7", "arn:aws:s3:::none-"),
    ] {
        let filter = group.get_column_bloom_filter(leaf(path)).unwrap();
        assert!(filter.check(there), "{path}");
        let wrong = (0..1_000).filter(|n| filter.check(format!("{form}{n}").as_str())).count();
        assert!(wrong < 80, "{path}: {wrong} of 1000");
    }
    let bytes = |path: &str| reader.metadata().row_group(0).column(leaf(path)).bloom_filter_length().unwrap();
    // A filter is a power of two large.
    assert!(bytes("eventID") < 3 * 2_000, "{}", bytes("eventID"));
    assert!(bytes("eventName") <= 128, "{}", bytes("eventName"));
}

#[test]
fn files_have_field_ids_statistics_and_an_index_of_pages() {
    let file = encode(Shape::Event, &batches(&made_up(100, 1), 100)).unwrap().remove(0);
    fn ids(kind: &Type, found: &mut Vec<i32>) {
        if kind.get_basic_info().has_id() {
            found.push(kind.get_basic_info().id());
        }
        if kind.is_group() {
            kind.get_fields().iter().for_each(|field| ids(field, found));
        }
    }
    let mut found = Vec::new();
    ids(file.metadata.file_metadata().schema_descr().root_schema(), &mut found);
    found.sort_unstable();
    assert_eq!(found, (1..=Shape::Event.iceberg().highest_field_id()).collect::<Vec<_>>());
    let columns = file.metadata.row_group(0).columns();
    for column in columns {
        let path = column.column_path().string();
        let is_text_of_any_length = ["eventJson", "opentrail_rest"].contains(&path.as_str());
        assert_eq!(column.statistics().is_some(), !is_text_of_any_length, "{path}");
        assert!(column.offset_index_offset().is_some(), "{path}");
    }
}

#[test]
fn one_page_of_records_can_be_read_without_the_others() {
    let events = made_up(40_000, 1);
    let file = encode(Shape::Event, &batches(&events, 10_000)).unwrap().remove(0);
    let selection = RowSelection::from(vec![RowSelector::skip(33_333), RowSelector::select(5)]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
    let found: Vec<RecordBatch> =
        reader.with_row_selection(selection).build().unwrap().map(Result::unwrap).collect();
    let all = read(&file);
    let times = |batches: &[RecordBatch]| -> Vec<i64> {
        let column = |batch: &RecordBatch| {
            batch
                .column_by_name("eventTime")
                .unwrap()
                .as_primitive::<TimestampMicrosecondType>()
                .values()
                .to_vec()
        };
        batches.iter().flat_map(column).collect()
    };
    assert_eq!(times(&found), times(&all)[33_333..33_338]);
}
