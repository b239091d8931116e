//! The record again.

use super::{
    Fits, Misfit, Sink,
    cursor::Cursor,
    piece::{copy, copy_plain},
    program::Program,
};

/// Records, one at a time.
#[derive(Default)]
pub(super) struct Restorer {
    /// Longer than the record most often, so that there is a place for the next piece.
    bytes: Vec<u8>,
}

impl Restorer {
    /// The record of a row.
    #[inline]
    pub(super) fn record(
        &mut self,
        program: &Program<'_>,
        rest: Option<&str>,
        row: usize,
    ) -> Result<&str, Misfit> {
        let rest = Cursor::new(rest.unwrap_or_default().as_bytes());
        let mut restored = Restored { bytes: &mut self.bytes, end: 0, rest };
        program.run(row, &mut restored)?;
        let end = restored.end;
        if !restored.rest.is_at_end() {
            return Err(Misfit);
        }
        std::str::from_utf8(self.bytes.get(..end).ok_or(Misfit)?).map_err(|_| Misfit)
    }
}

struct Restored<'a> {
    bytes: &'a mut Vec<u8>,
    end: usize,
    rest: Cursor<'a>,
}

impl Restored<'_> {
    /// The place of the next piece.
    #[inline]
    fn place(&mut self, length: usize) -> Result<&mut [u8], Misfit> {
        let end = self.end + length;
        if end > self.bytes.len() {
            self.bytes.resize(2 * end, 0);
        }
        self.bytes.get_mut(self.end..end).ok_or(Misfit)
    }
}

impl Sink for Restored<'_> {
    #[inline]
    fn put(&mut self, piece: &[u8]) -> Fits {
        copy(piece, self.place(piece.len())?);
        self.end += piece.len();
        Ok(())
    }

    #[inline]
    fn put_plain(&mut self, text: &[u8]) -> Result<bool, Misfit> {
        let is_plain = copy_plain(text, self.place(text.len())?);
        if is_plain {
            self.end += text.len();
        }
        Ok(is_plain)
    }

    fn rest(&mut self) -> Fits {
        if self.rest.at > 0 {
            self.rest.pass(b",")?;
        }
        let value = self.rest.value()?;
        self.put(value)
    }
}
