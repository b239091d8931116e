//! That a form makes the record again.

use super::{Fits, Misfit, Sink, cursor::Cursor, program::Program};

/// Whether the form makes this record of the row, byte for byte; `rest` is then what it needs besides the columns.
///
/// It is what [`super::restore`] does, but for putting the bytes together: each piece is held against the record.
#[inline]
pub(super) fn proves(program: &Program<'_>, record: &str, row: usize, rest: &mut Vec<u8>) -> bool {
    rest.clear();
    let mut proof = Proof { record: Cursor::new(record.as_bytes()), rest };
    program.run(row, &mut proof).is_ok() && proof.record.is_at_end()
}

struct Proof<'a> {
    record: Cursor<'a>,
    rest: &'a mut Vec<u8>,
}

impl Sink for Proof<'_> {
    #[inline]
    fn put(&mut self, piece: &[u8]) -> Fits {
        self.record.pass(piece)
    }

    #[inline]
    fn put_plain(&mut self, text: &[u8]) -> Result<bool, Misfit> {
        self.record.pass_plain(text)
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
