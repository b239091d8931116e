//! Why a measurement has no result.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use opentrail_trails::StoreError;
use opentrail_wire::sigv4::SignError;

/// Why a measurement has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The output of the run is wrong: its figure does not count.
    #[error("the output is wrong: {0}")]
    Wrong(String),
    /// The server answered something else than success.
    #[error("{what} was answered with {status}: {body}")]
    Refused {
        /// The call.
        what: String,
        /// The answer's status.
        status: u16,
        /// The beginning of the answer's body.
        body: String,
    },
    /// The connection to the server broke.
    #[error("the connection to the server broke: {0}")]
    Connection(#[from] hyper::Error),
    /// A request can't be built.
    #[error("a request can't be built: {0}")]
    Request(#[from] http::Error),
    /// A request can't be signed.
    #[error("a request can't be signed: {0}")]
    Sign(#[from] SignError),
    /// The server or a tool ended.
    #[error("{program} ended with {status}:\n{output}")]
    Ended {
        /// Which.
        program: String,
        /// How.
        status: ExitStatus,
        /// The end of what it wrote.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}")]
    TooLate {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Input or output of the system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// JSON is not what was expected.
    #[error("JSON can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The bucket can't be read.
    #[error("the bucket can't be read: {0}")]
    Bucket(#[from] StoreError),
    /// Something that the measurement needs is not there.
    #[error("{0}")]
    Missing(String),
}

impl BenchError {
    /// For `map_err`: the failure of a file.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Fails with [`BenchError::Wrong`] unless it holds.
pub(crate) fn check(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), BenchError> {
    if holds { Ok(()) } else { Err(BenchError::Wrong(complaint())) }
}
