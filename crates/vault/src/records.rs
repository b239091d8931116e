//! The records of a change, made once its outcome is known and before it is written.

use opentrail_event::EventError;
use opentrail_state::OwnedEvent;

use crate::VaultError;

/// What the closures give that the vault asks for a change's records: the records, or why they can't be written. Then
/// nothing changes, because no change is without its records.
pub trait Records {
    /// The records.
    ///
    /// # Errors
    /// [`VaultError::Unrecorded`].
    fn written(self) -> Result<Vec<OwnedEvent>, VaultError>;
}

impl Records for Vec<OwnedEvent> {
    fn written(self) -> Result<Vec<OwnedEvent>, VaultError> {
        Ok(self)
    }
}

impl Records for Result<Vec<OwnedEvent>, EventError> {
    fn written(self) -> Result<Vec<OwnedEvent>, VaultError> {
        self.map_err(VaultError::Unrecorded)
    }
}
