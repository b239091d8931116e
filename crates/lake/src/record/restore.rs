//! The record again.

use opentrail_event::JsonScanner;

use super::{
    Fits, Misfit,
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
    let rest = rest.unwrap_or_default().as_bytes();
    let mut restored = Restored { into, rest, at: 0 };
    walk::record(form.as_bytes(), rows, row, &mut restored)?;
    if restored.at == rest.len() { Ok(()) } else { Err(Misfit) }
}

struct Restored<'a> {
    into: &'a mut Vec<u8>,
    rest: &'a [u8],
    at: usize,
}

impl Sink for Restored<'_> {
    fn put(&mut self, bytes: &[u8]) -> Fits {
        self.into.extend_from_slice(bytes);
        Ok(())
    }

    fn rest(&mut self) -> Fits {
        if self.at > 0 {
            if self.rest.get(self.at) != Some(&b',') {
                return Err(Misfit);
            }
            self.at += 1;
        }
        let mut scanner = JsonScanner::new(self.rest, self.at);
        scanner.skip_value().map_err(|_| Misfit)?;
        self.into.extend_from_slice(self.rest.get(self.at..scanner.at()).ok_or(Misfit)?);
        self.at = scanner.at();
        Ok(())
    }
}
