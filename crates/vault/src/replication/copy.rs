//! Making a copy in another bucket of this vault.
//!
//! A copy has the version's id, its times, headers, tags and locks, and its parts. Its bytes are read, verified and
//! written again under a key of their own, as with any copy.

use chrono::{DateTime, Utc};
use futures::{StreamExt, pin_mut};
use md5::{Digest, Md5};
use opentrail_event::AccountId;

use super::{InvalidReplication, ReplicationProgress, ReplicationRule, Waiting};
use crate::{
    Bucket, Expected, StorageClass, UploadId, Vault, VaultError,
    blob::PendingBlob,
    checksum::Checksums,
    encryption::{Encryption, ObjectKey, SealedKey},
    fact::{Carried, VaultFact},
    get::{ObjectReader, parts_of},
    lookup,
    multipart::PartRecord,
    object::{Body, DeleteMarker, ObjectMeta, Version, check_key},
    object_lock::may_be_locked,
    put::or_default,
    records::Records,
    upload::{ContentKey, Sink, Staged},
};

/// What a copy has that its version may not.
#[derive(Debug, Clone)]
pub struct NewReplica<'a> {
    /// The rule by which it is made.
    pub rule: &'a ReplicationRule,
    /// Who owns it.
    pub owner: AccountId,
    /// How it is encrypted.
    pub encryption: Encryption,
}

/// What copying did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicated {
    /// The copy was made.
    Made,
    /// The copy was there, and has what changed about its version now.
    Changed,
    /// The copy was there and as its version is, or is not there and was not to be made.
    Unchanged,
}

/// A version's bytes, stored again and not referred to yet.
struct Bytes {
    etag: String,
    body: Body,
    facts: Vec<Carried>,
    inline: bytes::Bytes,
    pending: Vec<PendingBlob>,
}

/// The key of a copy's bytes, which several blobs may be encrypted with.
struct Sealing {
    key: Option<(ObjectKey, Encryption)>,
    sealed: Option<SealedKey>,
}

impl Sealing {
    fn content_key(&self) -> Option<ContentKey> {
        self.key.as_ref().map(|(key, how)| ContentKey::new(key.clone(), how))
    }
}

impl Vault {
    /// Copies a version that waits to its destination in this vault, or gives the copy that is there the version's
    /// tags and locks. Done again it does nothing. A copy that was removed on purpose is not made again.
    ///
    /// # Errors
    /// [`VaultError::InvalidReplication`] where the destination can't take copies (any more),
    /// [`VaultError::NoSuchVersion`] where the version is gone, [`VaultError::LockNotEnabled`], those of
    /// [`Vault::get`] and of [`Vault::commit_put`].
    pub async fn replicate<R: Records>(
        &self,
        waiting: &Waiting,
        new: &NewReplica<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(Replicated) -> R,
    ) -> Result<Replicated, VaultError> {
        let into = self.destination(waiting, new.rule)?;
        let made = waiting.progress().is_some_and(|copy| copy.made);
        match &waiting.version {
            Version::DeleteMarker(marker) => self.copy_marker(waiting, &into, marker, new, events).await,
            Version::Object(meta) => {
                let there = self
                    .inner
                    .index
                    .read(|read| lookup::by_id(read, into.id, &waiting.key, &meta.version_id))?;
                match there {
                    Some(Version::Object(copy)) => self.tell_copy(waiting, &copy, meta, now, events).await,
                    Some(Version::DeleteMarker(_)) => Ok(Replicated::Unchanged),
                    None if made => Ok(Replicated::Unchanged),
                    None => self.copy_object(waiting, &into, meta, new, now, events).await,
                }
            }
        }
    }

    /// The destination as it is now, if copies can go there.
    fn destination(
        &self,
        waiting: &Waiting,
        rule: &ReplicationRule,
    ) -> Result<std::sync::Arc<Bucket>, VaultError> {
        let into = match self.bucket(&waiting.destination) {
            Err(VaultError::NoSuchBucket { .. }) => return Err(InvalidReplication::NoDestination.into()),
            into => into?,
        };
        rule.destination.check_bucket(&waiting.bucket, &into)?;
        Ok(into)
    }

    /// The destination, held; another bucket that has its name by now is not what the copy was permitted for.
    async fn enter_same(
        &self,
        into: &Bucket,
    ) -> Result<(std::sync::Arc<Bucket>, tokio::sync::OwnedRwLockReadGuard<()>), VaultError> {
        let (now, open) = self.enter(&into.name).await?;
        if now.id == into.id { Ok((now, open)) } else { Err(InvalidReplication::NoDestination.into()) }
    }

    async fn copy_marker<R: Records>(
        &self,
        waiting: &Waiting,
        into: &Bucket,
        marker: &DeleteMarker,
        new: &NewReplica<'_>,
        events: impl FnOnce(Replicated) -> R,
    ) -> Result<Replicated, VaultError> {
        let key = &waiting.key;
        let (into, open) = self.enter_same(into).await?;
        let locked = self.inner.keys.lock((into.id, key)).await?;
        if self.inner.index.read(|read| lookup::by_id(read, into.id, key, &marker.version_id))?.is_some() {
            return Ok(Replicated::Unchanged);
        }
        let replication = Some(ReplicationProgress::of_replica());
        let version = Version::DeleteMarker(DeleteMarker { owner: new.owner, replication, ..marker.clone() });
        let fact = VaultFact::PutReplica { bucket: into.id, key: key.clone(), version };
        let events = events(Replicated::Made).written()?;
        self.commit(vec![fact.into()], events, Vec::new(), (open, locked)).await?;
        Ok(Replicated::Made)
    }

    /// Gives a copy that is there the tags and locks of its version. A retention never gets weaker by that: whoever may
    /// bypass governance in one bucket may not in the other.
    async fn tell_copy<R: Records>(
        &self,
        waiting: &Waiting,
        copy: &ObjectMeta,
        from: &ObjectMeta,
        now: DateTime<Utc>,
        events: impl FnOnce(Replicated) -> R,
    ) -> Result<Replicated, VaultError> {
        let ends = self.inner.lock_clock.ends(now);
        let tell = |meta: &mut ObjectMeta| {
            meta.object.tags.clone_from(&from.object.tags);
            let (lock, wanted) = (&mut meta.object.lock, from.object.lock);
            if wanted.retention.is_some_and(|wanted| !lock.is_weakened_by(wanted, ends)) {
                lock.retention = wanted.retention;
            }
            lock.legal_hold = wanted.legal_hold.or(lock.legal_hold);
        };
        let mut told = copy.clone();
        tell(&mut told);
        if told == *copy {
            return Ok(Replicated::Unchanged);
        }
        let (into, key) = (&waiting.destination, &waiting.key);
        let change = |meta: &mut ObjectMeta| {
            tell(meta);
            Ok(())
        };
        let version_id = Some(from.version_id.as_str());
        self.amend(into, key, version_id, change, |_| events(Replicated::Changed)).await?;
        Ok(Replicated::Changed)
    }

    async fn copy_object<R: Records>(
        &self,
        waiting: &Waiting,
        into: &Bucket,
        seen: &ObjectMeta,
        new: &NewReplica<'_>,
        now: DateTime<Utc>,
        events: impl FnOnce(Replicated) -> R,
    ) -> Result<Replicated, VaultError> {
        let key = &waiting.key;
        check_key(key)?;
        may_be_locked(into, seen.lock())?;
        let reader = self.get(&waiting.bucket.name, key, Some(&seen.version_id))?;
        let mut meta = seen.clone();
        let class = new.rule.destination.storage_class.map(StorageClass::name);
        meta.object.storage_class = class.map_or(meta.object.storage_class, str::to_owned);
        meta.object.owner = new.owner;
        meta.object.canned_acl = None;
        meta.object.encryption = Some(new.encryption.clone());
        let sealing = self.sealing(into, key, &meta)?;
        let bytes = self.stored_again(&reader, &meta, &sealing, now).await?;
        let (into, open) = self.enter_same(into).await?;
        let locked = self.inner.keys.lock((into.id, key)).await?;
        let there = |read: &redb::ReadTransaction| lookup::by_id(read, into.id, key, &meta.version_id);
        if self.inner.index.read(there)?.is_some() {
            return Ok(Replicated::Unchanged);
        }
        new.rule.destination.check_bucket(&waiting.bucket, &into)?;
        meta.object.lock = self.lock_of_new(&into, meta.object.lock, now)?;
        meta.replication = Some(ReplicationProgress::of_replica());
        meta.restored_until = None;
        let Bytes { etag, body, mut facts, inline, pending } = bytes;
        (meta.etag, meta.body, meta.sealed_key) = (etag, body, sealing.sealed);
        let version = Version::Object(Box::new(meta));
        let fact = VaultFact::PutReplica { bucket: into.id, key: key.clone(), version };
        facts.push(Carried { fact, inline });
        let events = events(Replicated::Made).written()?;
        self.commit(facts, events, pending, (open, locked)).await?;
        Ok(Replicated::Made)
    }

    fn sealing(&self, into: &Bucket, key: &str, meta: &ObjectMeta) -> Result<Sealing, VaultError> {
        let Some(how) = &meta.object.encryption else { return Ok(Sealing { key: None, sealed: None }) };
        let (opened, sealed) = self.make_key(how, into, key)?;
        Ok(Sealing { key: Some((opened, how.clone())), sealed: Some(sealed) })
    }

    /// Stores the bytes again: in parts where they came so.
    async fn stored_again(
        &self,
        reader: &ObjectReader,
        meta: &ObjectMeta,
        sealing: &Sealing,
        now: DateTime<Utc>,
    ) -> Result<Bytes, VaultError> {
        let Body::Parts { upload, count } = reader.meta().body else {
            let staged = self.staged_again(reader, 0..meta.size, meta, &meta.checksums, sealing).await?;
            let Staged { etag, body, inline, pending, .. } = staged;
            let pending = pending.into_iter().collect();
            return Ok(Bytes { etag, body, facts: Vec::new(), inline, pending });
        };
        let (to, mut md5) = (UploadId::new(now), Md5::new());
        let body = Body::Parts { upload: to, count };
        let (facts, inline) = (Vec::new(), bytes::Bytes::new());
        let mut bytes = Bytes { etag: String::new(), body, facts, inline, pending: Vec::new() };
        for (number, part) in self.inner.index.read(|read| parts_of(read, upload))? {
            let range = reader.part(number)?;
            let staged = self.staged_again(reader, range, meta, &part.checksums, sealing).await?;
            let Staged { etag, body, inline, pending, .. } = staged;
            md5.update(hex::decode(&etag).unwrap_or_default());
            let part = PartRecord { md5: etag, body, ..part };
            let fact = VaultFact::PutReplicaPart { upload: to, number, part };
            bytes.facts.push(Carried { fact, inline });
            bytes.pending.extend(pending);
        }
        bytes.etag = format!("{}-{count}", hex::encode(md5.finalize()));
        Ok(bytes)
    }

    /// Stores a range of an object again, as the copy's class and key ask, and holds it against its checksums.
    async fn staged_again(
        &self,
        reader: &ObjectReader,
        range: std::ops::Range<u64>,
        meta: &ObjectMeta,
        checksums: &Checksums,
        sealing: &Sealing,
    ) -> Result<Staged, VaultError> {
        let algorithms = or_default(&checksums.keys().copied().collect::<Vec<_>>());
        let mut sink = Sink::new(self, &algorithms, Some(range.end - range.start))?
            .in_class(&meta.object.storage_class)
            .encrypted_with(sealing.content_key());
        let pieces = reader.stream(range);
        pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            sink.write(&piece?).await?;
        }
        sink.finish(&Expected { checksums: checksums.clone(), md5: None }).await
    }
}
