//! Starts a worker again that panicked: a fault of one call of its must not end its work unnoticed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The pause before that: a fault that comes back each time is then neither busy nor loud.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);

/// Has a worker work until it ends in good order, which it does when it is told to stop.
pub(crate) async fn and_again<F>(
    worker: &'static str,
    pause: Duration,
    stop: CancellationToken,
    work: impl Fn(CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work(stop.clone())).await {
        metrics::counter!("opentrail_worker_panics_total", "worker" => worker).increment(1);
        tracing::error!(worker, %error, "a worker ended badly; it is started again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        time::Duration,
    };

    use tokio_util::sync::CancellationToken;

    use super::and_again;

    #[tokio::test]
    async fn a_worker_that_panics_is_started_again_until_it_is_stopped() {
        let (starts, stop) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let counted = starts.clone();
        let work = move |stop: CancellationToken| {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(start >= 2, "the worker's fault");
                stop.cancelled().await;
            }
        };
        let working = tokio::spawn(and_again("worker", Duration::from_millis(1), stop.clone(), work));
        while starts.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!working.is_finished());
        stop.cancel();
        working.await.expect("it ends in good order");
        assert_eq!(starts.load(Ordering::Relaxed), 3);
    }
}
