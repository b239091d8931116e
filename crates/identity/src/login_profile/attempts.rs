//! How often a password may be wrong.
//!
//! The count is in the user's document, written with the record of the failed call. A try is counted before it is looked
//! at, so that many at the same time are not each the first.

use chrono::{DateTime, Utc};
use opentrail_state::Transaction;
use parking_lot::Mutex;

use super::LoginProfile;
use crate::{cache::Cache, error::IdentityError, limits, misses::Misses, user::User};

/// A password that was wrong, for the record of the call to be kept together with the count
/// ([`keep_wrong_password`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPassword {
    pub(super) user: String,
    pub(super) revision: String,
    pub(super) misses: Misses,
}

/// Stages the count of a wrong password, to be committed with the record of the call that failed by it.
pub fn keep_wrong_password(tx: &mut Transaction, wrong: &WrongPassword) {
    let Some(user) = tx.get::<User>(&wrong.user) else { return };
    let mut user = User::clone(&user);
    if let Some(profile) = user.login_profile.as_mut().filter(|profile| profile.revision == wrong.revision) {
        profile.wrong = profile.wrong.or_more(wrong.misses);
        tx.put(&wrong.user, &user);
    }
}

/// Tries that may not be in the documents yet, by the password that they were for.
pub(crate) struct Attempts {
    pending: Mutex<Cache<String, Misses>>,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { pending: Mutex::new(Cache::new(limits::PENDING_PASSWORD_MISSES)) }
    }

    /// Counts a try as wrong, for as long as it is not known to be right.
    ///
    /// # Errors
    /// `PasswordLocked`.
    pub(super) fn claim(&self, profile: &LoginProfile, now: DateTime<Utc>) -> Result<Misses, IdentityError> {
        let pending = self.pending.lock();
        let known = profile.wrong.or_more(pending.get(profile.revision.as_str()).unwrap_or_default());
        if let Some(until) = known.closed_until().filter(|until| now < *until) {
            return Err(IdentityError::PasswordLocked { until });
        }
        let misses = known.with_another(now);
        pending.insert(profile.revision.clone(), misses);
        Ok(misses)
    }

    /// Forgets wrong tries once a right one came.
    pub(super) fn succeeded(&self, profile: &LoginProfile) {
        self.pending.lock().remove(profile.revision.as_str());
    }
}
