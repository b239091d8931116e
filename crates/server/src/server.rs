//! A server, opened and run.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use opentrail_archive::Archive;
use opentrail_journal::Journal;
use opentrail_lake::ingest::Lake;
use opentrail_trails::Delivery;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cloudtrail::ImportBuckets,
    door,
    entrance::Entrance,
    error::ServerError,
    health, listen,
    options::Options,
    recording::TELL_INTERVAL,
    rooms::Rooms,
    startup,
    welcome::Welcome,
    worker,
    worker::again::{PAUSE, and_again},
};

/// How long a reader of the journal rests after it stopped by itself.
const READER_PAUSE: Duration = Duration::from_secs(1);
/// How often journal segments are given back.
const RECLAIM_INTERVAL: Duration = Duration::from_secs(10);
/// How often what histograms were given is taken into their sums: until then every value takes memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A server whose rooms are open and whose address is taken; it serves once it is [run](Self::run). Until then it
/// answers that it is alive and not ready.
pub struct Server {
    rooms: Arc<Rooms>,
    entrance: Arc<Entrance>,
    address: SocketAddr,
    listening: JoinHandle<io::Result<()>>,
    /// Ends the listening, also where the server is dropped before it ran.
    closing: DropGuard,
    welcome: Welcome,
}

impl Server {
    /// Takes the address, opens the data folder and recovers what a crash left. While that lasts, `/healthz` answers
    /// 200 and everything else 503.
    pub async fn open(options: Options) -> Result<Self, ServerError> {
        let taken = startup::listen(&options).await?;
        let address = taken.listener.local_addr().unwrap_or(options.listen);
        let entrance = Arc::new(Entrance::default());
        let closing = CancellationToken::new();
        let serving = listen::serve(taken.listener, taken.tls, entrance.router(), closing.clone());
        let (listening, closing) = (tokio::spawn(serving), closing.drop_guard());
        let opened = startup::open(options, address).await?;
        let (rooms, welcome) = (Arc::new(opened.rooms), opened.welcome);
        Ok(Self { rooms, entrance, address, listening, closing, welcome })
    }

    /// What its operator needs to know.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Serves until `stop`; then ends what runs, delivers nothing more, and closes the journal.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        let readers = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(deliver(self.rooms.delivery.clone(), readers.clone()));
        tasks.spawn(remember(self.rooms.archive.clone(), readers.clone()));
        tasks.spawn(fill(self.rooms.lake.clone(), readers.clone()));
        start_workers(&mut tasks, &self.rooms, &readers);
        self.entrance.open(router(self.rooms.clone()));
        let mut listening = self.listening;
        let served = tokio::select! {
            () = stop.cancelled() => {
                drop(self.closing);
                listening.await
            }
            ended = &mut listening => ended,
        };
        let served = served.unwrap_or_else(|error| Err(io::Error::other(error)));
        readers.cancel();
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the server ended badly");
            }
        }
        // One that can't be closed in good order keeps none of the others from it.
        let vault = self.rooms.vault.close().await;
        let state = self.rooms.state.close().await;
        self.rooms.state.journal().close().await;
        served.map_err(|source| ServerError::Listen { address: self.address, source })?;
        vault?;
        Ok(state?)
    }
}

/// Starts what works by itself from time to time until `stop`; it goes on also after a panic.
fn start_workers(tasks: &mut JoinSet<()>, rooms: &Arc<Rooms>, stop: &CancellationToken) {
    let (day, often) = (rooms.lifecycle_day, rooms.access_log_interval);
    let (journal, metrics) = (rooms.state.journal().clone(), rooms.metrics.clone());
    let work = move |stop| reclaim(journal.clone(), stop);
    tasks.spawn(and_again("journal space", PAUSE, stop.clone(), work));
    let work = move |stop| keep_metrics_small(metrics.clone(), stop);
    tasks.spawn(and_again("metrics", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| worker::lifecycle::run(of.clone(), day, stop);
    tasks.spawn(and_again("lifecycle", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| worker::replication::run(of.clone(), stop);
    tasks.spawn(and_again("replication", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| worker::access_logs::run(of.clone(), often, stop);
    tasks.spawn(and_again("access logs", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| worker::keys::run(of.clone(), stop);
    tasks.spawn(and_again("keys", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| worker::event_data_stores::run(of.clone(), stop);
    tasks.spawn(and_again("event data stores", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| of.imports.clone().run(Arc::new(ImportBuckets { rooms: of.clone() }), stop);
    tasks.spawn(and_again("imports", PAUSE, stop.clone(), work));
    let queries = rooms.queries.clone();
    let work = move |stop| queries.clone().run(stop);
    tasks.spawn(and_again("queries", PAUSE, stop.clone(), work));
    let of = rooms.clone();
    let work = move |stop| tell_left_out(of.clone(), stop);
    tasks.spawn(and_again("calls of strangers", PAUSE, stop.clone(), work));
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

/// Keeps event data stores up to date until `stop`.
async fn fill(lake: Lake, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = tokio::spawn(lake.clone().run(stop.clone())).await {
            tracing::error!(%error, "event data stores ended badly; they go on from where they were");
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

/// Writes from time to time, and at the end, how many calls of strangers were not recorded one by one.
async fn tell_left_out(rooms: Arc<Rooms>, stop: CancellationToken) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(TELL_INTERVAL) => {}
            () = stop.cancelled() => is_last = true,
        }
        rooms.recorder.tell_left_out(&rooms.region).await;
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
