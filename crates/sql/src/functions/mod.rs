//! Trino's functions, as far as DataFusion has none of the same name and meaning.

use datafusion::prelude::SessionContext;

/// Makes Trino's functions known to a session.
pub fn register(_session: &SessionContext) {}
