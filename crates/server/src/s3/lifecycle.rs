//! Lifecycle rules of a bucket, and what answers tell of them.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use opentrail_vault::{
    Bucket, ObjectMeta, StorageClass, Tags,
    lifecycle::{
        Expiration, Expiry, FilterForm, InvalidLifecycle, Lifecycle, LifecycleRule, NoncurrentExpiration,
        NoncurrentTransition, RuleFilter, Transition, TransitionMinimum, When,
    },
    limits, tags_of,
};
use opentrail_wire::RESERVED;
use percent_encoding::utf8_percent_encode;
use s3s::dto;
use uuid::Uuid;

use super::{
    bucket::tag_set,
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
};
use crate::rooms::Rooms;

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketLifecycleConfigurationInput,
) -> Answered<dto::PutBucketLifecycleConfigurationOutput> {
    let minimum = match input.transition_default_minimum_object_size.as_ref().map(|asked| asked.as_str()) {
        None => TransitionMinimum::default(),
        Some(name) => TransitionMinimum::named(name).ok_or_else(|| {
            let message = "Invalid value for x-amz-transition-default-minimum-object-size header.";
            Refusal::of("InvalidArgument", message)
        })?,
    };
    let rules = input.lifecycle_configuration.ok_or_else(malformed)?.rules;
    let rules = rules.into_iter().map(rule_in).collect::<Result<Vec<_>, _>>()?;
    let lifecycle = Lifecycle { rules, minimum };
    scene.change(|vault, tx| Ok(vault.put_lifecycle(tx, &input.bucket, Some(lifecycle))?)).await?;
    let shown = Some(minimum.name().to_owned().into());
    plain(dto::PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: shown })
}

pub(super) async fn get(
    scene: Arc<Scene>,
    input: dto::GetBucketLifecycleConfigurationInput,
) -> Answered<dto::GetBucketLifecycleConfigurationOutput> {
    let lifecycle = scene.vault().lifecycle(&input.bucket)?;
    plain(dto::GetBucketLifecycleConfigurationOutput {
        rules: Some(lifecycle.rules.iter().map(rule_out).collect()),
        transition_default_minimum_object_size: Some(lifecycle.minimum.name().to_owned().into()),
    })
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteBucketLifecycleInput,
) -> Answered<dto::DeleteBucketLifecycleOutput> {
    scene.change(|vault, tx| Ok(vault.put_lifecycle(tx, &input.bucket, None)?)).await?;
    plain(dto::DeleteBucketLifecycleOutput::default())
}

/// `x-amz-expiration` of an object that has just been found or made.
pub(super) fn expiration(rooms: &Rooms, bucket: &Bucket, key: &str, meta: &ObjectMeta) -> Option<String> {
    let Expiry { at, rule_id } = bucket.lifecycle.as_ref()?.expiry(rooms.calendar, key, meta)?;
    let rule_id = utf8_percent_encode(&rule_id, RESERVED);
    Some(format!("expiry-date=\"{}\", rule-id=\"{rule_id}\"", shape::http_date(at)))
}

/// `x-amz-abort-date` and `x-amz-abort-rule-id` of an upload.
pub(super) fn abort(
    rooms: &Rooms,
    bucket: &Bucket,
    key: &str,
    initiated: DateTime<Utc>,
) -> (Option<dto::Timestamp>, Option<String>) {
    let expiry =
        bucket.lifecycle.as_ref().and_then(|rules| rules.upload_expiry(rooms.calendar, key, initiated));
    expiry.map(|expiry| (shape::time(expiry.at), expiry.rule_id)).unzip()
}

fn malformed() -> Refusal {
    refused(InvalidLifecycle::Malformed)
}

fn refused(invalid: InvalidLifecycle) -> Refusal {
    opentrail_vault::VaultError::from(invalid).into()
}

/// An id for a rule that came without one, of the form that S3 gives them.
fn new_id() -> String {
    BASE64_STANDARD.encode(Uuid::new_v4().to_string())
}

fn rule_in(rule: dto::LifecycleRule) -> Result<LifecycleRule, Refusal> {
    let enabled = match rule.status.as_str() {
        dto::ExpirationStatus::ENABLED => true,
        dto::ExpirationStatus::DISABLED => false,
        _ => return Err(malformed()),
    };
    let filter = filter_in(rule.prefix, rule.filter)?;
    let transitions = rule.transitions.unwrap_or_default();
    let noncurrent = rule.noncurrent_version_transitions.unwrap_or_default();
    let aborts = rule.abort_incomplete_multipart_upload;
    Ok(LifecycleRule {
        id: rule.id.filter(|id| !id.is_empty()).unwrap_or_else(new_id),
        enabled,
        filter,
        expiration: rule.expiration.map(expiration_in).transpose()?,
        noncurrent_expiration: rule.noncurrent_version_expiration.map(noncurrent_in).transpose()?,
        transitions: transitions.into_iter().map(transition_in).collect::<Result<_, _>>()?,
        noncurrent_transitions: noncurrent
            .into_iter()
            .map(noncurrent_transition_in)
            .collect::<Result<_, _>>()?,
        abort_uploads_after: aborts
            .map(|aborts| aborts.days_after_initiation.ok_or_else(malformed))
            .transpose()?,
    })
}

fn filter_in(
    prefix: Option<String>,
    filter: Option<dto::LifecycleRuleFilter>,
) -> Result<RuleFilter, Refusal> {
    let mut read = RuleFilter {
        form: FilterForm::One,
        prefix: None,
        tags: Tags::new(),
        larger_than: None,
        smaller_than: None,
    };
    let Some(filter) = filter else {
        let prefix = Some(prefix.ok_or_else(malformed)?);
        return Ok(RuleFilter { form: FilterForm::Legacy, prefix, ..read });
    };
    if prefix.is_some() {
        return Err(malformed());
    }
    let dto::LifecycleRuleFilter { and, object_size_greater_than, object_size_less_than, prefix, tag } =
        filter;
    let conditions = [
        and.is_some(),
        object_size_greater_than.is_some(),
        object_size_less_than.is_some(),
        prefix.is_some(),
        tag.is_some(),
    ];
    if conditions.into_iter().filter(|given| *given).count() > 1 {
        return Err(malformed());
    }
    match and {
        Some(and) => {
            let tags = and.tags.unwrap_or_default();
            let several = tags.len()
                + usize::from(and.prefix.is_some())
                + usize::from(and.object_size_greater_than.is_some())
                + usize::from(and.object_size_less_than.is_some());
            if several < 2 {
                return Err(malformed());
            }
            read.form = FilterForm::And;
            read.prefix = and.prefix;
            read.tags = tags_in(tags)?;
            read.larger_than = and.object_size_greater_than;
            read.smaller_than = and.object_size_less_than;
        }
        None => {
            read.prefix = prefix;
            read.tags = tags_in(tag.into_iter().collect())?;
            read.larger_than = object_size_greater_than;
            read.smaller_than = object_size_less_than;
        }
    }
    Ok(read)
}

fn tags_in(tags: Vec<dto::Tag>) -> Result<Tags, Refusal> {
    let pairs = tags.into_iter().map(|tag| Some((tag.key?, tag.value?)));
    let pairs = pairs.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    Ok(tags_of(pairs, limits::MAX_OBJECT_TAGS)?)
}

fn time_in(at: &dto::Timestamp) -> Result<DateTime<Utc>, Refusal> {
    let mut text = Vec::new();
    let written = at.format(dto::TimestampFormat::DateTime, &mut text);
    let text = written.ok().and_then(|()| String::from_utf8(text).ok()).ok_or_else(malformed)?;
    DateTime::parse_from_rfc3339(&text).map(|at| at.to_utc()).map_err(|_| malformed())
}

fn when_in(days: Option<i32>, date: Option<&dto::Timestamp>) -> Result<When, Refusal> {
    match (days, date) {
        (Some(days), None) => Ok(When::Days(days)),
        (None, Some(date)) => Ok(When::Date(time_in(date)?)),
        _ => Err(malformed()),
    }
}

fn expiration_in(expiration: dto::LifecycleExpiration) -> Result<Expiration, Refusal> {
    let dto::LifecycleExpiration { date, days, expired_object_delete_marker } = expiration;
    match (expired_object_delete_marker, days, &date) {
        (Some(markers), None, None) => Ok(Expiration::LoneMarkers(markers)),
        (None, days, date) => Ok(Expiration::At(when_in(days, date.as_ref())?)),
        _ => Err(malformed()),
    }
}

fn noncurrent_in(expiration: dto::NoncurrentVersionExpiration) -> Result<NoncurrentExpiration, Refusal> {
    let days = expiration.noncurrent_days.ok_or_else(malformed)?;
    Ok(NoncurrentExpiration { days, keep: expiration.newer_noncurrent_versions })
}

fn class_in(class: Option<&dto::TransitionStorageClass>) -> Result<StorageClass, Refusal> {
    let class = class.and_then(|class| StorageClass::named(class.as_str()));
    class.filter(|class| StorageClass::Standard.may_become(*class)).ok_or_else(malformed)
}

fn transition_in(transition: dto::Transition) -> Result<Transition, Refusal> {
    let class = class_in(transition.storage_class.as_ref())?;
    Ok(Transition { when: when_in(transition.days, transition.date.as_ref())?, class })
}

fn noncurrent_transition_in(
    transition: dto::NoncurrentVersionTransition,
) -> Result<NoncurrentTransition, Refusal> {
    Ok(NoncurrentTransition {
        days: transition.noncurrent_days.ok_or_else(malformed)?,
        keep: transition.newer_noncurrent_versions,
        class: class_in(transition.storage_class.as_ref())?,
    })
}

fn when_out(when: When) -> (Option<i32>, Option<dto::Timestamp>) {
    match when {
        When::Days(days) => (Some(days), None),
        When::Date(date) => (None, Some(shape::time(date))),
    }
}

fn rule_out(rule: &LifecycleRule) -> dto::LifecycleRule {
    let status = if rule.enabled { dto::ExpirationStatus::ENABLED } else { dto::ExpirationStatus::DISABLED };
    let (prefix, filter) = filter_out(&rule.filter);
    let transitions = rule.transitions.iter().map(|transition| {
        let (days, date) = when_out(transition.when);
        dto::Transition { date, days, storage_class: Some(transition.class.name().to_owned().into()) }
    });
    let noncurrent = rule.noncurrent_transitions.iter().map(|transition| dto::NoncurrentVersionTransition {
        newer_noncurrent_versions: transition.keep,
        noncurrent_days: Some(transition.days),
        storage_class: Some(transition.class.name().to_owned().into()),
    });
    dto::LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_uploads_after
            .map(|days| dto::AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        expiration: rule.expiration.map(expiration_out),
        filter,
        id: Some(rule.id.clone()),
        noncurrent_version_expiration: rule.noncurrent_expiration.map(|expiration| {
            dto::NoncurrentVersionExpiration {
                newer_noncurrent_versions: expiration.keep,
                noncurrent_days: Some(expiration.days),
            }
        }),
        noncurrent_version_transitions: (!rule.noncurrent_transitions.is_empty())
            .then(|| noncurrent.collect()),
        prefix,
        status: dto::ExpirationStatus::from_static(status),
        transitions: (!rule.transitions.is_empty()).then(|| transitions.collect()),
    }
}

fn expiration_out(expiration: Expiration) -> dto::LifecycleExpiration {
    match expiration {
        Expiration::At(when) => {
            let (days, date) = when_out(when);
            dto::LifecycleExpiration { date, days, expired_object_delete_marker: None }
        }
        Expiration::LoneMarkers(markers) => {
            dto::LifecycleExpiration { date: None, days: None, expired_object_delete_marker: Some(markers) }
        }
    }
}

/// The filter as it was written.
fn filter_out(filter: &RuleFilter) -> (Option<String>, Option<dto::LifecycleRuleFilter>) {
    let RuleFilter { form, prefix, tags, larger_than, smaller_than } = filter;
    let written = match form {
        FilterForm::Legacy => return (prefix.clone(), None),
        FilterForm::One => dto::LifecycleRuleFilter {
            and: None,
            object_size_greater_than: *larger_than,
            object_size_less_than: *smaller_than,
            prefix: prefix.clone(),
            tag: tag_set(tags).into_iter().next(),
        },
        FilterForm::And => dto::LifecycleRuleFilter {
            and: Some(dto::LifecycleRuleAndOperator {
                object_size_greater_than: *larger_than,
                object_size_less_than: *smaller_than,
                prefix: prefix.clone(),
                tags: (!tags.is_empty()).then(|| tag_set(tags)),
            }),
            ..dto::LifecycleRuleFilter::default()
        },
    };
    (None, Some(written))
}
