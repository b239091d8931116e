//! The report on standard output.

use opentrail_event::AccountId;
use opentrail_trails::validate::{Counts, Report, Verdict};
use serde::Serialize;

use crate::output::{Output, say, table};

/// Findings that are listed one by one for people.
const LISTED: usize = 50;

/// What was found of one account's files.
#[derive(Serialize)]
pub(super) struct Judged {
    pub(super) account: AccountId,
    #[serde(flatten)]
    pub(super) report: Report,
}

/// The reports of several accounts.
#[derive(Serialize)]
struct All<'a> {
    verdict: Verdict,
    accounts: &'a [Judged],
}

/// What the reports say together.
pub(super) fn worst(judged: &[Judged]) -> Verdict {
    judged.iter().map(|one| one.report.verdict).max().unwrap_or(Verdict::Incomplete)
}

pub(super) fn print(judged: &[Judged], output: Output) {
    match (output, judged) {
        (Output::Json, [one]) => print_json(one),
        (Output::Json, all) => print_json(&All { verdict: worst(all), accounts: all }),
        (Output::Table, [one]) => print_table(one),
        (Output::Table, all) => {
            say!("{}: {} accounts", shown(worst(all)), all.len());
            for one in all {
                say!("");
                print_table(one);
            }
        }
    }
}

fn print_json(report: &impl Serialize) {
    match serde_json::to_string_pretty(report) {
        Ok(json) => say!("{json}"),
        Err(error) => eprintln!("opentrail: {error}"),
    }
}

fn shown(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "VALID",
        Verdict::Invalid => "INVALID",
        Verdict::Incomplete => "INCOMPLETE",
    }
}

fn print_table(Judged { account, report }: &Judged) {
    say!("{}", shown(report.verdict));
    say!("  {:<17} {account}", "account");
    let line = |what: &str, counts: &Counts| {
        say!("  {what:<17} {} of {} valid", counts.valid, counts.valid + counts.invalid);
    };
    line("digest files", &report.digests);
    if report.backfill_digests != Counts::default() {
        line("backfill digests", &report.backfill_digests);
    }
    line("log files", &report.log_files);
    if report.uncovered_log_files > 0 {
        say!("  {:<17} {} not covered by a digest yet", "log files", report.uncovered_log_files);
    }
    say!("  {:<17} {}", "regions", report.regions.join(", "));
    if let (Some(from), Some(to)) = (report.found_from, report.found_to) {
        say!("  {:<17} {} to {}", "digests cover", from.to_rfc3339(), to.to_rfc3339());
    }
    if !report.heads_known {
        say!("  the server was not asked: deleted newest digests can't be seen");
    }
    if report.findings.is_empty() {
        return;
    }
    let mut rows = table(["Finding", "Region", "File", "Detail"]);
    for finding in report.findings.iter().take(LISTED) {
        rows.add_row([
            format!("{:?}", finding.kind),
            finding.region.clone(),
            finding.key.clone(),
            finding.detail.clone(),
        ]);
    }
    say!("{rows}");
    let more = report.findings.len().saturating_sub(LISTED) as u64 + report.findings_left_off;
    if more > 0 {
        say!("and {more} more; --output json lists them");
    }
}
