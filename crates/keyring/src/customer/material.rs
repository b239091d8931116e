//! Key material: making it, sealing it, opening it.

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Key, KeySpec};
use crate::{error::KeyringError, keyring::Keyring, seal::Sealed};

/// One version of a key's material.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaterialVersion {
    /// Counts a key's versions from 1. A ciphertext names it.
    pub version: u32,
    /// `KeyMaterialId`: 64 hexadecimal digits that say nothing of the secret.
    pub id: String,
    /// Since when it encrypts.
    pub since: DateTime<Utc>,
    /// How it came about.
    pub origin: MaterialOrigin,
    /// The secret: 32 bytes of a symmetric key, a PKCS#8 document, or the bytes of an HMAC key.
    pub(crate) secret: Sealed,
}

/// How a version of a key's material came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaterialOrigin {
    /// With the key.
    Creation,
    /// By a rotation that was due.
    Automatic,
    /// By a rotation that somebody asked for.
    OnDemand,
}

/// Key material that no key has yet. Its secret is overwritten when it is dropped.
pub struct NewMaterial {
    pub(crate) spec: KeySpec,
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// A DER `SubjectPublicKeyInfo`.
    pub(crate) public: Option<Vec<u8>>,
}

impl NewMaterial {
    /// Draws material. For RSA this takes up to seconds of one core.
    ///
    /// # Errors
    /// [`KeyringError::Generation`].
    pub fn generate(spec: KeySpec) -> Result<Self, KeyringError> {
        let (secret, public) = match spec {
            KeySpec::SymmetricDefault => (random(32)?, None),
            KeySpec::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeySpec::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeySpec::Rsa4096 => rsa(KeySize::Rsa4096)?,
            KeySpec::P256 => ecc(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeySpec::P384 => ecc(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeySpec::P521 => ecc(&ECDSA_P521_SHA512_ASN1_SIGNING)?,
            KeySpec::P256K1 => ecc(&ECDSA_P256K1_SHA256_ASN1_SIGNING)?,
            KeySpec::Hmac224 => (random(28)?, None),
            KeySpec::Hmac256 => (random(32)?, None),
            KeySpec::Hmac384 => (random(48)?, None),
            KeySpec::Hmac512 => (random(64)?, None),
        };
        Ok(Self { spec, secret, public })
    }

    /// The private half as a PKCS#8 document; of a symmetric key the secret itself.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The public half as a DER `SubjectPublicKeyInfo`.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public.as_deref()
    }

    pub(crate) fn public_base64(&self) -> Option<String> {
        self.public.as_ref().map(|der| STANDARD.encode(der))
    }

    /// Seals it as a version of the key with this ARN.
    pub(crate) fn version(
        &self,
        keyring: &Keyring,
        arn: &str,
        version: u32,
        origin: MaterialOrigin,
        since: DateTime<Utc>,
    ) -> MaterialVersion {
        let id = hex::encode(digest(&SHA256, format!("{arn}/{version}/{}", uuid::Uuid::new_v4()).as_bytes()));
        let secret = keyring.seal(&seal_context(arn, version), &self.secret);
        MaterialVersion { version, id, since, origin, secret }
    }
}

impl Key {
    /// Opens a version of the material.
    pub(crate) fn open_material(
        &self,
        keyring: &Keyring,
        material: &MaterialVersion,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        keyring.unseal(&seal_context(&self.arn, material.version), &material.secret)
    }

    /// The public half as a DER `SubjectPublicKeyInfo`; none of a symmetric key.
    pub fn public_key_der(&self) -> Option<Vec<u8>> {
        self.public_key.as_ref().and_then(|text| STANDARD.decode(text).ok())
    }
}

/// What a sealed secret is bound to: which key's, and which version.
fn seal_context(arn: &str, version: u32) -> String {
    format!("kms.key/{arn}/{version}")
}

type Pair = (Zeroizing<Vec<u8>>, Option<Vec<u8>>);

pub(crate) fn random(bytes: usize) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let mut secret = Zeroizing::new(vec![0; bytes]);
    rand::fill(&mut secret).map_err(|_| KeyringError::Generation)?;
    Ok(secret)
}

fn rsa(size: KeySize) -> Result<Pair, KeyringError> {
    let pair = RsaKeyPair::generate(size).map_err(|_| KeyringError::Generation)?;
    let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyringError::Generation)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyringError::Generation)?;
    Ok((Zeroizing::new(private.as_ref().to_vec()), Some(public.as_ref().to_vec())))
}

fn ecc(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Pair, KeyringError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| KeyringError::Generation)?;
    let private = pair.to_pkcs8v1().map_err(|_| KeyringError::Generation)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyringError::Generation)?;
    Ok((Zeroizing::new(private.as_ref().to_vec()), Some(public.as_ref().to_vec())))
}
