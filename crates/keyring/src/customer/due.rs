//! What happens to keys by time: deletions and rotations that are due.

use std::sync::Arc;

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
    /// Deletes and rotates the keys whose time has come, each with its record in one entry.
    ///
    /// # Errors
    /// [`KeyringError::State`] if a change could not be kept; what was done before it stays done.
    pub async fn do_what_is_due(&self, now: DateTime<Utc>) -> Result<Due, KeyringError> {
        let mut due = Due::default();
        let found: Vec<(String, Arc<Key>)> = self.state().list("");
        let ids =
            found.into_iter().filter(|(_, key)| key.is_due(now) || key.rotates_at(now)).map(|(id, _)| id);
        for id in ids {
            let mut tx = self.state().begin().await;
            // It may have changed while others had the lock.
            let Some(key) = tx.get::<Key>(&id) else { continue };
            if key.is_due(now) {
                self.destroy(&mut tx, &key);
                tx.commit(vec![service_record::key_deleted(&key, now)?]).await?;
                self.opened_materials().forget(&key.arn);
                tracing::info!(key = key.arn, "a key was deleted: its time had come");
                due.deleted += 1;
            } else if key.rotates_at(now) {
                self.rotate(&mut tx, &key, MaterialOrigin::Automatic, now)?;
                let Some(rotated) = tx.get::<Key>(&id) else { continue };
                tx.commit(vec![service_record::key_rotated(&key, &rotated, now)?]).await?;
                due.rotated += 1;
            }
        }
        Ok(due)
    }
}
