//! With which key the files of a table are sealed. What makes and opens keys is told by whoever opens the lake.

use std::fmt;

use async_trait::async_trait;
use opentrail_cipher::KEY_BYTES;
use zeroize::Zeroizing;

/// The key that the files of one table are sealed with. It is overwritten when it is dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// These bytes as a key.
    pub fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// Why the key of a table is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Not now: it is disabled, about to be deleted, or closed to the service.
    #[error("{0}")]
    Closed(String),
    /// Not any more: it was deleted.
    #[error("{0}")]
    Gone(String),
}

/// Which files of a table are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// None: the table has no key.
    None,
    /// New ones are. Those from before the table had a key may not be.
    New,
    /// All are, and what is not is refused.
    All,
}

/// What the files of one table are sealed with. It is asked at every file that is read or written.
#[async_trait]
pub trait Seal: fmt::Debug + Send + Sync {
    /// Which files are sealed, as of now. Once they are, they stay so.
    fn sealing(&self) -> Sealing;

    /// The key.
    ///
    /// # Errors
    /// [`KeyRefused`], also for a table without a key.
    async fn key(&self) -> Result<DataKey, KeyRefused>;
}
