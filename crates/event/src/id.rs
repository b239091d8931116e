//! The identity of an event.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

/// The identity of an event, by which a second delivery of it is recognised.
///
/// The value of the UUID that AWS writes as `eventID`; for any other text the 128-bit XXH3 of it, which
/// takes the length in. XXH3 is not collision-resistant against an adversary: who can choose event ids
/// can make two of *his own* events look like one, and nothing else, because identities are only ever
/// compared within one account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

impl EventId {
    /// The identity that an `eventID` names. Upper and lower case of a UUID are the same.
    pub fn of(text: &str) -> Self {
        Self(uuid_value(text).unwrap_or_else(|| xxh3_128(text.as_bytes())))
    }

    /// The identity with this value, as [`EventId::value`] gave it.
    pub const fn from_value(value: u128) -> Self {
        Self(value)
    }

    /// The 128 bits.
    pub const fn value(self) -> u128 {
        self.0
    }

    /// The 128 bits in big-endian order, which sorts as the identities do.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The reverse of [`EventId::to_bytes`].
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

/// The value of a UUID in its 36-character form; the other forms are other texts.
fn uuid_value(text: &str) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.as_u128())
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({:032x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::EventId;

    #[test]
    fn the_case_of_a_uuid_does_not_matter_and_that_of_another_text_does() {
        let lower = EventId::of("ded40a0b-f008-4226-a490-986736f65f57");
        assert_eq!(lower, EventId::of("DED40A0B-F008-4226-A490-986736F65F57"));
        assert_eq!(lower.value(), 0xded4_0a0b_f008_4226_a490_9867_36f6_5f57);
        assert_ne!(EventId::of("order-1"), EventId::of("Order-1"));
    }

    #[test]
    fn the_unhyphenated_form_of_a_uuid_is_another_text() {
        assert_ne!(
            EventId::of("ded40a0bf0084226a490986736f65f57"),
            EventId::of("ded40a0b-f008-4226-a490-986736f65f57")
        );
    }

    proptest! {
        #[test]
        fn bytes_keep_the_value_and_its_order(a: u128, b: u128) {
            let (a, b) = (EventId::from_value(a), EventId::from_value(b));
            prop_assert_eq!(EventId::from_bytes(a.to_bytes()), a);
            prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
        }

        #[test]
        fn any_text_has_one_identity(text in ".{0,64}") {
            prop_assert_eq!(EventId::of(&text), EventId::of(&text.clone()));
        }
    }
}
