//! `AK/DATE/REGION/SERVICE/aws4_request` and the list of signed headers, as both the header and the URL carry them.

/// The last part of every Signature Version 4 scope.
pub(super) const TERMINATOR: &str = "aws4_request";

/// AWS allows access key ids of 16 to 128 characters; shorter ones are left to the lookup to refuse.
const MAX_ACCESS_KEY_ID: usize = 128;

/// Longest region or service name taken.
const MAX_SCOPE_NAME: usize = 64;

/// A credential split in its parts, before its terminator is judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) terminator: &'a str,
}

impl<'a> Credential<'a> {
    /// Splits `text`; `None` when it has not five parts of the right characters.
    pub(super) fn parse(text: &'a str) -> Option<Credential<'a>> {
        let mut parts = text.split('/');
        let credential = Credential {
            access_key_id: parts.next()?,
            date: parts.next()?,
            region: parts.next()?,
            service: parts.next()?,
            terminator: parts.next()?,
        };
        let well_formed = parts.next().is_none()
            && is_name(credential.access_key_id, MAX_ACCESS_KEY_ID)
            && credential.date.len() == 8
            && credential.date.bytes().all(|byte| byte.is_ascii_digit())
            && is_name(credential.region, MAX_SCOPE_NAME)
            && is_name(credential.service, MAX_SCOPE_NAME)
            && credential.terminator.len() <= MAX_SCOPE_NAME;
        well_formed.then_some(credential)
    }
}

fn is_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The names of `SignedHeaders`, in lower case, sorted and without repeats, as the canonical form lists them.
/// `None` when the list is empty or a name cannot be a header's.
pub(super) fn signed_headers(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for name in text.split(';') {
        let name = http::HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        names.push(name.as_str().to_owned());
    }
    names.sort_unstable();
    names.dedup();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_credential() {
        let credential =
            Credential::parse("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request").unwrap();
        assert_eq!(credential.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!((credential.region, credential.service), ("us-east-1", "s3"));
    }

    #[test]
    fn refuses_malformed_credentials() {
        for text in [
            "",
            "AK",
            "AK/20130524/us-east-1/s3",
            "AK/20130524/us-east-1/s3/aws4_request/x",
            "/20130524/us-east-1/s3/aws4_request",
            "AK/2013/us-east-1/s3/aws4_request",
            "AK/20130524//s3/aws4_request",
            "AK/20130524/us east/s3/aws4_request",
        ] {
            assert_eq!(Credential::parse(text), None, "{text}");
        }
    }

    #[test]
    fn signed_headers_are_sorted_and_unique() {
        assert_eq!(signed_headers("x-amz-date;Host;host").unwrap(), ["host", "x-amz-date"]);
        assert_eq!(signed_headers(""), None);
        assert_eq!(signed_headers("host;;range"), None);
        assert_eq!(signed_headers("ho st"), None);
    }
}
