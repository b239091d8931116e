//! How often a code may be wrong.
//!
//! A code has a million values of which three are right at a time, so guesses must be few. The device's owner is locked
//! out after some ([`Misses`]), which is why only the owner's own credentials can guess at all, and why two codes in a
//! row ([`Proof::Pair`]) are counted apart: resynchronizing lifts the lock.
//!
//! The count is in the device's document, written with the record of the failed call. What is not written yet is
//! kept here, so that calls at the same time do not each have a try of their own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{MfaDevice, Proof};
use crate::misses::Misses;

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
