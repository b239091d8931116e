//! GetDatabases, GetDatabase: the one namespace, which AWS calls `aws:cloudtrail` too.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{LEVELS, catalog::arn};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// The namespace of event data stores.
pub(super) const NAMESPACE: &str = "aws:cloudtrail";

pub(super) struct GetDatabases;

#[derive(Deserialize, Serialize)]
pub(super) struct ListInput {
    parent: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ListOutput {
    namespaces: Vec<Vec<&'static str>>,
}

impl Described for GetDatabases {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "GetDatabases";

    fn resource(_: &ListInput, call: &Call) -> Result<String, Fault> {
        Ok(arn(call, "catalog"))
    }
}

impl Read for GetDatabases {
    async fn act(input: ListInput, _: &Call) -> Result<ListOutput, Fault> {
        match input.parent.as_deref().filter(|parent| !parent.is_empty()) {
            None => Ok(ListOutput { namespaces: vec![vec![NAMESPACE]] }),
            Some(parent) => check(parent).map(|()| ListOutput { namespaces: Vec::new() }),
        }
    }
}

pub(super) struct GetDatabase;

#[derive(Deserialize, Serialize)]
pub(super) struct Input {
    namespace: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    namespace: Vec<&'static str>,
    properties: BTreeMap<&'static str, &'static str>,
}

impl Described for GetDatabase {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetDatabase";

    fn resource(input: &Input, call: &Call) -> Result<String, Fault> {
        Ok(arn(call, &format!("database/{}", input.namespace)))
    }
}

impl Read for GetDatabase {
    async fn act(input: Input, _: &Call) -> Result<Output, Fault> {
        check(&input.namespace)?;
        let properties = BTreeMap::from([("comment", "The event data stores whose federation is on.")]);
        Ok(Output { namespace: vec![NAMESPACE], properties })
    }
}

/// Refuses a namespace that there is not.
pub(super) fn check(namespace: &str) -> Result<(), Fault> {
    if namespace == NAMESPACE {
        return Ok(());
    }
    let shown = namespace.replace(LEVELS, ".");
    let message = format!("Namespace does not exist: {shown}. There is {NAMESPACE}.");
    Err(Fault::exact("NoSuchNamespaceException", StatusCode::NOT_FOUND, message))
}
