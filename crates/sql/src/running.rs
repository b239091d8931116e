//! A query that runs, and what it has given and read so far.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cancel::Cancel;
use crate::engine::Place;
use crate::plan::Planned;
use crate::scan::Meter;
use crate::{SqlError, diagnose, format};

/// How many rows are given at a time, or fewer that have so many bytes of text, and how many such pieces wait for the caller:
/// what a result may hold in memory.
const ROWS_AT_A_TIME: usize = 1000;
const BYTES_AT_A_TIME: usize = 4 << 20;
const PIECES_AHEAD: usize = 2;

/// A row: a text for each column, `None` for NULL.
type Row = Vec<Option<String>>;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name as the query wrote it, or `_colN` for an expression without one. Two columns may have the same.
    pub name: String,
    /// Its type in Trino's words: `varchar`, `timestamp(3)`, `map(varchar, varchar)`.
    pub kind: String,
}

/// What a query has read of its tables so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Bytes of the files' columns that were read, and of those of the tail.
    pub bytes: u64,
    /// Rows that were looked at: not those in files, row groups and pages whose statistics excluded them.
    pub rows: u64,
}

/// A query that runs. Dropping it cancels the query: its threads are free within a second.
#[derive(Debug)]
pub struct Running {
    columns: Vec<Column>,
    plan: Arc<dyn ExecutionPlan>,
    meter: Arc<Meter>,
    cancel: Cancel,
    pieces: mpsc::Receiver<Result<Vec<Row>, SqlError>>,
    task: Option<JoinHandle<()>>,
    deadline: Instant,
    time: Duration,
    is_stopped: bool,
}

impl Running {
    /// Starts a planned query on the engine's threads.
    pub(crate) fn start(
        threads: &Handle,
        planned: Planned,
        place: Place,
        deadline: Instant,
        time: Duration,
    ) -> Self {
        let Planned { plan, context, columns, meter, cancel } = planned;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let running = Arc::clone(&plan);
        let task = threads.spawn(async move {
            let _place = place;
            let stream = execute_stream(running, context);
            let ended = match stream {
                Err(error) => Err(diagnose::running(&error)),
                Ok(stream) => give(stream, &sender).await,
            };
            if let Err(error) = ended {
                // A caller that is gone needs no error.
                sender.send(Err(error)).await.ok();
            }
        });
        Running { columns, plan, meter, cancel, pieces, task: Some(task), deadline, time, is_stopped: false }
    }

    /// The columns of its result.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next rows, each with a value for each column, formatted as CloudTrail Lake does; `None` after the last. Rows
    /// that nobody takes stop the query: it holds a few batches, never its whole result.
    ///
    /// # Errors
    /// Any [`SqlError`] but [`SqlError::Busy`]; after one there are no more rows.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<Option<String>>>>, SqlError> {
        if self.is_stopped {
            return Ok(None);
        }
        let piece = tokio::select! {
            biased;
            why = self.cancel.ended() => {
                self.stop();
                return Err(why);
            }
            piece = tokio::time::timeout_at(self.deadline, self.pieces.recv()) => piece,
        };
        let Ok(piece) = piece else {
            self.stop();
            return Err(SqlError::TimedOut(self.time));
        };
        match piece {
            Some(Ok(rows)) => Ok(Some(rows)),
            Some(Err(error)) => {
                self.stop();
                Err(error)
            }
            None => match self.task.take() {
                None => Ok(None),
                Some(task) => task.await.map(|()| None).map_err(|error| ended(&error)),
            },
        }
    }

    /// What it has read so far; final after [`Running::next`] gave `None`.
    #[must_use]
    pub fn scanned(&self) -> Scanned {
        Scanned { bytes: self.meter.bytes(), rows: self.meter.rows() + rows_of_files(self.plan.as_ref()) }
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        self.cancel.cancel();
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.pieces.close();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Why a task of the engine's threads did not come to its end.
pub(crate) fn ended(error: &tokio::task::JoinError) -> SqlError {
    if error.is_panic() { SqlError::Internal("the engine panicked".to_owned()) } else { SqlError::Cancelled }
}

async fn give(
    mut stream: datafusion::execution::SendableRecordBatchStream,
    sender: &mpsc::Sender<Result<Vec<Row>, SqlError>>,
) -> Result<(), SqlError> {
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| diagnose::running(&error))?;
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = rows(&batch, start)?;
            start += rows.len();
            if sender.send(Ok(rows)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The rows of a batch from one on, at least one.
fn rows(batch: &RecordBatch, start: usize) -> Result<Vec<Row>, SqlError> {
    let columns: &[ArrayRef] = batch.columns();
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for row in start..batch.num_rows().min(start + ROWS_AT_A_TIME) {
        let values: Row =
            columns.iter().map(|column| format::value(column, row)).collect::<Result<_, SqlError>>()?;
        bytes += values.iter().flatten().map(String::len).sum::<usize>();
        rows.push(values);
        if bytes > BYTES_AT_A_TIME {
            break;
        }
    }
    Ok(rows)
}

/// Counts the rows of which a plan knows enough without reading them, as of those that `count(*)` counts.
pub(crate) fn note_unread(plan: &dyn ExecutionPlan, meter: &Meter) {
    let mut read = HashMap::new();
    count_scans(plan, &mut read);
    for (table, scans) in meter.planned() {
        let all = scans.len() as u64;
        let unread = all.saturating_sub(read.get(&table).copied().unwrap_or(0));
        // Which one of several of the same table is left can't be told.
        meter.add_rows(scans.iter().sum::<u64>().saturating_mul(unread).checked_div(all).unwrap_or(0));
    }
}

/// How often a plan reads files of each table.
fn count_scans(plan: &dyn ExecutionPlan, scans: &mut HashMap<String, u64>) {
    if let Some(source) = plan.as_any().downcast_ref::<DataSourceExec>()
        && let Some(files) = source.data_source().as_any().downcast_ref::<FileScanConfig>()
    {
        *scans.entry(files.object_store_url.as_str().to_owned()).or_default() += 1;
    }
    for child in plan.children() {
        count_scans(child.as_ref(), scans);
    }
}

/// The rows that a plan has looked at in files: those that scans gave, and those that their filters kept back.
fn rows_of_files(plan: &dyn ExecutionPlan) -> u64 {
    let own = if plan.as_any().is::<DataSourceExec>() {
        plan.metrics().map_or(0, |metrics| {
            let given = metrics.output_rows().unwrap_or(0);
            let kept_back = metrics.sum_by_name("pushdown_rows_pruned").map_or(0, |value| value.as_usize());
            (given + kept_back) as u64
        })
    } else {
        0
    };
    own + plan.children().into_iter().map(|child| rows_of_files(child.as_ref())).sum::<u64>()
}
