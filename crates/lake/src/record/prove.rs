//! That a form makes the record again.

use opentrail_event::JsonScanner;

use super::{
    Fits, Misfit,
    source::Members,
    walk::{self, Sink},
};

/// Whether the form makes this record of the row, byte for byte; `rest` is then what it needs besides the columns.
///
/// It is what [`super::restore`] does, but for putting the bytes together: each piece is held against the record.
pub(super) fn proves(form: &[u8], record: &str, rows: &Members<'_>, row: usize, rest: &mut Vec<u8>) -> bool {
    rest.clear();
    let mut proof = Proof { record: record.as_bytes(), at: 0, rest };
    walk::record(form, rows, row, &mut proof).is_ok() && proof.at == record.len()
}

struct Proof<'a> {
    record: &'a [u8],
    at: usize,
    rest: &'a mut Vec<u8>,
}

impl Sink for Proof<'_> {
    fn put(&mut self, bytes: &[u8]) -> Fits {
        if self.record.get(self.at..).is_some_and(|left| left.starts_with(bytes)) {
            self.at += bytes.len();
            return Ok(());
        }
        Err(Misfit)
    }

    fn rest(&mut self) -> Fits {
        let mut scanner = JsonScanner::new(self.record, self.at);
        scanner.skip_value().map_err(|_| Misfit)?;
        if !self.rest.is_empty() {
            self.rest.push(b',');
        }
        self.rest.extend_from_slice(self.record.get(self.at..scanner.at()).ok_or(Misfit)?);
        self.at = scanner.at();
        Ok(())
    }
}
