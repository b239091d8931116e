//! RSA and elliptic curves: signatures, and encryption with a public key.

use aws_lc_rs::{
    digest::{self, Digest, SHA256, SHA384, SHA512, digest},
    rsa::{
        KeyPair as RsaKeyPair, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm,
        OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
    },
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1,
        ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use zeroize::Zeroizing;

use super::{EncryptionAlgorithm, Key, KeyRefusal, KeySpec, KeyUsage, MessageType, SigningAlgorithm};
use crate::{error::KeyringError, keyring::Keyring};

/// The label of every OAEP ciphertext: KMS has none.
const NO_LABEL: Option<&[u8]> = None;

impl SigningAlgorithm {
    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Pkcs1Sha256 | Self::PssSha256 | Self::EcdsaSha256 => &SHA256,
            Self::Pkcs1Sha384 | Self::PssSha384 | Self::EcdsaSha384 => &SHA384,
            Self::Pkcs1Sha512 | Self::PssSha512 | Self::EcdsaSha512 => &SHA512,
        }
    }

    fn rsa_encoding(self) -> Option<&'static dyn RsaEncoding> {
        Some(match self {
            Self::Pkcs1Sha256 => &RSA_PKCS1_SHA256,
            Self::Pkcs1Sha384 => &RSA_PKCS1_SHA384,
            Self::Pkcs1Sha512 => &RSA_PKCS1_SHA512,
            Self::PssSha256 => &RSA_PSS_SHA256,
            Self::PssSha384 => &RSA_PSS_SHA384,
            Self::PssSha512 => &RSA_PSS_SHA512,
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => return None,
        })
    }

    fn verification(self, spec: KeySpec) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Pkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Pkcs1Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Pkcs1Sha512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::PssSha256 => &RSA_PSS_2048_8192_SHA256,
            Self::PssSha384 => &RSA_PSS_2048_8192_SHA384,
            Self::PssSha512 => &RSA_PSS_2048_8192_SHA512,
            Self::EcdsaSha256 if spec == KeySpec::P256K1 => &ECDSA_P256K1_SHA256_ASN1,
            Self::EcdsaSha256 => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaSha384 => &ECDSA_P384_SHA384_ASN1,
            Self::EcdsaSha512 => &ECDSA_P521_SHA512_ASN1,
        }
    }
}

fn curve(spec: KeySpec) -> Option<&'static EcdsaSigningAlgorithm> {
    match spec {
        KeySpec::P256 => Some(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeySpec::P384 => Some(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeySpec::P521 => Some(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeySpec::P256K1 => Some(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
        _ => None,
    }
}

impl Keyring {
    /// The signature of a message or of its digest: PKCS#1 v1.5 or PSS of RSA, ASN.1 DER of ECDSA.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`], [`KeyRefusal::InvalidUsage`],
    /// [`KeyRefusal::InvalidAlgorithm`]; [`KeyRefusal::Validation`] for a digest of another length than the
    /// algorithm's.
    pub fn sign(
        &self,
        key: &Key,
        message: &[u8],
        kind: MessageType,
        algorithm: SigningAlgorithm,
    ) -> Result<Vec<u8>, KeyringError> {
        let digest = digest_to_sign(key, message, kind, algorithm, "Sign")?;
        let private = key.open_material(self, key.material())?;
        let unreadable = || KeyringError::Damaged { fingerprint: key.arn.clone() };
        if let Some(encoding) = algorithm.rsa_encoding() {
            let pair = RsaKeyPair::from_pkcs8(&private).map_err(|_| unreadable())?;
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign_digest(encoding, &digest, &mut signature).map_err(|_| KeyringError::Signing)?;
            return Ok(signature);
        }
        let curve = curve(key.spec).ok_or_else(unreadable)?;
        let pair = EcdsaKeyPair::from_pkcs8(curve, &private).map_err(|_| unreadable())?;
        let signature = pair.sign_digest(&digest).map_err(|_| KeyringError::Signing)?;
        Ok(signature.as_ref().to_vec())
    }

    /// Whether this is a signature of a message or of its digest.
    ///
    /// # Errors
    /// As [`sign`](Self::sign); [`KeyRefusal::InvalidSignature`] if it is not.
    pub fn verify_signature(
        &self,
        key: &Key,
        message: &[u8],
        kind: MessageType,
        signature: &[u8],
        algorithm: SigningAlgorithm,
    ) -> Result<(), KeyringError> {
        let digest = digest_to_sign(key, message, kind, algorithm, "Verify")?;
        UnparsedPublicKey::new(algorithm.verification(key.spec), public_key(key)?)
            .verify_digest(&digest, signature)
            .map_err(|_| KeyRefusal::InvalidSignature.into())
    }

    /// Encrypts with the public half of an RSA key.
    ///
    /// # Errors
    /// [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`], [`KeyRefusal::InvalidUsage`],
    /// [`KeyRefusal::InvalidAlgorithm`]; [`KeyRefusal::Validation`] for more than the key can encrypt at once.
    pub fn encrypt_oaep(
        &self,
        key: &Key,
        plain: &[u8],
        algorithm: EncryptionAlgorithm,
    ) -> Result<Vec<u8>, KeyringError> {
        let oaep = oaep(key, algorithm, "Encrypt")?;
        let unreadable = || KeyringError::Damaged { fingerprint: key.arn.clone() };
        let public = PublicEncryptingKey::from_der(&public_key(key)?).map_err(|_| unreadable())?;
        let public = OaepPublicEncryptingKey::new(public).map_err(|_| unreadable())?;
        let most = public.max_plaintext_size(oaep);
        if plain.len() > most {
            let message =
                format!("Algorithm {algorithm} and key spec {} encrypt at most {most} bytes.", key.spec);
            return Err(KeyRefusal::Validation(message).into());
        }
        let mut ciphertext = vec![0; public.ciphertext_size()];
        let length = public
            .encrypt(oaep, plain, &mut ciphertext, NO_LABEL)
            .map_err(|_| KeyringError::Generation)?
            .len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }

    /// Decrypts with the private half of an RSA key.
    ///
    /// # Errors
    /// As [`encrypt_oaep`](Self::encrypt_oaep); [`KeyRefusal::InvalidCiphertext`].
    pub fn decrypt_oaep(
        &self,
        key: &Key,
        ciphertext: &[u8],
        algorithm: EncryptionAlgorithm,
    ) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let oaep = oaep(key, algorithm, "Decrypt")?;
        let unreadable = || KeyringError::Damaged { fingerprint: key.arn.clone() };
        let private = key.open_material(self, key.material())?;
        let private = PrivateDecryptingKey::from_pkcs8(&private).map_err(|_| unreadable())?;
        let private = OaepPrivateDecryptingKey::new(private).map_err(|_| unreadable())?;
        let mut plain = Zeroizing::new(vec![0; private.min_output_size()]);
        let length = private
            .decrypt(oaep, ciphertext, &mut plain, NO_LABEL)
            .map_err(|_| KeyRefusal::InvalidCiphertext)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

fn digest_to_sign(
    key: &Key,
    message: &[u8],
    kind: MessageType,
    algorithm: SigningAlgorithm,
    operation: &'static str,
) -> Result<Digest, KeyringError> {
    key.check_usable()?;
    key.check_usage(KeyUsage::SignVerify, operation)?;
    if !key.signing_algorithms().contains(&algorithm) {
        return Err(key.lacks(algorithm).into());
    }
    match kind {
        MessageType::Raw => Ok(digest(algorithm.hash(), message)),
        MessageType::Digest => Digest::import_less_safe(message, algorithm.hash()).map_err(|_| {
            KeyRefusal::Validation(format!("Digest is invalid length for algorithm {algorithm}.")).into()
        }),
    }
}

fn oaep(
    key: &Key,
    algorithm: EncryptionAlgorithm,
    operation: &'static str,
) -> Result<&'static OaepAlgorithm, KeyringError> {
    key.check_usable()?;
    key.check_usage(KeyUsage::EncryptDecrypt, operation)?;
    match algorithm {
        _ if !key.encryption_algorithms().contains(&algorithm) => Err(key.lacks(algorithm).into()),
        EncryptionAlgorithm::OaepSha1 => Ok(&OAEP_SHA1_MGF1SHA1),
        EncryptionAlgorithm::OaepSha256 => Ok(&OAEP_SHA256_MGF1SHA256),
        EncryptionAlgorithm::SymmetricDefault => Err(key.lacks(algorithm).into()),
    }
}

fn public_key(key: &Key) -> Result<Vec<u8>, KeyringError> {
    key.public_key_der().ok_or_else(|| KeyringError::Damaged { fingerprint: key.arn.clone() })
}
