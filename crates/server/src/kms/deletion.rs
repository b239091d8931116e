//! ScheduleKeyDeletion, CancelKeyDeletion.

use opentrail_event::RecordResource;
use opentrail_keyring::customer::limits::DEFAULT_DELETION_WINDOW_DAYS;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking},
    refused,
    shape::{KeyOnly, OneKey},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
};

/// ScheduleKeyDeletion: the key can't be used any more, and is destroyed at the end of the days.
pub(super) struct ScheduleKeyDeletion;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScheduleKeyDeletionInput {
    key_id: String,
    pending_window_in_days: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScheduleKeyDeletionOutput {
    key_id: String,
    deletion_date: Timestamp,
    key_state: &'static str,
    pending_window_in_days: u32,
}

impl Described for ScheduleKeyDeletion {
    type Input = ScheduleKeyDeletionInput;
    type Output = ScheduleKeyDeletionOutput;
    const NAME: &'static str = "ScheduleKeyDeletion";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &ScheduleKeyDeletionInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for ScheduleKeyDeletion {
    fn act(
        input: ScheduleKeyDeletionInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<ScheduleKeyDeletionOutput, Fault> {
        let days = input.pending_window_in_days.unwrap_or(i64::from(DEFAULT_DELETION_WINDOW_DAYS));
        let asking = Asking::to_manage(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        let keys = Context::new().with("kms:ScheduleKeyDeletionPendingWindowInDays", days.to_string());
        asking.permit_with(call, &key, None, keys)?;
        let days = u32::try_from(days).map_err(|_| {
            call.fault(Common::Invalid, "PendingWindowInDays must be between 7 and 30, inclusive.")
        })?;
        let keyring = &call.rooms.keyring;
        let at = keyring
            .schedule_deletion(tx, &key, days, call.arrival.at)
            .map_err(|error| refused(call, error))?;
        Ok(ScheduleKeyDeletionOutput {
            key_id: key.arn.clone(),
            deletion_date: at.into(),
            key_state: "PendingDeletion",
            pending_window_in_days: days,
        })
    }
}

/// CancelKeyDeletion: the key is disabled then.
pub(super) struct CancelKeyDeletion;

impl Described for CancelKeyDeletion {
    type Input = OneKey;
    type Output = KeyOnly;
    const NAME: &'static str = "CancelKeyDeletion";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &OneKey, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for CancelKeyDeletion {
    fn act(input: OneKey, call: &Call, tx: &mut Transaction) -> Result<KeyOnly, Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        call.rooms.keyring.cancel_deletion(tx, &key).map_err(|error| refused(call, error))?;
        Ok(KeyOnly { key_id: key.arn.clone() })
    }
}
