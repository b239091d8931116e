//! What a simulation answers.

use std::collections::HashSet;

use opentrail_identity::simulate::{Finding, MatchedStatement, Outcome, World};
use opentrail_policy::Position;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::iam::page::More;

/// `SimulatePolicyResponse`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::iam) struct Simulated {
    pub(super) evaluation_results: Vec<EvaluationResult>,
    #[serde(flatten)]
    pub(super) more: More,
}

/// `EvaluationResult`: one action, on all resources.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EvaluationResult {
    eval_action_name: String,
    eval_resource_name: &'static str,
    eval_decision: &'static str,
    matched_statements: Vec<StatementShape>,
    missing_context_values: Vec<String>,
    organizations_decision_detail: Option<OrganizationsDetail>,
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
    eval_decision_details: Option<Details>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_specific_results: Vec<ResourceSpecificResult>,
}

/// `ResourceSpecificResult`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceSpecificResult {
    eval_resource_name: String,
    eval_resource_decision: &'static str,
    matched_statements: Vec<StatementShape>,
    missing_context_values: Vec<String>,
    eval_decision_details: Option<Details>,
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
}

/// `Statement`
#[derive(Serialize, PartialEq, Eq, Hash, Clone)]
#[serde(rename_all = "PascalCase")]
struct StatementShape {
    source_policy_id: String,
    source_policy_type: &'static str,
    start_position: PositionShape,
    end_position: PositionShape,
}

/// `Position`
#[derive(Serialize, PartialEq, Eq, Hash, Clone, Copy)]
#[serde(rename_all = "PascalCase")]
struct PositionShape {
    line: usize,
    column: usize,
}

/// `OrganizationsDecisionDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationsDetail {
    allowed_by_organizations: bool,
}

/// `PermissionsBoundaryDecisionDetail`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BoundaryDetail {
    allowed_by_permissions_boundary: bool,
}

/// A map as awsQuery spells it.
struct Details(Vec<(&'static str, Outcome)>);

#[derive(Serialize)]
struct Entry {
    key: &'static str,
    value: &'static str,
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, outcome) in &self.0 {
            map.serialize_entry("entry", &Entry { key, value: outcome.as_str() })?;
        }
        map.end()
    }
}

impl From<Position> for PositionShape {
    fn from(Position { line, column }: Position) -> Self {
        Self { line, column }
    }
}

impl From<&MatchedStatement> for StatementShape {
    fn from(matched: &MatchedStatement) -> Self {
        Self {
            source_policy_id: matched.policy.clone(),
            source_policy_type: matched.policy_type,
            start_position: matched.start.into(),
            end_position: matched.end.into(),
        }
    }
}

/// The answer about an action: the most restrictive of those about its resources, and each of them.
pub(super) fn evaluation(world: &World, action: &str, resources: &[String]) -> EvaluationResult {
    let everything = ["*".to_owned()];
    let resources = if resources.is_empty() { &everything[..] } else { resources };
    let findings: Vec<(&String, Finding)> =
        resources.iter().map(|resource| (resource, world.simulate(action, resource))).collect();
    let all = || findings.iter().map(|(_, finding)| finding);
    let outcome = all().map(|finding| finding.outcome).max().unwrap_or(Outcome::ImplicitDeny);
    let is_specific = resources.iter().any(|resource| resource != "*");
    let (mut matched, mut known) = (Vec::new(), HashSet::new());
    for statement in all().filter(|finding| finding.outcome == outcome).flat_map(|finding| &finding.matched) {
        let shape = StatementShape::from(statement);
        if known.insert(shape.clone()) {
            matched.push(shape);
        }
    }
    EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: "*",
        eval_decision: outcome.as_str(),
        matched_statements: matched,
        missing_context_values: match (is_specific, all().next()) {
            (false, Some(finding)) => finding.missing.clone(),
            _ => Vec::new(),
        },
        organizations_decision_detail: all()
            .filter_map(|finding| finding.organizations)
            .min()
            .map(|allowed_by_organizations| OrganizationsDetail { allowed_by_organizations }),
        permissions_boundary_decision_detail: all()
            .filter_map(|finding| finding.boundary)
            .min()
            .map(boundary),
        eval_decision_details: details(all(), is_specific),
        resource_specific_results: if is_specific {
            findings.into_iter().map(specific).collect()
        } else {
            Vec::new()
        },
    }
}

fn boundary(allowed_by_permissions_boundary: bool) -> BoundaryDetail {
    BoundaryDetail { allowed_by_permissions_boundary }
}

/// The most restrictive answer of each kind of policy; nothing to tell within an account, and not even that where all
/// resources are asked about.
fn details<'a>(findings: impl Iterator<Item = &'a Finding>, is_specific: bool) -> Option<Details> {
    let mut most: Vec<(&'static str, Outcome)> = Vec::new();
    for (kind, outcome) in findings.filter_map(|finding| finding.details.as_ref()).flatten() {
        match most.iter_mut().find(|(known, _)| known == kind) {
            Some((_, known)) => *known = (*known).max(*outcome),
            None => most.push((kind, *outcome)),
        }
    }
    (is_specific || !most.is_empty()).then_some(Details(most))
}

fn specific((resource, finding): (&String, Finding)) -> ResourceSpecificResult {
    ResourceSpecificResult {
        eval_resource_name: resource.clone(),
        eval_resource_decision: finding.outcome.as_str(),
        matched_statements: finding.matched.iter().map(StatementShape::from).collect(),
        missing_context_values: finding.missing,
        eval_decision_details: finding.details.map(Details),
        permissions_boundary_decision_detail: finding.boundary.map(boundary),
    }
}
