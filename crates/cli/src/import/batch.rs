//! Records of many files, gathered into uploads of a good size.

use std::{collections::VecDeque, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use opentrail_event::split_records;

use super::Rejected;

/// How large an upload is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Records.
    pub(super) records: usize,
    /// Bytes of records.
    pub(super) bytes: usize,
}

impl Size {
    /// Into the journal, which takes a few megabytes at once.
    pub(super) const OF_EVENTS: Self = Self { records: 500, bytes: 4 << 20 };
    /// Into an event data store, whose files are large.
    pub(super) const OF_STORES: Self = Self { records: 20_000, bytes: 12 << 20 };
}

/// An upload, and where each of its records comes from.
pub(super) struct Batch {
    records: Vec<(Arc<str>, usize, Bytes)>,
    bytes: usize,
}

impl Batch {
    fn new() -> Self {
        Self { records: Vec::new(), bytes: 0 }
    }

    /// Whether a record of so many bytes is for the next one.
    fn is_full(&self, size: Size, more: usize) -> bool {
        !self.records.is_empty() && (self.records.len() >= size.records || self.bytes + more > size.bytes)
    }

    /// The upload: every record byte for byte as its file has it.
    pub(super) fn body(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(self.bytes + self.records.len() + 16);
        body.put_slice(b"{\"Records\":[");
        for (place, (_, _, record)) in self.records.iter().enumerate() {
            if place > 0 {
                body.put_u8(b',');
            }
            body.put_slice(record);
        }
        body.put_slice(b"]}");
        body.freeze()
    }

    /// The file and the place in it of one of the upload's records.
    pub(super) fn origin(&self, place: usize) -> Option<(Arc<str>, usize)> {
        self.records.get(place).map(|(file, index, _)| (file.clone(), *index))
    }
}

/// Gathers records until a batch is full.
pub(super) struct Batcher {
    size: Size,
    full: VecDeque<Batch>,
    open: Option<Batch>,
}

impl Batcher {
    /// Uploads of such a size.
    pub(super) fn new(size: Size) -> Self {
        Self { size, full: VecDeque::new(), open: None }
    }

    /// Takes a file's records; answers those that are no JSON objects.
    pub(super) fn add(&mut self, file: &Arc<str>, body: Bytes) -> Vec<Rejected> {
        let mut rejected = Vec::new();
        for (index, record) in split_records(body).enumerate() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    rejected.push(Rejected {
                        file: file.clone(),
                        index: error.index,
                        reason: error.reason.to_string(),
                    });
                    continue;
                }
            };
            if self.open.as_ref().is_some_and(|open| open.is_full(self.size, record.len())) {
                self.full.extend(self.open.take());
            }
            let open = self.open.get_or_insert_with(Batch::new);
            open.bytes += record.len();
            open.records.push((file.clone(), index, record));
        }
        rejected
    }

    /// A batch that is full, if there is one.
    pub(super) fn full(&mut self) -> Option<Batch> {
        self.full.pop_front()
    }

    /// What is left at the end.
    pub(super) fn rest(&mut self) -> Option<Batch> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Batcher, Size};

    #[test]
    fn every_record_keeps_its_bytes_and_its_origin() {
        let mut batcher = Batcher::new(Size::OF_EVENTS);
        let file: Arc<str> = "a.json".into();
        let bad = batcher.add(&file, Bytes::from_static(b"[{\"a\": 1}, 7, {\"b\":\n2}]"));
        assert_eq!((bad.len(), bad[0].index), (1, 1));
        let batch = batcher.rest().expect("two records");
        assert_eq!(batch.body(), Bytes::from_static(b"{\"Records\":[{\"a\": 1},{\"b\":\n2}]}"));
        assert_eq!(batch.origin(1), Some((file, 2)));
        assert_eq!(batch.origin(2), None);
    }
}
