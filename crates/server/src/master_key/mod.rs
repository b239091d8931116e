//! Where the master key comes from: the folder, a file, the operator's hands, or a service that wraps it.
//!
//! A service never learns what it protects: it wraps one key, which is drawn once, kept wrapped in the data folder and
//! unwrapped at each start. What the key does then is `opentrail-keyring`'s.

mod error;
mod transit;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use opentrail_journal::disk::{Access, Disk};
use opentrail_keyring::{MasterKey, MasterKeySource, load_master_key};
use serde::{Deserialize, Serialize};

use self::transit::Transit;
pub use self::{error::MasterKeyError, transit::TransitOptions};

/// The master key's file, where the operator says nothing else.
const OWN_NAME: &str = "master.key";

/// The wrapped master key, where a service wraps it.
pub(crate) const WRAPPED_NAME: &str = "master.key.wrapped";

const WRAPPED_FORMAT: u32 = 1;

/// Where the operator keeps the master key.
#[derive(Clone)]
pub enum MasterKeyFrom {
    /// The key itself.
    Key(MasterKey),
    /// A file of 32 bytes or 64 hexadecimal digits; made at the first start if it is absent.
    File(PathBuf),
    /// A transit engine of HashiCorp Vault or OpenBao.
    Transit(TransitOptions),
}

impl fmt::Debug for MasterKeyFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(_) => f.write_str("Key"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Transit(options) => f.debug_tuple("Transit").field(options).finish(),
        }
    }
}

impl From<[u8; 32]> for MasterKeyFrom {
    fn from(key: [u8; 32]) -> Self {
        Self::Key(MasterKey::new(key))
    }
}

/// A data folder, as far as its master key is concerned.
pub(crate) struct Folder<'a> {
    /// The disk below any encryption.
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) data: &'a Path,
    /// A server was started in it before.
    pub(crate) started: bool,
}

impl Folder<'_> {
    /// The source for a folder that is not encrypted: a file is read, and made, when it is known whether anything is
    /// sealed already.
    pub(crate) async fn source(
        &self,
        from: Option<&MasterKeyFrom>,
    ) -> Result<MasterKeySource, MasterKeyError> {
        Ok(match from {
            None => MasterKeySource::File(self.data.join(OWN_NAME)),
            Some(MasterKeyFrom::File(path)) => MasterKeySource::File(path.clone()),
            Some(from) => MasterKeySource::Bytes(self.key(from).await?.to_vec().into()),
        })
    }

    /// The key itself.
    pub(crate) async fn key(&self, from: &MasterKeyFrom) -> Result<MasterKey, MasterKeyError> {
        match from {
            MasterKeyFrom::Key(key) => Ok(key.clone()),
            MasterKeyFrom::File(path) => {
                let (path, disk, started) = (path.clone(), Arc::clone(self.disk), self.started);
                let load = move || load_master_key(MasterKeySource::File(path), &*disk, started);
                let key = tokio::task::spawn_blocking(load).await.map_err(|_| MasterKeyError::Interrupted)?;
                Ok(key?)
            }
            MasterKeyFrom::Transit(options) => self.unwrapped(&Transit::new(options)?).await,
        }
    }

    async fn unwrapped(&self, transit: &Transit) -> Result<MasterKey, MasterKeyError> {
        let path = self.data.join(WRAPPED_NAME);
        let failed = |cause| MasterKeyError::Disk { path: path.clone(), cause };
        if self.disk.exists(&path).map_err(failed)? {
            let text = self.disk.read(&path).map_err(failed)?;
            let wrapped: Wrapped = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
            if wrapped.format != WRAPPED_FORMAT {
                let what = format!("it is of format {}, which a newer opentrail writes", wrapped.format);
                return Err(failed(io::Error::new(io::ErrorKind::Unsupported, what)));
            }
            let key = transit.decrypt(&wrapped.ciphertext).await?;
            self.wrap_anew(transit, wrapped).await;
            return Ok(key);
        }
        if self.started {
            return Err(MasterKeyError::NotWrapped { path });
        }
        let (key, ciphertext) = transit.draw().await?;
        self.keep(&Wrapped::new(transit, ciphertext)).map_err(failed)?;
        tracing::info!(path = %path.display(), "a master key was drawn; the service that wrapped it opens it at each start");
        Ok(key)
    }

    /// Has the key wrapped under the newest version of the service's key, so that older ones can be retired. That it
    /// can't be is no reason not to start.
    async fn wrap_anew(&self, transit: &Transit, wrapped: Wrapped) {
        match transit.rewrap(&wrapped.ciphertext).await {
            Ok(ciphertext) if transit::version(&ciphertext) != transit::version(&wrapped.ciphertext) => {
                match self.keep(&Wrapped::new(transit, ciphertext)) {
                    Ok(()) => tracing::info!(
                        "the master key is wrapped under the newest version of the service's key"
                    ),
                    Err(error) => tracing::warn!(%error, "the newly wrapped master key could not be kept"),
                }
            }
            Ok(_) => {}
            Err(error) => tracing::info!(%error, "the master key stays wrapped as it is"),
        }
    }

    fn keep(&self, wrapped: &Wrapped) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(wrapped)?;
        self.disk.write_atomically(&self.data.join(WRAPPED_NAME), &text, Access::Private)
    }
}

/// The wrapped key as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    format: u32,
    /// The service's key, for people: which one opens it is said by the operator.
    wrapped_by: String,
    ciphertext: String,
}

impl Wrapped {
    fn new(transit: &Transit, ciphertext: String) -> Self {
        Self { format: WRAPPED_FORMAT, wrapped_by: transit.name(), ciphertext }
    }
}
