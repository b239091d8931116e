//! KMS: <https://docs.aws.amazon.com/kms/latest/APIReference/>. Each operation is a few lines over the customer keys
//! of `opentrail_keyring`; [`permit`] decides who may.

mod alias;
mod asking;
mod crypt;
mod data_key;
mod deletion;
mod describe;
mod grant;
mod grant_shape;
mod key;
mod mac;
mod page;
pub(crate) mod permit;
mod policy;
mod principal;
mod public_key;
mod re_encrypt;
mod retire;
mod rotation;
mod shape;
mod sign;
mod tags;

use opentrail_keyring::KeyringError;
use opentrail_wire::value::RecordTimes;

use crate::{
    call::Call,
    fault::{Dialect, Fault},
    operation::{read, write},
    service::Service,
};

pub(crate) use permit::KeyGuard;

/// KMS, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "kms",
    event_source: "kms.amazonaws.com",
    dialect: Dialect::Json,
    namespace: "",
    global: false,
    record_times: RecordTimes::SpokenWithComma,
    follow: None,
    operations: &[
        write::<deletion::CancelKeyDeletion>(),
        write::<alias::CreateAlias>(),
        write::<grant::CreateGrant>(),
        write::<key::CreateKey>(),
        read::<crypt::Decrypt>(),
        write::<alias::DeleteAlias>(),
        read::<describe::DescribeKey>(),
        write::<key::DisableKey>(),
        write::<rotation::DisableKeyRotation>(),
        write::<key::EnableKey>(),
        write::<rotation::EnableKeyRotation>(),
        read::<crypt::Encrypt>(),
        read::<data_key::GenerateDataKey>(),
        read::<data_key::GenerateDataKeyPair>(),
        read::<data_key::GenerateDataKeyPairWithoutPlaintext>(),
        read::<data_key::GenerateDataKeyWithoutPlaintext>(),
        read::<mac::GenerateMac>(),
        read::<data_key::GenerateRandom>(),
        read::<policy::GetKeyPolicy>(),
        read::<rotation::GetKeyRotationStatus>(),
        read::<public_key::GetPublicKey>(),
        read::<alias::ListAliases>(),
        read::<grant::ListGrants>(),
        read::<policy::ListKeyPolicies>(),
        read::<rotation::ListKeyRotations>(),
        read::<describe::ListKeys>(),
        read::<tags::ListResourceTags>(),
        read::<grant::ListRetirableGrants>(),
        write::<policy::PutKeyPolicy>(),
        read::<re_encrypt::ReEncrypt>(),
        write::<retire::RetireGrant>(),
        write::<retire::RevokeGrant>(),
        write::<rotation::RotateKeyOnDemand>(),
        write::<deletion::ScheduleKeyDeletion>(),
        read::<sign::Sign>(),
        write::<tags::TagResource>(),
        write::<tags::UntagResource>(),
        write::<alias::UpdateAlias>(),
        write::<key::UpdateKeyDescription>(),
        read::<sign::Verify>(),
        read::<mac::VerifyMac>(),
    ],
    unsupported: &[
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "Decapsulate",
        "DeleteCustomKeyStore",
        "DeleteImportedKeyMaterial",
        "DeriveSharedSecret",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "Encapsulate",
        "GetKeyLastUsage",
        "GetParametersForImport",
        "ImportKeyMaterial",
        "ReplicateKey",
        "UpdateCustomKeyStore",
        "UpdatePrimaryRegion",
    ],
};

/// A key's refusal, as the caller sees it.
fn refused(call: &Call, error: impl Into<KeyringError>) -> Fault {
    Fault::of_keyring(error.into(), call.dialect())
}
