//! Who is in what: ListRoots, ListParents, ListChildren.

use opentrail_identity::organization::{refusal::InvalidReason, unit};
use serde::{Deserialize, Serialize};

use super::{access, invalid, page::Paging, refused, shape::RootShape};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// ListRoots
pub(super) struct ListRoots;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Roots {
    roots: Vec<RootShape>,
    next_token: Option<String>,
}

impl Described for ListRoots {
    type Input = Paging;
    type Output = Roots;
    const NAME: &'static str = "ListRoots";
}

impl Read for ListRoots {
    async fn act(paging: Paging, call: &Call) -> Result<Roots, Fault> {
        let organization = access::read::<Self>(&paging, call, &call.rooms.state)?;
        let id = organization.root.id.clone();
        let (roots, next_token) = paging.cut(vec![RootShape::from(&*organization)], |_| id.clone())?;
        Ok(Roots { roots, next_token })
    }
}

/// `Parent` and `Child`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Relative {
    id: String,
    #[serde(rename = "Type")]
    kind: &'static str,
}

/// ListParents
pub(super) struct ListParents;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ParentsInput {
    child_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parents {
    parents: Vec<Relative>,
    next_token: Option<String>,
}

impl Described for ListParents {
    type Input = ParentsInput;
    type Output = Parents;
    const NAME: &'static str = "ListParents";

    fn resource(input: &ParentsInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.child_id))
    }
}

impl Read for ListParents {
    async fn act(input: ParentsInput, call: &Call) -> Result<Parents, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let id = unit::parent_of(docs, &organization, &input.child_id, call.arrival.at).map_err(refused)?;
        let kind = if id == organization.root.id { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
        let (parents, next_token) = input.paging.cut(vec![Relative { id, kind }], |it| it.id.clone())?;
        Ok(Parents { parents, next_token })
    }
}

/// ListChildren
pub(super) struct ListChildren;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChildrenInput {
    parent_id: String,
    child_type: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Children {
    children: Vec<Relative>,
    next_token: Option<String>,
}

impl Described for ListChildren {
    type Input = ChildrenInput;
    type Output = Children;
    const NAME: &'static str = "ListChildren";

    fn resource(input: &ChildrenInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.parent_id))
    }
}

impl Read for ListChildren {
    async fn act(input: ChildrenInput, call: &Call) -> Result<Children, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let parent = &input.parent_id;
        unit::check_parent(docs, &organization, parent).map_err(refused)?;
        let children = match input.child_type.as_str() {
            "ACCOUNT" => unit::accounts_in(docs, &organization, parent, call.arrival.at)
                .iter()
                .map(|member| Relative { id: member.account.to_string(), kind: "ACCOUNT" })
                .collect(),
            "ORGANIZATIONAL_UNIT" => unit::units_in(docs, &organization, parent)
                .iter()
                .map(|unit| Relative { id: unit.id.clone(), kind: "ORGANIZATIONAL_UNIT" })
                .collect(),
            _ => {
                return Err(invalid(
                    InvalidReason::InvalidEnum,
                    "You specified an invalid value for ChildType.",
                ));
            }
        };
        let (children, next_token) = input.paging.cut(children, |it: &Relative| it.id.clone())?;
        Ok(Children { children, next_token })
    }
}
