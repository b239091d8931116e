//! Encryption of everything in a data folder, below everything that writes files.
//!
//! [`EncryptedDisk`] stands between the rooms and the file system. It encrypts the bytes of files; names of files
//! and folders, lengths and times stay readable, which is why no name here tells anything but numbers and random
//! ids. Lock files have no bytes and stay as they are.
//!
//! # Keys
//!
//! The folder has one random data key of 256 bits, kept in the folder's note sealed with the master key
//! ([`FolderKey`]). Each file begins with a header that holds a random id of 256 bits; HKDF-SHA256 makes the
//! file's own keys from the data key and this id. So no two files share a key, copies and renames need nothing,
//! and a file that is removed takes the only trace of its key along.
//!
//! # Two kinds of files
//!
//! **Files that grow at their end** (journal segments, log files on their way, blobs, Parquet, snapshots) are
//! encrypted with AES-256-CTR: any range can be read and any number of bytes appended *without touching a byte
//! that is there*. This is what keeps an acknowledged entry safe from a crash during the next append; ciphers
//! with blocks or tags at the end would write the last bytes of the file again. What CTR does not bear is a
//! second text under the same key stream. A file that is cut and continued (a torn tail, a roll-back on a full
//! disk) would do that, and so would a server that goes on where a crashed one had written unsynced bytes. So a
//! file has up to [`EXTENTS`] extents, each with a random nonce in the header: the first append after opening,
//! and each append below a place that was written before, begins a new one. Its nonce becomes durable with the
//! sync that makes its first bytes durable, because both are in one file. When an open finds the header nearly
//! full, the file is copied once. Writing other bytes over existing ones is refused; writing the same again,
//! as the journal's recovery does after a failed sync, is not.
//!
//! **Files that are written again in place** ([`Disk::open_rewritten`]: the index of objects, the journal's mark)
//! are encrypted with AES-256-XTS (IEEE 1619) in data units of 4 KiB. Each block of 16 bytes depends on its own
//! place only, so a torn write of a page tears what it would tear in the clear. Who sees the disk at two times
//! sees which blocks of these files changed, as with any full-disk encryption. A block that was never written
//! reads as zeros, as a hole does.
//!
//! # What it does not do
//!
//! It hides; it does not authenticate contents. Whoever can change the disk can flip bits, as they can without
//! encryption, and the layers above find that as ever: frames, blobs, blocks and snapshots by their checksums, log
//! files by the digest chain, secrets by the authenticated encryption that they have beside this. (A tag for each
//! page would have to be written again with every append, which is what the first kind of file must not do.)
//! The header is authenticated, so that a file of another folder or a damaged header is never taken for data: such
//! a file reads as zeros, which no checksum above accepts, and a line in the log names it.

mod appended;
mod disk;
mod folder;
mod header;
mod keys;
mod rewritten;
mod xts;

pub use disk::EncryptedDisk;
pub use folder::{FolderKey, NOTE_NAME};
pub use header::{EXTENTS, HEADER_BYTES};
