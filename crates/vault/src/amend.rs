//! Changing what is known about an object without touching its bytes.

use opentrail_state::OwnedEvent;

use crate::{
    Vault, VaultError,
    fact::VaultFact,
    limits::{MAX_NAME_BYTES, MAX_OBJECT_TAGS},
    lookup,
    object::{ObjectMeta, Version, check_key},
    tags::{Tags, check_tags},
};

impl Vault {
    /// Puts tags in place of those an object has; none to delete them.
    ///
    /// # Errors
    /// [`VaultError::InvalidTag`], those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_object_tags(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        tags: Tags,
        events: impl FnOnce(&ObjectMeta) -> Vec<OwnedEvent>,
    ) -> Result<ObjectMeta, VaultError> {
        check_tags(&tags, MAX_OBJECT_TAGS)?;
        self.amend(bucket, key, version_id, |meta| meta.object.tags = tags, events).await
    }

    /// Keeps another canned ACL with an object.
    ///
    /// # Errors
    /// [`VaultError::NameTooLong`], those of [`Vault::head`] and of [`Vault::commit_put`].
    pub async fn put_object_acl(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        canned_acl: Option<String>,
        events: impl FnOnce(&ObjectMeta) -> Vec<OwnedEvent>,
    ) -> Result<ObjectMeta, VaultError> {
        if canned_acl.as_ref().is_some_and(|acl| acl.len() > MAX_NAME_BYTES) {
            return Err(VaultError::NameTooLong { what: "The canned ACL" });
        }
        self.amend(bucket, key, version_id, |meta| meta.object.canned_acl = canned_acl, events).await
    }

    async fn amend(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        change: impl FnOnce(&mut ObjectMeta),
        events: impl FnOnce(&ObjectMeta) -> Vec<OwnedEvent>,
    ) -> Result<ObjectMeta, VaultError> {
        check_key(key)?;
        let (bucket, open) = self.enter(bucket).await?;
        let locked = self.inner.keys.lock((bucket.id, key)).await?;
        let mut meta = self.inner.index.read(|read| lookup::object(read, bucket.id, key, version_id))?;
        change(&mut meta);
        let version = Version::Object(Box::new(meta.clone()));
        let fact = VaultFact::AmendVersion { bucket: bucket.id, key: key.to_owned(), version };
        self.commit(vec![fact.into()], events(&meta), Vec::new(), (open, locked)).await?;
        Ok(meta)
    }
}
