//! The regions an account's events come from. Each becomes a folder in the buckets of trails, a chain of digests and
//! a signing key; so what may be invented in an upload has a limit.

use std::collections::{HashMap, HashSet};

use opentrail_event::AccountId;
use parking_lot::Mutex;

/// Regions of one account's events between two starts of the server; AWS has about 40.
pub(crate) const MAX_REGIONS: usize = 128;

/// The regions seen since the start.
#[derive(Default)]
pub(crate) struct Regions(Mutex<HashMap<AccountId, HashSet<Box<str>>>>);

impl Regions {
    /// Whether an event of this region is taken: the region is known, or there is room for one more.
    pub(crate) fn take(&self, owner: AccountId, region: &str) -> bool {
        let mut accounts = self.0.lock();
        let known = accounts.entry(owner).or_default();
        known.contains(region) || (known.len() < MAX_REGIONS && known.insert(region.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REGIONS, Regions};

    #[test]
    fn known_regions_are_taken_when_new_ones_are_not() {
        let regions = Regions::default();
        let owner = "123456789012".parse().expect("an account");
        assert!((0..MAX_REGIONS).all(|n| regions.take(owner, &format!("region-{n}"))));
        assert!(regions.take(owner, "region-0"));
        assert!(!regions.take(owner, "one-more"));
        assert!(regions.take("210987654321".parse().expect("another"), "one-more"));
    }
}
