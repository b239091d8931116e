//! GetAccountAuthorizationDetails: users, groups, roles and policies with all that they may, in pages.

use opentrail_identity::{
    Entity, Group, IdentityError, Page, PageRequest, Permissions, Role, User,
    attach::AttachedPolicy,
    group, instance_profile, limits,
    managed_policy::{self, PolicyFilter, PolicyScope, PolicySummary},
    role, user,
};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    choice::choose,
    document::encoded,
    instance_profile::InstanceProfileShape,
    page::{More, Paging},
    policy_version::VersionShape,
    shape::{AttachedShape, BoundaryShape, LastUsedShape, PolicyShape, TagShape, tag_shapes},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read},
};

pub(super) struct GetAccountAuthorizationDetails;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    filter: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    user_detail_list: Vec<UserDetail>,
    group_detail_list: Vec<GroupDetail>,
    role_detail_list: Vec<RoleDetail>,
    policies: Vec<PolicyDetail>,
    #[serde(flatten)]
    more: More,
}

/// `UserDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserDetail {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    user_policy_list: Vec<InlineDetail>,
    group_list: Vec<String>,
    attached_managed_policies: Vec<AttachedShape>,
    permissions_boundary: Option<BoundaryShape>,
    tags: Vec<TagShape>,
}

/// `GroupDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupDetail {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Timestamp,
    group_policy_list: Vec<InlineDetail>,
    attached_managed_policies: Vec<AttachedShape>,
}

/// `RoleDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Timestamp,
    assume_role_policy_document: String,
    instance_profile_list: Vec<InstanceProfileShape>,
    role_policy_list: Vec<InlineDetail>,
    attached_managed_policies: Vec<AttachedShape>,
    permissions_boundary: Option<BoundaryShape>,
    tags: Vec<TagShape>,
    role_last_used: LastUsedShape,
}

/// `ManagedPolicyDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDetail {
    #[serde(flatten)]
    policy: PolicyShape,
    policy_version_list: Vec<VersionShape>,
}

/// `PolicyDetail`: an inline policy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InlineDetail {
    policy_name: String,
    policy_document: String,
}

fn inline(permissions: &Permissions) -> Vec<InlineDetail> {
    let form = |(name, policy): (&String, &opentrail_identity::PolicyText)| InlineDetail {
        policy_name: name.clone(),
        policy_document: encoded(policy.as_str()),
    };
    permissions.inline.iter().map(form).collect()
}

fn attached(permissions: &Permissions) -> Vec<AttachedShape> {
    let form = |arn: &String| {
        let name = arn.rsplit('/').next().unwrap_or(arn).to_owned();
        AttachedShape::from(AttachedPolicy { name, arn: arn.clone() })
    };
    permissions.attached.iter().map(form).collect()
}

fn user_detail(user: &User, call: &Call) -> Result<UserDetail, IdentityError> {
    let whole = PageRequest { marker: None, max_items: Some(limits::GROUPS_PER_USER) };
    let groups = group::of_user(&call.rooms.state, call.account, &user.name, whole)?;
    Ok(UserDetail {
        path: user.path.clone(),
        user_name: user.name.clone(),
        user_id: user.id.clone(),
        arn: user.arn(),
        create_date: user.created_at.into(),
        user_policy_list: inline(&user.permissions),
        group_list: groups.items.iter().map(|group| group.name.clone()).collect(),
        attached_managed_policies: attached(&user.permissions),
        permissions_boundary: BoundaryShape::of(user),
        tags: tag_shapes(&user.tags),
    })
}

fn group_detail(group: &Group) -> GroupDetail {
    GroupDetail {
        path: group.path.clone(),
        group_name: group.name.clone(),
        group_id: group.id.clone(),
        arn: group.arn(),
        create_date: group.created_at.into(),
        group_policy_list: inline(&group.permissions),
        attached_managed_policies: attached(&group.permissions),
    }
}

fn role_detail(role: &Role, call: &Call) -> Result<RoleDetail, IdentityError> {
    let state = &call.rooms.state;
    let whole = PageRequest { marker: None, max_items: Some(limits::INSTANCE_PROFILES_PER_ACCOUNT) };
    let profiles = instance_profile::list_for_role(state, call.account, &role.name, whole)?.items;
    let profiles = profiles.iter().map(|profile| InstanceProfileShape::listed(profile, state)).collect();
    Ok(RoleDetail {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role.arn(),
        create_date: role.created_at.into(),
        assume_role_policy_document: encoded(role.trust_policy.as_str()),
        instance_profile_list: profiles,
        role_policy_list: inline(&role.permissions),
        attached_managed_policies: attached(&role.permissions),
        permissions_boundary: BoundaryShape::of(role),
        tags: tag_shapes(&role.tags),
        role_last_used: call.rooms.identity.role_last_used(role).into(),
    })
}

fn policy_detail(policy: PolicySummary, call: &Call) -> Result<PolicyDetail, IdentityError> {
    let whole = PageRequest { marker: None, max_items: Some(limits::VERSIONS_PER_POLICY) };
    let versions = managed_policy::list_versions(&call.rooms.state, call.account, &policy.arn, whole)?;
    Ok(PolicyDetail {
        policy: PolicyShape::described(policy),
        policy_version_list: versions.items.into_iter().map(VersionShape::whole).collect(),
    })
}

/// The kinds of details, in the order in which the pages have them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Users,
    Groups,
    Roles,
    LocalPolicies,
    AwsPolicies,
}

const SECTIONS: &[(&str, Section)] = &[
    ("User", Section::Users),
    ("Group", Section::Groups),
    ("Role", Section::Roles),
    ("LocalManagedPolicy", Section::LocalPolicies),
    ("AWSManagedPolicy", Section::AwsPolicies),
];

impl Section {
    /// Adds a page of this kind; how many there were, and the marker of the next.
    fn add(
        self,
        call: &Call,
        page: PageRequest<'_>,
        output: &mut Output,
    ) -> Result<(usize, Option<String>), IdentityError> {
        let (docs, account) = (&call.rooms.state, call.account);
        let policies = |scope| {
            let filter = PolicyFilter { scope, ..PolicyFilter::default() };
            managed_policy::list(docs, account, filter, page)
        };
        Ok(match self {
            Self::Users => {
                put(user::list(docs, account, None, page)?, &mut output.user_detail_list, |user| {
                    user_detail(&user, call)
                })?
            }
            Self::Groups => {
                let found = group::list(docs, account, None, page)?;
                put(found, &mut output.group_detail_list, |group| Ok(group_detail(&group)))?
            }
            Self::Roles => {
                let found = role::list(docs, account, None, page)?;
                put(found, &mut output.role_detail_list, |role| role_detail(&role, call))?
            }
            Self::LocalPolicies => put(policies(PolicyScope::Local)?, &mut output.policies, |policy| {
                policy_detail(policy, call)
            })?,
            Self::AwsPolicies => {
                put(policies(PolicyScope::Aws)?, &mut output.policies, |policy| policy_detail(policy, call))?
            }
        })
    }
}

fn put<T, D>(
    page: Page<T>,
    list: &mut Vec<D>,
    detail: impl FnMut(T) -> Result<D, IdentityError>,
) -> Result<(usize, Option<String>), IdentityError> {
    let count = page.items.len();
    let details: Vec<D> = page.items.into_iter().map(detail).collect::<Result<_, _>>()?;
    list.extend(details);
    Ok((count, page.next))
}

/// Where a page begins: the kind's place among those asked for, and the marker within the kind. Spelled
/// `PLACE:MARKER`.
fn start<'a>(marker: Option<&'a str>, call: &Call) -> Result<(usize, Option<&'a str>), Fault> {
    let Some(marker) = marker else { return Ok((0, None)) };
    let parts = marker.split_once(':').and_then(|(place, inner)| Some((place.parse().ok()?, inner)));
    let (place, inner) = parts.filter(|(place, _)| *place < SECTIONS.len()).ok_or_else(|| {
        let text = "The specified value for marker is invalid. It was not given by this list.";
        call.fault(Common::Invalid, text)
    })?;
    Ok((place, Some(inner).filter(|inner| !inner.is_empty())))
}

impl Described for GetAccountAuthorizationDetails {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetAccountAuthorizationDetails";
}

impl Read for GetAccountAuthorizationDetails {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let asked = input.filter.iter().map(|word| choose(call, "filter", word, SECTIONS));
        let asked: Vec<Section> = asked.collect::<Result<_, _>>()?;
        let wanted = |section: Section| asked.is_empty() || asked.contains(&section);
        let (first, mut marker) = start(input.paging.marker.as_deref(), call)?;
        let mut room = input.paging.max_items.unwrap_or(limits::DEFAULT_PAGE);
        let mut output = Output::default();
        let sections = SECTIONS.iter().enumerate().skip(first).filter(|(_, (_, section))| wanted(*section));
        for (place, (_, section)) in sections {
            // A full page may end between two kinds; the next one then begins with a kind's beginning.
            if room == 0 && input.paging.max_items != Some(0) {
                output.more = Some(format!("{place}:")).into();
                break;
            }
            let page = PageRequest { marker: marker.take(), max_items: Some(room) };
            let (count, next) = section.add(call, page, &mut output).map_err(|e| call.refused(e))?;
            if let Some(next) = next {
                output.more = Some(format!("{place}:{next}")).into();
                break;
            }
            room -= count;
        }
        Ok(output)
    }
}
