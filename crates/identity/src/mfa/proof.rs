//! Taking codes.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::Keyring;
use opentrail_state::Transaction;

use super::{
    Attempts, Proof, WrongCode,
    device::{self, Holder, MfaDevice},
    secret::Secret,
};
use crate::{
    access_key::KeyHolder,
    error::{Constraint, Existing, IdentityError, InvalidValue},
    limits,
    principal::Caller,
};

/// That a caller gave a right code of an MFA device of theirs. Only taking a code makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MfaProof {
    at: DateTime<Utc>,
}

impl MfaProof {
    /// When.
    pub fn at(self) -> DateTime<Utc> {
        self.at
    }
}

/// Whether this can be a serial number: 9 to 256 characters of `[\w+=/:,.@-]`.
///
/// # Errors
/// `Validation`.
pub fn check_serial(serial_number: &str) -> Result<(), IdentityError> {
    let form = |c: char| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c);
    let broken = match serial_number.chars().count() {
        n if n < limits::MIN_SERIAL_CHARS => Constraint::MinLength(limits::MIN_SERIAL_CHARS),
        n if n > limits::MAX_SERIAL_CHARS => Constraint::MaxLength(limits::MAX_SERIAL_CHARS),
        _ if !serial_number.chars().all(form) => Constraint::Pattern(r"[\w+=/:,.@-]*"),
        _ => return Ok(()),
    };
    Err(InvalidValue::new("serialNumber", serial_number, broken).into())
}

/// Whether this can be a code: six digits. The error does not repeat it.
///
/// # Errors
/// `Validation`, about this member of the request.
pub fn check_code(member: &'static str, code: &str) -> Result<(), IdentityError> {
    let broken = match code.chars().count() {
        n if n < limits::MFA_CODE_DIGITS => Constraint::MinLength(limits::MFA_CODE_DIGITS),
        n if n > limits::MFA_CODE_DIGITS => Constraint::MaxLength(limits::MFA_CODE_DIGITS),
        _ if !code.bytes().all(|b| b.is_ascii_digit()) => Constraint::Pattern(r"[\d]*"),
        _ => return Ok(()),
    };
    Err(InvalidValue::new(member, "***", broken).into())
}

/// Whether these can be the serial number and the code of a call that proves its caller.
///
/// # Errors
/// `Validation`.
pub fn check_form(serial_number: &str, code: &str) -> Result<(), IdentityError> {
    check_serial(serial_number)?;
    check_code("tokenCode", code)
}

/// Takes a code of one of the caller's own devices, so that it is good for nothing else once the transaction is
/// committed.
pub(crate) fn spend_code(
    tx: &mut Transaction,
    keyring: &Keyring,
    attempts: &Attempts,
    caller: &Caller,
    serial_number: &str,
    code: &str,
    now: DateTime<Utc>,
) -> Result<MfaProof, IdentityError> {
    let account = caller.principal.account().ok_or(IdentityError::MfaUnknownDevice)?;
    let mut device = device::find(tx, account, serial_number)
        .filter(|device| device::is_callers(device, caller))
        .map(|device| MfaDevice::clone(&device))
        .ok_or(IdentityError::MfaUnknownDevice)?;
    take(keyring, attempts, &mut device, Proof::Code, now, |secret| secret.take_code(code, now))?;
    attempts.succeeded(&mut device, &[Proof::Code]);
    device::save(tx, &device);
    Ok(MfaProof { at: now })
}

/// Two codes of a device in a row, and who is said to hold it.
#[derive(Clone, Copy)]
pub struct CodePair<'a> {
    /// The account.
    pub account: AccountId,
    /// Who holds the device, or is to.
    pub holder: KeyHolder<'a>,
    /// The device.
    pub serial_number: &'a str,
    /// The codes, in the order in which they were shown.
    pub codes: [&'a str; 2],
}

/// Gives a device to the root or to a user who has shown two codes of it in a row.
pub(crate) fn enable(
    tx: &mut Transaction,
    keyring: &Keyring,
    attempts: &Attempts,
    pair: &CodePair<'_>,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let CodePair { account, holder, serial_number, codes } = *pair;
    let mut holder = Holder::of(tx, account, holder)?;
    let mut device = MfaDevice::clone(&*device::get(tx, account, serial_number)?);
    if device.assignment.is_some() {
        return Err(IdentityError::AlreadyExists(Existing::MfaAssignment(device.serial_number())));
    }
    holder.check_room()?;
    take(keyring, attempts, &mut device, Proof::Pair, now, |secret| {
        secret.take_pair(codes, now, limits::MFA_ENABLE_STEPS, limits::MFA_ENABLE_STEPS)
    })?;
    attempts.succeeded(&mut device, &[Proof::Code, Proof::Pair]);
    holder.take(tx, &mut device, now);
    Ok(())
}

/// Finds a device's clock again by two codes in a row, which also lifts a lock.
pub(crate) fn resync(
    tx: &mut Transaction,
    keyring: &Keyring,
    attempts: &Attempts,
    pair: &CodePair<'_>,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let CodePair { account, holder, serial_number, codes } = *pair;
    let holder = Holder::of(tx, account, holder)?;
    let mut device = device::find(tx, account, serial_number)
        .filter(|device| holder.has(device))
        .map(|device| MfaDevice::clone(&device))
        .ok_or_else(device::nobodys)?;
    take(keyring, attempts, &mut device, Proof::Pair, now, |secret| {
        secret.take_pair(codes, now, limits::MFA_RESYNC_STEPS, limits::MFA_CODE_STEPS)
    })?;
    attempts.succeeded(&mut device, &[Proof::Code, Proof::Pair]);
    device::save(tx, &device);
    Ok(())
}

/// Opens the device's secret, lets it take what was given, and seals it anew. Whoever calls this holds the
/// transaction and is alone: the next one sees what this one took, or that it was wrong.
fn take(
    keyring: &Keyring,
    attempts: &Attempts,
    device: &mut MfaDevice,
    proof: Proof,
    now: DateTime<Utc>,
    taking: impl FnOnce(&mut Secret) -> bool,
) -> Result<(), IdentityError> {
    if let Some(until) = attempts.closed_until(device, proof, now) {
        return Err(IdentityError::MfaLocked { proof, until });
    }
    let context = device::seal_context(device);
    let mut secret = Secret::open(keyring, &context, &device.secret)?;
    if !taking(&mut secret) {
        let document = device::document_id(device);
        return Err(IdentityError::WrongMfaCode(attempts.missed(device, &document, proof, now)));
    }
    device.secret = secret.seal(keyring, &context)?;
    Ok(())
}

/// Stages the count of a wrong code, to be committed with the record of the call that failed by it.
pub fn keep_wrong_code(tx: &mut Transaction, wrong: &WrongCode) {
    let device = tx.get::<MfaDevice>(&wrong.device).filter(|device| device.id == wrong.unique_id);
    if let Some(device) = device {
        let mut device = MfaDevice::clone(&device);
        device.wrong.learn(wrong.proof, wrong.misses);
        device::save(tx, &device);
    }
}
