//! How large the fields of a record may be, and what stands in place of what is larger.
//!
//! Source: "CloudTrail record contents" in the CloudTrail user guide. A JSON field that is too large is
//! replaced by an object with `omitted: true`, as AWS does; a text is cut.

use serde_json::{Value, json};

/// `requestParameters`, `responseElements` and `serviceEventDetails`: 100 KB.
pub(crate) const MAX_PARAMETERS: usize = 100 * 1024;
/// `additionalEventData`: 28 KB.
pub(crate) const MAX_ADDITIONAL_DATA: usize = 28 * 1024;
/// `errorMessage` and `userAgent`: 1 KB.
pub(crate) const MAX_TEXT: usize = 1024;

/// Replaces a field whose JSON text has more bytes than it may have.
pub(crate) fn bound_value(value: &mut Option<Value>, field: &'static str, max_bytes: usize) {
    let Some(present) = value.as_ref() else { return };
    let size = json_len(present);
    if size > max_bytes {
        let reason = format!("{field} too large");
        *value = Some(json!({ "omitted": true, "originalSize": size, "reason": reason }));
    }
}

/// Cuts a text after the last whole character that fits.
pub(crate) fn bound_text(text: &mut Option<String>, max_bytes: usize) {
    if let Some(text) = text
        && text.len() > max_bytes
    {
        text.truncate(text.floor_char_boundary(max_bytes));
    }
}

/// How many bytes a value's JSON text has.
fn json_len(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the writer nor a `Value` can fail to be written.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{bound_text, bound_value};

    #[test]
    fn a_value_at_its_limit_stays_and_one_above_it_is_omitted() {
        let at_limit = Value::String("x".repeat(98));
        let mut value = Some(at_limit.clone());
        bound_value(&mut value, "requestParameters", 100);
        assert_eq!(value, Some(at_limit));
        bound_value(&mut value, "requestParameters", 99);
        assert_eq!(
            value,
            Some(json!({ "omitted": true, "originalSize": 100, "reason": "requestParameters too large" }))
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = Some("aé".repeat(3));
        bound_text(&mut text, 5);
        assert_eq!(text.as_deref(), Some("aéa"));
        bound_text(&mut text, 2);
        assert_eq!(text.as_deref(), Some("a"));
    }
}
