//! Where the follower goes on after a crash: a place of the journal up to which every table has what it takes, and the
//! configuration as it was there.
//!
//! A store that took nothing for long needs no commit of its own for that.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use opentrail_journal::disk::{Access, Disk};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::configuration::Configuration;
use crate::{error::LakeError, store::StoreId};

const FILE: &str = "checkpoint";
const VERSION: u32 = 1;
/// Hex digits of the checksum and the line's end.
const SUM_LEN: usize = 17;

/// The follower's durable state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    /// Where the tables are ([`Warehouse::location`](crate::warehouse::Warehouse::location)).
    pub(crate) warehouse: String,
    /// The last entry of the journal of which all events are in tables.
    pub(crate) position: u64,
    /// As of the position.
    pub(crate) configuration: Configuration,
    /// Stores that are no more and whose tables are to be removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) doomed: BTreeSet<StoreId>,
}

impl Checkpoint {
    /// One that begins after an entry of the journal, with tables at `warehouse`.
    pub(crate) fn first(position: u64, configuration: Configuration, warehouse: String) -> Self {
        Self { version: VERSION, warehouse, position, configuration, doomed: BTreeSet::new() }
    }

    /// The one that replaces it.
    pub(crate) fn next(
        &self,
        position: u64,
        configuration: Configuration,
        doomed: BTreeSet<StoreId>,
    ) -> Self {
        Self { version: VERSION, warehouse: self.warehouse.clone(), position, configuration, doomed }
    }

    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Reads it; none where there never was one.
    pub(crate) fn load(dir: &Path, disk: &dyn Disk) -> Result<Option<Self>, LakeError> {
        let path = Self::path(dir);
        if !disk.exists(&path).map_err(LakeError::disk(&path))? {
            return Ok(None);
        }
        let bytes = disk.read(&path).map_err(LakeError::disk(&path))?;
        let damaged = |reason: String| LakeError::Damaged { path: path.clone(), reason };
        let (sum, text) =
            bytes.split_at_checked(SUM_LEN).ok_or_else(|| damaged("it is cut off".to_owned()))?;
        if sum != checksum(text).as_bytes() {
            return Err(damaged("the checksum does not match".to_owned()));
        }
        let checkpoint: Self = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if checkpoint.version != VERSION {
            return Err(damaged(format!("version {} is not known", checkpoint.version)));
        }
        Ok(Some(checkpoint))
    }

    /// Writes it so that after a crash it is there whole or not at all.
    pub(crate) fn store(&self, dir: &Path, disk: &dyn Disk) -> Result<(), LakeError> {
        let path = Self::path(dir);
        let text =
            serde_json::to_vec(self).map_err(|source| LakeError::Document { id: FILE.to_owned(), source })?;
        let mut bytes = checksum(&text).into_bytes();
        bytes.extend(text);
        disk.write_atomically(&path, &bytes, Access::Private).map_err(LakeError::disk(&path))
    }
}

fn checksum(text: &[u8]) -> String {
    format!("{:016x}\n", xxh3_64(text))
}
