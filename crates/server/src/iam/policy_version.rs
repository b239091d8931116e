//! Versions of managed policies.

use opentrail_identity::{
    ManagedPolicy,
    managed_policy::{self, PolicyVersion},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    document::encoded,
    page::{More, Paging},
    subject::Named,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// `PolicyVersion`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionShape {
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: Timestamp,
}

impl VersionShape {
    /// With the document.
    pub(super) fn whole(version: PolicyVersion) -> Self {
        Self { document: Some(encoded(&version.document)), ..Self::listed(version) }
    }

    /// As lists and `CreatePolicyVersion` have it: without the document.
    fn listed(version: PolicyVersion) -> Self {
        Self {
            document: None,
            version_id: version.version_id,
            is_default_version: version.is_default,
            create_date: version.created_at.into(),
        }
    }
}

/// The answer of operations that show one version.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShowsVersion {
    policy_version: VersionShape,
}

/// The input of operations on one version.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneVersion {
    #[serde(flatten)]
    policy: Named<ManagedPolicy>,
    version_id: String,
}

/// CreatePolicyVersion
pub(super) struct CreatePolicyVersion;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicyVersionInput {
    #[serde(flatten)]
    policy: Named<ManagedPolicy>,
    policy_document: String,
    set_as_default: Option<bool>,
}

impl Described for CreatePolicyVersion {
    type Input = CreatePolicyVersionInput;
    type Output = ShowsVersion;
    const NAME: &'static str = "CreatePolicyVersion";

    fn resource(input: &CreatePolicyVersionInput, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &CreatePolicyVersionInput, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Write for CreatePolicyVersion {
    fn act(
        input: CreatePolicyVersionInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<ShowsVersion, Fault> {
        let CreatePolicyVersionInput { policy, policy_document, set_as_default } = input;
        let default = set_as_default.unwrap_or(false);
        let (arn, at) = (policy.name(), call.arrival.at);
        let version = managed_policy::create_version(tx, call.account, arn, &policy_document, default, at)
            .map_err(|e| call.refused(e))?;
        Ok(ShowsVersion { policy_version: VersionShape::listed(version) })
    }
}

/// GetPolicyVersion
pub(super) struct GetPolicyVersion;

impl Described for GetPolicyVersion {
    type Input = OneVersion;
    type Output = ShowsVersion;
    const NAME: &'static str = "GetPolicyVersion";

    fn resource(input: &OneVersion, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &OneVersion, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Read for GetPolicyVersion {
    async fn act(input: OneVersion, call: &Call) -> Result<ShowsVersion, Fault> {
        let (docs, arn) = (&call.rooms.state, input.policy.name());
        let version = managed_policy::get_version(docs, call.account, arn, &input.version_id)
            .map_err(|e| call.refused(e))?;
        Ok(ShowsVersion { policy_version: VersionShape::whole(version) })
    }
}

/// ListPolicyVersions
pub(super) struct ListPolicyVersions;

#[derive(Deserialize, Serialize)]
pub(super) struct ListPolicyVersionsInput {
    #[serde(flatten)]
    policy: Named<ManagedPolicy>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPolicyVersionsOutput {
    versions: Vec<VersionShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListPolicyVersions {
    type Input = ListPolicyVersionsInput;
    type Output = ListPolicyVersionsOutput;
    const NAME: &'static str = "ListPolicyVersions";

    fn resource(input: &ListPolicyVersionsInput, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &ListPolicyVersionsInput, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Read for ListPolicyVersions {
    async fn act(input: ListPolicyVersionsInput, call: &Call) -> Result<ListPolicyVersionsOutput, Fault> {
        let (docs, arn) = (&call.rooms.state, input.policy.name());
        let page = managed_policy::list_versions(docs, call.account, arn, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let versions = page.items.into_iter().map(VersionShape::listed).collect();
        Ok(ListPolicyVersionsOutput { versions, more: page.next.into() })
    }
}

/// SetDefaultPolicyVersion
pub(super) struct SetDefaultPolicyVersion;

impl Described for SetDefaultPolicyVersion {
    type Input = OneVersion;
    type Output = ();
    const NAME: &'static str = "SetDefaultPolicyVersion";

    fn resource(input: &OneVersion, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &OneVersion, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Write for SetDefaultPolicyVersion {
    fn act(input: OneVersion, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        managed_policy::set_default_version(tx, call.account, input.policy.name(), &input.version_id)
            .map_err(|e| call.refused(e))
    }
}

/// DeletePolicyVersion
pub(super) struct DeletePolicyVersion;

impl Described for DeletePolicyVersion {
    type Input = OneVersion;
    type Output = ();
    const NAME: &'static str = "DeletePolicyVersion";

    fn resource(input: &OneVersion, call: &Call) -> Result<String, Fault> {
        Ok(input.policy.arn(call))
    }

    fn context(input: &OneVersion, call: &Call, context: &mut Context) {
        input.policy.describe(call, context);
    }
}

impl Write for DeletePolicyVersion {
    fn act(input: OneVersion, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        managed_policy::delete_version(tx, call.account, input.policy.name(), &input.version_id)
            .map_err(|e| call.refused(e))
    }
}
