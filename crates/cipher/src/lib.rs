//! Bytes that are encrypted chunk by chunk, so that parts of them can be read: AES-256-GCM.
//!
//! Each file has a key of its own, derived from the key of what it belongs to and the file's id, so that a chunk's
//! number is a nonce that never comes twice. Every chunk is bound to its file, to its number and to whether it is the
//! last: chunks can't be exchanged, repeated, left out or cut off without it being noticed.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// What a chunk is longer by when it is encrypted.
pub const TAG_BYTES: usize = 16;

/// Bytes of a file's id.
pub const ID_BYTES: usize = 16;

/// The cryptographic library failed, for no input that there is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CipherFailed;

struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

/// A key for one purpose, which `info` names, from another key. Where the parts of `info` have no fixed lengths, it is for
/// the caller to see that no two purposes come to the same bytes.
///
/// # Errors
/// [`CipherFailed`].
pub fn derived(key: &[u8], info: &[&[u8]]) -> Result<Zeroizing<[u8; KEY_BYTES]>, CipherFailed> {
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    Salt::new(HKDF_SHA256, &[])
        .extract(key)
        .expand(info, Derived)
        .and_then(|okm| okm.fill(&mut *derived))
        .map_err(|_| CipherFailed)?;
    Ok(derived)
}

/// Encrypts and decrypts the chunks of one file.
pub struct ChunkCipher {
    key: LessSafeKey,
    id: [u8; ID_BYTES],
}

impl ChunkCipher {
    /// The cipher of the file `id`, whose key is derived from `key` for what `info` names. `info` must have the id, or
    /// something else that is different for each file.
    ///
    /// # Errors
    /// [`CipherFailed`].
    pub fn new(key: &[u8], info: &[&[u8]], id: [u8; ID_BYTES]) -> Result<Self, CipherFailed> {
        let derived = derived(key, info)?;
        let key = UnboundKey::new(&AES_256_GCM, &*derived).map_err(|_| CipherFailed)?;
        Ok(Self { key: LessSafeKey::new(key), id })
    }

    fn bound_to(&self, number: u64, last: bool) -> (Nonce, Aad<[u8; 25]>) {
        let mut nonce = [0; NONCE_LEN];
        nonce[0] = u8::from(last);
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let mut aad = [0; 25];
        aad[..16].copy_from_slice(&self.id);
        aad[16..24].copy_from_slice(&number.to_be_bytes());
        aad[24] = u8::from(last);
        (Nonce::assume_unique_for_key(nonce), Aad::from(aad))
    }

    /// The chunk as it is stored: [`TAG_BYTES`] longer. A number is sealed once.
    ///
    /// # Errors
    /// [`CipherFailed`].
    pub fn seal(&self, number: u64, last: bool, mut bytes: Vec<u8>) -> Result<Vec<u8>, CipherFailed> {
        let (nonce, aad) = self.bound_to(number, last);
        bytes.reserve_exact(TAG_BYTES);
        self.key.seal_in_place_append_tag(nonce, aad, &mut bytes).map_err(|_| CipherFailed)?;
        Ok(bytes)
    }

    /// The chunk as it was; `None` if it is not this chunk of this file.
    pub fn open(&self, number: u64, last: bool, mut stored: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, aad) = self.bound_to(number, last);
        let plain = self.key.open_in_place(nonce, aad, &mut stored).ok()?.len();
        stored.truncate(plain);
        Some(stored)
    }
}

impl std::fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkCipher")
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkCipher, TAG_BYTES};

    fn cipher(key: u8, id: u8) -> ChunkCipher {
        ChunkCipher::new(&[key; 32], &[b"test", &[id; 16]], [id; 16]).unwrap()
    }

    #[test]
    fn a_chunk_opens_in_its_own_place_only() {
        let stored = cipher(1, 7).seal(3, false, b"hello".to_vec()).unwrap();
        assert_eq!(stored.len(), 5 + TAG_BYTES);
        assert!(!stored.windows(5).any(|window| window == b"hello"));
        assert_eq!(cipher(1, 7).open(3, false, stored.clone()).unwrap(), b"hello");
        assert!(cipher(1, 7).open(4, false, stored.clone()).is_none());
        assert!(cipher(1, 7).open(3, true, stored.clone()).is_none());
        assert!(cipher(1, 8).open(3, false, stored.clone()).is_none());
        assert!(cipher(2, 7).open(3, false, stored).is_none());
        assert!(cipher(1, 7).open(0, true, Vec::new()).is_none());
    }
}
