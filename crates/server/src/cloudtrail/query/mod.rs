//! Queries over event data stores: StartQuery and its kin, over [`crate::queries`].

mod access;
pub(super) mod cancel;
pub(super) mod describe;
pub(super) mod generate;
pub(super) mod list;
mod plan;
pub(super) mod results;
mod samples;
pub(super) mod search;
pub(super) mod start;

use crate::fault::Fault;

fn invalid_parameter(message: impl Into<String>) -> Fault {
    Fault::declared("InvalidParameterException", message)
}

/// The size of a page, 1 to `limit`; without one asked for, `otherwise`.
fn page_size(name: &str, asked: Option<i64>, limit: usize, otherwise: usize) -> Result<usize, Fault> {
    let Some(asked) = asked else { return Ok(otherwise) };
    usize::try_from(asked).ok().filter(|count| (1..=limit).contains(count)).ok_or_else(|| {
        let message = format!("{name} must be between 1 and {limit}.");
        Fault::declared("InvalidMaxResultsException", message)
    })
}

fn invalid_token() -> Fault {
    Fault::declared("InvalidNextTokenException", "The NextToken is not one that this operation gave.")
}
