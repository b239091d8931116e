//! What Trino writes and DataFusion plans otherwise, rewritten in the parsed query before it is planned.

use sqlparser::ast;

use crate::SqlError;

/// Rewrites a query in place. Identifiers are already in their table's spelling; none is to be changed.
pub(crate) fn rewrite(_query: &mut ast::Query) -> Result<(), SqlError> {
    Ok(())
}
