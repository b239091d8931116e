//! Checking a data folder against itself, without a server and without changing it.
//!
//! What a crash leaves half-done is no damage: the next start cuts it off or does it again. So the rooms are
//! opened as a start opens them, on a disk whose changes stay in memory, and what they then have is checked.

mod records;
mod scratch;

use std::{
    collections::BTreeMap,
    fmt::Display,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::Utc;
use opentrail_event::AccountId;
use opentrail_identity::{AccessKey, Identity, IdentityError, consistency};
use opentrail_journal::{
    Journal, JournalError, JournalOptions, Seq,
    disk::{Disk, RealDisk},
};
use opentrail_keyring::{Keyring, MasterKeySource};
use opentrail_lake::{
    ingest::{self, NoKeys, TableKeys},
    store::EventDataStore,
    warehouse::Warehouse,
};
use opentrail_state::{State, StateError, StateOptions};
use opentrail_trails::{delivery, organization as followed, trail::Trail};
use opentrail_vault::{Bucket, Finding, Vault, VaultOptions};
use serde::Serialize;

use self::scratch::ScratchDisk;
use crate::{
    at_rest::{AtRest, AtRestError, Opened},
    lake_keys::KeysOfFolder,
    master_key::MasterKeyFrom,
};

/// Mode bits that would let others than its owner at a file.
const OTHERS: u32 = 0o077;

/// What a check of a data folder found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FsckReport {
    /// One report for each room, in the order in which they depend on each other.
    pub rooms: Vec<RoomReport>,
}

/// What was found in one room.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoomReport {
    /// Its name.
    pub room: &'static str,
    /// How much of what was looked at.
    pub checked: BTreeMap<&'static str, u64>,
    /// What a crash left and the next start takes care of.
    pub notes: Vec<String>,
    /// What is not as it was written, or contradicts something else.
    pub problems: Vec<String>,
}

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// There is no such folder.
    #[error("{} is not a folder", .0.display())]
    NoFolder(PathBuf),
    /// A server has the folder open.
    #[error("{} is in use: stop the server first", .0.display())]
    InUse(PathBuf),
    /// The folder can't be read.
    #[error("{path}: {cause}", path = path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The folder can't be opened with the master key that was given.
    #[error(transparent)]
    AtRest(#[from] AtRestError),
    /// The process is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl FsckReport {
    /// Whether nothing is wrong anywhere.
    pub fn is_sound(&self) -> bool {
        self.rooms.iter().all(|room| room.problems.is_empty())
    }
}

impl RoomReport {
    fn new(room: &'static str) -> Self {
        Self { room, checked: BTreeMap::new(), notes: Vec::new(), problems: Vec::new() }
    }

    fn count(&mut self, what: &'static str, how_many: u64) {
        self.checked.insert(what, how_many);
    }

    fn problem(&mut self, problem: impl Display) {
        self.problems.push(problem.to_string());
    }

    /// The value, or a problem.
    fn expect<T, E: Display>(&mut self, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|error| self.problem(error)).ok()
    }
}

/// Checks everything in a data folder against itself. Nothing on the disk is changed.
///
/// `master_key` says where the master key is, where the server does not keep one in the folder.
///
/// # Errors
/// If the folder is not there, can't be read, is encrypted with another key, or belongs to a server that runs. Damage is in the report.
pub async fn fsck(data: &Path, master_key: Option<MasterKeyFrom>) -> Result<FsckReport, FsckError> {
    // What opening the folder writes, such as a key that is wrapped anew, stays in memory too.
    let below: Arc<dyn Disk> = Arc::new(ScratchDisk::new(Arc::new(RealDisk)));
    match below.info(data) {
        Ok(Some(info)) if info.is_dir => {}
        Ok(_) => return Err(FsckError::NoFolder(data.to_owned())),
        Err(cause) => return Err(FsckError::Disk { path: data.to_owned(), cause }),
    }
    let at_rest = AtRest { below: &below, data, master_key: master_key.as_ref() };
    let Opened { disk, master } = at_rest.open_as_it_is().await?;
    let disk: Arc<dyn Disk> = Arc::new(ScratchDisk::new(disk));
    let mut check = Check { data, disk, report: FsckReport::default() };
    let home = check.folder();
    let durable = match check.journal().await? {
        Some(journal) => {
            check.records(&journal).await?;
            let durable = journal.durable();
            check.rooms_of_state(&journal, home, master).await;
            journal.close().await;
            Some((journal.first(), durable))
        }
        None => None,
    };
    check.trails(durable).await?;
    check.archive().await?;
    Ok(check.report)
}

struct Check<'a> {
    data: &'a Path,
    disk: Arc<dyn Disk>,
    report: FsckReport,
}

impl Check<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// The files beside the rooms. Answers the account that the folder belongs to.
    fn folder(&mut self) -> Option<AccountId> {
        let mut room = RoomReport::new("folder");
        let home = match self.disk.read(&self.path("account")) {
            Ok(text) => {
                let id = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
                if id.is_none() {
                    room.problem("account: it does not hold an account's id");
                }
                id
            }
            // The first thing that a first start writes.
            Err(error) if !self.path("journal").exists() && error.kind() == io::ErrorKind::NotFound => {
                room.notes.push("no server was ever started here".to_owned());
                None
            }
            Err(error) => {
                room.problem(format!("account: {error}"));
                None
            }
        };
        let private = ["client.env", "master.key"].map(|name| (name, std::fs::metadata(self.path(name))));
        for (name, about) in private {
            if about.is_ok_and(|about| about.permissions().mode() & OTHERS != 0) {
                room.problem(format!("{name}: others than its owner can read it; chmod 600 it"));
            }
        }
        self.report.rooms.push(room);
        home
    }

    /// Every segment and entry; then the journal as a start opens it.
    async fn journal(&mut self) -> Result<Option<Journal>, FsckError> {
        let mut room = RoomReport::new("journal");
        let (folder, disk) = (self.path("journal"), Arc::clone(&self.disk));
        let checked = blocking(move || {
            let report = opentrail_journal::fsck(&folder, &*disk)?;
            if !report.is_sound() {
                return Ok((report, None));
            }
            let opened = Journal::open(&folder, JournalOptions::default(), disk);
            Ok((report, Some(opened)))
        });
        let (found, opened) = checked.await?.map_err(|error: JournalError| self.unreadable(error))?;
        room.count("segments", found.segments as u64);
        room.count("entries", found.entries);
        room.count("bytes", found.bytes);
        for problem in found.problems {
            let (file, offset, seq) = (problem.segment, problem.offset, problem.seq);
            room.problem(format!("{file}, byte {offset}, entry {seq}: {}", problem.damage));
        }
        if let Some(torn) = found.torn {
            let (file, offset, bytes) = (torn.segment, torn.offset, torn.bytes);
            room.notes
                .push(format!("{file}: {bytes} bytes at {offset} were never acknowledged: {}", torn.damage));
        }
        let opened = match opened {
            Some(Err(error @ JournalError::InUse { .. })) => return Err(self.unreadable(error)),
            Some(opened) => room.expect(opened),
            None => None,
        };
        self.report.rooms.push(room);
        Ok(opened.map(|(journal, _)| journal))
    }

    fn unreadable(&self, error: JournalError) -> FsckError {
        match error {
            JournalError::InUse { .. } => FsckError::InUse(self.data.to_owned()),
            JournalError::Io { path, source, .. } => {
                FsckError::Disk { path, cause: io::Error::new(source.kind(), source.to_string()) }
            }
            other => FsckError::Disk { path: self.path("journal"), cause: io::Error::other(other) },
        }
    }

    async fn records(&mut self, journal: &Journal) -> Result<(), FsckError> {
        let journal = journal.clone();
        let room = blocking(move || records::check(&journal)).await?;
        self.report.rooms.push(room);
        Ok(())
    }

    /// The documents, and the rooms that cannot be opened without them.
    async fn rooms_of_state(&mut self, journal: &Journal, home: Option<AccountId>, master: MasterKeySource) {
        let mut room = RoomReport::new("state");
        let state = self.state(journal, &mut room).await;
        self.report.rooms.push(room);
        let Some(state) = state else { return };
        let keyring = match home {
            Some(home) => self.keys(&state, home, master).await,
            None => None,
        };
        self.vault(&state).await;
        self.lake(&state, keyring).await;
        if let Err(error) = state.close().await {
            tracing::debug!(%error, "the state was not closed in order");
        }
    }

    async fn state(&self, journal: &Journal, room: &mut RoomReport) -> Option<State> {
        let (folder, disk, of) = (self.path("state"), Arc::clone(&self.disk), journal.clone());
        let checked = blocking(move || opentrail_state::fsck(&of, &folder, &*disk)).await;
        let found = room.expect(room_result(checked))?;
        room.count("snapshots", found.snapshots.len() as u64);
        room.count("documents", found.documents as u64);
        for rejected in found.rejected {
            room.problem(format!("{}: {}", rejected.path.display(), rejected.cause));
        }
        let options =
            StateOptions { snapshot_entries: u64::MAX, snapshot_bytes: u64::MAX, ..StateOptions::default() };
        let opened = State::open(journal.clone(), &self.path("state"), Arc::clone(&self.disk), options).await;
        room.expect(opened)
    }

    /// The keyring, and what is sealed with it.
    async fn keys(&mut self, state: &State, home: AccountId, master: MasterKeySource) -> Option<Keyring> {
        let mut room = RoomReport::new("keyring");
        let keyring = room.expect(Keyring::open(state.clone(), master, home).await);
        if let Some(signing_keys) = keyring.as_ref().and_then(|keyring| room.expect(keyring.check())) {
            room.count("signing keys", signing_keys as u64);
        }
        self.report.rooms.push(room);

        let mut room = RoomReport::new("identity");
        consistency::check(state).into_iter().for_each(|found| room.problem(found));
        if let Some(identity) =
            keyring.clone().and_then(|keyring| room.expect(Identity::open(state.clone(), keyring)))
        {
            secrets(state, &identity, &mut room);
        }
        self.report.rooms.push(room);
        keyring
    }

    async fn vault(&mut self, state: &State) {
        let mut room = RoomReport::new("vault");
        readable::<Bucket>(state, "buckets", &mut room);
        let opened =
            Vault::open(&self.path("vault"), state.clone(), Arc::clone(&self.disk), VaultOptions::default())
                .await;
        if let Some(vault) = room.expect(opened) {
            // What a crash left of uploads is removed by the next start; here, in memory.
            if let Some(swept) = room.expect(vault.sweep().await).filter(|swept| swept.removed > 0) {
                room.notes.push(format!("{} blobs were left by uploads that did not end", swept.removed));
            }
            if let Some(found) = room.expect(vault.fsck().await) {
                room.count("versions", found.versions);
                room.count("bytes", found.bytes);
                found.findings.iter().for_each(|finding| room.problem(said(finding)));
            }
            room.expect(vault.close().await);
        }
        self.report.rooms.push(room);

        let mut room = RoomReport::new("trails");
        readable::<Trail>(state, "trails", &mut room);
        readable::<followed::Organization>(state, "organizations", &mut room);
        readable::<followed::Member>(state, "accounts of organizations", &mut room);
        self.report.rooms.push(room);
    }

    /// The tables of event data stores.
    async fn lake(&mut self, state: &State, keyring: Option<Keyring>) {
        let mut room = RoomReport::new("lake");
        readable::<EventDataStore>(state, "event data stores", &mut room);
        let (folder, disk) = (self.path("lake"), Arc::clone(&self.disk));
        let warehouse = || Warehouse::in_data_folder(&folder.join("tables"), Arc::clone(&disk));
        let keys: Arc<dyn TableKeys> = match keyring {
            Some(keyring) => Arc::new(KeysOfFolder(keyring)),
            None => Arc::new(NoKeys),
        };
        let checked = ingest::fsck(&folder, state, Arc::clone(&disk), warehouse, keys, Utc::now()).await;
        if let Some(found) = room.expect(checked) {
            room.count("files", found.files as u64);
            room.count("rows", found.rows);
            room.count("bytes", found.bytes);
            room.notes.extend(found.notes);
            found.problems.iter().for_each(|problem| room.problem(problem));
        }
        self.report.rooms.push(room);
    }

    /// The files that wait for their bucket, and how far the delivery has read.
    async fn trails(&mut self, kept: Option<(Seq, Seq)>) -> Result<(), FsckError> {
        let mut room = RoomReport::new("delivery");
        let (folder, disk) = (self.path("trails"), Arc::clone(&self.disk));
        let checked = blocking(move || delivery::fsck(&folder, &*disk)).await?;
        if let Some(found) = room.expect(checked) {
            room.count("files waiting", found.outstanding as u64);
            found
                .missing
                .iter()
                .for_each(|path| room.problem(format!("{}: it is not there", path.display())));
            found.damaged.iter().for_each(|path| {
                room.problem(format!("{}: its bytes are not those that were decided", path.display()));
            });
            if let (Some(cursor), Some((first, durable))) = (found.cursor, kept) {
                if Seq(cursor) > durable {
                    room.problem(format!(
                        "it has read up to entry {cursor}, but the journal ends at {durable}"
                    ));
                }
                if Seq(cursor) < first.previous() {
                    room.problem(format!(
                        "it has read up to entry {cursor}, but the journal begins at {first}"
                    ));
                }
            }
        }
        self.report.rooms.push(room);
        Ok(())
    }

    async fn archive(&mut self) -> Result<(), FsckError> {
        let mut room = RoomReport::new("archive");
        let (folder, disk) = (self.path("archive"), Arc::clone(&self.disk));
        let checked = blocking(move || opentrail_archive::fsck(&folder, &*disk)).await?;
        if let Some(found) = room.expect(checked) {
            room.count("files", found.tables as u64);
            room.count("rows", found.rows);
            room.count("seen ids", found.seen_ids);
            found.problems.iter().for_each(|problem| room.problem(problem));
        }
        self.report.rooms.push(room);
        Ok(())
    }
}

/// Whether every document of a kind is one.
fn readable<T: opentrail_state::Resource>(state: &State, what: &'static str, room: &mut RoomReport) {
    if let Some(count) = room.expect(state.check::<T>()) {
        room.count(what, count as u64);
    }
}

/// Whether every access key's secret opens.
fn secrets(state: &State, identity: &Identity, room: &mut RoomReport) {
    readable::<AccessKey>(state, "access keys", room);
    for (id, _) in state.list::<AccessKey>("") {
        match identity.credential(&id, None, Utc::now()) {
            // An inactive key stands for nobody, and is whole.
            Ok(_) | Err(IdentityError::Credential(_)) => {}
            Err(error) => room.problem(format!("access key {id}: {error}")),
        }
    }
}

fn said(finding: &Finding) -> String {
    match finding {
        Finding::DamagedVersion { bucket, key, version_id, problem } => {
            format!("{bucket}/{key}, version {version_id}: {problem}")
        }
        Finding::DamagedPart { upload_id, part_number, problem } => {
            format!("part {part_number} of upload {upload_id}: {problem}")
        }
        Finding::NoBucket { bucket, key } => {
            format!("{key:?} is in bucket number {bucket}, which is not there")
        }
        Finding::IndexDisagrees { place } => format!("the index contradicts itself: {place}"),
        Finding::Orphan { blob } => format!("nobody refers to blob {blob}"),
        Finding::OrphanParts { upload_id } => format!("parts of upload {upload_id}, which is not there"),
        Finding::Stranger { path } => format!("{}: no file of the vault", path.display()),
        other => format!("{other:?}"),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FsckError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FsckError::Interrupted)
}

fn room_result<T>(outcome: Result<Result<T, StateError>, FsckError>) -> Result<T, String> {
    match outcome {
        Ok(inner) => inner.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
