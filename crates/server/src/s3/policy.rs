//! Bucket policies.

use std::sync::Arc;

use http::StatusCode;
use opentrail_identity::binding;
use opentrail_vault::{VaultError, check_policy, is_public};
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
    let text = scene.vault().bucket_policy_text(&input.bucket)?;
    let policy = binding::shown(&scene.rooms.state, &text, &scene.bucket()?.policy_principals);
    plain(dto::GetBucketPolicyOutput { policy: Some(policy) })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketPolicyInput,
) -> Answered<dto::PutBucketPolicyOutput> {
    only_own_account(&scene)?;
    scene
        .change(|vault, tx| {
            let policy = check_policy(&input.bucket, &input.policy).map_err(VaultError::from)?;
            if binding::first_missing(tx, &policy).is_some() {
                return Err(Refusal::of("MalformedPolicy", "Invalid principal in policy"));
            }
            let principals = binding::bindings(tx, &policy);
            vault.put_bucket_policy(tx, &input.bucket, &input.policy, principals)?;
            let block = vault.effective_public_access_block(&*vault.bucket(&input.bucket)?)?;
            if block.block_public_policy && is_public(&input.policy) {
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
