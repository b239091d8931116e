//! The queries that ended, on disk, and a short list of them in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_cipher::ChunkCipher;
use opentrail_event::{AccountId, Region};
use opentrail_journal::disk::{Access, Disk};
use parking_lot::{Mutex, RwLock};

use super::{DeliveryStatus, KEPT, QueryId, QueryStatus, Record, ResultSeal, RowReader, RowWriter};
use crate::error::LakeError;

/// The file of a folder that says what was asked and what came of it. A folder without it is what a crash left.
const RECORD: &str = "query.json";

/// What is held in memory of a query that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its id.
    pub id: QueryId,
    /// The account that asked.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// The ARNs of the event data stores it read.
    pub stores: Vec<String>,
    /// The alias it was started by.
    pub alias: Option<String>,
    /// When it was started.
    pub created: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// How.
    pub status: QueryStatus,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Whether its rows are yet to be delivered.
    pub is_delivering: bool,
}

impl Brief {
    fn new(Record { query, outcome }: &Record, bytes: u64) -> Self {
        Self {
            id: query.id,
            account: query.account,
            region: query.region.clone(),
            stores: query.stores.clone(),
            alias: query.alias.clone(),
            created: query.created,
            ended: outcome.ended,
            status: outcome.status,
            bytes,
            is_delivering: outcome.delivery == Some(DeliveryStatus::Pending),
        }
    }
}

/// What a list of queries is to have.
#[derive(Debug, Clone, Default)]
pub struct Listing<'a> {
    /// Those that read this event data store.
    pub store: &'a str,
    /// Those in this state.
    pub status: Option<QueryStatus>,
    /// Those started then or later.
    pub from: Option<DateTime<Utc>>,
    /// Those started then or before.
    pub to: Option<DateTime<Utc>>,
}

impl Listing<'_> {
    /// Whether it has a query with these.
    pub fn has(&self, stores: &[String], status: QueryStatus, created: DateTime<Utc>) -> bool {
        stores.iter().any(|store| store == self.store)
            && self.status.is_none_or(|wanted| wanted == status)
            && self.from.is_none_or(|from| created >= from)
            && self.to.is_none_or(|to| created <= to)
    }
}

/// The queries that ended, each in a folder of its own. Calls that touch the disk block.
#[derive(Debug, Clone)]
pub struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    briefs: RwLock<Briefs>,
    /// Queries that nobody finds any more, whose folders are to be removed.
    leaving: Mutex<BTreeSet<QueryId>>,
}

/// By id, and by the time they were started.
#[derive(Debug, Default)]
struct Briefs {
    by_id: HashMap<QueryId, Arc<Brief>>,
    by_time: BTreeMap<(DateTime<Utc>, QueryId), Arc<Brief>>,
}

impl Briefs {
    fn insert(&mut self, brief: Brief) {
        let brief = Arc::new(brief);
        self.by_time.insert((brief.created, brief.id), brief.clone());
        self.by_id.insert(brief.id, brief);
    }

    fn remove(&mut self, id: QueryId) {
        if let Some(brief) = self.by_id.remove(&id) {
            self.by_time.remove(&(brief.created, id));
        }
    }
}

impl Shelf {
    /// Opens the folder, and removes what a crash left half made. A delivery that a crash interrupted is
    /// [`DeliveryStatus::Unknown`] from then on.
    ///
    /// # Errors
    /// [`LakeError::Disk`]. A record that can't be read is left alone, and told of in the log.
    pub fn open(folder: PathBuf, disk: Arc<dyn Disk>) -> Result<Self, LakeError> {
        disk.create_dir_all(&folder).map_err(LakeError::disk(&folder))?;
        let (briefs, leaving) = (RwLock::default(), Mutex::default());
        let shelf = Self { inner: Arc::new(Inner { folder, disk, briefs, leaving }) };
        let members =
            shelf.inner.disk.read_dir(&shelf.inner.folder).map_err(LakeError::disk(&shelf.inner.folder))?;
        for member in members.into_iter().filter(|member| member.is_dir) {
            let Ok(id) = member.name.parse::<QueryId>() else { continue };
            match shelf.read(id) {
                Ok(Some(record)) => shelf.take_in(record)?,
                Ok(None) => shelf.clear(id)?,
                Err(error) => tracing::error!(%error, "what came of a query can't be read"),
            }
        }
        Ok(shelf)
    }

    fn take_in(&self, mut record: Record) -> Result<(), LakeError> {
        if record.outcome.delivery == Some(DeliveryStatus::Pending) {
            record.outcome.delivery = Some(DeliveryStatus::Unknown);
            return self.put(&record);
        }
        self.list_one(&record)
    }

    fn list_one(&self, record: &Record) -> Result<(), LakeError> {
        let (disk, folder) = (&self.inner.disk, self.folder(record.query.id));
        let mut bytes = 0;
        for member in disk.read_dir(&folder).map_err(LakeError::disk(&folder))? {
            let path = folder.join(&member.name);
            let len = disk.open_read(&path).and_then(|file| file.len());
            bytes += len.map_err(LakeError::disk(&path))?;
        }
        self.inner.briefs.write().insert(Brief::new(record, bytes));
        Ok(())
    }

    /// Begins the rows of a query, which are sealed where there is a seal. What is there of it already is removed first.
    ///
    /// # Errors
    /// [`LakeError::Disk`].
    pub fn begin(&self, id: QueryId, seal: Option<&ResultSeal>) -> Result<RowWriter, LakeError> {
        self.clear(id)?;
        let cipher = self.cipher(id, seal)?;
        let folder = self.folder(id);
        self.inner.disk.create_dir_all(&folder).map_err(LakeError::disk(&folder))?;
        RowWriter::create(self.inner.disk.clone(), folder, cipher)
    }

    fn cipher(&self, id: QueryId, seal: Option<&ResultSeal>) -> Result<Option<ChunkCipher>, LakeError> {
        let broken = |error: opentrail_cipher::CipherFailed| LakeError::Damaged {
            path: self.folder(id),
            reason: error.to_string(),
        };
        seal.map(|seal| seal.cipher(id)).transpose().map_err(broken)
    }

    /// Keeps what came of a query, durably; also again, when more is known of it.
    ///
    /// # Errors
    /// [`LakeError::Disk`].
    pub fn put(&self, record: &Record) -> Result<(), LakeError> {
        let folder = self.folder(record.query.id);
        let path = folder.join(RECORD);
        let text = serde_json::to_vec(record)
            .map_err(|error| LakeError::Damaged { path: path.clone(), reason: error.to_string() })?;
        self.inner.disk.create_dir_all(&folder).map_err(LakeError::disk(&folder))?;
        self.inner.disk.write_atomically(&path, &text, Access::Default).map_err(LakeError::disk(&path))?;
        self.inner.disk.sync_dir(&self.inner.folder).map_err(LakeError::disk(&self.inner.folder))?;
        self.list_one(record)
    }

    /// What is known at once of a query that ended.
    pub fn brief(&self, id: QueryId) -> Option<Arc<Brief>> {
        self.inner.briefs.read().by_id.get(&id).cloned()
    }

    /// The last query of an account that was started by an alias.
    pub fn last_of_alias(&self, account: AccountId, region: &Region, alias: &str) -> Option<Arc<Brief>> {
        let is_of = |brief: &&Arc<Brief>| {
            brief.account == account && brief.region == *region && brief.alias.as_deref() == Some(alias)
        };
        self.inner.briefs.read().by_time.values().rev().find(is_of).cloned()
    }

    /// At most `limit` queries that a listing has, the newest first, that were started before one.
    pub fn list(
        &self,
        listing: &Listing<'_>,
        before: Option<(DateTime<Utc>, QueryId)>,
        limit: usize,
    ) -> Vec<Arc<Brief>> {
        let briefs = self.inner.briefs.read();
        let older = briefs.by_time.iter().rev().filter(|(at, _)| before.is_none_or(|before| **at < before));
        let wanted = older.filter(|(_, brief)| listing.has(&brief.stores, brief.status, brief.created));
        wanted.take(limit).map(|(_, brief)| brief.clone()).collect()
    }

    /// What was asked and what came of it; none if there is no such query, or if it has not ended.
    ///
    /// # Errors
    /// [`LakeError::Disk`]; [`LakeError::Damaged`].
    pub fn read(&self, id: QueryId) -> Result<Option<Record>, LakeError> {
        let path = self.folder(id).join(RECORD);
        if !self.inner.disk.exists(&path).map_err(LakeError::disk(&path))? {
            return Ok(None);
        }
        let text = self.inner.disk.read(&path).map_err(LakeError::disk(&path))?;
        let record: Record = serde_json::from_slice(&text)
            .map_err(|error| LakeError::Damaged { path, reason: error.to_string() })?;
        Ok(Some(record))
    }

    /// The rows of a query that has some, which were sealed with this.
    ///
    /// # Errors
    /// [`LakeError::Disk`].
    pub fn rows(&self, id: QueryId, seal: Option<&ResultSeal>) -> Result<RowReader, LakeError> {
        RowReader::open(&*self.inner.disk, self.folder(id), self.cipher(id, seal)?)
    }

    /// Removes the queries that ended more than [`KEPT`] ago, and what could not be removed before; how many.
    ///
    /// # Errors
    /// [`LakeError::Disk`] for the first that can't be removed, whatever becomes of the others. What is left is removed
    /// the next time.
    pub fn expire(&self, now: DateTime<Utc>) -> Result<usize, LakeError> {
        let old: Vec<QueryId> = {
            let briefs = self.inner.briefs.read();
            briefs.by_id.values().filter(|brief| brief.ended + KEPT <= now).map(|brief| brief.id).collect()
        };
        self.remove(old)
    }

    /// Removes these and what could not be removed before; how many.
    fn remove(&self, ids: Vec<QueryId>) -> Result<usize, LakeError> {
        for id in ids {
            // Nobody finds it any more before any of it is gone.
            self.inner.leaving.lock().insert(id);
            self.inner.briefs.write().remove(id);
        }
        let leaving: Vec<QueryId> = self.inner.leaving.lock().iter().copied().collect();
        let (mut removed, mut outcome) = (0, Ok(()));
        for id in leaving {
            match self.clear(id) {
                Ok(()) => {
                    self.inner.leaving.lock().remove(&id);
                    removed += 1;
                }
                Err(error) => {
                    tracing::warn!(query = %id, %error, "an old query can't be removed; it is tried again");
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome.map(|()| removed)
    }

    /// Removes those that ended first until the rest takes at most so many bytes, as if they were over their time: who asks
    /// now is served. The one that ended last stays, and those whose rows are being delivered. How many were removed.
    ///
    /// # Errors
    /// [`LakeError::Disk`]; what is left is removed the next time.
    pub fn trim(&self, limit: u64) -> Result<usize, LakeError> {
        let excess: Vec<QueryId> = {
            let briefs = self.inner.briefs.read();
            let mut ended: Vec<_> = briefs.by_id.values().collect();
            ended.sort_unstable_by_key(|brief| (brief.ended, brief.id));
            let mut total: u64 = ended.iter().map(|brief| brief.bytes).sum();
            ended.pop();
            let oldest = ended.into_iter().filter(|brief| !brief.is_delivering);
            oldest
                .take_while(|brief| {
                    let is_excess = total > limit;
                    total = total.saturating_sub(brief.bytes);
                    is_excess
                })
                .map(|brief| brief.id)
                .collect()
        };
        self.remove(excess)
    }

    /// Removes the folder of a query: what says that it ended goes first.
    fn clear(&self, id: QueryId) -> Result<(), LakeError> {
        let folder = self.folder(id);
        let disk = &self.inner.disk;
        if !disk.exists(&folder).map_err(LakeError::disk(&folder))? {
            return Ok(());
        }
        let record = folder.join(RECORD);
        if disk.exists(&record).map_err(LakeError::disk(&record))? {
            disk.remove_file(&record).map_err(LakeError::disk(&record))?;
            disk.sync_dir(&folder).map_err(LakeError::disk(&folder))?;
        }
        for member in disk.read_dir(&folder).map_err(LakeError::disk(&folder))? {
            let path = folder.join(&member.name);
            disk.remove_file(&path).map_err(LakeError::disk(&path))?;
        }
        disk.remove_dir(&folder).map_err(LakeError::disk(&folder))
    }

    fn folder(&self, id: QueryId) -> PathBuf {
        self.root().join(id.to_string())
    }

    fn root(&self) -> &Path {
        &self.inner.folder
    }
}
