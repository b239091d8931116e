//! GetCatalog: what a client asks first, how to speak to this catalog.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// What can be asked, in the words of the catalog's specification.
const ENDPOINTS: &[&str] = &[
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
];

pub(super) struct GetCatalog;

#[derive(Deserialize, Serialize)]
pub(super) struct Input {
    /// There is one for each account, whatever it is called.
    warehouse: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Output {
    defaults: BTreeMap<String, String>,
    overrides: BTreeMap<String, String>,
    endpoints: &'static [&'static str],
}

impl Described for GetCatalog {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetCatalog";

    fn resource(_: &Input, call: &Call) -> Result<String, Fault> {
        Ok(arn(call, "catalog"))
    }
}

impl Read for GetCatalog {
    async fn act(_: Input, _: &Call) -> Result<Output, Fault> {
        Ok(Output { defaults: BTreeMap::new(), overrides: BTreeMap::new(), endpoints: ENDPOINTS })
    }
}

/// The ARN of something in the caller's catalog.
pub(super) fn arn(call: &Call, what: &str) -> String {
    format!("arn:aws:glue:{}:{}:{what}", call.region, call.account)
}
