//! The keys of one file, and what they do with bytes.

use std::{fmt, io};

use aws_lc_rs::{
    cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    hmac,
    iv::FixedLength,
};
use zeroize::Zeroizing;

use super::{
    header::{FileId, Kind, NONCE_BYTES},
    xts::Xts,
};

/// Names what the derived keys are for.
const PURPOSE: &[u8] = b"opentrail file at rest 1";
const AES_KEY_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;

/// What all files' keys are derived from.
#[derive(Clone)]
pub(super) struct Root(Prk);

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root")
    }
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// A cryptographic call that cannot fail on these inputs did.
pub(super) fn broken(_: Unspecified) -> io::Error {
    io::Error::other("the cryptographic library failed")
}

impl Root {
    pub(super) fn new(data_key: &[u8; 32]) -> Self {
        Self(Salt::new(HKDF_SHA256, &[]).extract(data_key))
    }

    fn expand<const N: usize>(&self, kind: Kind, id: &FileId) -> io::Result<Zeroizing<[u8; N]>> {
        let mut derived = Zeroizing::new([0; N]);
        let info = [PURPOSE, &[kind as u8], id.as_slice()];
        self.0.expand(&info, Bytes(N)).and_then(|okm| okm.fill(&mut *derived)).map_err(broken)?;
        Ok(derived)
    }

    /// The key that authenticates a file's header, and that of its stream.
    pub(super) fn appended(&self, id: &FileId) -> io::Result<(hmac::Key, Stream)> {
        let derived = self.expand::<{ 2 * AES_KEY_BYTES }>(Kind::Appended, id)?;
        let (tag, stream) = derived.split_at(AES_KEY_BYTES);
        let stream = UnboundCipherKey::new(&AES_256, stream).and_then(DecryptingKey::ctr).map_err(broken)?;
        Ok((hmac::Key::new(hmac::HMAC_SHA256, tag), Stream(stream)))
    }

    /// The key that authenticates a file's header, and those of its blocks.
    pub(super) fn rewritten(&self, id: &FileId) -> io::Result<(hmac::Key, Xts)> {
        let derived = self.expand::<{ 3 * AES_KEY_BYTES }>(Kind::Rewritten, id)?;
        let (tag, blocks) = derived.split_at(AES_KEY_BYTES);
        let (blocks, tweaks) = blocks.split_at(AES_KEY_BYTES);
        Ok((hmac::Key::new(hmac::HMAC_SHA256, tag), Xts::new(blocks, tweaks).map_err(broken)?))
    }
}

/// AES-256-CTR at any place of a file: the counter is the nonce and the number of the block in the file.
pub(super) struct Stream(DecryptingKey);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    /// Encrypts or decrypts the bytes that stand at `offset`.
    pub(super) fn apply(&self, nonce: &[u8; NONCE_BYTES], offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let inside = (offset % BLOCK_BYTES as u64) as usize;
        let (first, rest) =
            bytes.split_at_mut(if inside == 0 { 0 } else { bytes.len().min(BLOCK_BYTES - inside) });
        let block = offset / BLOCK_BYTES as u64;
        if !first.is_empty() {
            let mut whole = [0; BLOCK_BYTES];
            whole[inside..inside + first.len()].copy_from_slice(first);
            self.blocks(nonce, block, &mut whole)?;
            first.copy_from_slice(&whole[inside..inside + first.len()]);
        }
        let block = if inside == 0 { block } else { block + 1 };
        if rest.is_empty() { Ok(()) } else { self.blocks(nonce, block, rest) }
    }

    fn blocks(&self, nonce: &[u8; NONCE_BYTES], block: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut counter = [0; BLOCK_BYTES];
        counter[..NONCE_BYTES].copy_from_slice(nonce);
        // 48 bits of counter: files end at 2^52 bytes, far behind what file systems hold.
        counter[NONCE_BYTES..].copy_from_slice(&block.to_be_bytes()[2..]);
        // In this mode decrypting is encrypting, and of the two it is the one that takes a counter.
        let context = DecryptionContext::Iv128(FixedLength::from(counter));
        self.0.decrypt(bytes, context).map(drop).map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(byte: u8) -> Stream {
        Root::new(&[byte; 32]).appended(&[1; 32]).unwrap().1
    }

    /// NIST SP 800-38A, F.5.5: CTR-AES256.
    #[test]
    fn it_is_the_mode_that_nist_describes() {
        let key = hex::decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").unwrap();
        let key = UnboundCipherKey::new(&AES_256, &key).and_then(DecryptingKey::ctr).unwrap();
        let mut bytes =
            hex::decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51").unwrap();
        let nonce = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap().try_into().unwrap();
        Stream(key).apply(&nonce, 0xfafb_fcfd_feff * 16, &mut bytes).unwrap();
        assert_eq!(hex::encode(&bytes[..16]), "601ec313775789a5b7a7f504bbf3d228");
    }

    proptest! {
        #[test]
        fn a_part_is_encrypted_as_the_whole_is(
            plain in proptest::collection::vec(any::<u8>(), 1..200), from in 0usize..200, offset in 0u64..100
        ) {
            let from = from % plain.len();
            let mut whole = plain.clone();
            stream(1).apply(&[2; NONCE_BYTES], offset, &mut whole).unwrap();
            let mut part = plain[from..].to_vec();
            stream(1).apply(&[2; NONCE_BYTES], offset + from as u64, &mut part).unwrap();
            prop_assert_eq!(&part, &whole[from..]);
            stream(1).apply(&[2; NONCE_BYTES], offset, &mut whole).unwrap();
            prop_assert_eq!(whole, plain);
        }
    }
}
