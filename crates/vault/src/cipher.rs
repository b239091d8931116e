//! How the bytes of an object are encrypted: chunk by chunk, as `opentrail_cipher` does it, each blob with a key of its own.

use aws_lc_rs::hmac;
pub(crate) use opentrail_cipher::TAG_BYTES;
use opentrail_cipher::{ChunkCipher, CipherFailed, derived};

use crate::{
    VaultError,
    encryption::{KeyFailure, ObjectKey},
    id::BlobId,
};

/// Names what a derived key is for, so that none is used for two things.
const OF_BLOB: &[u8] = b"opentrail vault blob 1";
const OF_ETAG: &[u8] = b"opentrail vault etag 1";

fn failed(error: CipherFailed) -> VaultError {
    KeyFailure::Unavailable { reason: error.to_string() }.into()
}

/// Encrypts and decrypts the chunks of one blob.
pub(crate) struct BlobCipher(ChunkCipher);

impl BlobCipher {
    pub(crate) fn new(key: &ObjectKey, blob: BlobId) -> Result<Self, VaultError> {
        let id = blob.0.to_be_bytes();
        ChunkCipher::new(key.bytes(), &[OF_BLOB, &id], id).map(Self).map_err(failed)
    }

    /// The chunk as it is stored: [`TAG_BYTES`] longer.
    pub(crate) fn seal(&self, number: u64, last: bool, bytes: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        self.0.seal(number, last, bytes).map_err(failed)
    }

    /// The chunk as it was; `None` if it is not this chunk of this blob.
    pub(crate) fn open(&self, number: u64, last: bool, stored: Vec<u8>) -> Option<Vec<u8>> {
        self.0.open(number, last, stored)
    }
}

/// An entity tag that says whether bytes of one object are the same, and nothing else about them.
pub(crate) fn hidden_etag(key: &ObjectKey, md5: [u8; 16]) -> Result<String, VaultError> {
    let derived = derived(key.bytes(), &[OF_ETAG]).map_err(failed)?;
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
