//! The rooms of the house, open: what every operation works with.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use opentrail_archive::{Archive, SeenIds};
use opentrail_event::{AccountId, Region};
use opentrail_identity::Identity;
use opentrail_keyring::Keyring;
use opentrail_lake::{channel::Channels, import::Imports, ingest::Lake, store::Stores as EventDataStores};
use opentrail_state::State;
use opentrail_trails::{Delivery, Trails};
use opentrail_vault::{Vault, lifecycle::Calendar};

use crate::{
    access_log::AccessLog,
    door::body::Budget,
    events::Regions,
    issuers::Issuers,
    kms::KeyGuard,
    lake_keys::LakeKeys,
    queries::Queries,
    recording::Recorder,
    replica_target::ReplicaTargets,
    store::{Requesters, Stores},
};

/// Every room, opened once at the start and shared by all calls.
pub(crate) struct Rooms {
    /// The documents and, behind them, the journal.
    pub(crate) state: State,
    /// Keys.
    pub(crate) keyring: Keyring,
    /// Who, and may they.
    pub(crate) identity: Identity,
    /// The keys that OpenID Connect issuers sign with.
    pub(crate) issuers: Issuers,
    /// Who may use which key of KMS.
    pub(crate) key_guard: KeyGuard,
    /// Who had the keys of buckets asked of KMS lately.
    pub(crate) requesters: Arc<Requesters>,
    /// Buckets and objects.
    pub(crate) vault: Vault,
    /// Trails and their rules.
    pub(crate) trails: Trails,
    /// The tables of event data stores.
    pub(crate) lake: Lake,
    /// The keys of those that are encrypted.
    pub(crate) lake_keys: Arc<LakeKeys>,
    /// What brings log files into them.
    pub(crate) imports: Imports,
    /// Queries over them.
    pub(crate) queries: Queries,
    /// Event data stores and their rules.
    pub(crate) event_data_stores: EventDataStores,
    /// The channels by which events from outside come into them.
    pub(crate) channels: Channels,
    /// What the trails deliver.
    pub(crate) delivery: Delivery,
    /// Where the trails deliver to: the vault and buckets elsewhere.
    pub(crate) stores: Arc<Stores>,
    /// Buckets elsewhere that versions are copied to.
    pub(crate) replica_targets: ReplicaTargets,
    /// Where records of calls are kept.
    pub(crate) recorder: Recorder,
    /// Event history.
    pub(crate) archive: Archive,
    /// Which events are in the record already.
    pub(crate) seen: SeenIds,
    /// The regions that events from elsewhere came from.
    pub(crate) regions: Arc<Regions>,
    /// The memory for bodies of calls.
    pub(crate) bodies: Budget,
    /// The first account: the operator's, and the owner of calls whose caller nobody knows.
    pub(crate) home: AccountId,
    /// The operator's region.
    pub(crate) region: Region,
    /// Lines of access logs on their way.
    pub(crate) access_log: AccessLog,
    /// How often they are delivered.
    pub(crate) access_log_interval: Duration,
    /// The days that lifecycle rules count.
    pub(crate) calendar: Calendar,
    /// How long one of them is.
    pub(crate) lifecycle_day: Duration,
    /// The registry behind `/metrics`.
    pub(crate) metrics: PrometheusHandle,
}
