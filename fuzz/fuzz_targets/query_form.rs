//! awsQuery forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentrail_wire::query::{Form, from_query};

fuzz_target!(|body: &[u8]| {
    if let Ok(form) = Form::parse(body) {
        let _ = from_query::<serde_json::Value>(&form.parameters);
        let _ = from_query::<std::collections::BTreeMap<String, Vec<u32>>>(&form.parameters);
    }
});
