//! One query, from its place in the queue to its outcome.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use chrono::Utc;
use futures::FutureExt;
use opentrail_lake::{
    LakeError,
    query::{DeliveryStatus, Outcome, Query, QueryStatus, Record, RowWriter},
    schema::{RECORD, Shape, TIME},
    store::{StoreArn, StoreRef},
    warehouse::KeyRefused,
};
use opentrail_sql::{Compute, Computed, DataFile, Limits, Running, SqlError, TableData};

use super::{Active, Inner, Queries, blocking, delivery, milliseconds_since};

/// The pause before the outcome of a query that could not be kept is kept again: there may be no room on the disk.
const KEEP_PAUSE: Duration = Duration::from_secs(5);

/// How long a query waits for the newest events to be in the tables: as long as they may take (G8).
const CATCH_UP: Duration = Duration::from_secs(1);

/// What a query's author is told where we are at fault.
const OUR_FAULT: &str = "The query could not be run because of an internal error.";
/// The same where there is no room for its result.
const NO_ROOM: &str = "There is no space on the server's disk for the query's result.";

/// How a query came to its end, and its rows.
type End = (Outcome, Option<RowWriter>);

/// Carries a query out. However it ends, something is kept of it.
pub(super) async fn carry_out(queries: Queries, active: Arc<Active>) {
    // Dropped with the task, so that an aborted query is not taken for one that runs.
    let listed = Listed { inner: queries.inner.clone(), active: active.clone() };
    let carried = AssertUnwindSafe(run(&queries, &active)).catch_unwind().await;
    let (outcome, rows) = carried.unwrap_or_else(|_| {
        tracing::error!(query = %active.query.id, "a query ended badly");
        (failed(OUR_FAULT), None)
    });
    // Who cancelled it was told so, and is told nothing else later.
    let is_so = outcome.status == QueryStatus::Cancelled || queries.decide(&active).await;
    let outcome = match rows.filter(|_| is_so) {
        Some(rows) => finish_rows(outcome, rows).await,
        None if is_so => outcome,
        None => ended(&active, QueryStatus::Cancelled, None),
    };
    metrics::counter!("opentrail_queries_total", "status" => outcome.status.as_str()).increment(1);
    metrics::counter!("opentrail_query_scanned_bytes_total").increment(outcome.bytes_scanned);
    let query = &active.query;
    let record = Record { query: (**query).clone(), outcome };
    while let Err(error) = queries.keep(record.clone()).await {
        tracing::warn!(%error, query = %query.id, "what came of a query can't be kept; it is tried again");
        tokio::time::sleep(KEEP_PAUSE).await;
    }
    while let Err(error) = queries.close(query).await {
        tracing::warn!(%error, query = %query.id, "a query's document can't be removed; it is tried again");
        tokio::time::sleep(KEEP_PAUSE).await;
    }
    drop(listed);
    if record.outcome.delivery == Some(DeliveryStatus::Pending) {
        deliver(&queries, record).await;
    }
}

async fn deliver(queries: &Queries, mut record: Record) {
    let delivered = AssertUnwindSafe(delivery::deliver(queries, &record.query, &record.outcome));
    let status = delivered.catch_unwind().await.unwrap_or(DeliveryStatus::Failed);
    record.outcome.delivery = Some(status);
    while let Err(error) = queries.keep(record.clone()).await {
        tracing::warn!(%error, "what became of a delivery can't be kept; it is tried again");
        tokio::time::sleep(KEEP_PAUSE).await;
    }
}

/// That a query is among those that wait or run.
struct Listed {
    inner: Arc<Inner>,
    active: Arc<Active>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.inner.active.write().remove(&self.active.query.id);
    }
}

async fn run(queries: &Queries, active: &Arc<Active>) -> End {
    let cancelled = || (ended(active, QueryStatus::Cancelled, None), None);
    let _place = tokio::select! {
        place = queries.inner.places.acquire() => place,
        () = active.cancel.cancelled() => return cancelled(),
    };
    *active.began.lock() = Some(Instant::now());
    active.is_running.store(true, Ordering::Relaxed);
    let sealed = queries.with_keys(&active.query.stores);
    let seal = match queries.seal(&sealed).await {
        Ok(seal) => seal,
        Err(refusal) => return (ended(active, QueryStatus::Failed, Some(locked(&refusal))), None),
    };
    let (shelf, id) = (queries.shelf().clone(), active.query.id);
    let writer = match blocking(move || shelf.begin(id, seal.as_ref())).await {
        Ok(writer) => writer,
        Err(error) => return (failed(told_of(&error)), None),
    };
    let (outcome, rows) = tokio::select! {
        end = rows(queries, active, writer, !sealed.is_empty()) => end,
        () = active.cancel.cancelled() => cancelled(),
    };
    (Outcome { sealed, ..outcome }, rows)
}

async fn rows(queries: &Queries, active: &Arc<Active>, mut writer: RowWriter, is_sealed: bool) -> End {
    let mut running = match start(queries, &active.query, is_sealed).await {
        Ok(running) => running,
        Err(error) => return (failed_over(queries, active, &error).await, None),
    };
    let columns: Vec<String> = running.columns().iter().map(|column| column.name.clone()).collect();
    loop {
        let next = running.next().await;
        note_scanned(active, &running);
        let rows = match next {
            Ok(Some(rows)) => rows,
            Ok(None) => {
                let outcome = ended(active, QueryStatus::Finished, None);
                return (Outcome { columns, ..outcome }, Some(writer));
            }
            // What was found until then is there (AWS: "View query results").
            Err(error @ SqlError::TimedOut(_)) => {
                return (Outcome { columns, ..ended_by(active, &error) }, Some(writer));
            }
            Err(error) => return (failed_over(queries, active, &error).await, None),
        };
        writer = match blocking(move || writer.push(rows).map(|()| writer)).await {
            Ok(writer) => writer,
            Err(error) => return (ended(active, QueryStatus::Failed, Some(told_of(&error))), None),
        };
    }
}

/// The outcome of a query that could not be run to its end: where a store's key was refused meanwhile, that is told.
async fn failed_over(queries: &Queries, active: &Active, error: &SqlError) -> Outcome {
    if let SqlError::Table(_) = error
        && let Err(refusal) = queries.seal(&queries.with_keys(&active.query.stores)).await
    {
        return ended(active, QueryStatus::Failed, Some(locked(&refusal)));
    }
    ended_by(active, error)
}

/// What a query's author is told of a key that was refused.
fn locked(refusal: &KeyRefused) -> String {
    format!("An event data store can't be read: {refusal}")
}

async fn start(queries: &Queries, query: &Query, is_sealed: bool) -> Result<Running, SqlError> {
    let statement = queries.read(query.statement.clone()).await?;
    // Who was told that an event is durable, and asks then, finds it.
    let durable = queries.inner.state.journal().durable();
    let caught_up = tokio::time::timeout(CATCH_UP, queries.inner.lake.caught_up(durable)).await;
    if caught_up.is_err() {
        tracing::debug!(query = %query.id, "the newest events are not in the tables yet");
    }
    let mut tables = BTreeMap::new();
    for name in statement.tables() {
        let missing = || SqlError::Table(format!("the event data store {name} is gone"));
        let arn = arn_of(name, query).ok_or_else(missing)?;
        if let Some(live) = queries.inner.lake.table(arn.id) {
            // Events that came while the store's key could not be opened are on their way.
            let whole = tokio::time::timeout(queries.inner.time, live.whole()).await;
            whole.map_err(|_| SqlError::TimedOut(queries.inner.time))?;
        }
        tables.insert(name.clone(), queries.table(&arn).ok_or_else(missing)?);
    }
    // What is spilled is in the clear.
    let limits = Limits { time: queries.inner.time, spills: !is_sealed, ..Limits::default() };
    queries.engine().run_in_turn(&statement, tables, &query.parameters, limits).await
}

/// Which of the stores of a query a name in its text means.
fn arn_of(name: &str, query: &Query) -> Option<StoreArn> {
    let wanted = name.parse::<StoreRef>().ok()?;
    let arns = query.stores.iter().filter_map(|arn| StoreArn::parse(arn).ok());
    let mut meant = arns.filter(|arn| match &wanted {
        StoreRef::Id(id) => arn.id == *id,
        StoreRef::Arn(wanted) => arn == wanted,
    });
    meant.next()
}

impl Queries {
    /// The table of a store as it is now; none if the store is gone, or about to be.
    fn table(&self, arn: &StoreArn) -> Option<TableData> {
        self.inner.event_data_stores.by_arn(arn).filter(|store| store.is_active())?;
        let view = self.inner.lake.view(arn.id)?;
        let file = |file: &Arc<opentrail_lake::table::DataFile>| DataFile {
            path: file.path.clone(),
            size: file.size,
            rows: file.rows,
            min_time: file.min_time_ms,
            max_time: file.max_time_ms,
        };
        Some(TableData {
            schema: view.shape.queried(),
            store: self.inner.lake.table(arn.id)?.warehouse().store().clone(),
            files: view.files().map(file).collect(),
            tail: view.tail,
            time_column: TIME.to_owned(),
            computed: Some(whole_record(view.shape)),
        })
    }

    /// The same table without its rows, by which a query is planned.
    pub(crate) fn empty_table(&self, arn: &StoreArn) -> Option<TableData> {
        let table = self.table(arn)?;
        Some(TableData { files: Vec::new(), tail: Vec::new(), ..table })
    }
}

/// The record as it came: files have its form where the columns give the rest of it back.
fn whole_record(shape: Shape) -> Computed {
    let compute: Compute = Arc::new(move |rows| Ok(opentrail_lake::records(shape, rows)?));
    Computed { column: RECORD.to_owned(), stored: shape.arrow(), compute }
}

fn note_scanned(active: &Active, running: &Running) {
    let scanned = running.scanned();
    active.events.store(scanned.rows, Ordering::Relaxed);
    active.bytes.store(scanned.bytes, Ordering::Relaxed);
}

/// The outcome of a query that ran until now. Its rows are counted when they are durable.
fn ended(active: &Active, status: QueryStatus, error: Option<String>) -> Outcome {
    let mut outcome = Outcome::without_rows(status, Utc::now(), error);
    outcome.events_scanned = active.events.load(Ordering::Relaxed);
    outcome.bytes_scanned = active.bytes.load(Ordering::Relaxed);
    let began = *active.began.lock();
    outcome.execution_ms = began.map_or(0, milliseconds_since);
    let delivers = if status == QueryStatus::Finished {
        DeliveryStatus::Pending
    } else {
        // Partial results are delivered to nobody (AWS: "View query results").
        DeliveryStatus::Cancelled
    };
    outcome.delivery = active.query.destination.is_some().then_some(delivers);
    outcome
}

fn ended_by(active: &Active, error: &SqlError) -> Outcome {
    match error {
        SqlError::TimedOut(_) => ended(active, QueryStatus::TimedOut, Some(error.to_string())),
        SqlError::Cancelled => ended(active, QueryStatus::Cancelled, None),
        SqlError::Internal(reason) | SqlError::Table(reason) => {
            tracing::error!(reason, query = %active.query.id, "a query can't be run");
            ended(active, QueryStatus::Failed, Some(OUR_FAULT.to_owned()))
        }
        error => {
            tracing::debug!(?error, query = %active.query.id, "a query has failed");
            ended(active, QueryStatus::Failed, Some(error.to_string()))
        }
    }
}

fn failed(reason: impl Into<String>) -> Outcome {
    Outcome::without_rows(QueryStatus::Failed, Utc::now(), Some(reason.into()))
}

fn told_of(error: &LakeError) -> String {
    match error {
        LakeError::ResultTooLarge { .. } => error.to_string(),
        LakeError::Disk { source, .. } if opentrail_journal::disk::is_full(source) => NO_ROOM.to_owned(),
        error => {
            tracing::error!(%error, "the result of a query can't be kept");
            OUR_FAULT.to_owned()
        }
    }
}

/// Makes the rows durable.
async fn finish_rows(outcome: Outcome, rows: RowWriter) -> Outcome {
    match blocking(move || rows.finish()).await {
        Ok(rows) => Outcome { rows, ..outcome },
        Err(error) => {
            let error = Some(told_of(&error));
            let delivery = outcome.delivery.map(|_| DeliveryStatus::Cancelled);
            Outcome { status: QueryStatus::Failed, columns: Vec::new(), error, delivery, ..outcome }
        }
    }
}
