//! A bucket's lifecycle configuration: which S3 takes, and how it is kept.

use std::collections::HashSet;

use chrono::{DateTime, Timelike, Utc};
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    InvalidLifecycle,
    rule::{Expiration, FilterForm, LifecycleRule, NoncurrentTransition, RuleFilter, Transition, When},
};
use crate::{Bucket, StorageClass, Vault, VaultError, limits, tags::check_tags};

/// How small objects may be that move to another class where no rule speaks of sizes
/// (`x-amz-transition-default-minimum-object-size`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TransitionMinimum {
    /// [`limits::MIN_TRANSITION_BYTES`] for every class.
    #[default]
    #[serde(rename = "all_storage_classes_128K")]
    AllStorageClasses128K,
    /// As small as can be for the archives, [`limits::MIN_TRANSITION_BYTES`] for the other classes.
    #[serde(rename = "varies_by_storage_class")]
    VariesByStorageClass,
}

impl TransitionMinimum {
    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllStorageClasses128K => "all_storage_classes_128K",
            Self::VariesByStorageClass => "varies_by_storage_class",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::AllStorageClasses128K, Self::VariesByStorageClass].into_iter().find(|one| one.name() == name)
    }

    /// Whether an object of this size may move to this class.
    pub(crate) fn allows(self, size: u64, class: StorageClass) -> bool {
        size >= limits::MIN_TRANSITION_BYTES || (self == Self::VariesByStorageClass && class.is_archive())
    }
}

/// The rules of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Its rules.
    pub rules: Vec<LifecycleRule>,
    /// How small objects may be that move.
    #[serde(default)]
    pub minimum: TransitionMinimum,
}

impl Vault {
    /// Stages a bucket's lifecycle rules in place of those it had; `None` to delete them.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::InvalidLifecycle`].
    pub fn put_lifecycle(
        &self,
        tx: &mut Transaction,
        bucket: &str,
        lifecycle: Option<Lifecycle>,
    ) -> Result<(), VaultError> {
        if let Some(lifecycle) = &lifecycle {
            lifecycle.check()?;
        }
        let of = tx.try_get::<Bucket>(bucket)?;
        if lifecycle.is_some() && of.is_some_and(|bucket| bucket.mfa_delete == Some(true)) {
            return Err(VaultError::LifecycleWithMfaDelete);
        }
        self.change(tx, bucket, |bucket| bucket.lifecycle = lifecycle)
    }

    /// A bucket's lifecycle rules.
    ///
    /// # Errors
    /// [`VaultError::NoSuchBucket`], [`VaultError::NoLifecycle`].
    pub fn lifecycle(&self, bucket: &str) -> Result<Lifecycle, VaultError> {
        let lifecycle = self.bucket(bucket)?.lifecycle.clone();
        lifecycle.ok_or_else(|| VaultError::NoLifecycle { bucket: bucket.to_owned() })
    }
}

impl Lifecycle {
    /// Whether S3 takes the rules.
    ///
    /// # Errors
    /// The first that it does not take.
    pub fn check(&self) -> Result<(), InvalidLifecycle> {
        if self.rules.is_empty() {
            return Err(InvalidLifecycle::Malformed);
        }
        if self.rules.len() > limits::MAX_LIFECYCLE_RULES {
            return Err(InvalidLifecycle::TooManyRules);
        }
        let mut ids = HashSet::new();
        let legacy = self.rules[0].filter.form == FilterForm::Legacy;
        for rule in &self.rules {
            if rule.id.chars().count() > limits::MAX_RULE_ID_CHARS {
                return Err(InvalidLifecycle::LongId);
            }
            if !ids.insert(&rule.id) {
                return Err(InvalidLifecycle::SameId);
            }
            if legacy != (rule.filter.form == FilterForm::Legacy) {
                return Err(InvalidLifecycle::MixedForms);
            }
            rule.check()?;
        }
        Ok(())
    }
}

const EXPIRATION: &str = "Expiration";
const TRANSITION: &str = "Transition";
const NONCURRENT_EXPIRATION: &str = "NoncurrentVersionExpiration";
const NONCURRENT_TRANSITION: &str = "NoncurrentVersionTransition";
const ABORT: &str = "AbortIncompleteMultipartUpload";
const DAYS: &str = "Days";
const NONCURRENT_DAYS: &str = "NoncurrentDays";

impl RuleFilter {
    fn check(&self) -> Result<(), InvalidLifecycle> {
        if self.start().len() > limits::MAX_KEY_BYTES {
            return Err(InvalidLifecycle::LongPrefix);
        }
        let tags = check_tags(&self.tags, limits::MAX_OBJECT_TAGS);
        if let Err(VaultError::InvalidTag { reason }) = tags {
            return Err(InvalidLifecycle::Tag(reason));
        }
        let sizes = [self.larger_than, self.smaller_than];
        if sizes.into_iter().flatten().any(|size| !(0..=limits::MAX_RULE_SIZE_BYTES).contains(&size)) {
            return Err(InvalidLifecycle::Size("Object size filters must be between 0 and 50 TB"));
        }
        match (self.larger_than, self.smaller_than) {
            (_, Some(0)) => Err(InvalidLifecycle::Size("'ObjectSizeLessThan' should be greater than 0")),
            (Some(larger), Some(smaller)) if larger >= smaller => {
                let message = "'ObjectSizeLessThan' should be greater than 'ObjectSizeGreaterThan'";
                Err(InvalidLifecycle::Size(message))
            }
            _ => Ok(()),
        }
    }
}

impl LifecycleRule {
    fn check(&self) -> Result<(), InvalidLifecycle> {
        self.filter.check()?;
        let acts = self.expiration.is_some()
            || self.noncurrent_expiration.is_some()
            || self.abort_uploads_after.is_some()
            || !self.transitions.is_empty()
            || !self.noncurrent_transitions.is_empty();
        if !acts {
            return Err(InvalidLifecycle::NoAction);
        }
        match self.expiration {
            Some(Expiration::At(when)) => check_when(when, EXPIRATION, 1)?,
            Some(Expiration::LoneMarkers(_)) => self.needs_bare("ExpiredObjectDeleteMarker")?,
            None => {}
        }
        if let Some(days) = self.abort_uploads_after {
            if days < 1 {
                return Err(not_enough(1, "DaysAfterInitiation", ABORT));
            }
            self.needs_bare(ABORT)?;
        }
        self.check_transitions()?;
        self.check_noncurrent()
    }

    /// Refuses tags and sizes in the filter of an action on what has none.
    fn needs_bare(&self, action: &'static str) -> Result<(), InvalidLifecycle> {
        if !self.filter.tags.is_empty() {
            return Err(InvalidLifecycle::NotWith { action, what: "Tags" });
        }
        if self.filter.has_size() {
            return Err(InvalidLifecycle::NotWith { action, what: "Object Size" });
        }
        Ok(())
    }

    fn check_transitions(&self) -> Result<(), InvalidLifecycle> {
        let mut days = Vec::new();
        let mut dates = Vec::new();
        for Transition { when, class } in &self.transitions {
            check_when(*when, TRANSITION, 0)?;
            match when {
                When::Days(after) => days.push((*class, *after)),
                When::Date(date) => dates.push((*class, *date)),
            }
        }
        let mixed = |what| InvalidLifecycle::Mixed { what, filter: self.filter.shown() };
        if !days.is_empty() && !dates.is_empty() {
            return Err(mixed("Transition actions"));
        }
        check_order(&days, DAYS, TRANSITION, &self.filter)?;
        check_dates(&mut dates, &self.filter)?;
        let too_early = |member| InvalidLifecycle::ExpiresTooEarly {
            member,
            expiration: EXPIRATION,
            filter: self.filter.shown(),
            transition: TRANSITION,
        };
        match self.expiration {
            Some(Expiration::At(When::Days(expires))) => {
                if !dates.is_empty() {
                    return Err(mixed("Expiration and Transition actions"));
                }
                if days.iter().any(|(_, after)| *after >= expires) {
                    return Err(too_early(DAYS));
                }
            }
            Some(Expiration::At(When::Date(expires))) => {
                if !days.is_empty() {
                    return Err(mixed("Expiration and Transition actions"));
                }
                if dates.iter().any(|(_, date)| *date >= expires) {
                    return Err(too_early("Date"));
                }
            }
            Some(Expiration::LoneMarkers(_)) | None => {}
        }
        Ok(())
    }

    fn check_noncurrent(&self) -> Result<(), InvalidLifecycle> {
        let mut days = Vec::new();
        for NoncurrentTransition { days: after, keep, class } in &self.noncurrent_transitions {
            if *after < 0 {
                return Err(not_enough(0, NONCURRENT_DAYS, NONCURRENT_TRANSITION));
            }
            check_kept(*keep, NONCURRENT_TRANSITION)?;
            days.push((*class, *after));
        }
        check_order(&days, NONCURRENT_DAYS, NONCURRENT_TRANSITION, &self.filter)?;
        let Some(expiration) = self.noncurrent_expiration else { return Ok(()) };
        if expiration.days < 1 {
            return Err(not_enough(1, NONCURRENT_DAYS, NONCURRENT_EXPIRATION));
        }
        check_kept(expiration.keep, NONCURRENT_EXPIRATION)?;
        if days.iter().any(|(_, after)| *after >= expiration.days) {
            return Err(InvalidLifecycle::ExpiresTooEarly {
                member: NONCURRENT_DAYS,
                expiration: NONCURRENT_EXPIRATION,
                filter: self.filter.shown(),
                transition: NONCURRENT_TRANSITION,
            });
        }
        Ok(())
    }
}

fn not_enough(least: i32, member: &'static str, action: &'static str) -> InvalidLifecycle {
    match least {
        0 => InvalidLifecycle::Negative { member, action },
        _ => InvalidLifecycle::NotPositive { member, action },
    }
}

fn check_when(when: When, action: &'static str, least: i32) -> Result<(), InvalidLifecycle> {
    match when {
        When::Days(days) if days < least => Err(not_enough(least, DAYS, action)),
        When::Date(date) if date.num_seconds_from_midnight() != 0 || date.nanosecond() != 0 => {
            Err(InvalidLifecycle::NotMidnight)
        }
        _ => Ok(()),
    }
}

fn check_kept(keep: Option<i32>, action: &'static str) -> Result<(), InvalidLifecycle> {
    match keep {
        Some(keep) if !(1..=limits::MAX_KEPT_VERSIONS).contains(&keep) => {
            Err(InvalidLifecycle::KeptVersions { action })
        }
        _ => Ok(()),
    }
}

fn is_infrequent(class: StorageClass) -> bool {
    matches!(class, StorageClass::StandardIa | StorageClass::OneZoneIa)
}

/// The classes of a rule's transitions: infrequent access not before its time, each class once, colder ones later,
/// and what went to infrequent access stays there for its minimum.
fn check_order(
    transitions: &[(StorageClass, i32)],
    member: &'static str,
    action: &'static str,
    filter: &RuleFilter,
) -> Result<(), InvalidLifecycle> {
    let least = limits::MIN_INFREQUENT_DAYS;
    for (class, days) in transitions {
        if is_infrequent(*class) && *days < least {
            return Err(InvalidLifecycle::TooEarly { member, action, class: class.name(), least });
        }
    }
    let mut ordered = transitions.to_vec();
    ordered.sort();
    for pair in ordered.windows(2) {
        let [(before, earlier), (class, later)] = pair else { continue };
        if before == class {
            return Err(InvalidLifecycle::SameClass { action, filter: filter.shown() });
        }
        let (gap, more) = match is_infrequent(*before) {
            true => (least, "30 days more"),
            false => (1, "greater"),
        };
        if i64::from(*later) - i64::from(*earlier) < i64::from(gap) {
            return Err(InvalidLifecycle::Order {
                member,
                action,
                class: class.name(),
                filter: filter.shown(),
                more,
                than: before.name(),
            });
        }
    }
    Ok(())
}

fn check_dates(
    dates: &mut [(StorageClass, DateTime<Utc>)],
    filter: &RuleFilter,
) -> Result<(), InvalidLifecycle> {
    dates.sort();
    for pair in dates.windows(2) {
        let [(before, earlier), (class, later)] = pair else { continue };
        if before == class {
            return Err(InvalidLifecycle::SameClass { action: TRANSITION, filter: filter.shown() });
        }
        if later <= earlier {
            return Err(InvalidLifecycle::Order {
                member: "Date",
                action: TRANSITION,
                class: class.name(),
                filter: filter.shown(),
                more: "greater",
                than: before.name(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;
