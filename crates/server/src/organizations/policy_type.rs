//! EnablePolicyType, DisablePolicyType.

use opentrail_identity::organization::policy_type;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{access, refused, shape::RootShape};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Write},
};

/// The input of both.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfRoot {
    root_id: String,
    policy_type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneRoot {
    root: RootShape,
}

/// EnablePolicyType
pub(super) struct EnablePolicyType;

impl Described for EnablePolicyType {
    type Input = OfRoot;
    type Output = OneRoot;
    const NAME: &'static str = "EnablePolicyType";

    fn resource(input: &OfRoot, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.root_id))
    }

    fn context(input: &OfRoot, _: &Call, context: &mut Context) {
        context.set("organizations:PolicyType", input.policy_type.as_str());
    }
}

impl Write for EnablePolicyType {
    fn act(input: OfRoot, call: &Call, tx: &mut Transaction) -> Result<OneRoot, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        policy_type::check_root(&organization, &input.root_id).map_err(refused)?;
        let policy_type = policy_type::supported(&input.policy_type).map_err(refused)?;
        let enabled = policy_type::enable(tx, &organization, policy_type).map_err(refused)?;
        Ok(OneRoot { root: RootShape::from(&*enabled) })
    }
}

/// DisablePolicyType
pub(super) struct DisablePolicyType;

impl Described for DisablePolicyType {
    type Input = OfRoot;
    type Output = OneRoot;
    const NAME: &'static str = "DisablePolicyType";

    fn resource(input: &OfRoot, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.root_id))
    }

    fn context(input: &OfRoot, _: &Call, context: &mut Context) {
        context.set("organizations:PolicyType", input.policy_type.as_str());
    }
}

impl Write for DisablePolicyType {
    fn act(input: OfRoot, call: &Call, tx: &mut Transaction) -> Result<OneRoot, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        policy_type::check_root(&organization, &input.root_id).map_err(refused)?;
        let policy_type = policy_type::read(&input.policy_type).map_err(refused)?;
        // A type that is not served here is not enabled either.
        let policy_type = policy_type.ok_or_else(|| {
            refused(opentrail_identity::organization::OrganizationRefusal::PolicyTypeNotEnabled)
        })?;
        let disabled = policy_type::disable(tx, &organization, policy_type).map_err(refused)?;
        Ok(OneRoot { root: RootShape::from(&*disabled) })
    }
}
