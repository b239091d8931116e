//! Random identifiers in AWS's forms.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>.

use base64::{Engine, alphabet, engine::general_purpose};
use rand::{Rng, RngCore};
use zeroize::Zeroizing;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of a unique id: a prefix of four, then 17.
const UNIQUE_ID_RANDOM: usize = 17;
/// Characters of an access key id after its prefix of four.
const ACCESS_KEY_RANDOM: usize = 16;
/// Bytes that make a secret of 40 base64 characters.
const SECRET_BYTES: usize = 30;

/// What an identifier stands for; AWS tells it by the first four characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    User,
    Group,
    Role,
    ManagedPolicy,
    LongTermKey,
    SessionKey,
}

impl IdKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::ManagedPolicy => "ANPA",
            Self::LongTermKey => LONG_TERM_PREFIX,
            Self::SessionKey => SESSION_PREFIX,
        }
    }

    fn random_chars(self) -> usize {
        match self {
            Self::LongTermKey | Self::SessionKey => ACCESS_KEY_RANDOM,
            _ => UNIQUE_ID_RANDOM,
        }
    }
}

/// How the ids of temporary access keys begin.
pub(crate) const SESSION_PREFIX: &str = "ASIA";
const LONG_TERM_PREFIX: &str = "AKIA";

/// A fresh identifier; 80 or more random bits, so that two never meet.
pub(crate) fn fresh(kind: IdKind) -> String {
    let mut random = rand::rng();
    let mut id = String::with_capacity(21);
    id.push_str(kind.prefix());
    id.extend((0..kind.random_chars()).map(|_| char::from(BASE32[random.random_range(0..BASE32.len())])));
    id
}

/// A fresh secret access key: 240 random bits as 40 characters of base64.
pub(crate) fn fresh_secret() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
    rand::rng().fill_bytes(bytes.as_mut());
    let engine = general_purpose::GeneralPurpose::new(&alphabet::STANDARD, general_purpose::NO_PAD);
    Zeroizing::new(engine.encode(bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::{IdKind, fresh, fresh_secret};

    #[test]
    fn ids_have_the_lengths_and_letters_of_aws() {
        for (kind, prefix, length) in [
            (IdKind::User, "AIDA", 21),
            (IdKind::Group, "AGPA", 21),
            (IdKind::Role, "AROA", 21),
            (IdKind::ManagedPolicy, "ANPA", 21),
            (IdKind::LongTermKey, "AKIA", 20),
            (IdKind::SessionKey, "ASIA", 20),
        ] {
            let id = fresh(kind);
            assert!(id.starts_with(prefix) && id.len() == length, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{id}");
            assert_ne!(id, fresh(kind));
        }
    }

    #[test]
    fn a_secret_has_forty_characters() {
        let secret = fresh_secret();
        assert_eq!(secret.len(), 40);
        assert_ne!(secret, fresh_secret());
    }
}
