//! `opentrail protect`: what a bucket for logs should be like, looked at and set.
//!
//! It speaks nothing but S3's own operations, so any endpoint will do. What a bucket's policy means is decided by
//! evaluating it, not by looking for statements. What is there is added to, never taken away.

mod document;
mod finding;
mod flags;
mod judge;
mod lock;
mod look;
mod mend;
mod policy;
mod report;
mod s3;
mod statements;
mod trails;

use std::process::ExitCode;

use clap::Args;

use self::{
    finding::{Finding, State, Subject},
    flags::Wishes,
    judge::{Case, judge},
    look::Bucket,
    mend::mend,
    policy::Trail,
    s3::{Meaning, S3, S3Error},
};
use crate::{
    client::{Client, ClientError, ServerArguments},
    output::Output,
};

/// The exit code for a bucket that lacks something.
const LACKING: u8 = 3;
/// The exit code for a bucket of which not everything could be seen, and nothing that could be lacks.
const UNSEEN: u8 = 4;

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all is as it should be, 1 could not run, 2 wrong usage, 3 something is weak or \
                        missing, 4 nothing is, but not everything could be seen"
)]
pub(crate) struct ProtectArguments {
    /// The bucket
    bucket: String,
    /// Only look, and say how each finding is mended
    #[arg(long)]
    check: bool,
    /// Count what is only recommended too: MFA delete, access logs, a copy elsewhere
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    wishes: Wishes,
    /// Endpoint of CloudTrail, to ask for the bucket's trails; the bucket's own if absent
    #[arg(long, value_name = "URL")]
    cloudtrail_endpoint: Option<String>,
    /// How the findings are printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtectError {
    /// The endpoint is no URL, or the like.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The bucket can't be seen at all.
    #[error("{bucket}: {cause}")]
    Bucket {
        /// Which.
        bucket: String,
        /// Why.
        cause: String,
    },
    /// The ARN is none of a trail.
    #[error("{0:?} is not the ARN of a trail")]
    BadArn(String),
    /// The name is none of a bucket.
    #[error("{0:?} is not the name of a bucket")]
    BadBucket(String),
}

/// Looks, mends unless told not to, and prints.
pub(crate) async fn run(arguments: ProtectArguments) -> Result<ExitCode, ProtectError> {
    let name = &arguments.bucket;
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
    };
    let others = arguments.wishes.access_log_bucket.iter().chain(&arguments.wishes.replica_bucket);
    if let Some(wrong) = others.chain([name]).find(|name| !is_name(name)) {
        return Err(ProtectError::BadBucket(wrong.clone()));
    }
    let s3 = S3::new(&arguments.server)?;
    let bucket = look(&s3, name).await?;
    let client = Client::new(&ServerArguments {
        endpoint: trails::endpoint(&arguments.server, arguments.cloudtrail_endpoint.as_deref()),
        ..arguments.server.clone()
    })?;
    let trails = trails::of(&client, name, &arguments.wishes).await?;
    let account = trails.first().map_or(trails::UNKNOWN_ACCOUNT, |trail| &trail.account).to_owned();
    let cli_option = s3.cli_option();
    let protection =
        Protection { s3, wishes: &arguments.wishes, trails: &trails, account: &account, cli_option };
    let findings = protection.go(bucket, arguments.check).await?;
    report::print(name, &findings, arguments.output);
    Ok(verdict(&findings, arguments.strict))
}

async fn look(s3: &S3, name: &str) -> Result<Bucket, ProtectError> {
    let failed = |cause: S3Error| ProtectError::Bucket { bucket: name.to_owned(), cause: cause.to_string() };
    Bucket::look(s3, name).await.map_err(failed)
}

fn verdict(findings: &[Finding], strict: bool) -> ExitCode {
    let counted = || findings.iter().filter(|finding| finding.required || strict);
    if counted().any(|finding| matches!(finding.state, State::Weak | State::Missing)) {
        ExitCode::from(LACKING)
    } else if counted().any(|finding| finding.state == State::Unknown) {
        ExitCode::from(UNSEEN)
    } else {
        ExitCode::SUCCESS
    }
}

/// The protecting of one bucket.
struct Protection<'a> {
    s3: S3,
    wishes: &'a Wishes,
    trails: &'a [Trail],
    account: &'a str,
    cli_option: String,
}

impl Protection<'_> {
    fn case<'a>(&'a self, bucket: &'a Bucket) -> Case<'a> {
        Case {
            bucket,
            wishes: self.wishes,
            trails: self.trails,
            account: self.account,
            cli_option: &self.cli_option,
            over_tls: self.s3.is_encrypted(),
        }
    }

    async fn go(&self, mut bucket: Bucket, check: bool) -> Result<Vec<Finding>, ProtectError> {
        let mut changed: Vec<(Subject, Option<S3Error>)> = Vec::new();
        if !check {
            for subject in Subject::ALL {
                let found = judge(&self.case(&bucket), subject);
                let Some(mend) = mend(&self.case(&bucket), &found) else { continue };
                let done = self.apply(subject, &bucket.name, &mend).await;
                changed.push((subject, done.err()));
                bucket = look(&self.s3, &bucket.name).await?;
            }
        }
        Ok(Subject::ALL.into_iter().map(|subject| self.finding(&bucket, subject, &changed)).collect())
    }

    async fn apply(&self, subject: Subject, bucket: &str, mend: &mend::Mend) -> Result<(), S3Error> {
        if subject == Subject::AccessLogging
            && let Some(target) = &self.wishes.access_log_bucket
        {
            self.admit_access_logs(target, bucket).await?;
        }
        self.s3.put(bucket, mend.setting, &mend.headers, mend.body.clone()).await
    }

    /// S3 writes access logs where the target's policy lets it.
    async fn admit_access_logs(&self, target: &str, source: &str) -> Result<(), S3Error> {
        let policy = look::text(&self.s3, target, "policy").await?;
        let wanted = statements::access_logs(target, source);
        let there = policy.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        let has = |document: &serde_json::Value| {
            document["Statement"].as_array().is_some_and(|many| {
                many.iter().any(|one| one["Resource"] == wanted["Resource"] && one["Effect"] == "Allow")
            })
        };
        if there.as_ref().is_some_and(has) {
            return Ok(());
        }
        let merged = statements::merge(policy.as_deref(), vec![wanted.clone()]);
        self.s3.put(target, "policy", &[], merged).await
    }

    /// How a thing stands after all, with what was done and what else to do.
    fn finding(&self, bucket: &Bucket, subject: Subject, changed: &[(Subject, Option<S3Error>)]) -> Finding {
        let case = self.case(bucket);
        let mut finding = judge(&case, subject);
        let tried = changed.iter().find(|(of, _)| *of == subject);
        finding.changed = matches!(tried, Some((_, None)));
        if let Some((_, Some(error))) = tried {
            finding.what = format!("{}; it could not be set: {error}", finding.what);
            if error.meaning() == Meaning::Unsupported {
                finding.state = State::Unknown;
                finding.unsupported = true;
            }
        }
        if !matches!(finding.state, State::Weak | State::Missing) {
            return finding;
        }
        if let Some(command) = mend::command(&case, &finding) {
            finding.how = Some(command);
        }
        finding
    }
}
