//! What was found about a bucket, one thing at a time.

use serde::Serialize;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// There, and not enough.
    Weak,
    /// Not there.
    Missing,
    /// Not known: these credentials may not look, or the endpoint does not know the feature.
    Unknown,
    /// Left out by `--skip`.
    Skipped,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Weak => "WEAK",
            Self::Missing => "MISSING",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// The things that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Subject {
    /// CloudTrail may write, for its trail only
    CloudtrailGrant,
    /// Nobody may delete
    DenyDelete,
    /// Nothing without TLS
    TlsOnly,
    /// Nobody outside may do anything
    PublicGrant,
    /// Versions are kept
    Versioning,
    /// Versions are locked for a time
    ObjectLock,
    /// Removing a version needs an MFA code
    MfaDelete,
    /// Block Public Access
    PublicAccessBlock,
    /// Default encryption
    Encryption,
    /// Older logs move to cheaper storage
    LifecycleTransitions,
    /// Uploads that never ended go
    LifecycleUploads,
    /// No rule deletes logs too soon
    LifecycleExpiration,
    /// Access logs
    AccessLogging,
    /// A copy in another bucket
    Replication,
}

impl Subject {
    /// All, in the order in which they are shown and mended: what later settings build on comes first, and what could
    /// keep the tool itself out comes last.
    pub(super) const ALL: [Self; 14] = [
        Self::Versioning,
        Self::ObjectLock,
        Self::Encryption,
        Self::LifecycleTransitions,
        Self::LifecycleUploads,
        Self::LifecycleExpiration,
        Self::AccessLogging,
        Self::Replication,
        Self::CloudtrailGrant,
        Self::DenyDelete,
        Self::TlsOnly,
        Self::PublicGrant,
        Self::PublicAccessBlock,
        Self::MfaDelete,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CloudtrailGrant => "cloudtrail-grant",
            Self::DenyDelete => "deny-delete",
            Self::TlsOnly => "tls-only",
            Self::PublicGrant => "public-grant",
            Self::Versioning => "versioning",
            Self::ObjectLock => "object-lock",
            Self::MfaDelete => "mfa-delete",
            Self::PublicAccessBlock => "public-access-block",
            Self::Encryption => "encryption",
            Self::LifecycleTransitions => "lifecycle-transitions",
            Self::LifecycleUploads => "lifecycle-uploads",
            Self::LifecycleExpiration => "lifecycle-expiration",
            Self::AccessLogging => "access-logging",
            Self::Replication => "replication",
        }
    }

    /// Why it matters.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::CloudtrailGrant => {
                "Without it no log arrives; without aws:SourceArn anyone's trail can write here in CloudTrail's name."
            }
            Self::DenyDelete => {
                "An intruder's first step is to delete the logs; a deny holds for administrators too."
            }
            Self::TlsOnly => {
                "Logs and credentials on the wire can be read and changed by whoever is on the way."
            }
            Self::PublicGrant => "Logs tell outsiders who works here, with what, and from where.",
            Self::Versioning => "What is overwritten or deleted stays as an earlier version.",
            Self::ObjectLock => {
                "A locked version can't be removed by anyone allowed to delete, for its time."
            }
            Self::MfaDelete => "A stolen key alone can't remove versions or turn versioning off.",
            Self::PublicAccessBlock => "It holds whatever a policy or an ACL says, also a later one.",
            Self::Encryption => "Disks and backups of the store don't show the logs.",
            Self::LifecycleTransitions => {
                "Logs are kept for years and hardly read; cheaper storage keeps them affordable."
            }
            Self::LifecycleUploads => "Parts of uploads that never ended are paid for and never seen.",
            Self::LifecycleExpiration => "A rule deletes without anyone's permission to delete being asked.",
            Self::AccessLogging => "It shows who read or tried to delete logs.",
            Self::Replication => "A copy elsewhere survives the loss of the bucket or its account.",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    #[serde(rename = "finding")]
    pub(super) subject: Subject,
    pub(super) state: State,
    /// Whether the exit code counts it; what needs something that was not given (another bucket, a role, a device)
    /// is only recommended.
    pub(super) required: bool,
    /// That this run changed it.
    pub(super) changed: bool,
    /// Whether the endpoint does not know the feature.
    pub(super) unsupported: bool,
    pub(super) what: String,
    pub(super) why: &'static str,
    /// What to do, in words or as a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) how: Option<String>,
    /// What to know before doing it. It stands apart: a command is copied whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

impl Finding {
    pub(super) fn new(subject: Subject, state: State, what: impl Into<String>) -> Self {
        Self {
            subject,
            state,
            required: true,
            changed: false,
            unsupported: false,
            what: what.into(),
            why: subject.why(),
            how: None,
            note: None,
        }
    }

    #[must_use]
    pub(super) fn mend(mut self, how: impl Into<String>) -> Self {
        self.how = Some(how.into());
        self
    }

    #[must_use]
    pub(super) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    #[must_use]
    pub(super) fn recommended(mut self) -> Self {
        self.required = false;
        self
    }
}
