//! Locks by name, from a fixed number of stripes: two names may share one, which costs time and nothing else.
//!
//! Order, so that nobody waits in a circle: bucket, then upload, then key. Each holder takes at most one of
//! each kind. A holder keeps its lock until the index has its change, which is long while the index cannot be
//! written; so nobody waits longer than the patience given, and hears then that the index is away.

use std::{
    future::Future,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::timeout,
};

use crate::VaultError;

const KEY_STRIPES: usize = 1024;
const SHARED_STRIPES: usize = 256;

/// One holder for each name.
pub(crate) struct ExclusiveLocks {
    hasher: RandomState,
    patience: Duration,
    stripes: Vec<Arc<Mutex<()>>>,
}

impl ExclusiveLocks {
    pub(crate) fn new(patience: Duration) -> Self {
        let stripes = (0..KEY_STRIPES).map(|_| Arc::default()).collect();
        Self { hasher: RandomState::new(), patience, stripes }
    }

    pub(crate) async fn lock(&self, name: impl Hash) -> Result<OwnedMutexGuard<()>, VaultError> {
        let stripe = Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]);
        within(self.patience, stripe.lock_owned()).await
    }
}

/// Many users, or one that closes, for each name.
pub(crate) struct SharedLocks {
    hasher: RandomState,
    patience: Duration,
    stripes: Vec<Arc<RwLock<()>>>,
}

impl SharedLocks {
    pub(crate) fn new(patience: Duration) -> Self {
        let stripes = (0..SHARED_STRIPES).map(|_| Arc::default()).collect();
        Self { hasher: RandomState::new(), patience, stripes }
    }

    pub(crate) async fn read(&self, name: impl Hash) -> Result<OwnedRwLockReadGuard<()>, VaultError> {
        let stripe = Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]);
        within(self.patience, stripe.read_owned()).await
    }

    pub(crate) async fn write(&self, name: impl Hash) -> Result<OwnedRwLockWriteGuard<()>, VaultError> {
        let stripe = Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]);
        within(self.patience, stripe.write_owned()).await
    }
}

async fn within<G>(patience: Duration, guard: impl Future<Output = G>) -> Result<G, VaultError> {
    timeout(patience, guard).await.map_err(|_| VaultError::IndexUnavailable)
}

fn stripe(hasher: &RandomState, name: impl Hash, stripes: usize) -> usize {
    usize::try_from(hasher.hash_one(name) % stripes as u64).unwrap_or(0)
}
