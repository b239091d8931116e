//! How those that can are answered.

use std::collections::BTreeMap;

use opentrail_event::AccountId;
use opentrail_identity::who_can::{Able, AllowedRequest, Detour, PrincipalKind, Said, Sure};
use serde::Serialize;

/// Statements of one kind that are answered for one principal.
const MAX_STATEMENTS: usize = 25;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AbleShape {
    principal: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    account: Option<AccountId>,
    answer: &'static str,
    allowed_by: Vec<SaidShape>,
    limited_by: Vec<SaidShape>,
    example: Option<ExampleShape>,
    detours: Vec<DetourShape>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SaidShape {
    policy: String,
    sid: Option<String>,
    statement: usize,
    through: Option<String>,
    needs: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExampleShape {
    resource: String,
    session: Option<String>,
    /// Without values for a key that the request must not have.
    keys: BTreeMap<String, Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DetourShape {
    action: String,
    resource: String,
    allowed_by: Vec<SaidShape>,
}

impl From<&Able> for AbleShape {
    fn from(able: &Able) -> Self {
        Self {
            principal: able.principal.clone(),
            kind: kind(able.kind),
            account: able.account,
            answer: match able.sure {
                Sure::Always => "always",
                Sure::Sometimes => "sometimes",
                Sure::CanObtain => "can-obtain",
                Sure::Undecided => "undecided",
            },
            allowed_by: said(&able.allowed_by),
            limited_by: said(&able.limited_by),
            example: able.example.as_ref().map(ExampleShape::from),
            detours: able.detours.iter().map(DetourShape::from).collect(),
        }
    }
}

fn kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "Root",
        PrincipalKind::User => "User",
        PrincipalKind::Role => "Role",
        PrincipalKind::Account => "Account",
        PrincipalKind::Service => "Service",
        PrincipalKind::Provider => "Provider",
        PrincipalKind::Anonymous => "Anonymous",
        PrincipalKind::Anyone => "Anyone",
    }
}

fn said(statements: &[Said]) -> Vec<SaidShape> {
    let shape = |said: &Said| SaidShape {
        policy: said.policy.to_string(),
        sid: said.sid.clone(),
        statement: said.statement,
        through: said.policy.through.clone(),
        needs: said.needs.clone(),
    };
    statements.iter().take(MAX_STATEMENTS).map(shape).collect()
}

impl From<&AllowedRequest> for ExampleShape {
    fn from(example: &AllowedRequest) -> Self {
        let keys = example.keys.iter().map(|(key, values)| (key.clone(), values.clone().unwrap_or_default()));
        Self { resource: example.resource.clone(), session: example.session.clone(), keys: keys.collect() }
    }
}

impl From<&Detour> for DetourShape {
    fn from(detour: &Detour) -> Self {
        let (action, resource) = (detour.action.clone(), detour.resource.clone());
        Self { action, resource, allowed_by: said(&detour.allowed_by) }
    }
}
