//! From the journal into open files.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use opentrail_event::{AccountId, Event};
use opentrail_journal::{Item, Reader};
use opentrail_state::{Change, Entry, Resource};

use super::{
    batch::{Batch, Destination, Finished},
    error::DeliveryError,
    options::DeliveryOptions,
    spool::Spool,
};
use crate::trail::Trail;

/// Files that are open at once; with more all are closed. Each has a compressor of some 300 KB, and whoever may
/// send events names their regions.
const MAX_OPEN: usize = 384;

/// What decides where an event goes, as of one position of the journal.
#[derive(Default)]
struct Routes {
    trails: BTreeMap<String, Route>,
    by_account: HashMap<AccountId, Vec<String>>,
}

struct Route {
    trail: Arc<Trail>,
    destination: Arc<Destination>,
}

/// A closed file whose bytes are in the spool.
pub(crate) struct Sealed {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) body_sha256: String,
    pub(crate) finished: Finished,
}

/// An open file is of one destination and one region. The destination's address stands for it: a changed
/// configuration makes a new one.
type BatchKey = (usize, Arc<str>);

/// The reader of the journal with its open files.
pub(crate) struct Intake {
    pub(crate) reader: Reader,
    routes: Routes,
    /// The last entry that was applied.
    pub(crate) position: u64,
    open: HashMap<BatchKey, Batch>,
    /// Files that were full before the cut.
    sealed: Vec<Sealed>,
    /// Bytes of JSON since the last cut.
    pub(crate) read_bytes: u64,
    /// Compressed bytes in sealed files, which count against the spool's limit.
    pub(crate) sealed_bytes: u64,
    regions: HashSet<Arc<str>>,
}

/// What a cut gives: the journal's position and everything up to it.
pub(crate) struct Cut {
    pub(crate) position: u64,
    pub(crate) trails: BTreeMap<String, Trail>,
    pub(crate) files: Vec<Sealed>,
}

impl Intake {
    pub(crate) fn new(reader: Reader, position: u64, trails: &BTreeMap<String, Trail>) -> Self {
        let mut routes = Routes::default();
        for (id, trail) in trails {
            routes.put(id, trail.clone());
        }
        Self {
            reader,
            routes,
            position,
            open: HashMap::new(),
            sealed: Vec::new(),
            read_bytes: 0,
            sealed_bytes: 0,
            regions: HashSet::new(),
        }
    }

    /// Applies entries in their order.
    pub(crate) fn apply(
        &mut self,
        items: &[Item],
        options: &DeliveryOptions,
        spool: &Spool,
    ) -> Result<(), DeliveryError> {
        for item in items {
            let entry = Entry::of(item)?;
            self.apply_entry(&entry, options, spool)?;
            self.position = item.seq.0;
        }
        self.seal_largest(options.memory_bytes, spool)
    }

    /// Closes the largest files until no more than `most` compressed bytes are in memory.
    fn seal_largest(&mut self, most: u64, spool: &Spool) -> Result<(), DeliveryError> {
        let mut held: u64 = self.open.values().map(Batch::held).sum();
        while held > most {
            let largest = self.open.iter().max_by_key(|(_, batch)| batch.held()).map(|(key, _)| key.clone());
            let Some(batch) = largest.and_then(|key| self.open.remove(&key)) else { break };
            held -= batch.held();
            self.seal(batch, spool)?;
        }
        Ok(())
    }

    /// An entry that changes trails belongs to the trails as they were and as they are: so StopLogging and
    /// DeleteTrail are in the files of the trail that they stop, and StartLogging in those of the one that it
    /// starts.
    fn apply_entry(
        &mut self,
        entry: &Entry,
        options: &DeliveryOptions,
        spool: &Spool,
    ) -> Result<(), DeliveryError> {
        let mut before = Vec::new();
        let changes_trails = entry.changes.iter().any(|change| id_of_trail(change).is_some());
        if changes_trails {
            before = entry.events.iter().map(|owned| self.routes.of(owned.owner, &owned.event)).collect();
            for change in &entry.changes {
                self.routes.apply(change)?;
            }
        }
        for (index, owned) in entry.events.iter().enumerate() {
            let mut targets = self.routes.of(owned.owner, &owned.event);
            for earlier in before.get(index).into_iter().flatten() {
                if !targets.iter().any(|target| target.trail_arn == earlier.trail_arn) {
                    targets.push(earlier.clone());
                }
            }
            for destination in targets {
                self.add(destination, &owned.event, options, spool)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        destination: Arc<Destination>,
        event: &Event,
        options: &DeliveryOptions,
        spool: &Spool,
    ) -> Result<(), DeliveryError> {
        let region = self.region(event.region());
        let key = (Arc::as_ptr(&destination) as usize, region.clone());
        let batch = self.open.entry(key.clone()).or_insert_with(|| Batch::new(destination, region));
        let before = batch.bytes();
        batch.add(event).map_err(DeliveryError::disk("memory"))?;
        self.read_bytes += batch.bytes() - before;
        if batch.bytes() >= options.file_bytes
            && let Some(full) = self.open.remove(&key)
        {
            self.seal(full, spool)?;
        }
        if self.open.len() > MAX_OPEN {
            self.seal_all(spool)?;
        }
        Ok(())
    }

    fn region(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.regions.get(name) {
            return known.clone();
        }
        let region: Arc<str> = Arc::from(name);
        self.regions.insert(region.clone());
        region
    }

    fn seal(&mut self, batch: Batch, spool: &Spool) -> Result<(), DeliveryError> {
        let mut finished = batch.finish().map_err(DeliveryError::disk("memory"))?;
        let number = spool.number();
        spool.write(number, &finished.body)?;
        let body = std::mem::take(&mut finished.body);
        let size = body.len() as u64;
        self.sealed_bytes += size;
        let body_sha256 = super::ledger::sha256_hex(&body);
        self.sealed.push(Sealed { number, size, body_sha256, finished });
        Ok(())
    }

    fn seal_all(&mut self, spool: &Spool) -> Result<(), DeliveryError> {
        let mut open: Vec<(BatchKey, Batch)> = self.open.drain().collect();
        open.sort_by(|(a, _), (b, _)| a.1.cmp(&b.1));
        open.into_iter().try_for_each(|(_, batch)| self.seal(batch, spool))
    }

    /// Closes all open files at this position of the journal; their bytes and names are durable in the spool.
    pub(crate) fn cut(&mut self, spool: &Spool) -> Result<Cut, DeliveryError> {
        self.seal_all(spool)?;
        let files = std::mem::take(&mut self.sealed);
        if !files.is_empty() {
            spool.sync()?;
        }
        self.read_bytes = 0;
        self.sealed_bytes = 0;
        self.regions.clear();
        Ok(Cut { position: self.position, trails: self.routes.trails(), files })
    }
}

fn id_of_trail(change: &Change) -> Option<&str> {
    match change {
        Change::Put { kind, id, .. } | Change::Delete { kind, id } => (kind == Trail::KIND).then_some(id),
    }
}

impl Routes {
    fn apply(&mut self, change: &Change) -> Result<(), DeliveryError> {
        match change {
            Change::Put { kind, id, body, .. } if kind == Trail::KIND => {
                let trail = serde_json::from_slice(body)
                    .map_err(|source| DeliveryError::Trail { id: id.clone(), source })?;
                self.put(id, trail);
            }
            Change::Delete { kind, id } if kind == Trail::KIND => self.remove(id),
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, id: &str, trail: Trail) {
        let new = Destination::of(&trail);
        let destination = match self.trails.get(id) {
            Some(known) if *known.destination == new => known.destination.clone(),
            _ => Arc::new(new),
        };
        self.remove(id);
        self.by_account.entry(trail.account).or_default().push(id.to_owned());
        self.trails.insert(id.to_owned(), Route { trail: Arc::new(trail), destination });
    }

    fn remove(&mut self, id: &str) {
        if let Some(route) = self.trails.remove(id)
            && let Some(ids) = self.by_account.get_mut(&route.trail.account)
        {
            ids.retain(|known| known != id);
        }
    }

    fn of(&self, owner: AccountId, event: &Event) -> Vec<Arc<Destination>> {
        let Some(ids) = self.by_account.get(&owner) else { return Vec::new() };
        ids.iter()
            .filter_map(|id| self.trails.get(id))
            .filter(|route| route.trail.logging && route.trail.takes(event))
            .map(|route| route.destination.clone())
            .collect()
    }

    fn trails(&self) -> BTreeMap<String, Trail> {
        self.trails.iter().map(|(id, route)| (id.clone(), Trail::clone(&route.trail))).collect()
    }
}
