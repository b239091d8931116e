//! Where an event stands in history.

/// The place of an event in the one order that history has; the greater is the newer. `seq` and `index` make
/// it unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// `eventTime` in milliseconds since 1970.
    pub(crate) time: i64,
    /// The journal's entry.
    pub(crate) seq: u64,
    /// The record's place in the entry.
    pub(crate) index: u32,
}

impl Position {
    /// Bytes of a position on disk.
    pub(crate) const BYTES: usize = 8 + 8 + 4;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.time.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..].copy_from_slice(&self.index.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (time, rest) = bytes.split_at(8);
        let (seq, index) = rest.split_at(8);
        // The parts are cut to the lengths that their integers have.
        Self {
            time: i64::from_le_bytes(time.try_into().unwrap_or_default()),
            seq: u64::from_le_bytes(seq.try_into().unwrap_or_default()),
            index: u32::from_le_bytes(index.try_into().unwrap_or_default()),
        }
    }
}

/// What the index says about a row without reading it: where it stands, and whose it is.
///
/// The owner is there because lists are found by hashes: that two accounts never see each other's events must
/// not hang on a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// The account's twelve digits as a number.
    pub(crate) owner: u64,
}

impl Place {
    /// Bytes of a place on disk; twelve digits are less than 40 bits.
    pub(crate) const BYTES: usize = Position::BYTES + 5;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..Position::BYTES].copy_from_slice(&self.position.to_bytes());
        bytes[Position::BYTES..].copy_from_slice(&self.owner.to_le_bytes()[..5]);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (position, owner) = bytes.split_at(Position::BYTES);
        let mut number = [0; 8];
        number[..5].copy_from_slice(owner);
        Self {
            position: Position::from_bytes(position.try_into().unwrap_or(&[0; Position::BYTES])),
            owner: u64::from_le_bytes(number),
        }
    }
}
