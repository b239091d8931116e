//! What a simulation is given.

use opentrail_identity::{
    EntityKind,
    simulate::{Ask, ContextEntry, Exclusion, ExclusionKind},
};
use opentrail_policy::ValueType;
use serde::{Deserialize, Serialize};

use super::MAX_RESOURCES;
use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// Lengths that an action's name may have (`ActionNameType`).
const ACTION_CHARS: std::ops::RangeInclusive<usize> = 3..=128;
/// Most characters of a resource's ARN (`ResourceNameType`).
const RESOURCE_CHARS: usize = 2048;
/// Lengths that a condition key's name may have (`ContextKeyNameType`).
const KEY_CHARS: std::ops::RangeInclusive<usize> = 5..=256;
/// Most exclusions (`PolicyExclusionsListType`).
const MAX_EXCLUSIONS: usize = 256;
/// Most levels of an organization (`OrganizationPolicyListType`).
const MAX_LEVELS: usize = 7;

/// The members that both simulations have.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Given {
    #[serde(default)]
    pub(super) policy_input_list: Vec<String>,
    #[serde(default)]
    permissions_boundary_policy_input_list: Vec<String>,
    #[serde(default)]
    pub(super) action_names: Vec<String>,
    #[serde(default)]
    pub(super) resource_arns: Vec<String>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    caller_arn: Option<String>,
    #[serde(default)]
    pub(super) context_entries: Vec<ContextEntryShape>,
    resource_handling_option: Option<String>,
}

impl Given {
    /// What is asked of the simulator, without what only one of the simulations has.
    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            policies: &self.policy_input_list,
            boundaries: &self.permissions_boundary_policy_input_list,
            resource_policy: self.resource_policy.as_deref(),
            resource_owner: self.resource_owner.as_deref(),
            caller_arn: self.caller_arn.as_deref(),
            ..Ask::default()
        }
    }

    /// Checks the form of actions and resources.
    pub(super) fn check(&self, call: &Call) -> Result<(), Fault> {
        if self.action_names.is_empty() {
            return Err(refused(call, "ActionNames must have at least one action."));
        }
        for action in &self.action_names {
            let is_name =
                action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
            if !ACTION_CHARS.contains(&action.chars().count()) || !is_name || action.contains(['*', '?']) {
                let action: String = action.chars().take(*ACTION_CHARS.end()).collect();
                return Err(refused(call, &format!("Invalid Action Name: {action}")));
            }
        }
        if self.resource_arns.len() > MAX_RESOURCES {
            return Err(refused(call, &format!("ResourceArns may have at most {MAX_RESOURCES} entries.")));
        }
        for resource in &self.resource_arns {
            let is_arn =
                resource == "*" || (resource.starts_with("arn:") && resource.split(':').count() >= 6);
            if !is_arn || resource.chars().count() > RESOURCE_CHARS {
                let resource: String = resource.chars().take(256).collect();
                return Err(refused(call, &format!("Invalid Resource Arn: {resource}")));
            }
        }
        if self.resource_handling_option.is_some() {
            let reason = "ResourceHandlingOption is for simulations of EC2, which is not served here.";
            return Err(refused(call, reason));
        }
        Ok(())
    }
}

/// `ContextEntry`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContextEntryShape {
    context_key_name: Option<String>,
    #[serde(default)]
    context_key_values: Vec<String>,
    context_key_type: Option<String>,
}

/// `OrderedOrganizationPolicyType`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LevelShape {
    #[serde(default)]
    service_control_policy_input_list: Vec<String>,
}

/// `PolicyIdentifier`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyIdentifierShape {
    policy_type: Option<String>,
    policy_arn: Option<String>,
    inline_policy_identifier: Option<InlinePolicyIdentifierShape>,
}

/// `InlinePolicyIdentifierType`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicyIdentifierShape {
    policy_name: String,
    attachment_type: String,
    attachment_name: String,
}

/// The condition keys' values.
pub(super) fn entries<'a>(
    shapes: &'a [ContextEntryShape],
    call: &Call,
) -> Result<Vec<ContextEntry<'a>>, Fault> {
    let entry = |shape: &'a ContextEntryShape| {
        let key = shape.context_key_name.as_deref().unwrap_or_default();
        if !KEY_CHARS.contains(&key.chars().count()) {
            return Err(refused(call, "The name of a context key has 5 to 256 characters."));
        }
        let written = shape.context_key_type.as_deref().unwrap_or("string");
        let (single, multivalued) = match written.strip_suffix("List") {
            Some(single) => (single, true),
            None => (written, false),
        };
        let value_type = match single {
            "string" => ValueType::String,
            "numeric" => ValueType::Numeric,
            "boolean" => ValueType::Boolean,
            "ip" => ValueType::Ip,
            "binary" => ValueType::Binary,
            "date" => ValueType::Date,
            _ => {
                return Err(refused(
                    call,
                    &format!("The type of the context key {key} is not one that there is."),
                ));
            }
        };
        Ok(ContextEntry { key, values: &shape.context_key_values, value_type, multivalued })
    };
    shapes.iter().map(entry).collect()
}

/// The levels of service control policies.
pub(super) fn levels(shapes: &[LevelShape], call: &Call) -> Result<Vec<Vec<String>>, Fault> {
    if shapes.len() > MAX_LEVELS {
        return Err(refused(call, "OrderedOrganizationPolicyInputList may have at most 7 entries."));
    }
    Ok(shapes.iter().map(|level| level.service_control_policy_input_list.clone()).collect())
}

/// The policies that are left out.
pub(super) fn exclusions<'a>(
    shapes: &'a [PolicyIdentifierShape],
    call: &Call,
) -> Result<Vec<Exclusion<'a>>, Fault> {
    if shapes.len() > MAX_EXCLUSIONS {
        return Err(refused(call, "PolicyExclusionList may have at most 256 entries."));
    }
    shapes.iter().map(|shape| exclusion(shape, call)).collect()
}

fn exclusion<'a>(shape: &'a PolicyIdentifierShape, call: &Call) -> Result<Exclusion<'a>, Fault> {
    let one_of = || {
        refused(
            call,
            "A policy identifier has exactly one of PolicyType, PolicyArn and InlinePolicyIdentifier.",
        )
    };
    match (&shape.policy_type, &shape.policy_arn, &shape.inline_policy_identifier) {
        (Some(kind), None, None) => {
            let kind = match kind.as_str() {
                "inline" => ExclusionKind::Inline,
                "aws-managed" => ExclusionKind::AwsManaged,
                "user-managed" => ExclusionKind::UserManaged,
                "permission-boundary" => ExclusionKind::Boundary,
                "scp" => ExclusionKind::ServiceControl,
                "rcp" => ExclusionKind::ResourceControl,
                _ => return Err(refused(call, "The policy type is not one that there is.")),
            };
            Ok(Exclusion::Kind(kind))
        }
        (None, Some(arn), None) => Exclusion::by_arn(arn).map_err(|error| call.refused(error)),
        (None, None, Some(inline)) => {
            let holder = match inline.attachment_type.as_str() {
                "user" => EntityKind::User,
                "group" => EntityKind::Group,
                "role" => EntityKind::Role,
                _ => return Err(refused(call, "The attachment type is user, group or role.")),
            };
            Exclusion::by_name(&inline.policy_name, holder, &inline.attachment_name)
                .map_err(|error| call.refused(error))
        }
        _ => Err(one_of()),
    }
}

fn refused(call: &Call, reason: &str) -> Fault {
    call.fault(Common::Invalid, reason)
}
