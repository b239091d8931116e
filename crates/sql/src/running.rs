//! A query that runs, and what it has given and read so far.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cancel::Cancel;
use crate::plan::Planned;
use crate::scan::Meter;
use crate::{SqlError, diagnose, format};

/// How many rows are given at a time, and how many such pieces wait for the caller: what a result may hold in memory.
const ROWS_AT_A_TIME: usize = 1000;
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
}

impl Running {
    /// Starts a planned query on the engine's threads.
    pub(crate) fn start(
        threads: &Handle,
        planned: Planned,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
        time: Duration,
    ) -> Self {
        let Planned { plan, context, columns, meter, cancel } = planned;
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let running = Arc::clone(&plan);
        let task = threads.spawn(async move {
            let _permit = permit;
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
        Running { columns, plan, meter, cancel, pieces, task: Some(task), deadline, time }
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
        let Ok(piece) = tokio::time::timeout_at(self.deadline, self.pieces.recv()).await else {
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
        for start in (0..batch.num_rows()).step_by(ROWS_AT_A_TIME) {
            let length = ROWS_AT_A_TIME.min(batch.num_rows() - start);
            if sender.send(Ok(rows(&batch.slice(start, length))?)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn rows(batch: &RecordBatch) -> Result<Vec<Row>, SqlError> {
    let columns: &[ArrayRef] = batch.columns();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| format::value(column, row)).collect())
        .collect()
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
