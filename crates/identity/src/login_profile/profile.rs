//! A user's password in the user's document, and IAM's operations on it.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::{Keyring, Sealed};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{NewPassword, PasswordProof, proof::Comparison};
use crate::{
    documents::Documents,
    error::{Existing, IdentityError, Missing},
    limits,
    misses::Misses,
    password_policy::{self, PasswordRule},
    user::{self, User},
};

/// That a user has a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginProfile {
    /// When the user got one.
    pub created_at: DateTime<Utc>,
    /// When the present one was set.
    pub changed_at: DateTime<Utc>,
    /// Whether a new one is asked for when the user signs in.
    pub reset_required: bool,
    /// Another one for each password that was set.
    pub(super) revision: String,
    current: Sealed,
    /// Those before, the last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Sealed>,
    #[serde(default)]
    pub(super) wrong: Misses,
}

impl LoginProfile {
    /// The hashes of the last so many passwords, the present one first.
    pub(super) fn hashes(
        &self,
        keyring: &Keyring,
        user: &User,
        most: usize,
    ) -> Result<Vec<Zeroizing<String>>, IdentityError> {
        let context = seal_context(user);
        let kept = std::iter::once(&self.current).chain(&self.earlier).take(most);
        kept.map(|sealed| {
            let hash = keyring.unseal(&context, sealed)?;
            let hash = String::from_utf8(hash.to_vec()).map_err(|_| IdentityError::PasswordHash)?;
            Ok(Zeroizing::new(hash))
        })
        .collect()
    }

    /// Takes a new password in the place of the present one.
    fn set(&mut self, keyring: &Keyring, user: &User, new: &NewPassword, now: DateTime<Utc>) {
        let sealed = keyring.seal(&seal_context(user), new.hash.as_bytes());
        self.earlier.insert(0, std::mem::replace(&mut self.current, sealed));
        let most = usize::try_from(limits::REMEMBERED_PASSWORDS).unwrap_or(usize::MAX);
        self.earlier.truncate(most.saturating_sub(1));
        self.revision = Uuid::new_v4().to_string();
        self.changed_at = now;
        self.wrong = Misses::default();
    }
}

/// What the seal of a hash is bound to, so that one user's document cannot be given another's.
fn seal_context(user: &User) -> String {
    format!("identity.login-profile/{}", user.id)
}

/// The user's login profile.
///
/// # Errors
/// `NoSuchEntity` for the user, or if the user has no password.
pub fn get(
    docs: &impl Documents,
    account: AccountId,
    user_name: &str,
) -> Result<LoginProfile, IdentityError> {
    user::get(docs, account, user_name)?.login_profile.clone().ok_or_else(|| missing(user_name))
}

/// Gives a user a password, for `CreateLoginProfile`.
pub(crate) fn create(
    tx: &mut Transaction,
    keyring: &Keyring,
    new: &NewPassword,
    reset_required: bool,
    now: DateTime<Utc>,
) -> Result<LoginProfile, IdentityError> {
    let mut user = User::clone(&*user::get(tx, new.account, &new.user_name)?);
    if user.login_profile.is_some() {
        return Err(IdentityError::AlreadyExists(Existing::LoginProfile(new.user_name.clone())));
    }
    check_still(tx, &user, new)?;
    let profile = LoginProfile {
        created_at: now,
        changed_at: now,
        reset_required,
        revision: Uuid::new_v4().to_string(),
        current: keyring.seal(&seal_context(&user), new.hash.as_bytes()),
        earlier: Vec::new(),
        wrong: Misses::default(),
    };
    user.login_profile = Some(profile.clone());
    user::save(tx, &user);
    Ok(profile)
}

/// Sets a user's password anew, whether one is asked for at the next sign-in, or both, for `UpdateLoginProfile`.
pub(crate) fn update(
    tx: &mut Transaction,
    keyring: &Keyring,
    (account, user_name): (AccountId, &str),
    new: Option<&NewPassword>,
    reset_required: Option<bool>,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let mut user = User::clone(&*user::get(tx, account, user_name)?);
    let mut profile = user.login_profile.clone().ok_or_else(|| missing(user_name))?;
    if let Some(new) = new {
        check_still(tx, &user, new)?;
        profile.set(keyring, &user, new, now);
    }
    profile.reset_required = reset_required.unwrap_or(profile.reset_required);
    user.login_profile = Some(profile);
    user::save(tx, &user);
    Ok(())
}

/// Changes the password of a user who showed the present one, for `ChangePassword`.
pub(crate) fn change(
    tx: &mut Transaction,
    keyring: &Keyring,
    proof: &PasswordProof,
    new: &NewPassword,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let mut user = User::clone(&*user::get(tx, new.account, &new.user_name)?);
    let mut profile = proven(&user, proof)?;
    check_still(tx, &user, new)?;
    profile.set(keyring, &user, new, now);
    profile.reset_required = false;
    user.login_profile = Some(profile);
    user::save(tx, &user);
    Ok(())
}

/// Notes that a user signed in with a password, which is when it was last used.
///
/// # Errors
/// `TemporarilyUnmodifiable` if the password is another by now, `NoSuchEntity`.
pub fn signed_in(
    tx: &mut Transaction,
    proof: &PasswordProof,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let mut user = User::clone(&*user::get(tx, proof.account, &proof.user_name)?);
    let mut profile = proven(&user, proof)?;
    profile.wrong = Misses::default();
    user.login_profile = Some(profile);
    user.password_last_used = Some(now);
    user::save(tx, &user);
    Ok(())
}

/// Takes a user's password away. When it was last used stays known.
///
/// # Errors
/// `NoSuchEntity`.
pub fn delete(tx: &mut Transaction, account: AccountId, user_name: &str) -> Result<(), IdentityError> {
    let mut user = User::clone(&*user::get(tx, account, user_name)?);
    user.login_profile.take().ok_or_else(|| missing(user_name))?;
    user::save(tx, &user);
    Ok(())
}

/// The user's profile, if the password is still the one that was shown.
fn proven(user: &User, proof: &PasswordProof) -> Result<LoginProfile, IdentityError> {
    let profile = user.login_profile.clone().ok_or_else(|| missing(&user.name))?;
    if profile.revision == proof.revision { Ok(profile) } else { Err(changed_meanwhile(user)) }
}

/// Whether what was found out about a new password still holds.
fn check_still(tx: &Transaction, user: &User, new: &NewPassword) -> Result<(), IdentityError> {
    password_policy::check(tx, new.account, &new.password)?;
    let remembered = password_policy::remembered(tx, new.account);
    match (&new.comparison, &user.login_profile) {
        (_, None) => Ok(()),
        (Some(Comparison { revision, with, same }), Some(profile))
            if *revision == profile.revision && *with >= remembered =>
        {
            if same.is_some_and(|at| at < remembered) {
                return Err(IdentityError::PasswordPolicy(PasswordRule::Reuse));
            }
            Ok(())
        }
        _ => Err(changed_meanwhile(user)),
    }
}

fn changed_meanwhile(user: &User) -> IdentityError {
    IdentityError::TemporarilyUnmodifiable(format!("Login Profile for User {}", user.name))
}

fn missing(user_name: &str) -> IdentityError {
    IdentityError::NoSuchEntity(Missing::LoginProfile(user_name.to_owned()))
}
