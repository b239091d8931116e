//! Instance profiles.

use std::sync::Arc;

use opentrail_identity::{Documents, InstanceProfile, Role, instance_profile};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    page::{More, Paging},
    permission,
    shape::{RoleShape, TagShape, tag_shapes, tags},
    subject::{Named, Subject},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

/// The service that a profile's role is passed to.
const EC2: &str = "ec2.amazonaws.com";

/// The answer of operations that show one profile.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsInstanceProfile {
    instance_profile: InstanceProfileShape,
}

/// `InstanceProfile`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceProfileShape {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: Timestamp,
    roles: Vec<RoleShape>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl InstanceProfileShape {
    /// As answers about one profile have it.
    fn of(profile: &InstanceProfile, docs: &impl Documents) -> Self {
        Self { tags: tag_shapes(&profile.tags), ..Self::listed(profile, docs) }
    }

    /// As lists have it: without tags.
    pub(super) fn listed(profile: &InstanceProfile, docs: &impl Documents) -> Self {
        Self {
            path: profile.path.clone(),
            instance_profile_name: profile.name.clone(),
            instance_profile_id: profile.id.clone(),
            arn: profile.arn(),
            create_date: profile.created_at.into(),
            roles: profile.role(docs).iter().map(|role| RoleShape::listed(role)).collect(),
            tags: Vec::new(),
        }
    }
}

/// CreateInstanceProfile
pub(super) struct CreateInstanceProfile;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInstanceProfileInput {
    instance_profile_name: String,
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreateInstanceProfileInput {
    fn arn(&self, call: &Call) -> String {
        let path = self.path.as_deref().unwrap_or("/");
        instance_profile::arn(call.account, path, &self.instance_profile_name)
    }
}

impl Described for CreateInstanceProfile {
    type Input = CreateInstanceProfileInput;
    type Output = ShowsInstanceProfile;
    const NAME: &'static str = "CreateInstanceProfile";

    fn resource(input: &CreateInstanceProfileInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreateInstanceProfileInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
    }
}

impl Write for CreateInstanceProfile {
    async fn prepare(input: &CreateInstanceProfileInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagInstanceProfile", &input.arn(call), &input.tags)
    }

    fn act(
        input: CreateInstanceProfileInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<ShowsInstanceProfile, Fault> {
        let (name, path, tags) = (&input.instance_profile_name, input.path.as_deref(), tags(&input.tags));
        let profile = instance_profile::create(tx, call.account, name, path, &tags, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(ShowsInstanceProfile { instance_profile: InstanceProfileShape::of(&profile, tx) })
    }
}

/// GetInstanceProfile
pub(super) struct GetInstanceProfile;

impl Described for GetInstanceProfile {
    type Input = Named<InstanceProfile>;
    type Output = ShowsInstanceProfile;
    const NAME: &'static str = "GetInstanceProfile";

    fn resource(input: &Named<InstanceProfile>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<InstanceProfile>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Read for GetInstanceProfile {
    async fn act(input: Named<InstanceProfile>, call: &Call) -> Result<ShowsInstanceProfile, Fault> {
        let state = &call.rooms.state;
        let profile =
            instance_profile::get(state, call.account, input.name()).map_err(|e| call.refused(e))?;
        Ok(ShowsInstanceProfile { instance_profile: InstanceProfileShape::of(&profile, state) })
    }
}

/// The answer of operations that list profiles.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListsInstanceProfiles {
    instance_profiles: Vec<InstanceProfileShape>,
    #[serde(flatten)]
    more: More,
}

impl ListsInstanceProfiles {
    fn of(profiles: &[Arc<InstanceProfile>], next: Option<String>, call: &Call) -> Self {
        let shape = |profile: &Arc<InstanceProfile>| InstanceProfileShape::listed(profile, &call.rooms.state);
        Self { instance_profiles: profiles.iter().map(shape).collect(), more: next.into() }
    }
}

/// ListInstanceProfiles
pub(super) struct ListInstanceProfiles;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInstanceProfilesInput {
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListInstanceProfiles {
    type Input = ListInstanceProfilesInput;
    type Output = ListsInstanceProfiles;
    const NAME: &'static str = "ListInstanceProfiles";

    fn resource(input: &ListInstanceProfilesInput, call: &Call) -> Result<String, Fault> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        Ok(instance_profile::arn(call.account, prefix, ""))
    }
}

impl Read for ListInstanceProfiles {
    async fn act(input: ListInstanceProfilesInput, call: &Call) -> Result<ListsInstanceProfiles, Fault> {
        let prefix = input.path_prefix.as_deref();
        let page = instance_profile::list(&call.rooms.state, call.account, prefix, input.paging.request())
            .map_err(|e| call.refused(e))?;
        Ok(ListsInstanceProfiles::of(&page.items, page.next, call))
    }
}

/// ListInstanceProfilesForRole
pub(super) struct ListInstanceProfilesForRole;

#[derive(Deserialize, Serialize)]
pub(super) struct ListInstanceProfilesForRoleInput {
    #[serde(flatten)]
    role: Named<Role>,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for ListInstanceProfilesForRole {
    type Input = ListInstanceProfilesForRoleInput;
    type Output = ListsInstanceProfiles;
    const NAME: &'static str = "ListInstanceProfilesForRole";

    fn resource(input: &ListInstanceProfilesForRoleInput, call: &Call) -> Result<String, Fault> {
        Ok(input.role.arn(call))
    }

    fn context(input: &ListInstanceProfilesForRoleInput, call: &Call, context: &mut Context) {
        input.role.describe(call, context);
    }
}

impl Read for ListInstanceProfilesForRole {
    async fn act(
        input: ListInstanceProfilesForRoleInput,
        call: &Call,
    ) -> Result<ListsInstanceProfiles, Fault> {
        let (state, name) = (&call.rooms.state, input.role.name());
        let page = instance_profile::list_for_role(state, call.account, name, input.paging.request())
            .map_err(|e| call.refused(e))?;
        Ok(ListsInstanceProfiles::of(&page.items, page.next, call))
    }
}

/// DeleteInstanceProfile
pub(super) struct DeleteInstanceProfile;

impl Described for DeleteInstanceProfile {
    type Input = Named<InstanceProfile>;
    type Output = ();
    const NAME: &'static str = "DeleteInstanceProfile";

    fn resource(input: &Named<InstanceProfile>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<InstanceProfile>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteInstanceProfile {
    fn act(input: Named<InstanceProfile>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        instance_profile::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))
    }
}

/// A profile and a role.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProfileAndRole {
    #[serde(flatten)]
    profile: Named<InstanceProfile>,
    role_name: String,
}

impl ProfileAndRole {
    fn role(&self, call: &Call) -> Result<Named<Role>, Fault> {
        Role::check(&self.role_name).map_err(|text| call.fault(Common::Invalid, text))?;
        Ok(Named::new(self.role_name.as_str()))
    }
}

/// AddRoleToInstanceProfile: whoever starts a machine with the profile has the role, so that adding it needs the
/// permission to pass it on.
pub(super) struct AddRoleToInstanceProfile;

impl Described for AddRoleToInstanceProfile {
    type Input = ProfileAndRole;
    type Output = ();
    const NAME: &'static str = "AddRoleToInstanceProfile";

    fn resource(input: &ProfileAndRole, call: &Call) -> Result<String, Fault> {
        Ok(input.profile.arn(call))
    }

    fn context(input: &ProfileAndRole, call: &Call, context: &mut Context) {
        input.profile.describe(call, context);
    }
}

impl Write for AddRoleToInstanceProfile {
    async fn prepare(input: &ProfileAndRole, call: &Call) -> Result<(), Fault> {
        let role = input.role(call)?;
        permission::also(call, "PassRole", &role.arn(call), |context| {
            role.describe(call, context);
            context.set("iam:PassedToService", EC2);
        })
    }

    fn act(input: ProfileAndRole, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let (profile, role) = (input.profile.name(), &input.role_name);
        instance_profile::add_role(tx, call.account, profile, role).map_err(|e| call.refused(e))
    }
}

/// RemoveRoleFromInstanceProfile
pub(super) struct RemoveRoleFromInstanceProfile;

impl Described for RemoveRoleFromInstanceProfile {
    type Input = ProfileAndRole;
    type Output = ();
    const NAME: &'static str = "RemoveRoleFromInstanceProfile";

    fn resource(input: &ProfileAndRole, call: &Call) -> Result<String, Fault> {
        Ok(input.profile.arn(call))
    }

    fn context(input: &ProfileAndRole, call: &Call, context: &mut Context) {
        input.profile.describe(call, context);
    }
}

impl Write for RemoveRoleFromInstanceProfile {
    fn act(input: ProfileAndRole, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let role = input.role(call)?;
        let profile = input.profile.name();
        instance_profile::remove_role(tx, call.account, profile, role.name()).map_err(|e| call.refused(e))
    }
}
