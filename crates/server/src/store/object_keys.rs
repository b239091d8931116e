//! The keys of encrypted objects: SSE-S3's from a key of the store, SSE-KMS's from keys of KMS.
//!
//! A sealed key begins with a byte that says what it is:
//!
//! | first byte | then | the object's key is |
//! |---|---|---|
//! | 1 | 32 random bytes | derived from the store's key, those bytes and the object's ARN |
//! | 2 | a ciphertext of KMS | the plaintext; the context has the object's ARN |
//! | 3 | 32 random bytes, a ciphertext of KMS | derived from the plaintext (the bucket's key), those bytes and the object's ARN; the context has the bucket's ARN |

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use chrono::Utc;
use opentrail_event::{AccountId, Record, Region, UserIdentity};
use opentrail_keyring::{DataKey, EncryptionContext, Key, KeyRefusal, Keyring, KeyringError, Sealed};
use opentrail_state::{OwnedEvent, Resource, State};
use opentrail_vault::{
    Encryption, KeyFailure, KmsEncryption, ObjectKey, ObjectKeys, ObjectPlace, SealedKey,
    limits::OBJECT_KEY_BYTES,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::ServerError;

/// How long a bucket's key is used before KMS is asked for another, and one that was opened is kept. S3 says no
/// more than "for a limited time" of its own.
const BUCKET_KEY_WINDOW: Duration = Duration::from_secs(300);
/// Bucket keys in memory, at most; each is some 500 bytes.
const MAX_BUCKET_KEYS: usize = 4096;
const SEED_BYTES: usize = 32;
const OF_STORE: u8 = 1;
const OF_KMS: u8 = 2;
const OF_BUCKET: u8 = 3;
/// Name what derived keys are for.
const PURPOSE_STORE: &[u8] = b"opentrail sse-s3 object 1";
const PURPOSE_BUCKET: &[u8] = b"opentrail bucket key object 1";
/// The encryption context's name for the object or bucket.
const S3_ARN: &str = "aws:s3:arn";
const CONTEXT_OF_SEAL: &str = "server.store-key/1";
const STORE_KEY_ID: &str = "1";

/// The store's key for SSE-S3, sealed under the master key.
#[derive(Serialize, Deserialize)]
struct StoreKey {
    sealed: Sealed,
}

impl Resource for StoreKey {
    const KIND: &'static str = "server.store-key";
}

/// A bucket's key, as KMS gave or opened it.
#[derive(Clone)]
struct BucketKey {
    plain: Zeroizing<[u8; OBJECT_KEY_BYTES]>,
    ciphertext: Vec<u8>,
}

/// Makes and opens the keys of objects.
pub(crate) struct Keys {
    keyring: Keyring,
    store: Prk,
    /// To encrypt with: by bucket, KMS key and context.
    current: Window<(String, String, EncryptionContext), BucketKey>,
    /// To decrypt with: by ciphertext and bucket.
    opened: Window<(Vec<u8>, String), BucketKey>,
}

impl Keys {
    /// The keys of a store; its own is made if there is none yet.
    pub(crate) async fn open(state: &State, keyring: Keyring, home: AccountId) -> Result<Self, ServerError> {
        state.check::<StoreKey>()?;
        let kept = match state.try_get::<StoreKey>(STORE_KEY_ID)? {
            Some(kept) => keyring.unseal(CONTEXT_OF_SEAL, &kept.sealed)?,
            None => {
                let mut plain = Zeroizing::new(vec![0; OBJECT_KEY_BYTES]);
                aws_lc_rs::rand::fill(&mut plain).map_err(|_| KeyringError::Generation)?;
                let mut tx = state.begin().await;
                tx.put(STORE_KEY_ID, &StoreKey { sealed: keyring.seal(CONTEXT_OF_SEAL, &plain) });
                tx.commit(vec![store_key_made(home)?]).await?;
                plain
            }
        };
        let store = Salt::new(HKDF_SHA256, &[]).extract(&kept);
        Ok(Self { keyring, store, current: Window::default(), opened: Window::default() })
    }

    fn key_of(&self, kms: &KmsEncryption, place: &ObjectPlace<'_>) -> Result<Arc<Key>, KeyFailure> {
        let bucket = place.bucket;
        self.keyring.key(&bucket.owner, &bucket.region, &kms.key_arn).map_err(|error| failure(&error))
    }

    fn new_bucket_key(&self, kms: &KmsEncryption, place: &ObjectPlace<'_>) -> Result<BucketKey, KeyFailure> {
        let (key, context) = (self.key_of(kms, place)?, context_of(kms, place));
        // A key that can't be used now is not used from memory either.
        key.check_usable().map_err(|refusal| failure(&refusal.into()))?;
        let named = (place.bucket.name.clone(), kms.key_arn.clone(), context);
        self.current.get_or_make(named, |(_, _, context)| self.data_key(&key, context))
    }

    fn data_key(&self, key: &Key, context: &EncryptionContext) -> Result<BucketKey, KeyFailure> {
        let made =
            self.keyring.generate_data_key(key, context, Utc::now()).map_err(|error| failure(&error))?;
        let DataKey { plaintext, ciphertext, .. } = made;
        Ok(BucketKey { plain: plaintext, ciphertext })
    }

    fn decrypt(
        &self,
        kms: &KmsEncryption,
        ciphertext: &[u8],
        place: &ObjectPlace<'_>,
    ) -> Result<Zeroizing<[u8; OBJECT_KEY_BYTES]>, KeyFailure> {
        let opened =
            self.keyring.decrypt(ciphertext, &context_of(kms, place)).map_err(|error| failure(&error))?;
        if opened.key_arn != kms.key_arn {
            return Err(KeyFailure::Unopenable);
        }
        let mut plain = Zeroizing::new([0; OBJECT_KEY_BYTES]);
        if opened.plaintext.len() != plain.len() {
            return Err(KeyFailure::Unopenable);
        }
        plain.copy_from_slice(&opened.plaintext);
        Ok(plain)
    }

    fn opened_bucket_key(
        &self,
        kms: &KmsEncryption,
        ciphertext: &[u8],
        place: &ObjectPlace<'_>,
    ) -> Result<BucketKey, KeyFailure> {
        self.key_of(kms, place)?.check_usable().map_err(|refusal| failure(&refusal.into()))?;
        self.opened.get_or_make((ciphertext.to_vec(), place.bucket.name.clone()), |_| {
            Ok(BucketKey { plain: self.decrypt(kms, ciphertext, place)?, ciphertext: ciphertext.to_vec() })
        })
    }
}

impl ObjectKeys for Keys {
    fn make(&self, how: &Encryption, place: &ObjectPlace<'_>) -> Result<(ObjectKey, SealedKey), KeyFailure> {
        let seed: [u8; SEED_BYTES] = rand::random();
        match how {
            Encryption::S3 => {
                let sealed = [&[OF_STORE], &seed[..]].concat();
                Ok((derive(&self.store, PURPOSE_STORE, &seed, place)?, SealedKey(sealed)))
            }
            Encryption::Kms(kms) if kms.bucket_key => {
                let bucket_key = self.new_bucket_key(kms, place)?;
                let sealed = [&[OF_BUCKET], &seed[..], &bucket_key.ciphertext].concat();
                Ok((of_bucket_key(&bucket_key, &seed, place)?, SealedKey(sealed)))
            }
            Encryption::Kms(kms) => {
                let made = self.data_key(&*self.key_of(kms, place)?, &context_of(kms, place))?;
                let sealed = [&[OF_KMS], &made.ciphertext[..]].concat();
                Ok((ObjectKey::new(made.plain), SealedKey(sealed)))
            }
        }
    }

    fn open(
        &self,
        how: &Encryption,
        sealed: &SealedKey,
        place: &ObjectPlace<'_>,
    ) -> Result<ObjectKey, KeyFailure> {
        let (kind, rest) = sealed.0.split_first().ok_or(KeyFailure::Unopenable)?;
        match (*kind, how) {
            (OF_STORE, Encryption::S3) => {
                let seed = rest.try_into().map_err(|_| KeyFailure::Unopenable)?;
                derive(&self.store, PURPOSE_STORE, seed, place)
            }
            (OF_KMS, Encryption::Kms(kms)) if !kms.bucket_key => {
                Ok(ObjectKey::new(self.decrypt(kms, rest, place)?))
            }
            (OF_BUCKET, Encryption::Kms(kms)) if kms.bucket_key => {
                let (seed, ciphertext) = rest.split_first_chunk().ok_or(KeyFailure::Unopenable)?;
                of_bucket_key(&self.opened_bucket_key(kms, ciphertext, place)?, seed, place)
            }
            _ => Err(KeyFailure::Unopenable),
        }
    }
}

/// The encryption context that KMS is told for an object's key, or for its bucket's.
pub(crate) fn context_of(kms: &KmsEncryption, place: &ObjectPlace<'_>) -> EncryptionContext {
    let mut context = kms.context.clone();
    let arn = if kms.bucket_key { place.bucket_arn() } else { place.arn() };
    context.insert(S3_ARN.to_owned(), arn);
    context
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        OBJECT_KEY_BYTES
    }
}

fn derive(
    from: &Prk,
    purpose: &[u8],
    seed: &[u8; SEED_BYTES],
    place: &ObjectPlace<'_>,
) -> Result<ObjectKey, KeyFailure> {
    let mut key = Zeroizing::new([0; OBJECT_KEY_BYTES]);
    let arn = place.arn();
    from.expand(&[purpose, seed, arn.as_bytes()], Length)
        .and_then(|derived| derived.fill(&mut *key))
        .map_err(|_| KeyFailure::Unavailable { reason: "the cryptographic library failed".to_owned() })?;
    Ok(ObjectKey::new(key))
}

fn of_bucket_key(
    bucket_key: &BucketKey,
    seed: &[u8; SEED_BYTES],
    place: &ObjectPlace<'_>,
) -> Result<ObjectKey, KeyFailure> {
    let from = Salt::new(HKDF_SHA256, &[]).extract(&*bucket_key.plain);
    derive(&from, PURPOSE_BUCKET, seed, place)
}

/// What the keyring refused, in the vault's words.
pub(crate) fn failure(error: &KeyringError) -> KeyFailure {
    let KeyringError::Key(refusal) = error else {
        return KeyFailure::Unavailable { reason: error.to_string() };
    };
    let text = refusal.to_string();
    match refusal {
        KeyRefusal::NoSuchKey { .. }
        | KeyRefusal::NoSuchAlias { .. }
        | KeyRefusal::InvalidReference { .. } => KeyFailure::NotFound { message: text },
        KeyRefusal::Disabled { key } => KeyFailure::Disabled { key: key.clone() },
        KeyRefusal::InvalidState { key, state } => {
            KeyFailure::InvalidState { key: key.clone(), state: (*state).to_owned() }
        }
        KeyRefusal::InvalidUsage { key, .. } => KeyFailure::InvalidUsage { key: key.clone() },
        KeyRefusal::InvalidCiphertext | KeyRefusal::IncorrectKey => KeyFailure::Unopenable,
        _ => KeyFailure::Unavailable { reason: text },
    }
}

/// The record of the store's own key, which nobody asked for.
fn store_key_made(home: AccountId) -> Result<OwnedEvent, ServerError> {
    const S3: &str = "s3.amazonaws.com";
    let identity = UserIdentity::AwsService { invoked_by: S3.to_owned() };
    let (id, region) = (Uuid::new_v4(), Region::us_east_1());
    let mut record = Record::new(id, Utc::now(), identity, S3, "CreateStoreKey", region, home);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = S3.to_owned();
    record.user_agent = Some(S3.to_owned());
    record.read_only = Some(false);
    record.service_event_details = Some(json!({ "keyVersion": STORE_KEY_ID }));
    let event = record.into_event().map_err(KeyringError::from)?;
    Ok(OwnedEvent { owner: home, event })
}

/// Values that are kept for [`BUCKET_KEY_WINDOW`]. They are secrets: what is older leaves memory whenever something
/// is not found.
struct Window<K, V>(Mutex<HashMap<K, (V, Instant)>>);

impl<K, V> Default for Window<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Window<K, V> {
    fn get_or_make(&self, key: K, make: impl FnOnce(&K) -> Result<V, KeyFailure>) -> Result<V, KeyFailure> {
        self.get_or_make_at(key, Instant::now(), make)
    }

    fn get_or_make_at(
        &self,
        key: K,
        now: Instant,
        make: impl FnOnce(&K) -> Result<V, KeyFailure>,
    ) -> Result<V, KeyFailure> {
        let is_fresh = |made: &Instant| now.duration_since(*made) < BUCKET_KEY_WINDOW;
        {
            let mut kept = self.0.lock();
            match kept.get(&key) {
                Some((value, made)) if is_fresh(made) => return Ok(value.clone()),
                _ => kept.retain(|_, (_, made)| is_fresh(made)),
            }
        }
        let value = make(&key)?;
        let mut kept = self.0.lock();
        if kept.len() < MAX_BUCKET_KEYS {
            kept.insert(key, (value.clone(), now));
        }
        Ok(value)
    }
}

/// Who had a bucket's key asked of KMS lately. Uses of it within [`BUCKET_KEY_WINDOW`] are no calls of KMS, and so
/// have no records; but each requester makes one (S3 user guide, "Reducing the cost of SSE-KMS").
#[derive(Default)]
pub(crate) struct Requesters(Mutex<HashMap<[String; 4], Instant>>);

impl Requesters {
    /// Whether this use is a call of KMS: by requester, action, KMS key and bucket.
    pub(crate) fn calls(&self, usage: [String; 4]) -> bool {
        let now = Instant::now();
        let mut known = self.0.lock();
        if known.get(&usage).is_some_and(|at| now.duration_since(*at) < BUCKET_KEY_WINDOW) {
            return false;
        }
        if known.len() >= MAX_BUCKET_KEYS {
            known.retain(|_, at| now.duration_since(*at) < BUCKET_KEY_WINDOW);
        }
        if known.len() < MAX_BUCKET_KEYS {
            known.insert(usage, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use opentrail_vault::KeyFailure;

    use super::{BUCKET_KEY_WINDOW, Window};

    #[test]
    fn a_bucket_key_leaves_memory_when_its_time_is_over() {
        let (window, start) = (Window::default(), Instant::now());
        let get = |name: &'static str, after: Duration| {
            window.get_or_make_at(name, start + after, |_| Ok(after)).expect("it is made")
        };
        assert_eq!(get("one", Duration::ZERO), Duration::ZERO);
        assert_eq!(get("one", Duration::from_secs(1)), Duration::ZERO);
        let over = BUCKET_KEY_WINDOW;
        assert_eq!(get("two", over), over);
        assert_eq!(window.0.lock().keys().copied().collect::<Vec<_>>(), ["two"]);
        // Also when nothing takes its place.
        let failed = window.get_or_make_at("two", start + over * 2, |_| Err(KeyFailure::Unopenable));
        assert!(failed.is_err() && window.0.lock().is_empty());
    }
}
