//! Work that recurses with the depth of a query.

use crate::SqlError;

/// The stack of a thread that reads, plans or runs queries, in bytes. Sums of thousands of terms are trees thousands deep.
pub(crate) const STACK: usize = 64 << 20;

/// Runs `work` on a thread with a deep stack.
pub(crate) fn deep<T: Send>(work: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("sql-parse".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| SqlError::Internal(format!("no thread to read a query: {error}")))?
            .join()
            .unwrap_or_else(|_| Err(SqlError::Internal("the parser panicked".to_owned())))
    })
}
