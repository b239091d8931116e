//! Message authentication codes with HMAC keys.

use aws_lc_rs::hmac::{self, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};

use super::{Key, KeyRefusal, KeyUsage, MacAlgorithm};
use crate::{error::KeyringError, keyring::Keyring};

impl Keyring {
    /// The code of a message.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`], [`KeyRefusal::InvalidUsage`],
    /// [`KeyRefusal::InvalidAlgorithm`].
    pub fn mac(&self, key: &Key, message: &[u8], algorithm: MacAlgorithm) -> Result<Vec<u8>, KeyringError> {
        let opened = self.mac_key(key, algorithm, "GenerateMac")?;
        Ok(hmac::sign(&opened, message).as_ref().to_vec())
    }

    /// Whether this is the code of a message; compared in constant time.
    ///
    /// # Errors
    /// As [`mac`](Self::mac); [`KeyRefusal::InvalidMac`] if it is not.
    pub fn verify_mac(
        &self,
        key: &Key,
        message: &[u8],
        mac: &[u8],
        algorithm: MacAlgorithm,
    ) -> Result<(), KeyringError> {
        let opened = self.mac_key(key, algorithm, "VerifyMac")?;
        hmac::verify(&opened, message, mac).map_err(|_| KeyRefusal::InvalidMac.into())
    }

    fn mac_key(
        &self,
        key: &Key,
        algorithm: MacAlgorithm,
        operation: &'static str,
    ) -> Result<hmac::Key, KeyringError> {
        key.check_usable()?;
        key.check_usage(KeyUsage::GenerateVerifyMac, operation)?;
        if !key.mac_algorithms().contains(&algorithm) {
            return Err(key.lacks(algorithm).into());
        }
        let hash = match algorithm {
            MacAlgorithm::Sha224 => HMAC_SHA224,
            MacAlgorithm::Sha256 => HMAC_SHA256,
            MacAlgorithm::Sha384 => HMAC_SHA384,
            MacAlgorithm::Sha512 => HMAC_SHA512,
        };
        Ok(hmac::Key::new(hash, &key.open_material(self, key.material())?))
    }
}
