//! What StartQuery is asked for, made definite: which text over which stores.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opentrail_lake::{
    query::{Destination, DestinationError, MAX_STATEMENT},
    store::{EventDataStore, StoreArn, StoreRef},
};
use opentrail_sql::{SqlError, Statement};

use super::{
    access::{account_id, check_active},
    invalid_parameter,
    samples::{self, STORE},
    start::Input,
};
use crate::{call::Call, cloudtrail::event_data_store::asking, fault::Fault};

/// What the permission is asked for.
const OPERATION: &str = "StartQuery";
/// Most parameters, and the longest (AWS: QueryParameters, QueryParameter).
const MAX_PARAMETERS: usize = 10;
const MAX_PARAMETER: usize = 1024;

/// How long it may take to plan a query before its call is answered, from the time that it is its turn. Those that people
/// write take milliseconds.
const PLANNING_TIME: Duration = Duration::from_secs(30);

/// A text over stores, and what stands for its question marks.
pub(super) struct Plan<'a> {
    pub(super) text: String,
    pub(super) parameters: Vec<String>,
    pub(super) stores: Vec<Arc<EventDataStore>>,
    pub(super) destination: Option<Destination>,
    statement: &'a Statement,
}

/// The stores that the text seems to name, each of which the caller may ask. The text is not read for it, which takes
/// time that a call is given only when it has permission: a word that is a store's id or ARN counts wherever it stands.
pub(super) fn named_stores(input: &Input, call: &Call) -> Result<Vec<Arc<EventDataStore>>, Fault> {
    names(input)?.iter().map(|name| permitted(name, input, call)).collect()
}

/// Refuses who may ask none of the stores that the text seems to name.
pub(super) fn permit_reading(input: &Input, call: &Call) -> Result<(), Fault> {
    let mut refusal = None;
    for name in names(input)? {
        match permitted(&name, input, call) {
            Ok(_) => return Ok(()),
            Err(fault) => refusal = refusal.or(Some(fault)),
        }
    }
    match refusal {
        Some(fault) => Err(fault),
        None => super::access::permit_any(OPERATION, None, call),
    }
}

/// Reads the text, away from the threads that answer calls.
pub(super) async fn read(input: &Input, call: &Call) -> Result<(), Fault> {
    let (text, _) = text_and_parameters(input)?;
    let statement = call.rooms.queries.read(text).await;
    let statement = statement.map_err(|error| Fault::of_sql(error, call.dialect()))?;
    // A call is read once.
    input.statement.set(statement).ok();
    Ok(())
}

fn names(input: &Input) -> Result<Vec<String>, Fault> {
    let (text, _) = text_and_parameters(input)?;
    let words = opentrail_sql::names(&text).unwrap_or_default();
    Ok(words.into_iter().filter(|name| name.parse::<StoreRef>().is_ok()).collect())
}

/// The store of a name, if the caller may ask it. An id is one of the account that the call names as the owner, if it does.
fn permitted(name: &str, input: &Input, call: &Call) -> Result<Arc<EventDataStore>, Fault> {
    let owner = input.event_data_store_owner_account_id.as_deref().map(account_id).transpose()?;
    let named = match (name.parse(), owner) {
        (Err(_), _) => return Err(no_store(name)),
        (Ok(StoreRef::Id(id)), Some(account)) => {
            StoreArn { region: call.region.clone(), account, id }.to_string()
        }
        (Ok(_), _) => name.to_owned(),
    };
    asking::permitted(OPERATION, &named, call)
}

impl<'a> Plan<'a> {
    /// What a call that was read is about. The caller may start queries on every store that the text names, in joins and
    /// in parts of a union too, or is refused.
    pub(super) fn of(input: &'a Input, call: &Call) -> Result<Self, Fault> {
        let (text, parameters) = text_and_parameters(input)?;
        let destination = input.delivery_s3_uri.as_deref().map(destination).transpose()?;
        let unread = || SqlError::Internal("the query was not read".to_owned());
        let statement = input.statement.get().ok_or_else(unread);
        let statement = statement.map_err(|error| Fault::of_sql(error, call.dialect()))?;
        let mut stores: Vec<Arc<EventDataStore>> = Vec::new();
        for name in statement.tables() {
            let store = permitted(name, input, call)?;
            check_active(&store, call)?;
            if stores.iter().all(|known| known.arn() != store.arn()) {
                stores.push(store);
            }
        }
        if stores.is_empty() {
            super::access::permit_any(OPERATION, None, call)?;
            return Err(invalid_statement("The query names no event data store: write FROM and its ID."));
        }
        if parameters.len() != statement.parameters() {
            let (wanted, given) = (statement.parameters(), parameters.len());
            let message = format!("The query has {wanted} parameters, and {given} were given.");
            return Err(invalid_parameter(message));
        }
        Ok(Self { text, parameters, stores, destination, statement })
    }

    /// Has the engine plan the query over the stores' columns, so that what is wrong with it is told at once.
    pub(super) async fn check(&self, call: &Call) -> Result<(), Fault> {
        let mut tables = BTreeMap::new();
        for name in self.statement.tables() {
            let wanted: Option<StoreRef> = name.parse().ok();
            let is_named =
                |store: &&Arc<EventDataStore>| wanted.as_ref().is_some_and(|it| it.id() == store.id);
            let store = self.stores.iter().find(is_named);
            let Some(table) = store.and_then(|store| call.rooms.queries.empty_table(&store.arn())) else {
                return Err(no_store(name));
            };
            tables.insert(name.clone(), table);
        }
        let engine = call.rooms.queries.engine();
        match engine.check(self.statement, tables, &self.parameters, PLANNING_TIME).await {
            // What goes wrong over no rows at all may go well over some; what the engine can't do now it may later.
            Ok(())
            | Err(
                SqlError::Busy(_)
                | SqlError::Value(_)
                | SqlError::OutOfMemory(_)
                | SqlError::ExceededMemory(_),
            ) => Ok(()),
            Err(SqlError::TimedOut(time)) => {
                let seconds = time.as_secs();
                Err(invalid_statement(format!(
                    "The query is too complex: planning it took {seconds} seconds."
                )))
            }
            Err(error) => Err(Fault::of_sql(error, call.dialect())),
        }
    }
}

/// The text, from the call or from the template that its alias names, and the parameters that are left for it.
fn text_and_parameters(input: &Input) -> Result<(String, Vec<String>), Fault> {
    let mut parameters = input.query_parameters.clone().unwrap_or_default();
    if parameters.len() > MAX_PARAMETERS {
        return Err(invalid_parameter(format!("There can be {MAX_PARAMETERS} QueryParameters at most.")));
    }
    if parameters.iter().any(|text| !(1..=MAX_PARAMETER).contains(&text.chars().count())) {
        let message = format!("Each of the QueryParameters must have 1 to {MAX_PARAMETER} characters.");
        return Err(invalid_parameter(message));
    }
    match (&input.query_statement, &input.query_alias) {
        (Some(text), None) => {
            if !(1..=MAX_STATEMENT).contains(&text.chars().count()) {
                let message = format!("A query must have 1 to {MAX_STATEMENT} characters.");
                return Err(invalid_statement(message));
            }
            Ok((text.clone(), parameters))
        }
        (None, Some(alias)) => {
            let (sample, store) = samples::of_alias(alias).ok_or_else(|| {
                invalid_parameter("The QueryAlias is none of a sample query; SearchSampleQueries finds them.")
            })?;
            let store = match store {
                Some(store) => store.to_owned(),
                None if parameters.is_empty() => {
                    let message =
                        "The first of the QueryParameters must be the event data store's ID or ARN.";
                    return Err(invalid_parameter(message));
                }
                None => parameters.remove(0),
            };
            // An id is a name as it is; an ARN must be in quotes, and one that has quotes is none.
            let table = match store.parse() {
                Ok(StoreRef::Id(id)) => id.to_string(),
                Ok(StoreRef::Arn(arn)) => format!("\"{arn}\""),
                Err(_) => return Err(no_store(&store)),
            };
            Ok((sample.sql.replace(STORE, &table), parameters))
        }
        _ => Err(invalid_parameter("Specify either QueryStatement, or QueryAlias and its QueryParameters.")),
    }
}

fn destination(uri: &str) -> Result<Destination, Fault> {
    uri.parse().map_err(|error: DestinationError| match error {
        DestinationError::Form => invalid_parameter(format!("{error}.")),
        DestinationError::Bucket => Fault::declared("InvalidS3BucketNameException", format!("{error}.")),
        DestinationError::Prefix => Fault::declared("InvalidS3PrefixException", format!("{error}.")),
    })
}

fn no_store(name: &str) -> Fault {
    let name: String = name.chars().take(256).collect();
    invalid_statement(format!("{name} is not the ID of an event data store. Write FROM and the ID."))
}

fn invalid_statement(message: impl Into<String>) -> Fault {
    Fault::declared("InvalidQueryStatementException", message)
}
