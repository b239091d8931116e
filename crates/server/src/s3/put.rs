//! PutObject: bytes come in, are safe, and only then become an object, together with their record.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use opentrail_vault::{PutOptions, PutOutcome};
use s3s::dto;
use serde_json::{Map, Value, json};

use super::{
    encryption::{self, tell_encryption},
    headers, lifecycle,
    refusal::Refusal,
    scene::Scene,
    shape::{self, set_checksums},
    table::{Answered, plain},
};

pub(super) async fn put_object(
    scene: Arc<Scene>,
    input: dto::PutObjectInput,
) -> Answered<dto::PutObjectOutput> {
    let conditions = headers::write_conditions(&scene)?;
    let object = headers::object(&scene, input.metadata, scene.bucket()?.owner)?;
    let mut options = PutOptions::new(object);
    let algorithms = headers::algorithms(&scene)?;
    if !algorithms.is_empty() {
        options.algorithms = algorithms;
    }
    options.length = Some(content_length(&scene)?);
    options.object.encryption = Some(encryption::choose(&scene).await?.encryption);
    let mut upload = scene.vault().begin_put(&input.bucket, &input.key, options)?;
    let mut content = Content::of(&scene, input.body);
    while let Some(bytes) = content.next().await? {
        upload.write(bytes).await?;
    }
    let staged = upload.finish(&headers::expected(&scene)?).await?;
    let put = scene
        .vault()
        .commit_put(staged, &conditions, scene.arrival.at, |put| scene.events(elements(put)))
        .await?;
    let mut output = dto::PutObjectOutput {
        e_tag: Some(shape::etag(&put.meta.etag)),
        checksum_type: Some(shape::checksum_type(put.meta.checksum_type)),
        expiration: lifecycle::expiration(&scene.rooms, scene.bucket()?, &input.key, &put.meta),
        version_id: put.version_id,
        ..dto::PutObjectOutput::default()
    };
    set_checksums!(output, &put.meta.checksums);
    tell_encryption!(output, put.meta.encryption());
    output.ssekms_encryption_context = encryption::told(put.meta.encryption()).context;
    plain(output)
}

/// S3 takes no upload whose length it is not told.
pub(super) fn content_length(scene: &Scene) -> Result<u64, Refusal> {
    scene.length.ok_or_else(|| {
        Refusal::of("MissingContentLength", "You must provide the Content-Length HTTP header.")
    })
}

/// `responseElements` of a call that made an object.
pub(super) fn elements(put: &PutOutcome) -> Option<Value> {
    let mut elements = Map::new();
    if let Some(version_id) = &put.version_id {
        elements.insert("x-amz-version-id".to_owned(), json!(version_id));
    }
    for (name, value) in encryption::elements(&put.meta) {
        elements.insert(name.to_owned(), json!(value));
    }
    (!elements.is_empty()).then_some(Value::Object(elements))
}

/// A call's content as it arrives.
pub(super) struct Content<'a> {
    scene: &'a Scene,
    body: Option<dto::StreamingBlob>,
}

impl<'a> Content<'a> {
    pub(super) fn of(scene: &'a Scene, body: Option<dto::StreamingBlob>) -> Self {
        Self { scene, body }
    }

    /// The next bytes; why the body is refused where it is.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(body) = &mut self.body else { return Ok(None) };
        match body.next().await.transpose() {
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(self.scene.intake.fault().map_or_else(
                || Refusal::of("IncompleteBody", "The request body terminated unexpectedly"),
                Refusal::from,
            )),
        }
    }
}
