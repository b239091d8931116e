//! Queries over a small table, from their text to the rows as a caller sees them.

mod computed;
mod dialect;
mod errors;
mod format;
mod grouping;
mod limits;
mod names;
mod pruning;
mod stage;
mod unnest;
