//! S3-compatible endpoints elsewhere that versions are copied to, as a client.
//!
//! Requests are S3's own, signed by `wire`: what is copied has headers (locks, tags) that `object_store` can't send. A
//! copy elsewhere gets a version id of that endpoint, so each copy carries the id of its version in its metadata
//! ([`SOURCE_VERSION`]): whoever can't be sure that an upload came through looks for it there before the next.

mod call;
mod copy;
mod find;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use opentrail_wire::sigv4::Credentials;
use parking_lot::Mutex;
use reqwest::Url;

pub(crate) use copy::{Errand, RemoteCopy};

use crate::{
    error::ServerError,
    options::{ReplicaTarget, ReplicationEndpoint},
};

/// The metadata of a copy that names its version.
const SOURCE_VERSION: &str = "opentrail-version-id";

/// An endpoint that copies go to.
pub(crate) struct Target {
    http: reqwest::Client,
    endpoint: Url,
    region: String,
    credentials: Credentials,
    /// Versions made until then may have been sent already: before this process began, or by an upload that ended
    /// nobody knows how.
    doubt: Mutex<DateTime<Utc>>,
}

/// Why an endpoint did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetError {
    /// There is no such bucket.
    NoBucket,
    /// The bucket does not keep versions.
    NoVersioning,
    /// The bucket has no Object Lock.
    NoLock,
    /// It said no.
    Refused(String),
    /// It can't be asked at the moment.
    Away(String),
}

/// Every endpoint, and which buckets are there.
#[derive(Default)]
pub(crate) struct ReplicaTargets {
    buckets: HashMap<String, std::sync::Arc<Target>>,
}

impl ReplicaTargets {
    /// The endpoints that the operator names.
    pub(crate) fn new(
        endpoints: &[ReplicationEndpoint],
        targets: &[ReplicaTarget],
        region: &str,
    ) -> Result<Self, ServerError> {
        let mut named = HashMap::new();
        for endpoint in endpoints {
            named.insert(&endpoint.name, std::sync::Arc::new(Target::new(endpoint, region)?));
        }
        let mut buckets = HashMap::new();
        for ReplicaTarget { bucket, endpoint } in targets {
            let target = named.get(endpoint).ok_or_else(|| ServerError::ReplicaTarget {
                reason: format!("bucket {bucket}: there is no replication endpoint {endpoint}"),
            })?;
            buckets.insert(bucket.clone(), target.clone());
        }
        Ok(Self { buckets })
    }

    /// Where the bucket of this name is, if it is elsewhere.
    pub(crate) fn of(&self, bucket: &str) -> Option<&std::sync::Arc<Target>> {
        self.buckets.get(bucket)
    }
}

impl Target {
    fn new(endpoint: &ReplicationEndpoint, region: &str) -> Result<Self, ServerError> {
        let unusable =
            |reason: String| ServerError::ReplicaTarget { reason: format!("{}: {reason}", endpoint.name) };
        let url: Url = endpoint.url.parse().map_err(|_| unusable("the endpoint is no URL".to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(unusable("the endpoint is no http or https URL".to_owned()));
        }
        Ok(Self {
            http: call::client().map_err(|error| unusable(error.to_string()))?,
            endpoint: url,
            region: endpoint.region.clone().unwrap_or_else(|| region.to_owned()),
            credentials: Credentials {
                access_key_id: endpoint.access_key_id.clone(),
                secret: endpoint.secret_access_key.clone(),
                session_token: None,
            },
            doubt: Mutex::new(Utc::now()),
        })
    }

    /// Whether a version made then may have been sent already.
    fn doubts(&self, made: DateTime<Utc>) -> bool {
        made <= *self.doubt.lock()
    }

    fn doubt_from_now_on(&self) {
        *self.doubt.lock() = Utc::now();
    }
}
