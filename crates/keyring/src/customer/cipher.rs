//! Symmetric encryption: ciphertexts that name their key and are bound to their context.
//!
//! A ciphertext is
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the format, 1 |
//! | 16 | the key's id |
//! | 5 | the key's account, as a number |
//! | 1, n | the length of the region's name, and the name |
//! | 4 | the version of the key's material |
//! | 32 | the salt |
//! | n | the encrypted bytes |
//! | 16 | the tag |
//!
//! with numbers in network order. Key and nonce of AES-256-GCM are derived from the key's material and the salt with
//! HKDF-SHA256, so that no pair of them is used twice however often one key encrypts: random nonces alone would be
//! safe for 2³² messages only (NIST SP 800-38D, 8.3). All before the encrypted bytes, and the encryption context, are
//! authenticated.

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
    rand,
};
use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use parking_lot::RwLock;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    EncryptionContext, Key, KeyRefusal, KeyUsage, MaterialVersion, NewMaterial, context::canonical, limits,
    material::random,
};
use crate::{error::KeyringError, keyring::Keyring};

const FORMAT: u8 = 1;
const SALT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const ACCOUNT_BYTES: usize = 5;
const KEY_BYTES: usize = 32;
/// Names what the derived keys are for.
const PURPOSE: &[u8] = b"opentrail kms ciphertext 1";
/// Opened materials that are kept in memory: 64 bytes each.
const MAX_OPENED: usize = 4096;

/// A key for data: as it is, and as it may be kept.
pub struct DataKey {
    /// The key; it is overwritten when it is dropped.
    pub plaintext: Zeroizing<[u8; KEY_BYTES]>,
    /// The key, encrypted: [`Keyring::decrypt`] opens it.
    pub ciphertext: Vec<u8>,
}

/// What a ciphertext was made of.
pub struct Decrypted {
    /// The ARN of the key that it was encrypted with.
    pub key_arn: String,
    /// The id of that key's material.
    pub material_id: String,
    /// The bytes; they are overwritten when they are dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// The materials that were opened lately, by key and version.
#[derive(Default)]
pub(crate) struct OpenedMaterials(RwLock<HashMap<(String, u32), Arc<Prk>>>);

impl OpenedMaterials {
    /// Forgets a key's materials.
    pub(crate) fn forget(&self, arn: &str) {
        self.0.write().retain(|(of, _), _| of != arn);
    }
}

/// Everything before the encrypted bytes.
struct Header<'a> {
    account: AccountId,
    region: Region,
    id: String,
    version: u32,
    salt: &'a [u8],
    /// Of the header itself.
    bytes: &'a [u8],
    /// The encrypted bytes and the tag.
    sealed: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(ciphertext: &'a [u8]) -> Option<Self> {
        let mut rest = ciphertext;
        let mut take = |count: usize| {
            let (taken, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(taken)
        };
        if take(1)? != [FORMAT] {
            return None;
        }
        let id = Uuid::from_slice(take(16)?).ok()?.to_string();
        let digits = take(ACCOUNT_BYTES)?.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let account = format!("{digits:012}").parse().ok()?;
        let length = usize::from(*take(1)?.first()?);
        let region = std::str::from_utf8(take(length)?).ok()?.parse().ok()?;
        let version = u32::from_be_bytes(take(4)?.try_into().ok()?);
        let salt = take(SALT_BYTES)?;
        if rest.len() < TAG_BYTES {
            return None;
        }
        let bytes = &ciphertext[..ciphertext.len() - rest.len()];
        Some(Self { account, region, id, version, salt, bytes, sealed: rest })
    }

    fn write(key: &Key, version: u32, salt: &[u8; SALT_BYTES]) -> Option<Vec<u8>> {
        let id: Uuid = key.id.parse().ok()?;
        let account: u64 = key.account.as_str().parse().ok()?;
        let region = key.region.as_str().as_bytes();
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&account.to_be_bytes()[8 - ACCOUNT_BYTES..]);
        bytes.push(u8::try_from(region.len()).ok()?);
        bytes.extend_from_slice(region);
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(salt);
        Some(bytes)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The key and nonce of one message.
fn derived(material: &Prk, salt: &[u8]) -> Result<(LessSafeKey, Nonce), KeyringError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES + NONCE_LEN]);
    material
        .expand(&[PURPOSE, salt], Length(bytes.len()))
        .and_then(|derived| derived.fill(&mut *bytes))
        .map_err(|_| KeyringError::Generation)?;
    let (key, nonce) = bytes.split_at(KEY_BYTES);
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| KeyringError::Generation)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::Generation)?;
    Ok((LessSafeKey::new(key), nonce))
}

fn authenticated(header: &[u8], context: &EncryptionContext) -> Aad<Vec<u8>> {
    let mut bytes = header.to_vec();
    canonical(context, &mut bytes);
    Aad::from(bytes)
}

impl Keyring {
    /// Encrypts up to [`limits::MAX_PLAINTEXT_BYTES`] with a symmetric key.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`], [`KeyRefusal::InvalidUsage`],
    /// [`KeyRefusal::InvalidAlgorithm`], [`KeyRefusal::Validation`].
    pub fn encrypt(
        &self,
        key: &Key,
        plain: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KeyringError> {
        if plain.len() > limits::MAX_PLAINTEXT_BYTES {
            let message = format!("At most {} bytes can be encrypted.", limits::MAX_PLAINTEXT_BYTES);
            return Err(KeyRefusal::Validation(message).into());
        }
        self.seal_with_key(key, plain, context, "Encrypt")
    }

    /// As [`encrypt`](Self::encrypt), for secrets of any length that the keyring made, such as private keys.
    pub(crate) fn seal_with_key(
        &self,
        key: &Key,
        plain: &[u8],
        context: &EncryptionContext,
        operation: &'static str,
    ) -> Result<Vec<u8>, KeyringError> {
        check_context(context)?;
        key.check_usable()?;
        key.check_symmetric(operation)?;
        let material = key.material();
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| KeyringError::Generation)?;
        let header = Header::write(key, material.version, &salt).ok_or(KeyringError::Generation)?;
        let (cipher, nonce) = derived(&*self.opened_material(key, material)?, &salt)?;
        let mut body = Zeroizing::new(plain.to_vec());
        let tag = cipher
            .seal_in_place_separate_tag(nonce, authenticated(&header, context), &mut body)
            .map_err(|_| KeyringError::Generation)?;
        let mut ciphertext = header;
        ciphertext.extend_from_slice(&body);
        ciphertext.extend_from_slice(tag.as_ref());
        Ok(ciphertext)
    }

    /// A new 256-bit key for data, and its ciphertext under a symmetric key. A key whose deletion is due at `now` is
    /// not used any more.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt).
    pub fn generate_data_key(
        &self,
        key: &Key,
        context: &EncryptionContext,
        now: DateTime<Utc>,
    ) -> Result<DataKey, KeyringError> {
        if key.is_due(now) {
            return Err(KeyRefusal::NoSuchKey { key: key.arn.clone() }.into());
        }
        let mut plaintext = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *plaintext).map_err(|_| KeyringError::Generation)?;
        let ciphertext = self.seal_with_key(key, &*plaintext, context, "GenerateDataKey")?;
        Ok(DataKey { plaintext, ciphertext })
    }

    /// A new data key of so many bytes, and its ciphertext under a symmetric key. `operation` names it in a refusal.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt).
    pub fn generate_data_key_of(
        &self,
        key: &Key,
        context: &EncryptionContext,
        bytes: usize,
        operation: &'static str,
    ) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), KeyringError> {
        let plain = random(bytes)?;
        let ciphertext = self.seal_with_key(key, &plain, context, operation)?;
        Ok((plain, ciphertext))
    }

    /// The ciphertext of a pair's private half under a symmetric key. `operation` names it in a refusal.
    ///
    /// # Errors
    /// As [`encrypt`](Self::encrypt).
    pub fn seal_private_key(
        &self,
        key: &Key,
        pair: &NewMaterial,
        context: &EncryptionContext,
        operation: &'static str,
    ) -> Result<Vec<u8>, KeyringError> {
        self.seal_with_key(key, pair.secret(), context, operation)
    }

    /// Random bytes.
    ///
    /// # Errors
    /// [`KeyringError::Generation`].
    pub fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        random(bytes)
    }

    /// The key that a ciphertext says it was made with. Only [`decrypt`](Self::decrypt) knows whether it was.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidCiphertext`] if it names none, [`KeyRefusal::NoSuchKey`].
    pub fn key_of_ciphertext(&self, ciphertext: &[u8]) -> Result<Arc<Key>, KeyringError> {
        let header = Header::read(ciphertext).ok_or(KeyRefusal::InvalidCiphertext)?;
        self.key_with_id(&header.account, &header.region, &header.id)
    }

    /// Opens what [`encrypt`](Self::encrypt) or [`generate_data_key`](Self::generate_data_key) gave, with the same
    /// context only.
    ///
    /// # Errors
    /// [`KeyRefusal::InvalidCiphertext`] if it was changed or has another context; [`KeyRefusal::NoSuchKey`],
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`] if its key can't be used.
    pub fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Decrypted, KeyringError> {
        let header = Header::read(ciphertext).ok_or(KeyRefusal::InvalidCiphertext)?;
        let key = self.key_with_id(&header.account, &header.region, &header.id)?;
        key.check_usable()?;
        key.check_usage(KeyUsage::EncryptDecrypt, "Decrypt")?;
        let material = key.materials.iter().find(|material| material.version == header.version);
        let material = material.ok_or(KeyRefusal::InvalidCiphertext)?;
        let (cipher, nonce) = derived(&*self.opened_material(&key, material)?, header.salt)?;
        let mut body = Zeroizing::new(header.sealed.to_vec());
        let length = cipher
            .open_in_place(nonce, authenticated(header.bytes, context), &mut body)
            .map_err(|_| KeyRefusal::InvalidCiphertext)?
            .len();
        body.truncate(length);
        Ok(Decrypted { key_arn: key.arn.clone(), material_id: material.id.clone(), plaintext: body })
    }

    fn opened_material(&self, key: &Key, material: &MaterialVersion) -> Result<Arc<Prk>, KeyringError> {
        let name = (key.arn.clone(), material.version);
        let opened = self.opened_materials();
        if let Some(found) = opened.0.read().get(&name) {
            return Ok(Arc::clone(found));
        }
        let secret = key.open_material(self, material)?;
        let found = Arc::new(Prk::new_less_safe(HKDF_SHA256, &secret));
        let mut kept = opened.0.write();
        if kept.len() >= MAX_OPENED {
            kept.clear();
        }
        kept.insert(name, Arc::clone(&found));
        Ok(found)
    }
}

/// Refuses a context that is longer than one can be.
pub(crate) fn check_context(context: &EncryptionContext) -> Result<(), KeyRefusal> {
    let bytes: usize = context.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes <= limits::MAX_ENCRYPTION_CONTEXT_BYTES {
        return Ok(());
    }
    let most = limits::MAX_ENCRYPTION_CONTEXT_BYTES;
    Err(KeyRefusal::Validation(format!("The encryption context is longer than {most} bytes.")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Header;

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            let _ = Header::read(&bytes);
        }
    }
}
