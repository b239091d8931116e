//! Verification of signatures.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// Whether `signature` is an RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017, 8.2) of `message` under the
/// key, given as a PKCS#1 `RSAPublicKey` in DER. A key that is not one, or is outside of 2048 to 8192 bits,
/// verifies nothing.
pub fn verify(public_key_der: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key_der).verify(message, signature).is_ok()
}
