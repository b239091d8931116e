//! Reading and listing objects.

use std::{io, ops::Range};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    Attributes, Error, GetOptions, GetResult, GetResultPayload, ListResult, ObjectMeta, Result, path::Path,
};
use opentrail_journal::disk::{DiskFile, FileInfo};

use super::disk_store::{DiskStore, Inner, failed};

/// How much of an object is in memory at once when it is read as a stream.
const READ_AT_ONCE: u64 = 2 << 20;

fn described(location: &Path, info: &FileInfo) -> ObjectMeta {
    let last_modified = info.modified.map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from);
    ObjectMeta {
        location: location.clone(),
        last_modified,
        size: info.len,
        e_tag: Some(format!("{:x}-{:x}", last_modified.timestamp_micros(), info.len)),
        version: None,
    }
}

fn read_range(file: &dyn DiskFile, range: &Range<u64>) -> io::Result<Bytes> {
    let len = usize::try_from(range.end.saturating_sub(range.start))
        .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut buffer = vec![0; len];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(buffer.into())
}

impl Inner {
    fn describe(&self, location: &Path) -> Result<ObjectMeta> {
        let file = self.file(location)?;
        match self.disk.info(&file).map_err(|error| failed(location, error))? {
            Some(info) if !info.is_dir => Ok(described(location, &info)),
            _ => Err(failed(location, io::ErrorKind::NotFound.into())),
        }
    }

    pub(super) fn read_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let opened = self.disk.open_read(&self.file(location)?).map_err(|error| failed(location, error))?;
        let len = opened.len().map_err(|error| failed(location, error))?;
        let read = |range: &Range<u64>| {
            if range.end > len || range.start > range.end {
                let reason = format!("{location} has {len} bytes, no bytes {range:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            read_range(opened.as_ref(), range)
        };
        ranges.iter().map(|range| read(range).map_err(|error| failed(location, error))).collect()
    }

    /// Every object below a prefix, ordered by name.
    pub(super) fn walk(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let mut found = Vec::new();
        let mut folders = vec![prefix.clone()];
        while let Some(folder) = folders.pop() {
            let listed = self.folder_of_objects(&folder)?;
            folders.extend(listed.common_prefixes);
            found.extend(listed.objects);
        }
        found.sort_unstable_by(|a: &ObjectMeta, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// The objects and folders in one folder.
    pub(super) fn folder_of_objects(&self, prefix: &Path) -> Result<ListResult> {
        let folder = if prefix.as_ref().is_empty() { self.folder.clone() } else { self.file(prefix)? };
        let mut listed = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        let entries = match self.disk.read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(listed);
            }
            Err(error) => return Err(failed(prefix, error)),
        };
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            let location = prefix.clone().join(entry.name.as_str());
            if entry.is_dir {
                listed.common_prefixes.push(location);
                continue;
            }
            match self.describe(&location) {
                Ok(object) => listed.objects.push(object),
                // Removed between the listing and the look at it.
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }
}

pub(super) async fn get(store: &DiskStore, location: &Path, options: GetOptions) -> Result<GetResult> {
    let asked = location.clone();
    let (meta, file) = store
        .blocking(move |inner| {
            // Opened first: an object that is deleted meanwhile can still be read.
            let opened = inner.disk.open_read(&inner.file(&asked)?).map_err(|error| failed(&asked, error))?;
            Ok((inner.describe(&asked)?, opened))
        })
        .await?;
    options.check_preconditions(&meta)?;
    let range = match &options.range {
        Some(range) => range.as_range(meta.size).map_err(|error| Error::Generic {
            store: "DiskStore",
            source: Box::new(io::Error::new(io::ErrorKind::InvalidInput, error.to_string())),
        })?,
        None => 0..meta.size,
    };
    let sent = if options.head { 0..0 } else { range.clone() };
    let payload = GetResultPayload::Stream(stream(location.clone(), file, sent));
    Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
}

fn stream(
    location: Path,
    file: Box<dyn DiskFile>,
    range: Range<u64>,
) -> futures::stream::BoxStream<'static, Result<Bytes>> {
    let file: std::sync::Arc<dyn DiskFile> = file.into();
    futures::stream::try_unfold(range, move |left| {
        let (file, location) = (file.clone(), location.clone());
        async move {
            if left.is_empty() {
                return Ok(None);
            }
            let end = left.end.min(left.start + READ_AT_ONCE);
            let piece = left.start..end;
            let bytes = tokio::task::spawn_blocking(move || read_range(file.as_ref(), &piece))
                .await?
                .map_err(|error| failed(&location, error))?;
            Ok(Some((bytes, end..left.end)))
        }
    })
    .into_stream()
    .boxed()
}
