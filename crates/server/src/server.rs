//! A server, opened and run.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use opentrail_archive::Archive;
use opentrail_journal::Journal;
use opentrail_trails::Delivery;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    door, error::ServerError, health, listen, options::Options, rooms::Rooms, startup, welcome::Welcome,
};

/// How long a reader of the journal rests after it stopped by itself.
const READER_PAUSE: Duration = Duration::from_secs(1);
/// How often journal segments are given back.
const RECLAIM_INTERVAL: Duration = Duration::from_secs(10);
/// How often what histograms were given is taken into their sums: until then every value takes memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A server whose rooms are open and whose address is taken; it answers once it is [run](Self::run).
pub struct Server {
    rooms: Arc<Rooms>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    welcome: Welcome,
}

impl Server {
    /// Opens the data folder, recovers what a crash left, and takes the address.
    pub async fn open(options: Options) -> Result<Self, ServerError> {
        let opened = startup::open(options).await?;
        Ok(Self {
            rooms: Arc::new(opened.rooms),
            listener: opened.listener,
            tls: opened.tls,
            welcome: opened.welcome,
        })
    }

    /// What its operator needs to know.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Serves until `stop`; then ends what runs, delivers nothing more, and closes the journal.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        let address = self.listener.local_addr().unwrap_or_else(|_| ([127, 0, 0, 1], 0).into());
        let readers = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(deliver(self.rooms.delivery.clone(), readers.clone()));
        tasks.spawn(remember(self.rooms.archive.clone(), readers.clone()));
        tasks.spawn(reclaim(self.rooms.state.journal().clone(), readers.clone()));
        tasks.spawn(keep_metrics_small(self.rooms.metrics.clone(), readers.clone()));
        let served = listen::serve(self.listener, self.tls, router(self.rooms.clone()), stop).await;
        readers.cancel();
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a reader of the journal ended badly");
            }
        }
        // One that can't be closed in good order keeps none of the others from it.
        let vault = self.rooms.vault.close().await;
        let state = self.rooms.state.close().await;
        self.rooms.state.journal().close().await;
        served.map_err(|source| ServerError::Listen { address, source })?;
        vault?;
        Ok(state?)
    }
}

/// Delivers until `stop`. What stops the delivery by itself is waited out: events stay in the journal.
async fn deliver(delivery: Delivery, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let (running, until) = (delivery.clone(), stop.clone());
        match tokio::spawn(async move { running.run(until.cancelled_owned()).await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "delivery stopped; it is tried again"),
            Err(error) => tracing::error!(%error, "delivery ended badly; it is tried again"),
        }
        rest(&stop).await;
    }
}

/// Keeps event history up to date until `stop`.
async fn remember(archive: Archive, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tokio::spawn(archive.clone().run(stop.clone())).await {
            tracing::error!(%error, "event history ended badly; it goes on from where it was");
        }
        rest(&stop).await;
    }
}

/// The pause before a reader of the journal that ended by itself goes on.
async fn rest(stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(READER_PAUSE) => {}
        () = stop.cancelled() => {}
    }
}

/// Takes the values of histograms into their sums, whether or not anybody asks for metrics.
async fn keep_metrics_small(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => metrics.run_upkeep(),
            () = stop.cancelled() => return,
        }
    }
}

/// Gives back the disk space of journal segments that every reader is done with.
async fn reclaim(journal: Journal, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(RECLAIM_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        match journal.reclaim().await {
            Ok(reclaimed) => tracing::debug!(?reclaimed, "journal segments"),
            Err(error) => tracing::warn!(%error, "journal segments can't be given back"),
        }
    }
}

fn router(rooms: Arc<Rooms>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(door::enter)
        .with_state(rooms)
}
