//! A value of a column as JSON has it, without the quotes around it.

use std::io::Write;

use arrow_array::{Array, BooleanArray, Float64Array, Int32Array, TimestampMicrosecondArray};
use arrow_buffer::NullBuffer;

use super::{Fits, Misfit, Sink, escape, time::written};

/// A text with no more escapes than JSON asks for, and the short ones where there are.
#[inline]
pub(super) fn string(text: &str, sink: &mut impl Sink) -> Fits {
    let text = text.as_bytes();
    if sink.put_plain(text)? { Ok(()) } else { escape::escaped(text, sink) }
}

pub(super) fn flag(flags: &BooleanArray, at: usize, sink: &mut impl Sink) -> Fits {
    present_in(flags, at)?;
    sink.put(if flags.value(at) { b"true" } else { b"false" })
}

pub(super) fn time(times: &TimestampMicrosecondArray, at: usize, sink: &mut impl Sink) -> Fits {
    present_in(times, at)?;
    sink.put(&written(times.value(at))?)
}

pub(super) fn integer(numbers: &Int32Array, at: usize, sink: &mut impl Sink) -> Fits {
    present_in(numbers, at)?;
    // The longest is that of the least: ten digits and a sign.
    let mut text = [0; 11];
    let mut left = text.as_mut_slice();
    write!(left, "{}", numbers.value(at)).map_err(|_| Misfit)?;
    let unused = left.len();
    sink.put(text.get(..text.len() - unused).ok_or(Misfit)?)
}

/// Some doubles have three hundred digits, so that their text has no place but an allocated one.
pub(super) fn double(numbers: &Float64Array, at: usize, sink: &mut impl Sink) -> Fits {
    present_in(numbers, at)?;
    sink.put(numbers.value(at).to_string().as_bytes())
}

#[inline]
fn present_in(array: &impl Array, at: usize) -> Fits {
    if at < array.len() { present(array.nulls(), at) } else { Err(Misfit) }
}

/// Whether there is something at a place.
#[inline]
pub(super) fn present(nulls: Option<&NullBuffer>, at: usize) -> Fits {
    if nulls.is_none_or(|nulls| at < nulls.len() && nulls.is_valid(at)) { Ok(()) } else { Err(Misfit) }
}
