//! ListImportFailures.

use opentrail_lake::import::Failure;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    super::token,
    describe::{bad_token, limit},
    invalid, unreadable,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// ListImportFailures: by key.
pub(crate) struct ListImportFailures;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    import_id: String,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    failures: Vec<FailureShape>,
    next_token: Option<String>,
}

/// `ImportFailureListItem`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FailureShape {
    location: String,
    status: &'static str,
    error_type: String,
    error_message: String,
    last_updated_time: Timestamp,
}

impl FailureShape {
    fn new(location: String, failure: Failure) -> Self {
        Self {
            location,
            status: failure.status.as_str(),
            error_type: failure.fault.kind,
            error_message: failure.fault.message,
            last_updated_time: Timestamp(failure.updated),
        }
    }
}

impl Described for ListImportFailures {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "ListImportFailures";
}

impl Read for ListImportFailures {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let limit = limit(input.max_results)?;
        let imports = &call.rooms.imports;
        // The operation declares no error for an import that is not there.
        let found = imports.rules().get(call.account, &call.region, &input.import_id);
        let import = found.map_err(|refusal| invalid(refusal.to_string()))?;
        let bad = || bad_token("ListImportFailures");
        let start = format!("{}|", import.id);
        let after = input.next_token.as_deref().map(|given| {
            let text = token::read(given)?;
            text.strip_prefix(&start).map(str::to_owned)
        });
        let after = match after {
            Some(None) => return Err(bad()),
            Some(after) => after,
            None => None,
        };
        let page = imports.failures(&import, after.as_deref(), limit).map_err(unreadable(call))?;
        let (page, more) = page.ok_or_else(bad)?;
        // A token has 1,000 characters at most, and a key may have more: its digest stands for it.
        let next = page.last().filter(|_| more).map(|(digest, ..)| token::after(&format!("{start}{digest}")));
        Ok(Output {
            failures: page
                .into_iter()
                .map(|(_, location, failure)| FailureShape::new(location, failure))
                .collect(),
            next_token: next,
        })
    }
}
