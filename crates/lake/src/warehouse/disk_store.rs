//! An object store in a folder.

use std::{
    fmt, io,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
};
use opentrail_journal::disk::{Disk, DiskLock};
use parking_lot::Mutex;

use super::{delete, read, upload::DiskUpload, write};
use crate::LakeError;

/// What the store is called in errors.
const NAME: &str = "DiskStore";

/// Where objects are built before they get their names. No object's name starts with a dot.
pub(super) const STAGING: &str = ".staging";

/// The file that stands for the right to use the folder.
const LOCK: &str = ".lock";

/// How many objects are deleted between two syncs of their folders.
const DELETED_AT_ONCE: usize = 1000;

/// In the extensions of a put: its object is not worth a sync. It is written atomically for who reads
/// meanwhile, but a power cut may lose or empty it.
#[derive(Debug, Clone, Copy)]
pub struct Unsynced;

/// An object store in a folder of a [`Disk`]. Clones are the same store.
///
/// An object is there for good once its put returned: contents and name were synced. [`PutMode::Create`] never
/// replaces; that holds across crashes because the folder is used by one process only (it holds a lock in it)
/// and names are given one at a time. Blocking calls run on threads for that.
///
/// What is not offered: conditional updates ([`PutMode::Update`]), attributes, versions.
#[derive(Debug, Clone)]
pub struct DiskStore {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folder: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    /// Held while a name is given or taken away.
    pub(super) naming: Mutex<()>,
    pub(super) staged: AtomicU64,
    _lock: Box<dyn DiskLock>,
}

impl DiskStore {
    /// Opens the folder, which is made if it is absent. What a crash left half-written goes.
    ///
    /// # Errors
    /// [`LakeError::Disk`] where the folder can't be made or read, or is in use.
    pub fn open(folder: &FilePath, disk: Arc<dyn Disk>) -> std::result::Result<Self, LakeError> {
        let failed = |source: io::Error| LakeError::Disk { path: folder.to_owned(), source };
        disk.create_dir_all(folder).map_err(failed)?;
        let lock = disk.lock(&folder.join(LOCK)).map_err(failed)?;
        let staging = folder.join(STAGING);
        disk.create_dir_all(&staging).map_err(failed)?;
        for left in disk.read_dir(&staging).map_err(failed)? {
            disk.remove_file(&staging.join(left.name)).map_err(failed)?;
        }
        let inner = Inner {
            folder: folder.to_owned(),
            disk,
            naming: Mutex::new(()),
            staged: AtomicU64::new(0),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || work(&inner)).await?
    }
}

impl Inner {
    /// The file of an object.
    pub(super) fn file(&self, location: &Path) -> Result<PathBuf> {
        let mut file = self.folder.clone();
        let mut parts = 0;
        for part in location.parts() {
            let name = part.as_ref();
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
                return Err(Error::NotSupported {
                    source: format!("no object of this store is called {location}").into(),
                });
            }
            file.push(name);
            parts += 1;
        }
        if parts == 0 {
            return Err(Error::NotSupported { source: "an object has a name".into() });
        }
        Ok(file)
    }
}

/// An error of the file system as an error of the store.
pub(super) fn failed(location: &Path, source: io::Error) -> Error {
    let path = location.to_string();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::NotFound { path, source: source.into() }
        }
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: source.into() },
        _ => Error::Generic { store: NAME, source: Box::new(source) },
    }
}

fn not_built(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: NAME.to_owned() }
}

impl fmt::Display for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}({})", self.inner.folder.display())
    }
}

#[async_trait]
impl ObjectStore for DiskStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let replaces = match opts.mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => return Err(not_built("a put that expects a version")),
        };
        if !opts.attributes.is_empty() {
            return Err(not_built("attributes of an object"));
        }
        let synced = opts.extensions.get::<Unsynced>().is_none();
        let location = location.clone();
        self.blocking(move |inner| inner.put(&location, &payload, write::Put { replaces, synced })).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() {
            return Err(not_built("attributes of an object"));
        }
        self.inner.file(location)?;
        Ok(Box::new(DiskUpload::start(self.clone(), location.clone())))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        read::get(self, location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (location, ranges) = (location.clone(), ranges.to_vec());
        self.blocking(move |inner| inner.read_ranges(&location, &ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .ready_chunks(DELETED_AT_ONCE)
            .then(move |chunk| {
                let store = store.clone();
                async move {
                    match store.blocking(move |inner| Ok(delete::delete(inner, chunk))).await {
                        Ok(results) => results,
                        Err(error) => vec![Err(error)],
                    }
                }
            })
            .flat_map(futures::stream::iter)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned().unwrap_or_default();
        futures::stream::once(async move {
            let found = store.blocking(move |inner| inner.walk(&prefix)).await?;
            Ok::<_, Error>(futures::stream::iter(found.into_iter().map(Ok)))
        })
        .try_flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.blocking(move |inner| inner.folder_of_objects(&prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let replaces = matches!(options.mode, CopyMode::Overwrite);
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |inner| inner.copy(&from, &to, write::Put { replaces, synced: true })).await
    }
}
