//! Deriving the signing key, and remembering the derived keys of late.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, hmac};

use super::credential::TERMINATOR;

/// The most derived keys remembered: one a (secret, day, region, service). 1024 keys take about 1.5 MiB.
const CACHE_ENTRIES: usize = 1024;

/// The HMAC key for one secret, day, region and service.
#[derive(Clone)]
pub(crate) struct SigningKey(Arc<hmac::Key>);

/// Names a derived key without keeping the secret.
pub(super) type KeyName = [u8; 32];

impl SigningKey {
    /// HMACs `AWS4` + secret over day, region, service and terminator in turn.
    pub(super) fn derive(secret: &str, day: &str, region: &str, service: &str) -> SigningKey {
        let seed = zeroize::Zeroizing::new(format!("AWS4{secret}"));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes());
        for part in [day, region, service, TERMINATOR] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        SigningKey(Arc::new(key))
    }

    /// The signature of `string_to_sign`, lower-case hex.
    pub(crate) fn sign(&self, string_to_sign: &[u8]) -> String {
        hex::encode(hmac::sign(&self.0, string_to_sign))
    }

    /// Whether `signature` (lower-case hex) is that of `string_to_sign`; takes the same time whatever differs.
    pub(crate) fn agrees(&self, string_to_sign: &[u8], signature: &str) -> bool {
        verify_slices_are_equal(self.sign(string_to_sign).as_bytes(), signature.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

struct Cache {
    keys: HashMap<KeyName, (SigningKey, u64)>,
    uses: u64,
}

static CACHE: LazyLock<Mutex<Cache>> =
    LazyLock::new(|| Mutex::new(Cache { keys: HashMap::with_capacity(CACHE_ENTRIES), uses: 0 }));

/// The name under which a key is remembered. No part can hold a NUL, except a secret, which stands last.
pub(super) fn name(secret: &str, day: &str, region: &str, service: &str) -> KeyName {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [day, region, service] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.update(secret.as_bytes());
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

/// The remembered key of that name.
pub(super) fn recall(name: &KeyName) -> Option<SigningKey> {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    cache.uses += 1;
    let now = cache.uses;
    let (key, used) = cache.keys.get_mut(name)?;
    *used = now;
    Some(key.clone())
}

/// Remembers a key whose signature was right, in place of the one longest unused. Keys of refused requests are not
/// remembered, so that they cannot push others out.
pub(super) fn remember(name: KeyName, key: SigningKey) {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.keys.len() >= CACHE_ENTRIES && !cache.keys.contains_key(&name) {
        let oldest = cache.keys.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| *name);
        if let Some(oldest) = oldest {
            cache.keys.remove(&oldest);
        }
    }
    cache.uses += 1;
    let now = cache.uses;
    cache.keys.insert(name, (key, now));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// IAM User Guide, "Examples of how to derive a signing key": the key of 2012-02-15 is
    /// f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d.
    #[test]
    fn derives_the_documented_key() {
        let mut documented = [0; 32];
        hex::decode_to_slice(
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d",
            &mut documented,
        )
        .unwrap();
        let documented = SigningKey(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &documented)));
        let derived = SigningKey::derive(SECRET, "20120215", "us-east-1", "iam");
        assert_eq!(derived.sign(b"text"), documented.sign(b"text"));
    }

    #[test]
    fn names_differ_by_every_part() {
        let base = name("s", "20120215", "r", "v");
        assert_ne!(base, name("t", "20120215", "r", "v"));
        assert_ne!(base, name("s", "20120216", "r", "v"));
        assert_ne!(base, name("s", "20120215", "rv", ""));
    }

    #[test]
    fn the_cache_stays_bounded() {
        for at in 0..CACHE_ENTRIES + 10 {
            let region = format!("r{at}");
            remember(name("s", "20120215", &region, "v"), SigningKey::derive("s", "20120215", "r", "v"));
        }
        assert!(CACHE.lock().unwrap().keys.len() <= CACHE_ENTRIES);
        assert!(recall(&name("s", "20120215", &format!("r{}", CACHE_ENTRIES + 9), "v")).is_some());
    }
}
