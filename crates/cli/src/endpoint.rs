//! One endpoint, spoken to in requests that are signed.

use std::time::Duration;

use bytes::Bytes;
use opentrail_wire::sigv4::{self, Credentials};
use reqwest::{Method, StatusCode, Url};

use crate::client::{ClientError, ServerArguments};

/// Where it is, and as whom it is asked.
#[derive(Clone)]
pub(crate) struct Endpoint {
    http: reqwest::Client,
    url: Url,
    credentials: Credentials,
    region: String,
}

impl Endpoint {
    /// An endpoint whose answers are waited for so long.
    pub(crate) fn new(server: &ServerArguments, timeout: Duration) -> Result<Self, ClientError> {
        let url = server.endpoint.parse().map_err(|_| ClientError::BadEndpoint(server.endpoint.clone()))?;
        let credentials = Credentials {
            access_key_id: server.access_key_id.clone().unwrap_or_default(),
            secret: server.secret_access_key.clone().unwrap_or_default(),
            session_token: server.session_token.clone(),
        };
        let http = reqwest::Client::builder().timeout(timeout).build()?;
        Ok(Self { http, url, credentials, region: server.region.clone() })
    }

    /// The same, in another region.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Sends one request, signed for a service.
    pub(crate) async fn send(
        &self,
        service: &str,
        method: &Method,
        path_and_query: &str,
        headers: &[(&'static str, impl AsRef<str>)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let host = match (self.url.host_str().unwrap_or_default(), self.url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let url = format!("{}://{host}{path_and_query}", self.url.scheme());
        let mut request = http::Request::builder().method(method.clone()).uri(&url).header("host", &host);
        for (name, value) in headers {
            request = request.header(*name, value.as_ref());
        }
        let (mut parts, ()) = request.body(())?.into_parts();
        let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body));
        sigv4::sign(&mut parts, &self.credentials, &self.region, service, &digest, chrono::Utc::now())?;
        parts.headers.remove("host");
        let answer = self.http.request(parts.method, url).headers(parts.headers).body(body).send().await?;
        Ok((answer.status(), answer.bytes().await?))
    }
}
