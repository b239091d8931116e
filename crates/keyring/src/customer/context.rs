//! The encryption context: what a ciphertext is bound to besides its key.

use std::collections::BTreeMap;

/// Names and values that are not secret and that a ciphertext opens with only.
pub type EncryptionContext = BTreeMap<String, String>;

/// The context's one form as bytes, for authentication: no two contexts have the same.
pub(crate) fn canonical(context: &EncryptionContext, bytes: &mut Vec<u8>) {
    for (name, value) in context {
        for text in [name, value] {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EncryptionContext, canonical};

    fn bytes(context: &EncryptionContext) -> Vec<u8> {
        let mut bytes = Vec::new();
        canonical(context, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn only_the_same_context_has_the_same_form(
            a in proptest::collection::btree_map("[ab]{0,3}", "[ab]{0,3}", 0..3),
            b in proptest::collection::btree_map("[ab]{0,3}", "[ab]{0,3}", 0..3),
        ) {
            prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
        }
    }
}
