//! The programs of a batch's forms.

use std::{collections::HashMap, sync::Arc};

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::{Misfit, compile::compile, program::Program, source::Members};

/// The most bytes that programs are kept in, which is some hundreds of real ones. A file may have a form of its own for
/// each row.
const MAX_BYTES: usize = 1 << 20;

/// How many forms are remembered as the latest. In files of real records the next row has one of these in 99.5 % of all
/// cases, and the latest itself in 85 %.
const RECENT: usize = 3;

/// The programs of the forms that were met.
pub(super) struct Programs<'r, 'a> {
    rows: &'r Members<'a>,
    known: Vec<Program<'a>>,
    by_form: HashMap<Arc<str>, usize, Xxh3DefaultBuilder>,
    /// The places of the latest, the last first.
    recent: Vec<usize>,
    bytes: usize,
}

impl<'r, 'a> Programs<'r, 'a> {
    pub(super) fn new(rows: &'r Members<'a>) -> Self {
        Self { rows, known: Vec::new(), by_form: HashMap::default(), recent: Vec::new(), bytes: 0 }
    }

    /// The last that was asked for, or found.
    #[inline]
    pub(super) fn latest(&self) -> Option<&Program<'a>> {
        self.known.get(*self.recent.first()?)
    }

    /// # Errors
    /// The form isn't one, or not one of these rows.
    #[inline]
    pub(super) fn of(&mut self, form: &str) -> Result<&Program<'a>, Misfit> {
        if self.latest().is_none_or(|latest| *latest.form != *form) {
            let place = match self.by_form.get(form) {
                Some(place) => *place,
                None => self.add(compile(form, self.rows)?),
            };
            self.note(place);
        }
        self.latest().ok_or(Misfit)
    }

    /// Whether one of the latest is right; it is then the last.
    pub(super) fn try_recent(&mut self, mut is_right: impl FnMut(&Program<'a>) -> bool) -> bool {
        let known = &self.known;
        let found = self.recent.iter().position(|place| known.get(*place).is_some_and(&mut is_right));
        if let Some(recent) = found.and_then(|found| self.recent.get_mut(..=found)) {
            recent.rotate_right(1);
        }
        found.is_some()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn note(&mut self, place: usize) {
        self.recent.retain(|recent| *recent != place);
        self.recent.truncate(RECENT - 1);
        self.recent.insert(0, place);
    }

    fn add(&mut self, program: Program<'a>) -> usize {
        self.bytes += program.bytes();
        if self.bytes > MAX_BYTES {
            // Those that still count will soon be there again.
            self.known.clear();
            self.by_form.clear();
            self.recent.clear();
            self.bytes = program.bytes();
        }
        let place = self.known.len();
        self.by_form.insert(program.form.clone(), place);
        self.known.push(program);
        place
    }
}
