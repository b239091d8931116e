//! From a record and its row's columns to its form.

use arrow_array::Array;

use super::{
    Fits, Misfit, Sink,
    cursor::Cursor,
    form::{ALSO, FIRST_MEMBER, NULL, OTHER, RAW, REST, STRING},
    source::{Members, Source, span},
    value,
};

/// The record's form; none for a record that has white space between its members, for example.
pub(super) fn form(record: &str, rows: &Members<'_>, row: usize) -> Option<String> {
    let mut derived = Derived { record: Cursor::new(record.as_bytes()), form: Vec::with_capacity(128) };
    derived.object(rows, row).ok()?;
    // It has whole keys of the record, which is text, and characters.
    if derived.record.is_at_end() { String::from_utf8(derived.form).ok() } else { None }
}

struct Derived<'a> {
    record: Cursor<'a>,
    form: Vec<u8>,
}

/// What a column gives is held against the record.
impl Sink for Derived<'_> {
    fn put(&mut self, bytes: &[u8]) -> Fits {
        self.record.pass(bytes)
    }

    #[inline]
    fn put_plain(&mut self, text: &[u8]) -> Result<bool, Misfit> {
        self.record.pass_plain(text)
    }

    fn rest(&mut self) -> Fits {
        self.record.value().map(drop)
    }
}

impl Derived<'_> {
    fn object(&mut self, members: &Members<'_>, row: usize) -> Fits {
        value::present(members.nulls(), row)?;
        self.put(b"{")?;
        if self.record.peek() == Some(b'}') {
            return self.close(b'}');
        }
        let mut guess = 0;
        loop {
            let key = self.record.string()?;
            self.put(b":")?;
            match members.find(guess, key) {
                Some((at, also)) => {
                    guess = at + 1;
                    self.form.extend(also.then_some(ALSO));
                    self.form.push(FIRST_MEMBER + u8::try_from(at).map_err(|_| Misfit)?);
                    let member = members.get(at).ok_or(Misfit)?;
                    self.value(&member.source, row)?;
                }
                None => {
                    self.form.push(OTHER);
                    self.form.extend_from_slice(key.len().to_string().as_bytes());
                    self.form.push(b':');
                    self.form.extend_from_slice(key);
                    self.rest()?;
                }
            }
            match self.record.peek() {
                Some(b',') => self.record.at += 1,
                Some(b'}') => return self.close(b'}'),
                _ => return Err(Misfit),
            }
        }
    }

    fn close(&mut self, bracket: u8) -> Fits {
        self.form.push(bracket);
        self.record.at += 1;
        Ok(())
    }

    /// What the column doesn't give is of the rest.
    fn value(&mut self, source: &Source<'_>, row: usize) -> Fits {
        self.or_rest(|derived| derived.read_column(source, row))
    }

    fn or_rest(&mut self, read: impl FnOnce(&mut Self) -> Fits) -> Fits {
        let (at, length) = (self.record.at, self.form.len());
        if read(self).is_ok() && matches!(self.record.peek(), Some(b',' | b'}' | b']')) {
            return Ok(());
        }
        self.record.at = at;
        self.form.truncate(length);
        self.form.push(REST);
        self.rest()
    }

    fn read_column(&mut self, source: &Source<'_>, row: usize) -> Fits {
        let first = self.record.peek().ok_or(Misfit)?;
        match (first, source) {
            (b'n', _) => self.null(),
            (b'{', Source::Maps { maps, keys, values }) if maps.is_valid(row) => {
                self.put(b"{")?;
                self.form.push(b'{');
                for (number, entry) in span(maps.value_offsets(), row)?.enumerate() {
                    if number > 0 {
                        self.put(b",")?;
                    }
                    self.put(b"\"")?;
                    value::string(keys.get(entry)?, self)?;
                    self.put(b"\":")?;
                    self.or_rest(|derived| match derived.record.peek() {
                        Some(b'n') => derived.null(),
                        Some(b'"') => derived.quoted(|derived| value::string(values.get(entry)?, derived)),
                        _ => derived.raw(|derived| derived.put(values.get(entry)?.as_bytes())),
                    })?;
                }
                if self.record.peek() == Some(b'}') { self.close(b'}') } else { Err(Misfit) }
            }
            (b'{', Source::Group(members)) => {
                self.form.push(b'{');
                self.object(members, row)
            }
            (b'{', Source::Lists { lists, items }) => {
                self.form.push(b'{');
                self.object(items, span(lists.value_offsets(), row)?.start)
            }
            (b'[', Source::Lists { lists, items }) => self.array(items, span(lists.value_offsets(), row)?),
            (b'"', source) => self.quoted(|derived| derived.scalar(STRING, source, row)),
            (_, source) => self.raw(|derived| derived.scalar(RAW, source, row)),
        }
    }

    fn array(&mut self, items: &Members<'_>, elements: std::ops::Range<usize>) -> Fits {
        self.put(b"[")?;
        self.form.push(b'[');
        for (number, element) in elements.enumerate() {
            if number > 0 {
                self.put(b",")?;
            }
            self.or_rest(|derived| match derived.record.peek() {
                Some(b'n') => derived.null(),
                Some(b'{') => {
                    derived.form.push(b'{');
                    derived.object(items, element)
                }
                _ => Err(Misfit),
            })?;
        }
        if self.record.peek() == Some(b']') { self.close(b']') } else { Err(Misfit) }
    }

    fn null(&mut self) -> Fits {
        self.form.push(NULL);
        self.put(b"null")
    }

    fn quoted(&mut self, read: impl FnOnce(&mut Self) -> Fits) -> Fits {
        self.form.push(STRING);
        self.put(b"\"")?;
        read(self)?;
        self.put(b"\"")
    }

    fn raw(&mut self, read: impl FnOnce(&mut Self) -> Fits) -> Fits {
        self.form.push(RAW);
        read(self)
    }

    /// A value that is one column's, without quotes.
    fn scalar(&mut self, code: u8, source: &Source<'_>, row: usize) -> Fits {
        match (source, code) {
            (Source::Texts(texts), STRING) => value::string(texts.get(row)?, self),
            (Source::Texts(texts), _) => self.put(texts.get(row)?.as_bytes()),
            (Source::Flags(flags), _) => value::flag(flags, row, self),
            (Source::Times(times), STRING) => value::time(times, row, self),
            (Source::Integers(numbers), _) => value::integer(numbers, row, self),
            (Source::Doubles(numbers), _) => value::double(numbers, row, self),
            _ => Err(Misfit),
        }
    }
}
