//! Where tables are kept: an object store and how its files are named in Iceberg's metadata.
//!
//! Within the data folder it is [`DiskStore`], over the same seam to the file system as everything else. Elsewhere it is a
//! service that speaks S3, Azure Blob Storage or Google Cloud Storage. All of the lake sees an [`ObjectStore`] only, and
//! asks of it that [`PutMode::Create`](object_store::PutMode) never replaces, which is how tables are committed.
//!
//! A table may have a key ([`Seal`]): then a store around that one seals each of its files, data, manifests and metadata
//! alike, and opens what is read of them ([`Warehouse::sealed_with`]).

mod delete;
mod disk_store;
mod location;
mod read;
mod seal;
mod sealed_file;
mod sealed_store;
mod services;
mod upload;
mod write;

use std::{
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

pub use disk_store::{DiskStore, Unsynced};
pub use location::{Location, StorageAccount};
use object_store::{ObjectStore, path::Path};
use opentrail_journal::disk::Disk;
pub use seal::{DataKey, KeyRefused, Seal, Sealing};

use self::{sealed_store::SealedStore, services::Service};
use crate::LakeError;

/// The bucket under whose name the server's S3 door hands out the files of a warehouse that is in its data
/// folder. Names in the tables' metadata start with it, so that the folder can be moved, and be encrypted.
pub const DOOR_BUCKET: &str = "opentrail-lake";

/// Where tables are kept. Clones are the same place.
#[derive(Debug, Clone)]
pub struct Warehouse {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    root: Arc<str>,
    is_behind_door: bool,
    /// The same store, where it is one table's of which files may be sealed.
    sealed: Option<Arc<SealedStore>>,
}

impl Warehouse {
    /// A warehouse in the server's own folder. Other engines read it through the server: its files have the
    /// names `s3://opentrail-lake/…`.
    ///
    /// # Errors
    /// [`LakeError::Disk`] where the folder can't be made or is in use.
    pub fn in_data_folder(folder: &FilePath, disk: Arc<dyn Disk>) -> Result<Self, LakeError> {
        let store = DiskStore::open(folder, disk)?;
        let here = Self::new(Arc::new(store), Path::default(), format!("s3://{DOOR_BUCKET}"));
        Ok(Self { is_behind_door: true, ..here })
    }

    /// A warehouse at a location that an option names.
    ///
    /// # Errors
    /// [`LakeError::Disk`] where the folder can't be made or is in use, [`LakeError::Warehouse`] where settings
    /// of the object store are wrong. Nothing is asked of a service on the network.
    pub fn at(location: &Location, disk: Arc<dyn Disk>) -> Result<Self, LakeError> {
        let (Service { store, root }, prefix) = match location {
            Location::Folder(folder) => {
                let folder = absolute(folder)?;
                let root = location::file_uri(&folder)?;
                return Ok(Self::new(Arc::new(DiskStore::open(&folder, disk)?), Path::default(), root));
            }
            Location::S3 { bucket, prefix } => (services::s3(bucket)?, prefix),
            Location::Azure { container, account, prefix } => {
                (services::azure(container, account.as_ref())?, prefix)
            }
            Location::Google { bucket, prefix } => (services::google(bucket)?, prefix),
        };
        Ok(Self::new(store, prefix.clone(), root))
    }

    /// A warehouse in any object store; `root` is the URI that stands for the store's own root, such as
    /// `s3://bucket`, without a slash at the end, and `prefix` where the tables are below it.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, root: impl Into<Arc<str>>) -> Self {
        Self { store, prefix, root: root.into(), is_behind_door: false, sealed: None }
    }

    /// The same place as one table sees it, whose files are sealed as `seal` says.
    pub fn sealed_with(&self, seal: Arc<dyn Seal>) -> Self {
        let sealed = Arc::new(SealedStore::new(Arc::clone(&self.store), seal));
        Self { store: Arc::clone(&sealed) as Arc<dyn ObjectStore>, sealed: Some(sealed), ..self.clone() }
    }

    /// Whether files are sealed, as of now.
    pub fn seals(&self) -> bool {
        self.sealed.as_ref().is_some_and(|sealed| sealed.seals())
    }

    /// Seals the files below a folder that were there before the table had a key, each in one step. Answers how many
    /// were not sealed.
    ///
    /// # Errors
    /// [`LakeError::Warehouse`]; what is left can be done again.
    pub async fn reseal(&self, folder: &Path) -> Result<usize, LakeError> {
        match &self.sealed {
            Some(sealed) => Ok(sealed.reseal(folder).await?),
            None => Ok(0),
        }
    }

    /// The object store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URI of the object store's root, such as `s3://bucket`.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The URI of the place that its tables are in.
    pub fn location(&self) -> String {
        self.uri(&self.prefix)
    }

    /// Whether its files have names that the server's S3 door answers to.
    pub fn is_behind_door(&self) -> bool {
        self.is_behind_door
    }

    /// The folder of a table with this name.
    pub fn table_path(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    /// What an object is called in a table's metadata.
    pub fn uri(&self, path: &Path) -> String {
        format!("{}/{path}", self.root)
    }
}

fn absolute(folder: &FilePath) -> Result<PathBuf, LakeError> {
    std::path::absolute(folder).map_err(|error| LakeError::Location {
        location: folder.display().to_string(),
        reason: error.to_string(),
    })
}
