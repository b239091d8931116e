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
    ledger::Ledger,
    options::DeliveryOptions,
    spool::Spool,
};
use crate::{membership::Membership, organization::OrganizationId, trail::Trail};

/// Files with a compressor of some 300 KB that are open at once; with more these are closed. Whoever may send events
/// names their regions.
const MAX_PACKED: usize = 384;
/// Files that are open at once; with more all are closed. An organization has up to 10,000 accounts (AWS: Organizations
/// quotas), each with files of several regions; what small ones hold counts against the memory of all.
const MAX_OPEN: usize = 32_768;

/// What decides where an event goes, as of one position of the journal.
#[derive(Default)]
struct Routes {
    trails: BTreeMap<String, Route>,
    by_account: HashMap<AccountId, Vec<String>>,
    by_organization: HashMap<OrganizationId, Vec<String>>,
    membership: Membership,
}

struct Route {
    trail: Arc<Trail>,
    /// Of the accounts whose events it has taken.
    destinations: HashMap<AccountId, Arc<Destination>>,
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
    /// How many of the open files have a compressor.
    packed: usize,
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
    pub(crate) membership: Membership,
    pub(crate) files: Vec<Sealed>,
}

impl Intake {
    /// Begins after the ledger's position, with the trails and organizations as they were there.
    pub(crate) fn new(reader: Reader, ledger: &Ledger) -> Self {
        let position = ledger.cursor;
        let mut routes = Routes { membership: ledger.membership.clone(), ..Routes::default() };
        for (id, trail) in &ledger.trails {
            routes.put(id, trail.clone());
        }
        Self {
            reader,
            routes,
            position,
            open: HashMap::new(),
            packed: 0,
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

    /// Closes the largest files until no more than `most` bytes are in memory.
    fn seal_largest(&mut self, most: u64, spool: &Spool) -> Result<(), DeliveryError> {
        let mut held: u64 = self.open.values().map(Batch::held).sum();
        if held <= most {
            return Ok(());
        }
        let mut by_size: Vec<(u64, BatchKey)> =
            self.open.iter().map(|(key, batch)| (batch.held(), key.clone())).collect();
        by_size.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(*size));
        for (size, key) in by_size {
            if held <= most {
                break;
            }
            if let Some(batch) = self.take_open(&key) {
                held -= size;
                self.seal(batch, spool)?;
            }
        }
        Ok(())
    }

    fn take_open(&mut self, key: &BatchKey) -> Option<Batch> {
        let batch = self.open.remove(key)?;
        self.packed -= usize::from(batch.is_packed());
        Some(batch)
    }

    /// An entry that changes trails or organizations belongs to the trails as they were and as they are: so
    /// StopLogging and DeleteTrail are in the files of the trail that they stop, and StartLogging in those of the one
    /// that it starts; that an account joins its organization, or leaves it, is in the files of the organization's
    /// trails.
    fn apply_entry(
        &mut self,
        entry: &Entry,
        options: &DeliveryOptions,
        spool: &Spool,
    ) -> Result<(), DeliveryError> {
        let mut before = Vec::new();
        let changes_routes = |change: &Change| id_of_trail(change).is_some() || Membership::concerns(change);
        if entry.changes.iter().any(changes_routes) {
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
        let (before, was_packed) = (batch.bytes(), batch.is_packed());
        batch.add(event).map_err(DeliveryError::disk("memory"))?;
        self.read_bytes += batch.bytes() - before;
        self.packed += usize::from(batch.is_packed() && !was_packed);
        if batch.bytes() >= options.file_bytes
            && let Some(full) = self.take_open(&key)
        {
            self.seal(full, spool)?;
        }
        if self.packed > MAX_PACKED {
            self.seal_where(Batch::is_packed, spool)?;
        }
        if self.open.len() > MAX_OPEN {
            self.seal_where(|_| true, spool)?;
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

    fn seal_where(&mut self, is_meant: fn(&Batch) -> bool, spool: &Spool) -> Result<(), DeliveryError> {
        let mut open: Vec<(BatchKey, Batch)> = self.open.extract_if(|_, batch| is_meant(batch)).collect();
        self.packed -= open.iter().filter(|(_, batch)| batch.is_packed()).count();
        open.sort_by(|(a, _), (b, _)| a.1.cmp(&b.1));
        open.into_iter().try_for_each(|(_, batch)| self.seal(batch, spool))
    }

    /// Closes all open files at this position of the journal; their bytes and names are durable in the spool.
    pub(crate) fn cut(&mut self, spool: &Spool) -> Result<Cut, DeliveryError> {
        self.seal_where(|_| true, spool)?;
        let files = std::mem::take(&mut self.sealed);
        if !files.is_empty() {
            spool.sync()?;
        }
        self.read_bytes = 0;
        self.sealed_bytes = 0;
        self.regions.clear();
        let membership = self.routes.membership.clone();
        Ok(Cut { position: self.position, trails: self.routes.trails(), membership, files })
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
                    .map_err(|source| DeliveryError::Document { id: id.clone(), source })?;
                self.put(id, trail);
            }
            Change::Delete { kind, id } if kind == Trail::KIND => self.remove(id),
            _ => self.membership.apply(change)?,
        }
        Ok(())
    }

    /// A destination that stays as it was keeps its open files.
    fn put(&mut self, id: &str, trail: Trail) {
        let known = self.trails.get_mut(id).map(|route| std::mem::take(&mut route.destinations));
        let mut destinations = known.unwrap_or_default();
        destinations.retain(|account, known| **known == Destination::of(&trail, *account));
        self.remove(id);
        self.by_account.entry(trail.account).or_default().push(id.to_owned());
        if let Some(organization) = &trail.organization {
            self.by_organization.entry(organization.clone()).or_default().push(id.to_owned());
        }
        self.trails.insert(id.to_owned(), Route { trail: Arc::new(trail), destinations });
    }

    fn remove(&mut self, id: &str) {
        let Some(route) = self.trails.remove(id) else { return };
        let forget = |ids: &mut Vec<String>| ids.retain(|known| known != id);
        self.by_account.entry(route.trail.account).and_modify(forget);
        if let Some(organization) = &route.trail.organization {
            self.by_organization.entry(organization.clone()).and_modify(forget);
        }
    }

    fn of(&mut self, owner: AccountId, event: &Event) -> Vec<Arc<Destination>> {
        let own = self.by_account.get(&owner).into_iter().flatten();
        let organization = if self.by_organization.is_empty() {
            None
        } else {
            self.membership.organization_of(owner).and_then(|id| self.by_organization.get(id))
        };
        let mut taking = Vec::new();
        for id in own.chain(organization.into_iter().flatten()) {
            let Some(route) = self.trails.get(id) else { continue };
            // A management account's own organization trails are named twice.
            if route.trail.logging && route.trail.takes(event) && !taking.contains(&id) {
                taking.push(id);
            }
        }
        let destination = |id: &String| {
            let route = self.trails.get_mut(id)?;
            let trail = &route.trail;
            let made = || Arc::new(Destination::of(trail, owner));
            Some(route.destinations.entry(owner).or_insert_with(made).clone())
        };
        taking.into_iter().filter_map(destination).collect()
    }

    fn trails(&self) -> BTreeMap<String, Trail> {
        self.trails.iter().map(|(id, route)| (id.clone(), Trail::clone(&route.trail))).collect()
    }
}
