//! Checking one log file against its digest.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use flate2::bufread::GzDecoder;

use super::report::FindingKind;
use crate::store::{LogReader, StoreError};

/// Files of up to so many compressed bytes are hashed where they were read: to hand one to another thread costs
/// more than that.
const INLINE_BYTES: usize = 16 << 10;
/// Decompressed bytes that are hashed at once.
const PIECE_BYTES: usize = 16 << 10;

/// How a log file is.
pub(crate) enum LogCheck {
    /// As its digest says; with its size before compression.
    Valid(u64),
    /// Not so.
    Fault(FindingKind, String),
}

/// Reads a log file, decompresses it and compares its hash with the one in its digest.
pub(crate) async fn check(reader: &dyn LogReader, bucket: &str, key: &str, sha256: &str) -> LogCheck {
    let body = match reader.get(bucket, key).await {
        Ok(file) => file.body,
        Err(StoreError::NoSuchKey | StoreError::NoSuchBucket) => {
            return LogCheck::Fault(FindingKind::LogMissing, "the log file does not exist".to_owned());
        }
        Err(error) => return LogCheck::Fault(FindingKind::Unreadable, error.to_string()),
    };
    if body.len() <= INLINE_BYTES {
        return compare(&body, sha256);
    }
    let sha256 = sha256.to_owned();
    let hashed = tokio::task::spawn_blocking(move || compare(&body, &sha256)).await;
    hashed.unwrap_or_else(|e| LogCheck::Fault(FindingKind::Unreadable, e.to_string()))
}

fn compare(body: &Bytes, expected: &str) -> LogCheck {
    match hash(body) {
        Ok((_, _, rest)) if rest > 0 => LogCheck::Fault(
            FindingKind::LogTrailingData,
            format!("{rest} bytes after the end of the compressed stream"),
        ),
        Ok((found, bytes, _)) if found == expected => LogCheck::Valid(bytes),
        Ok((found, ..)) => {
            LogCheck::Fault(FindingKind::LogModified, format!("its hash is {found}, not {expected}"))
        }
        Err(error) => LogCheck::Fault(FindingKind::LogInvalid, format!("it is not a gzip file: {error}")),
    }
}

/// Hash and size of the decompressed bytes, and how many bytes follow the compressed stream.
fn hash(body: &[u8]) -> io::Result<(String, u64, usize)> {
    let mut decoder = GzDecoder::new(body);
    let mut context = Context::new(&SHA256);
    let mut buffer = [0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        let read = decoder.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        context.update(&buffer[..read]);
    }
    Ok((hex::encode(context.finish()), bytes, decoder.get_ref().len()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn a_changed_file_is_told_from_a_broken_one() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{\"Records\":[]}").unwrap();
        let body = encoder.finish().unwrap();
        let good = crate::delivery::sha256_hex(b"{\"Records\":[]}");
        assert!(matches!(compare(&body.clone().into(), &good), LogCheck::Valid(14)));
        let fault = |body: Vec<u8>, hash: &str| match compare(&body.into(), hash) {
            LogCheck::Fault(kind, _) => kind,
            LogCheck::Valid(_) => panic!("valid"),
        };
        assert_eq!(fault(body.clone(), "00"), FindingKind::LogModified);
        assert_eq!(fault([&body[..], b"x"].concat(), &good), FindingKind::LogTrailingData);
        assert_eq!(fault(body[..body.len() - 6].to_vec(), &good), FindingKind::LogInvalid);
        assert_eq!(fault(b"plain".to_vec(), &good), FindingKind::LogInvalid);
    }
}
