//! The policy simulator: what policies would allow.

mod answer;
mod context_keys;
mod given;

use opentrail_identity::{
    limits,
    simulate::{Ask, World},
};
use serde::{Deserialize, Serialize};

pub(super) use context_keys::{GetContextKeysForCustomPolicy, GetContextKeysForPrincipalPolicy};

use self::{
    answer::{Simulated, evaluation},
    given::{Given, LevelShape, PolicyIdentifierShape},
};
use super::page::{More, Paging};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read},
};

/// Most resources of one simulation, so that a page of it stays small work.
const MAX_RESOURCES: usize = 1_000;
/// Most simulations (an action on a resource) in one page, except that it has at least one action.
const MAX_SIMULATIONS: usize = 1_000;

/// Most statements and condition keys that one page looks at, counted anew for each simulation: what is found is told of
/// each.
const MAX_WEIGHT: usize = 200_000;

/// SimulatePrincipalPolicy
pub(super) struct SimulatePrincipalPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulatePrincipalPolicyInput {
    policy_source_arn: String,
    #[serde(default)]
    policy_exclusion_list: Vec<PolicyIdentifierShape>,
    #[serde(flatten)]
    given: Given,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for SimulatePrincipalPolicy {
    type Input = SimulatePrincipalPolicyInput;
    type Output = Simulated;
    const NAME: &'static str = "SimulatePrincipalPolicy";

    fn resource(input: &SimulatePrincipalPolicyInput, _: &Call) -> Result<String, Fault> {
        Ok(input.policy_source_arn.clone())
    }
}

impl Read for SimulatePrincipalPolicy {
    async fn act(input: SimulatePrincipalPolicyInput, call: &Call) -> Result<Simulated, Fault> {
        let exclusions = given::exclusions(&input.policy_exclusion_list, call)?;
        let entries = given::entries(&input.given.context_entries, call)?;
        let ask = Ask {
            source_arn: Some(&input.policy_source_arn),
            exclusions: &exclusions,
            context: &entries,
            ..input.given.ask()
        };
        simulated(call, &ask, &input.given, &input.paging)
    }
}

/// SimulateCustomPolicy
pub(super) struct SimulateCustomPolicy;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SimulateCustomPolicyInput {
    #[serde(default)]
    ordered_organization_policy_input_list: Vec<LevelShape>,
    #[serde(flatten)]
    given: Given,
    #[serde(flatten)]
    paging: Paging,
}

impl Described for SimulateCustomPolicy {
    type Input = SimulateCustomPolicyInput;
    type Output = Simulated;
    const NAME: &'static str = "SimulateCustomPolicy";
}

impl Read for SimulateCustomPolicy {
    async fn act(input: SimulateCustomPolicyInput, call: &Call) -> Result<Simulated, Fault> {
        if input.given.policy_input_list.is_empty() {
            return Err(call.fault(Common::Invalid, "PolicyInputList must have at least one policy."));
        }
        let levels = given::levels(&input.ordered_organization_policy_input_list, call)?;
        let entries = given::entries(&input.given.context_entries, call)?;
        let ask = Ask { service_control: &levels, context: &entries, ..input.given.ask() };
        simulated(call, &ask, &input.given, &input.paging)
    }
}

/// A page of the actions, each with every resource.
fn simulated(call: &Call, ask: &Ask<'_>, given: &Given, paging: &Paging) -> Result<Simulated, Fault> {
    given.check(call)?;
    let world =
        World::new(&call.rooms.state, call.account, ask, call.arrival.at).map_err(|e| call.refused(e))?;
    let resources = given.resource_arns.len().max(1);
    let weight = world.weight().max(1).saturating_mul(resources);
    if weight > MAX_WEIGHT {
        return Err(call.fault(Common::Invalid, "The policies are too large for so many ResourceArns."));
    }
    let most = (MAX_SIMULATIONS / resources).min(MAX_WEIGHT / weight).max(1);
    let asked = paging.max_items.unwrap_or(limits::DEFAULT_PAGE);
    // A page may have fewer than were asked for, also in IAM.
    let paging = Paging {
        marker: paging.marker.clone(),
        max_items: Some(if asked > limits::MAX_PAGE { asked } else { asked.min(most) }),
    };
    let (actions, next) = paging.cut(&given.action_names, call)?;
    let evaluation_results =
        actions.iter().map(|action| evaluation(&world, action, &given.resource_arns)).collect();
    Ok(Simulated { evaluation_results, more: More::from(next) })
}
