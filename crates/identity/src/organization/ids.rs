//! Identifiers of an organization and of what is in it, random in AWS's forms.
//!
//! Source: the patterns of the shapes in the service model of AWS Organizations.

use rand::Rng;

const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Characters after `o-`, `p-`, `h-` and `rp-`.
const USUAL_CHARS: usize = 10;
/// Characters after `r-`.
const ROOT_CHARS: usize = 4;
/// Characters of a unit's own part.
const UNIT_CHARS: usize = 8;
/// Characters after `car-`.
const REQUEST_CHARS: usize = 32;
/// Digits of an account's id.
const ACCOUNT_DIGITS: usize = 12;

fn random(chars: usize, letters: &[u8]) -> String {
    let mut random = rand::rng();
    (0..chars).map(|_| char::from(letters[random.random_range(0..letters.len())])).collect()
}

/// `o-…`
pub(super) fn organization() -> String {
    format!("o-{}", random(USUAL_CHARS, LETTERS))
}

/// `r-…`
pub(super) fn root() -> String {
    format!("r-{}", random(ROOT_CHARS, LETTERS))
}

/// `ou-ROOT-…`
pub(super) fn unit(root: &str) -> String {
    let root = root.strip_prefix("r-").unwrap_or(root);
    format!("ou-{root}-{}", random(UNIT_CHARS, LETTERS))
}

/// `p-…`
pub(super) fn policy() -> String {
    format!("p-{}", random(USUAL_CHARS, LETTERS))
}

/// `h-…`
pub(super) fn handshake() -> String {
    format!("h-{}", random(USUAL_CHARS, LETTERS))
}

/// `rp-…`
pub(super) fn resource_policy() -> String {
    format!("rp-{}", random(USUAL_CHARS, LETTERS))
}

/// `car-…`
pub(super) fn creation() -> String {
    format!("car-{}", random(REQUEST_CHARS, LETTERS))
}

/// Twelve digits that do not begin with a zero, which tools that read ids as numbers would lose.
pub(super) fn account() -> String {
    random(1, &LETTERS[1..10]) + &random(ACCOUNT_DIGITS - 1, &LETTERS[..10])
}

#[cfg(test)]
mod tests {
    use super::{account, creation, handshake, organization, policy, resource_policy, root, unit};

    #[test]
    fn ids_have_the_forms_of_the_model() {
        for (id, prefix, length) in [
            (organization(), "o-", 12),
            (root(), "r-", 6),
            (unit("r-ab12"), "ou-ab12-", 16),
            (policy(), "p-", 12),
            (handshake(), "h-", 12),
            (resource_policy(), "rp-", 13),
            (creation(), "car-", 36),
        ] {
            assert!(id.starts_with(prefix) && id.len() == length, "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{id}");
        }
        let account = account();
        assert!(account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()), "{account}");
        assert!(!account.starts_with('0'), "{account}");
    }
}
