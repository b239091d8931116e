//! What a trail has delivered, read back over S3.

use std::io::Read;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use opentrail_event::{Event, split_records};
use opentrail_trails::{
    LogReader,
    store::external::{External, ExternalOptions},
};

use crate::{
    error::{BenchError, check},
    events::Events,
    process::Server,
    trail::BUCKET,
};

/// Files that are read at once.
const AT_ONCE: usize = 4;

/// A trail's bucket.
pub(crate) struct Bucket(External);

/// A log file or digest in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) written: Option<DateTime<Utc>>,
}

/// What log files hold.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// Of the run's events, those that are there; by number.
    pub(crate) seen: Vec<bool>,
    pub(crate) count: u64,
    /// Records of other calls, such as those that made the trail.
    pub(crate) others: u64,
    /// When the last file with events of the run was written, to the second.
    pub(crate) last: Option<DateTime<Utc>>,
}

impl Bucket {
    pub(crate) fn of(server: &Server) -> Self {
        Self(External::new(ExternalOptions {
            endpoint: Some(server.endpoint()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(server.credentials()),
            ..ExternalOptions::default()
        }))
    }

    /// The files whose keys hold a text: `/CloudTrail/` for log files, `/CloudTrail-Digest/` for digests.
    pub(crate) async fn files(&self, infix: &str) -> Result<Vec<File>, BenchError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.0.list(BUCKET, "AWSLogs/", after.as_deref()).await?;
            after = page.files.last().map(|file| file.key.clone());
            let wanted = page.files.into_iter().filter(|file| file.key.contains(infix));
            found.extend(wanted.map(|file| File { key: file.key, bytes: file.size, written: file.modified }));
            if !page.more || after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Reads log files and checks every record of the run: known, not seen before, byte for byte as sent.
    pub(crate) async fn read(
        &self,
        files: &[File],
        events: &dyn Events,
        sent: u64,
    ) -> Result<Delivered, BenchError> {
        let mut delivered = Delivered { seen: vec![false; sent as usize], ..Delivered::default() };
        let reads = files.iter().map(|file| async move {
            let body = self.0.get(BUCKET, &file.key).await?.body;
            Ok::<_, BenchError>((file, unpack(body)?))
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some(read) = reads.next().await {
            let (file, text) = read?;
            delivered.add(file, text, events)?;
        }
        Ok(delivered)
    }
}

impl Delivered {
    fn add(&mut self, file: &File, text: Bytes, events: &dyn Events) -> Result<(), BenchError> {
        let before = self.count;
        for raw in split_records(text) {
            let raw = raw.map_err(|error| BenchError::Wrong(format!("{}: {}", file.key, error.reason)))?;
            let event = Event::parse(raw.clone())
                .map_err(|error| BenchError::Wrong(format!("{}: {error}", file.key)))?;
            let Some(number) = events.number(event.id()) else {
                self.others += 1;
                continue;
            };
            let seen = self.seen.get_mut(number as usize).ok_or_else(|| {
                BenchError::Wrong(format!("{} was delivered and not acknowledged", event.id()))
            })?;
            check(!*seen, || format!("{} was delivered twice", event.id()))?;
            *seen = true;
            self.count += 1;
            check(raw == events.record(number), || {
                format!("{} was not delivered as it was sent", event.id())
            })?;
        }
        if self.count > before {
            self.last = self.last.max(file.written);
        }
        Ok(())
    }
}

fn unpack(body: Bytes) -> Result<Bytes, BenchError> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body);
    }
    let mut text = Vec::with_capacity(body.len() * 10);
    MultiGzDecoder::new(&body[..]).read_to_end(&mut text)?;
    Ok(text.into())
}
