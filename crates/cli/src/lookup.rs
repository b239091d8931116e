//! `opentrail lookup`: event history with several attributes, substrings and all regions at once.

use std::process::ExitCode;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use clap::Args;
use opentrail_archive::Attribute;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    client::{Client, ClientError, ServerArguments},
    output::{Output, say, table},
};

/// Events asked for in one call.
const PAGE: usize = 500;

#[derive(Args)]
pub(crate) struct LookupArguments {
    /// Attribute that must be equal, as NAME=VALUE; may be given several times
    #[arg(short, long = "attribute", value_name = "NAME=VALUE", value_parser = filter)]
    attributes: Vec<(Attribute, String)>,
    /// Attribute that must contain, as NAME=TEXT; may be given several times
    #[arg(short, long = "contains", value_name = "NAME=TEXT", value_parser = filter)]
    contains: Vec<(Attribute, String)>,
    /// Only events of this region; all regions otherwise
    #[arg(long = "in-region", value_name = "REGION")]
    in_region: Option<String>,
    /// Oldest event time, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    start_time: Option<DateTime<Utc>>,
    /// Newest event time
    #[arg(long, value_name = "TIME")]
    end_time: Option<DateTime<Utc>>,
    /// How many events at most
    #[arg(short, long, default_value_t = 50, value_name = "COUNT")]
    limit: usize,
    /// How events are printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

fn filter(text: &str) -> Result<(Attribute, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as EventName=CreateUser")?;
    let attribute = name.parse::<Attribute>().map_err(|error| error.to_string())?;
    Ok((attribute, value.to_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    events: Vec<Found>,
    next_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    event_id: String,
    event_name: String,
    event_source: String,
    #[serde(default)]
    username: Option<String>,
    cloud_trail_event: String,
}

/// Asks and prints.
pub(crate) async fn run(arguments: LookupArguments) -> Result<ExitCode, ClientError> {
    let client = Client::new(&arguments.server)?;
    let mut found: Vec<Found> = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let ask = question(&arguments, PAGE.min(arguments.limit - found.len()), token.as_deref());
        let headers = [("content-type", "application/json")];
        let body = Bytes::from(ask.to_string());
        let page: Page = client.call(Method::POST, "/v1/lookup", &headers, body).await?;
        found.extend(page.events);
        token = page.next_token;
        if token.is_none() || found.len() >= arguments.limit {
            break;
        }
    }
    match arguments.output {
        Output::Json => {
            for event in &found {
                say!("{}", event.cloud_trail_event.replace('\n', " "));
            }
        }
        Output::Table => print_table(&found),
    }
    Ok(ExitCode::SUCCESS)
}

fn question(arguments: &LookupArguments, count: usize, token: Option<&str>) -> Value {
    let filters = |filters: &[(Attribute, String)], kind: &str| -> Vec<Value> {
        let one = |(attribute, value): &(Attribute, String)| json!({"Key": attribute.as_str(), "Value": value, "Match": kind});
        filters.iter().map(one).collect()
    };
    let mut attributes = filters(&arguments.attributes, "exact");
    attributes.extend(filters(&arguments.contains, "contains"));
    let mut ask = json!({"Attributes": attributes, "MaxResults": count});
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            ask[name] = value.into();
        }
    };
    set("Region", arguments.in_region.clone());
    set("StartTime", arguments.start_time.map(|time| time.to_rfc3339()));
    set("EndTime", arguments.end_time.map(|time| time.to_rfc3339()));
    set("NextToken", token.map(str::to_owned));
    ask
}

fn print_table(found: &[Found]) {
    let mut rows = table(["Time", "Event", "Source", "User", "Region", "Error"]);
    for event in found {
        let record: Value = serde_json::from_str(&event.cloud_trail_event).unwrap_or_default();
        let text = |name: &str| record[name].as_str().unwrap_or("").to_owned();
        rows.add_row([
            text("eventTime"),
            event.event_name.clone(),
            event.event_source.clone(),
            event.username.clone().unwrap_or_default(),
            text("awsRegion"),
            text("errorCode"),
        ]);
    }
    say!("{rows}");
    say!("{} events", found.len());
}
