//! A form made ready for many rows.
//!
//! What a form says of a record is the same in each row that has it, but for the values. So it is read once: all that
//! stands between two values, keys, quotes and brackets, becomes one piece of bytes, and a step says where the value
//! after it is.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, Int32Array, TimestampMicrosecondArray};
use arrow_buffer::NullBuffer;

use super::{
    Fits, Misfit, Sink,
    source::{Texts, span},
    value,
};

/// How deep maps and lists nest in a schema, the rows being the first level.
pub(super) const LEVELS: usize = 4;

/// A form for rows of one batch.
pub(super) struct Program<'a> {
    pub(super) form: Arc<str>,
    /// The bytes before the first value, then those before the second, and so on, at last those after all of them.
    pub(super) between: Vec<u8>,
    pub(super) steps: Vec<Step<'a>>,
}

pub(super) struct Step<'a> {
    /// How many bytes are before it.
    pub(super) before: usize,
    pub(super) place: Place,
    pub(super) act: Act<'a>,
}

/// A row, or an entry of a map or an element of a list in it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) level: usize,
    /// Which of the entries or elements that the level has.
    pub(super) number: usize,
}

pub(super) enum Act<'a> {
    /// A text between quotes, which are of the bytes around it.
    String(Texts<'a>),
    /// A text as it is.
    Raw(Texts<'a>),
    Flag(&'a BooleanArray),
    Time(&'a TimestampMicrosecondArray),
    Integer(&'a Int32Array),
    Double(&'a Float64Array),
    Rest,
    /// No value: there must be an object.
    Object(&'a NullBuffer),
    /// No value: there must be a map or a list of so many, which are the next level.
    Many {
        nulls: Option<&'a NullBuffer>,
        offsets: &'a [i32],
        count: usize,
    },
}

impl Program<'_> {
    /// Gives the sink the record of a row.
    #[inline]
    pub(super) fn run(&self, row: usize, sink: &mut impl Sink) -> Fits {
        let mut firsts = [0; LEVELS];
        firsts[0] = row;
        let mut between = self.between.as_slice();
        for step in &self.steps {
            let at = firsts.get(step.place.level).ok_or(Misfit)? + step.place.number;
            if step.before > 0 {
                let (before, after) = between.split_at_checked(step.before).ok_or(Misfit)?;
                sink.put(before)?;
                between = after;
            }
            match &step.act {
                Act::String(texts) => value::string(texts.get(at)?, sink)?,
                Act::Raw(texts) => sink.put(texts.get(at)?.as_bytes())?,
                Act::Flag(flags) => value::flag(flags, at, sink)?,
                Act::Time(times) => value::time(times, at, sink)?,
                Act::Integer(numbers) => value::integer(numbers, at, sink)?,
                Act::Double(numbers) => value::double(numbers, at, sink)?,
                Act::Rest => sink.rest()?,
                Act::Object(nulls) => value::present(Some(nulls), at)?,
                Act::Many { nulls, offsets, count } => {
                    value::present(*nulls, at)?;
                    let many = span(offsets, at)?;
                    if many.len() != *count {
                        return Err(Misfit);
                    }
                    *firsts.get_mut(step.place.level + 1).ok_or(Misfit)? = many.start;
                }
            }
        }
        sink.put(between)
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        2 * self.form.len() + self.between.capacity() + self.steps.capacity() * size_of::<Step<'_>>()
    }
}
