//! Uploads over several connections at once, as fast as they are taken.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    client::{Access, Ask, Connection},
    error::{BenchError, check},
    events::{BATCH, Events},
    latency::Latencies,
};

/// The pause after the server asked to wait.
const PAUSE: Duration = Duration::from_millis(50);

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so many uploads.
    Batches(u64),
    /// With the first answer after so long.
    Elapsed(Duration),
}

/// What a load did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Load {
    /// Uploads; those of numbers `0..batches`.
    pub(crate) batches: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
    /// Answers that asked to wait and come again.
    pub(crate) pushed_back: u64,
}

impl Load {
    pub(crate) fn events(&self) -> u64 {
        self.batches * BATCH
    }

    pub(crate) fn rate(&self) -> f64 {
        self.events() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// What the server says of an upload.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Admitted {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) rejected: Vec<serde_json::Value>,
}

/// Sends uploads; fails unless every event of each was accepted.
pub(crate) async fn run(
    access: &Access,
    events: &Arc<dyn Events>,
    connections: usize,
    until: Until,
) -> Result<Load, BenchError> {
    let next = Rc::new(Cell::new(0));
    let began = Instant::now();
    let worker = |mut connection: Connection| {
        let (events, next) = (events.clone(), next.clone());
        async move {
            let mut load = Load::default();
            let mut buffer = Vec::new();
            loop {
                let batch = next.get();
                let done = match until {
                    Until::Batches(batches) => batch >= batches,
                    Until::Elapsed(limit) => began.elapsed() >= limit,
                };
                if done {
                    return Ok::<_, BenchError>(load);
                }
                next.set(batch + 1);
                events.upload(batch, &mut buffer);
                let body = Bytes::from(std::mem::take(&mut buffer));
                load.send(&mut connection, &body).await?;
                // The connection has let go of the body by now: the same memory takes the next one.
                buffer = body.try_into_mut().map(Vec::from).unwrap_or_default();
            }
        }
    };
    let open = access.connections(connections).await?;
    let mut load = Load::default();
    for part in futures::future::try_join_all(open.into_iter().map(worker)).await? {
        load.batches += part.batches;
        load.bytes += part.bytes;
        load.pushed_back += part.pushed_back;
        load.latencies.join(part.latencies);
    }
    load.elapsed = began.elapsed();
    Ok(load)
}

impl Load {
    async fn send(&mut self, connection: &mut Connection, body: &Bytes) -> Result<(), BenchError> {
        loop {
            let sent = Instant::now();
            let answer = match connection.ask(Ask::events(body.clone())).await {
                Err(BenchError::Refused { status: 503, .. }) => {
                    self.pushed_back += 1;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                answer => answer?,
            };
            self.latencies.add(sent.elapsed());
            let admitted: Admitted = serde_json::from_slice(&answer.body)?;
            check(
                admitted.accepted == BATCH && admitted.duplicates == 0 && admitted.rejected.is_empty(),
                || {
                    format!(
                        "of {BATCH} new events {} were accepted, {} taken for known and {} rejected: {:?}",
                        admitted.accepted,
                        admitted.duplicates,
                        admitted.rejected.len(),
                        admitted.rejected.first()
                    )
                },
            )?;
            self.batches += 1;
            self.bytes += body.len() as u64;
            return Ok(());
        }
    }
}
