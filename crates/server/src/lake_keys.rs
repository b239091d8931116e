//! The keys of event data stores' tables: made and opened by KMS, on behalf of CloudTrail.
//!
//! The key's policy must let CloudTrail, with the encryption context that names the store
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>). Policy and
//! state are asked at every file, so that a key that is disabled or closed is closed at once; KMS is asked to open the
//! table's key only every few minutes, and each of these calls is in the record.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::Utc;
use opentrail_event::Region;
use opentrail_identity::Caller;
use opentrail_keyring::{EncryptionContext, Key, KeyRefusal, Keyring, KeyringError};
use opentrail_lake::{
    ingest::TableKeys,
    store::{EventDataStore, StoreArn, StoreKey, WrappedKey},
    warehouse::{DataKey, KeyRefused},
};
use opentrail_policy::Context;
use opentrail_state::State;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    kms::{KeyGuard, permit::Use},
    recording::Recorder,
    store::{CLOUDTRAIL, NamedKey, context_of_trail, deed_with_key, service_context},
};

/// How long an opened key is used before KMS is asked again, and how often a refusal is recorded: as long as the keys of
/// buckets.
const WINDOW: Duration = Duration::from_secs(300);
/// Keys in memory, at most.
const MAX_OPENED: usize = 4096;

/// Makes and opens the keys of tables.
pub(crate) struct LakeKeys {
    keyring: Keyring,
    guard: KeyGuard,
    recorder: Recorder,
    state: State,
    /// By the store's ARN.
    opened: Mutex<HashMap<String, Opened>>,
    /// Stores whose keys were refused, since when.
    refused: Mutex<HashMap<String, Instant>>,
}

/// A table's key that KMS opened.
struct Opened {
    wrapped: WrappedKey,
    key: DataKey,
    since: Instant,
}

/// The encryption context of the key of a store's table.
fn context_of(store: &StoreArn) -> EncryptionContext {
    context_of_trail(&store.to_string())
}

impl LakeKeys {
    pub(crate) fn new(state: State, keyring: Keyring, guard: KeyGuard, recorder: Recorder) -> Self {
        Self { keyring, guard, recorder, state, opened: Mutex::default(), refused: Mutex::default() }
    }

    /// Whether the key's policy lets CloudTrail do this for a store.
    pub(crate) fn lets_cloudtrail(&self, action: &str, key: &Key, store: &StoreArn) -> Result<(), String> {
        let context = context_of(store);
        let wish = Use {
            action,
            context: Some(&context),
            via: None,
            named: &key.arn,
            ask: service_context(&store.region, &store.to_string(), &store.account),
        };
        let allowed = self.guard.may(&Caller::service(CLOUDTRAIL), key, &wish);
        allowed.map_err(|denied| denied.to_string())
    }

    /// Whether a caller may do this for a store through a service, `cloudtrail` or `s3`. `ask` has the request's own
    /// condition keys; the key is `named` as the caller named it.
    pub(crate) fn lets_caller(
        &self,
        (caller, ask): (&Caller, Context),
        action: &str,
        (key, named): (&Key, &str),
        (store, service): (&StoreArn, &str),
    ) -> Result<(), String> {
        let context = context_of(store);
        let via = format!("{service}.{}.amazonaws.com", store.region);
        let wish = Use { action, context: Some(&context), via: Some(&via), named, ask };
        self.guard.may(caller, key, &wish).map_err(|denied| denied.to_string())
    }

    /// A key for the table of a store, under this key of KMS. That is in the record when this returns.
    pub(crate) async fn make(&self, key: &Key, store: &StoreArn) -> Result<StoreKey, Fault> {
        let broken = |error: KeyringError| Fault::declared("KmsException", error.to_string());
        let made = self.keyring.generate_data_key(key, &context_of(store), Utc::now()).map_err(broken)?;
        let kept = self.keep("GenerateDataKey", &named(key), store, None).await;
        kept.map_err(|reason| Fault::common(Common::Unavailable, Dialect::Json, reason))?;
        Ok(StoreKey { arn: key.arn.clone(), wrapped: WrappedKey(made.ciphertext), since_creation: false })
    }

    /// The key of a store, if CloudTrail may open its table's key with it now.
    pub(crate) fn usable(&self, store: &EventDataStore, key: &StoreKey) -> Result<Arc<Key>, KeyRefused> {
        let found = self.keyring.key(&store.account, &store.region, &key.arn);
        let found = found.map_err(|error| match error {
            KeyringError::Key(KeyRefusal::NoSuchKey { .. }) => KeyRefused::Gone(error.to_string()),
            error => KeyRefused::Closed(error.to_string()),
        })?;
        found.check_usable().map_err(|refusal| KeyRefused::Closed(refusal.to_string()))?;
        self.lets_cloudtrail("kms:Decrypt", &found, &store.arn()).map_err(KeyRefused::Closed)?;
        Ok(found)
    }

    fn cached(&self, store: &str, key: &StoreKey) -> Option<DataKey> {
        let mut opened = self.opened.lock();
        opened.retain(|_, opened| opened.since.elapsed() < WINDOW);
        opened.get(store).filter(|opened| opened.wrapped == key.wrapped).map(|opened| opened.key.clone())
    }

    /// A refusal of KMS, which is recorded from time to time.
    async fn tell(&self, store: &EventDataStore, key: &StoreKey, refusal: &KeyRefused) {
        let arn = store.arn();
        {
            let mut refused = self.refused.lock();
            refused.retain(|_, since| since.elapsed() < WINDOW);
            if refused.insert(arn.to_string(), Instant::now()).is_some() {
                return;
            }
        }
        let fault = Fault::common(Common::AccessDenied, Dialect::Json, refusal.to_string());
        let (owner, region) = place_of(&key.arn).unwrap_or((store.account, store.region.clone()));
        let named = NamedKey { arn: &key.arn, owner, region: &region };
        if let Err(error) = self.keep("Decrypt", &named, &arn, Some(&fault)).await {
            tracing::warn!(error, store = %arn, "that a key was refused can't be recorded");
        }
    }

    async fn keep(
        &self,
        action: &str,
        key: &NamedKey<'_>,
        store: &StoreArn,
        fault: Option<&Fault>,
    ) -> Result<(), String> {
        let (arrival, context) = (Arrival::of_service(CLOUDTRAIL), context_of(store));
        let events = deed_with_key(action, key, &context, &arrival, fault).events(&self.recorder);
        let events = events.map_err(|error| error.to_string())?;
        self.state.append(Vec::new(), events).await.map(drop).map_err(|error| error.to_string())
    }
}

fn named(key: &Key) -> NamedKey<'_> {
    NamedKey { arn: &key.arn, owner: key.account, region: &key.region }
}

/// The account and the region in the ARN of a key.
fn place_of(arn: &str) -> Option<(opentrail_event::AccountId, Region)> {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next()?.parse().ok()?;
    Some((parts.next()?.parse().ok()?, region))
}

/// Opens a table's key, whoever asks.
fn opened(keyring: &Keyring, store: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused> {
    let opened = keyring.decrypt(&key.wrapped.0, &context_of(&store.arn())).map_err(|error| match error {
        KeyringError::Key(KeyRefusal::NoSuchKey { .. }) => KeyRefused::Gone(error.to_string()),
        error => KeyRefused::Closed(error.to_string()),
    })?;
    let unlike = || KeyRefused::Closed(format!("{} did not make the table's key", key.arn));
    let plain = opened.plaintext.as_slice().try_into().map_err(|_| unlike())?;
    if opened.key_arn == key.arn { Ok(DataKey::new(Zeroizing::new(plain))) } else { Err(unlike()) }
}

#[async_trait]
impl TableKeys for LakeKeys {
    async fn open(&self, store: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused> {
        let found = match self.usable(store, key) {
            Ok(found) => found,
            Err(refusal) => {
                self.tell(store, key, &refusal).await;
                return Err(refusal);
            }
        };
        let arn = store.arn();
        if let Some(known) = self.cached(&arn.to_string(), key) {
            return Ok(known);
        }
        let data_key = opened(&self.keyring, store, key)?;
        self.keep("Decrypt", &named(&found), &arn, None).await.map_err(KeyRefused::Closed)?;
        self.refused.lock().remove(&arn.to_string());
        let mut all = self.opened.lock();
        if all.len() < MAX_OPENED {
            let (wrapped, since) = (key.wrapped.clone(), Instant::now());
            all.insert(arn.to_string(), Opened { wrapped, key: data_key.clone(), since });
        }
        Ok(data_key)
    }
}

impl fmt::Debug for LakeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LakeKeys")
    }
}

/// Opens keys for whoever has the data folder and its master key, asks nobody and records nothing.
pub(crate) struct KeysOfFolder(pub(crate) Keyring);

impl fmt::Debug for KeysOfFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysOfFolder")
    }
}

#[async_trait]
impl TableKeys for KeysOfFolder {
    async fn open(&self, store: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused> {
        opened(&self.0, store, key)
    }
}
