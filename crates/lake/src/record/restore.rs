//! The record again.

use super::{
    Fits, Misfit,
    cursor::Cursor,
    source::Members,
    walk::{self, Sink},
};

/// Writes the record of a row at the end of `into`.
pub(super) fn restore(
    form: &str,
    rest: Option<&str>,
    rows: &Members<'_>,
    row: usize,
    into: &mut Vec<u8>,
) -> Fits {
    let rest = Cursor::new(rest.unwrap_or_default().as_bytes());
    let mut restored = Restored { into, rest };
    walk::record(form.as_bytes(), rows, row, &mut restored)?;
    if restored.rest.is_at_end() { Ok(()) } else { Err(Misfit) }
}

struct Restored<'a> {
    into: &'a mut Vec<u8>,
    rest: Cursor<'a>,
}

impl Sink for Restored<'_> {
    fn put(&mut self, bytes: &[u8]) -> Fits {
        self.into.extend_from_slice(bytes);
        Ok(())
    }

    fn rest(&mut self) -> Fits {
        if self.rest.at > 0 {
            self.rest.pass(b",")?;
        }
        self.into.extend_from_slice(self.rest.value()?);
        Ok(())
    }
}
