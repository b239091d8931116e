//! What AWS checks before a trail is made or changed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{error::TrailError, name::check_key_prefix, trail::Trail};

/// Most trails that a region may have; a multi-region trail counts in every region (AWS: CloudTrail quotas).
pub const MAX_TRAILS_PER_REGION: usize = 5;
pub(super) fn checked_prefix(prefix: Option<&str>) -> Result<Option<String>, TrailError> {
    let prefix = prefix.filter(|text| !text.is_empty());
    if let Some(text) = prefix {
        check_key_prefix(text)?;
    }
    Ok(prefix.map(str::to_owned))
}

pub(super) fn check_combination(trail: &Trail) -> Result<(), TrailError> {
    if trail.is_multi_region && !trail.include_global_service_events {
        return Err(TrailError::InvalidParameterCombination(
            "Multi-Region trail must include global service events.",
        ));
    }
    Ok(())
}

/// Whether `new` has room in each region in which it would count.
pub(super) fn check_room(others: &[Arc<Trail>], new: &Trail) -> Result<(), TrailError> {
    let multi_region = others.iter().filter(|trail| trail.is_multi_region).count();
    let mut regions = BTreeSet::from([&new.home_region]);
    if new.is_multi_region {
        regions.extend(others.iter().map(|trail| &trail.home_region));
    }
    for region in regions {
        let local =
            others.iter().filter(|trail| !trail.is_multi_region && trail.home_region == *region).count();
        if local + multi_region >= MAX_TRAILS_PER_REGION {
            return Err(TrailError::MaximumNumberOfTrailsExceeded {
                account: new.account,
                region: region.clone(),
                limit: MAX_TRAILS_PER_REGION,
            });
        }
    }
    Ok(())
}
