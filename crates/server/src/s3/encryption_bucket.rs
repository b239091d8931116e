//! PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption.

use std::sync::Arc;

use http::StatusCode;
use opentrail_vault::{BucketEncryption, DefaultEncryption};
use s3s::dto;

use super::{
    encryption::invalid,
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

/// Every bucket encrypts, also one that was never told to (S3 user guide, "Setting default server-side encryption
/// behavior": since January 2023).
pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetBucketEncryptionInput,
) -> Answered<dto::GetBucketEncryptionOutput> {
    let BucketEncryption { default, bucket_key } = scene.vault().bucket_encryption(&input.bucket)?;
    let (algorithm, key) = match default {
        DefaultEncryption::S3 => ("AES256", None),
        DefaultEncryption::Kms { key } => ("aws:kms", key),
    };
    let default = dto::ServerSideEncryptionByDefault {
        sse_algorithm: algorithm.to_owned().into(),
        kms_master_key_id: key,
    };
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(default),
        bucket_key_enabled: Some(bucket_key),
    };
    let configuration = dto::ServerSideEncryptionConfiguration { rules: vec![rule] };
    plain(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketEncryptionInput,
) -> Answered<dto::PutBucketEncryptionOutput> {
    if unblocks_customer_keys(&scene) {
        return Err(Refusal::not_built("encryption with keys of the caller (SSE-C), which stays blocked"));
    }
    let encryption = read(&input.server_side_encryption_configuration)?;
    scene.change(|vault, tx| Ok(vault.put_bucket_encryption(tx, &input.bucket, Some(encryption))?)).await?;
    plain(dto::PutBucketEncryptionOutput::default())
}

fn read(asked: &dto::ServerSideEncryptionConfiguration) -> Result<BucketEncryption, Refusal> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::of("MalformedXML", message)
    };
    let [rule] = asked.rules.as_slice() else { return Err(malformed()) };
    let bucket_key = rule.bucket_key_enabled.unwrap_or(false);
    let Some(by_default) = &rule.apply_server_side_encryption_by_default else {
        // A rule may say nothing but what is blocked.
        return Ok(BucketEncryption { default: DefaultEncryption::S3, bucket_key });
    };
    let key = by_default.kms_master_key_id.clone().filter(|key| !key.is_empty());
    let default = match by_default.sse_algorithm.as_str() {
        "AES256" if key.is_some() => {
            let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(invalid(message));
        }
        "AES256" => DefaultEncryption::S3,
        "aws:kms" => DefaultEncryption::Kms { key },
        "aws:kms:dsse" => return Err(Refusal::not_built("dual-layer encryption (aws:kms:dsse)")),
        _ => return Err(malformed()),
    };
    Ok(BucketEncryption { default, bucket_key })
}

/// `BlockedEncryptionTypes` of `NONE`, which the protocol layer does not know.
fn unblocks_customer_keys(scene: &Scene) -> bool {
    let document = scene.intake.document().unwrap_or_default();
    let text = String::from_utf8_lossy(&document);
    text.split("BlockedEncryptionTypes").nth(1).is_some_and(|blocked| blocked.contains(">NONE<"))
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteBucketEncryptionInput,
) -> Answered<dto::DeleteBucketEncryptionOutput> {
    scene.change(|vault, tx| Ok(vault.put_bucket_encryption(tx, &input.bucket, None)?)).await?;
    scene.answer_status(StatusCode::NO_CONTENT);
    plain(dto::DeleteBucketEncryptionOutput::default())
}
