//! Listing keys, versions and uploads: a walk over ordered rows that jumps over what a delimiter groups.

use redb::ReadTransaction;

use crate::{
    UploadId, Vault, VaultError,
    error::IndexEntryError,
    fact::BucketId,
    limits::MAX_LIST_ENTRIES,
    multipart::{UploadRecord, UploadSummary},
    object::{ObjectSummary, Version},
    tables::{CURRENT, CurrentRow, IDS, UPLOADS, VERSIONS, decode_row},
};

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that share what comes up to this, after the prefix, are shown as one common prefix. Empty counts as
    /// none.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes after this one (V1 `marker`, V2 `start-after` or the token's place).
    pub after: Option<String>,
    /// At most so many keys and common prefixes together; [`MAX_LIST_ENTRIES`] where `None` or more.
    pub max: Option<usize>,
}

/// One page of current objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Objects, ordered by the bytes of their keys.
    pub objects: Vec<ObjectSummary>,
    /// Common prefixes, ordered alike.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins (its `after`), if there is one.
    pub next: Option<String>,
}

/// One line of a listing of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionEntry {
    /// The key.
    pub key: String,
    /// Whether it is the key's newest version.
    pub is_latest: bool,
    /// The version.
    pub version: Version,
}

/// Where a listing of versions or uploads begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// After this key (or common prefix) …
    pub key: String,
    /// … or within it, after this version or upload.
    pub id: Option<String>,
}

/// One page of versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Versions and delete markers, by key, the newest first.
    pub versions: Vec<VersionEntry>,
    /// Common prefixes.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<Marker>,
}

/// One page of uploads in progress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// Uploads, by key, the first begun first.
    pub uploads: Vec<UploadSummary>,
    /// Common prefixes.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<Marker>,
}

impl Vault {
    /// Lists a bucket's current objects. Blocks for as long as reading a page of the index takes.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::IndexUnavailable`].
    pub fn list_objects(&self, bucket: &str, query: &ListQuery) -> Result<ListPage, VaultError> {
        let bucket = self.bucket(bucket)?;
        self.inner.index.read(|read| current_objects(read, bucket.id, query))
    }

    /// Lists a bucket's versions and delete markers; `query.after` is not used, `marker` is.
    ///
    /// A version that was removed since it was given as marker makes the page begin with its key again: nothing
    /// is left out.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::IndexUnavailable`].
    pub fn list_versions(
        &self,
        bucket: &str,
        query: &ListQuery,
        marker: Option<&Marker>,
    ) -> Result<VersionPage, VaultError> {
        let bucket = self.bucket(bucket)?;
        self.inner.index.read(|read| versions(read, bucket.id, query, marker))
    }

    /// Lists a bucket's uploads in progress; `query.after` is not used, `marker` is.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::IndexUnavailable`].
    pub fn list_uploads(
        &self,
        bucket: &str,
        query: &ListQuery,
        marker: Option<&Marker>,
    ) -> Result<UploadPage, VaultError> {
        let bucket = self.bucket(bucket)?;
        self.inner.index.read(|read| uploads(read, bucket.id, query, marker))
    }
}

/// Prefix and delimiter, and how much room the page has.
struct Walk<'q> {
    prefix: &'q str,
    delimiter: Option<&'q str>,
    room: usize,
    common_prefixes: Vec<String>,
}

impl<'q> Walk<'q> {
    fn new(query: &'q ListQuery) -> Self {
        Self {
            prefix: &query.prefix,
            delimiter: query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
            room: query.max.unwrap_or(MAX_LIST_ENTRIES).min(MAX_LIST_ENTRIES),
            common_prefixes: Vec::new(),
        }
    }

    /// The common prefix that a key is shown as.
    fn group<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix)?;
        let delimiter = self.delimiter?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }

    /// The first key that can come after this key or common prefix.
    fn start_after(&self, after: Option<&str>) -> Vec<u8> {
        let Some(after) = after.filter(|after| *after >= self.prefix) else {
            return self.prefix.as_bytes().to_vec();
        };
        match self.group(after) {
            Some(group) => past(group),
            None => {
                let mut next = after.as_bytes().to_vec();
                next.push(0);
                next
            }
        }
    }

    /// Takes one place of the page; `false` where it is full.
    fn take(&mut self) -> bool {
        let taken = self.room > 0;
        self.room = self.room.saturating_sub(1);
        taken
    }
}

/// The least bytes greater than all that begin with `group`. UTF-8 never ends with the greatest byte.
fn past(group: &str) -> Vec<u8> {
    let mut bytes = group.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

fn text(key: &[u8]) -> Result<&str, VaultError> {
    std::str::from_utf8(key).map_err(|_| IndexEntryError::NotText.into())
}

fn current_objects(
    read: &ReadTransaction,
    bucket: BucketId,
    query: &ListQuery,
) -> Result<ListPage, VaultError> {
    let table = read.open_table(CURRENT)?;
    let mut walk = Walk::new(query);
    let mut page = ListPage::default();
    let mut last: Option<String> = None;
    let mut start = walk.start_after(query.after.as_deref());
    if walk.room == 0 {
        return Ok(page);
    }
    'seek: loop {
        for row in table.range((bucket, start.as_slice())..)? {
            let (place, value) = row?;
            let (of, key) = place.value();
            let key = text(key)?;
            if of != bucket || !key.starts_with(walk.prefix) {
                break 'seek;
            }
            if !walk.take() {
                page.next = last;
                break 'seek;
            }
            if let Some(group) = walk.group(key) {
                start = past(group);
                last = Some(group.to_owned());
                walk.common_prefixes.push(group.to_owned());
                continue 'seek;
            }
            last = Some(key.to_owned());
            page.objects.push(decode_row::<CurrentRow>(value.value())?.summary(key.to_owned()));
        }
        break;
    }
    page.common_prefixes = walk.common_prefixes;
    Ok(page)
}

fn versions(
    read: &ReadTransaction,
    bucket: BucketId,
    query: &ListQuery,
    marker: Option<&Marker>,
) -> Result<VersionPage, VaultError> {
    let table = read.open_table(VERSIONS)?;
    let mut walk = Walk::new(query);
    let mut page = VersionPage::default();
    let mut last: Option<Marker> = None;
    let (mut start, mut age) = (walk.start_after(marker.map(|marker| marker.key.as_str())), 0);
    // The key whose newest version is behind us.
    let mut seen: Option<String> = None;
    if let Some(Marker { key, id: Some(id) }) = marker
        && key.as_str() >= walk.prefix
        && walk.group(key).is_none()
    {
        start = key.as_bytes().to_vec();
        let ids = read.open_table(IDS)?;
        if let Some(found) = ids.get((bucket, key.as_bytes(), id.as_bytes()))? {
            age = found.value().saturating_add(1);
            seen = Some(key.clone());
        }
    }
    if walk.room == 0 {
        return Ok(page);
    }
    'seek: loop {
        for row in table.range((bucket, start.as_slice(), age)..)? {
            let (place, value) = row?;
            let (of, key, _) = place.value();
            let key = text(key)?;
            if of != bucket || !key.starts_with(walk.prefix) {
                break 'seek;
            }
            if !walk.take() {
                page.next = last;
                break 'seek;
            }
            if let Some(group) = walk.group(key) {
                (start, age) = (past(group), 0);
                last = Some(Marker { key: group.to_owned(), id: None });
                walk.common_prefixes.push(group.to_owned());
                continue 'seek;
            }
            let version: Version = decode_row(value.value())?;
            let is_latest = seen.as_deref() != Some(key);
            last = Some(Marker { key: key.to_owned(), id: Some(version.id().to_owned()) });
            seen = Some(key.to_owned());
            page.versions.push(VersionEntry { key: key.to_owned(), is_latest, version });
        }
        break;
    }
    page.common_prefixes = walk.common_prefixes;
    Ok(page)
}

fn uploads(
    read: &ReadTransaction,
    bucket: BucketId,
    query: &ListQuery,
    marker: Option<&Marker>,
) -> Result<UploadPage, VaultError> {
    let table = read.open_table(UPLOADS)?;
    let mut walk = Walk::new(query);
    let mut page = UploadPage::default();
    let mut last: Option<Marker> = None;
    let (mut start, mut upload) = (walk.start_after(marker.map(|marker| marker.key.as_str())), 0);
    if let Some(Marker { key, id: Some(id) }) = marker
        && key.as_str() >= walk.prefix
        && walk.group(key).is_none()
        && let Ok(after) = id.parse::<UploadId>()
    {
        (start, upload) = (key.as_bytes().to_vec(), after.0.saturating_add(1));
    }
    if walk.room == 0 {
        return Ok(page);
    }
    'seek: loop {
        for row in table.range((bucket, start.as_slice(), upload)..)? {
            let (place, value) = row?;
            let (of, key, id) = place.value();
            let key = text(key)?;
            if of != bucket || !key.starts_with(walk.prefix) {
                break 'seek;
            }
            if !walk.take() {
                page.next = last;
                break 'seek;
            }
            if let Some(group) = walk.group(key) {
                (start, upload) = (past(group), 0);
                last = Some(Marker { key: group.to_owned(), id: None });
                walk.common_prefixes.push(group.to_owned());
                continue 'seek;
            }
            let record: UploadRecord = decode_row(value.value())?;
            let upload_id = UploadId(id);
            last = Some(Marker { key: key.to_owned(), id: Some(upload_id.to_string()) });
            page.uploads.push(record.summary(key.to_owned(), upload_id));
        }
        break;
    }
    page.common_prefixes = walk.common_prefixes;
    Ok(page)
}
