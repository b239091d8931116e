//! Bucket policies, and the switches that keep buckets from the public.

use std::sync::Arc;

use http::StatusCode;
use opentrail_vault::{PublicAccessBlock, is_public};
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetBucketPolicyInput,
) -> Answered<dto::GetBucketPolicyOutput> {
    only_own_account(&scene)?;
    let policy = Some(scene.vault().bucket_policy_text(&input.bucket)?);
    plain(dto::GetBucketPolicyOutput { policy })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketPolicyInput,
) -> Answered<dto::PutBucketPolicyOutput> {
    only_own_account(&scene)?;
    scene
        .change(|vault, tx| {
            vault.put_bucket_policy(tx, &input.bucket, &input.policy)?;
            let block = vault.bucket(&input.bucket)?.public_access_block;
            if block.is_some_and(|block| block.block_public_policy) && is_public(&input.policy) {
                let message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are \
                               prevented by the BlockPublicPolicy setting in S3 Block Public Access.";
                return Err(Refusal::of("AccessDenied", message));
            }
            Ok(())
        })
        .await?;
    scene.answer_status(StatusCode::NO_CONTENT);
    plain(dto::PutBucketPolicyOutput::default())
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteBucketPolicyInput,
) -> Answered<dto::DeleteBucketPolicyOutput> {
    only_own_account(&scene)?;
    scene.change(|vault, tx| Ok(vault.delete_bucket_policy(tx, &input.bucket)?)).await?;
    plain(dto::DeleteBucketPolicyOutput::default())
}

/// Another account may not see or set a policy, whatever it allows (S3 API reference, PutBucketPolicy: 405).
fn only_own_account(scene: &Scene) -> Result<(), Refusal> {
    if scene.account() == Some(scene.bucket()?.owner) {
        return Ok(());
    }
    Err(Refusal::of("MethodNotAllowed", "The specified method is not allowed against this resource."))
}

pub(super) async fn status(
    scene: Arc<Scene>,
    input: dto::GetBucketPolicyStatusInput,
) -> Answered<dto::GetBucketPolicyStatusOutput> {
    let text = scene.vault().bucket_policy_text(&input.bucket)?;
    let policy_status = Some(dto::PolicyStatus { is_public: Some(is_public(&text)) });
    plain(dto::GetBucketPolicyStatusOutput { policy_status })
}

pub(super) async fn get_public_access_block(
    scene: Arc<Scene>,
    input: dto::GetPublicAccessBlockInput,
) -> Answered<dto::GetPublicAccessBlockOutput> {
    let block = scene.vault().public_access_block(&input.bucket)?;
    let configuration = dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls),
        block_public_policy: Some(block.block_public_policy),
        ignore_public_acls: Some(block.ignore_public_acls),
        restrict_public_buckets: Some(block.restrict_public_buckets),
    };
    plain(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) })
}

pub(super) async fn put_public_access_block(
    scene: Arc<Scene>,
    input: dto::PutPublicAccessBlockInput,
) -> Answered<dto::PutPublicAccessBlockOutput> {
    let asked = input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: asked.block_public_acls.unwrap_or(false),
        ignore_public_acls: asked.ignore_public_acls.unwrap_or(false),
        block_public_policy: asked.block_public_policy.unwrap_or(false),
        restrict_public_buckets: asked.restrict_public_buckets.unwrap_or(false),
    };
    scene.change(|vault, tx| Ok(vault.put_public_access_block(tx, &input.bucket, Some(block))?)).await?;
    plain(dto::PutPublicAccessBlockOutput::default())
}

pub(super) async fn delete_public_access_block(
    scene: Arc<Scene>,
    input: dto::DeletePublicAccessBlockInput,
) -> Answered<dto::DeletePublicAccessBlockOutput> {
    scene.change(|vault, tx| Ok(vault.put_public_access_block(tx, &input.bucket, None)?)).await?;
    plain(dto::DeletePublicAccessBlockOutput::default())
}
