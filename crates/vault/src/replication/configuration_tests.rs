use super::{Replication, ReplicationRule};
use crate::{
    lifecycle::{FilterForm, RuleFilter},
    limits::MAX_REPLICATION_RULES,
    replication::InvalidReplication as Invalid,
};

fn rule(id: usize) -> ReplicationRule {
    let priority = Some(i32::try_from(id).expect("few rules"));
    ReplicationRule {
        priority,
        ..ReplicationRule::new(format!("rule {id}"), RuleFilter::prefix(""), "copies")
    }
}

fn legacy(id: &str, prefix: &str) -> ReplicationRule {
    let filter = RuleFilter { form: FilterForm::Legacy, ..RuleFilter::prefix(prefix) };
    ReplicationRule { priority: None, delete_markers: None, ..ReplicationRule::new(id, filter, "copies") }
}

fn check(rules: Vec<ReplicationRule>) -> Result<(), Invalid> {
    Replication { role: "arn:aws:iam::123456789012:role/copies".to_owned(), rules }.check()
}

#[test]
fn a_thousand_rules_are_taken_and_no_more() {
    assert_eq!(check((0..MAX_REPLICATION_RULES).map(rule).collect()), Ok(()));
    assert_eq!(check((0..=MAX_REPLICATION_RULES).map(rule).collect()), Err(Invalid::TooManyRules));
    assert_eq!(check(Vec::new()), Err(Invalid::Malformed));
}

#[test]
fn rules_with_filters_have_all_that_they_need() {
    let tagged = RuleFilter {
        prefix: None,
        tags: [("team".to_owned(), "blue".to_owned())].into(),
        ..RuleFilter::prefix("")
    };
    let key = Some("key".to_owned());
    let mut with_key = rule(1);
    with_key.destination.kms_key = key;
    let mut overrides = rule(1);
    overrides.destination.owner_override = true;
    for (rule, expected) in [
        (ReplicationRule { priority: None, ..rule(1) }, Err(Invalid::Missing { member: "Priority" })),
        (
            ReplicationRule { delete_markers: None, ..rule(1) },
            Err(Invalid::Missing { member: "DeleteMarkerReplication" }),
        ),
        (ReplicationRule { filter: tagged.clone(), ..rule(1) }, Err(Invalid::MarkersWithTags)),
        (ReplicationRule { filter: tagged, delete_markers: Some(false), ..rule(1) }, Ok(())),
        (ReplicationRule { kms_objects: Some(true), ..rule(1) }, Err(Invalid::MissingKey)),
        (ReplicationRule { kms_objects: Some(true), ..with_key.clone() }, Ok(())),
        (with_key, Err(Invalid::KeyWithoutObjects)),
        (overrides, Err(Invalid::MissingAccount)),
        (ReplicationRule { id: "x".repeat(256), ..rule(1) }, Err(Invalid::LongId)),
    ] {
        assert_eq!(check(vec![rule.clone()]), expected, "{rule:?}");
    }
    assert_eq!(check(vec![rule(1), rule(1)]), Err(Invalid::SameId));
    let same = ReplicationRule { id: "other".to_owned(), ..rule(1) };
    assert_eq!(check(vec![rule(1), same]), Err(Invalid::SamePriority(1)));
}

#[test]
fn rules_with_prefixes_do_not_meet_and_have_one_destination() {
    assert_eq!(check(vec![legacy("a", "logs/"), legacy("b", "data/")]), Ok(()));
    let (first, second) = ("logs/".to_owned(), "logs/2026/".to_owned());
    let overlap = Err(Invalid::OverlappingPrefixes { first, second });
    assert_eq!(check(vec![legacy("a", "logs/2026/"), legacy("b", "logs/")]), overlap);
    let mut elsewhere = legacy("b", "data/");
    elsewhere.destination.bucket = "others".to_owned();
    assert_eq!(check(vec![legacy("a", "logs/"), elsewhere]), Err(Invalid::SeveralDestinations));
    assert_eq!(check(vec![legacy("a", "logs/"), rule(1)]), Err(Invalid::MixedForms));
    let with_priority = ReplicationRule { priority: Some(1), ..legacy("a", "") };
    assert_eq!(check(vec![with_priority]), Err(Invalid::NotInThisForm { member: "Priority" }));
}
