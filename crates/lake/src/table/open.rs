//! Finding a table as the last commit left it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64},
    },
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::TableMetadata;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::{
    Inner, Table,
    commit::{Change, Committing, State, serialized},
    description,
    keeping::Keeping,
    manifests::{self, SeenColumns},
    names::{Kind, Names},
    options::{Layout, TableOptions},
    snapshot::{Marks, Snapshot},
};
use crate::{LakeError, schema::FORM, warehouse::Warehouse};

impl Table {
    /// Makes a table without rows in the folder `path`.
    ///
    /// # Errors
    /// [`LakeError::TableExists`] where one is there; [`LakeError::Warehouse`].
    pub async fn create(
        warehouse: &Warehouse,
        path: Path,
        layout: impl Into<Layout>,
        options: TableOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let layout = layout.into();
        let names = Names::new(path);
        let metadata = description::new(&layout, &warehouse.uri(names.table()), now.timestamp_millis())?;
        let json = serialized(&metadata)?;
        let first = names.metadata(1);
        let create = PutOptions::from(PutMode::Create);
        match warehouse.store().put_opts(&first, json.clone().into(), create).await {
            Ok(_) => {}
            Err(StoreError::AlreadyExists { .. }) => {
                return Err(LakeError::TableExists { table: names.table().to_string() });
            }
            Err(error) => return Err(error.into()),
        }
        let state = State {
            version: 1,
            metadata: Arc::new(metadata),
            json,
            list: None,
            manifests: Vec::new(),
            snapshot: Arc::new(Snapshot::new(0, 1, Marks::new(), Vec::new())),
        };
        let table = Self::of(warehouse, names, layout, options, state, 1);
        table.inner.hint(1).await;
        Ok(table)
    }

    /// Opens a table: the newest metadata is what it is. Files that nothing names are removed, and columns that
    /// the table lacks are added.
    ///
    /// # Errors
    /// [`LakeError::NoTable`] where none is there; [`LakeError::Table`] where its columns contradict the layout,
    /// [`LakeError::Iceberg`] where its metadata can't be read; [`LakeError::Warehouse`].
    pub async fn open(
        warehouse: &Warehouse,
        path: Path,
        layout: impl Into<Layout>,
        options: TableOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let layout = layout.into();
        let names = Names::new(path);
        let listed: Vec<ObjectMeta> =
            warehouse.store().list(Some(&names.metadata_folder())).try_collect().await?;
        let versions = || {
            listed.iter().filter_map(|object| match names.kind(&object.location)? {
                Kind::Metadata { version } => Some(version),
                _ => None,
            })
        };
        let (Some(first), Some(version)) = (versions().min(), versions().max()) else {
            return Err(LakeError::NoTable { table: names.table().to_string() });
        };
        let json = warehouse.store().get(&names.metadata(version)).await?.bytes().await?;
        let state = read_state(warehouse, &names, &layout, version, json).await?;
        let evolves = description::evolves(&state.metadata, &layout)?;
        let schema = evolves.then(|| layout.schema.as_ref().clone());
        let table = Self::of(warehouse, names, layout, options, state, first);
        table.inner.remember_replaced(&listed).await?;
        if schema.is_some() {
            table.inner.commit(Change { schema, ..Change::default() }, Vec::new(), now).await?;
        }
        // What it would have removed stays for the next one: no reason not to open.
        if let Err(error) = table.inner.sweep(now).await {
            let table = table.inner.names.table();
            tracing::warn!(%error, %table, "files that belong to no commit could not be removed");
        }
        table.inner.hint(table.inner.state().version).await;
        Ok(table)
    }

    /// Opens a table, or makes it where there is none.
    ///
    /// # Errors
    /// Those of [`Table::open`].
    pub async fn open_or_create(
        warehouse: &Warehouse,
        path: Path,
        layout: impl Into<Layout>,
        options: TableOptions,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let layout = layout.into();
        match Self::open(warehouse, path.clone(), layout.clone(), options.clone(), now).await {
            Err(LakeError::NoTable { .. }) => Self::create(warehouse, path, layout, options, now).await,
            opened => opened,
        }
    }

    /// Removes a table with everything in its folder, at once; how many files there were, none where there was no table.
    /// Interrupted, it is called again.
    ///
    /// # Errors
    /// [`LakeError::Warehouse`] where something could not be removed.
    pub async fn remove(warehouse: &Warehouse, path: &Path) -> Result<usize, LakeError> {
        let store = warehouse.store();
        let listed: Vec<ObjectMeta> = store.list(Some(path)).try_collect().await?;
        let count = listed.len();
        let locations = listed.into_iter().map(|object| Ok(object.location));
        let mut removed = store.delete_stream(stream::iter(locations).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }

    fn of(
        warehouse: &Warehouse,
        names: Names,
        layout: Layout,
        options: TableOptions,
        state: State,
        first: u64,
    ) -> Self {
        let inner = Inner {
            warehouse: warehouse.clone(),
            names,
            layout,
            options,
            committing: tokio::sync::Mutex::new(Committing::default()),
            taken_over: AtomicU64::new(0),
            state: parking_lot::RwLock::new(Arc::new(state)),
            keeping: parking_lot::Mutex::new(Keeping::default()),
            added: parking_lot::Mutex::default(),
            swept_ms: AtomicI64::new(0),
            metadata_from: tokio::sync::Mutex::new(first),
        };
        Self { inner: Arc::new(inner) }
    }
}

/// The table as a metadata file says.
pub(super) async fn read_state(
    warehouse: &Warehouse,
    names: &Names,
    layout: &Layout,
    version: u64,
    json: Bytes,
) -> Result<State, LakeError> {
    let metadata: TableMetadata = serde_json::from_slice(&json)
        .map_err(|error| LakeError::Iceberg(format!("{}: {error}", names.metadata(version))))?;
    let marks = description::marks(&metadata);
    let Some(current) = metadata.current_snapshot().cloned() else {
        let snapshot = Snapshot::new(0, version, marks, Vec::new());
        return Ok(State {
            version,
            metadata: Arc::new(metadata),
            json,
            list: None,
            manifests: Vec::new(),
            snapshot: Arc::new(snapshot),
        });
    };
    let list = manifests::path_of(warehouse, current.manifest_list())?;
    let manifests = manifests::read_list(warehouse.store(), &list).await?;
    let columns = seen_columns(layout);
    let entries = manifests::load_all(warehouse, manifests.iter().cloned()).await?;
    let files = entries
        .iter()
        .filter(|entry| entry.is_alive())
        .map(|entry| manifests::seen(warehouse, entry.data_file(), columns).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let snapshot = Snapshot::new(current.snapshot_id(), version, marks, files);
    Ok(State {
        version,
        metadata: Arc::new(metadata),
        json,
        list: Some(list),
        manifests,
        snapshot: Arc::new(snapshot),
    })
}

/// The column that the table is partitioned by, and that of forms.
pub(super) fn seen_columns(layout: &Layout) -> SeenColumns {
    SeenColumns {
        time: layout.partitions.fields().first().map_or(0, |field| field.source_id),
        form: layout.schema.field_id_by_name(FORM),
    }
}

impl Inner {
    pub(super) async fn read_state(&self, version: u64, json: Bytes) -> Result<State, LakeError> {
        read_state(&self.warehouse, &self.names, &self.layout, version, json).await
    }

    /// Which files stay for those who read older snapshots, as names and notes say.
    async fn remember_replaced(&self, listed: &[ObjectMeta]) -> Result<(), LakeError> {
        let mut lists: BTreeMap<u64, (i64, Vec<Path>)> = BTreeMap::new();
        for object in listed {
            match self.names.kind(&object.location) {
                Some(Kind::List { version, time_ms }) => {
                    let (first, paths) = lists.entry(version).or_insert((time_ms, Vec::new()));
                    *first = time_ms.min(*first);
                    paths.push(object.location.clone());
                }
                Some(Kind::Replaced { time_ms }) => {
                    let note = self.warehouse.store().get(&object.location).await?.bytes().await?;
                    let names: Vec<String> = serde_json::from_slice(&note).unwrap_or_default();
                    let paths = names.iter().filter_map(|name| Path::parse(name).ok());
                    let mut keeping = self.keeping.lock();
                    keeping.replaced(paths.chain([object.location.clone()]), time_ms);
                }
                _ => {}
            }
        }
        // A list is replaced when the next one is written. What is above the table's own was never committed.
        let current = self.state().list.clone();
        let own = current.and_then(|path| match self.names.kind(&path) {
            Some(Kind::List { version, .. }) => Some(version),
            _ => None,
        });
        let mut keeping = self.keeping.lock();
        let mut later = None;
        for (version, (time_ms, paths)) in lists.into_iter().rev() {
            if own.is_some_and(|own| version < own)
                && let Some(later) = later
            {
                keeping.replaced(paths, later);
            }
            if own.is_some_and(|own| version <= own) {
                later = Some(time_ms);
            }
        }
        Ok(())
    }
}
