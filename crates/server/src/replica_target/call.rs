//! One request to an endpoint, and what its answer means.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use opentrail_event::AccountId;
use opentrail_wire::sigv4;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, redirect};
use tokio::time::Instant;

use super::{Target, TargetError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time in which nothing is taken or answered.
const SILENCE: Duration = Duration::from_secs(30);
/// An answer is a few hundred bytes; a listing of versions more.
const ANSWER_BYTES: usize = 2 << 20;
/// What S3 leaves as it is in a path (Signature Version 4, "canonical URI").
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// And in a query.
const QUERY: &AsciiSet = &PATH.add(b'/');

pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry the bytes to wherever it says.
        .redirect(redirect::Policy::none())
        .build()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// When something moved last, to or from the endpoint. The client's own timeouts can't tell a long upload from silence.
#[derive(Clone)]
struct Pulse {
    last: Arc<Mutex<Instant>>,
    silence: Duration,
}

impl Pulse {
    fn new(silence: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), silence }
    }

    fn beat(&self) {
        *self.last.lock() = Instant::now();
    }

    /// Waits for the work; `None` once nothing has moved for so long.
    async fn watch<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let silence = async {
            loop {
                let end = *self.last.lock() + self.silence;
                if end <= Instant::now() {
                    return;
                }
                tokio::time::sleep_until(end).await;
            }
        };
        tokio::select! {
            done = work => Some(done),
            () = silence => None,
        }
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) bucket: &'a str,
    /// None asks about the bucket.
    pub(super) key: Option<&'a str>,
    /// Names and values; a name alone where the value is empty.
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
}

/// What a request carries.
pub(super) enum Content {
    /// Bytes in memory, whose digest is signed.
    Whole(Bytes),
    /// So many bytes as they come.
    Stream(BoxStream<'static, io::Result<Bytes>>, u64),
}

/// What was answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<'a> Question<'a> {
    pub(super) fn new(method: Method, bucket: &'a str, key: Option<&'a str>) -> Self {
        let body = Content::Whole(Bytes::new());
        Self { method, bucket, key, query: &[], headers: HeaderMap::new(), body }
    }

    /// Only of a bucket of this account.
    pub(super) fn of_account(mut self, account: Option<AccountId>) -> Self {
        if let Some(Ok(account)) = account.map(|account| HeaderValue::from_str(account.as_str())) {
            self.headers.insert("x-amz-expected-bucket-owner", account);
        }
        self
    }
}

impl Reply {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The error that it is, if it is one.
    pub(super) fn refusal(&self) -> Option<TargetError> {
        if self.status.is_success() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.body);
        let element = |name: &str| {
            let rest = text.split_once(&format!("<{name}>"))?.1;
            Some(rest.split_once(&format!("</{name}>"))?.0.chars().take(300).collect::<String>())
        };
        let code = element("Code").unwrap_or_default();
        let message = element("Message").unwrap_or_default();
        let shown = format!("the endpoint answered {} {code} {message}", self.status.as_u16());
        let away = self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED;
        Some(match code.as_str() {
            "NoSuchBucket" => TargetError::NoBucket,
            _ if away
                || self.status == StatusCode::TOO_MANY_REQUESTS
                || self.status == StatusCode::REQUEST_TIMEOUT =>
            {
                TargetError::Away(shown)
            }
            _ => TargetError::Refused(shown),
        })
    }
}

impl Target {
    /// Asks; whatever the answer says.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Reply, TargetError> {
        let Question { method, bucket, key, query, headers, body } = question;
        let path = match key {
            Some(key) => format!("/{bucket}/{}", utf8_percent_encode(key, PATH)),
            None => format!("/{bucket}"),
        };
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let query: Vec<_> =
            query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let base = self.endpoint.as_str().trim_end_matches('/');
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{base}{path}{separator}{}", query.join("&"));
        let malformed = |error: String| TargetError::Refused(format!("the request can't be made: {error}"));
        // Clients take `..` out of a URL: that would be another key.
        let parsed: reqwest::Url = url.parse().map_err(|_| malformed("its URL".to_owned()))?;
        if !parsed.path().ends_with(&path) {
            return Err(malformed("no URL can have this key".to_owned()));
        }
        let pulse = Pulse::new(SILENCE);
        let (payload, content, length) = match body {
            Content::Whole(bytes) => {
                let length = bytes.len() as u64;
                (sha256(&bytes), reqwest::Body::from(bytes), length)
            }
            Content::Stream(stream, length) => {
                let pulse = pulse.clone();
                let stream = stream.inspect(move |_| pulse.beat());
                (sigv4::UNSIGNED_PAYLOAD.to_owned(), reqwest::Body::wrap_stream(stream), length)
            }
        };
        let mut request = http::Request::builder().method(method).uri(&url).body(content);
        if let Ok(request) = &mut request {
            *request.headers_mut() = headers;
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        }
        let (mut parts, content) = request.map_err(|error| malformed(error.to_string()))?.into_parts();
        sigv4::sign(&mut parts, &self.credentials, &self.region, "s3", &payload, Utc::now())
            .map_err(|error| malformed(error.to_string()))?;
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, content))
            .map_err(|error| malformed(error.to_string()))?;
        let silent =
            || TargetError::Away(format!("the endpoint was silent for {} seconds", SILENCE.as_secs()));
        pulse.watch(self.exchange(request, &pulse)).await.ok_or_else(silent)?
    }

    async fn exchange(&self, request: reqwest::Request, pulse: &Pulse) -> Result<Reply, TargetError> {
        let away = |error: reqwest::Error| TargetError::Away(error.without_url().to_string());
        let mut answer = self.http.execute(request).await.map_err(away)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(away)? {
            pulse.beat();
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_BYTES {
                return Err(TargetError::Refused("the endpoint's answer is too long".to_owned()));
            }
        }
        Ok(Reply { status, headers, body: body.into() })
    }

    /// Asks, and takes no for an error.
    pub(super) async fn demand(&self, question: Question<'_>) -> Result<Reply, TargetError> {
        let reply = self.ask(question).await?;
        match reply.refusal() {
            Some(error) => Err(error),
            None => Ok(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pulse;

    #[tokio::test]
    async fn what_moves_is_waited_for_and_silence_ends_it() {
        let pulse = Pulse::new(Duration::from_millis(500));
        let upload = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                pulse.beat();
            }
        };
        assert_eq!(pulse.watch(upload).await, Some(()));
        assert_eq!(pulse.watch(std::future::pending::<()>()).await, None);
    }
}
