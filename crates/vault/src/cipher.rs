//! How the bytes of an object are encrypted: AES-256-GCM, chunk by chunk.
//!
//! Each blob has a key of its own, derived from the object's key and the blob's id, so that a chunk's number is a
//! nonce that never comes twice. Every chunk is bound to its blob, to its number and to whether it is the last:
//! chunks can't be exchanged, repeated, left out or cut off without it being noticed.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac,
};
use zeroize::Zeroizing;

use crate::{
    VaultError,
    encryption::{KeyFailure, ObjectKey},
    id::BlobId,
    limits::OBJECT_KEY_BYTES,
};

/// What a chunk is longer by on disk.
pub(crate) const TAG_BYTES: usize = 16;

/// Names what a derived key is for, so that none is used for two things.
const OF_BLOB: &[u8] = b"opentrail vault blob 1";
const OF_ETAG: &[u8] = b"opentrail vault etag 1";

struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        OBJECT_KEY_BYTES
    }
}

fn derive(key: &ObjectKey, info: &[&[u8]]) -> Result<Zeroizing<[u8; OBJECT_KEY_BYTES]>, VaultError> {
    let mut derived = Zeroizing::new([0; OBJECT_KEY_BYTES]);
    Salt::new(HKDF_SHA256, &[])
        .extract(key.bytes())
        .expand(info, Derived)
        .and_then(|okm| okm.fill(&mut *derived))
        .map_err(|_| failed())?;
    Ok(derived)
}

/// AES and HKDF fail for no input that there is here.
fn failed() -> VaultError {
    KeyFailure::Unavailable { reason: "the cryptographic library failed".to_owned() }.into()
}

/// Encrypts and decrypts the chunks of one blob.
pub(crate) struct BlobCipher {
    key: LessSafeKey,
    blob: BlobId,
}

impl BlobCipher {
    pub(crate) fn new(key: &ObjectKey, blob: BlobId) -> Result<Self, VaultError> {
        let derived = derive(key, &[OF_BLOB, &blob.0.to_be_bytes()])?;
        let key = UnboundKey::new(&AES_256_GCM, &*derived).map_err(|_| failed())?;
        Ok(Self { key: LessSafeKey::new(key), blob })
    }

    fn bound_to(&self, number: u64, last: bool) -> (Nonce, Aad<[u8; 25]>) {
        let mut nonce = [0; NONCE_LEN];
        nonce[0] = u8::from(last);
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let mut aad = [0; 25];
        aad[..16].copy_from_slice(&self.blob.0.to_be_bytes());
        aad[16..24].copy_from_slice(&number.to_be_bytes());
        aad[24] = u8::from(last);
        (Nonce::assume_unique_for_key(nonce), Aad::from(aad))
    }

    /// The chunk as it is stored: [`TAG_BYTES`] longer.
    pub(crate) fn seal(&self, number: u64, last: bool, mut bytes: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        let (nonce, aad) = self.bound_to(number, last);
        bytes.reserve_exact(TAG_BYTES);
        self.key.seal_in_place_append_tag(nonce, aad, &mut bytes).map_err(|_| failed())?;
        Ok(bytes)
    }

    /// The chunk as it was; `None` if it is not this chunk of this blob.
    pub(crate) fn open(&self, number: u64, last: bool, mut stored: Vec<u8>) -> Option<Vec<u8>> {
        let (nonce, aad) = self.bound_to(number, last);
        let plain = self.key.open_in_place(nonce, aad, &mut stored).ok()?.len();
        stored.truncate(plain);
        Some(stored)
    }
}

/// An entity tag that says whether bytes of one object are the same, and nothing else about them.
pub(crate) fn hidden_etag(key: &ObjectKey, md5: [u8; 16]) -> Result<String, VaultError> {
    let derived = derive(key, &[OF_ETAG])?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*derived), &md5);
    Ok(hex::encode(&tag.as_ref()[..16]))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{BlobCipher, TAG_BYTES, hidden_etag};
    use crate::{encryption::ObjectKey, id::BlobId};

    fn key(byte: u8) -> ObjectKey {
        ObjectKey::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_chunk_opens_in_its_own_place_only() {
        let cipher = BlobCipher::new(&key(1), BlobId(7)).unwrap();
        let stored = cipher.seal(3, false, b"hello".to_vec()).unwrap();
        assert_eq!(stored.len(), 5 + TAG_BYTES);
        assert!(!stored.windows(5).any(|window| window == b"hello"));
        assert_eq!(cipher.open(3, false, stored.clone()).unwrap(), b"hello");
        assert!(cipher.open(4, false, stored.clone()).is_none());
        assert!(cipher.open(3, true, stored.clone()).is_none());
        assert!(BlobCipher::new(&key(1), BlobId(8)).unwrap().open(3, false, stored.clone()).is_none());
        assert!(BlobCipher::new(&key(2), BlobId(7)).unwrap().open(3, false, stored).is_none());
        assert!(cipher.open(0, true, Vec::new()).is_none());
    }

    #[test]
    fn a_hidden_etag_is_the_same_for_the_same_bytes_and_key_only() {
        let tag = hidden_etag(&key(1), [9; 16]).unwrap();
        assert_eq!(tag.len(), 32);
        assert_eq!(tag, hidden_etag(&key(1), [9; 16]).unwrap());
        assert_ne!(tag, hidden_etag(&key(1), [8; 16]).unwrap());
        assert_ne!(tag, hidden_etag(&key(2), [9; 16]).unwrap());
    }
}
