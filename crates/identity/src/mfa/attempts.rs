//! How often a code may be wrong.
//!
//! A code has a million values of which three are right at a time, so guesses must be few. After
//! [`FREE_WRONG_CODES`](crate::limits::FREE_WRONG_CODES) wrong ones in a row none is looked at for a minute, and
//! with every further wrong one for twice as long, up to a day: a guesser has some 380 tries a year. The
//! device's owner is locked out meanwhile, which is why only the owner's own credentials can guess at all, why
//! tries during the lock do not prolong it, and why two codes in a row
//! ([`Proof::Pair`]) are counted apart: resynchronizing lifts the lock.
//!
//! The count is in the device's document, written with the record of the failed call. What is not written yet is
//! kept here, so that calls at the same time do not each have a try of their own.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{MfaDevice, Proof};
use crate::limits;

/// Wrong codes in a row, and when the last of them came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Misses {
    count: u32,
    last: Option<DateTime<Utc>>,
}

impl Misses {
    /// Until when no code is looked at; none if one may be tried.
    fn closed_until(self) -> Option<DateTime<Utc>> {
        let beyond = self.count.checked_sub(limits::FREE_WRONG_CODES)?;
        let doubled = 1_u64.checked_shl(beyond).unwrap_or(u64::MAX);
        let seconds =
            doubled.saturating_mul(limits::FIRST_MFA_LOCK_SECONDS).min(limits::LONGEST_MFA_LOCK_SECONDS);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.last?.checked_add_signed(TimeDelta::seconds(seconds))
    }

    fn with_another(self, now: DateTime<Utc>) -> Self {
        Self { count: self.count.saturating_add(1), last: Some(now) }
    }

    fn or_more(self, other: Self) -> Self {
        if other.count > self.count { other } else { self }
    }
}

/// The wrong codes of a device, apart for single ones and for pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrongCodes {
    #[serde(default)]
    code: Misses,
    #[serde(default)]
    pair: Misses,
}

impl WrongCodes {
    fn of(&mut self, proof: Proof) -> &mut Misses {
        match proof {
            Proof::Code => &mut self.code,
            Proof::Pair => &mut self.pair,
        }
    }

    /// Takes over what was counted elsewhere, unless more is known here.
    pub(super) fn learn(&mut self, proof: Proof, misses: Misses) {
        let known = self.of(proof);
        *known = known.or_more(misses);
    }
}

/// A code that was wrong, for the record of the call to be kept together with the count
/// ([`keep_wrong_code`](super::keep_wrong_code)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongCode {
    pub(super) device: String,
    pub(super) unique_id: String,
    pub(super) proof: Proof,
    pub(super) misses: Misses,
}

impl WrongCode {
    /// What was asked for: one code or two.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

/// Wrong codes that may not be in the documents yet: at most two entries for each device there is.
pub(crate) struct Attempts {
    pending: Mutex<HashMap<(String, Proof), Misses>>,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { pending: Mutex::default() }
    }

    /// Until when the device takes no code.
    pub(super) fn closed_until(
        &self,
        device: &MfaDevice,
        proof: Proof,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        self.misses(device, proof).closed_until().filter(|until| now < *until)
    }

    /// Counts a wrong code.
    pub(super) fn missed(
        &self,
        device: &MfaDevice,
        document: &str,
        proof: Proof,
        now: DateTime<Utc>,
    ) -> WrongCode {
        let misses = self.misses(device, proof).with_another(now);
        self.pending.lock().insert((key(device), proof), misses);
        WrongCode { device: document.to_owned(), unique_id: device.id.clone(), proof, misses }
    }

    /// Forgets wrong codes once a right one came.
    pub(super) fn succeeded(&self, device: &mut MfaDevice, proofs: &[Proof]) {
        let key = key(device);
        for proof in proofs {
            self.pending.lock().remove(&(key.clone(), *proof));
            *device.wrong.of(*proof) = Misses::default();
        }
    }

    fn misses(&self, device: &MfaDevice, proof: Proof) -> Misses {
        let mut written = device.wrong;
        let pending = self.pending.lock().get(&(key(device), proof)).copied().unwrap_or_default();
        written.of(proof).or_more(pending)
    }
}

/// A device that was deactivated and enabled again begins anew.
fn key(device: &MfaDevice) -> String {
    let since = device.assignment.as_ref().map_or(0, |assignment| assignment.since.timestamp_millis());
    format!("{}@{since}", device.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(count: u32) -> Option<i64> {
        let last: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let closed = Misses { count, last: Some(last) }.closed_until();
        closed.map(|until| (until - last).num_seconds())
    }

    #[test]
    fn the_lock_doubles_from_a_minute_to_a_day() {
        assert_eq!([after(0), after(4)], [None, None]);
        assert_eq!([after(5), after(6), after(7)], [Some(60), Some(120), Some(240)]);
        assert_eq!(
            [after(15), after(16), after(40), after(u32::MAX)].map(Option::unwrap),
            [61_440, 86_400, 86_400, 86_400]
        );
    }
}
