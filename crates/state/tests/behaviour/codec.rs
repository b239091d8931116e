//! The bytes of an entry.

use bytes::Bytes;
use chrono::DateTime;
use opentrail_state::{Change, CodecError, EncodedEntry, Entry, Fact, MAX_BODY_BYTES};
use proptest::prelude::*;

use crate::fixture::event;

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        ("[a-z.]{0,20}", ".{0,30}", any::<u64>(), bytes())
            .prop_map(|(kind, id, revision, body)| Change::Put { kind, id, revision, body }),
        ("[a-z.]{0,20}", ".{0,30}").prop_map(|(kind, id)| Change::Delete { kind, id }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let fact = ("[a-z]{0,10}", bytes()).prop_map(|(view, body)| Fact { view: view.into(), body });
    let owned = ("[A-Z][a-z]{1,20}", 0u64..99_999_999).prop_map(|(name, number)| event(&name, number));
    (
        (-10_000_000_000i64..10_000_000_000, 0u32..1_000_000_000),
        proptest::collection::vec(change(), 0..4),
        proptest::collection::vec(fact, 0..4),
        proptest::collection::vec(owned, 0..4),
    )
        .prop_map(|((seconds, nanos), changes, facts, events)| Entry {
            at: DateTime::from_timestamp(seconds, nanos).unwrap(),
            changes,
            facts,
            events,
        })
}

fn same(left: &Entry, right: &Entry) -> bool {
    let raw = |entry: &Entry| -> Vec<(String, Bytes)> {
        let events = entry.events.iter();
        events.map(|owned| (owned.owner.to_string(), owned.event.raw().clone())).collect()
    };
    left.at == right.at
        && left.changes == right.changes
        && left.facts == right.facts
        && raw(left) == raw(right)
}

#[test]
fn a_body_over_its_limit_is_refused() {
    let body = Bytes::from(vec![b' '; MAX_BODY_BYTES + 1]);
    let facts = vec![Fact { view: "vault".into(), body }];
    let entry = Entry { at: DateTime::UNIX_EPOCH, changes: Vec::new(), facts, events: Vec::new() };
    assert!(matches!(entry.encode(), Err(CodecError::TooLong { limit: MAX_BODY_BYTES, .. })));
}

#[test]
fn a_count_that_the_bytes_cannot_hold_is_refused_before_memory_is_set_aside() {
    let entry =
        Entry { at: DateTime::UNIX_EPOCH, changes: Vec::new(), facts: Vec::new(), events: Vec::new() };
    let mut bytes = entry.encode().unwrap().to_vec();
    // The first count follows the version and the time.
    bytes[13..17].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(EncodedEntry::new(Bytes::from(bytes)), Err(CodecError::Truncated)));
}

proptest! {
    #[test]
    fn an_entry_is_read_as_it_was_written(entry in entry()) {
        let encoded = entry.encode().unwrap();
        prop_assert_eq!(encoded.len(), entry.encoded_bytes().unwrap());
        let decoded = Entry::decode(&encoded).unwrap();
        prop_assert!(same(&entry, &decoded), "{:?} {:?}", entry, decoded);
        let parts = EncodedEntry::new(encoded).unwrap();
        prop_assert_eq!(parts.changes().unwrap(), entry.changes);
        prop_assert_eq!(parts.facts().unwrap(), entry.facts);
        prop_assert_eq!(parts.event_count(), entry.events.len());
    }

    #[test]
    fn an_entry_cut_short_is_refused(entry in entry(), at in any::<prop::sample::Index>()) {
        let encoded = entry.encode().unwrap();
        let cut = encoded.slice(..at.index(encoded.len()));
        prop_assert!(Entry::decode(&cut).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Entry::decode(&Bytes::from(bytes));
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_an_entry(
        entry in entry(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut encoded = entry.encode().unwrap().to_vec();
        let at = at.index(encoded.len());
        encoded[at] = byte;
        if let Ok(decoded) = Entry::decode(&Bytes::from(encoded.clone())) {
            prop_assert_eq!(decoded.encode().unwrap(), encoded);
        }
    }
}
