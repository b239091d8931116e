//! CloudTrail's log files: in a folder, which a peer reads, and the same in a bucket, which is imported.

use std::{
    cell::RefCell,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use flate2::{Compression, write::GzEncoder};
use http::Method;

use crate::{
    client::{Access, Ask, Connection},
    error::BenchError,
    events::{BATCH, Events},
    process::ACCOUNT,
    real_events::RealEvents,
};

/// Connections that put them into the bucket.
const CONNECTIONS: usize = 4;

/// What was written.
pub(super) struct Logs {
    pub(super) folder: PathBuf,
    /// Names, which are those in the folder and the keys in the bucket.
    pub(super) names: Vec<String>,
    pub(super) json_bytes: u64,
    pub(super) gzip_bytes: u64,
}

/// Writes a file for each upload's worth of events, on all processors.
pub(super) fn write(folder: &Path, events: &RealEvents, uploads: u64) -> Result<Logs, BenchError> {
    std::fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
    let threads = std::thread::available_parallelism()?.get() as u64;
    let (json, gzip) = (AtomicU64::new(0), AtomicU64::new(0));
    let part = |first: u64| -> Result<(), BenchError> {
        let mut text = Vec::new();
        for upload in (first..uploads).step_by(threads as usize) {
            events.upload(upload, &mut text);
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(&text)?;
            let packed = packed.finish()?;
            let path = folder.join(name(events, upload));
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(BenchError::file(parent))?;
            }
            std::fs::write(&path, &packed).map_err(BenchError::file(&path))?;
            json.fetch_add(text.len() as u64, Ordering::Relaxed);
            gzip.fetch_add(packed.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        running.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| BenchError::Wrong("writing log files failed".to_owned()))?
        })
    })?;
    Ok(Logs {
        folder: folder.to_owned(),
        names: (0..uploads).map(|upload| name(events, upload)).collect(),
        json_bytes: json.into_inner(),
        gzip_bytes: gzip.into_inner(),
    })
}

fn name(events: &RealEvents, upload: u64) -> String {
    let time = events.time(upload * BATCH);
    format!(
        "AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{}/{ACCOUNT}_CloudTrail_us-east-1_{}_{upload:016}.json.gz",
        time.format("%Y/%m/%d"),
        time.format("%Y%m%dT%H%MZ")
    )
}

impl Logs {
    /// Puts them into a new bucket.
    pub(super) async fn put(&self, access: &Access, bucket: &str) -> Result<(), BenchError> {
        access.connect().await?.ask(Ask::s3(Method::PUT, &format!("/{bucket}"), "")).await?;
        let names = RefCell::new(self.names.iter());
        let worker = |mut connection: Connection| {
            let names = &names;
            async move {
                loop {
                    let Some(name) = names.borrow_mut().next() else { return Ok::<_, BenchError>(()) };
                    let path = self.folder.join(name);
                    let body = std::fs::read(&path).map_err(BenchError::file(&path))?;
                    connection.ask(Ask::s3(Method::PUT, &format!("/{bucket}/{name}"), body)).await?;
                }
            }
        };
        let open = access.connections(CONNECTIONS).await?;
        futures::future::try_join_all(open.into_iter().map(worker)).await.map(drop)
    }
}
