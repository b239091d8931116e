//! The keys of stores' tables: which store has one says its document; whoever opened the lake opens it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use opentrail_state::State;
use parking_lot::Mutex;

use crate::{
    store::{EventDataStore, StoreKey},
    warehouse::{DataKey, KeyRefused, Seal, Sealing, Warehouse},
};

/// Opens the keys of tables. It is asked at every file that is read or written, so it keeps what it opened for a while;
/// but a key that can't be used now is refused at once.
#[async_trait]
pub trait TableKeys: fmt::Debug + Send + Sync {
    /// The key of a store's table.
    ///
    /// # Errors
    /// [`KeyRefused::Gone`] only where it can never be opened again: events that wait for it are then dropped.
    async fn open(&self, store: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused>;
}

/// Opens none: for a lake without stores that have keys.
#[derive(Debug, Clone, Copy)]
pub struct NoKeys;

#[async_trait]
impl TableKeys for NoKeys {
    async fn open(&self, _: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused> {
        Err(KeyRefused::Closed(format!("{} can't be used here", key.arn)))
    }
}

/// The seal of one store's table, by the store's document as it is now.
struct StoreSeal {
    state: State,
    document: String,
    keys: Arc<dyn TableKeys>,
    /// The store as it was last seen: what is left to do when it is gone is done as before.
    last: Mutex<Arc<EventDataStore>>,
}

/// The warehouse as the table of a store sees it.
pub(super) fn warehouse_of(
    store: &EventDataStore,
    warehouse: &Warehouse,
    state: &State,
    keys: &Arc<dyn TableKeys>,
) -> Warehouse {
    warehouse.sealed_with(Arc::new(StoreSeal {
        state: state.clone(),
        document: store.document(),
        keys: Arc::clone(keys),
        last: Mutex::new(Arc::new(store.clone())),
    }))
}

impl StoreSeal {
    fn store(&self) -> Arc<EventDataStore> {
        match self.state.get::<EventDataStore>(&self.document) {
            Some(store) => {
                *self.last.lock() = Arc::clone(&store);
                store
            }
            None => Arc::clone(&self.last.lock()),
        }
    }
}

impl fmt::Debug for StoreSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSeal").field("document", &self.document).finish_non_exhaustive()
    }
}

#[async_trait]
impl Seal for StoreSeal {
    fn sealing(&self) -> Sealing {
        match &self.store().kms_key {
            None => Sealing::None,
            Some(key) if key.since_creation => Sealing::All,
            Some(_) => Sealing::New,
        }
    }

    async fn key(&self) -> Result<DataKey, KeyRefused> {
        let store = self.store();
        match &store.kms_key {
            Some(key) => self.keys.open(&store, key).await,
            None => Err(KeyRefused::Closed("the event data store has no key".to_owned())),
        }
    }
}
