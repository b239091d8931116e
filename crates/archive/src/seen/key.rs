//! What is remembered of an event.

use opentrail_event::{AccountId, EventId};
use xxhash_rust::xxh3::xxh3_64;

use crate::keys::account_number;

/// An account and the identity of one of its events: nothing is mixed, so that accounts never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    account: u64,
    id: EventId,
}

impl Key {
    /// Bytes of a key on disk, in an order that sorts as the keys do; twelve digits are less than 40 bits.
    pub(crate) const BYTES: usize = 5 + 16;

    pub(crate) fn new(owner: &AccountId, id: EventId) -> Self {
        Self { account: account_number(owner.as_str()), id }
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..5].copy_from_slice(&self.account.to_be_bytes()[3..]);
        bytes[5..].copy_from_slice(&self.id.to_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let (account, id) = bytes.split_at(5);
        let mut number = [0; 8];
        number[3..].copy_from_slice(account);
        Self {
            account: u64::from_be_bytes(number),
            id: EventId::from_bytes(id.try_into().unwrap_or_default()),
        }
    }

    /// Its number in the filters.
    pub(crate) fn hash(self) -> u64 {
        xxh3_64(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_keep_the_key_and_its_order(a in 0..10u64.pow(12), b in 0..10u64.pow(12), x: u128, y: u128) {
            let a = Key { account: a, id: EventId::from_value(x) };
            let b = Key { account: b, id: EventId::from_value(y) };
            prop_assert_eq!(Key::from_bytes(a.to_bytes()), a);
            prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
        }
    }
}
