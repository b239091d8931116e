//! What of a device is secret, and which codes fit it.

use chrono::{DateTime, Utc};
use opentrail_keyring::{Keyring, Sealed};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Totp};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{error::IdentityError, limits};

/// Seconds of one time step (RFC 6238's default, and what authenticators are built for).
const STEP_SECONDS: u64 = 30;
/// Bytes of a seed: as long as SHA-1's output (RFC 4226, section 4, R6).
const SEED_BYTES: usize = 20;
/// Who the authenticator shows the code is for.
const ISSUER: &str = "opentrail";

/// A device's seed, how far its clock is off, and the last time step of which a code was taken.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Secret {
    seed: [u8; SEED_BYTES],
    /// Time steps by which the device's clock is ahead of ours, as found when two codes in a row were given.
    drift: i64,
    /// No code of this step or one before it is taken any more.
    last_step: Option<u64>,
}

impl Secret {
    pub(super) fn fresh() -> Self {
        let mut seed = [0; SEED_BYTES];
        rand::rng().fill_bytes(&mut seed);
        Self { seed, drift: 0, last_step: None }
    }

    pub(super) fn seal(&self, keyring: &Keyring, context: &str) -> Result<Sealed, IdentityError> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(IdentityError::Token)?);
        Ok(keyring.seal(context, &plain))
    }

    pub(super) fn open(keyring: &Keyring, context: &str, sealed: &Sealed) -> Result<Self, IdentityError> {
        let plain = keyring.unseal(context, sealed)?;
        serde_json::from_slice(&plain).map_err(IdentityError::Token)
    }

    /// The seed as authenticators take it typed.
    pub(super) fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.totp().secret().to_base32())
    }

    /// The seed as authenticators read it from a picture: an `otpauth` URI.
    pub(super) fn uri(&self, label: &str) -> Result<Zeroizing<String>, IdentityError> {
        let totp = self.builder().with_account_name(label).with_issuer(Some(ISSUER)).build();
        totp.and_then(|totp| totp.to_url()).map(Zeroizing::new).map_err(|_| IdentityError::MfaUri)
    }

    /// Takes a code of the step now, the one before or the one after, if none as late was taken before.
    pub(super) fn take_code(&mut self, code: &str, now: DateTime<Utc>) -> bool {
        let totp = self.totp();
        let here = step_at(now).saturating_add_signed(self.drift);
        let around =
            here.saturating_sub(limits::MFA_CODE_STEPS)..=here.saturating_add(limits::MFA_CODE_STEPS);
        let found = around.into_iter().find(|step| self.is_unused(*step) && fits(&totp, code, *step));
        self.last_step = found.or(self.last_step);
        found.is_some()
    }

    /// Takes two codes in a row, the second at most `window` steps from now; learns how far the device's clock
    /// is off where that is more than `ignored` steps.
    pub(super) fn take_pair(
        &mut self,
        codes: [&str; 2],
        now: DateTime<Utc>,
        window: u64,
        ignored: u64,
    ) -> bool {
        let totp = self.totp();
        let here = step_at(now);
        let mut around = here.saturating_sub(window).max(1)..=here.saturating_add(window);
        let found = around.find(|step| {
            self.is_unused(step - 1) && fits(&totp, codes[0], step - 1) && fits(&totp, codes[1], *step)
        });
        let Some(step) = found else { return false };
        let drift = i64::try_from(i128::from(step) - i128::from(here)).unwrap_or(0);
        self.drift = if drift.unsigned_abs() <= ignored { 0 } else { drift };
        self.last_step = Some(step);
        true
    }

    fn is_unused(&self, step: u64) -> bool {
        self.last_step.is_none_or(|last| step > last)
    }

    fn builder(&self) -> Builder {
        Builder::new().with_skew(0).with_step_duration(STEP_SECONDS).with_secret(self.seed)
    }

    fn totp(&self) -> Totp {
        self.builder().build_noncompliant()
    }
}

fn step_at(now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp()).unwrap_or(0) / STEP_SECONDS
}

/// Whether it is the code of this step; the library compares in constant time.
fn fits(totp: &Totp, code: &str, step: u64) -> bool {
    totp.check(code, step.saturating_mul(STEP_SECONDS)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238's test vectors for SHA-1.
    fn rfc() -> Secret {
        Secret { seed: *b"12345678901234567890", drift: 0, last_step: None }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, the last six of its eight digits.
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, code) in vectors {
            assert!(rfc().take_code(code, at(seconds)), "{seconds}");
            assert!(!rfc().take_code(code, at(seconds + 90)), "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_none_before_it_after() {
        let mut secret = rfc();
        assert!(secret.take_code("050471", at(1_111_111_111)));
        assert!(!secret.take_code("050471", at(1_111_111_112)), "again");
        assert!(!secret.take_code("081804", at(1_111_111_112)), "the one before");
    }

    #[test]
    fn what_is_no_code_fits_nothing() {
        for junk in ["", "0", "05047", "0504711", "05047a", "٠٥٠٤٧١", "-50471", "+50471"] {
            assert!(!rfc().take_code(junk, at(1_111_111_111)), "{junk}");
        }
    }

    #[test]
    fn two_codes_in_a_row_tell_how_far_a_clock_is_off() {
        let codes: Vec<String> = (0..4)
            .map(|ahead| rfc().totp().generate((37_037_037 + ahead) * STEP_SECONDS).to_string())
            .collect();
        let (mut secret, an_hour_before) = (rfc(), at(37_037_037 * 30 - 3_600));
        assert!(!secret.take_pair([&codes[0], &codes[1]], an_hour_before, 10, 1), "too far");
        assert!(!secret.take_pair([&codes[1], &codes[0]], an_hour_before, 200, 1), "not in a row");
        assert!(!secret.take_pair([&codes[0], &codes[0]], an_hour_before, 200, 1), "the same twice");
        assert!(secret.take_pair([&codes[0], &codes[1]], an_hour_before, 200, 1));
        assert!(!secret.take_code(&codes[1], an_hour_before), "spent");
        assert!(secret.take_code(&codes[2], an_hour_before));
        assert!(!secret.take_pair([&codes[2], &codes[3]], an_hour_before, 200, 1), "half of it spent");
    }
}
