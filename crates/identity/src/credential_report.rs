//! The credential report: who has which credentials, how old they are and when they were used.
//!
//! A report shows an account as it was when it was made, and is kept, in memory, for four hours; until then none is made
//! anew. Columns and order are AWS's: the IAM User Guide, "Generate credential reports for your AWS account"; four columns
//! are about X.509 certificates, which nobody has here.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use opentrail_event::AccountId;

use crate::{
    access_key::{AccessKey, AccessKeyStatus},
    account::{self, Account},
    cache::Cache,
    documents::Documents,
    entity::{Entity, account_prefix},
    error::IdentityError,
    last_use::LastUse,
    limits,
    password_policy::PasswordPolicy,
    principal::root_arn,
    user::User,
};

/// A value that there is none of.
const NOT_APPLICABLE: &str = "N/A";
/// A value that is not kept of the root.
const NOT_SUPPORTED: &str = "not_supported";
/// When a password was used that never was.
const NO_INFORMATION: &str = "no_information";

const COLUMNS: [&str; 22] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialReport {
    /// When it was made.
    pub generated_at: DateTime<Utc>,
    /// The table, as CSV.
    pub csv: Arc<str>,
}

impl CredentialReport {
    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        now - self.generated_at > TimeDelta::seconds(limits::CREDENTIAL_REPORT_SECONDS)
    }
}

/// What a wish for a report met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportState {
    /// There was none, or none young enough: one is being made.
    Started,
    /// There is one.
    Complete,
}

/// The last report of each account.
pub(crate) struct Reports(Cache<AccountId, CredentialReport>);

impl Reports {
    pub(crate) fn new() -> Self {
        Self(Cache::new(limits::CREDENTIAL_REPORTS))
    }

    /// Makes a report unless there is a young one.
    pub(crate) fn generate(
        &self,
        docs: &impl Documents,
        account: AccountId,
        last_use: impl Fn(&str) -> Option<LastUse>,
        now: DateTime<Utc>,
    ) -> ReportState {
        if self.0.get(&account).is_some_and(|report| !report.has_expired(now)) {
            return ReportState::Complete;
        }
        let csv = table(docs, account, &last_use, now);
        self.0.insert(account, CredentialReport { generated_at: now, csv: Arc::from(csv) });
        ReportState::Started
    }

    pub(crate) fn get(
        &self,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<CredentialReport, IdentityError> {
        match self.0.get(&account) {
            None => Err(IdentityError::ReportNotPresent),
            Some(report) if report.has_expired(now) => Err(IdentityError::ReportExpired),
            Some(report) => Ok(report),
        }
    }
}

type Row = [String; COLUMNS.len()];

fn table(
    docs: &impl Documents,
    account: AccountId,
    last_use: &impl Fn(&str) -> Option<LastUse>,
    now: DateTime<Utc>,
) -> String {
    let own = account::get(docs, account);
    let users = docs.documents::<User>(&account_prefix(account));
    let mut lines = Vec::with_capacity(users.len() + 2);
    lines.push(COLUMNS.join(","));
    lines.push(root(docs, &own, last_use, now).join(","));
    let rows = users.iter().map(|(_, user)| row(docs, user, own.password_policy.as_ref(), last_use));
    lines.extend(rows.map(|row| row.map(|value| quoted(&value)).join(",")));
    lines.join("\n")
}

fn root(
    docs: &impl Documents,
    account: &Account,
    last_use: &impl Fn(&str) -> Option<LastUse>,
    now: DateTime<Utc>,
) -> Row {
    let keys = keys(docs, &account.root_access_keys);
    let since = account::root_since(docs, account.id).unwrap_or(now);
    let [one, two] = [0, 1].map(|at| key_columns(keys.get(at), last_use));
    columns(
        ["<root_account>".to_owned(), root_arn(account.id).to_string(), time(since)],
        ["false", NOT_APPLICABLE, NOT_SUPPORTED, NOT_SUPPORTED].map(str::to_owned),
        !account.root_mfa_devices.is_empty(),
        [one, two],
    )
}

fn row(
    docs: &impl Documents,
    user: &User,
    policy: Option<&PasswordPolicy>,
    last_use: &impl Fn(&str) -> Option<LastUse>,
) -> Row {
    let keys = keys(docs, &user.access_keys);
    let [one, two] = [0, 1].map(|at| key_columns(keys.get(at), last_use));
    columns(
        [user.name.clone(), user.arn(), time(user.created_at)],
        password_columns(user, policy),
        !user.mfa_devices.is_empty(),
        [one, two],
    )
}

fn columns(who: [String; 3], password: [String; 4], mfa: bool, keys: [[String; 5]; 2]) -> Row {
    let certificates = ["false", NOT_APPLICABLE, "false", NOT_APPLICABLE].map(str::to_owned);
    let mut values = who
        .into_iter()
        .chain(password)
        .chain([mfa.to_string()])
        .chain(keys.into_iter().flatten())
        .chain(certificates);
    std::array::from_fn(|_| values.next().unwrap_or_default())
}

fn password_columns(user: &User, policy: Option<&PasswordPolicy>) -> [String; 4] {
    let Some(profile) = &user.login_profile else {
        return ["false", NOT_APPLICABLE, NOT_APPLICABLE, NOT_APPLICABLE].map(str::to_owned);
    };
    let next = policy.and_then(|policy| policy.expires_at(profile.changed_at));
    [
        "true".to_owned(),
        user.password_last_used.map_or_else(|| NO_INFORMATION.to_owned(), time),
        time(profile.changed_at),
        next.map_or_else(|| NOT_APPLICABLE.to_owned(), time),
    ]
}

fn key_columns(key: Option<&Arc<AccessKey>>, last_use: &impl Fn(&str) -> Option<LastUse>) -> [String; 5] {
    let none = || NOT_APPLICABLE.to_owned();
    let Some(key) = key else { return ["false".to_owned(), none(), none(), none(), none()] };
    let last = last_use(&key.id);
    [
        (key.status == AccessKeyStatus::Active).to_string(),
        time(key.changed_at.unwrap_or(key.created_at)),
        last.as_ref().map_or_else(none, |last| time(last.at)),
        last.as_ref().map_or_else(none, |last| last.region.to_string()),
        last.as_ref().map_or_else(none, |last| last.service.to_string()),
    ]
}

/// The keys, in the order of their ids.
fn keys(docs: &impl Documents, ids: &[String]) -> Vec<Arc<AccessKey>> {
    let mut keys: Vec<Arc<AccessKey>> = ids.iter().filter_map(|id| docs.document(id)).collect();
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    keys
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A value as CSV has it: in quotes where it has a comma, which names may.
fn quoted(value: &str) -> String {
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_would_end_a_value_is_quoted() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("arn:aws:iam::1:user/\"x\"/a"), "\"arn:aws:iam::1:user/\"\"x\"\"/a\"");
        assert_eq!(quoted("alice"), "alice");
    }
}
