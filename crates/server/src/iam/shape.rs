//! The shapes that several operations answer with.

use opentrail_identity::{Entity, Tag, User};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

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

/// `User`
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserShape {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl UserShape {
    /// As single answers have it.
    pub(super) fn of(user: &User) -> Self {
        Self { tags: user.tags.iter().map(TagShape::from).collect(), ..Self::listed(user) }
    }

    /// As lists have it: without tags.
    pub(super) fn listed(user: &User) -> Self {
        Self {
            path: user.path.clone(),
            user_name: user.name.clone(),
            user_id: user.id.clone(),
            arn: user.arn(),
            create_date: user.created_at.into(),
            permissions_boundary: user.permissions_boundary.as_deref().map(BoundaryShape::of),
            tags: Vec::new(),
        }
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
    pub(super) fn of(arn: &str) -> Self {
        Self { permissions_boundary_type: "Policy", permissions_boundary_arn: arn.to_owned() }
    }
}
