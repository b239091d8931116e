//! From what a bucket is like to findings.

use std::collections::BTreeSet;

use super::{
    finding::{Finding, State, Subject},
    flags::Wishes,
    lock,
    look::{Bucket, Rule, Setting},
    policy::{BucketPolicy, Trail},
    s3::{Meaning, S3Error},
};

/// Days that an earlier version has to stay, at least, so that a deletion is noticed in time: as long as event history
/// goes back.
const EARLIER_DAYS: u32 = 90;

/// The bucket, and all that it is judged by.
pub(super) struct Case<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) wishes: &'a Wishes,
    /// The trails that deliver here.
    pub(super) trails: &'a [Trail],
    /// The account whose bucket it is taken for.
    pub(super) account: &'a str,
    /// What the AWS CLI needs to speak to the same endpoint.
    pub(super) cli_option: &'a str,
    /// Whether the endpoint is spoken to over TLS.
    pub(super) over_tls: bool,
}

/// What is found of one thing.
pub(super) fn judge(case: &Case<'_>, subject: Subject) -> Finding {
    if case.wishes.skip.contains(&subject) {
        return Finding::new(subject, State::Skipped, "not looked at").recommended();
    }
    let found = match subject {
        Subject::CloudtrailGrant | Subject::DenyDelete | Subject::TlsOnly | Subject::PublicGrant => {
            of_policy(case, subject)
        }
        Subject::Versioning => versioning(case),
        Subject::ObjectLock => lock::judge(case),
        Subject::MfaDelete => mfa_delete(case),
        Subject::PublicAccessBlock => public_access_block(case),
        Subject::Encryption => encryption(case),
        Subject::LifecycleTransitions | Subject::LifecycleUploads | Subject::LifecycleExpiration => {
            lifecycle(case, subject)
        }
        Subject::AccessLogging => access_logging(case),
        Subject::Replication => replication(case),
    };
    let finding = found.unwrap_or_else(|error| unknown(subject, error));
    // What needs something that was not given counts as little unseen as missing.
    if finding.state != State::Ok && !case.wishes.ask_for(subject) { finding.recommended() } else { finding }
}

fn unknown(subject: Subject, error: &S3Error) -> Finding {
    match error.meaning() {
        Meaning::Unsupported => {
            let mut finding =
                Finding::new(subject, State::Unknown, format!("the endpoint does not know this: {error}"));
            finding.unsupported = true;
            finding
        }
        Meaning::Denied => {
            Finding::new(subject, State::Unknown, format!("these credentials may not look: {error}"))
        }
        _ => Finding::new(subject, State::Unknown, error.to_string()),
    }
}

trait Read<T> {
    fn read(&self) -> Result<Option<&T>, &S3Error>;
}

impl<T> Read<T> for Setting<T> {
    fn read(&self) -> Result<Option<&T>, &S3Error> {
        self.as_ref().map(Option::as_ref)
    }
}

fn of_policy<'a>(case: &Case<'a>, subject: Subject) -> Result<Finding, &'a S3Error> {
    let text = case.bucket.policy.read()?;
    let policy = match BucketPolicy::read(&case.bucket.name, case.account, text.map(String::as_str)) {
        Ok(policy) => policy,
        Err(error) => {
            let what = format!("the policy can't be judged: {error}");
            return Ok(Finding::new(subject, State::Unknown, what));
        }
    };
    Ok(match subject {
        Subject::CloudtrailGrant => cloudtrail_grant(case, &policy),
        Subject::DenyDelete => deny_delete(&policy),
        Subject::TlsOnly => match policy.insecure() {
            None => Finding::new(subject, State::Ok, "nothing is allowed without TLS"),
            Some(hole) => insecure(case, &hole.shown()),
        },
        _ => public_grant(case, &policy),
    })
}

fn insecure(case: &Case<'_>, hole: &str) -> Finding {
    let finding = Finding::new(Subject::TlsOnly, State::Missing, format!("without TLS, {hole}"));
    if case.over_tls {
        return finding;
    }
    // What only lets TLS through would keep a tool out that speaks without.
    finding
        .noted("not set from here: the endpoint is spoken to without TLS, which this would end")
        .mend("give the endpoint a certificate, and run this again with --endpoint https://…")
}

fn cloudtrail_grant(case: &Case<'_>, policy: &BucketPolicy<'_>) -> Finding {
    let subject = Subject::CloudtrailGrant;
    if policy.serves_strangers() {
        let what = "a grant to CloudTrail is not bound to a trail by aws:SourceArn: trails of other accounts may write here (confused deputy)";
        return Finding::new(subject, State::Weak, what);
    }
    if case.trails.is_empty() {
        let named = policy.named_trails();
        if named.is_empty() {
            return Finding::new(subject, State::Missing, "CloudTrail may not write, and no trail is known")
                .mend("name the trail: --trail-arn ARN");
        }
        let named: Vec<String> = named.into_iter().collect();
        return Finding::new(subject, State::Ok, format!("CloudTrail writes for {} only", named.join(", ")));
    }
    for trail in case.trails {
        let missing = policy.undelivered(trail);
        if !missing.is_empty() {
            let what = format!("CloudTrail may not write to {} for {}", missing.join(", "), trail.arn);
            return Finding::new(subject, State::Missing, what);
        }
    }
    let trails: Vec<&str> = case.trails.iter().map(|trail| trail.arn.as_str()).collect();
    Finding::new(
        subject,
        State::Ok,
        format!("CloudTrail may write for {}, and for no stranger's trail", trails.join(", ")),
    )
}

fn deny_delete(policy: &BucketPolicy<'_>) -> Finding {
    let subject = Subject::DenyDelete;
    let except: Vec<String> = policy.exceptions().into_iter().collect();
    match policy.deletion() {
        None if except.is_empty() => {
            Finding::new(subject, State::Ok, "nobody may delete, administrators and root included")
        }
        None => Finding::new(subject, State::Ok, format!("nobody may delete but {}", except.join(", "))),
        Some((hole, others_are_denied)) => {
            let state = if others_are_denied { State::Weak } else { State::Missing };
            Finding::new(subject, state, hole.shown())
        }
    }
}

fn public_grant(case: &Case<'_>, policy: &BucketPolicy<'_>) -> Finding {
    let subject = Subject::PublicGrant;
    let Some(hole) = policy.public() else {
        return Finding::new(subject, State::Ok, "no statement lets in anyone outside");
    };
    let shut = matches!(&case.bucket.public_access, Ok(Some(block)) if block.restrict_public_buckets);
    if shut {
        let what = format!("{}, and Block Public Access keeps them out all the same", hole.shown());
        return Finding::new(subject, State::Ok, what);
    }
    Finding::new(subject, State::Weak, hole.shown())
        .mend("take the statement out of the bucket's policy: statements of yours are never dropped")
}

fn versioning<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let found = case.bucket.versioning.read()?;
    Ok(match found.and_then(|found| found.status.as_deref()) {
        Some("Enabled") => Finding::new(Subject::Versioning, State::Ok, "enabled"),
        Some(status) => Finding::new(
            Subject::Versioning,
            State::Weak,
            format!("{}: new deletions remove", status.to_lowercase()),
        ),
        None => Finding::new(Subject::Versioning, State::Missing, "never turned on"),
    })
}

fn mfa_delete<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::MfaDelete;
    let found = case.bucket.versioning.read()?;
    Ok(match found.and_then(|found| found.mfa_delete.as_deref()) {
        Some("Enabled") => Finding::new(subject, State::Ok, "enabled"),
        state => {
            let what = if state.is_some() { "disabled" } else { "never turned on" };
            Finding::new(subject, State::Missing, what).noted(mfa_delete_note(case))
        }
    })
}

fn mfa_delete_note(case: &Case<'_>) -> String {
    let ruled = matches!(&case.bucket.lifecycle, Ok(Some(found)) if !found.rules.is_empty());
    let choice = if ruled {
        "the bucket has lifecycle rules, and S3 refuses MFA delete beside them: choose one; for MFA delete, take the rules \
         out first (aws s3api delete-bucket-lifecycle)"
    } else {
        "S3 refuses MFA delete and lifecycle rules together: choose one, and set no rules for MFA delete"
    };
    format!(
        "as the root user, with the device's serial number and code (--mfa \"SERIAL CODE\" here); {choice}"
    )
}

fn has_mfa_delete(case: &Case<'_>) -> bool {
    matches!(&case.bucket.versioning, Ok(Some(found)) if found.mfa_delete.as_deref() == Some("Enabled"))
}

fn public_access_block<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::PublicAccessBlock;
    let Some(block) = case.bucket.public_access.read()? else {
        return Ok(Finding::new(subject, State::Missing, "not set"));
    };
    let settings = [
        ("BlockPublicAcls", block.block_public_acls),
        ("IgnorePublicAcls", block.ignore_public_acls),
        ("BlockPublicPolicy", block.block_public_policy),
        ("RestrictPublicBuckets", block.restrict_public_buckets),
    ];
    let off: Vec<&str> = settings.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    Ok(match off.as_slice() {
        [] => Finding::new(subject, State::Ok, "all four settings are on"),
        off => Finding::new(subject, State::Weak, format!("off: {}", off.join(", "))),
    })
}

fn encryption<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::Encryption;
    let found = case.bucket.encryption.read()?.and_then(|found| found.by_default());
    let Some(algorithm) = found.and_then(|found| found.algorithm.as_deref()) else {
        return Ok(Finding::new(
            subject,
            State::Missing,
            "new objects are not encrypted unless their writer asks",
        ));
    };
    let key = found.and_then(|found| found.key.as_deref());
    Ok(match (&case.wishes.kms_key, key) {
        (Some(wished), Some(key)) if wished == key => {
            Finding::new(subject, State::Ok, format!("{algorithm} with {key}"))
        }
        (Some(wished), _) => Finding::new(subject, State::Weak, format!("{algorithm}, not with {wished}")),
        (None, Some(key)) => Finding::new(subject, State::Ok, format!("{algorithm} with {key}")),
        (None, None) => Finding::new(subject, State::Ok, algorithm),
    })
}

/// The beginnings of the keys under which logs are.
fn log_beginnings(case: &Case<'_>) -> BTreeSet<String> {
    let beginnings: BTreeSet<String> = case.trails.iter().flat_map(Trail::beginnings).collect();
    let prefix = case
        .wishes
        .prefix
        .as_deref()
        .map_or(String::new(), |prefix| format!("{}/", prefix.trim_matches('/')));
    if beginnings.is_empty() { BTreeSet::from([format!("{prefix}AWSLogs/")]) } else { beginnings }
}

fn lifecycle<'a>(case: &Case<'a>, subject: Subject) -> Result<Finding, &'a S3Error> {
    let found = case.bucket.lifecycle.read()?;
    let rules: Vec<&Rule> =
        found.into_iter().flat_map(|found| &found.rules).filter(|rule| rule.is_on()).collect();
    let logs = log_beginnings(case);
    let covered = |fits: &dyn Fn(&Rule) -> bool| {
        logs.iter().all(|beginning| rules.iter().any(|rule| fits(rule) && rule.covers(beginning)))
    };
    let finding = match subject {
        Subject::LifecycleTransitions => {
            let rests = |rule: &Rule| rule.transitions.iter().any(|to| !to.storage_class.is_empty());
            match covered(&rests) {
                true => Finding::new(subject, State::Ok, "older logs move to cheaper storage"),
                false => Finding::new(subject, State::Missing, "logs stay in the dearest storage for ever"),
            }
        }
        Subject::LifecycleUploads => {
            let aborts = |rule: &Rule| {
                rule.abort_incomplete_multipart_upload
                    .as_ref()
                    .is_some_and(|abort| abort.days_after_initiation.is_some())
            };
            match covered(&aborts) {
                true => Finding::new(subject, State::Ok, "uploads that never ended go"),
                false => Finding::new(subject, State::Missing, "uploads that never ended stay"),
            }
        }
        _ => return Ok(expiration(case, &rules, &logs)),
    };
    // S3 lets a bucket have MFA delete or lifecycle rules, not both.
    let excluded = has_mfa_delete(case) || case.wishes.mfa.is_some();
    Ok(if excluded && finding.state != State::Ok {
        finding.recommended().mend("S3 takes no lifecycle rules beside MFA delete, which is stronger")
    } else {
        finding
    })
}

fn expiration(case: &Case<'_>, rules: &[&Rule], logs: &BTreeSet<String>) -> Finding {
    let subject = Subject::LifecycleExpiration;
    let touching = || rules.iter().filter(|rule| logs.iter().any(|beginning| rule.touches(beginning)));
    let least = case.wishes.expire_days.unwrap_or(case.wishes.lock_days());
    let days = |rule: &Rule| {
        let expiration = rule.expiration.as_ref()?;
        // A date that is set is over sooner or later for every log there is then.
        expiration.days.or_else(|| expiration.date.as_ref().map(|_| 0))
    };
    let too_soon = touching().find(|rule| days(rule).is_some_and(|days| days < least));
    if let Some(rule) = too_soon {
        let what = format!("rule {} deletes logs after {} days", rule.id, days(rule).unwrap_or_default());
        return Finding::new(subject, State::Weak, what)
            .mend(format!("take rule {} out or let it wait: rules of yours are never dropped", rule.id));
    }
    let earlier = touching().find_map(|rule| {
        let days = rule.noncurrent_version_expiration.as_ref()?.noncurrent_days?;
        (days < EARLIER_DAYS).then_some((rule, days))
    });
    if let Some((rule, days)) = earlier {
        let what = format!(
            "rule {} removes earlier versions after {days} days: too soon to notice a deletion",
            rule.id
        );
        return Finding::new(subject, State::Weak, what)
            .mend(format!("let rule {} wait {EARLIER_DAYS} days or more", rule.id));
    }
    match case.wishes.expire_days {
        None => Finding::new(subject, State::Ok, "no rule deletes logs too soon"),
        Some(wished) if touching().any(|rule| days(rule) == Some(wished)) => {
            Finding::new(subject, State::Ok, format!("logs are deleted after {wished} days"))
        }
        Some(wished) => {
            Finding::new(subject, State::Missing, format!("no rule deletes logs after {wished} days"))
        }
    }
}

fn access_logging<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::AccessLogging;
    let target = case.bucket.logging.read()?.map(|found| found.target_bucket.as_str());
    let wished = case.wishes.access_log_bucket.as_deref();
    Ok(match (target, wished) {
        (Some(target), None) => Finding::new(subject, State::Ok, format!("to {target}")),
        (Some(target), Some(wished)) if target == wished => {
            Finding::new(subject, State::Ok, format!("to {target}"))
        }
        (Some(target), Some(wished)) => {
            Finding::new(subject, State::Weak, format!("to {target}, not to {wished}"))
        }
        (None, Some(wished)) => Finding::new(subject, State::Missing, "off").noted(format!(
            "the policy of {wished} must let logging.s3.amazonaws.com put objects; without --check that is set too"
        )),
        (None, None) => Finding::new(subject, State::Missing, "off")
            .mend("say where to: --access-log-bucket BUCKET"),
    })
}

fn replication<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::Replication;
    let wished = case.wishes.replica_bucket.as_deref().map(|bucket| format!("arn:aws:s3:::{bucket}"));
    let found = case.bucket.replication.read()?;
    let rules = found.into_iter().flat_map(|found| &found.rules).filter(|rule| rule.status == "Enabled");
    let targets: Vec<&str> = rules.map(|rule| rule.destination.bucket.as_str()).collect();
    Ok(match (&wished, targets.as_slice()) {
        (Some(wished), targets) if targets.contains(&wished.as_str()) => copied(wished),
        (Some(wished), []) => Finding::new(subject, State::Missing, format!("nothing is copied to {wished}")),
        (Some(wished), _) => Finding::new(subject, State::Weak, format!("not to {wished}")),
        (None, []) => Finding::new(subject, State::Missing, "there is no copy elsewhere")
            .mend("say where to and with which role: --replica-bucket BUCKET --replication-role ARN"),
        (None, targets) => copied(&targets.join(", ")),
    })
}

/// That a copy is configured, which is all that the bucket tells.
fn copied(targets: &str) -> Finding {
    let what = format!(
        "configured, to {targets}; whether the role may copy is not looked at, and objects from before are not copied: \
         look at x-amz-replication-status of a new object"
    );
    Finding::new(Subject::Replication, State::Ok, what)
}
