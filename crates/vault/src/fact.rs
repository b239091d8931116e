//! What the journal says about objects: the only input of the index.
//!
//! A fact is absolute (it says what is, not what changed by how much) and the index applies facts in the
//! order of the journal. Its bytes are: one byte of format, four bytes with the length of the JSON
//! (little-endian), the JSON, and the bytes of a small object where there is one.

use bytes::{BufMut, Bytes, BytesMut};
use opentrail_state::Fact;
use serde::{Deserialize, Serialize};

use crate::{
    error::IndexEntryError,
    id::UploadId,
    multipart::{PartRecord, UploadRecord},
    object::Version,
};

/// The name of the view in the journal's facts.
pub(crate) const VIEW: &str = "vault";

const FORMAT: u8 = 1;

/// A bucket by its incarnation: a bucket made again under a name is another bucket.
pub(crate) type BucketId = u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum VaultFact {
    /// The key has this version, in place of one with the same id. Small bytes travel with the fact.
    PutVersion { bucket: BucketId, key: String, version: Version },
    /// The version has other tags, locks or the like now; its place among the versions and its bytes stay.
    AmendVersion { bucket: BucketId, key: String, version: Version },
    /// The version has another body with the same content in place of its own, and perhaps other settings; its
    /// place among the versions stays. Small bytes travel with the fact.
    RepackVersion { bucket: BucketId, key: String, version: Version },
    /// A part of a version has another body with the same content. Small bytes travel with the fact.
    RepackPart { upload: UploadId, number: u16, part: PartRecord },
    /// The key has this copy of a version of another bucket, among its versions where the version's time puts it. Small
    /// bytes travel with the fact.
    PutReplica { bucket: BucketId, key: String, version: Version },
    /// A copy that is put by the same entry has this part. Small bytes travel with the fact.
    PutReplicaPart { upload: UploadId, number: u16, part: PartRecord },
    /// The version is gone.
    RemoveVersion { bucket: BucketId, key: String, version_id: String },
    /// A multipart upload began.
    CreateUpload { bucket: BucketId, key: String, upload: UploadId, record: Box<UploadRecord> },
    /// The upload has this part, in place of one with the same number. Small bytes travel with the fact.
    PutPart { bucket: BucketId, key: String, upload: UploadId, number: u16, part: PartRecord },
    /// The upload became a version; parts that are not named are gone.
    CompleteUpload { bucket: BucketId, key: String, upload: UploadId, parts: Vec<u16>, version: Version },
    /// The upload and its parts are gone.
    AbortUpload { bucket: BucketId, key: String, upload: UploadId },
    /// The bucket is gone, and with it the uploads that were in progress.
    DropBucket { bucket: BucketId },
}

/// A fact and the bytes that travel with it (empty for most).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) fact: VaultFact,
    pub(crate) inline: Bytes,
}

impl From<VaultFact> for Carried {
    fn from(fact: VaultFact) -> Self {
        Self { fact, inline: Bytes::new() }
    }
}

impl Carried {
    pub(crate) fn encode(&self) -> Result<Fact, IndexEntryError> {
        let json = serde_json::to_vec(&self.fact)?;
        let length = u32::try_from(json.len()).map_err(|_| IndexEntryError::Truncated)?;
        let mut body = BytesMut::with_capacity(5 + json.len() + self.inline.len());
        body.put_u8(FORMAT);
        body.put_u32_le(length);
        body.put_slice(&json);
        body.put_slice(&self.inline);
        Ok(Fact { view: VIEW.into(), body: body.freeze() })
    }

    pub(crate) fn decode(body: &Bytes) -> Result<Self, IndexEntryError> {
        match body.first() {
            Some(&FORMAT) => {}
            Some(other) => return Err(IndexEntryError::UnknownFormat(*other)),
            None => return Err(IndexEntryError::Truncated),
        }
        let length: [u8; 4] =
            body.get(1..5).and_then(|b| b.try_into().ok()).ok_or(IndexEntryError::Truncated)?;
        let end = usize::try_from(u32::from_le_bytes(length))
            .ok()
            .and_then(|length| length.checked_add(5))
            .filter(|end| *end <= body.len())
            .ok_or(IndexEntryError::Truncated)?;
        Ok(Self { fact: serde_json::from_slice(&body[5..end])?, inline: body.slice(end..) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Carried, VaultFact};
    use crate::{error::IndexEntryError, id::UploadId};

    #[test]
    fn a_fact_reads_as_it_was_written() {
        let fact = VaultFact::AbortUpload { bucket: 7, key: "a/ü".to_owned(), upload: UploadId(u128::MAX) };
        let carried = Carried { fact, inline: Bytes::from_static(b"\x00small") };
        let body = carried.encode().unwrap().body;
        assert_eq!(Carried::decode(&body).unwrap(), carried);
        for cut in 0..body.len() - 6 {
            assert!(Carried::decode(&body.slice(..cut)).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_format_of_later_versions_is_refused() {
        assert!(matches!(
            Carried::decode(&Bytes::from_static(&[9, 0, 0, 0, 0])),
            Err(IndexEntryError::UnknownFormat(9))
        ));
    }
}
