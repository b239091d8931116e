//! The keyring: what other crates seal, open, sign and verify with.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::{Resource, State};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    customer::{Alias, Grant, Key, OpenedMaterials},
    error::KeyringError,
    master::{self, MasterKeySource},
    record,
    seal::{Sealed, SealingKey},
    signing::{self, PublicKeyInfo, SigningKey, SigningKeyDocument},
};

/// Seals secrets, and keeps the keys that sign digest files. Clones share it.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    state: State,
    account: AccountId,
    sealing: SealingKey,
    /// Opened signing keys by their fingerprint: as many as there are keys in the state.
    opened: RwLock<HashMap<String, Arc<SigningKey>>>,
    /// Held while a key is made, so that many that need one make one.
    making: tokio::sync::Mutex<()>,
    /// Opened materials of customer keys.
    materials: OpenedMaterials,
}

/// Something known, sealed: it opens with the right master key only.
#[derive(Serialize, Deserialize)]
struct MasterKeyCheck {
    sealed: Sealed,
}

impl Resource for MasterKeyCheck {
    const KIND: &'static str = "keyring.master-key-check";
}

const CHECK_ID: &str = "1";
const CHECK_CONTEXT: &str = "keyring.master-key-check/1";
const CHECK_PLAIN: &[u8] = b"opentrail";

impl Keyring {
    /// Opens the keyring kept in the state, with its master key. `account` is the one that owns the records of
    /// keys made by the keyring itself: the first account.
    ///
    /// # Errors
    /// [`KeyringError::WrongMasterKey`], [`KeyringError::MasterKeyMissing`], [`KeyringError::MasterKeyLength`]
    /// for what an operator has to put right; [`KeyringError::Disk`], [`KeyringError::State`] if the disk fails.
    pub async fn open(
        state: State,
        master: MasterKeySource,
        account: AccountId,
    ) -> Result<Keyring, KeyringError> {
        state.check::<SigningKeyDocument>()?;
        state.check::<Key>()?;
        state.check::<Alias>()?;
        state.check::<Grant>()?;
        let check = state.try_get::<MasterKeyCheck>(CHECK_ID)?;
        let (disk, in_use) = (state.disk(), check.is_some());
        let master = tokio::task::spawn_blocking(move || master::load(master, &*disk, in_use))
            .await
            .map_err(|_| KeyringError::Interrupted)??;
        let sealing = SealingKey::new(&master)?;
        match check {
            Some(check) => {
                sealing.unseal(CHECK_CONTEXT, &check.sealed).map_err(|_| KeyringError::WrongMasterKey)?;
            }
            None => {
                let mut tx = state.begin().await;
                tx.put(CHECK_ID, &MasterKeyCheck { sealed: sealing.seal(CHECK_CONTEXT, CHECK_PLAIN) });
                tx.commit(vec![record::master_key_adopted(account, state.now())?]).await?;
            }
        }
        let inner = Inner {
            state,
            account,
            sealing,
            opened: RwLock::default(),
            making: tokio::sync::Mutex::default(),
            materials: OpenedMaterials::default(),
        };
        Ok(Keyring { inner: Arc::new(inner) })
    }

    /// The state that the keys are kept in.
    pub(crate) fn state(&self) -> &State {
        &self.inner.state
    }

    pub(crate) fn opened_materials(&self) -> &OpenedMaterials {
        &self.inner.materials
    }

    /// Seals a secret. `context` names what it is and whose, such as `identity.access-key/AKIA…`: the secret
    /// opens with the same context only, so that a sealed secret cannot be moved to another place.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Sealed {
        self.inner.sealing.seal(context, plain)
    }

    /// Opens what [`seal`](Self::seal) gave; the bytes are overwritten when they are dropped.
    ///
    /// # Errors
    /// [`KeyringError::Unsealable`] if it was changed or sealed in another context.
    pub fn unseal(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        self.inner.sealing.unseal(context, sealed)
    }

    /// The key that signs in a region what stands for the time `at`, such as the end of a digest file's hour.
    /// It is valid at `at`, so that whoever asks for the keys of that time finds it, however late the file
    /// comes. It is made if there is none: at the first use, and when the last nears its end.
    ///
    /// Making one changes the state: a caller that holds a [`Transaction`](opentrail_state::Transaction) waits
    /// for itself for ever. Get the key first.
    ///
    /// # Errors
    /// [`KeyringError::State`] if a new key could not be kept, [`KeyringError::Generation`] and
    /// [`KeyringError::Damaged`] if there is no usable key.
    pub async fn signing_key(
        &self,
        region: &Region,
        at: DateTime<Utc>,
    ) -> Result<Arc<SigningKey>, KeyringError> {
        if let Some(key) = signing::signing_at(&self.keys(region), at) {
            return self.opened(key);
        }
        let _making = self.inner.making.lock().await;
        if let Some(key) = signing::signing_at(&self.keys(region), at) {
            return self.opened(key);
        }
        self.make(region, signing::beginning(at)).await
    }

    /// Makes a new key that signs in a region from `now` on. The keys before it stay valid for what they signed.
    /// As [`signing_key`](Self::signing_key), not to be called with a transaction in hand.
    ///
    /// # Errors
    /// As [`signing_key`](Self::signing_key).
    pub async fn rotate_signing_key(
        &self,
        region: &Region,
        now: DateTime<Utc>,
    ) -> Result<Arc<SigningKey>, KeyringError> {
        let _making = self.inner.making.lock().await;
        self.make(region, now).await
    }

    /// The public keys of a region that are valid at some time between `from` and `to`, both included, in the
    /// order in which they became so.
    pub fn public_keys(&self, region: &Region, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<PublicKeyInfo> {
        let mut keys = self.keys(region);
        keys.retain(|(_, key)| key.valid_from <= to && key.valid_to >= from);
        keys.sort_by_key(|(_, key)| (key.valid_from, key.serial));
        let infos = keys.iter().filter_map(|(_, key)| {
            let info = key.public_info();
            info.inspect_err(|error| tracing::error!(%error, "a signing key is left out")).ok()
        });
        infos.collect()
    }

    /// Opens every signing key of every region, and checks that it is the one its name says; how many there are.
    ///
    /// # Errors
    /// [`KeyringError::Unsealable`] or [`KeyringError::Damaged`] for the first that is not.
    pub fn check(&self) -> Result<usize, KeyringError> {
        let keys = self.inner.state.list::<SigningKeyDocument>("");
        for (id, key) in &keys {
            if *id != key.id() {
                return Err(KeyringError::Damaged { fingerprint: key.fingerprint.clone() });
            }
            key.open(&self.inner.sealing)?;
        }
        Ok(keys.len())
    }

    fn keys(&self, region: &Region) -> Vec<(String, Arc<SigningKeyDocument>)> {
        self.inner.state.list(&format!("{region}/"))
    }

    fn opened(&self, key: &SigningKeyDocument) -> Result<Arc<SigningKey>, KeyringError> {
        if let Some(opened) = self.inner.opened.read().get(&key.fingerprint) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(key.open(&self.inner.sealing)?);
        self.inner.opened.write().insert(key.fingerprint.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Called with `making` held.
    async fn make(
        &self,
        region: &Region,
        valid_from: DateTime<Utc>,
    ) -> Result<Arc<SigningKey>, KeyringError> {
        let pair =
            tokio::task::spawn_blocking(signing::generate).await.map_err(|_| KeyringError::Interrupted)??;
        let Inner { state, account, sealing, .. } = &*self.inner;
        let mut tx = state.begin().await;
        let earlier = tx.list::<SigningKeyDocument>(&format!("{region}/"));
        let serial = earlier.iter().map(|(_, key)| key.serial).max().unwrap_or(0) + 1;
        let document = pair.document(region, serial, valid_from, sealing);
        tx.put(&document.id(), &document);
        let record = record::signing_key_made(*account, &document, state.now())?;
        tx.commit(vec![record]).await?;
        tracing::info!(%region, fingerprint = document.fingerprint, "a signing key was made");
        self.opened(&document)
    }
}
