//! Policy documents in answers: IAM gives them URL-encoded (RFC 3986).

use opentrail_wire::RESERVED;
use percent_encoding::utf8_percent_encode;

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
