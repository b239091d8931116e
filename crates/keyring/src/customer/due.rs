//! What happens to keys by time: deletions and rotations that are due.

use std::{ops::AddAssign, sync::Arc};

use chrono::{DateTime, Utc};

use super::{Key, KeyState, MaterialOrigin, service_record};
use crate::{error::KeyringError, keyring::Keyring};

/// What was done because it was due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Keys that were deleted.
    pub deleted: usize,
    /// Keys that were rotated.
    pub rotated: usize,
    /// Keys for which it could not be done; they stay due.
    pub failed: usize,
}

impl AddAssign for Due {
    fn add_assign(&mut self, other: Self) {
        self.deleted += other.deleted;
        self.rotated += other.rotated;
        self.failed += other.failed;
    }
}

impl Key {
    /// Whether its deletion is due.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        matches!(self.state, KeyState::PendingDeletion { at } if at <= now)
    }

    /// Only a key that is enabled rotates by itself; a disabled one does when it is enabled again.
    fn rotates_at(&self, now: DateTime<Utc>) -> bool {
        self.state == KeyState::Enabled && self.rotation.is_some_and(|rotation| rotation.next <= now)
    }
}

impl Keyring {
    /// Deletes and rotates the keys whose time has come, each with its record in one entry. A key for which that
    /// fails is logged and stays due; it keeps no other waiting.
    pub async fn do_what_is_due(&self, now: DateTime<Utc>) -> Due {
        let mut due = Due::default();
        let found: Vec<(String, Arc<Key>)> = self.state().list("");
        let ids =
            found.into_iter().filter(|(_, key)| key.is_due(now) || key.rotates_at(now)).map(|(id, _)| id);
        for id in ids {
            match self.do_due(&id, now).await {
                Ok(done) => due += done,
                Err(error) => {
                    tracing::error!(%error, key = id, "a key whose time has come waits");
                    due.failed += 1;
                }
            }
        }
        due
    }

    async fn do_due(&self, id: &str, now: DateTime<Utc>) -> Result<Due, KeyringError> {
        let mut tx = self.state().begin().await;
        let mut due = Due::default();
        // It may have changed while others had the lock.
        let Some(key) = tx.get::<Key>(id) else { return Ok(due) };
        if key.is_due(now) {
            self.destroy(&mut tx, &key);
            tx.commit(vec![service_record::key_deleted(&key, now)?]).await?;
            self.opened_materials().forget(&key.arn);
            tracing::info!(key = key.arn, "a key was deleted: its time had come");
            due.deleted = 1;
        } else if key.rotates_at(now) {
            self.rotate(&mut tx, &key, MaterialOrigin::Automatic, now)?;
            let Some(rotated) = tx.get::<Key>(id) else { return Ok(due) };
            tx.commit(vec![service_record::key_rotated(&key, &rotated, now)?]).await?;
            due.rotated = 1;
        }
        Ok(due)
    }
}
