//! One signed HTTP/1.1 connection: hyper without a pool, so that the generator costs little.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use opentrail_wire::sigv4::{self, Credentials};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::error::BenchError;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of a refusal's body that are told.
const TOLD: usize = 600;

/// A server and who speaks to it.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'static str, &'static str)],
    pub(crate) body: Bytes,
}

impl<'a> Ask<'a> {
    /// An upload of events.
    pub(crate) fn events(body: Bytes) -> Self {
        Ask {
            service: "opentrail",
            region: "us-east-1",
            method: Method::POST,
            path: "/v1/events",
            headers: &[("content-type", "application/json")],
            body,
        }
    }

    /// A call of IAM or STS.
    pub(crate) fn query(service: &'a str, form: String) -> Self {
        Ask {
            service,
            region: "us-east-1",
            method: Method::POST,
            path: "/",
            headers: &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: form.into(),
        }
    }

    /// A call of S3.
    pub(crate) fn s3(method: Method, path: &'a str, body: impl Into<Bytes>) -> Self {
        Ask { service: "s3", region: "us-east-1", method, path, headers: &[], body: body.into() }
    }

    fn what(&self) -> String {
        format!("{} {} of {}", self.method, self.path, self.service)
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The request's id, under which its record can be found.
    pub(crate) fn request_id(&self) -> Option<&str> {
        ["x-amzn-requestid", "x-amz-request-id"]
            .iter()
            .find_map(|name| self.headers.get(*name))
            .and_then(|id| id.to_str().ok())
    }
}

/// A connection that stays open.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    access: Access,
}

impl Access {
    pub(crate) async fn connect(&self) -> Result<Connection, BenchError> {
        let host = HeaderValue::from_str(&self.address.to_string()).map_err(http::Error::from)?;
        Ok(Connection { sender: self.open().await?, host, access: self.clone() })
    }

    /// So many connections.
    pub(crate) async fn connections(&self, count: usize) -> Result<Vec<Connection>, BenchError> {
        let mut open = Vec::with_capacity(count);
        for _ in 0..count {
            open.push(self.connect().await?);
        }
        Ok(open)
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, BenchError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What breaks the connection is told to the sender too.
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Connection {
    /// Sends, and waits for the whole answer, whatever it is.
    pub(crate) async fn send(&mut self, ask: Ask<'_>) -> Result<Answer, BenchError> {
        let mut request = http::Request::builder().method(&ask.method).uri(ask.path).header(HOST, &self.host);
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &ask.body));
        sigv4::sign(
            &mut parts,
            &self.access.credentials,
            ask.region,
            ask.service,
            &digest,
            chrono::Utc::now(),
        )?;
        let request = http::Request::from_parts(parts, Full::new(ask.body));
        let sending = async {
            // The server ends connections that nobody used for a while.
            if self.sender.ready().await.is_err() {
                self.sender = self.access.open().await?;
                self.sender.ready().await?;
            }
            let answer = self.sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.collect().await?.to_bytes(),
            })
        };
        match tokio::time::timeout(TIMEOUT, sending).await {
            Ok(done) => done,
            Err(_) => Err(BenchError::TooLate { what: "an answer", limit: TIMEOUT }),
        }
    }

    /// Sends; anything but success is an error.
    pub(crate) async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer, BenchError> {
        let what = ask.what();
        let answer = self.send(ask).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let told = &answer.body[..answer.body.len().min(TOLD)];
        let body = String::from_utf8_lossy(told).into_owned();
        Err(BenchError::Refused { what, status: answer.status, body })
    }

    /// Sends, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, ask: Ask<'_>) -> Result<T, BenchError> {
        Ok(serde_json::from_slice(&self.ask(ask).await?.body)?)
    }

    /// A call of CloudTrail.
    pub(crate) async fn cloudtrail<T: DeserializeOwned>(
        &mut self,
        region: &str,
        target: &'static str,
        input: &serde_json::Value,
    ) -> Result<T, BenchError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let body = Bytes::from(input.to_string());
        self.json(Ask {
            service: "cloudtrail",
            region,
            method: Method::POST,
            path: "/",
            headers: &headers,
            body,
        })
        .await
    }
}
