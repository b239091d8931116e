//! The documents of devices, and IAM's operations on them that need no code.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::{Keyring, Sealed};
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{attempts::WrongCodes, secret::Secret};
use crate::{
    access_key::{KeyHolder, KeyOwner},
    account::{self, Account},
    documents::Documents,
    entity::{self, account_prefix},
    error::{Conflict, Constraint, Existing, IdentityError, InvalidValue, Missing, Quota},
    limits,
    name::{check_name, check_path},
    page::{Page, PageRequest},
    principal::{Caller, Principal},
    tags::{self, Tag},
    user::{self, User},
};

/// A virtual MFA device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MfaDevice {
    /// The account.
    pub account: AccountId,
    /// The name; with its path unique in the account, whatever its case.
    pub name: String,
    /// The path, `/` by default.
    pub path: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Whose it is; none before it is enabled and after it was deactivated.
    #[serde(default)]
    pub assignment: Option<Assignment>,
    /// Unlike the serial number never used again.
    pub(crate) id: String,
    pub(crate) secret: Sealed,
    #[serde(default)]
    pub(super) wrong: WrongCodes,
}

impl Resource for MfaDevice {
    const KIND: &'static str = "identity.mfa-device";
}

impl MfaDevice {
    /// The device's ARN, which is its serial number: `arn:aws:iam::ACCOUNT:mfa/PATH/NAME`.
    pub fn serial_number(&self) -> String {
        device_arn(self.account, &self.path, &self.name)
    }
}

/// Whose a device is, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// When it was enabled.
    pub since: DateTime<Utc>,
    pub(crate) owner: KeyOwner,
}

/// `arn:aws:iam::ACCOUNT:mfa/PATH/NAME`.
pub fn device_arn(account: AccountId, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:mfa{path}{name}")
}

/// What a device is created with.
#[derive(Debug, Clone, Default)]
pub struct NewMfaDevice<'a> {
    /// The name.
    pub name: &'a str,
    /// The path; `/` when absent.
    pub path: Option<&'a str>,
    /// Tags.
    pub tags: &'a [Tag],
}

/// A device as it is shown when it is created, this once with its seed.
#[derive(Clone)]
pub struct ProvisionedMfaDevice {
    /// The device.
    pub device: MfaDevice,
    /// The seed in base32, to be typed into an authenticator.
    pub base32_seed: Zeroizing<String>,
    /// The seed as an `otpauth` URI, to be shown as a QR code.
    pub uri: Zeroizing<String>,
}

impl std::fmt::Debug for ProvisionedMfaDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvisionedMfaDevice").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Creates a device that is nobody's yet.
pub(crate) fn create(
    tx: &mut Transaction,
    keyring: &Keyring,
    account: AccountId,
    new: &NewMfaDevice<'_>,
    now: DateTime<Utc>,
) -> Result<ProvisionedMfaDevice, IdentityError> {
    let path = new.path.unwrap_or("/");
    check_name("virtualMFADeviceName", new.name, limits::MFA_DEVICE_NAME_CHARS)?;
    check_path("path", path)?;
    let serial = device_arn(account, path, new.name);
    if serial.len() > limits::MAX_SERIAL_CHARS {
        let constraint = Constraint::MaxLength(limits::MAX_SERIAL_CHARS);
        return Err(InvalidValue::new("serialNumber", &serial, constraint).into());
    }
    tags::check(new.tags)?;
    let document = format!("{}{}{}", account, path, new.name).to_ascii_lowercase();
    if tx.contains::<MfaDevice>(&document) {
        return Err(IdentityError::AlreadyExists(Existing::MfaDevice));
    }
    if Documents::count::<MfaDevice>(tx, &account_prefix(account)) >= limits::MFA_DEVICES_PER_ACCOUNT {
        let quota = Quota::Count("VirtualMFADevicesPerAccount", limits::MFA_DEVICES_PER_ACCOUNT);
        return Err(IdentityError::LimitExceeded(quota));
    }
    let (secret, id) = (Secret::fresh(), Uuid::new_v4().to_string());
    let device = MfaDevice {
        account,
        name: new.name.to_owned(),
        path: path.to_owned(),
        created_at: now,
        tags: new.tags.to_vec(),
        assignment: None,
        secret: secret.seal(keyring, &seal_context_of(&id))?,
        id,
        wrong: WrongCodes::default(),
    };
    save(tx, &device);
    let uri = secret.uri(&format!("{}@{account}", device.name))?;
    Ok(ProvisionedMfaDevice { device, base32_seed: secret.base32(), uri })
}

/// The device with this serial number, whoever has it.
///
/// # Errors
/// `NoSuchEntity`.
pub fn get(
    docs: &impl Documents,
    account: AccountId,
    serial_number: &str,
) -> Result<Arc<MfaDevice>, IdentityError> {
    find(docs, account, serial_number).ok_or_else(|| {
        let serial = serial_number.chars().take(limits::MAX_SERIAL_CHARS).collect();
        IdentityError::NoSuchEntity(Missing::MfaDevice(serial))
    })
}

/// The holder's device with this serial number.
///
/// # Errors
/// `NoSuchEntity`, also for a device that is another's or nobody's.
pub fn of_holder(
    docs: &impl Documents,
    account: AccountId,
    holder: KeyHolder<'_>,
    serial_number: &str,
) -> Result<Arc<MfaDevice>, IdentityError> {
    let holder = Holder::of(docs, account, holder)?;
    find(docs, account, serial_number).filter(|device| holder.has(device)).ok_or_else(nobodys)
}

/// A page of the holder's devices, in the order in which they were enabled.
///
/// # Errors
/// `NoSuchEntity` for the user, `Validation`.
pub fn list(
    docs: &impl Documents,
    account: AccountId,
    holder: KeyHolder<'_>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<MfaDevice>>, IdentityError> {
    let holder = Holder::of(docs, account, holder)?;
    let devices = holder.devices().iter().enumerate();
    page.cut(devices.filter_map(|(at, id)| Some((format!("{at:02}"), docs.document(id)?))))
}

/// A page of the account's virtual devices, in the order of their paths and names: all, or those that are
/// (`Some(true)`) or are not (`Some(false)`) somebody's.
///
/// # Errors
/// `Validation`.
pub fn list_virtual(
    docs: &impl Documents,
    account: AccountId,
    assigned: Option<bool>,
    page: PageRequest<'_>,
) -> Result<Page<Arc<MfaDevice>>, IdentityError> {
    let devices = docs.documents::<MfaDevice>(&account_prefix(account)).into_iter();
    page.cut(devices.filter(|(_, device)| assigned.is_none_or(|is| is == device.assignment.is_some())))
}

/// Who has a device.
#[derive(Debug, Clone)]
pub enum MfaHolder {
    /// The account's root.
    Root,
    /// A user.
    User(Arc<User>),
}

/// Who has a device; none if it is nobody's.
pub fn holder(docs: &impl Documents, device: &MfaDevice) -> Option<MfaHolder> {
    match &device.assignment.as_ref()?.owner {
        KeyOwner::Root => Some(MfaHolder::Root),
        KeyOwner::User { document } => docs.document::<User>(document).map(MfaHolder::User),
    }
}

/// What is answered about a device that should be somebody's and is nobody's.
pub fn nobodys() -> IdentityError {
    IdentityError::NoSuchEntity(Missing::MfaOfUser)
}

/// Takes a device from its holder. Its seed stays, and so does what was spent: it can be enabled again, with
/// codes that were not used before. Sessions that were opened with it last until they end, as AWS's do.
///
/// # Errors
/// `NoSuchEntity`, also for a device that is not the holder's.
pub fn deactivate(
    tx: &mut Transaction,
    account: AccountId,
    holder: KeyHolder<'_>,
    serial_number: &str,
) -> Result<(), IdentityError> {
    let mut holder = Holder::of(tx, account, holder)?;
    let device = find(tx, account, serial_number).filter(|device| holder.has(device)).ok_or_else(nobodys)?;
    let mut device = MfaDevice::clone(&device);
    holder.lose(tx, &mut device);
    Ok(())
}

/// Deletes a device that is nobody's.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict` while it is somebody's.
pub fn delete(tx: &mut Transaction, account: AccountId, serial_number: &str) -> Result<(), IdentityError> {
    let device = get(tx, account, serial_number)?;
    if device.assignment.is_some() {
        return Err(IdentityError::DeleteConflict(Conflict::MfaDeviceInUse));
    }
    tx.delete::<MfaDevice>(&document_id(&device));
    Ok(())
}

/// Puts tags on a device.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `LimitExceeded`, `Validation`.
pub fn tag(
    tx: &mut Transaction,
    account: AccountId,
    serial_number: &str,
    tags: &[Tag],
) -> Result<(), IdentityError> {
    let mut device = MfaDevice::clone(&*get(tx, account, serial_number)?);
    tags::put(&mut device.tags, tags)?;
    save(tx, &device);
    Ok(())
}

/// Takes tags off a device.
///
/// # Errors
/// `NoSuchEntity`, `Validation`.
pub fn untag(
    tx: &mut Transaction,
    account: AccountId,
    serial_number: &str,
    keys: &[impl AsRef<str>],
) -> Result<(), IdentityError> {
    let mut device = MfaDevice::clone(&*get(tx, account, serial_number)?);
    tags::remove(&mut device.tags, keys)?;
    save(tx, &device);
    Ok(())
}

/// The device with this serial number, in this case.
pub(super) fn find(docs: &impl Documents, account: AccountId, serial_number: &str) -> Option<Arc<MfaDevice>> {
    let path_and_name = serial_number.strip_prefix(&format!("arn:aws:iam::{account}:mfa"))?;
    let document = format!("{account}{path_and_name}").to_ascii_lowercase();
    docs.document::<MfaDevice>(&document).filter(|device| device.serial_number() == serial_number)
}

pub(crate) fn document_id(device: &MfaDevice) -> String {
    format!("{}{}{}", device.account, device.path, device.name).to_ascii_lowercase()
}

pub(super) fn save(tx: &mut Transaction, device: &MfaDevice) {
    tx.put(&document_id(device), device);
}

/// What the seal is bound to, so that one device's document cannot be given another's seed.
pub(super) fn seal_context(device: &MfaDevice) -> String {
    seal_context_of(&device.id)
}

fn seal_context_of(id: &str) -> String {
    format!("identity.mfa-device/{id}")
}

/// Whether a device belongs to the user or the root who calls. A role's session has no devices.
pub(super) fn is_callers(device: &MfaDevice, caller: &Caller) -> bool {
    let Some(assignment) = &device.assignment else { return false };
    match (&assignment.owner, &caller.principal) {
        (KeyOwner::Root, Principal::Root { account }) => device.account == *account,
        (KeyOwner::User { document }, Principal::User { account, name, .. }) => {
            *document == entity::document_id(*account, name)
        }
        _ => false,
    }
}

/// Whether a device is enabled for this owner.
pub(crate) fn is_assigned_to(device: &MfaDevice, owner: &KeyOwner) -> bool {
    device.assignment.as_ref().is_some_and(|assignment| assignment.owner == *owner)
}

/// Moves a user's devices along when the user's document gets another id.
pub(crate) fn moved(tx: &mut Transaction, devices: &[String], new_user_document: &str) {
    for document in devices {
        let Some(device) = tx.get::<MfaDevice>(document) else { continue };
        let mut device = MfaDevice::clone(&device);
        if let Some(assignment) = &mut device.assignment {
            assignment.owner = KeyOwner::User { document: new_user_document.to_owned() };
        }
        tx.put(document, &device);
    }
}

/// The document that lists a holder's devices.
pub(super) enum Holder {
    Root(Account),
    User(Box<User>),
}

impl Holder {
    pub(super) fn of(
        docs: &impl Documents,
        account: AccountId,
        holder: KeyHolder<'_>,
    ) -> Result<Self, IdentityError> {
        Ok(match holder {
            KeyHolder::Root => Self::Root(account::get(docs, account)),
            KeyHolder::User(name) => Self::User(Box::new(User::clone(&*user::get(docs, account, name)?))),
        })
    }

    pub(super) fn check_room(&self) -> Result<(), IdentityError> {
        if self.devices().len() < limits::MFA_DEVICES_PER_USER {
            return Ok(());
        }
        Err(IdentityError::LimitExceeded(Quota::Count("MFADevicesPerUser", limits::MFA_DEVICES_PER_USER)))
    }

    pub(super) fn has(&self, device: &MfaDevice) -> bool {
        is_assigned_to(device, &self.owner())
    }

    pub(super) fn take(&mut self, tx: &mut Transaction, device: &mut MfaDevice, now: DateTime<Utc>) {
        device.assignment = Some(Assignment { since: now, owner: self.owner() });
        self.devices_mut().push(document_id(device));
        self.save(tx);
        save(tx, device);
    }

    fn lose(&mut self, tx: &mut Transaction, device: &mut MfaDevice) {
        let document = document_id(device);
        self.devices_mut().retain(|id| *id != document);
        device.assignment = None;
        device.wrong = WrongCodes::default();
        self.save(tx);
        save(tx, device);
    }

    fn owner(&self) -> KeyOwner {
        match self {
            Self::Root(_) => KeyOwner::Root,
            Self::User(user) => KeyOwner::User { document: user::document_id(user) },
        }
    }

    fn devices(&self) -> &Vec<String> {
        match self {
            Self::Root(account) => &account.root_mfa_devices,
            Self::User(user) => &user.mfa_devices,
        }
    }

    fn devices_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Root(account) => &mut account.root_mfa_devices,
            Self::User(user) => &mut user.mfa_devices,
        }
    }

    fn save(&self, tx: &mut Transaction) {
        match self {
            Self::Root(account) => account::save(tx, account),
            Self::User(user) => user::save(tx, user),
        }
    }
}
