//! Answering a question: lists of rows from the tables and the tail, merged by time.

use std::{
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::{Category, Event};

use crate::{
    attribute::Matcher,
    error::{ArchiveError, Damage, corrupt},
    index::{Places, RowList},
    keys::{EVERY, Scope, account_number, value_hash},
    pages::RecordPage,
    position::Position,
    query::{LookupQuery, MAX_PAGE, Page},
    table::Table,
    tail::TailBatch,
    token::PageToken,
};

/// A page ends early when its records reach this many bytes; one record has up to 1 MiB.
const PAGE_BYTES: usize = 8 << 20;
/// Records that one call reads to find those that match: some hundred milliseconds. Lists lead straight to
/// the records of exact values, so only a search for parts of values gets there.
const WORK: usize = 20_000;
/// A search in all regions follows so many regions' lists in a table; where there are more (no real account has
/// so many) it reads record after record.
const MAX_REGIONS: usize = 128;

/// What is older is out of retention, in milliseconds since 1970.
pub(crate) fn cutoff(now: DateTime<Utc>, retention: Option<Duration>) -> Option<i64> {
    let retention = i64::try_from(retention?.as_millis()).unwrap_or(i64::MAX);
    Some(now.timestamp_millis().saturating_sub(retention))
}

/// A question, prepared.
pub(crate) struct Search<'a> {
    query: &'a LookupQuery,
    fingerprint: u64,
    limit: usize,
    owner: u64,
    categories: Vec<Category>,
    /// The numbers of the values that must be there.
    exact: Vec<u64>,
    /// Only what is older than this position.
    before: Option<Position>,
    oldest: i64,
    newest: i64,
}

/// An event of the tail that may be wanted.
pub(crate) type InTail = (Position, Bytes);

impl<'a> Search<'a> {
    pub(crate) fn new(query: &'a LookupQuery, retention: Option<Duration>) -> Result<Self, ArchiveError> {
        if let (Some(from), Some(to)) = (query.from, query.to)
            && from > to
        {
            return Err(ArchiveError::InvalidRange);
        }
        let fingerprint = query.fingerprint();
        let before = query.after.as_ref().map(|token| token.position_in(fingerprint)).transpose()?;
        let from = query.from.map_or(i64::MIN, |from| from.timestamp_millis());
        let mut exact: Vec<u64> = query
            .attributes
            .iter()
            .filter_map(|filter| match &filter.matcher {
                Matcher::Exact(value) => Some(value_hash(filter.attribute, value)),
                Matcher::Contains(_) => None,
            })
            .collect();
        exact.sort_unstable();
        exact.dedup();
        Ok(Self {
            query,
            fingerprint,
            limit: query.limit.clamp(1, MAX_PAGE),
            owner: account_number(query.owner.as_str()),
            categories: query.wanted_categories(),
            exact,
            before,
            oldest: cutoff(query.now, retention).map_or(from, |cutoff| from.max(cutoff)),
            newest: query.to.map_or(i64::MAX, |to| to.timestamp_millis()),
        })
    }

    /// Whether the place is before those that are wanted, in the order of a table.
    fn is_too_new(&self, position: Position) -> bool {
        position.time > self.newest || self.before.is_some_and(|before| position >= before)
    }

    /// The events of the tail that may be wanted.
    pub(crate) fn in_tail(&self, batches: &VecDeque<Arc<TailBatch>>) -> Vec<InTail> {
        let mut found = Vec::new();
        for batch in batches {
            let wanted: Vec<bool> = batch.scopes.iter().map(|(scope, _)| self.wants(scope)).collect();
            if !wanted.contains(&true) {
                continue;
            }
            found.extend(
                batch
                    .rows
                    .iter()
                    .filter(|row| {
                        wanted[row.scope as usize]
                            && row.position.time >= self.oldest
                            && !self.is_too_new(row.position)
                            && self.exact.iter().all(|value| batch.hashes(row).contains(value))
                    })
                    .map(|row| (row.position, batch.record(row))),
            );
        }
        found
    }

    fn wants(&self, scope: &Scope) -> bool {
        self.categories.iter().any(|category| match &self.query.region {
            Some(region) => *scope == Scope::new(&self.query.owner, *category, region.as_str()),
            None => scope.same_owner_and_category(&Scope::everywhere(&self.query.owner, *category)),
        })
    }

    /// Whether an event of the owner satisfies the question, apart from its place.
    fn accepts(&self, event: &Event) -> bool {
        self.categories.contains(&event.category())
            && self.query.region.as_ref().is_none_or(|region| region.as_str() == event.region())
            && self.query.attributes.iter().all(|filter| filter.matches(event))
    }

    /// Answers the question.
    pub(crate) fn run(&self, tables: &[Arc<Table>], tail: Vec<InTail>) -> Result<Page, ArchiveError> {
        let mut tail: BinaryHeap<TailHit> = tail.into_iter().map(TailHit).collect();
        let mut cursors = Vec::new();
        let mut pages: Vec<Option<RecordPage>> = Vec::with_capacity(tables.len());
        for (number, table) in tables.iter().enumerate() {
            pages.push(None);
            if table.facts.newest >= self.oldest && table.facts.oldest <= self.newest {
                self.cursors(number, table, &mut cursors)?;
            }
        }
        let mut heap = BinaryHeap::with_capacity(cursors.len());
        for (number, cursor) in cursors.iter_mut().enumerate() {
            heap.extend(cursor.next()?.map(|(position, row)| (position, number, row)));
        }
        let mut page = Page::default();
        let mut last: Option<Position> = None;
        let (mut work, mut bytes) = (0, 0);
        loop {
            let newest_in_tail = tail.peek().map(|hit| hit.0.0);
            let newest_in_tables = heap.peek().map(|(position, ..)| *position);
            let Some(position) = newest_in_tail.max(newest_in_tables) else { return Ok(page) };
            if page.events.len() == self.limit || work == WORK || bytes >= PAGE_BYTES {
                page.next = last.map(|last| PageToken::new(self.fingerprint, last));
                return Ok(page);
            }
            work += 1;
            let record = if newest_in_tail == Some(position) {
                tail.pop().map(|TailHit((_, record))| record)
            } else if let Some((_, number, row)) = heap.pop() {
                let cursor = &mut cursors[number];
                heap.extend(cursor.next()?.map(|(position, row)| (position, number, row)));
                // Two lists may lead to one row when values share a number.
                (last != Some(position))
                    .then(|| read(&tables[cursor.table], &mut pages[cursor.table], row))
                    .transpose()?
            } else {
                None
            };
            last = Some(position);
            if let Some(record) = record {
                let event = Event::parse(record).map_err(|_| damaged_record(tables))?;
                if self.accepts(&event) {
                    bytes += event.raw().len();
                    page.events.push(event);
                }
            }
        }
    }

    /// Cursors over the rows of a table that may be wanted.
    fn cursors<'t>(
        &self,
        number: usize,
        table: &'t Table,
        cursors: &mut Vec<Cursor<'t>>,
    ) -> Result<(), ArchiveError> {
        let mut places = table.index.places();
        let start = if self.before.is_some() || table.facts.newest > self.newest {
            places.partition_point(|position| self.is_too_new(position))?
        } else {
            0
        };
        let end = if table.facts.oldest < self.oldest {
            places.partition_point(|position| position.time >= self.oldest)?
        } else {
            table.facts.rows
        };
        if start >= end {
            return Ok(());
        }
        for category in &self.categories {
            let everywhere = Scope::everywhere(&self.query.owner, *category);
            let scopes = match &self.query.region {
                Some(region) => Some(vec![Scope::new(&self.query.owner, *category, region.as_str())]),
                None if self.exact.is_empty() => None,
                None => table.index.scopes_like(everywhere, MAX_REGIONS)?,
            };
            // All regions' events are in one list, which serves when there is no value to look for.
            let lists = match scopes {
                None => vec![(everywhere, vec![EVERY])],
                Some(scopes) if self.exact.is_empty() => {
                    scopes.into_iter().map(|scope| (scope, vec![EVERY])).collect()
                }
                Some(scopes) => scopes.into_iter().map(|scope| (scope, self.exact.clone())).collect(),
            };
            for (scope, values) in lists {
                let mut found = Vec::with_capacity(values.len());
                for value in &values {
                    found.extend(table.index.find(scope.key(*value))?.map(|list| (list, 0)));
                }
                if found.len() == values.len() {
                    // The shortest list leads.
                    found.sort_by_key(|(list, _)| list.len());
                    let places = table.index.places();
                    let owner = self.owner;
                    cursors.push(Cursor { table: number, owner, lists: found, places, next_row: start, end });
                }
            }
        }
        Ok(())
    }
}

/// The rows of a table that are in all of some lists.
struct Cursor<'t> {
    table: usize,
    owner: u64,
    /// Each list and how far it is read.
    lists: Vec<(RowList<'t>, u64)>,
    places: Places<'t>,
    next_row: u32,
    end: u32,
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<Option<(Position, u32)>, ArchiveError> {
        while let Some(row) = self.next_row()? {
            self.next_row = row + 1;
            let place = self.places.get(row)?;
            if place.owner == self.owner {
                return Ok(Some((place.position, row)));
            }
        }
        Ok(None)
    }

    /// The first row from `next_row` on that all lists have.
    fn next_row(&mut self) -> Result<Option<u32>, ArchiveError> {
        let mut wanted = self.next_row;
        'again: loop {
            if wanted >= self.end {
                return Ok(None);
            }
            for (list, at) in &mut self.lists {
                *at = list.seek(*at, wanted)?;
                if *at >= list.len() {
                    return Ok(None);
                }
                let row = list.get(*at)?;
                if row > wanted {
                    wanted = row;
                    continue 'again;
                }
            }
            return Ok(Some(wanted));
        }
    }
}

/// Reads a record, keeping its page for the next. The copy lets go of the page.
fn read(table: &Table, held: &mut Option<RecordPage>, row: u32) -> Result<Bytes, ArchiveError> {
    if held.as_ref().is_none_or(|page| !page.rows.contains(&row)) {
        *held = Some(table.page(row)?);
    }
    let record = held.as_ref().and_then(|page| page.record(row));
    record.map(Bytes::copy_from_slice).ok_or_else(|| corrupt(table.file.path(), Damage::Page))
}

fn damaged_record(tables: &[Arc<Table>]) -> ArchiveError {
    corrupt(
        tables.first().map_or_else(Default::default, |table| table.file.path().to_owned()),
        Damage::Record,
    )
}

/// Ordered by position alone, which is unique.
struct TailHit(InTail);

impl PartialEq for TailHit {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl Eq for TailHit {}

impl PartialOrd for TailHit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TailHit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.0.cmp(&other.0.0)
    }
}
