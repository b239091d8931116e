//! The results of a query on their way into a bucket: gzip files of CSV, and the sign file last.

use std::{io::Write, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use opentrail_lake::{
    LakeError,
    query::{DeliveryStatus, Destination, Outcome, Query, RowReader},
};
use opentrail_trails::{LogStore, PutFile, StoreError};

use super::{
    Queries, blocking, csv,
    sign_file::{self, ResultFile},
};

/// Bytes of CSV after which another file begins: a file is in memory as a whole.
const FILE_BYTES: usize = 128 << 20;
/// Tries of one file, for a bucket that is away for a moment.
const TRIES: u32 = 5;
/// The first pause between them; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// For whom what is written where.
struct Errand<'a> {
    query: &'a Query,
    destination: &'a Destination,
    /// What stands before the files' names.
    folder: String,
    /// `aws:SourceArn`: the event data store.
    store: &'a str,
}

/// Delivers all rows of a query that finished, in files of at most [`FILE_BYTES`] before compression, each with the
/// names of the columns; then the sign file.
pub(super) async fn deliver(queries: &Queries, query: &Query, outcome: &Outcome) -> DeliveryStatus {
    let Some(destination) = &query.destination else { return DeliveryStatus::Success };
    let delivered = outcome.ended;
    let folder = destination.folder(query.account, query.id, delivered);
    let store = query.stores.first().map_or("", String::as_str);
    let errand = Errand { query, destination, folder, store };
    if !queries.inner.buckets.takes_files_of(destination.bucket(), query.account) {
        return DeliveryStatus::AccessDenied;
    }
    let files = match results(queries, &errand, outcome).await {
        Ok(files) => files,
        Err(failure) => {
            tracing::warn!(query = %query.id, %failure, "the results of a query can't be delivered");
            return failure.of_results();
        }
    };
    match sign(queries, &errand, &files, Utc::now()).await {
        Ok(()) => DeliveryStatus::Success,
        Err(failure) => {
            tracing::warn!(query = %query.id, %failure, "the sign file of a query can't be delivered");
            failure.of_sign_file()
        }
    }
}

/// Why something was not delivered.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(StoreError),
    /// Of no interest to callers; it is in the log.
    #[error("{0}")]
    Ours(String),
}

impl Failure {
    fn is_denial(&self) -> bool {
        use StoreError::{AccessDenied, InsufficientPolicy, Key};
        matches!(self, Self::Store(AccessDenied | InsufficientPolicy | Key { .. }))
    }

    fn of_results(&self) -> DeliveryStatus {
        match self {
            Self::Store(StoreError::NoSuchBucket) => DeliveryStatus::ResourceNotFound,
            _ if self.is_denial() => DeliveryStatus::AccessDenied,
            _ => DeliveryStatus::Failed,
        }
    }

    fn of_sign_file(&self) -> DeliveryStatus {
        match self {
            Self::Store(StoreError::NoSuchBucket) => DeliveryStatus::ResourceNotFound,
            _ if self.is_denial() => DeliveryStatus::AccessDeniedSigningFile,
            _ => DeliveryStatus::FailedSigningFile,
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        Self::Ours(error.to_string())
    }
}

async fn results(
    queries: &Queries,
    errand: &Errand<'_>,
    outcome: &Outcome,
) -> Result<Vec<ResultFile>, Failure> {
    let (shelf, id) = (queries.shelf().clone(), errand.query.id);
    let seal = queries.seal(&outcome.sealed).await.map_err(|refusal| Failure::Ours(refusal.to_string()))?;
    let mut reader = blocking(move || shelf.rows(id, seal.as_ref())).await?;
    let (mut files, mut block) = (Vec::new(), 0);
    // A result without rows is a file with the names of the columns: AWS's clients refuse a sign file that lists none.
    while files.is_empty() || block < reader.blocks() {
        let columns = outcome.columns.clone();
        let (body, next, read) = blocking(move || {
            let (body, next) = one_file(&reader, &columns, block)?;
            Ok((body, next, reader))
        })
        .await?;
        (block, reader) = (next, read);
        let name = format!("result_{}.csv.gz", files.len() + 1);
        let file_hash_value = sign_file::hex(digest(&SHA256, &body).as_ref());
        put(queries, errand, &name, "application/gzip", body).await?;
        files.push(ResultFile { file_hash_value, file_name: name });
    }
    Ok(files)
}

/// A file with the rows from a block on, and the block after it. The same rows give the same bytes.
fn one_file(reader: &RowReader, columns: &[String], first: u64) -> Result<(Bytes, u64), LakeError> {
    let mut file: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    let mut text = Vec::new();
    csv::header(&mut text, columns);
    let (mut block, mut written) = (first, 0);
    let compressed = |error| LakeError::Disk { path: "result.csv.gz".into(), source: error };
    while block < reader.blocks() && written < FILE_BYTES {
        for row in reader.block(block)? {
            csv::row(&mut text, &row);
        }
        file.write_all(&text).map_err(compressed)?;
        written += text.len();
        text.clear();
        block += 1;
    }
    file.write_all(&text).map_err(compressed)?;
    Ok((file.finish().map_err(compressed)?.into(), block))
}

async fn sign(
    queries: &Queries,
    errand: &Errand<'_>,
    files: &[ResultFile],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let region = &errand.query.region;
    let ours = |error: opentrail_keyring::KeyringError| Failure::Ours(error.to_string());
    let key = queries.inner.keyring.signing_key(region, now).await.map_err(ours)?;
    let text = sign_file::signed(files, region, now, &key).map_err(ours)?;
    put(queries, errand, sign_file::NAME, "application/json", text.into()).await
}

async fn put(
    queries: &Queries,
    errand: &Errand<'_>,
    name: &str,
    content_type: &str,
    body: Bytes,
) -> Result<(), Failure> {
    let key = format!("{}{name}", errand.folder);
    let file = PutFile {
        bucket: errand.destination.bucket(),
        key: &key,
        body,
        metadata: &[],
        content_type,
        // It is delivered compressed and stays so: its hash is that of what is there.
        content_encoding: "",
        trail_arn: errand.store,
        account: errand.query.account,
        kms_key: None,
    };
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match queries.inner.buckets.put(file.clone()).await {
            Err(StoreError::Unavailable { .. } | StoreError::Full) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done.map_err(Failure::Store),
        }
    }
    queries.inner.buckets.put(file).await.map_err(Failure::Store)
}
