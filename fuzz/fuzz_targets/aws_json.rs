//! awsJson inputs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = opentrail_wire::awsjson::read_input(body);
});
