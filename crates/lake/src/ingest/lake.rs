//! The lake, open: the tables of all stores, and the follower of the journal that fills them.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use opentrail_journal::{Hold, Journal, Seq, disk::Disk};
use opentrail_state::State;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use super::{
    checkpoint::Checkpoint,
    configuration::Configuration,
    follower::Follower,
    live::{Live, View},
    measure,
    options::LakeOptions,
    sealing::warehouse_of,
    status::{LakeStatus, StoreTrouble},
};
use crate::{
    error::LakeError,
    record::Keep,
    schema::Shape,
    store::{EventDataStore, StoreId},
    table::{Records, TableOptions},
    warehouse::Warehouse,
};

/// The name of the lake's hold on the journal.
const HOLD: &str = "lake";
/// Tables that are opened at once.
const OPENED_AT_ONCE: usize = 8;
/// Entries and bytes that are taken from the journal at once.
pub(crate) const READ_ITEMS: usize = 4096;
pub(crate) const READ_BYTES: usize = 4 << 20;

/// The tables of event data stores, and what takes events into them. Clones are the same lake.
#[derive(Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    state: State,
    pub(crate) journal: Journal,
    warehouse: Warehouse,
    pub(crate) options: LakeOptions,
    lives: RwLock<BTreeMap<StoreId, Live>>,
    pub(crate) follower: Mutex<Follower>,
    hold: Hold,
    /// The newest entry when the lake was opened.
    opened_at: Seq,
    pub(crate) visible: watch::Sender<Seq>,
    /// Taken for writing the checkpoint, so that an older one never replaces a newer one.
    saving: tokio::sync::Mutex<()>,
    /// The journal can't be read, or the checkpoint not be written.
    pub(crate) failing: AtomicBool,
    pub(crate) flush_wanted: Notify,
    /// Tails became smaller.
    pub(crate) room: Notify,
}

impl Lake {
    /// Opens the lake whose own files are in `dir` and whose tables are in the warehouse, and takes in what the journal
    /// has beyond them, so that it is complete as of now, unless tables can't be written. From here on the journal
    /// keeps what no table has. [`Lake::run`] keeps it up to date.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] naming a damaged file; the others if something can't be read.
    pub async fn open(
        dir: &Path,
        state: &State,
        disk: Arc<dyn Disk>,
        warehouse: Warehouse,
        options: LakeOptions,
    ) -> Result<Self, LakeError> {
        let checkpoint = begin(dir, state, disk.clone(), warehouse.location()).await?;
        let lives = open_tables(state, &warehouse, &options).await?;
        let journal = state.journal().clone();
        let position = Seq(checkpoint.position);
        let inner = Inner {
            dir: dir.to_owned(),
            disk,
            state: state.clone(),
            hold: journal.hold(HOLD, position),
            opened_at: journal.durable(),
            journal,
            warehouse,
            options,
            lives: RwLock::new(lives),
            follower: Mutex::new(Follower::new(checkpoint)),
            visible: watch::Sender::new(position),
            saving: tokio::sync::Mutex::default(),
            failing: AtomicBool::new(false),
            flush_wanted: Notify::new(),
            room: Notify::new(),
        };
        let lake = Self { inner: Arc::new(inner) };
        lake.catch_up().await?;
        measure::status(&lake.status());
        Ok(lake)
    }

    /// Where the tables are. Files of a table that has a key are read as [`Live::warehouse`] says.
    pub fn warehouse(&self) -> &Warehouse {
        &self.inner.warehouse
    }

    /// What a query of a store sees now; `None` for an id that is no store's.
    pub fn view(&self, id: StoreId) -> Option<View> {
        self.table(id).map(|live| live.view())
    }

    /// The table of a store, for who writes it or serves it; `None` for an id that is no store's.
    pub fn table(&self, id: StoreId) -> Option<Live> {
        let known = self.inner.lives.read().get(&id).cloned();
        known.or_else(|| {
            // A store that was made a moment ago, and that the follower has not come to.
            let stores = self.inner.state.list::<EventDataStore>("");
            stores.iter().find(|(_, store)| store.id == id).map(|(_, store)| self.table_of(store))
        })
    }

    /// The table of a store that there is, or was at a place of the journal.
    pub fn table_of(&self, store: &EventDataStore) -> Live {
        let Inner { warehouse, options, state, .. } = &*self.inner;
        let new = || {
            let warehouse = warehouse_of(store, warehouse, state, &options.keys);
            Live::new(store.id, shape_of(store), warehouse, table_options(store, options, state))
        };
        self.inner.lives.write().entry(store.id).or_insert_with(new).clone()
    }

    /// All tables.
    pub(crate) fn tables(&self) -> Vec<Live> {
        self.inner.lives.read().values().cloned().collect()
    }

    /// Whether a store that an entry of the journal knows was deleted before the lake was opened. Its table is, or will
    /// be, removed.
    pub(crate) fn is_gone(&self, store: &EventDataStore, seq: Seq) -> bool {
        seq <= self.inner.opened_at && !self.inner.state.contains::<EventDataStore>(&store.document())
    }

    /// Forgets a store that is no more.
    pub(crate) fn forget(&self, id: StoreId) {
        if let Some(live) = self.inner.lives.write().remove(&id) {
            live.retire();
        }
    }

    /// Waits until the events up to this entry of the journal are in views. Without [`Lake::run`] they never are.
    pub async fn caught_up(&self, seq: Seq) {
        let mut visible = self.inner.visible.subscribe();
        // The sender lives as long as `self`.
        let _ = visible.wait_for(|visible| *visible >= seq).await;
    }

    /// Events up to this entry of the journal are in views.
    pub fn covered(&self) -> Seq {
        *self.inner.visible.borrow()
    }

    /// Makes files of all tails, now, and lets the journal go as far as that allows.
    ///
    /// # Errors
    /// The first table that can't be written; the others are all the same. Nothing is lost.
    pub async fn flush(&self) -> Result<(), LakeError> {
        let mut failed = None;
        for live in self.tables() {
            loop {
                match live.flush(self.inner.options.flush_bytes, self.now()).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        failed.get_or_insert(error);
                        break;
                    }
                }
            }
        }
        self.inner.room.notify_waiters();
        self.save().await?;
        failed.map_or(Ok(()), Err)
    }

    /// Writes the checkpoint as far as tables allow.
    pub(crate) async fn save(&self) -> Result<(), LakeError> {
        let _one_at_a_time = self.inner.saving.lock().await;
        let checkpoint = {
            // Locked before the tables are listed: a store that the follower comes to meanwhile would be missing, and
            // its first rows be passed by.
            let follower = self.inner.follower.lock();
            follower.checkpoint(&self.tables())?
        };
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let position = Seq(checkpoint.position);
        let inner = self.inner.clone();
        let saving = tokio::task::spawn_blocking(move || {
            checkpoint.store(&inner.dir, &*inner.disk).map(|()| checkpoint)
        });
        let saved = saving.await.map_err(|_| LakeError::Interrupted)??;
        self.inner.follower.lock().saved(saved);
        self.inner.hold.advance(position);
        Ok(())
    }

    /// How the lake is.
    pub fn status(&self) -> LakeStatus {
        let mut status = LakeStatus {
            visible: self.covered(),
            stored: self.inner.hold.position(),
            failing: self.inner.failing.load(Ordering::Relaxed),
            ..LakeStatus::default()
        };
        for live in self.tables() {
            let waiting = live.waiting();
            status.stores += 1;
            status.tail_rows += waiting.rows;
            status.tail_bytes += waiting.bytes;
            if let Some(snapshot) = live.snapshot() {
                status.files += snapshot.files().count();
                status.rows += snapshot.rows;
                status.bytes += snapshot.bytes;
            }
            if let Some(reason) = live.trouble() {
                status.troubles.push(StoreTrouble { store: live.id(), reason });
            }
        }
        status
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.inner.options.clock)()
    }

    /// Bytes in all tails.
    pub(crate) fn tail_bytes(&self) -> usize {
        self.inner.lives.read().values().map(|live| live.waiting().bytes).sum()
    }
}

/// Other engines read records where queries here make them, so files keep them whole while federation is on.
fn table_options(store: &EventDataStore, options: &LakeOptions, state: &State) -> TableOptions {
    let (state, document) = (state.clone(), store.document());
    let records = Records::by(move || {
        let store = state.get::<EventDataStore>(&document);
        if store.is_some_and(|store| store.federation.is_some()) { Keep::Whole } else { Keep::Forms }
    });
    TableOptions { records, ..options.table.clone() }
}

/// The columns that the events of a store have.
pub fn shape_of(store: &EventDataStore) -> Shape {
    // Every category of stores is one of events.
    Shape::of(store.category.as_str()).unwrap_or(Shape::Event)
}

/// The checkpoint; at the first start one that begins now.
async fn begin(
    dir: &Path,
    state: &State,
    disk: Arc<dyn Disk>,
    warehouse: String,
) -> Result<Checkpoint, LakeError> {
    let (dir, state) = (dir.to_owned(), state.clone());
    let beginning = move || {
        disk.create_dir_all(&dir).map_err(LakeError::disk(&dir))?;
        if let Some(checkpoint) = Checkpoint::load(&dir, &*disk)? {
            if checkpoint.warehouse != warehouse {
                return Err(LakeError::OtherWarehouse { kept: checkpoint.warehouse, asked: warehouse });
            }
            return Ok(checkpoint);
        }
        // What the documents are now they are at the journal's end: at the start nobody else writes.
        let position = state.journal().durable().0;
        let first = Checkpoint::first(position, Configuration::of(&state), warehouse);
        first.store(&dir, &*disk)?;
        Ok(first)
    };
    tokio::task::spawn_blocking(beginning).await.map_err(|_| LakeError::Interrupted)?
}

async fn open_tables(
    state: &State,
    warehouse: &Warehouse,
    options: &LakeOptions,
) -> Result<BTreeMap<StoreId, Live>, LakeError> {
    let (stores, now) = (state.list::<EventDataStore>(""), (options.clock)());
    let opening = stores.iter().map(|(_, store)| {
        let warehouse = warehouse_of(store, warehouse, state, &options.keys);
        Live::open(store.id, shape_of(store), warehouse, table_options(store, options, state), now)
    });
    let opened = stream::iter(opening).buffer_unordered(OPENED_AT_ONCE);
    opened.map_ok(|live| (live.id(), live)).try_collect().await
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}
