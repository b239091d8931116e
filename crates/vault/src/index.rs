//! The index of objects: a view of the journal's facts in an embedded database.
//!
//! Facts are applied in the order of the journal by one task, and each write of the database says up to which
//! entry it goes. Most writes are not synced; a synced one follows at least every
//! [`crate::VaultOptions::checkpoint_interval`]. After a crash the database is what the last synced write left,
//! and the journal, which is held from there on, brings it up to date. So the index after opening is always
//! exactly the facts of the journal.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::{
    Item, Seq,
    disk::{Access, Disk, DiskFile},
};
use opentrail_state::Entry;
use parking_lot::{Mutex, RwLock};
use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, StorageBackend, TableError,
};
use tokio::sync::watch;

use crate::{
    VaultError,
    apply::Writing,
    error::IndexEntryError,
    fact::{BucketId, Carried, VIEW},
    id::BlobId,
    tables::{CLEAN, CURRENT_FORMAT, CURSOR, FILES, FORMAT, META, VERSIONS, age_of},
};

pub(crate) struct Index {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    cache_bytes: usize,
    /// `None` while it is being opened again after a failure.
    database: RwLock<Option<Database>>,
    progress: watch::Sender<Progress>,
    /// Held by the one who writes.
    writer: Mutex<()>,
}

/// How far the index is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    applied: Seq,
    /// Nobody applies facts any more.
    over: bool,
}

/// What opening the database found.
pub(crate) struct Found {
    pub(crate) cursor: Seq,
    /// It was closed in good order.
    pub(crate) clean: bool,
}

impl Index {
    pub(crate) fn new(dir: &Path, disk: Arc<dyn Disk>, cache_bytes: usize) -> Self {
        Self {
            path: dir.join("index.redb"),
            disk,
            cache_bytes,
            database: RwLock::new(None),
            progress: watch::Sender::new(Progress { applied: Seq(0), over: false }),
            writer: Mutex::new(()),
        }
    }

    /// Opens the database as the last synced write left it, without letting anybody read it. Blocks.
    pub(crate) fn load(&self) -> Result<(Database, Found), VaultError> {
        let new = !self.disk.exists(&self.path).map_err(|error| VaultError::io("open", &self.path, error))?;
        let file = self.disk.open_rewritten(&self.path, Access::Private);
        let file = file.map_err(|error| VaultError::io("open", &self.path, error))?;
        if new {
            let dir = self.path.parent().unwrap_or(Path::new("."));
            self.disk.sync_dir(dir).map_err(|error| VaultError::io("sync", dir, error))?;
        }
        let database =
            Database::builder().set_cache_size(self.cache_bytes).create_with_backend(IndexFile(file))?;
        let mut known = (None, None, None);
        inspect(&database, |numbers| {
            known = (number(numbers, FORMAT)?, number(numbers, CURSOR)?, number(numbers, CLEAN)?);
            Ok(())
        })?;
        let (format, cursor, clean) = known;
        if let Some(other) = format.filter(|format| *format != CURRENT_FORMAT) {
            return Err(IndexEntryError::UnknownFormat(u8::try_from(other).unwrap_or(u8::MAX)).into());
        }
        // Nothing is written where nothing changes, so that a full disk does not keep the index closed.
        if format.is_none() || clean != Some(0) {
            write(&database, true, |tables| {
                tables.set(FORMAT, CURRENT_FORMAT)?;
                tables.set(CLEAN, 0)
            })?;
        }
        Ok((database, Found { cursor: Seq(cursor.unwrap_or(0)), clean: clean.unwrap_or(1) == 1 }))
    }

    /// Lets everybody read the database, which has the facts up to `applied`.
    pub(crate) fn install(&self, database: Database, applied: Seq) {
        *self.database.write() = Some(database);
        self.progress.send_modify(|progress| progress.applied = progress.applied.max(applied));
    }

    /// Closes the database after a failure; what was not synced is forgotten.
    pub(crate) fn unload(&self) {
        let _writer = self.writer.lock();
        drop(self.database.write().take());
    }

    /// Applies the facts of the items and goes on to the last of them. Blocks.
    pub(crate) fn advance(&self, items: &[Item], durable: bool) -> Result<Applied, VaultError> {
        let _writer = self.writer.lock();
        let database = self.database.read();
        let applied = apply(database.as_ref().ok_or(VaultError::IndexUnavailable)?, items, durable)?;
        drop(database);
        if let Some(last) = items.last() {
            self.progress.send_modify(|progress| progress.applied = last.seq);
        }
        Ok(applied)
    }

    /// Makes what was applied durable. Blocks.
    pub(crate) fn checkpoint(&self, cursor: Seq, clean: bool) -> Result<(), VaultError> {
        let _writer = self.writer.lock();
        let database = self.database.read();
        write(database.as_ref().ok_or(VaultError::IndexUnavailable)?, true, |tables| {
            tables.set(CLEAN, u64::from(clean))?;
            tables.set(CURSOR, cursor.0)
        })
    }

    /// Reads the index as it is now.
    pub(crate) fn read<R>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<R, VaultError>,
    ) -> Result<R, VaultError> {
        let database = self.database.read();
        let transaction = database.as_ref().ok_or(VaultError::IndexUnavailable)?.begin_read()?;
        read(&transaction)
    }

    /// Waits until the facts of this entry are visible.
    pub(crate) async fn reached(&self, seq: Seq) -> Result<(), VaultError> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.applied >= seq || progress.over).await;
        match reached {
            Ok(progress) if progress.applied >= seq => Ok(()),
            _ => Err(VaultError::NotAppliedYet),
        }
    }

    /// Nobody will apply facts any more: whoever waits for one hears so.
    pub(crate) fn end(&self) {
        self.progress.send_modify(|progress| progress.over = true);
    }

    pub(crate) fn applied(&self) -> Seq {
        self.progress.borrow().applied
    }

    pub(crate) fn is_bucket_empty(&self, bucket: BucketId) -> Result<bool, VaultError> {
        self.read(|transaction| {
            let versions = transaction.open_table(VERSIONS)?;
            let first = versions.range((bucket, &[][..], 0)..)?.next().transpose()?;
            Ok(first.is_none_or(|(key, _)| key.value().0 != bucket))
        })
    }

    pub(crate) fn refers_to(&self, blob: BlobId) -> Result<bool, VaultError> {
        self.read(|transaction| Ok(transaction.open_table(FILES)?.get(blob.0)?.is_some()))
    }
}

/// What applying did.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) facts: usize,
    /// Files that nothing refers to any more.
    pub(crate) freed: Vec<BlobId>,
}

/// Applies the facts of the items in one write; entries without facts for the vault need none. Blocks.
pub(crate) fn apply(database: &Database, items: &[Item], durable: bool) -> Result<Applied, VaultError> {
    let mut facts = Vec::new();
    for item in items {
        for (number, fact) in Entry::facts_of(item, VIEW)?.into_iter().enumerate() {
            facts.push((Carried::decode(&fact.body)?, age_of(item.seq, number)));
        }
    }
    let (count, Some(last)) = (facts.len(), items.last()) else { return Ok(Applied::default()) };
    if count == 0 && !durable {
        return Ok(Applied::default());
    }
    let mut freed = Vec::new();
    write(database, durable, |tables| {
        for (fact, age) in facts {
            tables.apply(fact, age)?;
        }
        tables.set(CURSOR, last.seq.0)?;
        freed = tables.take_freed();
        Ok(())
    })?;
    Ok(Applied { facts: count, freed })
}

/// Reads the numbers about the index; a database that was just made has none.
fn inspect(
    database: &Database,
    look: impl FnOnce(&ReadOnlyTable<&'static str, u64>) -> Result<(), VaultError>,
) -> Result<(), VaultError> {
    match database.begin_read()?.open_table(META) {
        Ok(table) => look(&table),
        Err(TableError::TableDoesNotExist(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn number(numbers: &ReadOnlyTable<&'static str, u64>, name: &str) -> Result<Option<u64>, VaultError> {
    Ok(numbers.get(name)?.map(|value| value.value()))
}

fn write(
    database: &Database,
    durable: bool,
    change: impl FnOnce(&mut Writing<'_>) -> Result<(), VaultError>,
) -> Result<(), VaultError> {
    let transaction = begin(database, durable)?;
    let mut tables = Writing::open(&transaction)?;
    change(&mut tables)?;
    drop(tables);
    transaction.commit()?;
    Ok(())
}

fn begin(database: &Database, durable: bool) -> Result<redb::WriteTransaction, VaultError> {
    let mut transaction = database.begin_write()?;
    if durable {
        // Opening after a crash then takes the same short time however large the index is.
        transaction.set_quick_repair(true);
    } else {
        transaction.set_durability(Durability::None)?;
    }
    Ok(transaction)
}

/// The database's file, through the seam.
#[derive(Debug)]
struct IndexFile(Box<dyn DiskFile>);

impl StorageBackend for IndexFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_all()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write_all_at(data, offset)
    }
}
