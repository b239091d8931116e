//! A local folder that was copied from a bucket, for validation without a network.
//!
//! `aws s3 sync s3://BUCKET FOLDER` keeps keys as paths but not the metadata in which digests have their
//! signature. It may be kept beside a digest, in a file of the same name with `.metadata.json` added: one
//! JSON object of texts.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use async_trait::async_trait;

use super::{ListPage, ListedFile, LogReader, StoreError, StoredFile};

/// What is added to a file's name for its metadata.
pub const METADATA_SUFFIX: &str = ".metadata.json";

/// The folder; it stands for whatever bucket is asked for.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// A folder whose parts are the keys of a bucket.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path_of(&self, key: &str) -> Result<PathBuf, StoreError> {
        let relative = Path::new(key);
        if relative.components().all(|part| matches!(part, Component::Normal(_))) {
            Ok(self.root.join(relative))
        } else {
            Err(StoreError::InvalidKey)
        }
    }
}

#[async_trait]
impl LogReader for Folder {
    async fn get(&self, _bucket: &str, key: &str) -> Result<StoredFile, StoreError> {
        let path = self.path_of(key)?;
        let body = tokio::fs::read(&path).await.map_err(|e| of_error(&e))?;
        let mut beside = path.into_os_string();
        beside.push(METADATA_SUFFIX);
        let metadata = match tokio::fs::read(beside).await {
            Ok(text) => serde_json::from_slice::<std::collections::BTreeMap<String, String>>(&text)
                .map_err(|e| StoreError::Unavailable { reason: e.to_string() })?
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(of_error(&e)),
        };
        Ok(StoredFile { body: body.into(), metadata })
    }

    async fn list(&self, _bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let start = if folder.is_empty() { self.root.clone() } else { self.path_of(folder)? };
        let root = self.root.clone();
        let found = tokio::task::spawn_blocking(move || {
            let mut files = Vec::new();
            walk(&root, &start, &mut files).map(|()| files)
        })
        .await
        .map_err(|e| StoreError::Unavailable { reason: e.to_string() })?;
        let mut files = found.map_err(|e| of_error(&e))?;
        files.retain(|file| {
            file.key.starts_with(prefix) && after.is_none_or(|after| file.key.as_str() > after)
        });
        files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(ListPage { files, more: false })
    }

    fn keeps_metadata(&self) -> bool {
        false
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<ListedFile>) -> io::Result<()> {
    let members = match std::fs::read_dir(folder) {
        Ok(members) => members,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(e) => return Err(e),
    };
    for member in members {
        let member = member?;
        let path = member.path();
        if member.file_type()?.is_dir() {
            walk(root, &path, files)?;
            continue;
        }
        let Some(key) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        if !key.ends_with(METADATA_SUFFIX) {
            let known = member.metadata()?;
            let modified = known.modified().ok().map(Into::into);
            files.push(ListedFile { key: key.to_owned(), size: known.len(), modified });
        }
    }
    Ok(())
}

fn of_error(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            StoreError::NoSuchKey
        }
        io::ErrorKind::PermissionDenied => StoreError::AccessDenied,
        _ => StoreError::Unavailable { reason: error.to_string() },
    }
}
