//! DeleteObject and DeleteObjects.

use std::sync::Arc;

use futures::{StreamExt, stream};
use opentrail_vault::{DeleteOutcome, DeleteRequest, EtagMatch, WriteConditions};
use s3s::dto;
use serde_json::{Map, Value, json};

use super::{
    headers, mfa, object_lock, record,
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};
use crate::fault::{Dialect, Fault};

/// Keys of one DeleteObjects call (S3 API reference, DeleteObjects).
const MAX_KEYS: usize = 1000;

/// Deletions that wait for the journal together.
const AT_ONCE: usize = 32;

fn elements(deleted: &DeleteOutcome) -> Option<Value> {
    let mut elements = Map::new();
    if deleted.delete_marker {
        elements.insert("x-amz-delete-marker".to_owned(), json!("true"));
    }
    if let Some(version_id) = &deleted.version_id {
        elements.insert("x-amz-version-id".to_owned(), json!(version_id));
    }
    (!elements.is_empty()).then_some(Value::Object(elements))
}

pub(super) async fn delete_object(
    scene: Arc<Scene>,
    input: dto::DeleteObjectInput,
) -> Answered<dto::DeleteObjectOutput> {
    let (bucket, version_id) = (scene.bucket()?, input.version_id.as_deref());
    let bypass_governance = version_id.is_some() && object_lock::bypass(&scene, &input.key, version_id)?;
    let with_mfa = version_id.is_some() && mfa::is_asked_by(bucket);
    let request = DeleteRequest {
        version_id,
        conditions: headers::write_conditions(&scene)?,
        bypass_governance,
        with_mfa,
        ..DeleteRequest::of(&input.bucket, &input.key, bucket.owner)
    };
    let (now, events) = (scene.arrival.at, |deleted: &DeleteOutcome| scene.events(elements(deleted)));
    let deleted = if with_mfa {
        // The code and the version go with one entry: neither without the other.
        let mut tx = scene.rooms.state.begin().await;
        mfa::spend(&scene, &mut tx)?;
        scene.vault().delete_with(tx, &request, now, events).await?
    } else {
        scene.vault().delete(&request, now, events).await?
    };
    plain(dto::DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        request_charged: None,
        version_id: deleted.version_id,
    })
}

pub(super) async fn delete_objects(
    scene: Arc<Scene>,
    input: dto::DeleteObjectsInput,
) -> Answered<dto::DeleteObjectsOutput> {
    object_lock::demand_digest(&scene)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_KEYS {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Refusal::of("MalformedXML", message));
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let with_mfa = objects.iter().any(|object| object.version_id.is_some());
    let with_mfa = with_mfa && mfa::is_asked_by(scene.bucket()?);
    if with_mfa {
        // One code for all of them. It is spent, and this call recorded, before the first is gone; without it the
        // whole call fails, as S3 does.
        let mut tx = scene.rooms.state.begin().await;
        mfa::spend(&scene, &mut tx)?;
        tx.commit(scene.events(None)?).await.map_err(|error| Fault::of_state(error, Dialect::S3))?;
    }
    let outcomes = stream::iter(objects)
        .map(|object| delete_one(&scene, object, with_mfa))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(object) if !quiet => deleted.push(object),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    plain(dto::DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None })
}

async fn delete_one(
    scene: &Scene,
    object: dto::ObjectIdentifier,
    with_mfa: bool,
) -> Result<dto::DeletedObject, dto::Error> {
    match try_delete(scene, &object, with_mfa).await {
        Ok(deleted) => {
            let marks = deleted.delete_marker;
            Ok(dto::DeletedObject {
                delete_marker: marks.then_some(true),
                delete_marker_version_id: deleted.version_id.filter(|_| marks),
                key: Some(object.key),
                version_id: object.version_id,
            })
        }
        Err(refusal) => Err(dto::Error {
            code: Some(refusal.fault.code().to_owned()),
            key: Some(object.key),
            message: Some(refusal.fault.message().to_owned()),
            version_id: object.version_id,
        }),
    }
}

async fn try_delete(
    scene: &Scene,
    object: &dto::ObjectIdentifier,
    with_mfa: bool,
) -> Result<DeleteOutcome, Refusal> {
    if object.last_modified_time.is_some() || object.size.is_some() {
        return Err(Refusal::not_built("this condition of a deletion"));
    }
    let version_id = object.version_id.as_deref();
    let action = if version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    scene.may_with_key(action, &object.key, version_id)?;
    let bucket = scene.bucket()?;
    let bypass_governance = version_id.is_some() && object_lock::bypass(scene, &object.key, version_id)?;
    let request = DeleteRequest {
        version_id,
        bypass_governance,
        with_mfa,
        conditions: WriteConditions {
            if_match: object.e_tag.as_ref().map(|tag| EtagMatch::parse(tag.value())),
            if_none_match: None,
        },
        ..DeleteRequest::of(&bucket.name, &object.key, bucket.owner)
    };
    let record = |deleted: &DeleteOutcome| {
        let deed = record::of_one_deletion(scene, &object.key, version_id, elements(deleted));
        deed.events(&scene.rooms.recorder)
    };
    Ok(scene.vault().delete(&request, scene.arrival.at, record).await?)
}
