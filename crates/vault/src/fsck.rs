//! Checking the store against itself: index, blobs and buckets.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::Duration,
};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use crate::{
    Bucket, Vault, VaultError,
    fact::BucketId,
    follow::blocking,
    get::{inline_bytes, parts_of},
    id::{BlobId, UploadId},
    lookup,
    multipart::PartRecord,
    object::{Body, Version},
    replication::backlog,
    tables::{CURRENT, CurrentRow, FILES, IDS, INLINE, PARTS, UPLOADS, VERSIONS, decode_row, encode_row},
};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The bytes of a version are damaged or gone.
    DamagedVersion {
        /// The bucket's name, or its number where no bucket has it.
        bucket: String,
        /// The key.
        key: String,
        /// The version.
        version_id: String,
        /// What was found.
        problem: String,
    },
    /// The bytes of a part of an upload in progress are damaged or gone.
    DamagedPart {
        /// The upload.
        upload_id: UploadId,
        /// The part.
        part_number: u16,
        /// What was found.
        problem: String,
    },
    /// A version belongs to no bucket.
    NoBucket {
        /// The bucket's number.
        bucket: u64,
        /// The key.
        key: String,
    },
    /// Two rows of the index do not agree.
    IndexDisagrees {
        /// Which rows.
        place: String,
    },
    /// A blob that nobody refers to.
    Orphan {
        /// Its name.
        blob: String,
    },
    /// Parts that belong to no upload and to no object.
    OrphanParts {
        /// The upload they were of.
        upload_id: UploadId,
    },
    /// A file in the folder of blobs that is not ours.
    Stranger {
        /// Where.
        path: PathBuf,
    },
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Versions and delete markers checked.
    pub versions: u64,
    /// Bytes of objects and parts read and verified.
    pub bytes: u64,
    /// What is not as it should be; empty where all is well.
    pub findings: Vec<Finding>,
}

/// How long what looks wrong is given to turn out as work that was under way.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Bytes that were not as they should be at the first look.
struct Suspect {
    bucket: BucketId,
    key: String,
    body: Body,
    finding: Finding,
}

/// What the rows of the index, as they were at one moment, lead to.
struct FirstLook<'a> {
    vault: &'a Vault,
    read: &'a ReadTransaction,
    names: HashMap<BucketId, String>,
    report: FsckReport,
    suspects: Vec<Suspect>,
    files: HashSet<BlobId>,
    inline: HashSet<u128>,
    uploads: HashSet<u128>,
}

impl Vault {
    /// Checks everything against everything: each version's bytes against their checksum, the rows of the index
    /// against each other, each blob against the index. It reads every byte. Calls may go on meanwhile; what they
    /// change is not reported.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`], [`VaultError::Io`].
    pub async fn fsck(&self) -> Result<FsckReport, VaultError> {
        let _swept = self.inner.sweeping.lock().await;
        let vault = self.clone();
        let look = blocking(move || {
            let (mut report, suspects, files) =
                vault.inner.index.read(|read| FirstLook::of(&vault, read).run())?;
            let orphans = blobs_on_disk(&vault, &files, &mut report)?;
            Ok((report, suspects, orphans))
        });
        let (mut report, suspects, orphans) = look.await?;
        if suspects.is_empty() && orphans.is_empty() {
            return Ok(report);
        }
        tokio::time::sleep(SECOND_LOOK).await;
        let vault = self.clone();
        blocking(move || {
            for suspect in suspects {
                if still_there(&vault, &suspect)? {
                    report.findings.push(suspect.finding);
                }
            }
            for blob in orphans {
                if is_orphan(&vault, blob)? && vault.inner.blobs.exists(blob)? {
                    report.findings.push(Finding::Orphan { blob: blob.to_string() });
                }
            }
            Ok(report)
        })
        .await
    }
}

/// Blobs that nothing refers to; files that are not ours are reported at once.
fn blobs_on_disk(
    vault: &Vault,
    files: &HashSet<BlobId>,
    report: &mut FsckReport,
) -> Result<Vec<BlobId>, VaultError> {
    let mut orphans = Vec::new();
    for shard in 0..=u8::MAX {
        let (blobs, strangers) = vault.inner.blobs.list(shard)?;
        for blob in blobs {
            if !files.contains(&blob) && is_orphan(vault, blob)? {
                orphans.push(blob);
            }
        }
        report.findings.extend(strangers.into_iter().map(|path| Finding::Stranger { path }));
    }
    Ok(orphans)
}

fn is_orphan(vault: &Vault, blob: BlobId) -> Result<bool, VaultError> {
    Ok(!vault.inner.blobs.is_in_use(blob) && !vault.inner.index.refers_to(blob)?)
}

/// Whether the index still leads to the bytes that were damaged.
fn still_there(vault: &Vault, suspect: &Suspect) -> Result<bool, VaultError> {
    vault.inner.index.read(|read| {
        Ok(match &suspect.finding {
            Finding::DamagedVersion { version_id, .. } => {
                match lookup::by_id(read, suspect.bucket, &suspect.key, version_id)? {
                    Some(Version::Object(meta)) => meta.body == suspect.body,
                    _ => false,
                }
            }
            Finding::DamagedPart { upload_id, part_number, .. } => parts_of(read, *upload_id)?
                .iter()
                .any(|(number, part)| number == part_number && part.body == suspect.body),
            _ => true,
        })
    })
}

impl<'a> FirstLook<'a> {
    fn of(vault: &'a Vault, read: &'a ReadTransaction) -> Self {
        let buckets = vault.inner.state.list::<Bucket>("");
        Self {
            vault,
            read,
            names: buckets.into_iter().map(|(name, bucket)| (bucket.id, name)).collect(),
            report: FsckReport::default(),
            suspects: Vec::new(),
            files: HashSet::new(),
            inline: HashSet::new(),
            uploads: HashSet::new(),
        }
    }

    fn run(mut self) -> Result<(FsckReport, Vec<Suspect>, HashSet<BlobId>), VaultError> {
        self.versions()?;
        self.uploads()?;
        self.rows_without_owner()?;
        Ok((self.report, self.suspects, self.files))
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    fn versions(&mut self) -> Result<(), VaultError> {
        let table = self.read.open_table(VERSIONS)?;
        let ids = self.read.open_table(IDS)?;
        let mut newest: Option<(BucketId, Vec<u8>)> = None;
        let mut open_copies = 0;
        for row in table.iter()? {
            let (place, value) = row?;
            let (bucket, bytes, age) = place.value();
            let key = String::from_utf8_lossy(bytes).into_owned();
            let version: Version = decode_row(value.value())?;
            self.report.versions += 1;
            open_copies += version.replication().map_or(0, |progress| progress.open().count() as u64);
            if !self.names.contains_key(&bucket) {
                self.find(Finding::NoBucket { bucket, key: key.clone() });
            }
            let id = ids.get((bucket, bytes, version.id().as_bytes()))?.map(|age| age.value());
            if id != Some(age) {
                self.find(Finding::IndexDisagrees { place: format!("version {} of {key:?}", version.id()) });
            }
            if newest.as_ref().is_none_or(|(of, seen)| *of != bucket || seen != bytes) {
                self.current(bucket, bytes, &version)?;
                newest = Some((bucket, bytes.to_vec()));
            }
            if let Version::Object(meta) = version
                && let Err(problem) = self.body(&meta.body, meta.size)
            {
                let name = self.names.get(&bucket).cloned().unwrap_or_else(|| bucket.to_string());
                let problem = problem.to_string();
                let finding = Finding::DamagedVersion {
                    bucket: name,
                    key: key.clone(),
                    version_id: meta.version_id,
                    problem,
                };
                self.suspects.push(Suspect { bucket, key, body: meta.body, finding });
            }
        }
        if backlog(self.read)?.0 != open_copies {
            self.find(Finding::IndexDisagrees { place: "versions that are to be copied".to_owned() });
        }
        if self.report.versions != ids.len()? {
            self.find(Finding::IndexDisagrees { place: "ids without versions".to_owned() });
        }
        Ok(())
    }

    /// Whether the listing shows what the newest version is.
    fn current(&mut self, bucket: BucketId, key: &[u8], newest: &Version) -> Result<(), VaultError> {
        let table = self.read.open_table(CURRENT)?;
        let shown = table.get((bucket, key))?.map(|row| row.value().to_vec());
        let right = match newest {
            Version::Object(meta) => Some(encode_row(&CurrentRow::of(meta))?),
            Version::DeleteMarker(_) => None,
        };
        if shown != right {
            let key = String::from_utf8_lossy(key);
            self.find(Finding::IndexDisagrees { place: format!("listing of {key:?}") });
        }
        Ok(())
    }

    fn body(&mut self, body: &Body, size: u64) -> Result<(), VaultError> {
        match body {
            Body::Empty => return Ok(()),
            Body::Inline { blob, crc32c, .. } => {
                self.inline.insert(blob.0);
                inline_bytes(self.read, *blob, *crc32c)?;
            }
            Body::File(blob) => {
                self.files.insert(blob.id);
                self.vault.inner.blobs.verify(blob)?;
            }
            Body::Packed { stored, frames } => return self.body(stored, frames.stored_len()),
            Body::Parts { upload, .. } => {
                self.uploads.insert(upload.0);
                for (_, part) in parts_of(self.read, *upload)? {
                    self.body(&part.body, part.size)?;
                }
                return Ok(());
            }
        }
        self.report.bytes += size;
        Ok(())
    }

    fn uploads(&mut self) -> Result<(), VaultError> {
        let table = self.read.open_table(UPLOADS)?;
        for row in table.iter()? {
            let (place, _) = row?;
            let (bucket, key, upload) = place.value();
            let (key, upload_id) = (String::from_utf8_lossy(key).into_owned(), UploadId(upload));
            self.uploads.insert(upload);
            for (part_number, PartRecord { body, size, .. }) in parts_of(self.read, upload_id)? {
                if let Err(problem) = self.body(&body, size) {
                    let problem = problem.to_string();
                    let finding = Finding::DamagedPart { upload_id, part_number, problem };
                    self.suspects.push(Suspect { bucket, key: key.clone(), body, finding });
                }
            }
        }
        Ok(())
    }

    fn rows_without_owner(&mut self) -> Result<(), VaultError> {
        let mut orphans = HashSet::new();
        for row in self.read.open_table(PARTS)?.iter()? {
            let (upload, _) = row?.0.value();
            if !self.uploads.contains(&upload) && orphans.insert(upload) {
                self.find(Finding::OrphanParts { upload_id: UploadId(upload) });
            }
        }
        for row in self.read.open_table(INLINE)?.iter()? {
            let blob = row?.0.value();
            if !self.inline.contains(&blob) {
                self.find(Finding::Orphan { blob: BlobId(blob).to_string() });
            }
        }
        for row in self.read.open_table(FILES)?.iter()? {
            let blob = BlobId(row?.0.value());
            if !self.files.contains(&blob) {
                self.find(Finding::IndexDisagrees { place: format!("file {blob}") });
            }
        }
        Ok(())
    }
}
