//! awsJson 1.0 and 1.1: the operation in `X-Amz-Target`, the input as a JSON body.

use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::Value;

/// The header that names the operation.
pub const TARGET: &str = "x-amz-target";
/// Longest `X-Amz-Target`; AWS's own have about 70 bytes.
const MAX_TARGET_BYTES: usize = 256;

/// What keeps a request from being an awsJson call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsJsonError {
    /// `X-Amz-Target` is not `Service.Operation`.
    #[error("X-Amz-Target does not name an operation")]
    BadTarget,
    /// The content type is neither `application/x-amz-json-1.0` nor `-1.1`.
    #[error("the content type is not application/x-amz-json-1.1")]
    WrongContentType,
    /// The body is no JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(String),
}

/// The operation a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What stands before the last dot, such as `CloudTrail_20131101`.
    pub service: String,
    /// The operation.
    pub operation: String,
}

impl Target {
    /// Reads `X-Amz-Target`; `None` where there is none.
    pub fn read(headers: &HeaderMap) -> Option<Result<Self, AwsJsonError>> {
        let text = headers.get(TARGET)?;
        Some(
            text.to_str()
                .ok()
                .filter(|text| text.len() <= MAX_TARGET_BYTES)
                .and_then(|text| text.rsplit_once('.'))
                .filter(|(service, operation)| !service.is_empty() && is_name(operation))
                .map(|(service, operation)| Self {
                    service: service.to_owned(),
                    operation: operation.to_owned(),
                })
                .ok_or(AwsJsonError::BadTarget),
        )
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Checks the content type; parameters such as `charset` are allowed.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), AwsJsonError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match kind.split(';').next().map(str::trim) {
        Some("application/x-amz-json-1.1" | "application/x-amz-json-1.0") => Ok(()),
        _ => Err(AwsJsonError::WrongContentType),
    }
}

/// Reads an input. An empty body is an empty input.
pub fn read_input(body: &[u8]) -> Result<Value, AwsJsonError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(AwsJsonError::NotAnObject("it is another kind of value".to_owned())),
        Err(error) => Err(AwsJsonError::NotAnObject(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::{AwsJsonError, Target, check_content_type, read_input};

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_target_names_service_and_operation() {
        let long = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.CreateTrail";
        let target = Target::read(&headers("x-amz-target", long)).unwrap().unwrap();
        assert!(target.service.ends_with("CloudTrail_20131101"));
        assert_eq!(target.operation, "CreateTrail");
        assert!(Target::read(&HeaderMap::new()).is_none());
        for bad in ["CreateTrail", "a.", ".b", "a.b c"] {
            assert_eq!(
                Target::read(&headers("x-amz-target", bad)),
                Some(Err(AwsJsonError::BadTarget)),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_awss_content_types_pass() {
        assert!(
            check_content_type(&headers("content-type", "application/x-amz-json-1.1; charset=utf-8")).is_ok()
        );
        assert!(check_content_type(&headers("content-type", "application/json")).is_err());
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn nesting_without_end_is_an_error_not_a_crash() {
        assert!(read_input("[".repeat(100_000).as_bytes()).is_err());
        assert!(read_input("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read_input(&bytes);
        }
    }
}
