//! Random identifiers in AWS's forms.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>.

use base64::{Engine, alphabet, engine::general_purpose};
use opentrail_event::AccountId;
use rand::{Rng, RngCore};
use zeroize::Zeroizing;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of a unique id: a prefix of four, then 17.
const UNIQUE_ID_RANDOM: usize = 17;
/// Characters of an access key id after its prefix of four.
const ACCESS_KEY_CHARS: usize = 16;
/// Bits that a character of an id stands for.
const BITS_A_CHAR: usize = 5;
/// Bits of an account's number.
const ACCOUNT_BITS: u32 = 40;
/// Where the account's number begins in the 80 bits of an access key's id. AWS has it there since 2019, and what
/// reads it there (secret scanners) finds ours.
const ACCOUNT_SHIFT: u32 = 39;
/// Bytes that make a secret of 40 base64 characters.
const SECRET_BYTES: usize = 30;

/// What an identifier stands for; AWS tells it by the first four characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    User,
    Group,
    Role,
    ManagedPolicy,
    InstanceProfile,
}

/// What an access key is for; AWS tells it by the first four characters too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    LongTerm,
    Session,
}

impl IdKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::ManagedPolicy => "ANPA",
            Self::InstanceProfile => "AIPA",
        }
    }
}

/// How the ids of temporary access keys begin.
pub(crate) const SESSION_PREFIX: &str = "ASIA";
const LONG_TERM_PREFIX: &str = "AKIA";

/// A fresh access key id of an account: its number and 40 random bits. Whoever keeps one looks whether it is taken.
pub(crate) fn fresh_key(kind: KeyKind, account: AccountId) -> String {
    let number: u128 = account.as_str().parse().unwrap_or_default();
    let around: u128 = rand::rng().random();
    let bits = around & !(((1 << ACCOUNT_BITS) - 1) << ACCOUNT_SHIFT) | number << ACCOUNT_SHIFT;
    let letter = |at: usize| char::from(BASE32[(bits >> (BITS_A_CHAR * at)) as usize % BASE32.len()]);
    let prefix = match kind {
        KeyKind::LongTerm => LONG_TERM_PREFIX,
        KeyKind::Session => SESSION_PREFIX,
    };
    prefix.chars().chain((0..ACCESS_KEY_CHARS).rev().map(letter)).collect()
}

/// The account in an access key's id; none in what is no such id.
pub(crate) fn account_of_key(id: &str) -> Option<AccountId> {
    let letters = id.strip_prefix(LONG_TERM_PREFIX).or_else(|| id.strip_prefix(SESSION_PREFIX))?;
    if letters.len() != ACCESS_KEY_CHARS {
        return None;
    }
    let bits = letters.bytes().try_fold(0_u128, |bits, letter| {
        let value = BASE32.iter().position(|known| *known == letter)?;
        Some(bits << BITS_A_CHAR | value as u128)
    })?;
    let number = bits >> ACCOUNT_SHIFT & ((1 << ACCOUNT_BITS) - 1);
    format!("{number:012}").parse().ok()
}

/// A fresh identifier; 80 or more random bits, so that two never meet.
pub(crate) fn fresh(kind: IdKind) -> String {
    let mut random = rand::rng();
    let mut id = String::with_capacity(21);
    id.push_str(kind.prefix());
    id.extend((0..UNIQUE_ID_RANDOM).map(|_| char::from(BASE32[random.random_range(0..BASE32.len())])));
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
    use super::{IdKind, KeyKind, account_of_key, fresh, fresh_key, fresh_secret};

    #[test]
    fn ids_have_the_lengths_and_letters_of_aws() {
        for (kind, prefix, length) in [
            (IdKind::User, "AIDA", 21),
            (IdKind::Group, "AGPA", 21),
            (IdKind::Role, "AROA", 21),
            (IdKind::InstanceProfile, "AIPA", 21),
            (IdKind::ManagedPolicy, "ANPA", 21),
        ] {
            let id = fresh(kind);
            assert!(id.starts_with(prefix) && id.len() == length, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{id}");
            assert_ne!(id, fresh(kind));
        }
    }

    #[test]
    fn an_access_keys_id_has_its_account() {
        for account in ["000000000000", "123456789012", "999999999999"] {
            let account = account.parse().unwrap();
            for (kind, prefix) in [(KeyKind::LongTerm, "AKIA"), (KeyKind::Session, "ASIA")] {
                let id = fresh_key(kind, account);
                assert!(id.starts_with(prefix) && id.len() == 20, "{id}");
                assert!(id.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{id}");
                assert_ne!(id, fresh_key(kind, account));
                assert_eq!(account_of_key(&id), Some(account));
            }
        }
    }

    #[test]
    fn the_account_is_where_aws_has_it() {
        // The example of https://trufflesecurity.com/blog/research-uncovers-aws-account-numbers-hidden-in-access-keys
        let example = account_of_key("ASIAQNZGKIQY56JQ7WML").unwrap();
        assert_eq!(example.as_str(), "029608264753");
        for none in ["", "AKIA", "AROAQNZGKIQY56JQ7WML", "AKIAROOTOPENTRAIL001", "ASIAqnzgkiqy56jq7wml"] {
            assert_eq!(account_of_key(none), None, "{none}");
        }
    }

    #[test]
    fn a_secret_has_forty_characters() {
        let secret = fresh_secret();
        assert_eq!(secret.len(), 40);
        assert_ne!(secret, fresh_secret());
    }
}
