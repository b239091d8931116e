//! OpenID Connect providers: whose tokens an account takes, and for whom they must be made.
//!
//! Source: the IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM".

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use crate::{
    documents::Documents,
    entity::account_prefix,
    error::{Constraint, Existing, IdentityError, InvalidInput, InvalidValue, Missing, Quota},
    limits,
    tags::{self, Tag},
};

/// An OpenID Connect provider of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// The account.
    pub account: AccountId,
    /// The issuer's URL without its scheme: what IAM shows, what the ARN ends with and condition keys begin with.
    pub name: String,
    /// Whether the issuer is reached without TLS, as one on this machine may be.
    #[serde(default)]
    pub plain: bool,
    /// For whom a token may be made.
    pub client_ids: Vec<String>,
    /// Digests of certificates, kept for IAM's callers: issuers are known by certificates of authorities that the
    /// system trusts.
    pub thumbprints: Vec<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

impl Resource for OidcProvider {
    const KIND: &'static str = "identity.oidc-provider";
}

impl OidcProvider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
    pub fn arn(&self) -> String {
        arn(self.account, &self.name)
    }

    /// The issuer's URL, as tokens have it under `iss`.
    pub fn url(&self) -> String {
        let scheme = if self.plain { HTTP } else { HTTPS };
        format!("{scheme}{}", self.name)
    }
}

const HTTPS: &str = "https://";
const HTTP: &str = "http://";

/// `arn:aws:iam::ACCOUNT:oidc-provider/NAME`.
pub fn arn(account: AccountId, name: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{name}")
}

/// The name of the provider with the issuer's URL, and whether it is reached without TLS.
pub fn name_of(url: &str) -> Option<(&str, bool)> {
    url.strip_prefix(HTTPS).map(|name| (name, false)).or_else(|| Some((url.strip_prefix(HTTP)?, true)))
}

/// What a provider is created with.
#[derive(Debug, Clone, Default)]
pub struct NewOidcProvider<'a> {
    /// The issuer's URL.
    pub url: &'a str,
    /// Whether the URL may be one of this machine, with a port and without TLS: the operator's choice.
    pub may_be_loopback: bool,
    /// For whom a token may be made.
    pub client_ids: &'a [String],
    /// Digests of certificates.
    pub thumbprints: &'a [String],
    /// Tags.
    pub tags: &'a [Tag],
}

/// Creates a provider.
///
/// # Errors
/// `Validation`, `AlreadyExists`, `LimitExceeded`, `InvalidInput` (thumbprints, tags).
pub fn create(
    tx: &mut Transaction,
    account: AccountId,
    new: &NewOidcProvider<'_>,
    now: DateTime<Utc>,
) -> Result<OidcProvider, IdentityError> {
    let (name, plain) = check_url(new.url, new.may_be_loopback)?;
    new.client_ids.iter().try_for_each(|id| check_client_id(id))?;
    check_thumbprints(new.thumbprints)?;
    tags::check(new.tags)?;
    if tx.contains::<OidcProvider>(&document_id(account, name)) {
        return Err(IdentityError::AlreadyExists(Existing::OidcProvider(new.url.to_owned())));
    }
    let count = Documents::count::<OidcProvider>(tx, &account_prefix(account));
    if count >= limits::OIDC_PROVIDERS_PER_ACCOUNT {
        let quota = Quota::Count("OpenIdConnectProvidersPerAccount", limits::OIDC_PROVIDERS_PER_ACCOUNT);
        return Err(IdentityError::LimitExceeded(quota));
    }
    let mut provider = OidcProvider {
        account,
        name: name.to_owned(),
        plain,
        client_ids: Vec::new(),
        thumbprints: new.thumbprints.to_vec(),
        created_at: now,
        tags: new.tags.to_vec(),
    };
    for id in new.client_ids {
        add(&mut provider, id)?;
    }
    save(tx, &provider);
    Ok(provider)
}

/// The provider with this ARN.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput` for what is no ARN of a provider of this account.
pub fn get(docs: &impl Documents, account: AccountId, arn: &str) -> Result<Arc<OidcProvider>, IdentityError> {
    let name = name_in(account, arn)?;
    docs.document(&document_id(account, name))
        .ok_or_else(|| IdentityError::NoSuchEntity(Missing::OidcProvider(arn.to_owned())))
}

/// The account's providers, in the order of their names.
pub fn list(docs: &impl Documents, account: AccountId) -> Vec<Arc<OidcProvider>> {
    docs.documents(&account_prefix(account)).into_iter().map(|(_, provider)| provider).collect()
}

/// Deletes a provider; one that is not there is no error. Roles that trust it stay as they are, and nobody assumes
/// them by it any more. Sessions that were opened by it last until they end.
///
/// # Errors
/// `InvalidInput` for what is no ARN of a provider of this account.
pub fn delete(tx: &mut Transaction, account: AccountId, arn: &str) -> Result<(), IdentityError> {
    let name = name_in(account, arn)?;
    tx.delete::<OidcProvider>(&document_id(account, name));
    Ok(())
}

/// Adds somebody for whom a token may be made; no error if they are listed.
///
/// # Errors
/// `NoSuchEntity`, `Validation`, `LimitExceeded`, `InvalidInput`.
pub fn add_client_id(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    client_id: &str,
) -> Result<(), IdentityError> {
    check_client_id(client_id)?;
    change(tx, account, arn, |provider| add(provider, client_id))
}

/// Takes somebody off the list of those for whom a token may be made; no error if they are not listed.
///
/// # Errors
/// `NoSuchEntity`, `Validation`, `InvalidInput`.
pub fn remove_client_id(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    client_id: &str,
) -> Result<(), IdentityError> {
    check_client_id(client_id)?;
    change(tx, account, arn, |provider| {
        provider.client_ids.retain(|id| id != client_id);
        Ok(())
    })
}

/// Puts other thumbprints in the place of those that there are.
///
/// # Errors
/// `NoSuchEntity`, `Validation`, `InvalidInput`.
pub fn update_thumbprints(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    thumbprints: &[String],
) -> Result<(), IdentityError> {
    check_thumbprints(thumbprints)?;
    change(tx, account, arn, |provider| {
        provider.thumbprints = thumbprints.to_vec();
        Ok(())
    })
}

/// Puts tags on a provider.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(tx: &mut Transaction, account: AccountId, arn: &str, new: &[Tag]) -> Result<(), IdentityError> {
    change(tx, account, arn, |provider| tags::put(&mut provider.tags, new))
}

/// Takes tags off a provider.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    change(tx, account, arn, |provider| tags::remove(&mut provider.tags, keys))
}

/// The account's provider whose tokens say that they are by this issuer.
pub(crate) fn of_issuer(
    docs: &impl Documents,
    account: AccountId,
    issuer: &str,
) -> Option<Arc<OidcProvider>> {
    let (name, plain) = name_of(issuer)?;
    let provider = docs.document::<OidcProvider>(&document_id(account, name))?;
    (provider.plain == plain).then_some(provider)
}

fn change(
    tx: &mut Transaction,
    account: AccountId,
    arn: &str,
    change: impl FnOnce(&mut OidcProvider) -> Result<(), IdentityError>,
) -> Result<(), IdentityError> {
    let mut provider = OidcProvider::clone(&*get(tx, account, arn)?);
    change(&mut provider)?;
    save(tx, &provider);
    Ok(())
}

fn save(tx: &mut Transaction, provider: &OidcProvider) {
    tx.put(&document_id(provider.account, &provider.name), provider);
}

fn document_id(account: AccountId, name: &str) -> String {
    format!("{account}/{name}")
}

fn name_in(account: AccountId, arn: &str) -> Result<&str, IdentityError> {
    let prefix = format!("arn:aws:iam::{account}:oidc-provider/");
    arn.strip_prefix(&prefix).filter(|name| !name.is_empty() && arn.len() <= limits::ARN_CHARS).ok_or_else(
        || {
            let shown = arn.chars().take(limits::ARN_CHARS).collect();
            IdentityError::InvalidInput(InvalidInput::ProviderArn(shown))
        },
    )
}

fn add(provider: &mut OidcProvider, client_id: &str) -> Result<(), IdentityError> {
    if provider.client_ids.iter().any(|id| id == client_id) {
        return Ok(());
    }
    if provider.client_ids.len() >= limits::CLIENT_IDS_PER_PROVIDER {
        let quota = Quota::Count("ClientIdsPerOpenIdConnectProvider", limits::CLIENT_IDS_PER_PROVIDER);
        return Err(IdentityError::LimitExceeded(quota));
    }
    provider.client_ids.push(client_id.to_owned());
    Ok(())
}

fn check_client_id(id: &str) -> Result<(), IdentityError> {
    let chars = id.chars().count();
    if chars < 1 {
        Err(InvalidValue::new("clientID", id, Constraint::MinLength(1)).into())
    } else if chars > limits::CLIENT_ID_CHARS {
        Err(InvalidValue::new("clientID", id, Constraint::MaxLength(limits::CLIENT_ID_CHARS)).into())
    } else {
        Ok(())
    }
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), IdentityError> {
    let chars = limits::THUMBPRINT_CHARS;
    for thumbprint in thumbprints {
        let constraint = match thumbprint.chars().count() {
            n if n < chars => Constraint::MinLength(chars),
            n if n > chars => Constraint::MaxLength(chars),
            _ if !thumbprint.bytes().all(|b| b.is_ascii_hexdigit()) => Constraint::Pattern("[0-9A-Fa-f]{40}"),
            _ => continue,
        };
        return Err(InvalidValue::new("thumbprintList", thumbprint, constraint).into());
    }
    if thumbprints.len() > limits::THUMBPRINTS_PER_PROVIDER {
        return Err(IdentityError::InvalidInput(InvalidInput::TooManyThumbprints));
    }
    Ok(())
}

/// An issuer's URL: `https://` and a host, without a port, and maybe a path. One of this machine only if it may be:
/// then also with a port and without TLS.
fn check_url(url: &str, may_be_loopback: bool) -> Result<(&str, bool), IdentityError> {
    let chars = url.chars().count();
    if chars > limits::PROVIDER_URL_CHARS {
        let constraint = Constraint::MaxLength(limits::PROVIDER_URL_CHARS);
        return Err(InvalidValue::new("url", url, constraint).into());
    }
    let refused = || InvalidValue::new("url", url, Constraint::ProviderUrl).into();
    let (name, plain) = name_of(url).ok_or_else(refused)?;
    let (authority, path) = name.split_at(name.find('/').unwrap_or(name.len()));
    let plain_path = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\\%\"<>^`{|}".contains(&b));
    if !plain_path || path.split('/').any(|step| matches!(step, "." | "..")) {
        return Err(refused());
    }
    let is_loopback = is_loopback(authority);
    if is_loopback && may_be_loopback || !plain && !is_loopback && is_host(authority) {
        Ok((name, plain))
    } else {
        Err(refused())
    }
}

/// A host's name or address, without a port.
fn is_host(authority: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    authority.len() <= 253 && authority.split('.').all(label)
}

/// Whether this is an address of this machine, maybe with a port.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    port.is_none_or(|port| port.parse::<u16>().is_ok())
        && (host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn an_issuer_has_a_host_and_no_port_and_tls() {
        for good in [
            "https://accounts.google.com",
            "https://a.example/realms/x",
            "https://a.example/",
            "https://10.0.0.7",
        ] {
            assert!(check_url(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://",
            "a.example",
            "http://a.example",
            "https://a.example:8443",
            "https://u@a.example",
            "https://a.example?q",
            "https://a.example/#f",
            "https://a.example/../b",
            "https://a b",
            "ftp://a.example",
            "https://-a.example",
            "https://127.0.0.1",
            "https://localhost/x",
            "https://[::1]",
            "http://localhost:1",
            "https://a.example/%2e",
            "https://a\\b",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_on_this_machine_is_the_operators_choice() {
        for good in ["http://127.0.0.1:8080", "http://localhost/x", "https://localhost:1", "http://[::1]:9"] {
            assert!(check_url(good, true).is_ok(), "{good}");
        }
        for bad in
            ["http://a.example", "http://127.0.0.1:port", "http://10.0.0.1", "http://127.0.0.1.example:80"]
        {
            assert!(check_url(bad, true).is_err(), "{bad}");
        }
    }
}
