//! That a form makes the record again.

use super::{
    Fits,
    cursor::Cursor,
    source::Members,
    walk::{self, Sink},
};

/// Whether the form makes this record of the row, byte for byte; `rest` is then what it needs besides the columns.
///
/// It is what [`super::restore`] does, but for putting the bytes together: each piece is held against the record.
pub(super) fn proves(form: &[u8], record: &str, rows: &Members<'_>, row: usize, rest: &mut Vec<u8>) -> bool {
    rest.clear();
    let mut proof = Proof { record: Cursor::new(record.as_bytes()), rest };
    walk::record(form, rows, row, &mut proof).is_ok() && proof.record.is_at_end()
}

struct Proof<'a> {
    record: Cursor<'a>,
    rest: &'a mut Vec<u8>,
}

impl Sink for Proof<'_> {
    fn put(&mut self, bytes: &[u8]) -> Fits {
        self.record.pass(bytes)
    }

    fn rest(&mut self) -> Fits {
        let value = self.record.value()?;
        if !self.rest.is_empty() {
            self.rest.push(b',');
        }
        self.rest.extend_from_slice(value);
        Ok(())
    }
}
