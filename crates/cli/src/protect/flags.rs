//! What a bucket should be like, as the command line says.

use clap::{Args, ValueEnum};

use super::finding::Subject;

/// The ways in which Object Lock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "UPPERCASE")]
pub(super) enum LockMode {
    /// Until someone with s3:BypassGovernanceRetention lifts it
    Governance,
    /// Until its time is over, for everyone
    Compliance,
}

impl LockMode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// Days that logs are locked for where nobody says otherwise.
const LOCK_DAYS: u32 = 365;

impl Wishes {
    /// How a retention should hold where there is none.
    pub(super) fn lock_mode(&self) -> LockMode {
        self.lock_mode.unwrap_or(LockMode::Governance)
    }

    /// For how long logs should be locked, at least.
    pub(super) fn lock_days(&self) -> u32 {
        self.lock_days.unwrap_or(LOCK_DAYS)
    }

    /// Whether the flags give what a thing needs that the command can't know.
    pub(super) fn ask_for(&self, subject: Subject) -> bool {
        match subject {
            Subject::MfaDelete => self.mfa.is_some(),
            Subject::AccessLogging => self.access_log_bucket.is_some(),
            Subject::Replication => self.replica_bucket.is_some(),
            _ => true,
        }
    }
}

/// What a log bucket should be like.
#[derive(Args, Debug, Clone)]
pub(super) struct Wishes {
    /// Trail that delivers here; may be given several times. Without it, the trails of the region are asked
    #[arg(long = "trail-arn", value_name = "ARN")]
    pub(super) trails: Vec<String>,
    /// What stands before AWSLogs/ in the keys; a trail's own prefix if absent
    #[arg(long, value_name = "PREFIX")]
    pub(super) prefix: Option<String>,
    /// Organization whose members' logs come here: their files are under AWSLogs/ID/
    #[arg(long, value_name = "O-ID")]
    pub(super) organization_id: Option<String>,
    /// Role that may delete all the same; may be given several times
    #[arg(long = "admin-role", value_name = "ARN")]
    pub(super) admin_roles: Vec<String>,
    /// How the default retention of Object Lock holds [default: GOVERNANCE where there is none]
    #[arg(long, value_enum, ignore_case = true, value_name = "MODE")]
    pub(super) lock_mode: Option<LockMode>,
    /// For how long a new version is locked [default: 365 where there is none]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500), value_name = "DAYS")]
    pub(super) lock_days: Option<u32>,
    /// Turn on MFA delete: the device of the root user, whose credentials these must be, and its code
    #[arg(long, value_name = "\"SERIAL CODE\"")]
    pub(super) mfa: Option<String>,
    /// Encrypt with this key of KMS rather than with the store's own
    #[arg(long, value_name = "ARN")]
    pub(super) kms_key: Option<String>,
    /// Delete logs after so long; not at all if absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "DAYS")]
    pub(super) expire_days: Option<u32>,
    /// Bucket that gets this one's access logs
    #[arg(long, value_name = "BUCKET")]
    pub(super) access_log_bucket: Option<String>,
    /// Bucket that gets a copy of everything
    #[arg(long, value_name = "BUCKET", requires = "replication_role")]
    pub(super) replica_bucket: Option<String>,
    /// Role with which S3 copies
    #[arg(long, value_name = "ARN", requires = "replica_bucket")]
    pub(super) replication_role: Option<String>,
    /// What not to look at; may be given several times
    #[arg(long, value_enum, value_name = "FINDING")]
    pub(super) skip: Vec<Subject>,
}
