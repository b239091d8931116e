//! Locks by name, from a fixed number of stripes: two names may share one, which costs time and nothing else.
//!
//! Order, so that nobody waits in a circle: bucket, then upload, then key. Each holder takes at most one of
//! each kind.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

const KEY_STRIPES: usize = 1024;
const SHARED_STRIPES: usize = 256;

/// One holder for each name.
pub(crate) struct ExclusiveLocks {
    hasher: RandomState,
    stripes: Vec<Arc<Mutex<()>>>,
}

impl Default for ExclusiveLocks {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..KEY_STRIPES).map(|_| Arc::default()).collect() }
    }
}

impl ExclusiveLocks {
    pub(crate) async fn lock(&self, name: impl Hash) -> OwnedMutexGuard<()> {
        Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]).lock_owned().await
    }
}

/// Many users, or one that closes, for each name.
pub(crate) struct SharedLocks {
    hasher: RandomState,
    stripes: Vec<Arc<RwLock<()>>>,
}

impl Default for SharedLocks {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..SHARED_STRIPES).map(|_| Arc::default()).collect() }
    }
}

impl SharedLocks {
    pub(crate) async fn read(&self, name: impl Hash) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]).read_owned().await
    }

    pub(crate) async fn write(&self, name: impl Hash) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.stripes[stripe(&self.hasher, name, self.stripes.len())]).write_owned().await
    }
}

fn stripe(hasher: &RandomState, name: impl Hash, stripes: usize) -> usize {
    usize::try_from(hasher.hash_one(name) % stripes as u64).unwrap_or(0)
}
