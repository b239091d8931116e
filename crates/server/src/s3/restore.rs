//! RestoreObject: archived objects made readable for a time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::StatusCode;
use opentrail_vault::{ObjectMeta, StorageClass, lifecycle::RestoreTier};
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
};

pub(super) async fn restore_object(
    scene: Arc<Scene>,
    input: dto::RestoreObjectInput,
) -> Answered<dto::RestoreObjectOutput> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::of("MalformedXML", message)
    };
    let request = input.restore_request.ok_or_else(malformed)?;
    if request.type_.is_some() || request.select_parameters.is_some() || request.output_location.is_some() {
        return Err(Refusal::not_built("queries of archived objects (SELECT)"));
    }
    let days = request.days.ok_or_else(malformed)?;
    if days < 1 {
        return Err(Refusal::of("InvalidArgument", "restoration days should be at least 1"));
    }
    let asked = request.glacier_job_parameters.map(|parameters| parameters.tier).or(request.tier);
    let tier = match asked.as_ref().map(dto::Tier::as_str) {
        None | Some(dto::Tier::STANDARD) => RestoreTier::Standard,
        Some(dto::Tier::BULK) => RestoreTier::Bulk,
        Some(dto::Tier::EXPEDITED) => RestoreTier::Expedited,
        Some(_) => return Err(malformed()),
    };
    let (version, calendar, now) = (input.version_id.as_deref(), scene.rooms.calendar, scene.arrival.at);
    let restored = scene
        .vault()
        .restore_object(&input.bucket, &input.key, version, days, tier, calendar, now, |_| scene.events(None))
        .await
        .map_err(|error| scene.not_there(error))?;
    // S3 tells a new restore from a changed one by the status.
    scene.answer_status(if restored.was_readable { StatusCode::OK } else { StatusCode::ACCEPTED });
    plain(dto::RestoreObjectOutput::default())
}

/// `x-amz-restore` of an archived object that is readable now.
pub(super) fn shown(meta: &ObjectMeta, now: DateTime<Utc>) -> Option<String> {
    StorageClass::named(&meta.object.storage_class).filter(|class| class.is_archive())?;
    let until = meta.restored(now)?;
    Some(format!("ongoing-request=\"false\", expiry-date=\"{}\"", shape::http_date(until)))
}
