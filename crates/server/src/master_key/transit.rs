//! The transit engine of HashiCorp Vault and OpenBao, as a client.
//!
//! <https://openbao.org/api-docs/secret/transit/>: `datakey` draws the key, `decrypt` opens it at each start, `rewrap`
//! moves it to the newest version of the engine's key. A policy for opentrail needs `update` on these three.

use std::{fmt, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use opentrail_keyring::{MASTER_KEY_BYTES, MasterKey};
use reqwest::{Certificate, Client, StatusCode, Url, header::HeaderValue, redirect};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::MasterKeyError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a start waits for a service that is away or sealed.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// An answer is some hundred bytes.
const ANSWER_BYTES: usize = 64 << 10;

/// Which key of which engine, and how to get there.
#[derive(Clone)]
pub struct TransitOptions {
    /// Scheme, host and port, such as `https://vault.example:8200`. Without TLS only on this machine.
    pub address: String,
    /// Where the engine is mounted: `transit`, unless somebody chose another path.
    pub mount: String,
    /// The key's name in the engine.
    pub key: String,
    /// Sent as `X-Vault-Token`; absent where an agent in between adds it.
    pub token: Option<String>,
    /// A file with the token; read at each start, in place of `token`.
    pub token_file: Option<PathBuf>,
    /// Certificates in PEM that are trusted for this besides the system's.
    pub certificates: Option<PathBuf>,
    /// Sent as `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// How long a start waits for a service that is away or sealed; 30 s where absent.
    pub patience: Option<Duration>,
}

impl fmt::Debug for TransitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitOptions")
            .field("address", &self.address)
            .field("mount", &self.mount)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

pub(super) struct Transit {
    http: Client,
    address: Url,
    mount: String,
    key: String,
    token: Option<HeaderValue>,
    namespace: Option<HeaderValue>,
    patience: Duration,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default, deserialize_with = "overwritten")]
    plaintext: Option<Zeroizing<String>>,
    #[serde(default)]
    ciphertext: Option<String>,
}

fn overwritten<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

/// Why one call gave nothing.
enum Failure {
    /// The same call may work later.
    Later(String),
    Never(MasterKeyError),
}

/// Which version of the engine's key wrapped this: the `v2` of `vault:v2:…`.
pub(super) fn version(ciphertext: &str) -> Option<&str> {
    ciphertext.split(':').nth(1)
}

impl Transit {
    pub(super) fn new(options: &TransitOptions) -> Result<Self, MasterKeyError> {
        let address = address(&options.address)?;
        let mut http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            // A redirect would carry the token to wherever it says.
            .redirect(redirect::Policy::none());
        if let Some(path) = &options.certificates {
            let unusable = |reason: String| MasterKeyError::File { path: path.clone(), reason };
            let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
            if certificates.is_empty() {
                return Err(unusable("there is no certificate in it".to_owned()));
            }
            http = certificates.into_iter().fold(http, reqwest::ClientBuilder::add_root_certificate);
        }
        let http = http.build().map_err(|_| MasterKeyError::Address {
            address: options.address.clone(),
            reason: "no client could be made for it",
        })?;
        Ok(Self {
            http,
            address,
            mount: options.mount.clone(),
            key: options.key.clone(),
            token: token(options)?,
            namespace: options.namespace.as_deref().map(|text| header(text, "the namespace")).transpose()?,
            patience: options.patience.unwrap_or(PATIENCE),
        })
    }

    /// What wraps, for people.
    pub(super) fn name(&self) -> String {
        format!("{} {}/{}", self.address, self.mount, self.key)
    }

    /// A new key, and its wrapped form. The engine draws it, which fails where its key does not exist; `encrypt` would
    /// make one of that name.
    pub(super) async fn draw(&self) -> Result<(MasterKey, String), MasterKeyError> {
        let data =
            self.call("draw a key", "datakey/plaintext", json!({ "bits": 8 * MASTER_KEY_BYTES })).await?;
        let ciphertext = data.ciphertext.ok_or(MasterKeyError::Answer { what: "ciphertext" })?;
        Ok((plaintext(data.plaintext)?, ciphertext))
    }

    pub(super) async fn decrypt(&self, ciphertext: &str) -> Result<MasterKey, MasterKeyError> {
        let data = self.call("decrypt", "decrypt", json!({ "ciphertext": ciphertext })).await?;
        plaintext(data.plaintext)
    }

    /// The same key wrapped under the newest version. Tried once.
    pub(super) async fn rewrap(&self, ciphertext: &str) -> Result<String, MasterKeyError> {
        let body = json!({ "ciphertext": ciphertext });
        let data = self.try_once("rewrap", "rewrap", &body).await.map_err(|failure| self.told(failure))?;
        data.ciphertext.ok_or(MasterKeyError::Answer { what: "ciphertext" })
    }

    /// Calls until there is an answer or patience ends.
    async fn call(&self, action: &'static str, path: &str, body: Value) -> Result<Data, MasterKeyError> {
        let end = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_once(action, path, &body).await {
                Ok(data) => return Ok(data),
                Err(Failure::Later(reason)) if Instant::now() + pause < end => {
                    tracing::warn!(reason, "the key service is not there; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(failure) => return Err(self.told(failure)),
            }
        }
    }

    fn told(&self, failure: Failure) -> MasterKeyError {
        match failure {
            Failure::Never(error) => error,
            Failure::Later(reason) => MasterKeyError::Unavailable {
                address: self.address.to_string(),
                reason,
                seconds: self.patience.as_secs(),
            },
        }
    }

    async fn try_once(&self, action: &'static str, path: &str, body: &Value) -> Result<Data, Failure> {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            let engine = self.mount.split('/');
            segments.pop_if_empty().push("v1").extend(engine).extend(path.split('/')).push(&self.key);
        }
        let mut request = self.http.post(url).header("x-vault-request", "true").json(body);
        if let Some(token) = &self.token {
            request = request.header("x-vault-token", token.clone());
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace.clone());
        }
        let answer = request.send().await.map_err(|error| Failure::Later(innermost(&error)))?;
        let status = answer.status();
        let body = limited(answer).await?;
        if status.is_success() {
            let answer: Answer = serde_json::from_slice(&body)
                .map_err(|_| Failure::Never(MasterKeyError::Answer { what: "JSON with data" }))?;
            return Ok(answer.data);
        }
        let reason = reason(status, &body);
        // A sealed engine answers 503, a standby without a leader 500, an overloaded one 429.
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::Later(format!("{}: {reason}", status.as_u16())));
        }
        Err(Failure::Never(MasterKeyError::Refused {
            action,
            key: format!("{}/{}", self.mount, self.key),
            status: status.as_u16(),
            reason,
        }))
    }
}

async fn limited(mut answer: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::Later(innermost(&error)))? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(Failure::Never(MasterKeyError::Answer { what: "answer of a sensible size" }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the service says is wrong; for a redirect, that it is one.
fn reason(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    if status.is_redirection() {
        return "it sends to another address; give that one".to_owned();
    }
    match serde_json::from_slice::<Errors>(body) {
        Ok(Errors { errors }) if !errors.is_empty() => errors.join("; ").replace('\n', " "),
        _ => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    }
}

/// The cause that says most: reqwest's own words hide it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn plaintext(text: Option<Zeroizing<String>>) -> Result<MasterKey, MasterKeyError> {
    let text = text.ok_or(MasterKeyError::Answer { what: "plaintext" })?;
    let bytes = STANDARD.decode(text.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| MasterKeyError::Answer { what: "plaintext in base64" })?;
    let key: [u8; MASTER_KEY_BYTES] =
        bytes.as_slice().try_into().map_err(|_| MasterKeyError::Answer { what: "key of 256 bits" })?;
    Ok(MasterKey::new(key))
}

fn address(text: &str) -> Result<Url, MasterKeyError> {
    let refused = |reason| MasterKeyError::Address { address: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
    let here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => return Err(refused("it has no host")),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err(refused("the key would travel in the clear: use https")),
        _ => Err(refused("it is neither https nor http")),
    }
}

fn token(options: &TransitOptions) -> Result<Option<HeaderValue>, MasterKeyError> {
    let Some(path) = &options.token_file else {
        return options.token.as_deref().map(|text| header(text, "the token")).transpose();
    };
    let unusable = |reason: String| MasterKeyError::File { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    header(text.trim(), "the token").map(Some)
}

fn header(text: &str, what: &'static str) -> Result<HeaderValue, MasterKeyError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| MasterKeyError::Address {
        address: what.to_owned(),
        reason: "it has characters that no header can carry",
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_travel_under_tls_or_not_at_all() {
        for good in
            ["https://vault.example:8200", "http://127.0.0.1:8200", "http://localhost", "http://[::1]:1"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://vault.example:8200",
            "http://127.0.0.1.example",
            "ftp://localhost",
            "vault",
            "unix:/run/v",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_is_what_stands_between_the_colons() {
        assert_eq!(version("vault:v12:abc=="), Some("v12"));
        assert_eq!(version("nothing"), None);
    }

    #[test]
    fn what_the_service_says_is_told() {
        let said = reason(StatusCode::FORBIDDEN, br#"{"errors":["permission denied","x"]}"#);
        assert_eq!(said, "permission denied; x");
        assert_eq!(reason(StatusCode::BAD_GATEWAY, b"<html>"), "Bad Gateway");
    }
}
