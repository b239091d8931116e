//! What can be wrong with a query, or with running it.

use std::fmt;
use std::time::Duration;

/// What the author of a query can do that uses too much.
const LESS: &str = "Read less (a narrower time range, fewer columns), or hold less: windows, joins, sorts, array_agg and \
                    UNNEST over many rows.";

/// Why a query was not run, or not to its end.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SqlError {
    /// The text is no query that this engine runs: its author must change it.
    #[error("{0}")]
    Mistake(Mistake),
    /// The query is right, and a value that it met is not: a division by zero, a cast that can't be, a subscript out of
    /// range.
    #[error("{0}")]
    Value(String),
    /// It ran longer than [`Limits::time`](crate::Limits::time).
    #[error("the query ran longer than the {} seconds that a query may run", .0.as_secs())]
    TimedOut(Duration),
    /// It was cancelled.
    #[error("the query was cancelled")]
    Cancelled,
    /// It needs more memory than the engine has, and what it does can't be spilled to disk. The text is for the log.
    #[error("Query exceeded the memory limit for queries. {LESS}")]
    OutOfMemory(String),
    /// All queries together used more memory than they may, in bytes, and it was the one to be ended.
    #[error(
        "Query exceeded the memory limit of {}MB for queries. {LESS} If other queries run, try again when they have ended.",
        .0 >> 20
    )]
    ExceededMemory(usize),
    /// It spilled more to disk than the engine may use there. The text is for the log.
    #[error("Query exceeded the temporary disk space for queries. {LESS}")]
    OutOfDisk(String),
    /// As many queries run as the engine runs at a time.
    #[error("{0} queries are running already")]
    Busy(usize),
    /// A file of a table can't be read.
    #[error("a table can't be read: {0}")]
    Table(String),
    /// The engine failed. The text is for the log, not for the author of the query.
    #[error("the query engine failed: {0}")]
    Internal(String),
}

impl SqlError {
    /// A mistake without a known place.
    pub(crate) fn mistake(message: impl Into<String>) -> Self {
        SqlError::Mistake(Mistake { place: None, message: message.into(), suggestion: None })
    }

    /// A mistake at a line and column, both counted from 1.
    pub(crate) fn mistake_at(place: (u64, u64), message: impl Into<String>) -> Self {
        SqlError::Mistake(Mistake { place: Some(place), message: message.into(), suggestion: None })
    }

    /// The line and column where the text is wrong, counted from 1 as an editor does.
    #[must_use]
    pub fn place(&self) -> Option<(u64, u64)> {
        match self {
            SqlError::Mistake(mistake) => mistake.place,
            _ => None,
        }
    }

    /// What the author may have meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            SqlError::Mistake(mistake) => mistake.suggestion.as_deref(),
            _ => None,
        }
    }
}

/// A mistake in the text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line and column in the text as its author wrote it, counted from 1; `None` where it can't be told.
    pub place: Option<(u64, u64)>,
    /// What is wrong, in plain words.
    pub message: String,
    /// What the author may have meant: the name that is nearest to the one written.
    pub suggestion: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}:{column}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " Did you mean '{suggestion}'?")?;
        }
        Ok(())
    }
}
