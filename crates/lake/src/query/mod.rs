//! Queries: what was asked, what came of it, and the rows, for seven days.
//!
//! What was asked is a document ([`Query`]) from StartQuery until the query ends, so that it and the record of
//! StartQuery are one entry of the journal. What came of it is no change of the control plane: when a query ends, its
//! rows and its [`Outcome`] are files in a folder of the [`Shelf`], durable before the document goes. A document that is
//! there at a start, without an outcome, is a query that a crash ended.
//!
//! There is no SQL here: who runs queries is the server.

mod destination;
pub mod open;
mod record;
mod rows;
mod seal;
mod shelf;
mod status;

pub use destination::{Destination, DestinationError};
pub use record::{NoQueryId, Outcome, Query, QueryId, Record};
pub use rows::{Page, Row, RowReader, RowWriter};
pub use seal::ResultSeal;
pub use shelf::{Brief, Listing, Shelf};
pub use status::{DeliveryStatus, QueryStatus};

/// How long a query and its results are kept after it ended (AWS: "View query results", seven days).
pub const KEPT: chrono::Duration = chrono::Duration::days(7);

/// Queries of one account that may wait or run at once (AWS: MaxConcurrentQueriesException).
pub const MAX_CONCURRENT: usize = 10;

/// Longest text of a query, in characters (AWS: StartQuery, QueryStatement).
pub const MAX_STATEMENT: usize = 10_000;

/// Longest message of a query that failed, in characters (AWS: DescribeQuery, ErrorMessage).
pub const MAX_ERROR_MESSAGE: usize = 1_000;

/// Bytes on the disk that the results of all queries may take together, where nobody says otherwise. Ours; AWS documents none.
pub const DEFAULT_KEPT_BYTES: u64 = 64 << 30;

/// Bytes of rows that one query may leave, before compression: a result is there to be read, and a copy of a whole
/// event data store is had by federation. Ours; AWS documents none.
pub const MAX_RESULT_BYTES: u64 = 16 << 30;
