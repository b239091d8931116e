//! Tags on the root, units, accounts, policies and the resource policy. Keys that differ in case are two.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use opentrail_state::Transaction;

use super::{
    document::Organization,
    limits,
    node::Node,
    policy::{self, ServiceControlPolicy},
    refusal::{Absent, Constraint, InvalidReason, OrganizationRefusal},
};
use crate::{
    documents::Documents,
    limits::{TAG_KEY_CHARS, TAG_VALUE_CHARS},
    tags::Tag,
};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// Whether a set of tags, as a request gives it, may be put on something.
pub(super) fn check(tags: &[Tag]) -> Result<()> {
    let mut seen = HashSet::new();
    for tag in tags {
        check_text("Key", &tag.key, 1, TAG_KEY_CHARS)?;
        check_text("Value", &tag.value, 0, TAG_VALUE_CHARS)?;
        check_own(&tag.key)?;
        if !seen.insert(&tag.key) {
            let message = "Tag keys must be unique among the tags attached to the same entity.";
            return Err(OrganizationRefusal::invalid(InvalidReason::DuplicateTagKey, message));
        }
    }
    if tags.len() > limits::TAGS { Err(Constraint::Tags.into()) } else { Ok(()) }
}

/// Whether the key is not one that AWS keeps for itself.
fn check_own(key: &str) -> Result<()> {
    if !key.to_ascii_lowercase().starts_with("aws:") {
        return Ok(());
    }
    let message =
        "You specified a tag key that is a system tag. You can't add, edit, or delete system tag keys.";
    Err(OrganizationRefusal::invalid(InvalidReason::InvalidSystemTagsParameter, message))
}

fn check_text(member: &str, value: &str, least: usize, most: usize) -> Result<()> {
    super::form::check_length(member, value, least, most)?;
    let allowed =
        |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    if value.chars().all(allowed) {
        return Ok(());
    }
    let message =
        format!("You provided a value for {member} of a tag that doesn't match the required pattern.");
    Err(OrganizationRefusal::invalid(InvalidReason::InvalidPattern, message))
}

/// What has tags.
enum Tagged {
    Node(Node),
    Policy(Arc<ServiceControlPolicy>),
    ResourcePolicy,
}

impl Tagged {
    fn find(
        docs: &impl Documents,
        organization: &Arc<Organization>,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let found = if id.starts_with("p-") {
            policy::find(docs, organization, id).filter(|policy| !policy.aws_managed).map(Self::Policy)
        } else if id.starts_with("rp-") {
            let own = organization.resource_policy.as_ref().filter(|policy| policy.id == id);
            own.map(|_| Self::ResourcePolicy)
        } else {
            Node::find(docs, organization, id, now).map(Self::Node)
        };
        found.ok_or_else(|| Absent::Target.into())
    }

    fn tags(&self, organization: &Organization) -> Vec<Tag> {
        match self {
            Self::Node(node) => node.tags().to_vec(),
            Self::Policy(policy) => policy.tags.clone(),
            Self::ResourcePolicy => {
                organization.resource_policy.as_ref().map(|policy| policy.tags.clone()).unwrap_or_default()
            }
        }
    }

    fn set(&self, tx: &mut Transaction, organization: &Organization, tags: Vec<Tag>) {
        match self {
            Self::Node(node) => node.set_tags(tx, tags),
            Self::Policy(policy) => {
                ServiceControlPolicy { tags, ..ServiceControlPolicy::clone(policy) }.save(tx)
            }
            Self::ResourcePolicy => {
                let mut changed = Organization::clone(organization);
                if let Some(policy) = &mut changed.resource_policy {
                    policy.tags = tags;
                }
                changed.save(tx);
            }
        }
    }
}

/// The tags of something.
///
/// # Errors
/// `TargetNotFound`.
pub fn list(
    docs: &impl Documents,
    organization: &Arc<Organization>,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Tag>> {
    Ok(Tagged::find(docs, organization, id, now)?.tags(organization))
}

/// Puts tags on something; a key that is there already gets the new value.
///
/// # Errors
/// `TargetNotFound`, `InvalidInput`, `ConstraintViolation` beyond [`limits::TAGS`].
pub fn tag(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    id: &str,
    new: &[Tag],
    now: DateTime<Utc>,
) -> Result<()> {
    check(new)?;
    let tagged = Tagged::find(tx, organization, id, now)?;
    let mut tags = tagged.tags(organization);
    for tag in new {
        match tags.iter_mut().find(|old| old.key == tag.key) {
            Some(old) => old.value.clone_from(&tag.value),
            None => tags.push(tag.clone()),
        }
    }
    if tags.len() > limits::TAGS {
        return Err(Constraint::Tags.into());
    }
    tagged.set(tx, organization, tags);
    Ok(())
}

/// Takes tags off something; keys that are not there are no error.
///
/// # Errors
/// `TargetNotFound`, `InvalidInput`.
pub fn untag(
    tx: &mut Transaction,
    organization: &Arc<Organization>,
    id: &str,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    for key in keys {
        check_text("TagKeys", key, 1, TAG_KEY_CHARS)?;
        check_own(key)?;
    }
    let tagged = Tagged::find(tx, organization, id, now)?;
    let mut tags = tagged.tags(organization);
    tags.retain(|tag| !keys.contains(&tag.key));
    tagged.set(tx, organization, tags);
    Ok(())
}
