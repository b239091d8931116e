//! What a bucket's rules mean for one version.

use chrono::{DateTime, Utc};

use super::{
    Calendar, Lifecycle,
    rule::{Expiration, LifecycleRule, When},
};
use crate::{StorageClass, Tags, object::ObjectMeta};

/// What a rule does with a version or an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleAction {
    /// The current version is deleted, as the bucket's versioning says.
    Expire,
    /// A delete marker that hides nothing is removed.
    RemoveMarker,
    /// A noncurrent version is removed for good.
    RemoveNoncurrent,
    /// The version moves to this class.
    Transition(StorageClass),
    /// The upload is given up.
    AbortUpload,
}

/// When an object expires, and by which rule (`x-amz-expiration`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// From when on.
    pub at: DateTime<Utc>,
    /// The rule's id.
    pub rule_id: String,
}

/// What rules look at in a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) key: &'a str,
    pub(super) standing: Standing,
    pub(super) what: What<'a>,
    pub(super) modified: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// The key's only version.
    Alone,
    Noncurrent {
        since: DateTime<Utc>,
        /// How many noncurrent versions of the key are newer.
        newer: i32,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    Object { size: u64, tags: &'a Tags, class: Option<StorageClass> },
    Marker,
}

impl When {
    fn at(self, calendar: Calendar, from: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Days(days) => calendar.after(from, days),
            Self::Date(date) => date,
        }
    }
}

impl LifecycleRule {
    fn is_about(&self, candidate: &Candidate<'_>) -> bool {
        self.enabled
            && match candidate.what {
                What::Object { size, tags, .. } => self.filter.meets(candidate.key, size, tags),
                What::Marker => self.filter.meets_bare(candidate.key),
            }
    }

    /// Whether it removes the version at this time, and how.
    fn removal(
        &self,
        calendar: Calendar,
        candidate: &Candidate<'_>,
        now: DateTime<Utc>,
    ) -> Option<LifecycleAction> {
        let is_due = |when: When| when.at(calendar, candidate.modified) <= now;
        match (candidate.standing, candidate.what) {
            (Standing::Noncurrent { since, newer }, _) => {
                let rule = self.noncurrent_expiration?;
                let due = calendar.after(since, rule.days) <= now && newer >= rule.keep.unwrap_or(0);
                due.then_some(LifecycleAction::RemoveNoncurrent)
            }
            (_, What::Object { .. }) => match self.expiration? {
                Expiration::At(when) if is_due(when) => Some(LifecycleAction::Expire),
                _ => None,
            },
            (Standing::Alone, What::Marker) => match self.expiration? {
                Expiration::LoneMarkers(true) => Some(LifecycleAction::RemoveMarker),
                Expiration::At(when) if is_due(when) => Some(LifecycleAction::RemoveMarker),
                _ => None,
            },
            (Standing::Current, What::Marker) => None,
        }
    }

    /// The coldest class that it moves the version to at this time.
    fn move_to(
        &self,
        calendar: Calendar,
        candidate: &Candidate<'_>,
        now: DateTime<Utc>,
        may: impl Fn(StorageClass) -> bool,
    ) -> Option<StorageClass> {
        match candidate.standing {
            Standing::Noncurrent { since, newer } => {
                let due = self.noncurrent_transitions.iter().filter(|transition| {
                    calendar.after(since, transition.days) <= now && newer >= transition.keep.unwrap_or(0)
                });
                due.map(|transition| transition.class).filter(|class| may(*class)).max()
            }
            Standing::Current | Standing::Alone => {
                let due = self
                    .transitions
                    .iter()
                    .filter(|transition| transition.when.at(calendar, candidate.modified) <= now);
                due.map(|transition| transition.class).filter(|class| may(*class)).max()
            }
        }
    }
}

impl Lifecycle {
    /// What is due for a version, and by which rule. Removal comes before moving, and the coldest class wins
    /// (S3 user guide, "Lifecycle configuration conflicts").
    pub(super) fn due(
        &self,
        calendar: Calendar,
        candidate: &Candidate<'_>,
        now: DateTime<Utc>,
    ) -> Option<(LifecycleAction, &LifecycleRule)> {
        let rules = || self.rules.iter().filter(|rule| rule.is_about(candidate));
        let removal = rules().find_map(|rule| Some((rule.removal(calendar, candidate, now)?, rule)));
        if removal.is_some() {
            return removal;
        }
        let What::Object { size, class: Some(class), .. } = candidate.what else { return None };
        let moves = rules().filter_map(|rule| {
            let may = |next: StorageClass| {
                class.may_become(next) && (rule.filter.has_size() || self.minimum.allows(size, next))
            };
            Some((rule.move_to(calendar, candidate, now, may)?, rule))
        });
        // Of equals, the first rule.
        let coldest = moves.reduce(|best, next| if next.0 > best.0 { next } else { best });
        coldest.map(|(class, rule)| (LifecycleAction::Transition(class), rule))
    }

    /// The rule that gives up an upload at this time.
    pub(super) fn aborts(
        &self,
        calendar: Calendar,
        key: &str,
        initiated: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<&LifecycleRule> {
        let (_, rule) = self.upload_end(calendar, key, initiated)?;
        self.upload_end(calendar, key, initiated).filter(|(at, _)| *at <= now).map(|_| rule)
    }

    fn upload_end(
        &self,
        calendar: Calendar,
        key: &str,
        initiated: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, &LifecycleRule)> {
        let rules = self.rules.iter().filter(|rule| rule.enabled && rule.filter.meets_bare(key));
        let ends =
            rules.filter_map(|rule| Some((calendar.after(initiated, rule.abort_uploads_after?), rule)));
        ends.min_by_key(|(at, _)| *at)
    }

    /// When an upload of this key will be given up, and by which rule (`x-amz-abort-date`).
    pub fn upload_expiry(&self, calendar: Calendar, key: &str, initiated: DateTime<Utc>) -> Option<Expiry> {
        let (at, rule) = self.upload_end(calendar, key, initiated)?;
        Some(Expiry { at, rule_id: rule.id.clone() })
    }

    /// When the current version of this key expires, and by which rule: the earliest that is about it.
    pub fn expiry(&self, calendar: Calendar, key: &str, meta: &ObjectMeta) -> Option<Expiry> {
        let about = self
            .rules
            .iter()
            .filter(|rule| rule.enabled && rule.filter.meets(key, meta.size, &meta.object.tags));
        let ends = about.filter_map(|rule| match rule.expiration? {
            Expiration::At(when) => Some((when.at(calendar, meta.last_modified), rule)),
            Expiration::LoneMarkers(_) => None,
        });
        let (at, rule) = ends.min_by_key(|(at, _)| *at)?;
        Some(Expiry { at, rule_id: rule.id.clone() })
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
