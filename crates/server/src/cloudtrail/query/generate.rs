//! GenerateQuery. No model writes SQL here: a prompt is answered with the sample query that is nearest to it, which says
//! so, or not at all.

use opentrail_event::RecordResource;
use serde::{Deserialize, Serialize};

use super::{
    access::check_active,
    invalid_parameter,
    samples::{self, STORE},
    search::check_phrase,
};
use crate::{
    call::Call,
    cloudtrail::event_data_store::asking,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// Shortest and longest prompt in characters (AWS: Prompt).
const PROMPT: std::ops::RangeInclusive<usize> = 3..=500;
/// How near a sample query must be: about half of what the prompt asks for.
const NEAR_ENOUGH: f32 = 0.5;

pub(in crate::cloudtrail) struct GenerateQuery;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    event_data_stores: Vec<String>,
    prompt: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    query_statement: String,
    query_alias: String,
    event_data_store_owner_account_id: String,
}

impl Described for GenerateQuery {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GenerateQuery";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        input.event_data_stores.iter().take(1).flat_map(|named| asking::of_another(named, call)).collect()
    }
}

impl Read for GenerateQuery {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let [named] = input.event_data_stores.as_slice() else {
            return Err(invalid_parameter("Specify exactly one event data store."));
        };
        let store = asking::permitted("GenerateQuery", named, call)?;
        check_active(&store, call)?;
        check_phrase("Prompt", &input.prompt, PROMPT)?;
        let nearest = samples::ranked(&input.prompt)
            .into_iter()
            .find(|(sample, relevance)| !sample.sql.contains('?') && *relevance >= NEAR_ENOUGH);
        let Some((sample, _)) = nearest else {
            let message = "No sample query answers this prompt, and this server writes no others. \
                           SearchSampleQueries shows those it has.";
            return Err(Fault::declared("GenerateResponseException", message));
        };
        let is_own = store.account == call.account;
        let table = if is_own { store.id.to_string() } else { format!("\"{}\"", store.arn()) };
        Ok(Output {
            query_statement: format!(
                "-- The sample query \"{}\", chosen by the words of the prompt.\n{}",
                sample.name,
                sample.sql.replace(STORE, &table)
            ),
            query_alias: sample.alias_for(store.id),
            event_data_store_owner_account_id: store.account.to_string(),
        })
    }
}
