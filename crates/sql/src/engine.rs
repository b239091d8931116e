//! The engine: the threads, the memory and the disk space that all queries share.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cancel::Cancel;
use crate::deep::STACK;
use crate::plan::{self, Planned, Request, Shared};
use crate::running::ended;
use crate::scan::FooterCache;
use crate::watch::{Watch, Watching};
use crate::{Limits, MemoryGauge, Running, SqlError, Statement, TableData};

/// Footers of files that are kept in memory, in bytes: those of some ten thousand files.
const FOOTER_BYTES: usize = 64 << 20;

/// Queries that are planned at a time without being run.
const CHECKED_AT_ONCE: usize = 4;

/// How often an operator that spills has its rows in memory: as it held them, as it gives them out, and sorted. The pool knows
/// of the first.
const SPILLING: usize = 3;

/// What queries may allocate for each thread besides what operators that hold rows ask for, in bytes: what is read and
/// decompressed of a group of rows of a file, some batches of results of functions, and rows on their way out.
const MEMORY_OF_THREAD: usize = 96 << 20;

/// By how much the engine's threads stand back behind the others when processors are short, as `nice` has it.
const NICE: i32 = 10;

/// What all queries together may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Memory of operators that hold rows (sorts, joins, aggregates), in bytes. What needs more is spilled to disk.
    pub memory: usize,
    /// Where it is spilled to. The folder is made, and what an earlier process left there is removed.
    pub spill_folder: PathBuf,
    /// How much may be there, in bytes.
    pub spill: u64,
    /// Threads that run queries.
    pub threads: usize,
    /// How many queries run at a time.
    pub concurrent: usize,
    /// Says how much memory the engine's threads use, whoever allocates it. Where they use three times `memory`, and 64 MiB
    /// and 96 MiB for each thread more, queries are ended. `None`: only operators that hold rows are bounded.
    pub gauge: Option<Arc<dyn MemoryGauge>>,
}

/// Runs queries, on threads of its own. Cheap to clone; the last one that is dropped ends the threads.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    threads: Threads,
    shared: Shared,
    slots: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    concurrent: usize,
    watch: Option<Watch>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("free", &self.slots.available_permits()).finish_non_exhaustive()
    }
}

/// A runtime that may be dropped anywhere, also by a task of another.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Threads {
    fn start(threads: usize, gauge: Option<Arc<dyn MemoryGauge>>) -> Result<Self, SqlError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("sql")
            .thread_stack_size(STACK)
            .enable_all()
            // Also called on the threads that may be kept waiting for the disk.
            .on_thread_start(move || {
                stand_back();
                if let Some(gauge) = &gauge {
                    gauge.enter();
                }
            })
            .build()
            .map_err(|error| SqlError::Internal(format!("no threads for queries: {error}")))?;
        Ok(Threads(Some(runtime)))
    }

    fn handle(&self) -> Result<&tokio::runtime::Handle, SqlError> {
        self.0.as_ref().map(Runtime::handle).ok_or(SqlError::Cancelled)
    }
}

/// On Linux, niceness is each thread's own.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "queries run with the same priority as everything else");
    }
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`SqlError::Internal`] if the folder or the threads can't be made.
    pub fn new(options: EngineOptions) -> Result<Self, SqlError> {
        let folder = |error: std::io::Error| {
            SqlError::Internal(format!("{}: {error}", options.spill_folder.display()))
        };
        match std::fs::remove_dir_all(&options.spill_folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(folder(error)),
            _ => std::fs::create_dir_all(&options.spill_folder).map_err(folder)?,
        }
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![options.spill_folder.clone()]))
            .with_max_temp_directory_size(options.spill);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|error| SqlError::Internal(error.strip_backtrace()))?;
        let besides = FOOTER_BYTES + options.threads.max(1).saturating_mul(MEMORY_OF_THREAD);
        let limit = options.memory.saturating_mul(SPILLING).saturating_add(besides);
        let watch = options.gauge.clone().map(|gauge| Watch::start(gauge, limit)).transpose()?;
        let shared = Shared {
            runtime,
            memory: options.memory,
            footers: Arc::new(FooterCache::new(FOOTER_BYTES)),
            partitions: options.threads.max(1),
        };
        let inner = Inner {
            threads: Threads::start(options.threads, options.gauge)?,
            shared,
            slots: Arc::new(Semaphore::new(options.concurrent)),
            checks: Arc::new(Semaphore::new(CHECKED_AT_ONCE)),
            concurrent: options.concurrent,
            watch,
        };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// Plans a query and starts it. `tables` has every name of [`Statement::tables`], `parameters` one text for each
    /// `?`, in order: a number, or a literal as it would stand in the query, else it is taken as a string.
    ///
    /// # Errors
    /// [`SqlError::Mistake`] for what is wrong in the query's text, with its place where it is known;
    /// [`SqlError::Busy`] if as many queries run as may.
    pub async fn run(
        &self,
        statement: &Statement,
        tables: BTreeMap<String, TableData>,
        parameters: &[String],
        limits: Limits,
    ) -> Result<Running, SqlError> {
        let slots = Arc::clone(&self.inner.slots);
        let permit = slots.try_acquire_owned().map_err(|_| SqlError::Busy(self.inner.concurrent))?;
        let deadline = Instant::now() + limits.time;
        self.start(request(statement, tables, parameters, limits), permit, deadline).await
    }

    /// As [`Engine::run`], but waits while as many queries run as may. The time that a query may run includes this.
    ///
    /// # Errors
    /// As [`Engine::run`], but never [`SqlError::Busy`].
    pub async fn run_in_turn(
        &self,
        statement: &Statement,
        tables: BTreeMap<String, TableData>,
        parameters: &[String],
        limits: Limits,
    ) -> Result<Running, SqlError> {
        let deadline = Instant::now() + limits.time;
        let permit = turn(&self.inner.slots, deadline).await?.ok_or(SqlError::TimedOut(limits.time))?;
        self.start(request(statement, tables, parameters, limits), permit, deadline).await
    }

    /// Plans a query and does not run it: what is wrong with it is found, and nothing else. Some are planned at a time,
    /// besides those that run; others wait. `time` is how long it may wait, and then how long planning may take.
    ///
    /// # Errors
    /// [`SqlError::Mistake`] for what is wrong in the query's text; [`SqlError::Busy`] if its turn did not come,
    /// [`SqlError::TimedOut`] if planning took longer.
    pub async fn check(
        &self,
        statement: &Statement,
        tables: BTreeMap<String, TableData>,
        parameters: &[String],
        time: Duration,
    ) -> Result<(), SqlError> {
        let limits = Limits { time, ..Limits::default() };
        let permit = turn(&self.inner.checks, Instant::now() + time).await?;
        let permit = permit.ok_or(SqlError::Busy(CHECKED_AT_ONCE))?;
        let request = request(statement, tables, parameters, limits);
        self.plan(request, permit, Instant::now() + time).await.map(drop)
    }

    async fn start(
        &self,
        request: Request,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Running, SqlError> {
        let time = request.limits.time;
        let (planned, place) = self.plan(request, permit, deadline).await?;
        Ok(Running::start(self.inner.threads.handle()?, planned, place, deadline, time))
    }

    /// Plans a query on the engine's threads. Its place stays with the work, which may go on for a moment when nobody
    /// waits for it any more.
    async fn plan(
        &self,
        request: Request,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<(Planned, Place), SqlError> {
        let time = request.limits.time;
        // A plan that is made at once would come before the time is looked at.
        if Instant::now() >= deadline {
            return Err(SqlError::TimedOut(time));
        }
        let cancel = Cancel::default();
        let place =
            Place { _permit: permit, _watching: self.inner.watch.as_ref().map(|watch| watch.over(&cancel)) };
        let own = cancel.clone();
        let shared = self.inner.shared.clone();
        let threads = self.inner.threads.handle()?;
        let mut planning =
            Abort(threads.spawn(async move { (plan::plan(&shared, request, own).await, place) }));
        let planned = tokio::time::timeout_at(deadline, &mut planning.0);
        tokio::select! {
            planned = planned => match planned {
                Err(_) => Err(SqlError::TimedOut(time)),
                Ok(Err(error)) => Err(ended(&error)),
                Ok(Ok((planned, place))) => Ok((planned?, place)),
            },
            why = cancel.ended() => Err(why),
        }
    }
}

/// A query's place among those that run, and in the eyes of who watches their memory. It goes with the query's work.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _watching: Option<Watching>,
}

fn request(
    statement: &Statement,
    tables: BTreeMap<String, TableData>,
    parameters: &[String],
    limits: Limits,
) -> Request {
    Request { statement: statement.clone(), tables, parameters: parameters.to_vec(), limits }
}

/// Waits for a place; none if that takes until the deadline.
async fn turn(places: &Arc<Semaphore>, deadline: Instant) -> Result<Option<OwnedSemaphorePermit>, SqlError> {
    match tokio::time::timeout_at(deadline, Arc::clone(places).acquire_owned()).await {
        Err(_) => Ok(None),
        Ok(permit) => permit.map(Some).map_err(|_| SqlError::Cancelled),
    }
}

/// A task that ends when nobody waits for it any more.
struct Abort<T>(JoinHandle<T>);

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
