//! The records that AWS wrote: those of a real trail, and those of simulated attacks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use opentrail_event::{Category, Event, split_records};
use serde_json::{Value, value::RawValue};

fn data() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    assert!(path.is_dir(), "the real records are missing: {}", path.display());
    path
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Bytes {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Bytes::from(bytes);
    }
    let mut json = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut json).unwrap();
    Bytes::from(json)
}

fn folder(name: &str) -> Vec<Bytes> {
    let mut found = Vec::new();
    files(&data().join(name), &mut found);
    found.sort();
    found.iter().map(|path| read(path)).collect()
}

#[derive(serde::Deserialize)]
struct LogFile<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

/// Checks one file against what `serde_json` says of it; gives the number of its records.
fn check(body: &Bytes) -> usize {
    let expected: Vec<&RawValue> = serde_json::from_slice::<LogFile<'_>>(body)
        .map(|file| file.records)
        .or_else(|_| serde_json::from_slice(body))
        .unwrap();
    let records: Vec<Bytes> = split_records(body.clone()).collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(&expected) {
        assert_eq!(record, expected.get().as_bytes());
        let event = Event::parse(record.clone()).unwrap();
        assert_eq!(event.raw(), record);
        assert_eq!(event.raw().as_ptr(), record.as_ptr(), "the record was copied");
        check_members(&event);
    }
    records.len()
}

fn check_members(event: &Event) {
    let value: Value = serde_json::from_slice(event.raw()).unwrap();
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    assert_eq!(Some(event.id()), text("/eventID"));
    assert_eq!(Some(event.name()), text("/eventName"));
    assert_eq!(Some(event.source()), text("/eventSource"));
    assert_eq!(Some(event.region()), text("/awsRegion"));
    assert_eq!(Some(event.category()), text("/eventCategory").map(Category::of));
    assert_eq!(event.read_only(), value["readOnly"].as_bool());
    assert_eq!(event.management_event(), value["managementEvent"].as_bool());
    assert_eq!(event.event_type(), text("/eventType"));
    assert_eq!(event.error_code(), text("/errorCode"));
    assert_eq!(event.error_message(), text("/errorMessage"));
    assert_eq!(event.user_agent(), text("/userAgent"));
    assert_eq!(event.source_ip_address(), text("/sourceIPAddress"));
    assert_eq!(event.shared_event_id(), text("/sharedEventID"));
    assert_eq!(event.vpc_endpoint_id(), text("/vpcEndpointId"));
    assert_eq!(event.session_credential_from_console(), text("/sessionCredentialFromConsole"));
    assert_eq!(event.recipient_account_id(), text("/recipientAccountId"));
    assert_eq!(event.user_identity_arn(), text("/userIdentity/arn"));
    assert_eq!(event.user_identity_type(), text("/userIdentity/type"));
    assert_eq!(event.access_key_id(), text("/userIdentity/accessKeyId").filter(|key| !key.is_empty()));
    assert_eq!(event.time().to_rfc3339_opts(chrono::SecondsFormat::Secs, true), text("/eventTime").unwrap());
    assert!(event.user_name().is_some(), "every caller in these records has a name: {event:?}");
    let listed = value["resources"].as_array().map_or(0, Vec::len);
    assert_eq!(event.raw_resources().len(), listed);
    let with_arn = event.raw_resources().iter().filter(|resource| resource.arn.is_some()).count();
    assert_eq!(with_arn, listed);
    assert!(event.resources().len() >= usize::from(listed > 0));
}

#[test]
fn every_record_of_a_real_trail_is_read_and_kept() {
    let records: usize = folder("trail").iter().map(check).sum();
    assert_eq!(records, 30_476);
}

#[test]
fn every_record_of_the_attacks_is_read_and_kept() {
    let records: usize = folder("attacks").iter().map(check).sum();
    assert_eq!(records, 310);
}

#[test]
fn log_files_one_after_the_other_are_one_upload() {
    let files = folder("trail");
    let records = |body: Bytes| split_records(body).collect::<Result<Vec<_>, _>>().unwrap();
    let separately: Vec<Bytes> = files.iter().flat_map(|file| records(file.clone())).collect();
    let together = records(Bytes::from(files.concat()));
    assert_eq!(together, separately);
    let lines: Vec<u8> = separately.join(&b'\n');
    assert_eq!(records(Bytes::from(lines)), separately);
}
