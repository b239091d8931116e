//! What policies say of requests of which not all is known: the answers behind `who-can`.

use opentrail_policy::{
    Context, Effect, Grant, Identity, Policies, Policy, PolicyKind, PolicySource, Possibility, PrincipalRef,
    Question, Request, decide, possible,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const USER: PrincipalRef<'static> = PrincipalRef::User {
    arn: "arn:aws:iam::111122223333:user/alice",
    account: ACCOUNT,
    id: "AIDAALICEALICEALICEAL",
};
const ANY_SESSION: PrincipalRef<'static> = PrincipalRef::AssumedRole {
    role_arn: "arn:aws:iam::111122223333:role/audit",
    session_arn: "arn:aws:sts::111122223333:assumed-role/audit/*",
    account: ACCOUNT,
    role_id: "AROAAUDITAUDITAUDITAU",
};
const DELETE: &str = "s3:DeleteObjectVersion";
const LOGS: &str = "arn:aws:s3:::logs/*";

fn policy(kind: PolicyKind, statement: Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Policy::parse(&text, kind).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn question<'a>(principal: Option<PrincipalRef<'a>>, context: &'a Context) -> Question<'a> {
    Question { action: DELETE, resource: LOGS, principal, bounded: false, context, known: &["aws:username"] }
}

/// Each statement that may apply: its effect, how directly it names the principal, what it needs.
fn explained(policy: &Policy, question: &Question<'_>) -> Vec<(Effect, Option<Grant>, Vec<String>)> {
    let explained = policy.explain(question).into_iter();
    let shown = explained.map(|found| {
        let needs = found.needs.iter().map(ToString::to_string).collect();
        (found.statement.effect(), found.grant, needs)
    });
    shown.collect()
}

#[test]
fn a_statement_says_what_it_needs() {
    let context = Context::new().with("aws:username", "alice");
    let asked = question(Some(USER), &context);
    let whole = Some(Grant::Principal);
    let policy = policy(
        PolicyKind::Identity,
        json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::logs/${aws:username}/*"},
            {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*",
             "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}}},
            {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": "bob"}}},
            {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::logs/tmp/*"},
            {"Effect": "Deny", "NotAction": "iam:*", "Resource": "arn:aws:s3:::other/*"},
        ]),
    );
    let expected: [(Effect, Option<Grant>, &[&str]); 4] = [
        (Effect::Allow, whole, &[]),
        (Effect::Allow, whole, &["resource arn:aws:s3:::logs/${aws:username}/*"]),
        (Effect::Allow, whole, &["IpAddress aws:SourceIp 10.0.0.0/8 or 192.0.2.1"]),
        (Effect::Deny, whole, &["resource not arn:aws:s3:::logs/tmp/*"]),
    ];
    let expected = expected.map(|(effect, grant, needs)| {
        (effect, grant, needs.iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    assert_eq!(explained(&policy, &asked), expected);
}

#[test]
fn a_bucket_policy_names_whom_it_means() {
    let policy = policy(
        PolicyKind::Resource,
        json!([
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/audit"}, "Action": "*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/audit/eve"}, "Action": "*",
             "Resource": "*"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:role/audit", ACCOUNT,
             "arn:aws:sts::111122223333:assumed-role/audit/bob"]}, "Action": "*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "*", "Resource": "*"},
        ]),
    );
    let context = Context::new();
    let of_role = explained(&policy, &question(Some(ANY_SESSION), &context));
    let needs = |text: &str| vec![text.to_owned()];
    let expected = vec![
        (Effect::Allow, Some(Grant::Role), vec![]),
        (
            Effect::Allow,
            Some(Grant::Principal),
            needs("session arn:aws:sts::111122223333:assumed-role/audit/eve"),
        ),
        (
            Effect::Deny,
            Some(Grant::Principal),
            needs("session not arn:aws:sts::111122223333:assumed-role/audit/bob"),
        ),
    ];
    assert_eq!(of_role, expected);
    // Without a principal, all that are named.
    let anyone = policy.explain(&question(None, &context));
    assert_eq!(anyone.iter().map(|found| found.statement.index()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(anyone[3].statement.principals().collect::<Vec<_>>(), ["cloudtrail.amazonaws.com"]);
    assert!(anyone[2].statement.negates_principals());
}

#[test]
fn policies_together_allow_always_sometimes_or_never() {
    let all = policy(PolicyKind::Identity, json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    let with_mfa = policy(
        PolicyKind::Identity,
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
    );
    let no_deleting =
        policy(PolicyKind::Identity, json!({"Effect": "Deny", "Action": "s3:Delete*", "Resource": LOGS}));
    let reading =
        policy(PolicyKind::Identity, json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}));
    let context = Context::new();
    let asked = question(Some(USER), &context);
    let may = |identity: &[&Policy], boundary: Option<&Policy>| {
        let policies = Policies {
            identity: Identity::Policies(identity),
            boundary,
            same_account: true,
            ..Policies::default()
        };
        possible(&asked, &policies)
    };
    assert_eq!(may(&[&all], None), Possibility::Always);
    assert_eq!(may(&[&with_mfa], None), Possibility::Sometimes);
    assert_eq!(may(&[&all], Some(&with_mfa)), Possibility::Sometimes);
    assert!(matches!(
        may(&[&all, &no_deleting], None),
        Possibility::Never(decision) if decision.source() == Some(PolicySource::Identity)
    ));
    assert!(matches!(
        may(&[&all], Some(&reading)),
        Possibility::Never(decision) if decision.source() == Some(PolicySource::Boundary)
    ));
}

/// Statements over a few actions, resources and conditions.
fn statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    let action = prop::sample::select(vec!["*", "s3:Delete*", "s3:Get*"]);
    let resource = prop::sample::select(vec![
        "*",
        LOGS,
        "arn:aws:s3:::logs/a*",
        "arn:aws:s3:::logs/${k}",
        "arn:aws:s3:::x/*",
    ]);
    let condition = prop::sample::select(vec![
        json!({}),
        json!({"StringEquals": {"k": "a"}}),
        json!({"StringNotEquals": {"k": "a"}}),
        json!({"Null": {"k": "true"}}),
        json!({"StringLikeIfExists": {"j": "${k}"}}),
    ]);
    (effect, action, any::<bool>(), resource, condition).prop_map(
        |(effect, action, negated, resource, condition)| {
            let element = if negated { "NotResource" } else { "Resource" };
            json!({"Effect": effect, "Action": action, element: resource, "Condition": condition})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is always possible is allowed in every request, and what never is in none.
    #[test]
    fn certain_answers_hold_for_every_request(
        identity in prop::collection::vec(statement(), 1..4),
        boundary in prop::option::of(prop::collection::vec(statement(), 1..3)),
        key in prop::sample::select(vec!["a", "ab", "b"]),
        k in prop::option::of(prop::sample::select(vec!["a", "ab", "b"])),
        j in prop::option::of(prop::sample::select(vec!["a", "b"])),
    ) {
        let identity = policy(PolicyKind::Identity, Value::Array(identity));
        let boundary = boundary.map(|statements| policy(PolicyKind::Identity, Value::Array(statements)));
        let attached = [&identity];
        let policies = Policies {
            identity: Identity::Policies(&attached),
            boundary: boundary.as_ref(),
            same_account: true,
            ..Policies::default()
        };
        let nothing = Context::new();
        let answer = possible(&question(Some(USER), &nothing), &policies);
        let mut context = Context::new();
        for (name, value) in [("k", k), ("j", j)] {
            if let Some(value) = value {
                context.set(name, value);
            }
        }
        let resource = format!("arn:aws:s3:::logs/{key}");
        let request = Request { action: DELETE, resource: &resource, principal: USER, context: &context };
        let allowed = decide(&request, &policies).is_allow();
        match answer {
            Possibility::Always => prop_assert!(allowed),
            Possibility::Never(_) => prop_assert!(!allowed),
            Possibility::Sometimes => {}
        }
    }
}
