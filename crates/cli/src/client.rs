//! A signed client of the server's own API.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use clap::Args;
use opentrail_wire::sigv4;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::endpoint::Endpoint;

/// Tries of one request where the server is away or asks to wait.
const TRIES: u32 = 8;
/// The first pause between tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Which server, as whom: what `source opentrail-data/client.env` sets.
#[derive(Args, Clone)]
pub(crate) struct ServerArguments {
    /// The server's URL
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:7400", value_name = "URL")]
    pub(crate) endpoint: String,
    /// Access key id
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "ID", required = true)]
    pub(crate) access_key_id: Option<String>,
    /// Secret access key
    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true,
        required = true
    )]
    pub(crate) secret_access_key: Option<String>,
    /// Session token of temporary credentials
    #[arg(long, env = "AWS_SESSION_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) session_token: Option<String>,
    /// Region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub(crate) region: String,
}

/// Why a request did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The endpoint is no URL.
    #[error("{0:?} is not a URL")]
    BadEndpoint(String),
    /// The request can't be signed.
    #[error("the request can't be signed: {0}")]
    Signing(#[from] sigv4::SignError),
    /// The server is away.
    #[error("the server does not answer: {}", with_causes(.0))]
    Unreachable(#[from] reqwest::Error),
    /// The server refused.
    #[error("{code}: {message}")]
    Refused {
        /// AWS's code.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// The answer is not what the API says.
    #[error("the server's answer can't be read: {0}")]
    BadAnswer(#[from] serde_json::Error),
    /// The request can't be built.
    #[error("the request can't be built: {0}")]
    BadRequest(#[from] http::Error),
}

/// The error and what caused it: the first sentence alone only says that a request failed.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    endpoint: Endpoint,
}

impl Client {
    pub(crate) fn new(server: &ServerArguments) -> Result<Self, ClientError> {
        Ok(Self { endpoint: Endpoint::new(server, TIMEOUT)? })
    }

    /// The same client, signing for another region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self { endpoint: self.endpoint.in_region(region) }
    }

    /// One call of the service `opentrail`.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&'static str, &'static str)],
        body: Bytes,
    ) -> Result<T, ClientError> {
        self.send("opentrail", method, path_and_query, headers, body).await
    }

    /// One call of an awsJson service.
    pub(crate) async fn aws_json<T: DeserializeOwned>(
        &self,
        service: &str,
        target: &'static str,
        input: &serde_json::Value,
    ) -> Result<T, ClientError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        self.send(service, Method::POST, "/", &headers, Bytes::from(input.to_string())).await
    }

    /// One call of CloudTrail, by the whole name of its target. An answer that the server asks to wait for is waited for.
    pub(crate) async fn cloudtrail<T: DeserializeOwned>(
        &self,
        target: &str,
        input: &serde_json::Value,
    ) -> Result<T, ClientError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        self.send("cloudtrail", Method::POST, "/", &headers, Bytes::from(input.to_string())).await
    }

    /// As [`Client::aws_json`], asked once: for a service that may not be there.
    pub(crate) async fn aws_json_once<T: DeserializeOwned>(
        &self,
        service: &str,
        target: &'static str,
        input: &serde_json::Value,
    ) -> Result<T, ClientError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let body = Bytes::from(input.to_string());
        let (status, answer) = self.endpoint.send(service, &Method::POST, "/", &headers, body).await?;
        read(status, &answer)
    }

    /// The account as which this client asks.
    pub(crate) async fn account(&self) -> Result<String, ClientError> {
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let body = Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15");
        let (status, answer) = self.endpoint.send("sts", &Method::POST, "/", &headers, body).await?;
        let text = String::from_utf8_lossy(&answer);
        let account = text.split_once("<Account>").and_then(|(_, rest)| rest.split_once("</Account>"));
        account.map(|(account, _)| account.to_owned()).ok_or_else(|| ClientError::Refused {
            code: status.to_string(),
            message: "GetCallerIdentity names no account".to_owned(),
        })
    }

    /// Sends, again and again where that is safe to hope for: every call we make may be repeated.
    async fn send<T: DeserializeOwned>(
        &self,
        service: &str,
        method: Method,
        path_and_query: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<T, ClientError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let sent = self.endpoint.send(service, &method, path_and_query, headers, body.clone()).await;
            let waits = match sent {
                Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => true,
                Ok((status, answer)) => return read(status, &answer),
                Err(ClientError::Unreachable(error)) => error.is_connect() || error.is_request(),
                Err(error) => return Err(error),
            };
            if !waits {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let (status, answer) = self.endpoint.send(service, &method, path_and_query, headers, body).await?;
        read(status, &answer)
    }
}

fn read<T: DeserializeOwned>(status: StatusCode, answer: &[u8]) -> Result<T, ClientError> {
    if status.is_success() {
        return Ok(serde_json::from_slice(answer)?);
    }
    let refusal: Refusal = serde_json::from_slice(answer).unwrap_or_default();
    let code = if refusal.code.is_empty() { status.to_string() } else { refusal.code };
    Err(ClientError::Refused { code, message: refusal.message })
}
