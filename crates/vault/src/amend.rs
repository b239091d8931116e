//! Changing what is known about an object without touching its bytes.

use crate::{
    Vault, VaultError,
    fact::VaultFact,
    limits::{MAX_NAME_BYTES, MAX_OBJECT_TAGS},
    lookup,
    object::{ObjectMeta, Version, check_key},
    records::Records,
    replication,
    tags::{Tags, check_tags},
};

impl Vault {
    /// Puts tags in place of those an object has; none to delete them.
    ///
    /// # Errors
    /// [`VaultError::InvalidTag`], those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_object_tags<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        tags: Tags,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        check_tags(&tags, MAX_OBJECT_TAGS)?;
        let amend = |meta: &mut ObjectMeta| {
            meta.object.tags = tags;
            Ok(())
        };
        self.amend_copied(bucket, key, version_id, amend, events).await
    }

    /// Keeps another canned ACL with an object.
    ///
    /// # Errors
    /// [`VaultError::NameTooLong`], those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_object_acl<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        canned_acl: Option<String>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        if canned_acl.as_ref().is_some_and(|acl| acl.len() > MAX_NAME_BYTES) {
            return Err(VaultError::NameTooLong { what: "The canned ACL" });
        }
        let amend = |meta: &mut ObjectMeta| {
            meta.object.canned_acl = canned_acl;
            Ok(())
        };
        self.amend(bucket, key, version_id, amend, events).await
    }

    /// As [`Vault::amend`], for a change that the version's copies in other buckets are to have too.
    pub(crate) async fn amend_copied<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        change: impl FnOnce(&mut ObjectMeta) -> Result<(), VaultError>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        let of = self.bucket(bucket)?;
        let change = |meta: &mut ObjectMeta| {
            change(meta)?;
            replication::touch(&of, key, meta);
            Ok(())
        };
        self.amend(bucket, key, version_id, change, events).await
    }

    /// Changes a version as `change` says, which may refuse once it sees it.
    pub(crate) async fn amend<R: Records>(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        change: impl FnOnce(&mut ObjectMeta) -> Result<(), VaultError>,
        events: impl FnOnce(&ObjectMeta) -> R,
    ) -> Result<ObjectMeta, VaultError> {
        check_key(key)?;
        let (bucket, open) = self.enter(bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, key)).await?;
        let mut meta = self.inner.index.read(|read| lookup::object(read, bucket.id, key, version_id))?;
        change(&mut meta)?;
        let version = Version::Object(Box::new(meta.clone()));
        let fact = VaultFact::AmendVersion { bucket: bucket.id, key: key.to_owned(), version };
        let events = events(&meta).written()?;
        self.commit(vec![fact.into()], events, Vec::new(), (open, locked)).await?;
        Ok(meta)
    }
}
