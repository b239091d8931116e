//! A query that was read: one SELECT, the tables that it names, the parameters that it waits for.

use crate::SqlError;

/// How many characters a query may have: `QueryStatement` of
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html>.
pub const MAX_LENGTH: usize = 10_000;

/// A query, read but not planned: whether its columns exist is found out by [`Engine::run`](crate::Engine::run).
#[derive(Debug, Clone)]
pub struct Statement {
    tables: Vec<String>,
    parameters: usize,
}

impl Statement {
    /// Reads a query.
    ///
    /// # Errors
    /// [`SqlError::Mistake`] for anything that is not one SELECT in Trino's dialect, with its place.
    pub fn parse(sql: &str) -> Result<Self, SqlError> {
        if sql.chars().count() > MAX_LENGTH {
            return Err(SqlError::mistake(format!("A query has at most {MAX_LENGTH} characters")));
        }
        Err(SqlError::mistake("Queries can't be read yet"))
    }

    /// The tables that it names, each once, in the order of their first appearance, as written but in lower case:
    /// an event data store's id, or its ARN where that is written in double quotes. Names of its own (WITH) are not
    /// among them.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// How many `?` it has, which is how many parameters [`Engine::run`](crate::Engine::run) must be given.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }
}
