//! `opentrail serve`.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use opentrail_event::{AccountId, Region};
use opentrail_server::{
    IssuerReach, LakeLocation, LakeSettings, Options, QueryOptions, RemoteBucket, ReplicaTarget,
    ReplicationEndpoint, RootCredentials, Server, TlsFiles,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{
    durations::{Retention, at_least_a_second, retention, short_day},
    master_key::MasterKeyArguments,
};

/// How long a thread for blocking work is kept when it has nothing to do. One that ends leaves memory behind that the
/// allocator can't give back while anything in it is in use.
const KEEP_THREADS: Duration = Duration::from_secs(3600);

/// How log lines are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Folder that holds everything; created if it is not there
    #[arg(long, env = "OPENTRAIL_DATA", default_value = "./opentrail-data", value_name = "DIR")]
    data: PathBuf,
    /// Address to listen on
    #[arg(long, env = "OPENTRAIL_LISTEN", default_value = "127.0.0.1:7400", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The first account, 12 digits; drawn at first start if absent
    #[arg(long, env = "OPENTRAIL_ACCOUNT_ID", value_name = "ID")]
    account_id: Option<AccountId>,
    /// Region of the operator's own clients
    #[arg(long, env = "OPENTRAIL_REGION", default_value = "us-east-1")]
    region: Region,
    /// How often log files are delivered
    #[arg(long, env = "OPENTRAIL_DELIVERY_INTERVAL", default_value = "60s", value_parser = at_least_a_second, value_name = "DURATION")]
    delivery_interval: Duration,
    /// How often digest files are delivered
    #[arg(long, env = "OPENTRAIL_DIGEST_INTERVAL", default_value = "1h", value_parser = at_least_a_second, value_name = "DURATION")]
    digest_interval: Duration,
    /// Cut a log file early when its records reach this many bytes
    #[arg(long, env = "OPENTRAIL_DELIVERY_FILE_BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(4096..=1 << 30), value_name = "BYTES")]
    delivery_file_bytes: u64,
    /// How old an event may be and still be in event history, or `unlimited`
    #[arg(long, env = "OPENTRAIL_HISTORY_RETENTION", default_value = "90d", value_parser = retention, value_name = "DURATION")]
    history_retention: Retention,
    /// Root's access key id; drawn at first start if absent
    #[arg(
        long,
        env = "OPENTRAIL_ROOT_ACCESS_KEY_ID",
        value_name = "ID",
        requires = "root_secret_access_key"
    )]
    root_access_key_id: Option<String>,
    /// Root's secret access key
    #[arg(
        long,
        env = "OPENTRAIL_ROOT_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true,
        requires = "root_access_key_id"
    )]
    root_secret_access_key: Option<String>,
    /// Encrypt everything in the data folder, from its first start on; needs --master-key
    #[arg(long, env = "OPENTRAIL_ENCRYPT_DATA", action = clap::ArgAction::SetTrue, value_parser = clap::builder::FalseyValueParser::new())]
    encrypt_data: bool,
    /// Where root's credentials are written for `source`; `client.env` in the data folder if absent, and nowhere if
    /// that is encrypted
    #[arg(long, env = "OPENTRAIL_CLIENT_ENV", value_name = "FILE")]
    client_env: Option<PathBuf>,
    #[command(flatten)]
    master_key: MasterKeyArguments,
    /// A bucket outside, for trails, queries and imports of the first account: NAME=ENDPOINT; credentials from
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long = "remote-bucket", env = "OPENTRAIL_REMOTE_BUCKET", value_name = "NAME=URL", value_delimiter = ',', value_parser = remote_bucket)]
    remote_buckets: Vec<RemoteBucket>,
    /// An S3 endpoint elsewhere that buckets may replicate to: NAME=URL; credentials from
    /// OPENTRAIL_REPLICATION_NAME_ACCESS_KEY_ID and _SECRET_ACCESS_KEY, the region from _REGION (the server's if absent)
    #[arg(long = "replication-endpoint", env = "OPENTRAIL_REPLICATION_ENDPOINT", value_name = "NAME=URL", value_delimiter = ',', value_parser = replication_endpoint)]
    replication_endpoints: Vec<ReplicationEndpoint>,
    /// A bucket that is at a replication endpoint: BUCKET=NAME
    #[arg(long = "replica-target", env = "OPENTRAIL_REPLICA_TARGET", value_name = "BUCKET=NAME", value_delimiter = ',', value_parser = replica_target)]
    replica_targets: Vec<ReplicaTarget>,
    /// Records a second of failed calls without valid credentials, a tenth of it for one source; further ones are
    /// counted
    #[arg(long, env = "OPENTRAIL_UNAUTHENTICATED_RECORDS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000), value_name = "RATE")]
    unauthenticated_records: u32,
    /// Where OpenID Connect issuers may be that vouch for AssumeRoleWithWebIdentity: on the internet; also in private
    /// networks; also on this machine, without TLS, for tests
    #[arg(long, env = "OPENTRAIL_OIDC_ISSUERS", default_value = "public", value_name = "WHERE")]
    oidc_issuers: OidcIssuers,
    /// How long a day of lifecycle rules is; for tests, which can't wait for days
    #[arg(long, env = "OPENTRAIL_LIFECYCLE_DAY", default_value = "24h", value_parser = short_day, value_name = "DURATION")]
    lifecycle_day: Duration,
    /// Where the tables of event data stores are: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or
    /// az://CONTAINER/PREFIX, with endpoint and credentials from the variables that the service's own tools read
    /// (AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT, …); in the data folder if absent
    #[arg(long, env = "OPENTRAIL_LAKE_WAREHOUSE", value_name = "LOCATION")]
    lake_warehouse: Option<LakeLocation>,
    /// How long events of event data stores wait at most until they are in files, which is when other engines see
    /// them; queries here see them at once
    #[arg(long, env = "OPENTRAIL_LAKE_FLUSH_INTERVAL", default_value = "5m", value_parser = at_least_a_second, value_name = "DURATION")]
    lake_flush_interval: Duration,
    /// How often files of event data stores are merged, and dropped when they are out of retention
    #[arg(long, env = "OPENTRAIL_LAKE_TIDY_INTERVAL", default_value = "1m", value_parser = at_least_a_second, value_name = "DURATION")]
    lake_tidy_interval: Duration,
    /// How long files of event data stores that were replaced stay for those who read them
    #[arg(long, env = "OPENTRAIL_LAKE_GRACE", default_value = "2h", value_parser = at_least_a_second, value_name = "DURATION")]
    lake_grace: Duration,
    /// Memory that all queries of event data stores together may use; what needs more is spilled to disk, and a query that
    /// can't spill is ended where all have allocated three times this, 64 MiB, and 96 MiB for each core
    #[arg(long, env = "OPENTRAIL_QUERY_MEMORY_BYTES", default_value_t = 512 << 20, value_parser = clap::value_parser!(u64).range(32 << 20..), value_name = "BYTES")]
    query_memory_bytes: u64,
    /// Disk space that queries may spill to
    #[arg(long, env = "OPENTRAIL_QUERY_SPILL_BYTES", default_value_t = 20 << 30, value_name = "BYTES")]
    query_spill_bytes: u64,
    /// Disk space for the results of all queries; where it is used up, the oldest go before their seven days are over
    #[arg(long, env = "OPENTRAIL_QUERY_RESULTS_BYTES", default_value_t = 64 << 30, value_name = "BYTES")]
    query_results_bytes: u64,
    /// How long a query may run
    #[arg(long, env = "OPENTRAIL_QUERY_TIME", default_value = "1h", value_parser = at_least_a_second, value_name = "DURATION")]
    query_time: Duration,
    /// Queries that run at once; others wait
    #[arg(long, env = "OPENTRAIL_QUERIES_AT_ONCE", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "COUNT")]
    queries_at_once: u16,
    /// Certificate chain, PEM: serve HTTPS
    #[arg(long, env = "OPENTRAIL_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "OPENTRAIL_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// How log lines are written
    #[arg(long, env = "OPENTRAIL_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged, such as `info` or `opentrail_trails=debug`
    #[arg(long, env = "OPENTRAIL_LOG", default_value = "info,s3s=off", value_name = "FILTER")]
    log: EnvFilter,
}

/// Where OpenID Connect issuers may be.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OidcIssuers {
    Public,
    Private,
    Loopback,
}

impl From<OidcIssuers> for IssuerReach {
    fn from(issuers: OidcIssuers) -> Self {
        match issuers {
            OidcIssuers::Public => Self::Public,
            OidcIssuers::Private => Self::Private,
            OidcIssuers::Loopback => Self::Loopback,
        }
    }
}

fn remote_bucket(text: &str) -> Result<RemoteBucket, String> {
    match text.split_once('=') {
        Some((name, endpoint)) if !name.is_empty() && endpoint.starts_with("http") => {
            Ok(RemoteBucket { name: name.to_owned(), endpoint: endpoint.to_owned() })
        }
        _ => Err("write NAME=URL, such as audit=https://minio.example:9000".to_owned()),
    }
}

fn replication_endpoint(text: &str) -> Result<ReplicationEndpoint, String> {
    let parts = text.split_once('=').filter(|(name, url)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && url.starts_with("http")
    });
    let (name, url) = parts.ok_or("write NAME=URL, such as vault=https://s3.eu-west-1.amazonaws.com")?;
    let variable = |what| format!("OPENTRAIL_REPLICATION_{}_{what}", name.replace('-', "_").to_uppercase());
    let given = |what| std::env::var(variable(what)).map_err(|_| format!("{} is not set", variable(what)));
    Ok(ReplicationEndpoint {
        name: name.to_owned(),
        url: url.to_owned(),
        region: given("REGION").ok(),
        access_key_id: given("ACCESS_KEY_ID")?,
        secret_access_key: given("SECRET_ACCESS_KEY")?,
    })
}

fn replica_target(text: &str) -> Result<ReplicaTarget, String> {
    match text.split_once('=') {
        Some((bucket, endpoint)) if !bucket.is_empty() && !endpoint.is_empty() => {
            Ok(ReplicaTarget { bucket: bucket.to_owned(), endpoint: endpoint.to_owned() })
        }
        _ => Err("write BUCKET=NAME, with the name of a --replication-endpoint".to_owned()),
    }
}

impl ServeArguments {
    fn options(self) -> Options {
        let root = self.root_access_key_id.zip(self.root_secret_access_key);
        Options {
            data: self.data,
            listen: self.listen,
            account_id: self.account_id,
            region: self.region,
            root: root.map(|(id, secret)| RootCredentials { access_key_id: id, secret_access_key: secret }),
            delivery_interval: self.delivery_interval,
            digest_interval: self.digest_interval,
            delivery_file_bytes: self.delivery_file_bytes,
            history_retention: self.history_retention.0,
            master_key: self.master_key.into_source(),
            encrypt_data: self.encrypt_data,
            client_env: self.client_env,
            remote_buckets: self.remote_buckets,
            replication_endpoints: self.replication_endpoints,
            replica_targets: self.replica_targets,
            unauthenticated_records: self.unauthenticated_records,
            oidc_issuers: self.oidc_issuers.into(),
            lifecycle_day: self.lifecycle_day,
            lake: LakeSettings {
                warehouse: self.lake_warehouse,
                flush_interval: self.lake_flush_interval,
                tidy_interval: self.lake_tidy_interval,
                grace: self.lake_grace,
            },
            queries: QueryOptions {
                memory: usize::try_from(self.query_memory_bytes).unwrap_or(usize::MAX),
                spill: self.query_spill_bytes,
                time: self.query_time,
                results: self.query_results_bytes,
                concurrent: usize::from(self.queries_at_once),
                gauge: None,
            },
            tls: self
                .tls_certificate
                .zip(self.tls_key)
                .map(|(certificate, key)| TlsFiles { certificate, key }),
        }
    }
}

/// Runs the server until it is asked to stop.
pub(crate) fn run(arguments: ServeArguments) -> ExitCode {
    // A line that can't be written (the log is on the disk that is full) is lost; telling of it on standard
    // error would panic for the same reason.
    let logs = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(arguments.log.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_keep_alive(KEEP_THREADS).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "can't start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let mut options = arguments.options();
    options.queries.gauge = match crate::query_memory::gauge() {
        Ok(gauge) => Some(gauge),
        Err(error) => {
            tracing::error!(%error, "the memory of queries can't be watched");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "the server can't go on");
            eprintln!("opentrail: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Result<(), opentrail_server::ServerError> {
    // From before the first answer on, a signal ends the server in order.
    let stop = CancellationToken::new();
    if let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    {
        tokio::spawn(stop_when_asked(interrupt, terminate, stop.clone()));
    }
    let server = Server::open(options).await?;
    announce(&server);
    server.run(stop).await
}

/// Tells the operator where the server is and where its credentials are; new ones are shown once. A server whose
/// standard output is closed runs all the same.
fn announce(server: &Server) {
    let welcome = server.welcome();
    let new_root = welcome.new_root.as_ref().map_or(String::new(), |root| {
        format!(
            "  new root credentials, shown this once:\n\
             \x20   AWS_ACCESS_KEY_ID      {}\n\
             \x20   AWS_SECRET_ACCESS_KEY  {}\n",
            root.access_key_id, root.secret_access_key
        )
    });
    let how = welcome.client_env.as_ref().map_or_else(
        || "to use it    with root's credentials; --client-env FILE writes them for `source`".to_owned(),
        |path| format!("to use it    source {}", path.display()),
    );
    let text = format!(
        "opentrail {} listens on {}\n\
         \x20 account      {}\n\
         \x20 region       {}\n\
         {new_root}\
         \x20 {how}\n",
        env!("CARGO_PKG_VERSION"),
        welcome.endpoint,
        welcome.account,
        welcome.region,
    );
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

async fn stop_when_asked(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: no new calls, running ones end");
    stop.cancel();
}
