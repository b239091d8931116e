use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Candidate, LifecycleAction, Standing, What};
use crate::{
    StorageClass, Tags,
    lifecycle::{
        Calendar, Expiration, Lifecycle, LifecycleRule, NoncurrentExpiration, NoncurrentTransition,
        RuleFilter, Transition, TransitionMinimum, When,
    },
};

const LARGE: u64 = 1 << 20;

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
}

fn current(tags: &Tags, size: u64, class: StorageClass) -> Candidate<'_> {
    let what = What::Object { size, tags, class: Some(class) };
    Candidate { key: "logs/a", standing: Standing::Current, what, modified: day(0) }
}

fn due(rules: &[LifecycleRule], candidate: &Candidate<'_>, now: i64) -> Option<LifecycleAction> {
    let lifecycle = Lifecycle { rules: rules.to_vec(), minimum: TransitionMinimum::default() };
    lifecycle.due(Calendar::default(), candidate, day(now)).map(|(action, _)| action)
}

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule::new("one", RuleFilter::prefix("logs/"));
    change(&mut rule);
    rule
}

fn three_moves() -> LifecycleRule {
    let moves =
        [(30, StorageClass::StandardIa), (90, StorageClass::Glacier), (365, StorageClass::DeepArchive)];
    rule(|rule| {
        rule.transitions = moves.map(|(days, class)| Transition { when: When::Days(days), class }).to_vec();
    })
}

#[test]
fn objects_go_down_as_time_passes() {
    let tags = Tags::new();
    let rules = [three_moves()];
    let standard = current(&tags, LARGE, StorageClass::Standard);
    assert_eq!(due(&rules, &standard, 29), None);
    assert_eq!(due(&rules, &standard, 30), Some(LifecycleAction::Transition(StorageClass::StandardIa)));
    assert_eq!(due(&rules, &standard, 100), Some(LifecycleAction::Transition(StorageClass::Glacier)));
    let moved = current(&tags, LARGE, StorageClass::StandardIa);
    assert_eq!(due(&rules, &moved, 89), None);
    assert_eq!(due(&rules, &current(&tags, LARGE, StorageClass::DeepArchive), 1000), None);
}

#[test]
fn small_objects_stay_unless_a_rule_speaks_of_sizes() {
    let tags = Tags::new();
    let small = current(&tags, 1000, StorageClass::Standard);
    assert_eq!(due(&[three_moves()], &small, 1000), None);
    let mut sized = three_moves();
    sized.filter.larger_than = Some(500);
    assert_eq!(due(&[sized], &small, 1000), Some(LifecycleAction::Transition(StorageClass::DeepArchive)));
    let varies = Lifecycle { rules: vec![three_moves()], minimum: TransitionMinimum::VariesByStorageClass };
    let at = |now| varies.due(Calendar::default(), &small, day(now)).map(|(action, _)| action);
    assert_eq!(at(40), None);
    assert_eq!(at(90), Some(LifecycleAction::Transition(StorageClass::Glacier)));
}

#[test]
fn removal_comes_before_moving() {
    let tags = Tags::new();
    let expires = rule(|rule| rule.expiration = Some(Expiration::At(When::Days(40))));
    let rules = [three_moves(), expires];
    assert_eq!(
        due(&rules, &current(&tags, LARGE, StorageClass::Standard), 40),
        Some(LifecycleAction::Expire)
    );
}

#[test]
fn a_marker_goes_only_when_it_hides_nothing() {
    let marker = |standing| Candidate { key: "logs/a", standing, what: What::Marker, modified: day(0) };
    let lone = rule(|rule| rule.expiration = Some(Expiration::LoneMarkers(true)));
    assert_eq!(due(std::slice::from_ref(&lone), &marker(Standing::Current), 100), None);
    assert_eq!(due(&[lone], &marker(Standing::Alone), 0), Some(LifecycleAction::RemoveMarker));
    let days = rule(|rule| rule.expiration = Some(Expiration::At(When::Days(5))));
    assert_eq!(due(std::slice::from_ref(&days), &marker(Standing::Alone), 4), None);
    assert_eq!(due(&[days], &marker(Standing::Alone), 5), Some(LifecycleAction::RemoveMarker));
}

/// What the user guide says, written down as directly as can be.
fn naive(rules: &[LifecycleRule], candidate: &Candidate<'_>, now: i64) -> Option<LifecycleAction> {
    let What::Object { size, tags, class: Some(class) } = candidate.what else { return None };
    let age = |from: DateTime<Utc>| (day(now) - from).num_days();
    let mut moves = Vec::new();
    for rule in rules {
        let about = rule.enabled
            && candidate.key.starts_with("logs/")
            && rule.filter.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
            && rule.filter.larger_than.is_none_or(|limit| size as i64 > limit)
            && rule.filter.smaller_than.is_none_or(|limit| (size as i64) < limit);
        if !about {
            continue;
        }
        let sized = rule.filter.larger_than.is_some() || rule.filter.smaller_than.is_some();
        let may = |next: StorageClass| next > class && (sized || size >= 131_072);
        match candidate.standing {
            Standing::Noncurrent { since, newer } => {
                if let Some(NoncurrentExpiration { days, keep }) = rule.noncurrent_expiration
                    && age(since) >= i64::from(days)
                    && newer >= keep.unwrap_or(0)
                {
                    return Some(LifecycleAction::RemoveNoncurrent);
                }
                for NoncurrentTransition { days, keep, class } in &rule.noncurrent_transitions {
                    if age(since) >= i64::from(*days) && newer >= keep.unwrap_or(0) && may(*class) {
                        moves.push(*class);
                    }
                }
            }
            _ => {
                if let Some(Expiration::At(When::Days(days))) = rule.expiration
                    && age(candidate.modified) >= i64::from(days)
                {
                    return Some(LifecycleAction::Expire);
                }
                for Transition { when, class } in &rule.transitions {
                    let When::Days(days) = when else { continue };
                    if age(candidate.modified) >= i64::from(*days) && may(*class) {
                        moves.push(*class);
                    }
                }
            }
        }
    }
    // A removal was returned above, whichever rule it is of; only then do moves count.
    moves.into_iter().max().map(LifecycleAction::Transition)
}

fn classes() -> impl Strategy<Value = StorageClass> {
    proptest::sample::select(vec![
        StorageClass::StandardIa,
        StorageClass::IntelligentTiering,
        StorageClass::GlacierIr,
        StorageClass::Glacier,
        StorageClass::DeepArchive,
    ])
}

prop_compose! {
    fn rules()(
        enabled in proptest::bool::weighted(0.8),
        tagged in any::<bool>(),
        larger in proptest::option::of(0_i64..300_000),
        expires in proptest::option::of(1..60_i32),
        keep in proptest::option::of(1..4_i32),
        noncurrent in proptest::option::of(1..60_i32),
        moves in proptest::collection::vec((0..60_i32, classes()), 0..3),
        noncurrent_moves in proptest::collection::vec((0..60_i32, classes()), 0..3),
    ) -> LifecycleRule {
        rule(|rule| {
            rule.enabled = enabled;
            if tagged {
                rule.filter.tags.insert("team".to_owned(), "blue".to_owned());
            }
            rule.filter.larger_than = larger;
            rule.expiration = expires.map(|days| Expiration::At(When::Days(days)));
            rule.noncurrent_expiration = noncurrent.map(|days| NoncurrentExpiration { days, keep });
            rule.transitions =
                moves.into_iter().map(|(days, class)| Transition { when: When::Days(days), class }).collect();
            rule.noncurrent_transitions = noncurrent_moves
                .into_iter()
                .map(|(days, class)| NoncurrentTransition { days, keep, class })
                .collect();
        })
    }
}

proptest! {
    #[test]
    fn rules_mean_what_the_user_guide_says(
        rules in proptest::collection::vec(rules(), 1..4),
        blue in any::<bool>(),
        size in 0_u64..400_000,
        since in proptest::option::of(0_i64..40),
        newer in 0..5_i32,
        class in classes(),
        now in 0_i64..80,
    ) {
        let mut tags = Tags::new();
        if blue {
            tags.insert("team".to_owned(), "blue".to_owned());
        }
        let mut candidate = current(&tags, size, class);
        if let Some(since) = since {
            candidate.standing = Standing::Noncurrent { since: day(since), newer };
        }
        prop_assert_eq!(due(&rules, &candidate, now), naive(&rules, &candidate, now));
    }
}
