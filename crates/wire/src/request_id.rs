//! Ids by which a caller and an operator talk about one request.

use base64::{Engine, prelude::BASE64_STANDARD};

/// Sixteen random bytes in the form of a UUID (version 4): what awsJson and awsQuery services answer.
pub fn uuid_form(mut random: [u8; 16]) -> String {
    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;
    let digits = hex::encode(random);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// S3's form: sixteen upper-case hexadecimal digits.
pub fn s3_form(random: [u8; 8]) -> String {
    hex::encode_upper(random)
}

/// S3's `x-amz-id-2`.
pub fn s3_host_id(random: [u8; 48]) -> String {
    BASE64_STANDARD.encode(random)
}

#[cfg(test)]
mod tests {
    #[test]
    fn forms_are_awss() {
        assert_eq!(super::uuid_form([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(super::s3_form([0xab; 8]), "ABABABABABABABAB");
        assert_eq!(super::s3_host_id([0; 48]).len(), 64);
    }
}
