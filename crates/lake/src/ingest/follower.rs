//! Where the follower is in the journal, and the configuration there.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_journal::Seq;
use opentrail_state::{Change, Entry, OwnedEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    checkpoint::Checkpoint,
    configuration::{Configuration, Routes},
    live::Live,
    tail::{Record, Row},
};
use crate::{
    channel::ChannelEvents,
    columns::Extra,
    error::LakeError,
    store::{EventDataStore, StoreId},
};

/// The follower's memory. What is durable of it is a [`Checkpoint`].
pub(crate) struct Follower {
    /// The last entry that was taken over.
    pub(crate) position: Seq,
    /// As of the position.
    routes: Routes,
    saved: Checkpoint,
    /// The changes of the configuration between the saved checkpoint and the position.
    history: VecDeque<(Seq, Vec<Change>)>,
    /// Stores that are no more and whose tables are to be removed.
    pub(crate) doomed: BTreeSet<StoreId>,
}

/// Rows for stores, by store.
#[derive(Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) rows: BTreeMap<StoreId, (Arc<EventDataStore>, Vec<Row<'a>>)>,
    /// Stores that are no more.
    pub(crate) removed: Vec<StoreId>,
}

impl Follower {
    pub(crate) fn new(saved: Checkpoint) -> Self {
        Self {
            position: Seq(saved.position),
            routes: Routes::new(saved.configuration.clone()),
            history: VecDeque::new(),
            doomed: saved.doomed.clone(),
            saved,
        }
    }

    /// Takes an entry over: its changes into the configuration, its events to the stores that take them.
    ///
    /// An entry that changes stores or organizations belongs to the stores as they were and as they are: so
    /// StopEventDataStoreIngestion is in the store that it stops, and StartEventDataStoreIngestion in the one that it
    /// starts.
    pub(crate) fn follow<'a>(
        &mut self,
        seq: Seq,
        entry: &'a Entry,
        channels: &'a [ChannelEvents],
        now: DateTime<Utc>,
        gathered: &mut Gathered<'a>,
    ) -> Result<(), LakeError> {
        let changes: Vec<Change> =
            entry.changes.iter().filter(|change| Configuration::concerns(change)).cloned().collect();
        let mut before: Vec<Vec<Arc<EventDataStore>>> = Vec::new();
        if !changes.is_empty() {
            let takers = |owned: &OwnedEvent| self.routes.of(owned.owner, &owned.event).cloned().collect();
            before = entry.events.iter().map(takers).collect();
            for change in &changes {
                if let Some(removed) = self.routes.apply(change)? {
                    self.doomed.insert(removed);
                    gathered.removed.push(removed);
                }
            }
            self.history.push_back((seq, changes));
        }
        for (index, owned) in entry.events.iter().enumerate() {
            let mut taken_before = before.get(index).cloned().unwrap_or_default();
            for store in self.routes.of(owned.owner, &owned.event) {
                taken_before.retain(|earlier| earlier.id != store.id);
                gathered.add(store, seq, owned, now);
            }
            for store in &taken_before {
                gathered.add(store, seq, owned, now);
            }
        }
        for channel in channels {
            for id in &channel.stores {
                if let Some(store) = self.routes.ingesting(*id) {
                    gathered.add_all(store, seq, channel, now);
                }
            }
        }
        self.position = seq;
        Ok(())
    }

    /// The newest checkpoint that these tables allow; none if it says what the saved one says.
    pub(crate) fn checkpoint(&self, tables: &[Live]) -> Result<Option<Checkpoint>, LakeError> {
        let waiting = tables.iter().filter_map(Live::first_waiting).min();
        let position = waiting.map_or(self.position, |first| first.previous().min(self.position));
        if position.0 <= self.saved.position && self.doomed == self.saved.doomed {
            return Ok(None);
        }
        let mut configuration = self.saved.configuration.clone();
        for (_, changes) in self.history.iter().take_while(|(seq, _)| *seq <= position) {
            for change in changes {
                configuration.apply(change)?;
            }
        }
        let (position, doomed) = (position.0, self.doomed.clone());
        Ok(Some(self.saved.next(position, configuration, doomed)))
    }

    /// The newest durable checkpoint.
    pub(crate) fn saved_checkpoint(&self) -> Checkpoint {
        self.saved.clone()
    }

    /// This checkpoint is durable.
    pub(crate) fn saved(&mut self, checkpoint: Checkpoint) {
        while self.history.front().is_some_and(|(seq, _)| seq.0 <= checkpoint.position) {
            self.history.pop_front();
        }
        self.saved = checkpoint;
    }

    /// How long a store keeps its events, in days.
    pub(crate) fn retention(&self, id: StoreId) -> Option<u32> {
        self.routes.store(id).map(|store| store.retention_days)
    }
}

impl<'a> Gathered<'a> {
    /// An event that is out of the store's retention already is not kept.
    fn add(&mut self, store: &Arc<EventDataStore>, seq: Seq, owned: &'a OwnedEvent, now: DateTime<Utc>) {
        if owned.event.time() < kept_from(store, now) {
            return;
        }
        self.of(store).push(Row { seq, record: Record::Event(&owned.event), extra: Extra::default() });
    }

    /// The events of a channel, but for those that are out of the store's retention already.
    fn add_all(
        &mut self,
        store: &Arc<EventDataStore>,
        seq: Seq,
        channel: &'a ChannelEvents,
        now: DateTime<Utc>,
    ) {
        let from = kept_from(store, now);
        let kept = channel.records.iter().filter(|record| time_of(record).is_none_or(|time| time >= from));
        let row =
            |record: &'a RawValue| Row { seq, record: Record::Json(record.get()), extra: Extra::default() };
        let rows: Vec<Row<'a>> = kept.map(|record| row(record)).collect();
        // A store that gets nothing is not asked for.
        if !rows.is_empty() {
            self.of(store).extend(rows);
        }
    }

    fn of(&mut self, store: &Arc<EventDataStore>) -> &mut Vec<Row<'a>> {
        &mut self.rows.entry(store.id).or_insert_with(|| (store.clone(), Vec::new())).1
    }
}

/// The `eventTime` of a record from outside, which has the form that we gave it.
fn time_of(record: &RawValue) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Timed {
        #[serde(rename = "eventTime")]
        time: String,
    }
    let timed: Timed = serde_json::from_str(record.get()).ok()?;
    DateTime::parse_from_rfc3339(&timed.time).ok().map(|time| time.to_utc())
}

/// What is older is out of the store's retention.
fn kept_from(store: &EventDataStore, now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_sub_signed(TimeDelta::days(i64::from(store.retention_days)))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}
