//! Checking the store against itself: index, blobs and buckets.

use std::{collections::HashSet, path::PathBuf};

use redb::{ReadTransaction, ReadableTable};

use crate::{
    Bucket, Vault, VaultError,
    fact::BucketId,
    follow::blocking,
    get::{inline_bytes, parts_of},
    id::{BlobId, UploadId},
    multipart::PartRecord,
    object::{Body, Version},
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

struct Check<'a> {
    vault: &'a Vault,
    read: &'a ReadTransaction,
    names: std::collections::HashMap<BucketId, String>,
    report: FsckReport,
    files: HashSet<BlobId>,
    inline: HashSet<u128>,
    uploads: HashSet<u128>,
}

impl Vault {
    /// Checks everything against everything: each version's bytes against their checksum, the rows of the index
    /// against each other, each blob against the index. It reads every byte; writes may go on meanwhile, and
    /// what they change at that moment is looked at as it was when the check began, blobs removed meanwhile
    /// excepted. For a verdict, check a store at rest.
    ///
    /// # Errors
    /// [`VaultError::IndexUnavailable`], [`VaultError::Index`], [`VaultError::Io`].
    pub async fn fsck(&self) -> Result<FsckReport, VaultError> {
        let vault = self.clone();
        blocking(move || vault.inner.index.read(|read| Check::of(&vault, read).run())).await
    }
}

impl<'a> Check<'a> {
    fn of(vault: &'a Vault, read: &'a ReadTransaction) -> Self {
        let buckets = vault.inner.state.list::<Bucket>("");
        Self {
            vault,
            read,
            names: buckets.into_iter().map(|(name, bucket)| (bucket.id, name)).collect(),
            report: FsckReport::default(),
            files: HashSet::new(),
            inline: HashSet::new(),
            uploads: HashSet::new(),
        }
    }

    fn run(mut self) -> Result<FsckReport, VaultError> {
        self.versions()?;
        self.uploads()?;
        self.rows_without_owner()?;
        self.blobs_on_disk()?;
        Ok(self.report)
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    fn versions(&mut self) -> Result<(), VaultError> {
        let table = self.read.open_table(VERSIONS)?;
        let ids = self.read.open_table(IDS)?;
        let mut newest: Option<(BucketId, Vec<u8>)> = None;
        let mut count = 0_u64;
        for row in table.iter()? {
            let (place, value) = row?;
            let (bucket, bytes, age) = place.value();
            let key = String::from_utf8_lossy(bytes).into_owned();
            let version: Version = decode_row(value.value())?;
            count += 1;
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
            if let Version::Object(meta) = &version
                && let Err(problem) = self.body(&meta.body, meta.size)
            {
                let bucket = self.names.get(&bucket).cloned().unwrap_or_else(|| bucket.to_string());
                let problem = problem.to_string();
                self.find(Finding::DamagedVersion {
                    bucket,
                    key,
                    version_id: meta.version_id.clone(),
                    problem,
                });
            }
        }
        self.report.versions = count;
        if count != redb::ReadableTableMetadata::len(&ids)? {
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
            Body::Inline { blob, crc32c } => {
                self.inline.insert(blob.0);
                inline_bytes(self.read, *blob, *crc32c)?;
            }
            Body::File(blob) => {
                self.files.insert(blob.id);
                self.vault.inner.blobs.verify(blob)?;
            }
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
            let (_, _, upload) = row?.0.value();
            self.uploads.insert(upload);
            for (part_number, PartRecord { body, size, .. }) in parts_of(self.read, UploadId(upload))? {
                if let Err(problem) = self.body(&body, size) {
                    let problem = problem.to_string();
                    self.find(Finding::DamagedPart { upload_id: UploadId(upload), part_number, problem });
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

    fn blobs_on_disk(&mut self) -> Result<(), VaultError> {
        for shard in 0..=u8::MAX {
            let (blobs, strangers) = self.vault.inner.blobs.list(shard)?;
            for blob in blobs {
                if !self.files.contains(&blob) && !self.vault.inner.blobs.is_in_use(blob) {
                    self.find(Finding::Orphan { blob: blob.to_string() });
                }
            }
            for path in strangers {
                self.find(Finding::Stranger { path });
            }
        }
        Ok(())
    }
}
