//! GenerateMac, VerifyMac.

use opentrail_event::RecordResource;
use opentrail_keyring::{Key, customer::MacAlgorithm};
use opentrail_policy::Context;
use opentrail_wire::value::Blob;
use serde::{Deserialize, Serialize};

use super::{
    asking::{MAX_CIPHERTEXT, MAX_PLAINTEXT, check_dry_run, key_to_use, read, touched},
    refused,
    shape::{Secret, blob},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read},
};

/// What GenerateMac and VerifyMac ask alike.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Macing {
    key_id: String,
    #[serde(skip_serializing)]
    message: Secret,
    mac_algorithm: String,
    #[serde(skip_serializing)]
    grant_tokens: Option<Vec<String>>,
    dry_run: Option<bool>,
}

impl Macing {
    /// The key, if the caller may use it so.
    fn key(
        &self,
        permission: &'static str,
        call: &Call,
    ) -> Result<(std::sync::Arc<Key>, MacAlgorithm), Fault> {
        let algorithm: MacAlgorithm = read(call, "macAlgorithm", &self.mac_algorithm)?;
        let keys = Context::new().with("kms:MacAlgorithm", algorithm.as_str());
        let key = key_to_use(call, permission, &self.key_id, self.grant_tokens.as_deref(), keys)?;
        Ok((key, algorithm))
    }
}

/// GenerateMac
pub(super) struct GenerateMac;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateMacOutput {
    key_id: String,
    mac: Blob,
    mac_algorithm: &'static str,
}

impl Described for GenerateMac {
    type Input = Macing;
    type Output = GenerateMacOutput;
    const NAME: &'static str = "GenerateMac";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Macing, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.key_id)
    }
}

impl Read for GenerateMac {
    async fn act(input: Macing, call: &Call) -> Result<GenerateMacOutput, Fault> {
        let message = input.message.within("message", MAX_PLAINTEXT, call)?;
        let (key, algorithm) = input.key(Self::NAME, call)?;
        let keyring = &call.rooms.keyring;
        let mac = keyring.mac(&key, message, algorithm).map_err(|error| refused(call, error))?;
        check_dry_run(input.dry_run)?;
        Ok(GenerateMacOutput { key_id: key.arn.clone(), mac: blob(&mac), mac_algorithm: algorithm.as_str() })
    }
}

/// VerifyMac
pub(super) struct VerifyMac;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyMacInput {
    #[serde(flatten)]
    macing: Macing,
    #[serde(skip_serializing)]
    mac: Secret,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyMacOutput {
    key_id: String,
    mac_valid: bool,
    mac_algorithm: &'static str,
}

impl Described for VerifyMac {
    type Input = VerifyMacInput;
    type Output = VerifyMacOutput;
    const NAME: &'static str = "VerifyMac";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &VerifyMacInput, call: &Call) -> Vec<RecordResource> {
        touched(call, &input.macing.key_id)
    }
}

impl Read for VerifyMac {
    async fn act(input: VerifyMacInput, call: &Call) -> Result<VerifyMacOutput, Fault> {
        let message = input.macing.message.within("message", MAX_PLAINTEXT, call)?;
        let mac = input.mac.within("mac", MAX_CIPHERTEXT, call)?;
        let (key, algorithm) = input.macing.key(Self::NAME, call)?;
        let keyring = &call.rooms.keyring;
        keyring.verify_mac(&key, message, mac, algorithm).map_err(|error| refused(call, error))?;
        check_dry_run(input.macing.dry_run)?;
        Ok(VerifyMacOutput { key_id: key.arn.clone(), mac_valid: true, mac_algorithm: algorithm.as_str() })
    }
}
