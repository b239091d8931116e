//! The findings on standard output.

use std::io::{self, IsTerminal};

use serde_json::json;

use super::finding::{Finding, State};
use crate::output::{Output, say, table};

/// The width of a table in a terminal that does not tell its own.
const WIDTH: u16 = 100;
/// The least width in which the rows can be read.
const LEAST_WIDTH: u16 = 60;

pub(super) fn print(bucket: &str, findings: &[Finding], output: Output) {
    match output {
        Output::Json => {
            match serde_json::to_string_pretty(&json!({"bucket": bucket, "findings": findings})) {
                Ok(json) => say!("{json}"),
                Err(error) => eprintln!("opentrail: {error}"),
            }
        }
        Output::Table => print_table(findings),
    }
}

/// How wide a table may be: what the shell says, or what fits most terminals.
fn width() -> u16 {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    columns.filter(|columns| *columns >= LEAST_WIDTH).unwrap_or(WIDTH)
}

fn print_table(findings: &[Finding]) {
    let mut rows = table(["Finding", "State", "What"]);
    rows.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    // A program that takes the rows gets each on one line.
    if io::stdout().is_terminal() {
        rows.set_width(width());
    }
    for finding in findings {
        let mut state = finding.state.word().to_owned();
        if finding.changed {
            state.push_str(", set now");
        }
        if !finding.required && matches!(finding.state, State::Missing | State::Weak) {
            state = "recommended".to_owned();
        }
        rows.add_row([finding.subject.name().to_owned(), state, finding.what.clone()]);
    }
    say!("{rows}");
    let open = findings.iter().filter(|finding| matches!(finding.state, State::Weak | State::Missing));
    for finding in open {
        say!("\n{}: {}", finding.subject.name(), finding.why);
        if let Some(note) = &finding.note {
            say!("  # {note}");
        }
        if let Some(how) = &finding.how {
            say!("  {how}");
        }
    }
    let count =
        |state: State| findings.iter().filter(|finding| finding.state == state && finding.required).count();
    say!(
        "\n{} ok, {} weak, {} missing, {} unknown",
        findings.iter().filter(|finding| finding.state == State::Ok).count(),
        count(State::Weak),
        count(State::Missing),
        count(State::Unknown)
    );
}
