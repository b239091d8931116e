//! The default retention of Object Lock: how it stands, and what may become of it.
//!
//! A retention that is there is somebody's choice: it changes only where a flag asks for it, and what no flag names stays.

use std::fmt;

use super::{
    finding::{Finding, State, Subject},
    flags::{LockMode, Wishes},
    judge::Case,
    look::Retention,
    s3::S3Error,
};

/// A mode and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) mode: LockMode,
    pub(super) days: u32,
}

impl Held {
    fn of(retention: &Retention) -> Self {
        let is_strict = retention.mode.as_deref() == Some(LockMode::Compliance.name());
        let mode = if is_strict { LockMode::Compliance } else { LockMode::Governance };
        Self { mode, days: retention.days() }
    }

    /// Whether it is nowhere weaker.
    fn covers(self, other: Self) -> bool {
        self.mode >= other.mode && self.days >= other.days
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.days == 1 { "day" } else { "days" };
        write!(f, "{} for {} {unit}", self.mode.name(), self.days)
    }
}

/// What becomes of the default retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is as strong as it should be.
    Stay,
    /// It is set.
    Set(Held),
    /// It is too weak, and nobody asked to change it.
    Propose(Held),
    /// What was asked for is stronger in one part and weaker in the other.
    Refuse(Held),
}

/// What becomes of a retention under these flags.
fn plan(wishes: &Wishes, there: Option<Held>) -> Plan {
    let Some(there) = there else {
        return Plan::Set(Held { mode: wishes.lock_mode(), days: wishes.lock_days() });
    };
    // A mode that nobody asked for is not wished stronger than it is; a time is, by default.
    let wished = Held { mode: wishes.lock_mode.unwrap_or(there.mode), days: wishes.lock_days() };
    if there.covers(wished) {
        return Plan::Stay;
    }
    let asked = Held { days: wishes.lock_days.unwrap_or(there.days), ..wished };
    if asked != there && asked.covers(there) {
        Plan::Set(asked)
    } else if wishes.lock_mode.is_some() && wishes.lock_days.is_some() {
        Plan::Refuse(asked)
    } else {
        Plan::Propose(Held { mode: there.mode.max(wished.mode), days: there.days.max(wished.days) })
    }
}

fn there(case: &Case<'_>) -> Option<Held> {
    let lock = case.bucket.lock.as_ref().ok()?.as_ref()?;
    lock.retention().map(Held::of)
}

/// What becomes of this bucket's.
pub(super) fn planned(case: &Case<'_>) -> Plan {
    plan(case.wishes, there(case))
}

/// How it stands.
///
/// # Errors
/// That it could not be read.
pub(super) fn judge<'a>(case: &Case<'a>) -> Result<Finding, &'a S3Error> {
    let subject = Subject::ObjectLock;
    let lock = case.bucket.lock.as_ref().map(Option::as_ref)?;
    if !lock.is_some_and(super::look::ObjectLock::is_on) {
        let note = "versioning must be on first; where the store refuses it for a bucket that is there, a new one \
                    with --object-lock-enabled-for-bucket is needed";
        return Ok(Finding::new(subject, State::Missing, "the bucket has no Object Lock").noted(note));
    }
    let Some(there) = there(case) else {
        let what = "Object Lock is on without a default retention: what CloudTrail writes is not locked";
        return Ok(Finding::new(subject, State::Weak, what));
    };
    Ok(match planned(case) {
        Plan::Stay => Finding::new(subject, State::Ok, there.to_string()),
        Plan::Set(better) => Finding::new(subject, State::Weak, lacks(there, better)),
        Plan::Propose(better) => Finding::new(subject, State::Weak, lacks(there, better)).noted(format!(
            "a retention that is there is only changed when asked for: --lock-mode {} --lock-days {}",
            better.mode.name(),
            better.days
        )),
        Plan::Refuse(asked) => {
            let what = format!(
                "{there}; not changed to {asked}, which is stronger in one part and weaker in the other"
            );
            Finding::new(subject, State::Weak, what)
                .mend("ask for a mode and a time that are both at least as strong as what is there")
        }
    })
}

/// What is too weak about it.
fn lacks(there: Held, better: Held) -> String {
    if there.days < better.days {
        format!("{there}, less than {} days", better.days)
    } else {
        format!("{there}, which s3:BypassGovernanceRetention lifts")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Held, LockMode::Compliance, LockMode::Governance, Plan, Wishes, plan};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        wishes: Wishes,
    }

    fn planned(flags: &str, there: Option<Held>) -> Plan {
        let line = Line::try_parse_from(format!("protect {flags}").split_whitespace()).expect("flags");
        plan(&line.wishes, there)
    }

    fn held(mode: super::LockMode, days: u32) -> Held {
        Held { mode, days }
    }

    #[test]
    fn where_there_is_none_the_default_is_set() {
        assert_eq!(planned("", None), Plan::Set(held(Governance, 365)));
        assert_eq!(planned("--lock-mode COMPLIANCE --lock-days 9", None), Plan::Set(held(Compliance, 9)));
    }

    #[test]
    fn one_that_is_there_changes_only_when_asked() {
        let short = Some(held(Governance, 1));
        assert_eq!(planned("", short), Plan::Propose(held(Governance, 365)));
        assert_eq!(planned("", Some(held(Compliance, 1))), Plan::Propose(held(Compliance, 365)));
        assert_eq!(planned("--lock-days 30", short), Plan::Set(held(Governance, 30)));
        assert_eq!(planned("--lock-mode COMPLIANCE", short), Plan::Set(held(Compliance, 1)));
        assert_eq!(
            planned("--lock-mode GOVERNANCE", Some(held(Compliance, 1))),
            Plan::Propose(held(Compliance, 365))
        );
    }

    #[test]
    fn nothing_is_shortened_or_mixed() {
        let year = Some(held(Governance, 365));
        assert_eq!(planned("--lock-days 30", year), Plan::Stay);
        assert_eq!(
            planned("--lock-mode COMPLIANCE --lock-days 30", year),
            Plan::Refuse(held(Compliance, 30))
        );
        assert_eq!(
            planned("--lock-mode GOVERNANCE --lock-days 400", Some(held(Compliance, 30))),
            Plan::Refuse(held(Governance, 400))
        );
        assert_eq!(planned("--lock-mode COMPLIANCE --lock-days 365", year), Plan::Set(held(Compliance, 365)));
    }

    #[test]
    fn it_is_said_in_words() {
        assert_eq!(held(Governance, 1).to_string(), "GOVERNANCE for 1 day");
        assert_eq!(held(Compliance, 2).to_string(), "COMPLIANCE for 2 days");
    }
}
