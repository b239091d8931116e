//! The findings on standard output.

use serde_json::json;

use super::finding::{Finding, State};
use crate::output::{Output, say, table};

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

fn print_table(findings: &[Finding]) {
    let mut rows = table(["Finding", "State", "What"]);
    rows.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
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
