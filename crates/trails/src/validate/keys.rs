//! Where public keys come from.

use std::collections::HashMap;

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use md5::{Digest as _, Md5};
use opentrail_keyring::Keyring;
use serde::Deserialize;
use tokio::sync::Mutex;

/// Why a public key could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyError {
    /// The server that has the keys could not be asked.
    #[error("the public keys could not be read: {0}")]
    Unavailable(String),
    /// A file with keys has no key in it.
    #[error("no public key found: expected the output of list-public-keys, PEM (RSA PUBLIC KEY) or base64")]
    NoKey,
}

/// The public keys that verify digests.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The PKCS#1 `RSAPublicKey` in DER with this fingerprint (MD5 in hex), for a digest of `region` that was
    /// made at about `at`; none if nobody knows it.
    async fn public_key(
        &self,
        region: &str,
        fingerprint: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, KeyError>;
}

#[async_trait]
impl KeySource for Keyring {
    async fn public_key(
        &self,
        region: &str,
        fingerprint: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, KeyError> {
        let Ok(region) = region.parse() else { return Ok(None) };
        let day = TimeDelta::days(1);
        let keys = self.public_keys(&region, at - day, at + day);
        Ok(keys.into_iter().find(|key| key.fingerprint == fingerprint).map(|key| key.value_der))
    }
}

/// Keys from a file, for validation without a server.
#[derive(Debug, Clone)]
pub struct KeyFile {
    keys: HashMap<String, Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKeyList {
    public_key_list: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKey {
    value: String,
}

impl KeyFile {
    /// Reads the answer of ListPublicKeys as the AWS CLI prints it, PEM blocks `RSA PUBLIC KEY`, or base64 of
    /// the DER form, one key a line. Fingerprints are computed, not read.
    ///
    /// # Errors
    /// [`KeyError::NoKey`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded: Vec<String> = if let Ok(list) = serde_json::from_str::<PublicKeyList>(text) {
            list.public_key_list.into_iter().map(|key| key.value).collect()
        } else if text.contains("-----BEGIN") {
            text.split("-----BEGIN RSA PUBLIC KEY-----")
                .skip(1)
                .filter_map(|rest| rest.split("-----END").next())
                .map(|block| block.split_whitespace().collect())
                .collect()
        } else {
            text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
        };
        let mut keys = HashMap::new();
        for one in encoded {
            let der = BASE64_STANDARD.decode(one).map_err(|_| KeyError::NoKey)?;
            keys.insert(hex::encode(Md5::digest(&der)), der);
        }
        if keys.is_empty() { Err(KeyError::NoKey) } else { Ok(Self { keys }) }
    }
}

#[async_trait]
impl KeySource for KeyFile {
    async fn public_key(
        &self,
        _region: &str,
        fingerprint: &str,
        _at: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, KeyError> {
        Ok(self.keys.get(fingerprint).cloned())
    }
}

/// Asks a source once for each key.
pub(crate) struct KeyCache<'a> {
    source: &'a dyn KeySource,
    /// By region and fingerprint.
    known: Mutex<HashMap<(String, String), Vec<u8>>>,
}

impl<'a> KeyCache<'a> {
    pub(crate) fn new(source: &'a dyn KeySource) -> Self {
        Self { source, known: Mutex::default() }
    }

    pub(crate) async fn get(
        &self,
        region: &str,
        fingerprint: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, KeyError> {
        let mut known = self.known.lock().await;
        let name = (region.to_owned(), fingerprint.to_owned());
        if let Some(key) = known.get(&name) {
            return Ok(Some(key.clone()));
        }
        let key = self.source.public_key(region, fingerprint, at).await?;
        if let Some(key) = &key {
            known.insert(name, key.clone());
        }
        Ok(key)
    }
}
