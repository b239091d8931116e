//! Clients that make one call after the other for a stretch of time.

use std::time::{Duration, Instant};

use crate::{
    client::{Access, Connection},
    error::BenchError,
    latency::Latencies,
};

/// What the clients of one kind of call did.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) latencies: Latencies,
    pub(super) elapsed: Duration,
    /// The request ids of the answers, where the call gave them.
    pub(super) requests: Vec<String>,
}

impl Calls {
    pub(super) fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Makes calls over so many connections for a stretch of time. `call` makes the n-th call of a client.
pub(super) async fn drive<F>(
    access: &Access,
    clients: usize,
    length: Duration,
    call: F,
) -> Result<Calls, BenchError>
where
    F: AsyncFn(&mut Connection, usize, u64) -> Result<Option<String>, BenchError>,
{
    let open = access.connections(clients).await?;
    let began = Instant::now();
    let call = &call;
    let clients = open.into_iter().enumerate().map(|(client, mut connection)| async move {
        let mut calls = Calls::default();
        let mut nth = 0;
        while began.elapsed() < length {
            let sent = Instant::now();
            let request = call(&mut connection, client, nth).await?;
            calls.latencies.add(sent.elapsed());
            calls.requests.extend(request);
            nth += 1;
        }
        Ok::<_, BenchError>(calls)
    });
    let mut calls = Calls::default();
    for part in futures::future::try_join_all(clients).await? {
        calls.latencies.join(part.latencies);
        calls.requests.extend(part.requests);
    }
    calls.elapsed = began.elapsed();
    Ok(calls)
}
