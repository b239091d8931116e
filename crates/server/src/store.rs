//! Where trails deliver to: a bucket of the vault, or one elsewhere that the operator named.

mod embedded;
mod encrypted;
mod object_keys;

use std::collections::HashMap;

use async_trait::async_trait;
use opentrail_event::AccountId;
use opentrail_trails::{
    BucketCheck, ListPage, LogReader, LogStore, PutFile, StoreError, StoredFile,
    store::external::{External, ExternalOptions},
};

pub(crate) use embedded::{CLOUDTRAIL, Embedded, service_context};
pub(crate) use encrypted::{NamedKey, context_of_trail, deed_with_key};
pub(crate) use object_keys::{Keys, Requesters, context_of, failure as key_failure};

use crate::options::RemoteBucket;

/// Every bucket that trails can deliver to, by name.
pub(crate) struct Stores {
    embedded: Embedded,
    remote: HashMap<String, External>,
    /// The account with whose credentials buckets elsewhere are written to.
    operator: AccountId,
}

impl Stores {
    /// The buckets of the vault, and those that the operator named, whose account is `operator`.
    pub(crate) fn new(
        embedded: Embedded,
        remote: &[RemoteBucket],
        region: &str,
        operator: AccountId,
    ) -> Self {
        let external = |bucket: &RemoteBucket| {
            let options = ExternalOptions {
                endpoint: Some(bucket.endpoint.clone()),
                region: Some(region.to_owned()),
                ..ExternalOptions::default()
            };
            (bucket.name.clone(), External::new(options))
        };
        Self { embedded, remote: remote.iter().map(external).collect(), operator }
    }

    fn of(&self, bucket: &str) -> &dyn LogStore {
        self.remote.get(bucket).map_or(&self.embedded as &dyn LogStore, |external| external)
    }

    /// Whether the operator named the bucket as one elsewhere.
    pub(crate) fn is_elsewhere(&self, bucket: &str) -> bool {
        self.remote.contains_key(bucket)
    }

    /// Whether an account may have files written to a bucket at all: by its trails, among which those of its organization
    /// are, or by its queries. One elsewhere is written to with the operator's credentials, so that its policy does not
    /// tell one account of ours from another, and lets in the operator's alone. That holds for members of the operator's
    /// organization too: their events come there by its trail, not because one of them asks for it.
    pub(crate) fn takes_files_of(&self, bucket: &str, account: AccountId) -> bool {
        !self.is_elsewhere(bucket) || account == self.operator
    }

    /// Whether CloudTrail may write the results of queries of an account below a folder of a bucket. A bucket elsewhere
    /// that [takes them](Self::takes_files_of) is asked when they are written.
    pub(crate) fn check_results(
        &self,
        bucket: &str,
        folder: &str,
        event_data_store: &str,
        account: AccountId,
    ) -> Result<(), StoreError> {
        if !self.takes_files_of(bucket, account) {
            return Err(StoreError::InsufficientPolicy);
        }
        if self.is_elsewhere(bucket) {
            return Ok(());
        }
        self.embedded.may_put(bucket, &format!("{folder}check"), event_data_store, account)
    }
}

#[async_trait]
impl LogReader for Stores {
    async fn get(&self, bucket: &str, key: &str) -> Result<StoredFile, StoreError> {
        self.of(bucket).get(bucket, key).await
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        self.of(bucket).list(bucket, prefix, after).await
    }
}

#[async_trait]
impl LogStore for Stores {
    async fn put(&self, file: PutFile<'_>) -> Result<(), StoreError> {
        // Asked of each file: the operator may name a bucket that a trail of another account had before.
        if !self.takes_files_of(file.bucket, file.account) {
            return Err(StoreError::InsufficientPolicy);
        }
        let key = self.embedded.key_of_trail(&file);
        self.of(file.bucket).put(PutFile { kms_key: key.as_deref(), ..file }).await
    }

    async fn check(&self, ask: BucketCheck<'_>) -> Result<(), StoreError> {
        if !self.takes_files_of(ask.bucket, ask.account) {
            return Err(StoreError::InsufficientPolicy);
        }
        self.of(ask.bucket).check(ask).await
    }
}
