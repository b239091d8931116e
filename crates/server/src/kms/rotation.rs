//! EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations.

use opentrail_event::RecordResource;
use opentrail_keyring::{
    Key,
    customer::{MaterialOrigin, MaterialVersion},
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking, read},
    page::{More, Paging},
    refused,
    shape::{KeyOnly, OneKey},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read, Write},
};

/// EnableKeyRotation
pub(super) struct EnableKeyRotation;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EnableKeyRotationInput {
    key_id: String,
    rotation_period_in_days: Option<i64>,
}

impl Described for EnableKeyRotation {
    type Input = EnableKeyRotationInput;
    type Output = ();
    const NAME: &'static str = "EnableKeyRotation";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &EnableKeyRotationInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for EnableKeyRotation {
    fn act(input: EnableKeyRotationInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let asking = Asking::to_manage(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        let mut keys = Context::new();
        if let Some(days) = input.rotation_period_in_days {
            keys.set("kms:RotationPeriodInDays", days.to_string());
        }
        asking.permit_with(call, &key, None, keys)?;
        let out_of_range =
            |_| call.fault(Common::Invalid, "RotationPeriodInDays must be between 90 and 2560, inclusive.");
        let days = input.rotation_period_in_days.map(u32::try_from).transpose().map_err(out_of_range)?;
        let keyring = &call.rooms.keyring;
        keyring.enable_rotation(tx, &key, days, call.arrival.at).map_err(|error| refused(call, error))
    }
}

/// DisableKeyRotation
pub(super) struct DisableKeyRotation;

impl Described for DisableKeyRotation {
    type Input = OneKey;
    type Output = ();
    const NAME: &'static str = "DisableKeyRotation";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneKey, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for DisableKeyRotation {
    fn act(input: OneKey, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        call.rooms.keyring.disable_rotation(tx, &key).map_err(|error| refused(call, error))
    }
}

/// RotateKeyOnDemand
pub(super) struct RotateKeyOnDemand;

impl Described for RotateKeyOnDemand {
    type Input = OneKey;
    type Output = KeyOnly;
    const NAME: &'static str = "RotateKeyOnDemand";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneKey, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for RotateKeyOnDemand {
    fn act(input: OneKey, call: &Call, tx: &mut Transaction) -> Result<KeyOnly, Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        let keyring = &call.rooms.keyring;
        keyring.rotate_on_demand(tx, &key, call.arrival.at).map_err(|error| refused(call, error))?;
        Ok(KeyOnly { key_id: key.arn.clone() })
    }
}

/// GetKeyRotationStatus
pub(super) struct GetKeyRotationStatus;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotationStatus {
    key_id: String,
    key_rotation_enabled: bool,
    rotation_period_in_days: Option<u32>,
    next_rotation_date: Option<Timestamp>,
}

impl Described for GetKeyRotationStatus {
    type Input = OneKey;
    type Output = RotationStatus;
    const NAME: &'static str = "GetKeyRotationStatus";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneKey, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for GetKeyRotationStatus {
    async fn act(input: OneKey, call: &Call) -> Result<RotationStatus, Fault> {
        let key = Asking::across_accounts(Self::NAME, &input.key_id).permitted(call)?;
        key.check_rotates().map_err(|error| refused(call, error))?;
        // A key that waits for its deletion does not rotate, whatever it did before.
        let rotation = key.rotation.filter(|_| key.check_not_pending_deletion().is_ok());
        Ok(RotationStatus {
            key_id: key.arn.clone(),
            key_rotation_enabled: rotation.is_some(),
            rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
            next_rotation_date: rotation.map(|rotation| rotation.next.into()),
        })
    }
}

/// ListKeyRotations
pub(super) struct ListKeyRotations;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeyRotationsInput {
    key_id: String,
    include_key_material: Option<Include>,
    #[serde(flatten)]
    paging: Paging,
}

/// `IncludeKeyMaterial`, as sent.
#[derive(Deserialize, Serialize)]
pub(super) struct Include(String);

/// What is listed.
enum Listed {
    Rotations,
    All,
}

impl std::str::FromStr for Listed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ROTATIONS_ONLY" => Ok(Self::Rotations),
            "ALL_KEY_MATERIAL" => Ok(Self::All),
            _ => Err(()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListKeyRotationsOutput {
    rotations: Vec<RotationEntry>,
    #[serde(flatten)]
    more: More,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotationEntry {
    key_id: String,
    key_material_id: String,
    key_material_state: &'static str,
    rotation_date: Option<Timestamp>,
    rotation_type: Option<&'static str>,
}

impl RotationEntry {
    fn of(key: &Key, material: &MaterialVersion) -> Self {
        let kind = match material.origin {
            MaterialOrigin::Creation => None,
            MaterialOrigin::Automatic => Some("AUTOMATIC"),
            MaterialOrigin::OnDemand => Some("ON_DEMAND"),
        };
        let is_current = material.version == key.material().version;
        Self {
            key_id: key.arn.clone(),
            key_material_id: material.id.clone(),
            key_material_state: if is_current { "CURRENT" } else { "NON_CURRENT" },
            rotation_date: kind.map(|_| material.since.into()),
            rotation_type: kind,
        }
    }
}

impl Described for ListKeyRotations {
    type Input = ListKeyRotationsInput;
    type Output = ListKeyRotationsOutput;
    const NAME: &'static str = "ListKeyRotations";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &ListKeyRotationsInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for ListKeyRotations {
    async fn act(input: ListKeyRotationsInput, call: &Call) -> Result<ListKeyRotationsOutput, Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        key.check_rotates().map_err(|error| refused(call, error))?;
        let listed = match &input.include_key_material {
            None => Listed::Rotations,
            Some(Include(text)) => read(call, "includeKeyMaterial", text)?,
        };
        let wanted = |material: &&MaterialVersion| {
            matches!(listed, Listed::All) || material.origin != MaterialOrigin::Creation
        };
        // Markers are compared as texts, and versions sorted so must have one length.
        let named = |material: &MaterialVersion| {
            (format!("{:010}", material.version), RotationEntry::of(&key, material))
        };
        let whole = key.materials.iter().filter(wanted).map(named).collect();
        let (page, more) = input.paging.page(100, 1000, call)?.of_whole(whole, |(name, _)| name);
        Ok(ListKeyRotationsOutput { rotations: page.into_iter().map(|(_, entry)| entry).collect(), more })
    }
}
