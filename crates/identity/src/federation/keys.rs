//! The keys that an OpenID Connect provider signs with.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::TokenRefusal;
use crate::limits;

/// How a token may be signed: with a public key. A token that names a secret's algorithm would be verified with
/// what everyone knows.
pub(super) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

/// A provider's keys, as its JSON Web Key Set has them.
#[derive(Debug, Clone, Default)]
pub struct SigningKeys(Vec<Jwk>);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl SigningKeys {
    /// Reads a JSON Web Key Set (RFC 7517). Keys of a kind that nothing is verified with here are passed over.
    ///
    /// # Errors
    /// [`TokenRefusal::NoKey`] for what is no key set, or has more than
    /// [`limits::KEYS_PER_ISSUER`] keys.
    pub fn parse(json: &[u8]) -> Result<Self, TokenRefusal> {
        let set: KeySet = serde_json::from_slice(json).map_err(|_| TokenRefusal::NoKey)?;
        if set.keys.len() > limits::KEYS_PER_ISSUER {
            return Err(TokenRefusal::NoKey);
        }
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let signs = |key: &Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        Ok(Self(keys.filter(signs).collect()))
    }

    /// Whether a key with this id is among them; with no id, whether there is one key and no other.
    pub fn has(&self, kid: Option<&str>) -> bool {
        self.find(kid).is_some()
    }

    /// The key for a token signed so.
    pub(super) fn decoding_key(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let key = self.find(kid)?;
        let said = key.common.key_algorithm.map(|algorithm| algorithm.to_string());
        if said.is_some_and(|said| said != format!("{algorithm:?}")) {
            return None;
        }
        DecodingKey::from_jwk(key).ok().filter(|key| key.family() == algorithm.family())
    }

    fn find(&self, kid: Option<&str>) -> Option<&Jwk> {
        match (kid, self.0.as_slice()) {
            (Some(_), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SigningKeys;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"a","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

    #[test]
    fn keys_are_found_by_their_id_and_strange_ones_are_passed_over() {
        let text = format!(r#"{{"keys":[{EC},{{"kty":"strange"}},{{"kty":"RSA"}}]}}"#);
        let keys = SigningKeys::parse(text.as_bytes()).unwrap();
        assert!(keys.has(Some("a")) && keys.has(None) && !keys.has(Some("b")));
        let encrypting = EC.replace(r#""kid":"a""#, r#""kid":"a","use":"enc""#);
        let keys = SigningKeys::parse(format!(r#"{{"keys":[{encrypting}]}}"#).as_bytes()).unwrap();
        assert!(!keys.has(Some("a")) && !keys.has(None));
    }

    #[test]
    fn what_is_no_key_set_or_too_large_a_one_is_refused() {
        let many = vec![EC; crate::limits::KEYS_PER_ISSUER + 1].join(",");
        for text in ["", "[]", "{}", r#"{"keys":1}"#, &format!(r#"{{"keys":[{many}]}}"#)] {
            assert!(SigningKeys::parse(text.as_bytes()).is_err());
        }
    }
}
