//! The service control policies that bound an account now.

use opentrail_event::AccountId;
use opentrail_policy::Policy;

use super::{
    document::{Member, Organization, PolicyType, units_above},
    policy,
};
use crate::{documents::Documents, in_force::DENY_ALL};

/// The service control policies of an account, one list for each level from the root down to the account itself.
/// Nothing where they do not apply: for an account in no organization, for the management account, and where the
/// policy type is not enabled.
///
/// Policies are read once for as long as their documents do not change, so this is a few look-ups.
pub fn service_control_levels(docs: &impl Documents, account: AccountId) -> Vec<Vec<Policy>> {
    let Some(member) = docs.document::<Member>(account.as_str()) else { return Vec::new() };
    let Some(organization) = docs.document::<Organization>(&member.organization) else {
        return vec![vec![DENY_ALL.clone()]];
    };
    if organization.management_account == account || !organization.has_enabled(PolicyType::ServiceControl) {
        return Vec::new();
    }
    let Some(units) = units_above(docs, &organization, &member.parent) else {
        return vec![vec![DENY_ALL.clone()]];
    };
    let level = |ids: &[String]| ids.iter().map(|id| in_force(docs, &organization, id)).collect();
    let mut levels = Vec::with_capacity(units.len() + 2);
    levels.push(level(&organization.root.policies));
    levels.extend(units.iter().map(|unit| level(&unit.policies)));
    levels.push(level(&member.policies));
    levels
}

/// The ARN of a policy among [`service_control_levels`], by its level and its place in it.
pub(crate) fn service_control_arn(
    docs: &impl Documents,
    account: AccountId,
    level: usize,
    place: usize,
) -> Option<String> {
    let member = docs.document::<Member>(account.as_str())?;
    let organization = docs.document::<Organization>(&member.organization)?;
    let units = units_above(docs, &organization, &member.parent)?;
    let ids = match level.checked_sub(1) {
        None => &organization.root.policies,
        Some(unit) => units.get(unit).map_or(&member.policies, |unit| &unit.policies),
    };
    policy::find(docs, &organization, ids.get(place)?).map(|policy| policy.arn())
}

fn in_force(docs: &impl Documents, organization: &Organization, id: &str) -> Policy {
    let policy = policy::find(docs, organization, id);
    policy.and_then(|policy| policy.in_force().cloned()).unwrap_or_else(|| DENY_ALL.clone())
}
