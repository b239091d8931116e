//! From a file's bytes to its events.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use opentrail_event::{Event, split_records};

use super::ledger::Fault;

/// The largest file, unpacked. CloudTrail's own have 50 MB at most (user guide, "Working with CloudTrail log files").
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file's events.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The records that are events.
    pub(crate) events: Vec<Event>,
    /// How many records are none, and what is wrong with the first.
    pub(crate) bad: Option<(usize, String)>,
    /// The bytes that the events share.
    pub(crate) bytes: u64,
}

/// Why a file has no events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is larger, unpacked, than was made room for.
    Larger,
    /// It can't be read at all.
    Bad(Fault),
}

/// How many bytes a gzip file says it has, unpacked: the last four of a file of one member. Files of several have more. What
/// is no gzip is not unpacked.
pub(crate) fn announced(packed: &[u8]) -> u64 {
    if !packed.starts_with(&GZIP) {
        return packed.len() as u64;
    }
    let size = packed.last_chunk::<4>().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    size.max(packed.len() as u64)
}

/// Unpacks and reads a file of at most `limit` bytes.
pub(crate) fn unpack(packed: Bytes, limit: u64) -> Result<Unpacked, Unreadable> {
    if !packed.starts_with(&GZIP) {
        let fault = Fault::new("InvalidFile", "The file is not packed with gzip.");
        return Err(Unreadable::Bad(fault));
    }
    let room = usize::try_from(announced(&packed).min(limit)).unwrap_or_default();
    let mut body = Vec::with_capacity(room);
    let read = MultiGzDecoder::new(&packed[..]).take(limit + 1).read_to_end(&mut body);
    if let Err(error) = read {
        let fault = Fault::new("InvalidFile", format!("The file is not whole gzip: {error}."));
        return Err(Unreadable::Bad(fault));
    }
    if body.len() as u64 > limit {
        if limit >= MAX_FILE_BYTES {
            let message = format!("The file unpacks to more than {MAX_FILE_BYTES} bytes.");
            return Err(Unreadable::Bad(Fault::new("FileTooLarge", message)));
        }
        return Err(Unreadable::Larger);
    }
    // It may have less than it said.
    body.shrink_to_fit();
    Ok(read_records(body.into()))
}

/// Reads the records of a text: a log file, an array, NDJSON.
pub(crate) fn read_records(body: Bytes) -> Unpacked {
    let mut unpacked = Unpacked { events: Vec::new(), bad: None, bytes: body.len() as u64 };
    for (index, record) in split_records(body).enumerate() {
        let reason = match record {
            Ok(raw) => match Event::parse(raw) {
                Ok(event) => {
                    unpacked.events.push(event);
                    continue;
                }
                Err(error) => format!("record {index}: {error}"),
            },
            Err(error) => error.to_string(),
        };
        unpacked.bad.get_or_insert((0, reason)).0 += 1;
    }
    unpacked
}

impl Unpacked {
    /// What is to be said of the file's bad records.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let (bad, first) = self.bad.as_ref()?;
        let all = bad + self.events.len();
        let message = format!("{bad} of {all} records are no CloudTrail events; the first: {first}.");
        Some(Fault::new("InvalidRecord", message))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(text: &str) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory").into()
    }

    fn fault(outcome: Result<Unpacked, Unreadable>) -> String {
        match outcome {
            Err(Unreadable::Bad(fault)) => fault.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_whole_gzip_is_named() {
        assert_eq!(fault(unpack("{}".into(), 100)), "InvalidFile");
        let whole = packed("{\"Records\": []}");
        assert_eq!(fault(unpack(whole.slice(..whole.len() - 3), 100)), "InvalidFile");
        assert!(unpack(whole, 100).expect("a file").events.is_empty());
    }

    #[test]
    fn a_file_that_is_larger_than_it_says_is_no_more_than_its_room() {
        let twice = [packed(&" ".repeat(1000)), packed(&" ".repeat(10))].concat();
        assert_eq!(announced(&twice), 10.max(twice.len() as u64));
        assert_eq!(announced(b"no gzip, whatever its end says: \xff\xff\xff\xff"), 36);
        assert!(matches!(unpack(twice.clone().into(), 500), Err(Unreadable::Larger)));
        assert!(unpack(twice.into(), 1010).expect("a file").bad.is_none());
    }

    #[test]
    fn bad_records_are_counted_and_the_first_is_named() {
        let unpacked = read_records("[1, {\"a\": 2}]".into());
        assert!(unpacked.events.is_empty());
        let fault = unpacked.fault().expect("a fault");
        assert_eq!(fault.kind, "InvalidRecord");
        assert!(fault.message.starts_with("2 of 2 records"), "{}", fault.message);
        assert!(read_records("[]".into()).fault().is_none());
    }
}
