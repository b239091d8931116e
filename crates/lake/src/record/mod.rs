//! The record in a file: not once more what the row's columns have, but what they lack.
//!
//! Most of a record's bytes are in the columns of its row already, and random ids among them don't compress, wherever
//! they stand. So a file has for each row the record's *form*: which members stood where and how each was written.
//! Forms repeat: 30,476 real events have 79. What no column gives back, a member that the schema lacks for example,
//! is the row's *rest*. The form, the rest and the columns make the record again, byte for byte, which is proved for
//! each row before it is written; a row of which that is not true keeps its record whole, in `eventJson`.
//!
//! # The form
//!
//! A text in `opentrail_form`, read from left to right: for each member in the record's order a character that says
//! which it is, then its value, and `}` at the end.
//!
//! | member | |
//! |---|---|
//! | `#` to `{` | the column, or member of a struct, at this place of the schema, `#` being the first |
//! | `~` and the same | the same by its other name |
//! | <code>&#124;</code>, a number, `:` and so many bytes | another member, by its key as in the record; its value is in the rest |
//!
//! | value | |
//! |---|---|
//! | `s` | a string, with what the column has in it |
//! | `r` | what the column has, without quotes |
//! | `n` | `null` |
//! | `-` | the next value of the rest |
//! | `{`, members, `}` | an object that is a struct of columns |
//! | `{`, a value for each entry, `}` | an object that is a map |
//! | `[`, `-`, `n` or `{`, members, `}` for each element, `]` | an array; without the brackets one object in its place |
//!
//! # The rest
//!
//! A text in `opentrail_rest`: values of JSON as they stand in the record, with commas between them; null where there
//! is none.
//!
//! Both are part of what files promise: what was written once must always be read.

mod array;
mod compile;
mod cursor;
mod derive;
mod escape;
mod form;
mod piece;
mod program;
mod programs;
mod prove;
mod restore;
mod rows;
mod source;
mod time;
mod value;

pub use rows::{Keep, records};
pub(crate) use rows::{Stored, without_records};

/// A form doesn't fit a row, or a record has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Misfit;

type Fits = Result<(), Misfit>;

/// Takes a record's bytes in their order.
trait Sink {
    fn put(&mut self, piece: &[u8]) -> Fits;

    /// Takes a text if it is a JSON string as it stands, but for the quotes. Otherwise it takes nothing and says so.
    fn put_plain(&mut self, text: &[u8]) -> Result<bool, Misfit>;

    /// Here comes the next value that no column has.
    fn rest(&mut self) -> Fits;
}

#[cfg(test)]
mod tests;
