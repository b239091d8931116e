//! GetImport, ListImports.

use opentrail_lake::{
    import::{Import, ImportStatus},
    store::StoreArn,
};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    super::token,
    invalid, refused,
    shape::{ImportShape, OneImport},
    unreadable,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

/// Most imports or failures in an answer (AWS: ListImportsMaxResultsCount, ListImportFailuresMaxResultsCount).
pub(super) const MAX_RESULTS: i64 = 1000;
/// How many there are without MaxResults. Ours; AWS does not document its own.
const DEFAULT_RESULTS: i64 = 100;

/// How many are asked for.
pub(super) fn limit(asked: Option<i64>) -> Result<usize, Fault> {
    let asked = asked.unwrap_or(DEFAULT_RESULTS);
    let limit = usize::try_from(asked).ok().filter(|_| (1..=MAX_RESULTS).contains(&asked));
    limit.ok_or_else(|| invalid(format!("MaxResults must be between 1 and {MAX_RESULTS}.")))
}

/// A token that the operation did not give, or gave for another question.
pub(super) fn bad_token(operation: &str) -> Fault {
    let message = format!("The NextToken is not one that {operation} gave for these parameters.");
    Fault::declared("InvalidNextTokenException", message)
}

/// GetImport
pub(crate) struct GetImport;

impl Described for GetImport {
    type Input = OneImport;
    type Output = ImportShape;
    const NAME: &'static str = "GetImport";
}

impl Read for GetImport {
    async fn act(input: OneImport, call: &Call) -> Result<ImportShape, Fault> {
        let imports = &call.rooms.imports;
        let import = imports.rules().get(call.account, &call.region, &input.import_id).map_err(refused)?;
        let (status, statistics) = imports.statistics(&import).map_err(unreadable(call))?;
        Ok(ImportShape::new(&import, status, Some(statistics)))
    }
}

/// ListImports: the newest first.
pub(crate) struct ListImports;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListImportsInput {
    max_results: Option<i64>,
    destination: Option<String>,
    import_status: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListImportsOutput {
    imports: Vec<ItemShape>,
    next_token: Option<String>,
}

/// `ImportsListItem`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ItemShape {
    import_id: String,
    import_status: &'static str,
    destinations: Vec<String>,
    created_timestamp: Timestamp,
    updated_timestamp: Timestamp,
}

impl ItemShape {
    fn new(import: &Import, status: ImportStatus) -> Self {
        Self {
            import_id: import.id.to_string(),
            import_status: status.as_str(),
            destinations: vec![import.destination.clone()],
            created_timestamp: Timestamp(import.created),
            updated_timestamp: Timestamp(import.updated),
        }
    }
}

impl ListImportsInput {
    /// What a token is bound to besides the last import.
    fn question(&self) -> String {
        let text = |member: &Option<String>| member.clone().unwrap_or_default();
        format!("{}|{}", text(&self.destination), text(&self.import_status))
    }

    fn status(&self) -> Result<Option<ImportStatus>, Fault> {
        let unknown =
            || invalid("ImportStatus must be INITIALIZING, IN_PROGRESS, FAILED, STOPPED or COMPLETED.");
        self.import_status.as_deref().map(|name| ImportStatus::of(name).ok_or_else(unknown)).transpose()
    }

    fn check_destination(&self, call: &Call) -> Result<(), Fault> {
        let Some(arn) = &self.destination else { return Ok(()) };
        let parsed =
            StoreArn::parse(arn).map_err(|error| Fault::declared(error.code(), error.to_string()))?;
        if parsed.account != call.account {
            let message = format!("{arn} does not map to an event data store in your account.");
            return Err(Fault::declared("EventDataStoreARNInvalidException", message));
        }
        Ok(())
    }
}

impl Described for ListImports {
    type Input = ListImportsInput;
    type Output = ListImportsOutput;
    const NAME: &'static str = "ListImports";
}

impl Read for ListImports {
    async fn act(input: ListImportsInput, call: &Call) -> Result<ListImportsOutput, Fault> {
        let (limit, wanted) = (limit(input.max_results)?, input.status()?);
        input.check_destination(call)?;
        let imports = &call.rooms.imports;
        let mut found: Vec<_> = imports
            .rules()
            .list(call.account, &call.region)
            .into_iter()
            .filter(|import| input.destination.as_ref().is_none_or(|arn| *arn == import.destination))
            .map(|import| (imports.status(&import), import))
            .filter(|(status, _)| wanted.is_none_or(|wanted| wanted == *status))
            .collect();
        if let Some(given) = &input.next_token {
            let bad = || bad_token("ListImports");
            let text = token::read(given).ok_or_else(bad)?;
            let (question, last) = text.rsplit_once('|').ok_or_else(bad)?;
            let (created, id) = last.split_once('/').ok_or_else(bad)?;
            let created: i64 = created.parse().map_err(|_| bad())?;
            if question != input.question() {
                return Err(bad());
            }
            // Newest first; an import that changed its status meanwhile moves nobody.
            found.retain(|(_, import)| {
                (import.created.timestamp_micros(), import.id.to_string().as_str()) < (created, id)
            });
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let token_of = |import: &Import| {
            let created = import.created.timestamp_micros();
            token::after(&format!("{}|{created}/{}", input.question(), import.id))
        };
        Ok(ListImportsOutput {
            next_token: found.last().filter(|_| more).map(|(_, import)| token_of(import)),
            imports: found.iter().map(|(status, import)| ItemShape::new(import, *status)).collect(),
        })
    }
}
