//! Replication of a bucket: where its versions go. The copying is done by `worker::replication`.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use opentrail_event::AccountId;
use opentrail_identity::Ask;
use opentrail_vault::{
    ObjectMeta, StorageClass, Tags, VaultError,
    lifecycle::{FilterForm, RuleFilter},
    limits,
    replication::{InvalidReplication, Replication, ReplicationDestination, ReplicationRule},
    tags_of,
};
use s3s::dto;
use uuid::Uuid;

use super::{
    bucket::tag_set,
    context,
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};
use crate::{
    replica_target::TargetError,
    worker::replication::{S3, acting},
};

const BUCKET_ARN: &str = "arn:aws:s3:::";

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketReplicationInput,
) -> Answered<dto::PutBucketReplicationOutput> {
    let dto::ReplicationConfiguration { role, rules } = input.replication_configuration;
    let rules = rules.into_iter().map(rule_in).collect::<Result<Vec<_>, _>>()?;
    let replication = Replication { role, rules };
    replication.check().map_err(refused)?;
    may_pass(&scene, &replication.role)?;
    check_elsewhere(&scene, &replication).await?;
    let targets = &scene.rooms.replica_targets;
    let is_elsewhere = |bucket: &str| targets.of(bucket).is_some();
    scene
        .change(|vault, tx| Ok(vault.put_replication(tx, &input.bucket, replication, is_elsewhere)?))
        .await?;
    plain(dto::PutBucketReplicationOutput::default())
}

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetBucketReplicationInput,
) -> Answered<dto::GetBucketReplicationOutput> {
    let Replication { role, rules } = scene.vault().replication(&input.bucket)?;
    let rules = rules.iter().map(rule_out).collect();
    let replication_configuration = Some(dto::ReplicationConfiguration { role, rules });
    plain(dto::GetBucketReplicationOutput { replication_configuration })
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteBucketReplicationInput,
) -> Answered<dto::DeleteBucketReplicationOutput> {
    scene.change(|vault, tx| Ok(vault.delete_replication(tx, &input.bucket)?)).await?;
    plain(dto::DeleteBucketReplicationOutput::default())
}

/// `x-amz-replication-status` of an object.
pub(super) fn status(meta: &ObjectMeta) -> Option<dto::ReplicationStatus> {
    let progress = meta.replication.as_ref()?;
    Some(dto::ReplicationStatus::from_static(progress.status().name()))
}

fn refused(invalid: InvalidReplication) -> Refusal {
    VaultError::from(invalid).into()
}

fn malformed() -> Refusal {
    refused(InvalidReplication::Malformed)
}

/// Whether the caller may pass the role to S3, and S3 assume it.
fn may_pass(scene: &Scene, role: &str) -> Result<(), Refusal> {
    let account = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':'));
    let owner = account.filter(|(_, name)| name.starts_with("role/")).and_then(|(id, _)| id.parse().ok());
    let owner: AccountId = owner.ok_or_else(|| refused(InvalidReplication::Role))?;
    if scene.account().is_some_and(|account| account != owner) {
        return Err(Refusal::of("AccessDenied", "Cross-account pass role is not allowed."));
    }
    let bucket = scene.bucket()?;
    let mut context = context::of(scene);
    context.set("iam:PassedToService", S3);
    context.set("iam:AssociatedResourceArn", format!("{BUCKET_ARN}{}", bucket.name));
    let ask = Ask { action: "iam:PassRole", resource: role, context, ..Ask::default() };
    let verdict = scene.rooms.identity.authorize(&scene.caller(), &ask);
    verdict.into_result().map_err(|denial| Refusal::of("AccessDenied", denial.to_string()))?;
    acting(&scene.rooms, bucket, role, Utc::now()).map(drop).map_err(|_| {
        let message = format!("The role {role} does not exist or can't be assumed by {S3}.");
        Refusal::of("InvalidRequest", message)
    })
}

/// Asks endpoints elsewhere whether their buckets can take copies.
async fn check_elsewhere(scene: &Scene, replication: &Replication) -> Result<(), Refusal> {
    let targets = &scene.rooms.replica_targets;
    let mut asked = Vec::new();
    for ReplicationRule { destination, .. } in &replication.rules {
        let Some(target) = targets.of(&destination.bucket) else { continue };
        if destination.owner_override {
            return Err(Refusal::not_built("AccessControlTranslation for buckets at other endpoints"));
        }
        if asked.contains(&&destination.bucket) {
            continue;
        }
        asked.push(&destination.bucket);
        let account = destination.account;
        let can = target.check(&destination.bucket, account, scene.bucket()?.object_lock.is_some()).await;
        can.map_err(|error| match error {
            TargetError::NoBucket => refused(InvalidReplication::NoDestination),
            TargetError::NoVersioning => refused(InvalidReplication::DestinationVersioning),
            TargetError::NoLock => refused(InvalidReplication::DestinationLock),
            TargetError::Refused(reason) => Refusal::of("InvalidRequest", reason),
            TargetError::Away(reason) => Refusal::of("ServiceUnavailable", reason),
        })?;
    }
    Ok(())
}

/// An id for a rule that came without one, of the form that S3 gives them.
fn new_id() -> String {
    BASE64_STANDARD.encode(Uuid::new_v4().to_string())
}

/// Whether a switch is on, that has the two values that nearly all of the configuration's have.
fn is_enabled(status: &str) -> Result<bool, Refusal> {
    match status {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        _ => Err(malformed()),
    }
}

fn switch(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

fn rule_in(rule: dto::ReplicationRule) -> Result<ReplicationRule, Refusal> {
    if rule.existing_object_replication.is_some() {
        // S3 takes it no more (S3 API reference, "ExistingObjectReplication").
        let message = "ExistingObjectReplication is not supported. Objects that exist are replicated by S3 Batch Replication.";
        return Err(Refusal::of("InvalidRequest", message));
    }
    let markers = rule.delete_marker_replication.map(|markers| {
        let status = markers.status.ok_or_else(malformed)?;
        is_enabled(status.as_str())
    });
    let (kms_objects, replica_modifications) = match rule.source_selection_criteria {
        None => (None, None),
        Some(criteria) => (
            criteria.sse_kms_encrypted_objects.map(|of| is_enabled(of.status.as_str())).transpose()?,
            criteria.replica_modifications.map(|of| is_enabled(of.status.as_str())).transpose()?,
        ),
    };
    Ok(ReplicationRule {
        id: rule.id.filter(|id| !id.is_empty()).unwrap_or_else(new_id),
        enabled: is_enabled(rule.status.as_str())?,
        filter: filter_in(rule.prefix, rule.filter)?,
        priority: rule.priority,
        delete_markers: markers.transpose()?,
        kms_objects,
        replica_modifications,
        destination: destination_in(rule.destination)?,
    })
}

fn filter_in(
    prefix: Option<String>,
    filter: Option<dto::ReplicationRuleFilter>,
) -> Result<RuleFilter, Refusal> {
    let read =
        |form, prefix, tags| Ok(RuleFilter { form, prefix, tags, larger_than: None, smaller_than: None });
    let Some(dto::ReplicationRuleFilter { and, prefix: starts, tag }) = filter else {
        return read(FilterForm::Legacy, Some(prefix.ok_or_else(malformed)?), Tags::new());
    };
    if prefix.is_some()
        || [and.is_some(), starts.is_some(), tag.is_some()].iter().filter(|one| **one).count() > 1
    {
        return Err(malformed());
    }
    match and {
        Some(and) => {
            let tags = and.tags.unwrap_or_default();
            if tags.len() + usize::from(and.prefix.is_some()) < 2 {
                return Err(malformed());
            }
            read(FilterForm::And, and.prefix, tags_in(tags)?)
        }
        None => read(FilterForm::One, starts, tags_in(tag.into_iter().collect())?),
    }
}

fn tags_in(tags: Vec<dto::Tag>) -> Result<Tags, Refusal> {
    let pairs = tags.into_iter().map(|tag| Some((tag.key?, tag.value?)));
    let pairs = pairs.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    Ok(tags_of(pairs, limits::MAX_OBJECT_TAGS)?)
}

fn destination_in(destination: dto::Destination) -> Result<ReplicationDestination, Refusal> {
    let dto::Destination {
        access_control_translation,
        account,
        bucket,
        encryption_configuration,
        metrics,
        replication_time,
        storage_class,
    } = destination;
    if replication_time.is_some_and(|time| time.status.as_str() != "Disabled") {
        return Err(Refusal::not_built("S3 Replication Time Control (ReplicationTime)"));
    }
    if metrics.is_some_and(|metrics| metrics.status.as_str() != "Disabled") {
        return Err(Refusal::not_built("replication metrics in CloudWatch (Metrics); /metrics has its own"));
    }
    let name = bucket.strip_prefix(BUCKET_ARN).ok_or_else(|| refused(InvalidReplication::DestinationArn))?;
    let account = account
        .map(|account| account.parse())
        .transpose()
        .map_err(|_| Refusal::of("InvalidArgument", "Invalid account ID."))?;
    let owner_override = match access_control_translation {
        None => false,
        Some(translation) if translation.owner.as_str() == dto::OwnerOverride::DESTINATION => true,
        Some(_) => return Err(malformed()),
    };
    let storage_class =
        storage_class.map(|class| StorageClass::named(class.as_str()).ok_or_else(malformed)).transpose()?;
    let kms_key = match encryption_configuration {
        None => None,
        Some(encryption) => Some(encryption.replica_kms_key_id.ok_or_else(malformed)?),
    };
    Ok(ReplicationDestination { bucket: name.to_owned(), account, storage_class, owner_override, kms_key })
}

fn rule_out(rule: &ReplicationRule) -> dto::ReplicationRule {
    let (prefix, filter) = filter_out(&rule.filter);
    let criteria = dto::SourceSelectionCriteria {
        replica_modifications: rule.replica_modifications.map(|on| dto::ReplicaModifications {
            status: dto::ReplicaModificationsStatus::from_static(switch(on)),
        }),
        sse_kms_encrypted_objects: rule.kms_objects.map(|on| dto::SseKmsEncryptedObjects {
            status: dto::SseKmsEncryptedObjectsStatus::from_static(switch(on)),
        }),
    };
    let has_criteria = rule.replica_modifications.is_some() || rule.kms_objects.is_some();
    dto::ReplicationRule {
        delete_marker_replication: rule.delete_markers.map(|on| dto::DeleteMarkerReplication {
            status: Some(dto::DeleteMarkerReplicationStatus::from_static(switch(on))),
        }),
        destination: destination_out(&rule.destination),
        existing_object_replication: None,
        filter,
        id: Some(rule.id.clone()),
        prefix,
        priority: rule.priority,
        source_selection_criteria: has_criteria.then_some(criteria),
        status: dto::ReplicationRuleStatus::from_static(switch(rule.enabled)),
    }
}

/// The filter as it was written.
fn filter_out(filter: &RuleFilter) -> (Option<String>, Option<dto::ReplicationRuleFilter>) {
    let RuleFilter { form, prefix, tags, .. } = filter;
    let written = match form {
        FilterForm::Legacy => return (prefix.clone(), None),
        FilterForm::One => dto::ReplicationRuleFilter {
            and: None,
            prefix: prefix.clone(),
            tag: tag_set(tags).into_iter().next(),
        },
        FilterForm::And => dto::ReplicationRuleFilter {
            and: Some(dto::ReplicationRuleAndOperator {
                prefix: prefix.clone(),
                tags: (!tags.is_empty()).then(|| tag_set(tags)),
            }),
            ..dto::ReplicationRuleFilter::default()
        },
    };
    (None, Some(written))
}

fn destination_out(destination: &ReplicationDestination) -> dto::Destination {
    let ReplicationDestination { bucket, account, storage_class, owner_override, kms_key } = destination;
    dto::Destination {
        access_control_translation: owner_override.then(|| dto::AccessControlTranslation {
            owner: dto::OwnerOverride::from_static(dto::OwnerOverride::DESTINATION),
        }),
        account: account.map(|account| account.to_string()),
        bucket: format!("{BUCKET_ARN}{bucket}"),
        encryption_configuration: kms_key
            .as_ref()
            .map(|key| dto::EncryptionConfiguration { replica_kms_key_id: Some(key.clone()) }),
        metrics: None,
        replication_time: None,
        storage_class: storage_class.map(|class| dto::StorageClass::from_static(class.name())),
    }
}
