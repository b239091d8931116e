//! What a general purpose bucket may be called.

use std::net::Ipv4Addr;

/// Which of S3's naming rules a name breaks (S3 user guide, "General purpose bucket naming rules").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketNameError {
    /// Names have 3 to 63 characters.
    #[error("a bucket name has 3 to 63 characters")]
    Length,
    /// Names consist of lower-case letters, digits, periods and hyphens.
    #[error("a bucket name consists of lower-case letters, digits, periods and hyphens")]
    Character,
    /// Names begin and end with a letter or digit.
    #[error("a bucket name begins and ends with a letter or a digit")]
    Edge,
    /// Names have no two periods side by side.
    #[error("a bucket name has no two adjacent periods")]
    AdjacentPeriods,
    /// Names do not look like an IP address.
    #[error("a bucket name is not formatted as an IP address")]
    IpAddress,
    /// Some beginnings and ends are AWS's own.
    #[error("a bucket name does not begin with {0:?}")]
    ReservedPrefix(&'static str),
    /// Some beginnings and ends are AWS's own.
    #[error("a bucket name does not end with {0:?}")]
    ReservedSuffix(&'static str),
}

const RESERVED_PREFIXES: [&str; 2] = ["xn--", "sthree-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Checks a name against S3's rules.
///
/// `amzn-s3-demo-` is reserved by AWS for its documentation; names with it are accepted here, because that
/// documentation is what people paste.
pub fn check_bucket_name(name: &str) -> Result<(), BucketNameError> {
    if !(3..=63).contains(&name.len()) {
        return Err(BucketNameError::Length);
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-') {
        return Err(BucketNameError::Character);
    }
    if name.starts_with(['.', '-']) || name.ends_with(['.', '-']) {
        return Err(BucketNameError::Edge);
    }
    if name.contains("..") {
        return Err(BucketNameError::AdjacentPeriods);
    }
    if name.parse::<Ipv4Addr>().is_ok() || looks_like_an_address(name) {
        return Err(BucketNameError::IpAddress);
    }
    if let Some(prefix) = RESERVED_PREFIXES.into_iter().find(|p| name.starts_with(p)) {
        return Err(BucketNameError::ReservedPrefix(prefix));
    }
    match RESERVED_SUFFIXES.into_iter().find(|s| name.ends_with(s)) {
        Some(suffix) => Err(BucketNameError::ReservedSuffix(suffix)),
        None => Ok(()),
    }
}

/// Four groups of digits, whatever their values: `999.999.999.999` and `010.1.1.1` are refused too.
fn looks_like_an_address(name: &str) -> bool {
    let mut groups = 0;
    for group in name.split('.') {
        groups += 1;
        if group.is_empty() || group.len() > 3 || !group.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
    }
    groups == 4
}

#[cfg(test)]
mod tests {
    use super::{BucketNameError, check_bucket_name};

    #[test]
    fn names_that_s3_accepts() {
        for name in
            ["abc", "my-bucket", "my.bucket.1", "0ab", "amzn-s3-demo-bucket", "1.2.3", &"a".repeat(63)]
        {
            assert_eq!(check_bucket_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        use BucketNameError::*;
        for (name, reason) in [
            ("ab", Length),
            (&*"a".repeat(64), Length),
            ("Abc", Character),
            ("a_b", Character),
            ("a/b", Character),
            ("bücket", Character),
            ("-abc", Edge),
            ("abc.", Edge),
            ("a..b", AdjacentPeriods),
            ("192.168.5.4", IpAddress),
            ("999.999.999.999", IpAddress),
            ("xn--abc", ReservedPrefix("xn--")),
            ("sthree-abc", ReservedPrefix("sthree-")),
            ("abc-s3alias", ReservedSuffix("-s3alias")),
            ("abc--ol-s3", ReservedSuffix("--ol-s3")),
        ] {
            assert_eq!(check_bucket_name(name), Err(reason), "{name}");
        }
    }
}
