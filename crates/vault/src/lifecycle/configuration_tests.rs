use chrono::{DateTime, Utc};

use super::{Lifecycle, TransitionMinimum};
use crate::{
    StorageClass::{DeepArchive, Glacier, GlacierIr, OneZoneIa, StandardIa},
    lifecycle::{
        Expiration, FilterForm, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, RuleFilter,
        Transition, When,
    },
};

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule::new("one", RuleFilter::prefix("logs/"));
    change(&mut rule);
    rule
}

fn code(rules: Vec<LifecycleRule>) -> &'static str {
    let checked = Lifecycle { rules, minimum: TransitionMinimum::default() }.check();
    checked.map_or_else(|invalid| invalid.code(), |()| "taken")
}

fn message(rule: LifecycleRule) -> String {
    let checked = Lifecycle { rules: vec![rule], minimum: TransitionMinimum::default() }.check();
    checked.map_or_else(|invalid| invalid.to_string(), |()| "taken".to_owned())
}

fn expires(days: i32) -> LifecycleRule {
    rule(|rule| rule.expiration = Some(Expiration::At(When::Days(days))))
}

fn moves(transitions: &[(i32, crate::StorageClass)]) -> LifecycleRule {
    let transitions =
        transitions.iter().map(|(days, class)| Transition { when: When::Days(*days), class: *class });
    rule(|rule| rule.transitions = transitions.collect())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[test]
fn the_configurations_of_the_log_buckets_are_taken() {
    // Infrequent access after 30 days, Glacier after 90, Deep Archive after 365, previous versions 90 days.
    let mut archive = moves(&[(30, StandardIa), (90, Glacier), (365, DeepArchive)]);
    archive.noncurrent_expiration = Some(NoncurrentExpiration { days: 90, keep: None });
    assert_eq!(code(vec![archive]), "taken");
    // Infrequent access after 30 days, deleted after 365.
    let mut year = moves(&[(30, StandardIa)]);
    year.expiration = Some(Expiration::At(When::Days(365)));
    assert_eq!(code(vec![year]), "taken");
}

#[test]
fn ids_are_unique_and_short() {
    assert_eq!(code(vec![expires(1), expires(2)]), "InvalidArgument");
    let mut long = expires(1);
    long.id = "x".repeat(256);
    assert_eq!(message(long.clone()), "ID length should not exceed allowed limit of 255");
    long.id.pop();
    assert_eq!(code(vec![long]), "taken");
    assert_eq!(code(Vec::new()), "MalformedXML");
}

#[test]
fn days_are_positive_and_dates_are_midnights() {
    assert_eq!(message(expires(0)), "'Days' for Expiration action must be a positive integer");
    assert_eq!(code(vec![moves(&[(0, Glacier)])]), "taken");
    assert_eq!(message(moves(&[(-1, Glacier)])), "'Days' for Transition action must be nonnegative");
    let on = |date| rule(|rule| rule.expiration = Some(Expiration::At(When::Date(at(date)))));
    assert_eq!(code(vec![on("2030-01-01T00:00:00Z")]), "taken");
    assert_eq!(message(on("2030-01-01T10:00:00Z")), "'Date' must be at midnight GMT");
    let aborts = |days| rule(|rule| rule.abort_uploads_after = Some(days));
    assert_eq!(code(vec![aborts(0)]), "InvalidArgument");
    assert_eq!(code(vec![aborts(7)]), "taken");
}

#[test]
fn infrequent_access_has_a_minimum_age_and_stay() {
    assert_eq!(
        message(moves(&[(29, StandardIa)])),
        "'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'"
    );
    assert_eq!(code(vec![moves(&[(29, OneZoneIa)])]), "InvalidArgument");
    assert_eq!(code(vec![moves(&[(0, GlacierIr)])]), "taken");
    assert_eq!(
        message(moves(&[(30, StandardIa), (59, Glacier)])),
        "'Days' in the 'Transition' action for StorageClass 'GLACIER' for filter '(prefix=logs/)' must be 30 days more than 'Days' in the 'Transition' action for StorageClass 'STANDARD_IA'"
    );
    assert_eq!(code(vec![moves(&[(60, Glacier), (30, StandardIa)])]), "taken");
}

#[test]
fn transitions_go_down_the_waterfall_each_class_once() {
    assert_eq!(code(vec![moves(&[(30, DeepArchive), (60, Glacier)])]), "InvalidArgument");
    assert_eq!(code(vec![moves(&[(60, Glacier), (60, DeepArchive)])]), "InvalidArgument");
    assert_eq!(code(vec![moves(&[(60, Glacier), (90, Glacier)])]), "InvalidRequest");
}

#[test]
fn expiration_comes_after_all_transitions() {
    let mut early = moves(&[(30, StandardIa), (60, Glacier)]);
    early.expiration = Some(Expiration::At(When::Days(60)));
    assert_eq!(
        message(early.clone()),
        "'Days' in the Expiration action for filter '(prefix=logs/)' must be greater than 'Days' in the Transition action"
    );
    early.expiration = Some(Expiration::At(When::Days(61)));
    assert_eq!(code(vec![early.clone()]), "taken");
    early.expiration = Some(Expiration::At(When::Date(at("2030-01-01T00:00:00Z"))));
    assert_eq!(code(vec![early]), "InvalidRequest");
}

#[test]
fn noncurrent_versions_have_the_same_rules() {
    let noncurrent = |days, keep, expires: Option<i32>| {
        rule(|rule| {
            rule.noncurrent_transitions = vec![NoncurrentTransition { days, keep, class: StandardIa }];
            rule.noncurrent_expiration = expires.map(|days| NoncurrentExpiration { days, keep });
        })
    };
    assert_eq!(code(vec![noncurrent(30, None, Some(31))]), "taken");
    assert_eq!(code(vec![noncurrent(29, None, None)]), "InvalidArgument");
    assert_eq!(code(vec![noncurrent(30, None, Some(30))]), "InvalidArgument");
    assert_eq!(code(vec![noncurrent(30, Some(100), None)]), "taken");
    assert_eq!(code(vec![noncurrent(30, Some(0), None)]), "InvalidArgument");
    assert_eq!(code(vec![noncurrent(30, Some(101), None)]), "InvalidArgument");
}

#[test]
fn a_rule_does_something_to_something_it_can_tell() {
    assert_eq!(message(rule(|_| ())), "At least one action needs to be specified in a rule");
    let tagged = |change: fn(&mut LifecycleRule)| {
        rule(|rule| {
            rule.filter.tags.insert("team".to_owned(), "blue".to_owned());
            change(rule);
        })
    };
    assert_eq!(
        message(tagged(|rule| rule.abort_uploads_after = Some(1))),
        "AbortIncompleteMultipartUpload cannot be specified with Tags."
    );
    assert_eq!(
        code(vec![tagged(|rule| rule.expiration = Some(Expiration::LoneMarkers(true)))]),
        "InvalidRequest"
    );
    assert_eq!(code(vec![tagged(|rule| rule.expiration = Some(Expiration::At(When::Days(1))))]), "taken");
    let sized = |larger, smaller| {
        let mut rule = expires(1);
        (rule.filter.larger_than, rule.filter.smaller_than) = (larger, smaller);
        code(vec![rule])
    };
    assert_eq!(sized(Some(10), Some(20)), "taken");
    assert_eq!(sized(Some(20), Some(20)), "InvalidRequest");
    assert_eq!(sized(None, Some(0)), "InvalidRequest");
    assert_eq!(sized(Some(-1), None), "InvalidRequest");
}

#[test]
fn both_forms_of_filters_do_not_mix() {
    let mut legacy = expires(1);
    legacy.filter.form = FilterForm::Legacy;
    let mut other = expires(1);
    other.id = "two".to_owned();
    assert_eq!(code(vec![legacy.clone()]), "taken");
    assert_eq!(code(vec![legacy, other]), "InvalidRequest");
}
