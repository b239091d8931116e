//! What is imported: files, folders, buckets.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use opentrail_trails::{LogReader, StoreError};

/// The largest file, unpacked.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Names of files that hold records.
const ENDINGS: &[&str] = &[".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"];

/// Where records come from, as it stands on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file or a folder.
    Local(PathBuf),
    /// `s3://BUCKET/PREFIX`
    Bucket {
        /// The bucket.
        bucket: String,
        /// The prefix of the keys.
        prefix: String,
    },
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let Some(rest) = text.strip_prefix("s3://") else { return Ok(Self::Local(text.into())) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(SourceError::NoBucket);
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Why a source can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// `s3://` without a name.
    #[error("write s3://BUCKET or s3://BUCKET/PREFIX")]
    NoBucket,
    /// The file system refuses.
    #[error("{}: {cause}", path.display())]
    Local {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The bucket refuses.
    #[error("s3://{bucket}/{key}: {cause}")]
    Bucket {
        /// Which.
        bucket: String,
        /// The key, or the prefix.
        key: String,
        /// Why.
        cause: StoreError,
    },
    /// The file is no whole gzip.
    #[error("it is not whole gzip: {0}")]
    Gzip(io::Error),
    /// The file is too large.
    #[error("it unpacks to more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
}

/// One file to import.
pub(crate) enum Item {
    Local { path: PathBuf, size: u64 },
    Object { bucket: String, key: String, size: u64 },
}

impl Source {
    /// The files of this source. A file named on the command line is taken whatever its name; in folders and
    /// buckets only log files are, not digests.
    pub(super) async fn items(&self, remote: &dyn LogReader) -> Result<Vec<Item>, SourceError> {
        match self {
            Self::Local(path) => {
                let mut items = Vec::new();
                walk(path, true, &mut items)
                    .map_err(|cause| SourceError::Local { path: path.clone(), cause })?;
                Ok(items)
            }
            Self::Bucket { bucket, prefix } => {
                let files = opentrail_trails::store::list_all(remote, bucket, prefix, None).await;
                let files = files.map_err(|cause| SourceError::Bucket {
                    bucket: bucket.clone(),
                    key: prefix.clone(),
                    cause,
                })?;
                let logs = files.into_iter().filter(|file| holds_records(&file.key));
                Ok(logs
                    .map(|file| Item::Object { bucket: bucket.clone(), key: file.key, size: file.size })
                    .collect())
            }
        }
    }
}

fn walk(path: &Path, named: bool, items: &mut Vec<Item>) -> io::Result<()> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        let mut members: Vec<_> =
            std::fs::read_dir(path)?.map(|member| Ok(member?.path())).collect::<io::Result<_>>()?;
        members.sort();
        return members.iter().try_for_each(|member| walk(member, false, items));
    }
    if named || holds_records(&path.to_string_lossy()) {
        items.push(Item::Local { path: path.to_owned(), size: about.len() });
    }
    Ok(())
}

pub(crate) fn holds_records(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        && !name.contains("/CloudTrail-Digest/")
        && !name.contains("_CloudTrail-Digest_")
}

impl Item {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Local { path, .. } => path.display().to_string(),
            Self::Object { bucket, key, .. } => format!("s3://{bucket}/{key}"),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Local { size, .. } | Self::Object { size, .. } => *size,
        }
    }

    /// The records' text, unpacked.
    pub(crate) async fn read(&self, remote: &dyn LogReader) -> Result<Bytes, SourceError> {
        let packed = match self {
            Self::Local { path, .. } => tokio::fs::read(path)
                .await
                .map(Bytes::from)
                .map_err(|cause| SourceError::Local { path: path.clone(), cause })?,
            Self::Object { bucket, key, .. } => {
                let stored = remote.get(bucket, key).await.map_err(|cause| SourceError::Bucket {
                    bucket: bucket.clone(),
                    key: key.clone(),
                    cause,
                })?;
                stored.body
            }
        };
        unpack(packed)
    }
}

fn unpack(bytes: Bytes) -> Result<Bytes, SourceError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::with_capacity(bytes.len().saturating_mul(8).min(64 << 20));
    MultiGzDecoder::new(&bytes[..])
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut unpacked)
        .map_err(SourceError::Gzip)?;
    if unpacked.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge);
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use super::{Source, holds_records};

    #[test]
    fn sources_are_paths_or_buckets() {
        assert_eq!("logs/".parse::<Source>().unwrap(), Source::Local("logs/".into()));
        let bucket = Source::Bucket { bucket: "b".into(), prefix: "AWSLogs/".into() };
        assert_eq!("s3://b/AWSLogs/".parse::<Source>().unwrap(), bucket);
        assert!("s3:///x".parse::<Source>().is_err());
    }

    #[test]
    fn digests_are_not_imported() {
        assert!(holds_records("AWSLogs/1/CloudTrail/eu-west-1/a.json.gz"));
        assert!(!holds_records("AWSLogs/1/CloudTrail-Digest/eu-west-1/a.json.gz"));
        assert!(!holds_records("notes.txt"));
    }
}
