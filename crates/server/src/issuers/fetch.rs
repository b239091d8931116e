//! Asking an issuer for its keys: OpenID Connect Discovery 1.0, section 4, and the key set that it names.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use opentrail_identity::federation::keys::SigningKeys;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use serde::Deserialize;

use super::IssuerReach;

/// How long one answer may take, from the first packet to the last byte.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read. Discovery documents and key sets are some kilobytes.
const ANSWER_BYTES: usize = 256 << 10;
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Asks issuers.
pub(super) struct Fetch {
    reach: IssuerReach,
    /// Made when the first issuer is asked: it reads the system's certificates.
    http: OnceLock<Client>,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

impl Fetch {
    pub(super) fn new(reach: IssuerReach) -> Self {
        Self { reach, http: OnceLock::new() }
    }

    pub(super) fn reach(&self) -> IssuerReach {
        self.reach
    }

    /// The keys of the issuer with this URL; else why there are none.
    pub(super) async fn keys(&self, issuer: &str) -> Result<SigningKeys, String> {
        let address = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
        let configuration: Configuration = serde_json::from_slice(&self.get(&address).await?)
            .map_err(|_| "its configuration names no keys".to_owned())?;
        if configuration.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err("its configuration is of another issuer".to_owned());
        }
        let keys = self.get(&configuration.jwks_uri).await?;
        SigningKeys::parse(&keys).map_err(|_| "its keys can't be read".to_owned())
    }

    async fn get(&self, address: &str) -> Result<Vec<u8>, String> {
        let url = self.checked(address)?;
        let get = self.client()?.get(url).header("accept", "application/json");
        let mut answer = get.send().await.map_err(|error| innermost(&error))?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| innermost(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err("its answer is too large".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The address, if it may be asked. Of a name this is known only when it is resolved.
    fn checked(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|_| "its address is no URL".to_owned())?;
        let host = url.host_str().ok_or("its address has no host")?;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_here = literal.map_or(host == "localhost", |ip| ip.is_loopback());
        let in_reach = literal.is_none_or(|ip| self.reach.allows(ip));
        let scheme = match url.scheme() {
            "https" => true,
            "http" => is_here && self.reach == IssuerReach::Loopback,
            _ => false,
        };
        if in_reach && scheme && url.username().is_empty() && url.password().is_none() {
            Ok(url)
        } else {
            Err(format!("{host} may not be asked"))
        }
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            // Where an answer sends to was not checked, and a proxy would resolve names by itself.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Guarded(self.reach)))
            .build()
            .map_err(|error| innermost(&error))?;
        Ok(self.http.get_or_init(|| client))
    }
}

/// Resolves names to those of their addresses that may be asked: what is checked is what is connected to.
struct Guarded(IssuerReach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{} may not be asked", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
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

#[cfg(test)]
mod tests {
    use super::{Fetch, IssuerReach};

    #[test]
    fn only_what_is_in_reach_is_asked_and_without_tls_only_this_machine() {
        let may = |reach, address: &str| Fetch::new(reach).checked(address).is_ok();
        assert!(may(IssuerReach::Public, "https://a.example/keys"));
        for address in [
            "http://a.example",
            "https://127.0.0.1",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://169.254.169.254",
            "https://10.0.0.1",
            "https://u:p@a.example",
            "file:///etc/passwd",
        ] {
            assert!(!may(IssuerReach::Public, address), "{address}");
        }
        assert!(may(IssuerReach::Private, "https://10.0.0.1:8443"));
        assert!(
            !may(IssuerReach::Private, "http://10.0.0.1") && !may(IssuerReach::Private, "https://127.0.0.1")
        );
        assert!(
            may(IssuerReach::Loopback, "http://127.0.0.1:80")
                && may(IssuerReach::Loopback, "http://localhost")
        );
        assert!(!may(IssuerReach::Loopback, "http://a.example"));
    }
}
