//! One line of a log file.

use std::fmt::Write;

use chrono::{DateTime, Utc};

/// The longest a field may be, in bytes: an object's key fits, and so does what an honest client says of itself. S3 has
/// no such bound in writing; without one a stranger's headers would fill a disk.
const MAX_FIELD_BYTES: usize = 2048;
/// What a field that was longer ends with.
const CUT: &str = "...[cut]";

/// A call, as access logs show one (S3 user guide, "Amazon S3 server access log format"). What is not known or does not
/// apply is `None` and shown as `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogLine {
    /// The canonical id of the bucket's owner.
    pub bucket_owner: String,
    /// The bucket.
    pub bucket: String,
    /// When the call came.
    pub time: DateTime<Utc>,
    /// From where.
    pub remote_ip: Option<String>,
    /// Who called: a canonical id or an ARN.
    pub requester: Option<String>,
    /// S3's id of the call.
    pub request_id: String,
    /// `REST.GET.OBJECT` and the like.
    pub operation: String,
    /// The key, in clear; it is encoded here.
    pub key: Option<String>,
    /// The first line of the HTTP request.
    pub request_uri: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// S3's error code.
    pub error_code: Option<String>,
    /// Bytes of the answer's content.
    pub bytes_sent: u64,
    /// Bytes of the object.
    pub object_size: Option<u64>,
    /// Milliseconds from the call's arrival to the answer.
    pub total_time: Option<u64>,
    /// `Referer`.
    pub referrer: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `versionId` in the call.
    pub version_id: Option<String>,
    /// `x-amz-id-2`.
    pub host_id: Option<String>,
    /// `SigV4`.
    pub signature_version: Option<&'static str>,
    /// The TLS cipher suite.
    pub cipher_suite: Option<String>,
    /// `AuthHeader` or `QueryString`.
    pub authentication: Option<&'static str>,
    /// `Host`.
    pub host: Option<String>,
    /// The TLS version, as `TLSv1.3`.
    pub tls_version: Option<String>,
}

impl AccessLogLine {
    /// A line that knows only what every line has.
    pub fn of(owner: &str, bucket: &str, time: DateTime<Utc>, request_id: &str, operation: &str) -> Self {
        Self {
            bucket_owner: owner.to_owned(),
            bucket: bucket.to_owned(),
            time,
            remote_ip: None,
            requester: None,
            request_id: request_id.to_owned(),
            operation: operation.to_owned(),
            key: None,
            request_uri: None,
            status: None,
            error_code: None,
            bytes_sent: 0,
            object_size: None,
            total_time: None,
            referrer: None,
            user_agent: None,
            version_id: None,
            host_id: None,
            signature_version: None,
            cipher_suite: None,
            authentication: None,
            host: None,
            tls_version: None,
        }
    }

    /// Cuts what is longer than a field may be, and says how many bytes the line takes in memory, about.
    pub fn fit(&mut self) -> usize {
        let always = [&mut self.bucket_owner, &mut self.bucket, &mut self.request_id, &mut self.operation];
        let sometimes = [
            &mut self.remote_ip,
            &mut self.requester,
            &mut self.key,
            &mut self.request_uri,
            &mut self.error_code,
            &mut self.referrer,
            &mut self.user_agent,
            &mut self.version_id,
            &mut self.host_id,
            &mut self.cipher_suite,
            &mut self.host,
            &mut self.tls_version,
        ];
        // Twice: a list of lines that grows holds as much again.
        let mut bytes = 2 * size_of::<Self>();
        for text in always.into_iter().chain(sometimes.into_iter().flatten()) {
            if text.len() > MAX_FIELD_BYTES {
                let mut end = MAX_FIELD_BYTES - CUT.len();
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.truncate(end);
                text.push_str(CUT);
            }
            text.shrink_to_fit();
            bytes += text.len();
        }
        bytes
    }

    /// The line, with its end.
    pub fn render(&self) -> String {
        let mut line = String::with_capacity(512);
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let sent = number(Some(self.bytes_sent).filter(|sent| *sent > 0));
        let (size, took) = (number(self.object_size), number(self.total_time));
        let status = self.status.map(|status| status.to_string());
        let time = self.time.format("[%d/%b/%Y:%H:%M:%S %z]").to_string();
        let key = self.key.as_deref().map(encoded);
        let fields: [(bool, Option<&str>); 26] = [
            (false, Some(&self.bucket_owner)),
            (false, Some(&self.bucket)),
            (false, Some(&time)),
            (false, self.remote_ip.as_deref()),
            (false, self.requester.as_deref()),
            (false, Some(&self.request_id)),
            (false, Some(&self.operation)),
            (false, key.as_deref()),
            (true, self.request_uri.as_deref()),
            (false, status.as_deref()),
            (false, self.error_code.as_deref()),
            (false, sent.as_deref()),
            (false, size.as_deref()),
            (false, took.as_deref()),
            (false, took.as_deref()),
            (true, self.referrer.as_deref()),
            (true, self.user_agent.as_deref()),
            (false, self.version_id.as_deref()),
            (false, self.host_id.as_deref()),
            (false, self.signature_version),
            (false, self.cipher_suite.as_deref()),
            (false, self.authentication),
            (false, self.host.as_deref()),
            (false, self.tls_version.as_deref()),
            // No access points, and no call here ever needs an ACL.
            (false, None),
            (false, None),
        ];
        for (number, (quoted, field)) in fields.into_iter().enumerate() {
            if number > 0 {
                line.push(' ');
            }
            match field.filter(|field| !field.is_empty()) {
                None if quoted => line.push_str("\"-\""),
                None => line.push('-'),
                Some(text) if quoted => {
                    line.push('"');
                    push_safe(&mut line, text, false);
                    line.push('"');
                }
                Some(text) => push_safe(&mut line, text, number != 2),
            }
        }
        line.push('\n');
        line
    }
}

/// Text that can't end its field or its line, whatever a caller sent.
fn push_safe(line: &mut String, text: &str, is_bare: bool) {
    for character in text.chars() {
        match character {
            '"' => line.push_str("%22"),
            ' ' if is_bare => line.push_str("%20"),
            character if character.is_control() => {
                // Writing to a String can't fail.
                let _ = write!(line, "%{:02X}", u32::from(character));
            }
            character => line.push(character),
        }
    }
}

/// A key as the log has it: URL-encoded, slashes left.
fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                text.push(byte.into())
            }
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{AccessLogLine, MAX_FIELD_BYTES};

    fn line() -> AccessLogLine {
        AccessLogLine {
            bucket_owner: "79a5".to_owned(),
            bucket: "logs".to_owned(),
            time: "2019-02-06T00:00:38Z".parse().expect("a time"),
            remote_ip: Some("192.0.2.3".to_owned()),
            requester: None,
            request_id: "3E57".to_owned(),
            operation: "REST.GET.OBJECT".to_owned(),
            key: Some("a b/\"c\"\n".to_owned()),
            request_uri: Some("GET /logs/a HTTP/1.1".to_owned()),
            status: Some(200),
            error_code: None,
            bytes_sent: 113,
            object_size: Some(7),
            total_time: Some(7),
            referrer: None,
            user_agent: Some("x\" - evil\n".to_owned()),
            version_id: None,
            host_id: Some("id2".to_owned()),
            signature_version: Some("SigV4"),
            cipher_suite: None,
            authentication: Some("AuthHeader"),
            host: Some("localhost".to_owned()),
            tls_version: None,
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let mut cut = line();
        let short = cut.fit();
        assert_eq!(cut, line());
        cut.user_agent = Some("ü".repeat(50_000));
        cut.request_uri = Some("u".repeat(MAX_FIELD_BYTES + 1));
        cut.operation = "O".repeat(50_000);
        let long = cut.fit();
        let agent = cut.user_agent.clone().expect("an agent");
        assert!(agent.len() <= MAX_FIELD_BYTES && agent.starts_with("üü") && agent.ends_with("ü...[cut]"));
        assert_eq!(cut.request_uri.as_ref().map(String::len), Some(MAX_FIELD_BYTES));
        assert!(long < short + 3 * MAX_FIELD_BYTES && long > short + 2 * MAX_FIELD_BYTES);
        let again = cut.clone();
        assert_eq!((cut.fit(), cut), (long, again));
    }

    #[test]
    fn a_line_has_the_fields_of_s3_and_no_caller_adds_one() {
        assert_eq!(
            line().render(),
            "79a5 logs [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT a%20b/%22c%22%0A \"GET /logs/a HTTP/1.1\" 200 - 113 7 7 7 \"-\" \"x%22 - evil%0A\" - id2 SigV4 - AuthHeader localhost - - -\n"
        );
    }
}
