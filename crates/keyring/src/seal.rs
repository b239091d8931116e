//! Secrets at rest: AES-256-GCM under a key derived from the master key.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::{DecodeError, Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{error::KeyringError, master::MasterKey};

/// Which master key sealed a secret: the first. A later one gets the next number, so that both can be opened
/// while secrets are sealed anew.
const KEY_VERSION: u8 = 1;
const VERSION_BYTES: usize = 1;
const TAG_BYTES: usize = 16;
/// Names what the derived key is for, so that a key for another purpose can come from the same master key.
const PURPOSE: &[u8] = b"opentrail keyring seal 1";

/// A sealed secret: key version, nonce, ciphertext and tag. Its serde form is one base64 string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(Vec<u8>);

impl TryFrom<String> for Sealed {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        STANDARD.encode(sealed.0)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// The key that seals and opens.
pub(crate) struct SealingKey(RandomizedNonceKey);

struct Aes256;

impl KeyType for Aes256 {
    fn len(&self) -> usize {
        AES_256_GCM.key_len()
    }
}

impl SealingKey {
    pub(crate) fn new(master: &MasterKey) -> Result<Self, KeyringError> {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(&**master)
            .expand(&[PURPOSE], Aes256)
            .and_then(|derived| derived.fill(&mut *key))
            .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &*key))
            .map(Self)
            .map_err(|_| KeyringError::Generation)
    }

    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Sealed {
        let mut sealed = Vec::with_capacity(VERSION_BYTES + NONCE_LEN + plain.len() + TAG_BYTES);
        sealed.push(KEY_VERSION);
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(plain);
        let (head, body) = sealed.split_at_mut(VERSION_BYTES + NONCE_LEN);
        let (nonce, tag) = self
            .0
            .seal_in_place_separate_tag(aad(KEY_VERSION, context), body)
            .expect("AES-GCM seals anything up to 64 GiB, and a working process has random numbers");
        head[VERSION_BYTES..].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Sealed(sealed)
    }

    pub(crate) fn unseal(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let (&version, rest) = sealed.0.split_first().ok_or(KeyringError::Unsealable)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(KeyringError::Unsealable)?;
        if version != KEY_VERSION {
            return Err(KeyringError::Unsealable);
        }
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(version, context), &mut body)
            .map_err(|_| KeyringError::Unsealable)?
            .len();
        body.truncate(plain);
        Ok(body)
    }
}

/// What is authenticated beside the secret: which key, and what the secret is for.
fn aad(version: u8, context: &str) -> Aad<Vec<u8>> {
    let mut bytes = Vec::with_capacity(VERSION_BYTES + context.len());
    bytes.push(version);
    bytes.extend_from_slice(context.as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(&Zeroizing::new([byte; 32])).unwrap()
    }

    #[test]
    fn the_same_secret_is_never_sealed_the_same_way() {
        assert_ne!(key(1).seal("a", b"secret"), key(1).seal("a", b"secret"));
    }

    #[test]
    fn a_sealed_secret_shows_nothing_when_printed() {
        let sealed = key(1).seal("a", b"secret");
        assert_eq!(format!("{sealed:?}"), "Sealed(35 bytes)");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(context in ".{0,40}", plain in proptest::collection::vec(any::<u8>(), 0..300)) {
            let sealed = key(7).seal(&context, &plain);
            let json = serde_json::to_string(&sealed).unwrap();
            let read: Sealed = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&**key(7).unseal(&context, &read).unwrap(), &*plain);
        }

        #[test]
        fn another_context_key_or_byte_does_not_open(
            plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<proptest::sample::Index>(), bit in 0u8..8
        ) {
            let sealed = key(7).seal("user/alice", &plain);
            prop_assert!(key(7).unseal("user/bob", &sealed).is_err());
            prop_assert!(key(8).unseal("user/alice", &sealed).is_err());
            let mut changed = sealed.clone();
            let at = at.index(changed.0.len());
            changed.0[at] ^= 1 << bit;
            prop_assert!(key(7).unseal("user/alice", &changed).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(key(7).unseal("", &Sealed(bytes)).is_err());
        }
    }
}
