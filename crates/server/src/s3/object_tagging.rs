//! Tags of objects.

use std::sync::Arc;

use opentrail_vault::{ObjectMeta, Tags, limits};
use s3s::dto;

use super::{
    bucket::{tag_set, tags_in},
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetObjectTaggingInput,
) -> Answered<dto::GetObjectTaggingOutput> {
    let meta = scene.vault().head(&input.bucket, &input.key, input.version_id.as_deref());
    let meta = meta.map_err(|error| scene.not_there(error))?;
    let version_id = scene.vault().shown_version(&input.bucket, &meta)?;
    plain(dto::GetObjectTaggingOutput { tag_set: tag_set(&meta.object.tags), version_id })
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutObjectTaggingInput,
) -> Answered<dto::PutObjectTaggingOutput> {
    let tags = tags_in(input.tagging.tag_set, limits::MAX_OBJECT_TAGS)?;
    let of_version = input.version_id.is_some();
    scene.may_tag(if of_version { "s3:PutObjectVersionTagging" } else { "s3:PutObjectTagging" }, &tags)?;
    let meta = set(&scene, &input.bucket, &input.key, input.version_id.as_deref(), tags).await?;
    let version_id = scene.vault().shown_version(&input.bucket, &meta)?;
    plain(dto::PutObjectTaggingOutput { version_id })
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteObjectTaggingInput,
) -> Answered<dto::DeleteObjectTaggingOutput> {
    let meta = set(&scene, &input.bucket, &input.key, input.version_id.as_deref(), Tags::new()).await?;
    let version_id = scene.vault().shown_version(&input.bucket, &meta)?;
    plain(dto::DeleteObjectTaggingOutput { version_id })
}

async fn set(
    scene: &Scene,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    tags: Tags,
) -> Result<ObjectMeta, Refusal> {
    let put = scene.vault().put_object_tags(bucket, key, version_id, tags, |_| scene.events(None)).await;
    put.map_err(|error| scene.not_there(error))
}
