//! Moving a version to another storage class. The content stays, byte for byte; what it is stored as may change,
//! since classes below the standard one are kept compressed.
//!
//! The new bytes are written, held against the object's checksums, synced, and read back the way they will be read
//! from then on; then one journal entry has the version with its new class and body. Until the index has that,
//! readers see the old bytes; a crash in between leaves a file that nobody refers to, which is swept. The parts of
//! a multipart upload are stored anew one by one, each step leaving the object whole.

use std::{ops::Range, sync::Arc};

use futures::{StreamExt, pin_mut};
use redb::ReadTransaction;

use crate::{
    Bucket, ChecksumType, Checksums, Expected, StorageClass, Vault, VaultError,
    checksum::Hasher,
    fact::{Carried, VaultFact},
    follow::blocking,
    get::{ObjectReader, altered, parts_of},
    lookup,
    multipart::PartRecord,
    object::{Body, ObjectMeta, Version},
    put::or_default,
    records::Records,
    upload::{Sink, Staged},
};

impl Vault {
    /// Moves the version to the class, if it is the one that was `seen` and `still` says so once nobody else can
    /// write the key. The change and the records that `events` makes of it are one journal entry. Whether it was
    /// moved.
    ///
    /// # Errors
    /// Those of [`Vault::get`] and [`Vault::commit_put`]; [`VaultError::Corrupt`] and
    /// [`VaultError::ChecksumMismatch`] where the bytes are damaged: they stay as they are, to be looked at.
    pub(crate) async fn transition<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        seen: &ObjectMeta,
        class: StorageClass,
        still: impl FnOnce(&Bucket, &ReadTransaction) -> Result<bool, VaultError>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<bool, VaultError> {
        let packs = StorageClass::is_packed(class.name());
        let staged = match &seen.body {
            Body::Inline { .. } | Body::File(_) if packs => {
                let Some(reader) = self.reader_of(bucket, key, seen)? else { return Ok(false) };
                let checksums = match seen.checksum_type {
                    ChecksumType::FullObject => seen.checksums.clone(),
                    ChecksumType::Composite => Checksums::new(),
                };
                let staged = self.stored_anew(&reader, 0..seen.size, key, class, checksums).await?;
                staged.body.is_packed().then_some(staged)
            }
            Body::Parts { .. } if packs => {
                if !self.repack_parts(bucket, key, seen, class).await? {
                    return Ok(false);
                }
                None
            }
            _ => None,
        };
        let (bucket, open) = self.enter(bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, key)).await?;
        if !self.inner.index.read(|read| Ok(still(&bucket, read)? && is_there(read, &bucket, key, seen)?))? {
            return Ok(false);
        }
        let mut meta = seen.clone();
        class.name().clone_into(&mut meta.object.storage_class);
        meta.restored_until = None;
        let events = events(&meta).written()?;
        let key = key.to_owned();
        let (fact, inline, pending) = match staged {
            Some(Staged { body, inline, pending, .. }) => {
                meta.body = body;
                let version = Version::Object(Box::new(meta));
                (VaultFact::RepackVersion { bucket: bucket.id, key, version }, inline, pending)
            }
            None => {
                let version = Version::Object(Box::new(meta));
                (VaultFact::AmendVersion { bucket: bucket.id, key, version }, bytes::Bytes::new(), None)
            }
        };
        let pending = pending.into_iter().collect();
        self.commit(vec![Carried { fact, inline }], events, pending, (open, locked)).await?;
        Ok(true)
    }

    /// The version's reader, if the version is still the one that was seen.
    fn reader_of(
        &self,
        bucket: &str,
        key: &str,
        seen: &ObjectMeta,
    ) -> Result<Option<Arc<ObjectReader>>, VaultError> {
        match self.get(bucket, key, Some(&seen.version_id)) {
            Ok(reader) => Ok((reader.meta() == seen).then(|| Arc::new(reader))),
            Err(VaultError::NoSuchVersion { .. } | VaultError::VersionIsDeleteMarker { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a range of an object again as the class keeps it, and reads it back: the old bytes go once these are
    /// committed, and may be all there is of a version that nobody could remove.
    async fn stored_anew(
        &self,
        reader: &ObjectReader,
        range: Range<u64>,
        key: &str,
        class: StorageClass,
        checksums: Checksums,
    ) -> Result<Staged, VaultError> {
        let meta = reader.meta();
        let algorithms = or_default(&checksums.keys().copied().collect::<Vec<_>>());
        let content_key =
            self.open_content_key(&meta.object, meta.sealed_key.as_ref(), reader.bucket(), key)?;
        let mut sink = Sink::new(self, &algorithms, Some(range.end - range.start))?
            .in_class(class.name())
            .encrypted_with(content_key);
        let pieces = reader.stream(range);
        pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            sink.write(&piece?).await?;
        }
        let staged = sink.finish(&Expected { checksums, md5: None }).await?;
        // What did not get smaller is not taken.
        if staged.body.is_packed() {
            read_back(reader, &staged).await?;
        }
        Ok(staged)
    }

    /// Stores the parts of an object as the class keeps them, those that are not yet. Whether they all are.
    async fn repack_parts(
        &self,
        bucket: &str,
        key: &str,
        seen: &ObjectMeta,
        class: StorageClass,
    ) -> Result<bool, VaultError> {
        let Body::Parts { upload, .. } = seen.body else { return Ok(true) };
        let Some(reader) = self.reader_of(bucket, key, seen)? else { return Ok(false) };
        let parts = self.inner.index.read(|read| parts_of(read, upload))?;
        for (number, part) in parts {
            if part.body.is_packed() || part.size == 0 {
                continue;
            }
            let range = reader.part(number)?;
            let checksums = part.checksums.clone();
            let staged = self.stored_anew(&reader, range, key, class, checksums).await?;
            if !staged.body.is_packed() {
                continue;
            }
            let (bucket, open) = self.enter(bucket).await?;
            let locked = self.inner.keys.lock((bucket.id, key)).await?;
            if !self.inner.index.read(|read| is_there(read, &bucket, key, seen))? {
                return Ok(false);
            }
            let Staged { body, inline, pending, .. } = staged;
            let fact = VaultFact::RepackPart { upload, number, part: PartRecord { body, ..part } };
            let pending = pending.into_iter().collect();
            self.commit(vec![Carried { fact, inline }], Vec::new(), pending, (open, locked)).await?;
        }
        Ok(true)
    }
}

/// Whether staged bytes read as what they were made of, decrypted and unpacked.
async fn read_back(reader: &ObjectReader, staged: &Staged) -> Result<(), VaultError> {
    let Some(blob) = staged.body.blob() else { return Ok(()) };
    let algorithms: Vec<_> = staged.checksums.keys().copied().collect();
    let (mut hasher, mut size) = (Hasher::new(&algorithms), 0);
    let written = reader.of_staged(staged)?;
    let pieces = written.stream(0..staged.size);
    pin_mut!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        hasher = blocking(move || {
            hasher.update(&piece);
            Ok(hasher)
        })
        .await?;
    }
    if size == staged.size && hasher.finish().checksums == staged.checksums {
        Ok(())
    } else {
        Err(altered(blob))
    }
}

fn is_there(
    read: &ReadTransaction,
    bucket: &Bucket,
    key: &str,
    seen: &ObjectMeta,
) -> Result<bool, VaultError> {
    let found = lookup::by_id(read, bucket.id, key, &seen.version_id)?;
    Ok(matches!(found, Some(Version::Object(meta)) if *meta == *seen))
}
