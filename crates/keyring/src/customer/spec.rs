//! What kinds of keys there are, and which algorithms each has.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Makes an enum whose variants are spelled as in AWS's model.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them, in AWS's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// AWS's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

spelled! {
    /// The kind of a key's material.
    KeySpec {
        /// AES-256-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSA of 2,048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA of 3,072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA of 4,096 bits.
        Rsa4096 = "RSA_4096",
        /// The curve P-256 (secp256r1).
        P256 = "ECC_NIST_P256",
        /// The curve P-384 (secp384r1).
        P384 = "ECC_NIST_P384",
        /// The curve P-521 (secp521r1).
        P521 = "ECC_NIST_P521",
        /// The curve secp256k1.
        P256K1 = "ECC_SECG_P256K1",
        /// HMAC of 224 bits.
        Hmac224 = "HMAC_224",
        /// HMAC of 256 bits.
        Hmac256 = "HMAC_256",
        /// HMAC of 384 bits.
        Hmac384 = "HMAC_384",
        /// HMAC of 512 bits.
        Hmac512 = "HMAC_512",
    }
}

spelled! {
    /// What a key is for.
    KeyUsage {
        /// Encrypt and decrypt.
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        /// Sign and verify.
        SignVerify = "SIGN_VERIFY",
        /// Make and verify message authentication codes.
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
    }
}

spelled! {
    /// How a key encrypts.
    EncryptionAlgorithm {
        /// AES-256-GCM.
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        /// RSAES-OAEP with SHA-1.
        OaepSha1 = "RSAES_OAEP_SHA_1",
        /// RSAES-OAEP with SHA-256.
        OaepSha256 = "RSAES_OAEP_SHA_256",
    }
}

spelled! {
    /// How a key signs.
    SigningAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Pkcs1Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Pkcs1Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Pkcs1Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        /// RSASSA-PSS with SHA-256 and a salt of its length.
        PssSha256 = "RSASSA_PSS_SHA_256",
        /// RSASSA-PSS with SHA-384 and a salt of its length.
        PssSha384 = "RSASSA_PSS_SHA_384",
        /// RSASSA-PSS with SHA-512 and a salt of its length.
        PssSha512 = "RSASSA_PSS_SHA_512",
        /// ECDSA with SHA-256.
        EcdsaSha256 = "ECDSA_SHA_256",
        /// ECDSA with SHA-384.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// ECDSA with SHA-512.
        EcdsaSha512 = "ECDSA_SHA_512",
    }
}

spelled! {
    /// How a key makes message authentication codes.
    MacAlgorithm {
        /// HMAC with SHA-224.
        Sha224 = "HMAC_SHA_224",
        /// HMAC with SHA-256.
        Sha256 = "HMAC_SHA_256",
        /// HMAC with SHA-384.
        Sha384 = "HMAC_SHA_384",
        /// HMAC with SHA-512.
        Sha512 = "HMAC_SHA_512",
    }
}

spelled! {
    /// What is given to be signed.
    MessageType {
        /// The message itself.
        Raw = "RAW",
        /// The message's digest.
        Digest = "DIGEST",
    }
}

/// What a family of specs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Symmetric,
    Rsa,
    Ecc,
    Hmac,
}

impl KeySpec {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::SymmetricDefault => Family::Symmetric,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Family::Rsa,
            Self::P256 | Self::P384 | Self::P521 | Self::P256K1 => Family::Ecc,
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => Family::Hmac,
        }
    }

    /// Whether it is a key that encrypts and decrypts with one secret.
    pub fn is_symmetric(self) -> bool {
        self.family() == Family::Symmetric
    }

    /// Whether it has a public half.
    pub fn is_asymmetric(self) -> bool {
        matches!(self.family(), Family::Rsa | Family::Ecc)
    }

    /// What keys of this spec can be for.
    pub fn usages(self) -> &'static [KeyUsage] {
        match self.family() {
            Family::Symmetric => &[KeyUsage::EncryptDecrypt],
            Family::Rsa => &[KeyUsage::EncryptDecrypt, KeyUsage::SignVerify],
            Family::Ecc => &[KeyUsage::SignVerify],
            Family::Hmac => &[KeyUsage::GenerateVerifyMac],
        }
    }

    /// How a key of this spec and usage encrypts.
    pub fn encryption_algorithms(self, usage: KeyUsage) -> &'static [EncryptionAlgorithm] {
        match (self.family(), usage) {
            (Family::Symmetric, _) => &[EncryptionAlgorithm::SymmetricDefault],
            (Family::Rsa, KeyUsage::EncryptDecrypt) => {
                &[EncryptionAlgorithm::OaepSha1, EncryptionAlgorithm::OaepSha256]
            }
            _ => &[],
        }
    }

    /// How a key of this spec and usage signs.
    pub fn signing_algorithms(self, usage: KeyUsage) -> &'static [SigningAlgorithm] {
        use SigningAlgorithm as Algorithm;
        if usage != KeyUsage::SignVerify {
            return &[];
        }
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                Algorithm::Pkcs1Sha256,
                Algorithm::Pkcs1Sha384,
                Algorithm::Pkcs1Sha512,
                Algorithm::PssSha256,
                Algorithm::PssSha384,
                Algorithm::PssSha512,
            ],
            Self::P256 | Self::P256K1 => &[Algorithm::EcdsaSha256],
            Self::P384 => &[Algorithm::EcdsaSha384],
            Self::P521 => &[Algorithm::EcdsaSha512],
            _ => &[],
        }
    }

    /// How a key of this spec makes message authentication codes.
    pub fn mac_algorithms(self) -> &'static [MacAlgorithm] {
        match self {
            Self::Hmac224 => &[MacAlgorithm::Sha224],
            Self::Hmac256 => &[MacAlgorithm::Sha256],
            Self::Hmac384 => &[MacAlgorithm::Sha384],
            Self::Hmac512 => &[MacAlgorithm::Sha512],
            _ => &[],
        }
    }
}
