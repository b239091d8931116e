//! A signed client of any S3 endpoint, for the settings of buckets.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use md5::{Digest, Md5};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::{
    client::{ClientError, ServerArguments, with_causes},
    endpoint::Endpoint,
};

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Tries of one request where the endpoint is away or asks to wait.
const TRIES: u32 = 4;
/// The first pause between tries; it doubles.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest answer that is read, in bytes: a lifecycle configuration has at most 1,000 rules.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// Why a setting could not be read or made.
#[derive(Debug, Clone)]
pub(super) enum S3Error {
    /// The endpoint refused, with this code and message.
    Refused { status: u16, code: String, message: String },
    /// The endpoint is away, or its answer can't be read.
    Unreachable(String),
}

/// What a refusal means for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The bucket has no such setting.
    NotSet,
    /// The endpoint does not know the feature.
    Unsupported,
    /// These credentials may not.
    Denied,
    /// There is no such bucket.
    NoBucket,
    /// Anything else.
    Other,
}

impl S3Error {
    /// Whether the same request may work in a moment.
    fn passes(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => *status == 503 || code == "OperationAborted",
            Self::Unreachable(_) => true,
        }
    }

    pub(super) fn meaning(&self) -> Meaning {
        let Self::Refused { status, code, .. } = self else { return Meaning::Other };
        match code.as_str() {
            "NoSuchBucketPolicy"
            | "NoSuchLifecycleConfiguration"
            | "NoSuchPublicAccessBlockConfiguration"
            | "ObjectLockConfigurationNotFoundError"
            | "ServerSideEncryptionConfigurationNotFoundError"
            | "ReplicationConfigurationNotFoundError"
            | "NoSuchReplicationConfiguration" => Meaning::NotSet,
            "NoSuchBucket" => Meaning::NoBucket,
            "NotImplemented" | "MethodNotAllowed" | "UnsupportedOperation" | "XNotImplemented" => {
                Meaning::Unsupported
            }
            "AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" => {
                Meaning::Denied
            }
            _ => match *status {
                403 => Meaning::Denied,
                405 | 501 => Meaning::Unsupported,
                _ => Meaning::Other,
            },
        }
    }
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message, .. } if message.is_empty() => f.write_str(code),
            Self::Refused { code, message, .. } => write!(f, "{code}: {message}"),
            Self::Unreachable(cause) => write!(f, "the endpoint does not answer: {cause}"),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// A client of one endpoint.
#[derive(Clone)]
pub(super) struct S3 {
    endpoint: Endpoint,
}

impl S3 {
    pub(super) fn new(server: &ServerArguments) -> Result<Self, ClientError> {
        Ok(Self { endpoint: Endpoint::new(server, TIMEOUT)? })
    }

    /// What the AWS CLI needs to speak to the same endpoint; nothing on AWS, where it knows itself.
    pub(super) fn cli_option(&self) -> String {
        let of_aws = self.endpoint.url().host_str().is_some_and(|host| host.ends_with(".amazonaws.com"));
        let url = self.endpoint.url().as_str().trim_end_matches('/');
        if of_aws { String::new() } else { format!(" --endpoint-url {url}") }
    }

    /// Whether it is spoken to over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.url().scheme() == "https"
    }

    /// A setting of a bucket (`?policy`); for `HEAD`-like questions the parameter is empty.
    pub(super) async fn get(&self, bucket: &str, setting: &str) -> Result<String, S3Error> {
        self.send(Method::GET, bucket, setting, &[], Bytes::new()).await
    }

    /// Makes a setting.
    pub(super) async fn put(
        &self,
        bucket: &str,
        setting: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<(), S3Error> {
        let mut headers = headers.to_vec();
        // S3 asks for it with Object Lock and lifecycle rules; older endpoints know no other checksum.
        headers.push(("content-md5", BASE64_STANDARD.encode(Md5::digest(body.as_bytes()))));
        self.send(Method::PUT, bucket, setting, &headers, Bytes::from(body)).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        bucket: &str,
        setting: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<String, S3Error> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.try_send(&method, bucket, setting, headers, body.clone()).await {
                Err(error) if error.passes() => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.try_send(&method, bucket, setting, headers, body).await
    }

    async fn try_send(
        &self,
        method: &Method,
        bucket: &str,
        setting: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<String, S3Error> {
        let query = if setting.is_empty() { String::new() } else { format!("?{setting}") };
        let path = format!("/{bucket}{query}");
        let sent = self.endpoint.send("s3", method, &path, headers, body).await;
        let (status, bytes) = sent.map_err(|error| S3Error::Unreachable(cause(&error)))?;
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(S3Error::Unreachable("its answer is too long".to_owned()));
        }
        read(status, &bytes)
    }
}

/// Why there was no answer.
fn cause(error: &ClientError) -> String {
    match error {
        ClientError::Unreachable(error) => with_causes(error),
        other => other.to_string(),
    }
}

fn read(status: StatusCode, bytes: &[u8]) -> Result<String, S3Error> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if status.is_success() {
        return Ok(text);
    }
    let refusal: Refusal = quick_xml::de::from_str(&text).unwrap_or_default();
    let code = if refusal.code.is_empty() { status.to_string() } else { refusal.code };
    Err(S3Error::Refused { status: status.as_u16(), code, message: refusal.message })
}
