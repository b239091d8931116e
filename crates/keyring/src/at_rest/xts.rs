//! AES-256-XTS (IEEE 1619, NIST SP 800-38E) over whole blocks.
//!
//! aws-lc-rs offers AES by blocks and not this mode, which is a mask before and after. Parts of blocks, for which
//! the standard has a more intricate rule, do not occur here.

use std::{fmt, io};

use aws_lc_rs::{
    cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey},
    error::Unspecified,
};

use super::keys::broken;

/// A block of AES.
pub(super) const BLOCK_BYTES: u64 = 16;

/// Blocks in a data unit of 4 KiB.
const UNIT_BLOCKS: u64 = 4096 / BLOCK_BYTES;

/// The keys of one file.
pub(super) struct Xts {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
    tweaking: EncryptingKey,
}

impl fmt::Debug for Xts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Xts")
    }
}

impl Xts {
    pub(super) fn new(blocks: &[u8], tweaks: &[u8]) -> Result<Self, Unspecified> {
        let key = |bytes| UnboundCipherKey::new(&AES_256, bytes);
        Ok(Self {
            encrypting: EncryptingKey::ecb(key(blocks)?)?,
            decrypting: DecryptingKey::ecb(key(blocks)?)?,
            tweaking: EncryptingKey::ecb(key(tweaks)?)?,
        })
    }

    /// Encrypts whole blocks, of which the first is number `block` of the file.
    pub(super) fn encrypt(&self, block: u64, bytes: &mut [u8]) -> io::Result<()> {
        let masks = self.masks(block, bytes.len())?;
        mask(bytes, &masks);
        self.encrypting.less_safe_encrypt(bytes, EncryptionContext::None).map_err(broken)?;
        mask(bytes, &masks);
        Ok(())
    }

    /// Decrypts whole blocks, of which the first is number `block` of the file.
    pub(super) fn decrypt(&self, block: u64, bytes: &mut [u8]) -> io::Result<()> {
        let masks = self.masks(block, bytes.len())?;
        mask(bytes, &masks);
        self.decrypting.decrypt(bytes, DecryptionContext::None).map_err(broken)?;
        mask(bytes, &masks);
        Ok(())
    }

    /// The masks of the blocks: a unit's first is its number encrypted, each next one twice the one before.
    fn masks(&self, first: u64, bytes: usize) -> io::Result<Vec<u128>> {
        let count = bytes / BLOCK_BYTES as usize;
        let mut masks = Vec::with_capacity(count);
        let mut unit = first / UNIT_BLOCKS;
        let mut skip = first % UNIT_BLOCKS;
        while masks.len() < count {
            let mut start = u128::from(unit).to_le_bytes();
            self.tweaking.less_safe_encrypt(&mut start, EncryptionContext::None).map_err(broken)?;
            let mut mask = u128::from_le_bytes(start);
            for number in 0..UNIT_BLOCKS {
                if number >= skip && masks.len() < count {
                    masks.push(mask);
                }
                mask = doubled(mask);
            }
            unit += 1;
            skip = 0;
        }
        Ok(masks)
    }
}

/// Multiplication by x in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
fn doubled(mask: u128) -> u128 {
    (mask << 1) ^ if mask >> 127 == 1 { 0x87 } else { 0 }
}

fn mask(bytes: &mut [u8], masks: &[u128]) {
    for (block, mask) in bytes.chunks_exact_mut(BLOCK_BYTES as usize).zip(masks) {
        block.iter_mut().zip(mask.to_le_bytes()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ieee() -> Xts {
        // IEEE 1619-2007, annex B, vectors 10 to 14.
        let blocks = hex::decode("2718281828459045235360287471352662497757247093699959574966967627").unwrap();
        let tweaks = hex::decode("3141592653589793238462643383279502884197169399375105820974944592").unwrap();
        Xts::new(&blocks, &tweaks).unwrap()
    }

    fn counting() -> Vec<u8> {
        (0..512).map(|at| (at % 256) as u8).collect()
    }

    /// Vector 10: data unit 0xff, 512 bytes counting up.
    #[test]
    fn it_is_the_mode_that_the_standard_describes() {
        let mut bytes = counting();
        ieee().encrypt(0xff * UNIT_BLOCKS, &mut bytes).unwrap();
        assert_eq!(
            hex::encode(&bytes[..32]),
            "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"
        );
        ieee().decrypt(0xff * UNIT_BLOCKS, &mut bytes).unwrap();
        assert_eq!(bytes, counting());
    }

    #[test]
    fn blocks_are_the_same_alone_and_among_others() {
        let mut whole = vec![7; 3 * 4096];
        ieee().encrypt(0, &mut whole).unwrap();
        for block in [0, 1, 255, 256, 400, 767] {
            let mut alone = [7; 16];
            ieee().encrypt(block, &mut alone).unwrap();
            assert_eq!(alone, whole[block as usize * 16..][..16], "block {block}");
        }
    }
}
