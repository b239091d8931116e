//! The keys that sign digest files, and which of them signs at a given time.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Duration, NaiveTime, Utc};
use md5::{Digest, Md5};
use opentrail_event::Region;
use opentrail_state::Resource;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    error::KeyringError,
    seal::{Sealed, SealingKey},
};

/// How long a signing key is valid. Ours; AWS does not document theirs.
pub const SIGNING_KEY_LIFETIME: Duration = Duration::days(365);

/// How long before the end of its validity a key signs no more: what it signed last stays in the range of a
/// question for keys around that time.
pub const SIGNING_KEY_OVERLAP: Duration = Duration::days(7);

/// A signing key as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SigningKeyDocument {
    pub(crate) region: Region,
    pub(crate) fingerprint: String,
    /// Counts the keys of a region from 1: of two that are valid from the same moment on, the later signs.
    pub(crate) serial: u64,
    /// PKCS#1 `RSAPublicKey` in DER, as base64.
    pub(crate) public_key: String,
    /// PKCS#8 in DER, sealed.
    pub(crate) private_key: Sealed,
    pub(crate) valid_from: DateTime<Utc>,
    pub(crate) valid_to: DateTime<Utc>,
}

impl Resource for SigningKeyDocument {
    const KIND: &'static str = "keyring.signing-key";
}

impl SigningKeyDocument {
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.region, self.fingerprint)
    }

    fn signs_at(&self, at: DateTime<Utc>) -> bool {
        self.valid_from <= at && at < self.valid_to - SIGNING_KEY_OVERLAP
    }

    pub(crate) fn public_info(&self) -> Result<PublicKeyInfo, KeyringError> {
        let value_der = STANDARD.decode(&self.public_key).map_err(|_| self.damaged())?;
        Ok(PublicKeyInfo {
            fingerprint: self.fingerprint.clone(),
            value_der,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        })
    }

    pub(crate) fn open(&self, key: &SealingKey) -> Result<SigningKey, KeyringError> {
        let pkcs8 = key.unseal(&seal_context(&self.region, &self.fingerprint), &self.private_key)?;
        let pair = KeyPair::from_pkcs8(&pkcs8).map_err(|_| self.damaged())?;
        if fingerprint(pair.public_key().as_ref()) != self.fingerprint {
            return Err(self.damaged());
        }
        Ok(SigningKey { public: self.public_info()?, pair })
    }

    fn damaged(&self) -> KeyringError {
        KeyringError::Damaged { fingerprint: self.fingerprint.clone() }
    }
}

/// The public half of a signing key, as `ListPublicKeys` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyInfo {
    /// MD5 of the DER form, in lower-case hexadecimal: what a digest file names its key by.
    pub fingerprint: String,
    /// PKCS#1 `RSAPublicKey` in DER (RFC 8017, A.1.1).
    pub value_der: Vec<u8>,
    /// From when on the key is valid.
    pub valid_from: DateTime<Utc>,
    /// Until when.
    pub valid_to: DateTime<Utc>,
}

/// A key that signs.
pub struct SigningKey {
    public: PublicKeyInfo,
    pair: KeyPair,
}

impl SigningKey {
    /// MD5 of the public key's DER form, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.public.fingerprint
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKeyInfo {
        &self.public
    }

    /// The RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017, 8.2), 256 bytes long. The same message always
    /// has the same signature.
    ///
    /// # Errors
    /// [`KeyringError::Signing`] if the cryptographic library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| KeyringError::Signing)?;
        Ok(signature)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// The key that signs what stands for the time `at`: of those that may, the one that began last.
pub(crate) fn signing_at(
    keys: &[(String, Arc<SigningKeyDocument>)],
    at: DateTime<Utc>,
) -> Option<&Arc<SigningKeyDocument>> {
    let signing = keys.iter().map(|(_, key)| key).filter(|key| key.signs_at(at));
    signing.max_by_key(|key| (key.valid_from, key.serial))
}

/// When a key begins that is made because none signs at `at`. With the day, so that things which stand for
/// nearby times and come late or out of order share one key.
pub(crate) fn beginning(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// A key pair without a place as yet.
pub(crate) struct NewPair {
    public_der: Vec<u8>,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// Generates a key pair of 2048 bits. Takes some hundred milliseconds of one core.
pub(crate) fn generate() -> Result<NewPair, KeyringError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyringError::Generation)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyringError::Generation)?;
    Ok(NewPair {
        public_der: pair.public_key().as_ref().to_vec(),
        pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
    })
}

impl NewPair {
    pub(crate) fn document(
        &self,
        region: &Region,
        serial: u64,
        valid_from: DateTime<Utc>,
        key: &SealingKey,
    ) -> SigningKeyDocument {
        let fingerprint = fingerprint(&self.public_der);
        SigningKeyDocument {
            region: region.clone(),
            serial,
            public_key: STANDARD.encode(&self.public_der),
            private_key: key.seal(&seal_context(region, &fingerprint), &self.pkcs8),
            valid_from,
            valid_to: valid_from + SIGNING_KEY_LIFETIME,
            fingerprint,
        }
    }
}

fn fingerprint(public_der: &[u8]) -> String {
    hex::encode(Md5::digest(public_der))
}

fn seal_context(region: &Region, fingerprint: &str) -> String {
    format!("{}/{region}/{fingerprint}", SigningKeyDocument::KIND)
}
