//! Grants as the API takes and gives them.

use opentrail_identity::binding;
use opentrail_keyring::{
    EncryptionContext, Key,
    customer::{Grant, GrantConstraints, KeyUsage},
};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shape::show_context;
use crate::call::Call;

/// `GrantConstraints`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConstraintsShape {
    encryption_context_subset: Option<EncryptionContext>,
    encryption_context_equals: Option<EncryptionContext>,
    source_arn: Option<String>,
}

impl ConstraintsShape {
    /// As the keyring takes them.
    pub(super) fn read(&self) -> GrantConstraints {
        GrantConstraints {
            context_subset: self.encryption_context_subset.clone(),
            context_equals: self.encryption_context_equals.clone(),
            source_arn: self.source_arn.clone(),
        }
    }

    /// `kms:GrantConstraintType`
    pub(super) fn kind(&self) -> Option<&'static str> {
        if self.encryption_context_equals.is_some() {
            return Some("EncryptionContextEquals");
        }
        self.encryption_context_subset.is_some().then_some("EncryptionContextSubset")
    }

    /// Puts the encryption contexts into a record as they are.
    pub(super) fn show(&self, parameters: &mut Value) {
        let Some(constraints) = parameters.get_mut("constraints") else { return };
        show_context(constraints, "encryptionContextSubset", self.encryption_context_subset.as_ref());
        show_context(constraints, "encryptionContextEquals", self.encryption_context_equals.as_ref());
    }

    fn of(constraints: &GrantConstraints) -> Option<Self> {
        let shape = Self {
            encryption_context_subset: constraints.context_subset.clone(),
            encryption_context_equals: constraints.context_equals.clone(),
            source_arn: constraints.source_arn.clone(),
        };
        Some(shape).filter(|_| *constraints != GrantConstraints::default())
    }
}

/// `GrantListEntry`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GrantListEntry {
    key_id: String,
    grant_id: String,
    name: Option<String>,
    creation_date: Timestamp,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    issuing_account: String,
    operations: Vec<String>,
    constraints: Option<ConstraintsShape>,
    grantee_service_principal: Option<String>,
    retiring_service_principal: Option<String>,
}

impl GrantListEntry {
    /// The grant as lists have it: the ids of those it means who are gone stand in the place of their ARNs.
    pub(super) fn of(grant: &Grant, call: &Call) -> Self {
        let is_arn = |principal: &&String| principal.starts_with("arn:");
        let arn = |principal: &String, id: &Option<String>| {
            let arn = Some(principal).filter(is_arn)?;
            let is_gone = id.is_some() && binding::unique_id(&call.rooms.state, arn) != *id;
            id.clone().filter(|_| is_gone).or_else(|| Some(arn.clone()))
        };
        let service = |principal: &String| Some(principal).filter(|name| !is_arn(name)).cloned();
        Self {
            key_id: grant.key_arn.clone(),
            grant_id: grant.id.clone(),
            name: grant.name.clone(),
            creation_date: grant.created.into(),
            grantee_principal: arn(&grant.grantee, &grant.grantee_id),
            retiring_principal: grant
                .retiring
                .as_ref()
                .and_then(|principal| arn(principal, &grant.retiring_id)),
            issuing_account: format!("arn:aws:iam::{}:root", grant.issuer),
            operations: grant.operations.clone(),
            constraints: ConstraintsShape::of(&grant.constraints),
            grantee_service_principal: service(&grant.grantee),
            retiring_service_principal: grant.retiring.as_ref().and_then(service),
        }
    }
}

/// What can be granted on a key (the guide, "Grant operations").
pub(super) fn grantable(key: &Key) -> Vec<&'static str> {
    let of_all = ["CreateGrant", "DescribeKey", "RetireGrant"];
    let own: &[&str] = match key.usage {
        KeyUsage::EncryptDecrypt if key.spec.is_symmetric() => &[
            "Decrypt",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        ],
        KeyUsage::EncryptDecrypt => &["Decrypt", "Encrypt", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo"],
        KeyUsage::SignVerify => &["GetPublicKey", "Sign", "Verify"],
        KeyUsage::GenerateVerifyMac => &["GenerateMac", "VerifyMac"],
    };
    of_all.iter().chain(own).copied().collect()
}
