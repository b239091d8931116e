//! Buckets at an S3-compatible endpoint.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use async_trait::async_trait;
use futures::StreamExt;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, ObjectStoreExt, PutOptions, RetryConfig,
    aws::AmazonS3Builder, path::Path,
};
use parking_lot::Mutex;

use super::{BucketCheck, ListPage, ListedFile, LogReader, LogStore, PutFile, StoreError, StoredFile};

/// Files of one page of a listing, which is made of the endpoint's own pages.
const PAGE: usize = 10_000;
/// Longest wait for one request.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Where the endpoint is and who speaks to it. Absent members come from the environment (`AWS_…`), as
/// `object_store` reads it: credentials, also of an instance or a web identity.
#[derive(Debug, Clone, Default)]
pub struct ExternalOptions {
    /// The endpoint's URL; AWS's own if absent.
    pub endpoint: Option<String>,
    /// The region for signatures.
    pub region: Option<String>,
    /// The access key and its secret.
    pub credentials: Option<(String, String)>,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// `https://BUCKET.endpoint` instead of `https://endpoint/BUCKET`.
    pub virtual_host: bool,
    /// Requests without a signature, for buckets that anyone may read.
    pub anonymous: bool,
}

/// A bucket, and the KMS key that is written with.
type StoreKey = (String, Option<String>);

/// The S3-compatible endpoint. Requests are not repeated here: the delivery has its own rule for that.
pub struct External {
    options: ExternalOptions,
    stores: Mutex<HashMap<StoreKey, Arc<dyn ObjectStore>>>,
}

impl External {
    /// An endpoint; nothing is asked of it yet.
    pub fn new(options: ExternalOptions) -> Self {
        Self { options, stores: Mutex::new(HashMap::new()) }
    }

    fn store(&self, bucket: &str, kms_key: Option<&str>) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match self.stores.lock().entry((bucket.to_owned(), kms_key.map(str::to_owned))) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let options = &self.options;
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_virtual_hosted_style_request(options.virtual_host)
                    .with_skip_signature(options.anonymous)
                    .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
                    .with_client_options(
                        ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_allow_http(true),
                    );
                if let Some(endpoint) = &options.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some(region) = &options.region {
                    builder = builder.with_region(region);
                }
                if let Some((key, secret)) = &options.credentials {
                    builder = builder.with_access_key_id(key).with_secret_access_key(secret);
                }
                if let Some(token) = &options.session_token {
                    builder = builder.with_token(token);
                }
                if let Some(kms_key) = kms_key {
                    builder = builder.with_sse_kms_encryption(kms_key);
                }
                let store = builder.build().map_err(|e| of_error(&e))?;
                Ok(place.insert(Arc::new(store)).clone())
            }
        }
    }
}

#[async_trait]
impl LogReader for External {
    async fn get(&self, bucket: &str, key: &str) -> Result<StoredFile, StoreError> {
        let found = self.store(bucket, None)?.get(&path_of(key)?).await.map_err(|e| of_error(&e))?;
        let metadata = found
            .attributes
            .iter()
            .filter_map(|(name, value)| match name {
                Attribute::Metadata(name) => Some((name.to_lowercase(), value.as_ref().to_owned())),
                _ => None,
            })
            .collect();
        let body = found.bytes().await.map_err(|e| of_error(&e))?;
        Ok(StoredFile { body, metadata })
    }

    /// `object_store` lists by whole folders: the prefix is cut back to its last slash, and what does not
    /// start with it is left out.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let store = self.store(bucket, None)?;
        let folder = prefix.rsplit_once('/').map(|(folder, _)| path_of(folder)).transpose()?;
        let mut files = match after {
            Some(after) => store.list_with_offset(folder.as_ref(), &path_of(after)?),
            None => store.list(folder.as_ref()),
        };
        let mut page = ListPage::default();
        while let Some(file) = files.next().await {
            let file = file.map_err(|e| of_error(&e))?;
            let key: String = file.location.into();
            if !key.starts_with(prefix) {
                if key.as_str() > prefix {
                    break;
                }
                continue;
            }
            if page.files.len() == PAGE {
                page.more = true;
                break;
            }
            page.files.push(ListedFile { key, size: file.size, modified: Some(file.last_modified) });
        }
        Ok(page)
    }
}

#[async_trait]
impl LogStore for External {
    async fn put(&self, file: PutFile<'_>) -> Result<(), StoreError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, file.content_type.to_owned().into());
        if !file.content_encoding.is_empty() {
            attributes.insert(Attribute::ContentEncoding, file.content_encoding.to_owned().into());
        }
        for (name, value) in file.metadata {
            attributes.insert(Attribute::Metadata(name.clone().into()), value.clone().into());
        }
        let options = PutOptions { attributes, ..PutOptions::default() };
        let path = path_of(file.key)?;
        let done = self.store(file.bucket, file.kms_key)?.put_opts(&path, file.body.into(), options).await;
        done.map(drop).map_err(|e| write_error(&e))
    }

    /// The endpoint's own policies decide at each write; what can be asked beforehand is whether the bucket
    /// can be listed.
    /// Only that it can be listed: what a policy elsewhere says is known when a file is written.
    async fn check(&self, ask: BucketCheck<'_>) -> Result<(), StoreError> {
        let folder = ask.folders().next().unwrap_or_default();
        match self.store(ask.bucket, None)?.list(Some(&path_of(&folder)?)).next().await {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(e)) => Err(write_error(&e)),
        }
    }
}

/// Keys with empty parts (`a//b`) have no form in `object_store`.
fn path_of(key: &str) -> Result<Path, StoreError> {
    Path::parse(key).map_err(|_| StoreError::InvalidKey)
}

fn of_error(error: &object_store::Error) -> StoreError {
    let text = error.to_string();
    match error {
        _ if text.contains("NoSuchBucket") => StoreError::NoSuchBucket,
        _ if text.contains("<Code>KMS.") => StoreError::Key { code: kms_code(&text) },
        object_store::Error::NotFound { .. } => StoreError::NoSuchKey,
        // A refused listing comes as an error of no kind.
        _ if text.contains("<Code>AccessDenied</Code>") => StoreError::AccessDenied,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            StoreError::AccessDenied
        }
        object_store::Error::InvalidPath { .. } => StoreError::InvalidKey,
        _ => StoreError::Unavailable { reason: reason(&text) },
    }
}

/// The endpoint's own code and message, where the text has them.
fn reason(text: &str) -> String {
    let member = |name: &str| {
        let rest = text.split_once(&format!("<{name}>"))?.1;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
    };
    let said = member("Code").map(|code| format!("{code}: {}", member("Message").unwrap_or_default()));
    said.as_deref().unwrap_or(text).chars().take(300).collect()
}

/// The endpoint's error code about a KMS key.
fn kms_code(text: &str) -> String {
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
    code.unwrap_or("KMS.KMSInvalidStateException").chars().take(64).collect()
}

/// A write or a listing has no key that could be absent, so "not found" means the bucket.
fn write_error(error: &object_store::Error) -> StoreError {
    match of_error(error) {
        StoreError::NoSuchKey => StoreError::NoSuchBucket,
        other => other,
    }
}
