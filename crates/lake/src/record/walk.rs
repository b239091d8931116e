//! From a form and the columns to the record's bytes, piece by piece.

use arrow_array::Array;

use super::{
    Fits, Misfit, escape,
    source::{Members, Source, span},
};

/// The code of the first member; those of the others follow it.
pub(super) const FIRST_MEMBER: u8 = b'#';
/// How many members an object's schema may have: codes end before the special ones.
pub(super) const MOST_MEMBERS: usize = (b'{' - FIRST_MEMBER) as usize + 1;
pub(super) const ALSO: u8 = b'~';
pub(super) const OTHER: u8 = b'|';
pub(super) const STRING: u8 = b's';
pub(super) const RAW: u8 = b'r';
pub(super) const NULL: u8 = b'n';
pub(super) const REST: u8 = b'-';

/// Takes a record's bytes in their order.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]) -> Fits;

    /// Here comes the next value that no column has.
    fn rest(&mut self) -> Fits;
}

/// A form while it is read.
struct Form<'a> {
    left: &'a [u8],
}

impl<'a> Form<'a> {
    fn next(&mut self) -> Result<u8, Misfit> {
        let (first, left) = self.left.split_first().ok_or(Misfit)?;
        self.left = left;
        Ok(*first)
    }

    /// A number, a colon and so many bytes.
    fn key(&mut self) -> Result<&'a [u8], Misfit> {
        let mut length = 0usize;
        loop {
            match self.next()? {
                digit @ b'0'..=b'9' => {
                    let shifted = length.checked_mul(10).ok_or(Misfit)?;
                    length = shifted.checked_add(usize::from(digit - b'0')).ok_or(Misfit)?;
                }
                b':' => break,
                _ => return Err(Misfit),
            }
        }
        let (key, left) = self.left.split_at_checked(length).ok_or(Misfit)?;
        self.left = left;
        Ok(key)
    }
}

/// Gives the sink the record of a row.
pub(super) fn record(form: &[u8], rows: &Members<'_>, row: usize, sink: &mut impl Sink) -> Fits {
    let mut form = Form { left: form };
    object(&mut form, rows, row, sink)?;
    if form.left.is_empty() { Ok(()) } else { Err(Misfit) }
}

fn object(form: &mut Form<'_>, members: &Members<'_>, row: usize, sink: &mut impl Sink) -> Fits {
    if !members.has(row) {
        return Err(Misfit);
    }
    sink.put(b"{")?;
    let mut is_first = true;
    loop {
        let code = form.next()?;
        let comma = usize::from(std::mem::take(&mut is_first));
        match code {
            b'}' => return sink.put(b"}"),
            OTHER => {
                let key = form.key()?;
                sink.put(b",\"".get(comma..).unwrap_or_default())?;
                sink.put(key)?;
                sink.put(b"\":")?;
                sink.rest()?;
            }
            ALSO => {
                let member = members.get(place(form.next()?)?).ok_or(Misfit)?;
                sink.put(b",\"".get(comma..).unwrap_or_default())?;
                sink.put(member.also().ok_or(Misfit)?.as_bytes())?;
                sink.put(b"\":")?;
                value(form, &member.source, row, sink)?;
            }
            code => {
                let member = members.get(place(code)?).ok_or(Misfit)?;
                sink.put(member.key().get(comma..).unwrap_or_default())?;
                value(form, &member.source, row, sink)?;
            }
        }
    }
}

fn place(code: u8) -> Result<usize, Misfit> {
    code.checked_sub(FIRST_MEMBER).map(usize::from).filter(|place| *place < MOST_MEMBERS).ok_or(Misfit)
}

fn value(form: &mut Form<'_>, source: &Source<'_>, row: usize, sink: &mut impl Sink) -> Fits {
    match (form.next()?, source) {
        (REST, _) => sink.rest(),
        (NULL, _) => sink.put(b"null"),
        (b'{', Source::Maps { maps, keys, values }) => {
            if maps.is_null(row) {
                return Err(Misfit);
            }
            sink.put(b"{")?;
            let mut entries = span(maps.value_offsets(), row)?;
            let mut is_first = true;
            loop {
                let code = form.next()?;
                if code == b'}' {
                    return if entries.next().is_none() { sink.put(b"}") } else { Err(Misfit) };
                }
                let entry = entries.next().ok_or(Misfit)?;
                if !std::mem::take(&mut is_first) {
                    sink.put(b",")?;
                }
                escape::string(keys.get(entry)?, sink)?;
                sink.put(b":")?;
                match code {
                    REST => sink.rest()?,
                    NULL => sink.put(b"null")?,
                    code => text(code, values.get(entry)?, sink)?,
                }
            }
        }
        (b'{', Source::Group(members)) => object(form, members, row, sink),
        (code @ (b'[' | b'{'), Source::Lists { lists, items }) => {
            if lists.is_null(row) {
                return Err(Misfit);
            }
            let elements = span(lists.value_offsets(), row)?;
            if code == b'[' {
                return array(form, items, elements, sink);
            }
            if elements.len() == 1 { object(form, items, elements.start, sink) } else { Err(Misfit) }
        }
        (code, source) => scalar(code, source, row, sink),
    }
}

fn array(
    form: &mut Form<'_>,
    items: &Members<'_>,
    mut elements: std::ops::Range<usize>,
    sink: &mut impl Sink,
) -> Fits {
    sink.put(b"[")?;
    let mut is_first = true;
    loop {
        let code = form.next()?;
        if code == b']' {
            return if elements.next().is_none() { sink.put(b"]") } else { Err(Misfit) };
        }
        let element = elements.next().ok_or(Misfit)?;
        if !std::mem::take(&mut is_first) {
            sink.put(b",")?;
        }
        match code {
            REST => sink.rest()?,
            NULL => sink.put(b"null")?,
            b'{' => object(form, items, element, sink)?,
            _ => return Err(Misfit),
        }
    }
}

/// A value that is one column's.
pub(super) fn scalar(code: u8, source: &Source<'_>, row: usize, sink: &mut impl Sink) -> Fits {
    match source {
        Source::Texts(texts) => text(code, texts.get(row)?, sink),
        Source::Flags(flags) if row < flags.len() && flags.is_valid(row) => {
            text(code, if flags.value(row) { "true" } else { "false" }, sink)
        }
        Source::Times(times) if row < times.len() && times.is_valid(row) && code == STRING => {
            let time = escape::time(times.value(row))?;
            sink.put(b"\"")?;
            sink.put(&time)?;
            sink.put(b"\"")
        }
        Source::Integers(numbers) if row < numbers.len() && numbers.is_valid(row) => {
            text(code, &numbers.value(row).to_string(), sink)
        }
        Source::Doubles(numbers) if row < numbers.len() && numbers.is_valid(row) => {
            text(code, &numbers.value(row).to_string(), sink)
        }
        _ => Err(Misfit),
    }
}

/// A text as a string, or as it is.
pub(super) fn text(code: u8, text: &str, sink: &mut impl Sink) -> Fits {
    match code {
        STRING => escape::string(text, sink),
        RAW => sink.put(text.as_bytes()),
        _ => Err(Misfit),
    }
}
