//! Removing blobs that nobody refers to: what a crash left of uploads that were not committed.

use std::{path::PathBuf, sync::Arc};

use crate::{Vault, VaultError, follow::blocking};

/// What a sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs looked at.
    pub blobs: u64,
    /// Blobs that nobody referred to and that were removed.
    pub removed: u64,
    /// Files in the folder of blobs that are not ours; they are left alone.
    pub strangers: Vec<PathBuf>,
}

impl Vault {
    /// Looks at every blob on disk and removes those that neither the index refers to nor an upload or a reader
    /// uses. It may run at any time.
    ///
    /// # Errors
    /// [`VaultError::Io`], [`VaultError::IndexUnavailable`].
    pub async fn sweep(&self) -> Result<Swept, VaultError> {
        let _alone = self.inner.sweeping.lock().await;
        self.sweep_all().await
    }

    async fn sweep_all(&self) -> Result<Swept, VaultError> {
        let mut swept = Swept::default();
        // Whatever becomes an orphan from here on is a task of the next sweep.
        self.inner.blobs.set_orphans(false);
        for shard in 0..=u8::MAX {
            let (blobs, index) = (self.inner.blobs.clone(), self.inner.index.clone());
            let of_shard = blocking(move || {
                let (ids, strangers) = blobs.list(shard)?;
                let mut of_shard = Swept { blobs: ids.len() as u64, removed: 0, strangers };
                for id in ids {
                    // In this order: a blob leaves the first state only for the second, or for neither.
                    if !blobs.is_in_use(id) && !index.refers_to(id)? {
                        blobs.remove(id);
                        of_shard.removed += 1;
                    }
                }
                Ok(of_shard)
            });
            let of_shard = of_shard.await.inspect_err(|_| self.inner.blobs.set_orphans(true))?;
            swept.blobs += of_shard.blobs;
            swept.removed += of_shard.removed;
            swept.strangers.extend(of_shard.strangers);
        }
        Ok(swept)
    }

    /// Sweeps in the background. A check that is asked for meanwhile waits for it.
    pub(crate) async fn sweep_in_background(&self) {
        let (vault, alone) = (self.clone(), Arc::clone(&self.inner.sweeping).lock_owned().await);
        tokio::spawn(async move {
            match vault.sweep_all().await {
                Ok(swept) if swept.removed > 0 => {
                    tracing::info!(removed = swept.removed, "blobs left by a crash are removed");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "blobs left by a crash were not looked for to the end"),
            }
            drop(alone);
        });
    }
}
