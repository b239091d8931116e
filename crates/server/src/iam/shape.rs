//! The shapes that several operations answer with.

use opentrail_identity::{
    Entity, Group, LastUse, Role, Tag, User, attach::AttachedPolicy, managed_policy::PolicySummary,
};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::encoded;

/// `Tag`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagShape {
    pub(super) key: String,
    pub(super) value: String,
}

impl From<&Tag> for TagShape {
    fn from(tag: &Tag) -> Self {
        Self { key: tag.key.clone(), value: tag.value.clone() }
    }
}

/// Tags as the domain has them.
pub(super) fn tags(shapes: &[TagShape]) -> Vec<Tag> {
    shapes.iter().map(|tag| Tag::new(&tag.key, &tag.value)).collect()
}

/// Tags as answers have them.
pub(super) fn tag_shapes(tags: &[Tag]) -> Vec<TagShape> {
    tags.iter().map(TagShape::from).collect()
}

/// `User`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserShape {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    password_last_used: Option<Timestamp>,
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl UserShape {
    /// As answers about one user have it.
    pub(super) fn of(user: &User) -> Self {
        Self {
            permissions_boundary: BoundaryShape::of(user),
            tags: tag_shapes(&user.tags),
            ..Self::listed(user)
        }
    }

    /// As lists have it: without tags and boundary.
    pub(super) fn listed(user: &User) -> Self {
        Self {
            path: user.path.clone(),
            user_name: user.name.clone(),
            user_id: user.id.clone(),
            arn: user.arn(),
            create_date: user.created_at.into(),
            password_last_used: user.password_last_used.map(Timestamp::from),
            permissions_boundary: None,
            tags: Vec::new(),
        }
    }
}

/// `Group`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupShape {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Timestamp,
}

impl From<&Group> for GroupShape {
    fn from(group: &Group) -> Self {
        Self {
            path: group.path.clone(),
            group_name: group.name.clone(),
            group_id: group.id.clone(),
            arn: group.arn(),
            create_date: group.created_at.into(),
        }
    }
}

/// `Role`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleShape {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Timestamp,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<u32>,
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
    role_last_used: Option<LastUsedShape>,
}

impl RoleShape {
    /// As `GetRole` has it: with its last use, empty if none is known.
    pub(super) fn used(role: &Role, last: Option<LastUse>) -> Self {
        Self { role_last_used: Some(last.into()), ..Self::of(role) }
    }

    /// As `CreateRole` has it: without description and longest session, as real records show.
    pub(super) fn created(role: &Role) -> Self {
        Self { description: None, max_session_duration: None, ..Self::of(role) }
    }

    /// As other answers about one role have it.
    pub(super) fn of(role: &Role) -> Self {
        Self {
            permissions_boundary: BoundaryShape::of(role),
            tags: tag_shapes(&role.tags),
            ..Self::listed(role)
        }
    }

    /// As lists have it: without tags, boundary and last use.
    pub(super) fn listed(role: &Role) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            arn: role.arn(),
            create_date: role.created_at.into(),
            assume_role_policy_document: encoded(role.trust_policy.as_str()),
            description: role.description.clone(),
            max_session_duration: Some(role.max_session_duration),
            permissions_boundary: None,
            tags: Vec::new(),
            role_last_used: None,
        }
    }
}

/// `RoleLastUsed`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LastUsedShape {
    last_used_date: Option<Timestamp>,
    region: Option<String>,
}

impl From<Option<LastUse>> for LastUsedShape {
    fn from(last: Option<LastUse>) -> Self {
        let (last_used_date, region) = last.map(|last| (last.at.into(), last.region.to_string())).unzip();
        Self { last_used_date, region }
    }
}

/// `Policy`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyShape {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: usize,
    permissions_boundary_usage_count: usize,
    is_attachable: bool,
    description: Option<String>,
    create_date: Timestamp,
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl PolicyShape {
    /// As answers about one policy have it.
    pub(super) fn of(policy: PolicySummary) -> Self {
        let tags = tag_shapes(&policy.tags);
        Self { tags, ..Self::described(policy) }
    }

    /// As `GetAccountAuthorizationDetails` has it: without tags.
    pub(super) fn described(policy: PolicySummary) -> Self {
        let description = policy.description.clone();
        Self { description, ..Self::listed(policy) }
    }

    /// As lists have it: without description and tags.
    pub(super) fn listed(policy: PolicySummary) -> Self {
        Self {
            policy_name: policy.name,
            policy_id: policy.id,
            arn: policy.arn,
            path: policy.path,
            default_version_id: policy.default_version_id,
            attachment_count: policy.attachment_count,
            permissions_boundary_usage_count: policy.permissions_boundary_usage_count,
            is_attachable: true,
            description: None,
            create_date: policy.created_at.into(),
            update_date: policy.updated_at.into(),
            tags: Vec::new(),
        }
    }
}

/// `AttachedPolicy`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedShape {
    policy_name: String,
    policy_arn: String,
}

impl From<AttachedPolicy> for AttachedShape {
    fn from(policy: AttachedPolicy) -> Self {
        Self { policy_name: policy.name, policy_arn: policy.arn }
    }
}

/// `AttachedPermissionsBoundary`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BoundaryShape {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl BoundaryShape {
    pub(super) fn of(entity: &impl Entity) -> Option<Self> {
        entity.permissions_boundary().map(|arn| Self {
            permissions_boundary_type: "PermissionsBoundaryPolicy",
            permissions_boundary_arn: arn.to_owned(),
        })
    }
}
