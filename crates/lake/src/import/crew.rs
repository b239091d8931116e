//! The threads that unpack, read and encode.
//!
//! They are few, and nicer than those that serve: what imports leave is all that they take.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tokio::sync::oneshot;

use crate::error::LakeError;

/// How much these threads give way to others, from 0 (not at all) to 19.
const NICENESS: i32 = 10;
/// Threads at most, however many processors there are.
const MAX_THREADS: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// Some threads that do what they are given, in its order.
#[derive(Clone)]
pub(crate) struct Crew {
    jobs: mpsc::Sender<Job>,
    size: usize,
}

impl Crew {
    /// As many threads as there are processors, up to a limit. They end with the last handle.
    pub(crate) fn new() -> Result<Self, std::io::Error> {
        let size = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..size {
            let waiting = waiting.clone();
            thread::Builder::new().name(format!("import-{number}")).spawn(move || work(&waiting))?;
        }
        Ok(Self { jobs, size })
    }

    /// How many there are.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Has somebody do it. What waits is for the caller to bound.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LakeError> {
        let (done, waits) = oneshot::channel();
        let job = move || drop(done.send(job()));
        self.jobs.send(Box::new(job)).map_err(|_| LakeError::Interrupted)?;
        waits.await.map_err(|_| LakeError::Interrupted)
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    give_way();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Who waits for it hears of it; the next job is none the worse.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job of an import ended badly");
        }
    }
}

/// A system that does not let a thread be nice serves all alike.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "imports have the same priority as everything else");
    }
}

#[cfg(test)]
mod tests {
    use super::Crew;

    #[tokio::test]
    async fn a_job_that_panics_ends_alone() {
        let crew = Crew::new().expect("threads");
        for _ in 0..20 {
            assert!(crew.run(|| panic!("the job's fault")).await.is_err());
        }
        assert_eq!(crew.run(|| 6 * 7).await.expect("an answer"), 42);
        assert!(crew.size() > 0);
    }
}
