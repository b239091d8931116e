//! The engine: the threads, the memory and the disk space that all queries share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Limits, Running, SqlError, Statement, TableData};

/// What all queries together may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Memory of operators that hold rows (sorts, joins, aggregates), in bytes. What needs more is spilled to disk.
    pub memory: usize,
    /// Where it is spilled to. The folder is made, and what an earlier process left there is removed.
    pub spill_folder: PathBuf,
    /// How much may be there, in bytes.
    pub spill: u64,
    /// Threads that run queries.
    pub threads: usize,
    /// How many queries run at a time.
    pub concurrent: usize,
}

/// Runs queries, on threads of its own. Cheap to clone; the last one that is dropped ends the threads.
#[derive(Debug, Clone)]
pub struct Engine {
    options: Arc<EngineOptions>,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`SqlError::Internal`] if the folder or the threads can't be made.
    pub fn new(options: EngineOptions) -> Result<Self, SqlError> {
        Ok(Engine { options: Arc::new(options) })
    }

    /// Plans a query and starts it. `tables` has every name of [`Statement::tables`], `parameters` one text for each
    /// `?`, in order: a number, or a literal as it would stand in the query, else it is taken as a string.
    ///
    /// # Errors
    /// [`SqlError::Mistake`] for what is wrong in the query's text, with its place where it is known;
    /// [`SqlError::Busy`] if as many queries run as may.
    pub async fn run(
        &self,
        _statement: &Statement,
        _tables: BTreeMap<String, TableData>,
        _parameters: &[String],
        _limits: Limits,
    ) -> Result<Running, SqlError> {
        Err(SqlError::Internal(format!("not yet, on {} threads", self.options.threads)))
    }
}
