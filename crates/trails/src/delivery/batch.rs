//! A log file while it is being filled.

use std::{
    io::{self, Write},
    sync::Arc,
};

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use flate2::Compression;
use opentrail_event::{AccountId, Event};

use super::gzip::Gzip;
use crate::{layout::Whose, trail::Trail};

/// A file is not compressed while it is smaller: a compressor takes some 300 KB, and an organization has many accounts
/// of few events.
const UNCOMPRESSED: usize = 16 << 10;

/// Where the files of one trail for one account go, as its configuration said when a file was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) trail_arn: String,
    pub(crate) whose: Whose,
    pub(crate) bucket: String,
    pub(crate) prefix: Option<String>,
    /// The ARN of the trail's KMS key.
    pub(crate) kms_key: Option<String>,
    /// Whether digests list its files.
    pub(crate) validation: bool,
}

impl Destination {
    /// `account` is the trail's, or one of its organization.
    pub(crate) fn of(trail: &Trail, account: AccountId) -> Self {
        Self {
            trail_arn: trail.arn().to_string(),
            whose: Whose { account, organization: trail.organization.clone() },
            bucket: trail.bucket.clone(),
            prefix: trail.prefix.clone(),
            kms_key: trail.kms_key.clone(),
            validation: trail.log_file_validation,
        }
    }
}

/// A log file that takes events. What it holds is compressed, so that memory is a small part of what was read.
pub(crate) struct Batch {
    destination: Arc<Destination>,
    region: Arc<str>,
    text: Text,
    hash: Context,
    bytes: u64,
    events: u64,
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
}

/// The file's JSON so far.
enum Text {
    Plain(Vec<u8>),
    Packed(Box<Gzip>),
}

/// A closed log file.
pub(crate) struct Finished {
    pub(crate) destination: Arc<Destination>,
    pub(crate) region: Arc<str>,
    pub(crate) body: Vec<u8>,
    /// Of the JSON, in hex.
    pub(crate) sha256: String,
    pub(crate) events: u64,
    pub(crate) oldest: DateTime<Utc>,
    pub(crate) newest: DateTime<Utc>,
}

impl Batch {
    pub(crate) fn new(destination: Arc<Destination>, region: Arc<str>) -> Self {
        Self {
            destination,
            region,
            text: Text::Plain(Vec::new()),
            hash: Context::new(&SHA256),
            bytes: 0,
            events: 0,
            oldest: DateTime::<Utc>::MAX_UTC,
            newest: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Adds the event's record, byte for byte as it came.
    pub(crate) fn add(&mut self, event: &Event) -> io::Result<()> {
        let opening: &[u8] = if self.events == 0 { b"{\"Records\":[" } else { b"," };
        self.write(opening)?;
        self.write(event.raw())?;
        self.events += 1;
        self.oldest = self.oldest.min(event.time());
        self.newest = self.newest.max(event.time());
        Ok(())
    }

    /// Bytes of JSON so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes held so far, compressed where there is a compressor.
    pub(crate) fn held(&self) -> u64 {
        match &self.text {
            Text::Plain(text) => text.capacity() as u64,
            Text::Packed(encoder) => encoder.held() as u64,
        }
    }

    /// Whether it has a compressor.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.text, Text::Packed(_))
    }

    /// Closes the file.
    pub(crate) fn finish(mut self) -> io::Result<Finished> {
        self.write(b"]}")?;
        let encoder = match self.text {
            Text::Plain(text) => packed(&text)?,
            Text::Packed(encoder) => encoder,
        };
        Ok(Finished {
            destination: self.destination,
            region: self.region,
            body: encoder.finish()?,
            sha256: hex::encode(self.hash.finish()),
            events: self.events,
            oldest: self.oldest,
            newest: self.newest,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        match &mut self.text {
            Text::Packed(encoder) => encoder.write_all(bytes),
            Text::Plain(text) if text.len() + bytes.len() <= UNCOMPRESSED => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            Text::Plain(text) => {
                let mut encoder = packed(text)?;
                encoder.write_all(bytes)?;
                self.text = Text::Packed(encoder);
                Ok(())
            }
        }
    }
}

fn packed(text: &[u8]) -> io::Result<Box<Gzip>> {
    let mut encoder = Box::new(Gzip::new(Compression::fast()));
    encoder.write_all(text)?;
    Ok(encoder)
}
