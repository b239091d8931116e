//! The start: every room is opened in the order in which one needs the other.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use opentrail_archive::{Archive, ArchiveOptions};
use opentrail_event::AccountId;
use opentrail_identity::Identity;
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{Access, Disk, RealDisk},
};
use opentrail_keyring::{Keyring, MasterKeySource};
use opentrail_lake::{
    LakeError,
    channel::Channels,
    import::Imports,
    ingest::{Lake, LakeOptions},
    store::Stores as EventDataStores,
    table::TableOptions,
    warehouse::Warehouse,
};
use opentrail_state::{State, StateOptions};
use opentrail_trails::{Delivery, DeliveryOptions, SystemClock, Trails};
use opentrail_vault::{Vault, VaultOptions, lifecycle::Calendar, limits};
use rand::Rng;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{
    access_log::AccessLog,
    at_rest::{self, AtRest},
    door::body::Budget,
    error::ServerError,
    issuers::Issuers,
    kms::KeyGuard,
    lake_keys::LakeKeys,
    options::{Options, RootCredentials, TlsFiles},
    queries::{self, Queries, QueryOptions},
    recording::{Recorder, Strangers},
    replica_target::ReplicaTargets,
    rooms::Rooms,
    store::{Embedded, Keys, Requesters, Stores},
    welcome::{self, Welcome},
    worker::clock::SteadyClock,
};

/// Everything a start makes.
pub(crate) struct Opened {
    pub(crate) rooms: Rooms,
    pub(crate) welcome: Welcome,
}

/// The address, taken.
pub(crate) struct Address {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Takes the address.
pub(crate) async fn listen(options: &Options) -> Result<Address, ServerError> {
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| ServerError::Listen { address: options.listen, source })?;
    Ok(Address { listener, tls })
}

/// Opens the rooms behind this address.
pub(crate) async fn open(options: Options, address: SocketAddr) -> Result<Opened, ServerError> {
    let below: Arc<dyn Disk> = Arc::new(RealDisk);
    let in_folder = |source| ServerError::DataFolder { folder: options.data.clone(), source };
    below.create_dir_all(&options.data).map_err(in_folder)?;
    let at_rest = AtRest { below: &below, data: &options.data, master_key: options.master_key.as_ref() };
    let at_rest::Opened { disk, master } = at_rest.open(options.encrypt_data).await?;
    let client_env = client_env(&options)?;
    let home = home_account(&*disk, &options)?;
    let rooms = open_rooms(&options, home, disk, master).await?;
    let (root, is_new) = root_credentials(&rooms.identity, home, options.root.clone()).await?;

    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let endpoint = format!("{scheme}://{address}");
    if let Some(path) = &client_env {
        let failed = |source| ServerError::ClientEnv { path: path.clone(), source };
        welcome::write_client_env(&*below, path, &endpoint, &options.region, &root).map_err(failed)?;
    }
    let welcome = Welcome {
        endpoint,
        account: home,
        region: options.region.clone(),
        new_root: is_new.then_some(root),
        client_env,
    };
    Ok(Opened { rooms, welcome })
}

/// Where `client.env` goes. It has a secret in the clear, so not into a folder that is encrypted.
fn client_env(options: &Options) -> Result<Option<PathBuf>, ServerError> {
    match &options.client_env {
        Some(path) if options.encrypt_data => {
            at_rest::refuse_inside(&options.data, path)?;
            Ok(Some(path.clone()))
        }
        Some(path) => Ok(Some(path.clone())),
        None if options.encrypt_data => Ok(None),
        None => Ok(Some(options.data.join("client.env"))),
    }
}

/// The first account: the one in the folder, else the one asked for, else a drawn one.
fn home_account(disk: &dyn Disk, options: &Options) -> Result<AccountId, ServerError> {
    let path = options.data.join("account");
    let failed = |source| ServerError::DataFolder { folder: options.data.clone(), source };
    if disk.exists(&path).map_err(failed)? {
        let text = disk.read(&path).map_err(failed)?;
        let kept = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let kept: AccountId = kept.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        return match options.account_id {
            Some(asked) if asked != kept => Err(ServerError::OtherAccount { kept, asked }),
            _ => Ok(kept),
        };
    }
    let account = match options.account_id {
        Some(asked) => asked,
        None => format!("{:012}", rand::rng().random_range(100_000_000_000_u64..1_000_000_000_000))
            .parse()
            .map_err(|_| failed(io::ErrorKind::InvalidData.into()))?,
    };
    let text = format!("{account}\n");
    disk.write_atomically(&path, text.as_bytes(), Access::Default).map_err(failed)?;
    Ok(account)
}

async fn open_rooms(
    options: &Options,
    home: AccountId,
    disk: Arc<dyn Disk>,
    master: MasterKeySource,
) -> Result<Rooms, ServerError> {
    let metrics = record_metrics();
    let folder = |name: &str| options.data.join(name);
    let journal = open_journal(folder("journal"), disk.clone()).await?;
    let state = State::open(journal, &folder("state"), disk.clone(), StateOptions::default()).await?;
    let keyring = Keyring::open(state.clone(), master, home).await?;
    let identity = Identity::open(state.clone(), keyring.clone())?;
    let keys = Arc::new(Keys::open(&state, keyring.clone(), home).await?);
    let vault_options = VaultOptions { clock_leap: Some(limits::CLOCK_LEAP), ..VaultOptions::default() };
    let vault =
        Vault::open_with_keys(&folder("vault"), state.clone(), disk.clone(), vault_options, keys).await?;
    let trails = Trails::new(state.clone());
    let strangers = Arc::new(Strangers::new(options.unauthenticated_records, Instant::now()));
    let event_data_stores = EventDataStores::new(state.clone());
    let recorder = Recorder {
        state: state.clone(),
        trails: trails.clone(),
        event_data_stores: event_data_stores.clone(),
        strangers,
    };
    let key_guard = KeyGuard::new(identity.clone(), keyring.clone());
    let requesters = Arc::<Requesters>::default();
    let embedded = Embedded {
        vault: vault.clone(),
        identity: identity.clone(),
        recorder: recorder.clone(),
        keyring: keyring.clone(),
        key_guard: key_guard.clone(),
        requesters: requesters.clone(),
    };
    let stores = Arc::new(Stores::new(embedded, &options.remote_buckets, options.region.as_str(), home));
    let delivery = Delivery::open(
        &folder("trails"),
        state.clone(),
        keyring.clone(),
        stores.clone(),
        disk.clone(),
        Arc::new(SystemClock),
        delivery_options(options),
    )
    .await?;
    let archive_options =
        ArchiveOptions { retention: options.history_retention, ..ArchiveOptions::default() };
    let archive = Archive::open(&folder("archive"), &state, disk.clone(), archive_options).await?;
    let lake_keys =
        Arc::new(LakeKeys::new(state.clone(), keyring.clone(), key_guard.clone(), recorder.clone()));
    let lake = open_lake(options, &state, disk.clone(), lake_keys.clone()).await?;
    let imports = Imports::open(&folder("lake").join("imports"), &state, disk.clone(), lake.clone())?;
    let parts = queries::Parts {
        state: state.clone(),
        disk,
        keyring: keyring.clone(),
        lake: lake.clone(),
        lake_keys: lake_keys.clone(),
        event_data_stores: event_data_stores.clone(),
        buckets: stores.clone(),
        folder: folder("lake").join("queries"),
        spill_folder: folder("lake").join("spill"),
    };
    let queries = Queries::open(parts, &query_options(options)).await?;
    Ok(Rooms {
        state: state.clone(),
        key_guard,
        requesters,
        keyring,
        identity,
        issuers: Issuers::new(options.oidc_issuers),
        vault,
        trails,
        channels: Channels::new(state.clone()),
        event_data_stores,
        lake,
        lake_keys,
        imports,
        queries,
        delivery,
        stores,
        replica_targets: ReplicaTargets::new(
            &options.replication_endpoints,
            &options.replica_targets,
            options.region.as_str(),
        )?,
        recorder,
        seen: archive.seen(),
        archive,
        regions: Arc::default(),
        bodies: Budget::new(),
        home,
        region: options.region.clone(),
        calendar: Calendar::with_day(options.lifecycle_day),
        lifecycle_day: options.lifecycle_day,
        access_log: AccessLog::default(),
        access_log_interval: options.delivery_interval,
        metrics,
    })
}

async fn open_lake(
    options: &Options,
    state: &State,
    disk: Arc<dyn Disk>,
    keys: Arc<LakeKeys>,
) -> Result<Lake, ServerError> {
    let folder = options.data.join("lake");
    let settings = &options.lake;
    if let Some(location) = settings.warehouse.as_ref().filter(|_| options.encrypt_data) {
        let reason = "its files would not be encrypted, and everything in the data folder is".to_owned();
        return Err(LakeError::Location { location: location.to_string(), reason }.into());
    }
    let (place, tables, on) = (settings.warehouse.clone(), folder.join("tables"), disk.clone());
    let opening = tokio::task::spawn_blocking(move || match place {
        Some(location) => Warehouse::at(&location, on),
        None => Warehouse::in_data_folder(&tables, on),
    });
    let warehouse = opening.await.map_err(|_| ServerError::Interrupted)??;
    let (defaults, clock) = (LakeOptions::default(), SteadyClock::new());
    let lake_options = LakeOptions {
        keys,
        // By it files are removed for good.
        clock: Arc::new(move || clock.now()),
        flush_after: settings.flush_interval,
        tidy_every: settings.tidy_interval,
        table: TableOptions { grace: settings.grace, ..defaults.table.clone() },
        ..defaults
    };
    Ok(Lake::open(&folder, state, disk, warehouse, lake_options).await?)
}

fn record_metrics() -> PrometheusHandle {
    let metrics = PrometheusBuilder::new().build_recorder();
    let handle = metrics.handle();
    if metrics::set_global_recorder(metrics).is_err() {
        tracing::debug!("another server of this process has the metrics");
    }
    handle
}

async fn open_journal(folder: PathBuf, disk: Arc<dyn Disk>) -> Result<Journal, ServerError> {
    let opening =
        tokio::task::spawn_blocking(move || Journal::open(&folder, JournalOptions::default(), disk));
    let (journal, recovery) = opening.await.map_err(|_| ServerError::Interrupted)??;
    tracing::info!(?recovery, "the journal is open");
    Ok(journal)
}

/// What queries may use. They spill past the disk that encrypts, so not at all where everything is to be encrypted; and
/// none runs for longer than the files stay that it reads.
fn query_options(options: &Options) -> QueryOptions {
    let spill = if options.encrypt_data { 0 } else { options.queries.spill };
    let time = options.queries.time.min(options.lake.grace);
    QueryOptions { spill, time, ..options.queries.clone() }
}

fn delivery_options(options: &Options) -> DeliveryOptions {
    DeliveryOptions {
        interval: options.delivery_interval,
        digest_interval: options.digest_interval,
        file_bytes: options.delivery_file_bytes,
        ..DeliveryOptions::default()
    }
}

/// The operator's root credentials: those given, else those kept, else drawn ones; and whether they were
/// drawn just now.
async fn root_credentials(
    identity: &Identity,
    home: AccountId,
    given: Option<RootCredentials>,
) -> Result<(RootCredentials, bool), ServerError> {
    let kept = identity.operator_credentials(home)?.map(|(access_key_id, secret)| RootCredentials {
        access_key_id,
        secret_access_key: secret.to_string(),
    });
    let is_new = given.is_none() && kept.is_none();
    let root = given.or(kept).unwrap_or_else(drawn);
    identity.ensure_root(home, &root.access_key_id, &root.secret_access_key).await?;
    Ok((root, is_new))
}

fn drawn() -> RootCredentials {
    const ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let draw = |letters: &[u8], count: usize| -> String {
        let mut rng = rand::rng();
        (0..count).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect()
    };
    RootCredentials { access_key_id: format!("AKIA{}", draw(ID, 16)), secret_access_key: draw(SECRET, 40) }
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    let failed = |file: &std::path::Path, error: &dyn std::fmt::Display| ServerError::Tls {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, &error))?;
    // Dependencies bring in several providers of cryptography; this is the one the rest of the server uses.
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&files.certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(&files.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
