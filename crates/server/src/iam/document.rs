//! Policy documents in answers: IAM gives them URL-encoded (RFC 3986).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The document as answers have it.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(encoded("{\"a\": \"-._~*é+\"}"), "%7B%22a%22%3A%20%22-._~%2A%C3%A9%2B%22%7D");
    }
}
