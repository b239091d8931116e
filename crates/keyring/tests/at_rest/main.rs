//! The disk that encrypts: it is a disk like any other, crashes included, and shows nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod journal;
mod random_steps;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opentrail_journal::{
    Journal, JournalError, JournalOptions, Seq,
    disk::{Access, CrashKeeps, Disk, DiskFile, Fault, FaultyDisk, Operation, RealDisk},
};
use opentrail_keyring::{
    EncryptedDisk, FolderKey, KeyringError,
    at_rest::{EXTENTS, HEADER_BYTES, NOTE_NAME},
};
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

const SECRET: &[u8] = b"nobody may read this";

fn master(byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([byte; 32])
}

/// An encrypted folder over a disk that fails on command.
struct World {
    folder: TempDir,
    below: FaultyDisk,
    key: FolderKey,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = FolderKey::create(&RealDisk, folder.path(), &master(1)).unwrap();
        Self { folder, below: FaultyDisk::default(), key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The disk as a process that starts has it.
    fn disk(&self) -> EncryptedDisk {
        EncryptedDisk::new(Arc::new(self.below.clone()), &self.key)
    }

    fn raw(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
}

fn shows(raw: &[u8], plain: &[u8]) -> bool {
    raw.windows(plain.len()).any(|part| part == plain)
}
