//! New passwords and old ones, looked at before anything is locked.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::Keyring;
use opentrail_state::State;
use zeroize::Zeroizing;

use super::{Attempts, Hasher, LoginProfile, WrongPassword, hasher};
use crate::{
    account,
    error::IdentityError,
    password_policy,
    user::{self, User},
};

/// A password that a user is to get, hashed and held against the user's last ones.
pub struct NewPassword {
    pub(super) account: AccountId,
    pub(super) user_name: String,
    pub(super) password: Zeroizing<String>,
    pub(super) hash: Zeroizing<String>,
    /// None where the user has no password yet.
    pub(super) comparison: Option<Comparison>,
}

/// What a new password was held against.
pub(super) struct Comparison {
    /// The present password's.
    pub(super) revision: String,
    /// So many of the last passwords.
    pub(super) with: usize,
    /// Which of them is the same.
    pub(super) same: Option<usize>,
}

/// Hashes a password that a user is to get, and compares it with those that the account's policy remembers.
pub(crate) async fn new_password(
    state: &State,
    keyring: &Keyring,
    hasher: &Hasher,
    account: AccountId,
    user_name: &str,
    password: &str,
) -> Result<NewPassword, IdentityError> {
    user::get(state, account, user_name)?;
    password_policy::check(state, account, password)?;
    let turn = hasher.turn().await?;
    let user = user::get(state, account, user_name)?;
    let with = password_policy::remembered(state, account);
    let earlier = match &user.login_profile {
        Some(profile) => profile.hashes(keyring, &user, with)?,
        None => Vec::new(),
    };
    let password = Zeroizing::new(password.to_owned());
    let hashing = turn.work(move || {
        let same = earlier.iter().position(|hash| hasher::is_of(hash, &password));
        (hasher::hash(&password), same, password)
    });
    let (hash, same, password) = hashing.await?;
    let comparison = user.login_profile.as_ref().map(|profile| Comparison {
        revision: profile.revision.clone(),
        with,
        same,
    });
    Ok(NewPassword { account, user_name: user_name.to_owned(), password, hash: hash?, comparison })
}

/// That a user's password was shown. Only checking one makes one.
#[derive(Debug, Clone)]
pub struct PasswordProof {
    pub(super) account: AccountId,
    pub(super) user_name: String,
    pub(super) revision: String,
    standing: Standing,
}

/// What a right password is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// For signing in.
    InForce,
    /// For setting a new one: it was asked for.
    ResetRequired,
    /// For setting a new one: it has expired.
    Expired,
    /// For nothing at a console: it has expired, and an administrator must set a new one.
    ExpiredForGood,
}

impl PasswordProof {
    /// What the password is good for.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

/// Holds a password against a user's.
///
/// That there is no such user, or none with a password, takes as long to find out as that the password is wrong.
pub(crate) async fn check_password(
    state: &State,
    keyring: &Keyring,
    (hasher, attempts): (&Hasher, &Attempts),
    (account, user_name): (AccountId, &str),
    password: &str,
    now: DateTime<Utc>,
) -> Result<PasswordProof, IdentityError> {
    let turn = hasher.turn().await?;
    let password = Zeroizing::new(password.to_owned());
    let user = user::get(state, account, user_name).ok();
    let Some((user, profile)) = user.as_deref().and_then(|user| Some((user, user.login_profile.as_ref()?)))
    else {
        turn.work(move || hasher::hash(&password)).await??;
        return Err(IdentityError::WrongPassword(None));
    };
    let hash = profile.hashes(keyring, user, 1)?;
    let misses = attempts.claim(profile, now)?;
    let is_right = turn.work(move || hash.iter().any(|hash| hasher::is_of(hash, &password))).await?;
    if !is_right {
        let (user, revision) = (user::document_id(user), profile.revision.clone());
        return Err(IdentityError::WrongPassword(Some(WrongPassword { user, revision, misses })));
    }
    attempts.succeeded(profile);
    let standing = standing(state, user, profile, now);
    Ok(PasswordProof { account, user_name: user.name.clone(), revision: profile.revision.clone(), standing })
}

fn standing(state: &State, user: &User, profile: &LoginProfile, now: DateTime<Utc>) -> Standing {
    let policy = account::get(state, user.account).password_policy;
    let expires = policy.as_ref().and_then(|policy| policy.expires_at(profile.changed_at));
    let has_expired = expires.is_some_and(|at| at <= now);
    if has_expired && policy.is_some_and(|policy| policy.hard_expiry == Some(true)) {
        Standing::ExpiredForGood
    } else if has_expired {
        Standing::Expired
    } else if profile.reset_required {
        Standing::ResetRequired
    } else {
        Standing::InForce
    }
}
