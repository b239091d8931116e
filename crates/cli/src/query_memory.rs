//! What queries use of the process's memory, as the allocator counts it.

use std::{fmt, sync::Arc};

use opentrail_memory::{Arena, MemoryError};
use opentrail_sql::MemoryGauge;

/// Counts what the threads of queries allocate.
///
/// # Errors
/// [`MemoryError`] if the allocator gives them no arena of their own.
pub(crate) fn gauge() -> Result<Arc<dyn MemoryGauge>, MemoryError> {
    Ok(Arc::new(QueryMemory(Arena::new()?)))
}

struct QueryMemory(Arena);

impl fmt::Debug for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MemoryGauge for QueryMemory {
    fn enter(&self) {
        if let Err(error) = self.0.enter() {
            tracing::warn!(%error, "the memory of a thread of queries is not counted");
        }
    }

    fn allocated(&self) -> usize {
        self.0.allocated().unwrap_or_else(|error| {
            tracing::warn!(%error, "the memory of queries is not known");
            0
        })
    }
}
