//! Applying a fact to the index.

use redb::{ReadableTable, Table, WriteTransaction};

use crate::{
    VaultError,
    error::IndexEntryError,
    fact::{BucketId, Carried, VaultFact},
    id::{BlobId, UploadId},
    multipart::PartRecord,
    object::{Body, Version},
    replication::OpenCopy,
    tables::{
        CURRENT, CurrentRow, FILES, IDS, INLINE, META, OPEN_COPIES, OPEN_COPY_BYTES, OpenCopyKey, PARTS,
        UPLOADS, VERSIONS, decode_row, encode_row,
    },
};

/// How far before the next older version a copy is put at most. Copies mostly come in the order in which their versions
/// were made, and with short steps a gap between two entries of the journal has room for many.
const REPLICA_STEP: u64 = 1 << 6;

/// The tables of one write.
pub(crate) struct Writing<'t> {
    versions: Table<'t, (BucketId, &'static [u8], u64), &'static [u8]>,
    ids: Table<'t, (BucketId, &'static [u8], &'static [u8]), u64>,
    current: Table<'t, (BucketId, &'static [u8]), &'static [u8]>,
    uploads: Table<'t, (BucketId, &'static [u8], u128), &'static [u8]>,
    parts: Table<'t, (u128, u16), &'static [u8]>,
    inline: Table<'t, u128, &'static [u8]>,
    files: Table<'t, u128, ()>,
    meta: Table<'t, &'static str, u64>,
    open_copies: Table<'t, OpenCopyKey, &'static [u8]>,
    freed: Vec<BlobId>,
}

impl<'t> Writing<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, VaultError> {
        Ok(Self {
            versions: transaction.open_table(VERSIONS)?,
            ids: transaction.open_table(IDS)?,
            current: transaction.open_table(CURRENT)?,
            uploads: transaction.open_table(UPLOADS)?,
            parts: transaction.open_table(PARTS)?,
            inline: transaction.open_table(INLINE)?,
            files: transaction.open_table(FILES)?,
            meta: transaction.open_table(META)?,
            open_copies: transaction.open_table(OPEN_COPIES)?,
            freed: Vec::new(),
        })
    }

    /// The files that nothing refers to after this write.
    pub(crate) fn take_freed(&mut self) -> Vec<BlobId> {
        std::mem::take(&mut self.freed)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: u64) -> Result<(), VaultError> {
        self.meta.insert(name, value)?;
        Ok(())
    }

    pub(crate) fn apply(&mut self, carried: Carried, age: u64) -> Result<(), VaultError> {
        let Carried { fact, inline } = carried;
        match fact {
            VaultFact::PutVersion { bucket, key, version } => {
                self.refer_version(&version, &inline)?;
                self.put_version(bucket, &key, &version, age)
            }
            VaultFact::AmendVersion { bucket, key, version } => self.amend_version(bucket, &key, &version),
            VaultFact::RepackVersion { bucket, key, version } => {
                self.refer_version(&version, &inline)?;
                self.repack_version(bucket, &key, &version)
            }
            VaultFact::RepackPart { upload, number, part } => {
                self.refer(&part.body, &inline)?;
                // A version that went meanwhile took its parts with it.
                if self.parts.get((upload.0, number))?.is_none() {
                    return self.release(&part.body);
                }
                self.remove_part(upload, number)?;
                self.put_part(upload, number, &part)
            }
            VaultFact::PutReplica { bucket, key, version } => {
                self.refer_version(&version, &inline)?;
                self.put_replica(bucket, &key, &version, age)
            }
            VaultFact::PutReplicaPart { upload, number, part } => {
                self.refer(&part.body, &inline)?;
                self.put_part(upload, number, &part)
            }
            VaultFact::RemoveVersion { bucket, key, version_id } => {
                self.remove_version(bucket, &key, &version_id)?;
                self.renew_current(bucket, &key)
            }
            VaultFact::CreateUpload { bucket, key, upload, record } => {
                self.uploads.insert((bucket, key.as_bytes(), upload.0), &*encode_row(&record)?)?;
                Ok(())
            }
            VaultFact::PutPart { bucket, key, upload, number, part } => {
                self.refer(&part.body, &inline)?;
                if self.uploads.get((bucket, key.as_bytes(), upload.0))?.is_none() {
                    return self.release(&part.body);
                }
                self.remove_part(upload, number)?;
                self.put_part(upload, number, &part)
            }
            VaultFact::CompleteUpload { bucket, key, upload, parts, version } => {
                self.uploads.remove((bucket, key.as_bytes(), upload.0))?;
                for number in self.part_numbers(upload)? {
                    if parts.binary_search(&number).is_err() {
                        self.remove_part(upload, number)?;
                    }
                }
                self.put_version(bucket, &key, &version, age)
            }
            VaultFact::AbortUpload { bucket, key, upload } => {
                self.uploads.remove((bucket, key.as_bytes(), upload.0))?;
                self.remove_parts(upload)
            }
            VaultFact::DropBucket { bucket } => self.drop_bucket(bucket),
        }
    }

    fn put_part(&mut self, upload: UploadId, number: u16, part: &PartRecord) -> Result<(), VaultError> {
        self.parts.insert((upload.0, number), &*encode_row(part)?)?;
        Ok(())
    }

    fn put_version(
        &mut self,
        bucket: BucketId,
        key: &str,
        version: &Version,
        age: u64,
    ) -> Result<(), VaultError> {
        self.remove_version(bucket, key, version.id())?;
        let key = key.as_bytes();
        self.versions.insert((bucket, key, age), &*encode_row(version)?)?;
        self.ids.insert((bucket, key, version.id().as_bytes()), age)?;
        self.list_open_copies(bucket, key, version, age)?;
        self.set_current(bucket, key, version)
    }

    /// Puts a copy among the key's versions where its time of making belongs, whenever it arrives.
    fn put_replica(
        &mut self,
        bucket: BucketId,
        key: &str,
        version: &Version,
        age: u64,
    ) -> Result<(), VaultError> {
        self.remove_version(bucket, key, version.id())?;
        let bytes = key.as_bytes();
        let (mut newer, mut older) = (None, u64::MAX);
        for row in self.versions.range((bucket, bytes, 0)..=(bucket, bytes, u64::MAX))? {
            let (place, value) = row?;
            if decode_row::<Version>(value.value())?.last_modified() <= version.last_modified() {
                older = place.value().2;
                break;
            }
            newer = Some(place.value().2);
        }
        let age = match newer {
            Some(newer) if older - newer > 1 => older - ((older - newer) / 2).min(REPLICA_STEP),
            Some(newer) => {
                self.make_room(bucket, bytes, newer)?;
                newer
            }
            None => age,
        };
        self.versions.insert((bucket, bytes, age), &*encode_row(version)?)?;
        self.ids.insert((bucket, bytes, version.id().as_bytes()), age)?;
        self.renew_current(bucket, key)
    }

    /// Moves the version of this age, and those that stand directly before it, one place towards the newest.
    fn make_room(&mut self, bucket: BucketId, key: &[u8], age: u64) -> Result<(), VaultError> {
        let mut first = age;
        while self.versions.get((bucket, key, first - 1))?.is_some() {
            first -= 1;
        }
        for from in first..=age {
            let version = self.version_of_age(bucket, key, from)?;
            let to = from - 1;
            self.unlist_open_copies(bucket, key, &version, from)?;
            self.versions.remove((bucket, key, from))?;
            self.versions.insert((bucket, key, to), &*encode_row(&version)?)?;
            self.ids.insert((bucket, key, version.id().as_bytes()), to)?;
            self.list_open_copies(bucket, key, &version, to)?;
        }
        Ok(())
    }

    /// Lists what of this version is to be copied.
    fn list_open_copies(
        &mut self,
        bucket: BucketId,
        key: &[u8],
        version: &Version,
        age: u64,
    ) -> Result<(), VaultError> {
        for OpenCopy { failed, destination, order, value, bytes } in OpenCopy::of(version, age) {
            self.open_copies.insert((bucket, failed, &*destination, key, order), &*value)?;
            self.count_open_bytes(|open| open.saturating_add(bytes))?;
        }
        Ok(())
    }

    fn unlist_open_copies(
        &mut self,
        bucket: BucketId,
        key: &[u8],
        version: &Version,
        age: u64,
    ) -> Result<(), VaultError> {
        for OpenCopy { failed, destination, order, bytes, .. } in OpenCopy::of(version, age) {
            self.open_copies.remove((bucket, failed, &*destination, key, order))?;
            self.count_open_bytes(|open| open.saturating_sub(bytes))?;
        }
        Ok(())
    }

    fn count_open_bytes(&mut self, change: impl FnOnce(u64) -> u64) -> Result<(), VaultError> {
        let open = self.meta.get(OPEN_COPY_BYTES)?.map_or(0, |open| open.value());
        let changed = change(open);
        if changed != open {
            self.meta.insert(OPEN_COPY_BYTES, changed)?;
        }
        Ok(())
    }

    fn version_of_age(&self, bucket: BucketId, key: &[u8], age: u64) -> Result<Version, VaultError> {
        match self.versions.get((bucket, key, age))? {
            Some(row) => Ok(decode_row::<Version>(row.value())?),
            None => Err(IndexEntryError::Dangling("version").into()),
        }
    }

    fn amend_version(&mut self, bucket: BucketId, key: &str, version: &Version) -> Result<(), VaultError> {
        let bytes = key.as_bytes();
        let age = self.ids.get((bucket, bytes, version.id().as_bytes()))?.map(|age| age.value());
        let Some(age) = age else { return Err(IndexEntryError::Dangling("version").into()) };
        let before = self.version_of_age(bucket, bytes, age)?;
        self.unlist_open_copies(bucket, bytes, &before, age)?;
        self.versions.insert((bucket, bytes, age), &*encode_row(version)?)?;
        self.list_open_copies(bucket, bytes, version, age)?;
        self.renew_current(bucket, key)
    }

    fn repack_version(&mut self, bucket: BucketId, key: &str, version: &Version) -> Result<(), VaultError> {
        let bytes = key.as_bytes();
        let age = self.ids.get((bucket, bytes, version.id().as_bytes()))?.map(|age| age.value());
        let age = age.ok_or(IndexEntryError::Dangling("version"))?;
        let before = self.version_of_age(bucket, bytes, age)?;
        self.unlist_open_copies(bucket, bytes, &before, age)?;
        if let Version::Object(meta) = before {
            self.release(&meta.body)?;
        }
        self.versions.insert((bucket, bytes, age), &*encode_row(version)?)?;
        self.list_open_copies(bucket, bytes, version, age)?;
        self.renew_current(bucket, key)
    }

    fn remove_version(&mut self, bucket: BucketId, key: &str, id: &str) -> Result<(), VaultError> {
        let key = key.as_bytes();
        let age = self.ids.remove((bucket, key, id.as_bytes()))?.map(|age| age.value());
        let Some(age) = age else { return Ok(()) };
        let removed = match self.versions.remove((bucket, key, age))? {
            Some(row) => decode_row::<Version>(row.value())?,
            None => return Err(IndexEntryError::Dangling("version").into()),
        };
        self.unlist_open_copies(bucket, key, &removed, age)?;
        match removed {
            Version::Object(meta) => self.release(&meta.body),
            Version::DeleteMarker(_) => Ok(()),
        }
    }

    /// Makes the listing agree with the newest version that the key has now.
    fn renew_current(&mut self, bucket: BucketId, key: &str) -> Result<(), VaultError> {
        let key = key.as_bytes();
        let newest = match self.versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?.next() {
            Some(row) => Some(decode_row::<Version>(row?.1.value())?),
            None => None,
        };
        match newest {
            Some(version) => self.set_current(bucket, key, &version),
            None => {
                self.current.remove((bucket, key))?;
                Ok(())
            }
        }
    }

    fn set_current(&mut self, bucket: BucketId, key: &[u8], version: &Version) -> Result<(), VaultError> {
        match version {
            Version::Object(meta) => {
                self.current.insert((bucket, key), &*encode_row(&CurrentRow::of(meta))?)?;
            }
            Version::DeleteMarker(_) => {
                self.current.remove((bucket, key))?;
            }
        }
        Ok(())
    }

    fn refer_version(&mut self, version: &Version, inline: &[u8]) -> Result<(), VaultError> {
        match version {
            Version::Object(meta) => self.refer(&meta.body, inline),
            Version::DeleteMarker(_) => Ok(()),
        }
    }

    fn refer(&mut self, body: &Body, inline: &[u8]) -> Result<(), VaultError> {
        match body {
            Body::Inline { blob, .. } => {
                self.inline.insert(blob.0, inline)?;
            }
            Body::File(blob) => {
                self.files.insert(blob.id.0, ())?;
            }
            Body::Packed { stored, .. } => self.refer(stored, inline)?,
            Body::Empty | Body::Parts { .. } => {}
        }
        Ok(())
    }

    fn release(&mut self, body: &Body) -> Result<(), VaultError> {
        match body {
            Body::Empty => Ok(()),
            Body::Inline { blob, .. } => {
                self.inline.remove(blob.0)?;
                Ok(())
            }
            Body::File(blob) => {
                self.files.remove(blob.id.0)?;
                self.freed.push(blob.id);
                Ok(())
            }
            Body::Parts { upload, .. } => self.remove_parts(*upload),
            Body::Packed { stored, .. } => self.release(stored),
        }
    }

    fn part_numbers(&self, upload: UploadId) -> Result<Vec<u16>, VaultError> {
        let mut numbers = Vec::new();
        for row in self.parts.range((upload.0, 0)..=(upload.0, u16::MAX))? {
            numbers.push(row?.0.value().1);
        }
        Ok(numbers)
    }

    fn remove_part(&mut self, upload: UploadId, number: u16) -> Result<(), VaultError> {
        let removed = match self.parts.remove((upload.0, number))? {
            Some(row) => decode_row::<PartRecord>(row.value())?,
            None => return Ok(()),
        };
        self.release(&removed.body)
    }

    fn remove_parts(&mut self, upload: UploadId) -> Result<(), VaultError> {
        for number in self.part_numbers(upload)? {
            self.remove_part(upload, number)?;
        }
        Ok(())
    }

    fn drop_bucket(&mut self, bucket: BucketId) -> Result<(), VaultError> {
        let mut uploads = Vec::new();
        let after = bucket.checked_add(1);
        let rows = match after {
            Some(after) => self.uploads.range((bucket, &[][..], 0)..(after, &[][..], 0))?,
            None => self.uploads.range((bucket, &[][..], 0)..)?,
        };
        for row in rows {
            let (bucket, key, upload) = {
                let row = row?;
                let (bucket, key, upload) = row.0.value();
                (bucket, key.to_vec(), upload)
            };
            uploads.push((bucket, key, upload));
        }
        for (bucket, key, upload) in uploads {
            self.uploads.remove((bucket, key.as_slice(), upload))?;
            self.remove_parts(UploadId(upload))?;
        }
        Ok(())
    }
}
