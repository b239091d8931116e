//! `opentrail query`: asks event data stores in SQL, waits, and prints the rows.

mod names;
mod print;
mod wait;

use std::{
    fmt,
    io::{self, Read},
    process::ExitCode,
    time::Instant,
};

use clap::{Args, ValueEnum};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::client::{Client, ClientError, ServerArguments};

/// What stands before the names of CloudTrail's operations.
const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";
/// Rows asked for in one call (AWS: GetQueryResults).
const PAGE: usize = 1000;
/// The exit code of a command that Ctrl-C ended, as shells have it.
const INTERRUPTED: u8 = 130;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RowOutput {
    /// For people: a table, or each column on a line of its own where rows are wider than the terminal.
    Table,
    /// For people: each column on a line of its own.
    Expanded,
    /// One JSON object a line.
    Json,
    /// Comma-separated values, with the names of the columns.
    Csv,
}

#[derive(Args)]
#[command(after_help = "The table of an event data store is its ID, or here also its name:\n  \
                  opentrail query \"SELECT eventName, count(*) FROM audit GROUP BY eventName\"\n  \
                  opentrail query --store audit \"SELECT * FROM events WHERE eventName = 'StopLogging'\"")]
pub(crate) struct QueryArguments {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "SQL", allow_hyphen_values = true, value_parser = query_text)]
    sql: String,
    /// The event data store that `events` means in the query: its name, ID or ARN
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// What stands for a question mark in the query; once for each, in their order
    #[arg(short, long = "parameter", value_name = "VALUE")]
    parameters: Vec<String>,
    /// Also deliver the rows there, with a signature
    #[arg(long, value_name = "S3-URI")]
    deliver: Option<String>,
    /// How rows are printed
    #[arg(long, default_value = "table")]
    output: RowOutput,
    #[command(flatten)]
    server: ServerArguments,
}

/// A query may begin with a comment, which looks like an option; an option that does not exist is no query.
fn query_text(text: &str) -> Result<String, String> {
    let is_comment = text.starts_with("--") && text.contains(char::is_whitespace);
    match text.starts_with('-') && text != "-" && !is_comment {
        true => Err("there is no such option".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// The server refused, or is away.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Standard input can't be read.
    #[error("the query can't be read from standard input: {0}")]
    Input(#[from] io::Error),
    /// The query is wrong; shown with the place.
    #[error("{0}")]
    Wrong(Wrong),
    /// No event data store has the name.
    #[error(
        "there is no event data store {0:?}; aws cloudtrail list-event-data-stores shows those there are"
    )]
    NoStore(String),
    /// The query ended without an answer.
    #[error("the query {id} is {status}{}", .reason.as_deref().map_or(String::new(), |text| format!(": {text}")))]
    Ended {
        /// Its id.
        id: String,
        /// AWS's word for how.
        status: String,
        /// Why.
        reason: Option<String>,
    },
}

/// A query that is wrong, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Wrong {
    sql: String,
    message: String,
}

impl Wrong {
    /// Line and column of the place, counted from 1, which messages begin with: `line 1:8: `.
    fn place(&self) -> Option<(usize, usize)> {
        let (line, rest) = self.message.strip_prefix("line ")?.split_once(':')?;
        let (column, _) = rest.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let Some((line, column)) = self.place() else { return Ok(()) };
        let Some(text) = line.checked_sub(1).and_then(|line| self.sql.lines().nth(line)) else {
            return Ok(());
        };
        // A tab takes the room that the terminal gives it, so it stays one.
        let before = text.chars().take(column.saturating_sub(1));
        let indent: String = before.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "\n  {text}\n  {indent}^")
    }
}

async fn call<T: DeserializeOwned>(
    client: &Client,
    operation: &str,
    input: &Value,
) -> Result<T, ClientError> {
    client.cloudtrail(&format!("{TARGET}{operation}"), input).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Started {
    query_id: String,
}

/// Asks, waits and prints.
pub(crate) async fn run(arguments: QueryArguments) -> Result<ExitCode, QueryError> {
    let mut sql = arguments.sql;
    if sql == "-" {
        sql.clear();
        io::stdin().read_to_string(&mut sql)?;
    }
    let client = Client::new(&arguments.server)?;
    let sql = names::resolved(&client, &sql, arguments.store.as_deref()).await?;
    let mut ask = json!({"QueryStatement": sql});
    if !arguments.parameters.is_empty() {
        ask["QueryParameters"] = json!(arguments.parameters);
    }
    if let Some(uri) = arguments.deliver {
        ask["DeliveryS3Uri"] = json!(uri);
    }
    let started: Started = call(&client, "StartQuery", &ask).await.map_err(|error| match error {
        ClientError::Refused { code, message } if code == "InvalidQueryStatementException" => {
            QueryError::Wrong(Wrong { sql: sql.clone(), message })
        }
        error => error.into(),
    })?;
    let id = started.query_id;
    let begun = Instant::now();
    let ended = tokio::select! {
        ended = wait::until_ended(&client, &id) => ended?,
        _ = tokio::signal::ctrl_c() => {
            // It may have ended in this very moment; then there is nothing to cancel.
            let cancelled: Result<Value, _> = call(&client, "CancelQuery", &json!({"QueryId": id})).await;
            match cancelled {
                Ok(_) => eprintln!("opentrail: the query {id} is cancelled"),
                Err(error) => eprintln!("opentrail: the query {id} can't be cancelled: {error}"),
            }
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let took = begun.elapsed();
    if !ended.has_rows() {
        let reason = ended.error_message;
        return Err(QueryError::Ended { id, status: ended.query_status, reason });
    }
    print::rows(&client, &id, arguments.output).await?;
    ended.tell();
    wait::tell_delivery(&client, &id, &ended, took).await?;
    Ok(if ended.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::{Wrong, query_text};

    #[test]
    fn a_comment_is_no_option() {
        for text in ["-- all of them\nSELECT 1", "--all\nSELECT 1", "-", "SELECT 1 -- one"] {
            assert_eq!(query_text(text).as_deref(), Ok(text));
        }
        for text in ["--otuput", "-x", "--sotre=audit"] {
            assert!(query_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let sql = "SELECT\n\tevntName\nFROM x".to_owned();
        let message = "line 2:2: no column 'evntName'".to_owned();
        let shown = Wrong { sql: sql.clone(), message }.to_string();
        assert_eq!(shown, "line 2:2: no column 'evntName'\n  \tevntName\n  \t^");
        for message in ["no place", "line x:1: y", "line 9:1: y", "line 0:0: y"] {
            assert_eq!(Wrong { sql: sql.clone(), message: message.to_owned() }.to_string(), message);
        }
    }
}
