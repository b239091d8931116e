//! SearchSampleQueries.

use serde::{Deserialize, Serialize};

use super::{invalid_parameter, samples};
use crate::{
    call::Call,
    cloudtrail::token,
    fault::Fault,
    operation::{Described, Read},
};

/// Most sample queries of an answer, and how many there are without MaxResults (AWS: SearchSampleQueries).
const MAX_RESULTS: usize = 50;
const DEFAULT_RESULTS: usize = 10;
/// What a token begins with, so that it has the four characters that tokens must have.
const TOKEN: &str = "samples/";
/// Shortest and longest phrase in characters (AWS: SearchPhrase).
const PHRASE: std::ops::RangeInclusive<usize> = 2..=1000;

pub(in crate::cloudtrail) struct SearchSampleQueries;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    search_phrase: String,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    search_results: Vec<Found>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    name: &'static str,
    description: String,
    #[serde(rename = "SQL")]
    sql: &'static str,
    relevance: f32,
}

impl Described for SearchSampleQueries {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "SearchSampleQueries";
}

/// Refuses a phrase that AWS's pattern does: printable ASCII and line feeds.
pub(super) fn check_phrase(
    name: &str,
    phrase: &str,
    lengths: std::ops::RangeInclusive<usize>,
) -> Result<(), Fault> {
    let is_allowed = |letter: char| letter == '\n' || (' '..='~').contains(&letter);
    if lengths.contains(&phrase.chars().count()) && phrase.chars().all(is_allowed) {
        return Ok(());
    }
    let (shortest, longest) = (lengths.start(), lengths.end());
    Err(invalid_parameter(format!("{name} must have {shortest} to {longest} printable ASCII characters.")))
}

impl Read for SearchSampleQueries {
    async fn act(input: Input, _: &Call) -> Result<Output, Fault> {
        check_phrase("SearchPhrase", &input.search_phrase, PHRASE)?;
        let limit = match input.max_results {
            None => DEFAULT_RESULTS,
            Some(asked) => {
                usize::try_from(asked).ok().filter(|count| (1..=MAX_RESULTS).contains(count)).ok_or_else(
                    || invalid_parameter(format!("MaxResults must be between 1 and {MAX_RESULTS}.")),
                )?
            }
        };
        let skip: usize = match &input.next_token {
            Some(text) => {
                token::read(text).and_then(|text| text.strip_prefix(TOKEN)?.parse().ok()).ok_or_else(
                    || invalid_parameter("The NextToken is not one that SearchSampleQueries gave."),
                )?
            }
            None => 0,
        };
        let ranked = samples::ranked(&input.search_phrase);
        let end = skip.saturating_add(limit);
        let next_token = (end < ranked.len()).then(|| token::after(&format!("{TOKEN}{end}")));
        let found = ranked.into_iter().skip(skip).take(limit).map(|(sample, relevance)| Found {
            name: sample.name,
            description: format!("{} QueryAlias: {}.", sample.description, sample.alias()),
            sql: sample.sql,
            relevance,
        });
        Ok(Output { search_results: found.collect(), next_token })
    }
}
