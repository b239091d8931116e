//! Uploads of records: splitting, parsing, and every accessor that walks the bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use opentrail_event::{Event, split_records};

fuzz_target!(|body: &[u8]| {
    for record in split_records(Bytes::copy_from_slice(body)).flatten() {
        assert!(serde_json::from_slice::<serde_json::Value>(&record).is_ok() || Event::parse(record.clone()).is_err());
        if let Ok(event) = Event::parse(record) {
            let _ = (event.user_name(), event.resources(), event.raw_resources(), event.key());
            let _ = event.value_at(&["requestParameters", "bucketName"]);
        }
    }
});
