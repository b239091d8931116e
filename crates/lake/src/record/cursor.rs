//! A place in JSON that moves on.

use opentrail_event::JsonScanner;

use super::{
    Fits, Misfit,
    piece::{is_plain, is_same},
};

pub(super) struct Cursor<'a> {
    text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes these bytes, which must be there.
    #[inline]
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Fits {
        let end = self.at + bytes.len();
        if self.text.get(self.at..end).is_some_and(|here| is_same(here, bytes)) {
            self.at = end;
            return Ok(());
        }
        Err(Misfit)
    }

    /// Passes a text that needs no escapes; `false` if it does need some.
    #[inline]
    pub(super) fn pass_plain(&mut self, text: &[u8]) -> Result<bool, Misfit> {
        let fits = self.pass(text);
        if is_plain(text) {
            return fits.map(|()| true);
        }
        if fits.is_ok() {
            self.at -= text.len();
        }
        Ok(false)
    }

    /// Passes a value: its bytes.
    pub(super) fn value(&mut self) -> Result<&'a [u8], Misfit> {
        let mut scanner = JsonScanner::new(self.text, self.at);
        scanner.skip_value().map_err(|_| Misfit)?;
        let value = self.text.get(self.at..scanner.at()).ok_or(Misfit)?;
        self.at = scanner.at();
        Ok(value)
    }

    /// Passes a string: what is between its quotes, as it stands there.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Misfit> {
        let mut scanner = JsonScanner::new(self.text, self.at);
        let string = scanner.string().map_err(|_| Misfit)?;
        self.at = scanner.at();
        Ok(self.text.get(string.start..string.end).unwrap_or_default())
    }
}
