//! Organizational units, and who is in what.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_state::Transaction;

use super::{
    document::{Member, Organization, Unit, is_shown, members, prefix, unit, units_above, within},
    form, found, ids, limits,
    refusal::{Absent, Already, Constraint, Held, InvalidReason, OrganizationRefusal},
    tagging,
};
use crate::{documents::Documents, tags::Tag};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// Creates a unit in the root or in another unit.
///
/// # Errors
/// `ParentNotFound`, `DuplicateOrganizationalUnit`, `InvalidInput`; `ConstraintViolation` beyond
/// [`limits::UNITS`], [`limits::UNIT_DEPTH`] and [`limits::TAGS`].
pub fn create(
    tx: &mut Transaction,
    organization: &Organization,
    parent: &str,
    name: &str,
    tags: &[Tag],
) -> Result<Unit> {
    form::check_name(name)?;
    tagging::check(tags)?;
    check_parent(tx, organization, parent)?;
    let above = units_above(tx, organization, parent).ok_or(Absent::Parent)?;
    if above.len() >= limits::UNIT_DEPTH {
        return Err(Constraint::UnitDepth.into());
    }
    if tx.count::<Unit>(&prefix(&organization.id)) >= limits::UNITS {
        return Err(Constraint::Units.into());
    }
    check_free(tx, organization, parent, name)?;
    let mut id = ids::unit(&organization.root.id);
    while tx.contains::<Unit>(&within(&organization.id, &id)) {
        id = ids::unit(&organization.root.id);
    }
    let unit = Unit {
        id,
        organization: organization.id.clone(),
        parent: parent.to_owned(),
        name: name.to_owned(),
        policies: found::first_policies(organization),
        tags: tags.to_vec(),
    };
    unit.save(tx);
    Ok(unit)
}

/// A unit.
///
/// # Errors
/// `OrganizationalUnitNotFound`.
pub fn get(docs: &impl Documents, organization: &Organization, id: &str) -> Result<Arc<Unit>> {
    unit(docs, organization, id).ok_or_else(|| Absent::Unit.into())
}

/// Gives a unit another name.
///
/// # Errors
/// `OrganizationalUnitNotFound`, `DuplicateOrganizationalUnit`, `InvalidInput`.
pub fn rename(
    tx: &mut Transaction,
    organization: &Organization,
    id: &str,
    name: Option<&str>,
) -> Result<Unit> {
    let mut unit = Unit::clone(&*get(tx, organization, id)?);
    if let Some(name) = name.filter(|name| *name != unit.name) {
        form::check_name(name)?;
        check_free(tx, organization, &unit.parent, name)?;
        unit.name = name.to_owned();
        unit.save(tx);
    }
    Ok(unit)
}

/// Deletes a unit that nothing is in. Policies attached to it are not any more.
///
/// # Errors
/// `OrganizationalUnitNotFound`, `OrganizationalUnitNotEmpty`.
pub fn delete(tx: &mut Transaction, organization: &Organization, id: &str, now: DateTime<Utc>) -> Result<()> {
    get(tx, organization, id)?;
    let accounts = accounts_in(tx, organization, id, now);
    if !units_in(tx, organization, id).is_empty() || !accounts.is_empty() {
        return Err(Held::Unit.into());
    }
    // Accounts that are not shown any more are in a unit that there is.
    for member in members(tx, organization).iter().filter(|member| member.parent == id) {
        Member { parent: organization.root.id.clone(), ..Member::clone(member) }.save(tx);
    }
    tx.delete::<Unit>(&within(&organization.id, id));
    Ok(())
}

/// Whether there is a root or unit of this id.
///
/// # Errors
/// `InvalidInput` for what is no id of either, `ParentNotFound`.
pub fn check_parent(docs: &impl Documents, organization: &Organization, id: &str) -> Result<()> {
    if !id.starts_with("r-") && !id.starts_with("ou-") {
        let message = "You provided a value for ParentId that doesn't match the required pattern.";
        return Err(OrganizationRefusal::invalid(InvalidReason::InvalidPattern, message));
    }
    if is_parent(docs, organization, id) { Ok(()) } else { Err(Absent::Parent.into()) }
}

/// Whether there is a root or unit of this id.
pub(super) fn is_parent(docs: &impl Documents, organization: &Organization, id: &str) -> bool {
    id == organization.root.id || unit(docs, organization, id).is_some()
}

/// The units that are in a root or unit itself, in the order of their ids.
pub fn units_in(docs: &impl Documents, organization: &Organization, parent: &str) -> Vec<Arc<Unit>> {
    let units = docs.documents::<Unit>(&prefix(&organization.id)).into_iter().map(|(_, unit)| unit);
    units.filter(|unit| unit.parent == parent).collect()
}

/// The accounts that are in a root or unit itself, in the order of their ids.
pub fn accounts_in(
    docs: &impl Documents,
    organization: &Organization,
    parent: &str,
    now: DateTime<Utc>,
) -> Vec<Arc<Member>> {
    let members = members(docs, organization).into_iter();
    members.filter(|member| member.parent == parent && is_shown(docs, member, now)).collect()
}

/// The id of the root or unit that a unit or an account is in.
///
/// # Errors
/// `ChildNotFound`.
pub fn parent_of(
    docs: &impl Documents,
    organization: &Organization,
    child: &str,
    now: DateTime<Utc>,
) -> Result<String> {
    if child.starts_with("ou-") {
        return unit(docs, organization, child).map(|unit| unit.parent.clone()).ok_or(Absent::Child.into());
    }
    let account = child.parse().map_err(|_| Absent::Child)?;
    let member = super::document::member(docs, organization, account, now).ok_or(Absent::Child)?;
    Ok(member.parent.clone())
}

fn check_free(docs: &impl Documents, organization: &Organization, parent: &str, name: &str) -> Result<()> {
    if units_in(docs, organization, parent).iter().any(|unit| unit.name == name) {
        Err(Already::Unit.into())
    } else {
        Ok(())
    }
}
