//! How a server is set up. Every field is a flag of `opentrail serve`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use opentrail_event::{AccountId, Region};
use opentrail_lake::{ingest::LakeOptions, warehouse::Location};

use crate::{issuers::IssuerReach, master_key::MasterKeyFrom, queries::QueryOptions};

/// The access key of the first account's root, given by the operator.
#[derive(Clone)]
pub struct RootCredentials {
    /// 16 to 128 characters of `[A-Z0-9]`-like text; what clients send.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
}

/// A bucket outside the embedded vault to which trails may deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteBucket {
    /// The name that trails use for it.
    pub name: String,
    /// The S3-compatible endpoint, such as `https://minio.example:9000`.
    pub endpoint: String,
}

/// An S3-compatible endpoint elsewhere that versions are copied to.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplicationEndpoint {
    /// What the operator calls it.
    pub name: String,
    /// Its URL, such as `https://s3.eu-west-1.amazonaws.com`.
    pub url: String,
    /// The region for signatures; the server's own if absent.
    pub region: Option<String>,
    /// The access key that copies are written with.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

/// A bucket that is at a [`ReplicationEndpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaTarget {
    /// The bucket's name, as replication rules name it and the endpoint knows it.
    pub bucket: String,
    /// The endpoint's name.
    pub endpoint: String,
}

/// A certificate and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Everything `opentrail serve` can be told.
#[derive(Clone)]
pub struct Options {
    /// The folder that holds everything; made if it is not there.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The first account; drawn at first start if absent, and kept after.
    pub account_id: Option<AccountId>,
    /// The region of the operator's own clients (`client.env`) and of buckets made without one.
    pub region: Region,
    /// The root credentials; drawn at first start if absent, and kept after.
    pub root: Option<RootCredentials>,
    /// How often log files are delivered.
    pub delivery_interval: Duration,
    /// How often digest files are delivered.
    pub digest_interval: Duration,
    /// A log file is cut early when its records reach this many bytes.
    pub delivery_file_bytes: u64,
    /// How old an event may be and still be in event history; `None` keeps all.
    pub history_retention: Option<Duration>,
    /// Where the key is that seals all secrets, if it shall not be kept in the data folder.
    pub master_key: Option<MasterKeyFrom>,
    /// Encrypt everything in the data folder. Decided at its first start.
    pub encrypt_data: bool,
    /// Where `client.env` goes: in the data folder if absent, and nowhere if that is encrypted.
    pub client_env: Option<PathBuf>,
    /// Buckets elsewhere.
    pub remote_buckets: Vec<RemoteBucket>,
    /// Endpoints elsewhere that versions are copied to.
    pub replication_endpoints: Vec<ReplicationEndpoint>,
    /// The buckets that are there.
    pub replica_targets: Vec<ReplicaTarget>,
    /// Records a second, at most, of failed calls without valid credentials; one source may use a tenth. What is
    /// over it is counted.
    pub unauthenticated_records: u32,
    /// Where OpenID Connect issuers may be whose tokens `AssumeRoleWithWebIdentity` takes.
    pub oidc_issuers: IssuerReach,
    /// How long a day of lifecycle rules is: 24 hours, but for tests.
    pub lifecycle_day: Duration,
    /// How the tables of event data stores are kept.
    pub lake: LakeSettings,
    /// What queries may use.
    pub queries: QueryOptions,
    /// Serve HTTPS.
    pub tls: Option<TlsFiles>,
}

/// How the tables of event data stores are kept.
#[derive(Debug, Clone)]
pub struct LakeSettings {
    /// Where they are; in the data folder if absent.
    pub warehouse: Option<Location>,
    /// How long events wait at most until they are in files; queries see them at once.
    pub flush_interval: Duration,
    /// How often small files are merged and old ones dropped.
    pub tidy_interval: Duration,
    /// How long files that were replaced stay for who reads them.
    pub grace: Duration,
}

impl Default for LakeSettings {
    fn default() -> Self {
        let LakeOptions { flush_after, tidy_every, table, .. } = LakeOptions::default();
        Self { warehouse: None, flush_interval: flush_after, tidy_interval: tidy_every, grace: table.grace }
    }
}

impl Options {
    /// The defaults of `opentrail serve`, over a data folder and an address.
    pub fn new(data: PathBuf, listen: SocketAddr) -> Self {
        Self {
            data,
            listen,
            account_id: None,
            region: Region::us_east_1(),
            root: None,
            delivery_interval: Duration::from_secs(60),
            digest_interval: Duration::from_secs(3600),
            delivery_file_bytes: 64 << 20,
            history_retention: Some(Duration::from_secs(90 * 24 * 3600)),
            master_key: None,
            encrypt_data: false,
            client_env: None,
            remote_buckets: Vec::new(),
            replication_endpoints: Vec::new(),
            replica_targets: Vec::new(),
            unauthenticated_records: 100,
            oidc_issuers: IssuerReach::default(),
            lifecycle_day: Duration::from_secs(24 * 3600),
            lake: LakeSettings::default(),
            queries: QueryOptions::default(),
            tls: None,
        }
    }
}
