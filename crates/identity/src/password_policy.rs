//! What passwords of an account's users must be like.
//!
//! Source: the IAM User Guide, "Set an account password policy for IAM users".

use std::{fmt, sync::LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{Policy, PolicyKind};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use crate::{
    account::{self, Account},
    documents::Documents,
    error::{Constraint, IdentityError, InvalidValue, Missing},
    limits,
    name::check_range,
};

/// The symbols of which a policy may ask for one.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";

/// What `AllowUsersToChangePassword` stands for.
static USERS_MAY_CHANGE: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":["iam:ChangePassword","iam:GetAccountPasswordPolicy"],"Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Resource).expect("the text is a policy")
});

/// An account's own password policy. What a caller leaves out has AWS's default; there are no partial changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// Characters at least: 6 to 128.
    pub minimum_length: u32,
    /// Whether one must be a symbol.
    pub require_symbols: bool,
    /// Whether one must be a digit.
    pub require_numbers: bool,
    /// Whether one must be a capital letter.
    pub require_uppercase: bool,
    /// Whether one must be a small letter.
    pub require_lowercase: bool,
    /// Whether users may change their own without a policy that says so.
    pub allow_users_to_change: bool,
    /// Days after which a password has expired: 1 to 1095.
    pub max_age_days: Option<u32>,
    /// How many of the last passwords, the present one among them, may not come again: 1 to 24.
    pub reuse_prevention: Option<u32>,
    /// Whether an expired password is an administrator's to set anew, where it is for signing in.
    pub hard_expiry: Option<bool>,
}

impl Default for PasswordPolicy {
    /// What `UpdateAccountPasswordPolicy` sets if nothing is said.
    fn default() -> Self {
        Self {
            minimum_length: limits::MIN_PASSWORD_CHARS,
            require_symbols: false,
            require_numbers: false,
            require_uppercase: false,
            require_lowercase: false,
            allow_users_to_change: false,
            max_age_days: None,
            reuse_prevention: None,
            hard_expiry: None,
        }
    }
}

impl PasswordPolicy {
    /// When a password that was set then expires; never without a greatest age.
    pub fn expires_at(&self, changed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        changed_at.checked_add_signed(TimeDelta::days(self.max_age_days?.into()))
    }

    fn check(&self) -> Result<(), IdentityError> {
        let (least, most) = (limits::MIN_PASSWORD_CHARS, limits::MAX_PASSWORD_CHARS);
        check_range("minimumPasswordLength", self.minimum_length, least, most)?;
        if let Some(days) = self.max_age_days {
            check_range("maxPasswordAge", days, 1, limits::MAX_PASSWORD_AGE_DAYS)?;
        }
        if let Some(remembered) = self.reuse_prevention {
            check_range("passwordReusePrevention", remembered, 1, limits::REMEMBERED_PASSWORDS)?;
        }
        Ok(())
    }

    fn broken_by(&self, password: &Makeup) -> Option<PasswordRule> {
        let rules = [
            (password.chars >= self.minimum_length, PasswordRule::Length(self.minimum_length)),
            (password.upper || !self.require_uppercase, PasswordRule::Uppercase),
            (password.lower || !self.require_lowercase, PasswordRule::Lowercase),
            (password.digit || !self.require_numbers, PasswordRule::Number),
            (password.symbol || !self.require_symbols, PasswordRule::Symbol),
        ];
        rules.into_iter().find(|(held, _)| !held).map(|(_, rule)| rule)
    }
}

/// What a password was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordRule {
    /// Too few characters; so many are needed.
    Length(u32),
    /// No capital letter.
    Uppercase,
    /// No small letter.
    Lowercase,
    /// No digit.
    Number,
    /// No symbol.
    Symbol,
    /// Fewer than three kinds of characters, which AWS's default policy asks for.
    Kinds,
    /// The account's own name, number or address.
    AccountName,
    /// One of the last passwords.
    Reuse,
}

impl fmt::Display for PasswordRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(chars) => write!(f, "Password should have a minimum length of {chars}"),
            Self::Uppercase => f.write_str("Password should have at least one uppercase letter"),
            Self::Lowercase => f.write_str("Password should have at least one lowercase letter"),
            Self::Number => f.write_str("Password should have at least one number"),
            Self::Symbol => f.write_str("Password should have at least one symbol"),
            Self::Kinds => f.write_str(
                "Password should have at least three of: uppercase letters, lowercase letters, numbers, symbols",
            ),
            Self::AccountName => f.write_str("Password should not be the account's name or email address"),
            Self::Reuse => f.write_str("Password should not be one that was used before"),
        }
    }
}

/// The account's own policy.
///
/// # Errors
/// `NoSuchEntity` where it has none.
pub fn get(docs: &impl Documents, account: AccountId) -> Result<PasswordPolicy, IdentityError> {
    account::get(docs, account).password_policy.ok_or_else(|| missing(account))
}

/// Sets the account's policy, in place of the one before.
///
/// # Errors
/// `Validation`.
pub fn put(tx: &mut Transaction, account: AccountId, policy: PasswordPolicy) -> Result<(), IdentityError> {
    policy.check()?;
    let mut account = account::get(tx, account);
    account.password_policy = Some(policy);
    account::save(tx, &account);
    Ok(())
}

/// Takes the account's own policy away: AWS's default is in force again.
///
/// # Errors
/// `NoSuchEntity` where it has none.
pub fn delete(tx: &mut Transaction, account: AccountId) -> Result<(), IdentityError> {
    let mut document = account::get(tx, account);
    document.password_policy.take().ok_or_else(|| missing(account))?;
    account::save(tx, &document);
    Ok(())
}

/// What lets the account's users change their own passwords without a policy of theirs that says so; none where the
/// account's password policy does not. It is held in the place of a resource's policy, so that denies and service
/// control policies hold all the same.
pub fn lets_users_change(docs: &impl Documents, account: AccountId) -> Option<&'static Policy> {
    let policy = account::get(docs, account).password_policy?;
    policy.allow_users_to_change.then(|| &*USERS_MAY_CHANGE)
}

/// How many of a user's last passwords may not come again.
pub(crate) fn remembered(docs: &impl Documents, account: AccountId) -> usize {
    let remembered = account::get(docs, account).password_policy.and_then(|policy| policy.reuse_prevention);
    remembered.and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
}

/// Whether a text can be a password at all. The error does not repeat it.
///
/// # Errors
/// `Validation`.
pub(crate) fn check_form(member: &'static str, password: &str) -> Result<(), IdentityError> {
    let most = usize::try_from(limits::MAX_PASSWORD_CHARS).unwrap_or(usize::MAX);
    let text = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    let broken = match password.chars().count() {
        0 => Constraint::MinLength(1),
        n if n > most => Constraint::MaxLength(most),
        _ if !password.chars().all(text) => Constraint::Pattern(r"[\u0009\u000A\u000D\u0020-\u00FF]+"),
        _ => return Ok(()),
    };
    Err(InvalidValue::new(member, "***", broken).into())
}

/// Whether a password is one that the account's policy takes, or AWS's default where it has none; whether it was used
/// before is another question.
///
/// # Errors
/// `PasswordPolicy`.
pub(crate) fn check(docs: &impl Documents, account: AccountId, password: &str) -> Result<(), IdentityError> {
    let account = account::get(docs, account);
    let makeup = Makeup::of(password);
    let broken = match &account.password_policy {
        Some(policy) => policy.broken_by(&makeup),
        None => broken_by_default(&account, password, &makeup),
    };
    broken.map_or(Ok(()), |rule| Err(IdentityError::PasswordPolicy(rule)))
}

fn broken_by_default(account: &Account, password: &str, makeup: &Makeup) -> Option<PasswordRule> {
    let names = [Some(account.id.as_str()), account.alias.as_deref()];
    let profile = account.profile.as_ref();
    let profile = profile.map(|profile| [profile.name.as_str(), profile.email.as_str()]);
    let mut names = names.into_iter().flatten().chain(profile.into_iter().flatten());
    if makeup.chars < limits::DEFAULT_MIN_PASSWORD_CHARS {
        Some(PasswordRule::Length(limits::DEFAULT_MIN_PASSWORD_CHARS))
    } else if makeup.kinds() < limits::DEFAULT_PASSWORD_KINDS {
        Some(PasswordRule::Kinds)
    } else if names.any(|name| name.eq_ignore_ascii_case(password)) {
        Some(PasswordRule::AccountName)
    } else {
        None
    }
}

fn missing(account: AccountId) -> IdentityError {
    IdentityError::NoSuchEntity(Missing::PasswordPolicy(account))
}

/// Which kinds of characters a password has.
struct Makeup {
    chars: u32,
    upper: bool,
    lower: bool,
    digit: bool,
    symbol: bool,
}

impl Makeup {
    fn of(password: &str) -> Self {
        let any = |is: fn(char) -> bool| password.chars().any(is);
        Self {
            chars: u32::try_from(password.chars().count()).unwrap_or(u32::MAX),
            upper: any(|c| c.is_ascii_uppercase()),
            lower: any(|c| c.is_ascii_lowercase()),
            digit: any(|c| c.is_ascii_digit()),
            symbol: any(|c| SYMBOLS.contains(c)),
        }
    }

    fn kinds(&self) -> u32 {
        [self.upper, self.lower, self.digit, self.symbol].into_iter().map(u32::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Makeup, PasswordPolicy, PasswordRule};

    #[test]
    fn each_rule_is_asked_by_itself() {
        let policy = PasswordPolicy::default();
        let cases = [
            (PasswordPolicy { minimum_length: 8, ..policy.clone() }, "1234567", PasswordRule::Length(8)),
            (PasswordPolicy { require_symbols: true, ..policy.clone() }, "Abcdef1", PasswordRule::Symbol),
            (PasswordPolicy { require_numbers: true, ..policy.clone() }, "Abcdef!", PasswordRule::Number),
            (
                PasswordPolicy { require_uppercase: true, ..policy.clone() },
                "abcdef1!",
                PasswordRule::Uppercase,
            ),
            (
                PasswordPolicy { require_lowercase: true, ..policy.clone() },
                "ABCDEF1!",
                PasswordRule::Lowercase,
            ),
        ];
        for (policy, password, rule) in cases {
            assert_eq!(policy.broken_by(&Makeup::of(password)), Some(rule), "{password}");
            assert_eq!(policy.broken_by(&Makeup::of("Abcdef1!xyz")), None);
        }
        assert_eq!(policy.broken_by(&Makeup::of("éééééé")), None, "only length counts");
    }
}
