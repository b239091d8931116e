//! `opentrail who-can`: which principals may do something, through which statements, under which conditions.

use std::{collections::BTreeMap, process::ExitCode};

use bytes::Bytes;
use clap::Args;
use comfy_table::ContentArrangement;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    client::{Client, ClientError, ServerArguments},
    output::{Output, say, table},
};

/// The exit code for `--fail-if-any-except` where there is another.
const OTHERS: u8 = 3;
/// Statements that are shown for one principal.
const SHOWN: usize = 4;

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 answered, 1 could not run, 2 wrong usage, 3 with --fail-if-any-except: there is \
                        another, or not everything could be looked at"
)]
pub(crate) struct WhoCanArguments {
    /// The action, such as s3:DeleteObjectVersion
    action: String,
    /// The resource: BUCKET, BUCKET/KEY or an ARN
    resource: String,
    /// Fail where anyone but these can, or can obtain it: ARNs as the answer shows them, separated by commas
    #[arg(long, value_name = "ARN,…", value_delimiter = ',', num_args = 0..)]
    fail_if_any_except: Option<Vec<String>>,
    /// How the answer is printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    resource: String,
    able: Vec<Able>,
    notes: Vec<String>,
    looked_at: usize,
    complete: bool,
    #[serde(default, skip_serializing)]
    next_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Able {
    principal: String,
    #[serde(rename = "Type")]
    kind: String,
    account: Option<String>,
    answer: String,
    allowed_by: Vec<Said>,
    limited_by: Vec<Said>,
    example: Option<Example>,
    detours: Vec<Detour>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    policy: String,
    sid: Option<String>,
    statement: usize,
    through: Option<String>,
    needs: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Example {
    resource: String,
    session: Option<String>,
    keys: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Detour {
    action: String,
    resource: String,
    allowed_by: Vec<Said>,
}

/// Asks and prints.
pub(crate) async fn run(arguments: WhoCanArguments) -> Result<ExitCode, ClientError> {
    let client = Client::new(&arguments.server)?;
    let mut answer = page(&client, &arguments, None).await?;
    while let Some(token) = answer.next_token.take() {
        let next = page(&client, &arguments, Some(&token)).await?;
        answer.able.extend(next.able);
        answer.complete &= next.complete;
        answer.next_token = next.next_token;
    }
    match arguments.output {
        Output::Json => match serde_json::to_string_pretty(&answer) {
            Ok(json) => say!("{json}"),
            Err(error) => eprintln!("opentrail: {error}"),
        },
        Output::Table => print(&arguments.action, &answer),
    }
    Ok(verdict(&answer, arguments.fail_if_any_except.as_deref()))
}

async fn page(
    client: &Client,
    arguments: &WhoCanArguments,
    token: Option<&str>,
) -> Result<Answer, ClientError> {
    let mut ask = json!({"Action": arguments.action, "Resource": arguments.resource});
    if let Some(token) = token {
        ask["NextToken"] = token.into();
    }
    let headers = [("content-type", "application/json")];
    client.call(Method::POST, "/v1/who-can", &headers, Bytes::from(ask.to_string())).await
}

fn verdict(answer: &Answer, except: Option<&[String]>) -> ExitCode {
    let Some(except) = except else { return ExitCode::SUCCESS };
    let others = answer.able.iter().filter(|able| !except.contains(&able.principal)).count();
    if others == 0 && answer.complete { ExitCode::SUCCESS } else { ExitCode::from(OTHERS) }
}

fn print(action: &str, answer: &Answer) {
    if answer.able.is_empty() {
        say!("nobody can {action} on {}", answer.resource);
    } else {
        let mut rows = table(["Principal", "Can", "Through", "Conditions and limits"]);
        rows.set_content_arrangement(ContentArrangement::Dynamic);
        for able in &answer.able {
            let who = format!("{}\n({})", able.principal, able.kind.to_lowercase());
            rows.add_row([who, able.answer.clone(), through(able), conditions(able)]);
        }
        say!("{rows}");
    }
    for note in &answer.notes {
        say!("{note}");
    }
    say!("{} of {} principals can {action} on {}", answer.able.len(), answer.looked_at, answer.resource);
    if !answer.complete {
        say!("not everything could be looked at: there may be others");
    }
}

fn statement(said: &Said) -> String {
    let which = match &said.sid {
        Some(sid) => format!("\"{sid}\""),
        None => format!("no. {}", said.statement + 1),
    };
    if said.policy == "root user" {
        said.policy.clone()
    } else {
        format!("{}, statement {which}", said.policy)
    }
}

fn through(able: &Able) -> String {
    let detours = able.detours.iter().map(|detour| format!("→ {} {}", detour.action, detour.resource));
    let allowed = able.allowed_by.iter().take(SHOWN).map(statement);
    let mut lines: Vec<String> = detours.chain(allowed).collect();
    if able.allowed_by.len() > SHOWN {
        lines.push(format!("and {} more", able.allowed_by.len() - SHOWN));
    }
    lines.join("\n")
}

fn conditions(able: &Able) -> String {
    let mut lines: Vec<String> = Vec::new();
    if able.answer == "sometimes" {
        let needs = able.allowed_by.iter().flat_map(|said| &said.needs);
        for need in needs {
            let line = format!("if {need}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let limits = able.limited_by.iter().take(SHOWN).map(|said| match said.needs.as_slice() {
        [] => format!("limited by {}", statement(said)),
        needs => format!("limited by {}: {}", statement(said), needs.join(" and ")),
    });
    lines.extend(limits);
    if let Some(example) = &able.example {
        lines.push(format!("for example {}", shown(example)));
    }
    lines.join("\n")
}

fn shown(example: &Example) -> String {
    let keys = example.keys.iter().map(|(key, values)| match values.as_slice() {
        [] => format!("without {key}"),
        values => format!("{key} = {}", values.join(", ")),
    });
    let session = example.session.iter().map(|name| format!("session {name}"));
    let parts: Vec<String> = std::iter::once(example.resource.clone()).chain(session).chain(keys).collect();
    parts.join("; ")
}
