//! The numbers under which the index knows values.
//!
//! A row is listed, for each value that it has, under a key made of its scope (owner, category, region) and
//! the value. Keys are 64-bit hashes: two values may share one, so a lookup always checks the record itself.

use opentrail_event::{AccountId, Category, Event, ResourceName};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::attribute::{Attribute, each_value};

/// The value that every row has.
pub(crate) const EVERY: u64 = 0;

/// The longest region name (`opentrail_event::Region`).
pub(crate) const MAX_REGION: usize = 32;

/// Owner, category and region of a row, in the form the index sorts and stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Scope([u8; Scope::BYTES]);

impl Scope {
    const PREFIX: usize = 12 + 1;
    /// Bytes of a scope on disk: owner, category, region filled up with zeros.
    pub(crate) const BYTES: usize = Self::PREFIX + MAX_REGION;

    pub(crate) fn new(owner: &AccountId, category: Category, region: &str) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..12].copy_from_slice(owner.as_str().as_bytes());
        bytes[12] = category_code(category);
        let region = &region.as_bytes()[..region.len().min(MAX_REGION)];
        bytes[Self::PREFIX..Self::PREFIX + region.len()].copy_from_slice(region);
        Self(bytes)
    }

    /// The scope of an owner's events of a category in all regions. No event has it as its own, for a region's
    /// name is not empty.
    pub(crate) fn everywhere(owner: &AccountId, category: Category) -> Self {
        Self::new(owner, category, "")
    }

    /// The same without its region.
    pub(crate) fn without_region(mut self) -> Self {
        self.0[Self::PREFIX..].fill(0);
        self
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Whether both have the same owner and category.
    pub(crate) fn same_owner_and_category(&self, other: &Self) -> bool {
        self.0[..Self::PREFIX] == other.0[..Self::PREFIX]
    }

    /// The key of a value in this scope.
    pub(crate) fn key(&self, value: u64) -> u64 {
        xxh3_64_with_seed(&self.0, value)
    }
}

pub(crate) fn category_code(category: Category) -> u8 {
    match category {
        Category::Management => 0,
        Category::Data => 1,
        Category::Insight => 2,
        Category::NetworkActivity => 3,
        Category::Other => 4,
    }
}

/// The number of an attribute's value, the same in all scopes.
pub(crate) fn value_hash(attribute: Attribute, value: &str) -> u64 {
    xxh3_64_with_seed(value.as_bytes(), 1 + attribute as u64)
}

/// The numbers of all values that an event has, each once, behind what `into` has.
pub(crate) fn value_hashes(event: &Event, resources: &[ResourceName], into: &mut Vec<u64>) {
    let start = into.len();
    each_value(event, resources, |attribute, value| {
        let hash = value_hash(attribute, value);
        // Only resources repeat values, and they are few.
        if !into[start..].contains(&hash) {
            into.push(hash);
        }
    });
}

/// An account's twelve digits as a number.
pub(crate) fn account_number(digits: &str) -> u64 {
    digits.bytes().fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit & 15)))
}

/// A checksum of some bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}
