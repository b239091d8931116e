//! What the IAM User Guide documents, as tables: condition operators, variables, matching of actions and
//! resources, principals. Combining policies is in `evaluation_logic.rs`.

use opentrail_policy::{Context, Grant, Match, Policy, PolicyKind, PrincipalRef, Request};
use serde_json::{Value, json};

const ANYONE: PrincipalRef<'static> = PrincipalRef::User {
    arn: "arn:aws:iam::111122223333:user/anyone",
    account: "111122223333",
    id: "AIDAANYONEANYONEANYON",
};

fn identity_policy(statement: Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Policy::parse(&text, PolicyKind::Identity).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn allows(policy: &Policy, action: &str, resource: &str, context: &Context) -> bool {
    matches!(policy.evaluate(&Request { action, resource, principal: ANYONE, context }), Match::Allow { .. })
}

/// The values of the key `k` in a request.
#[derive(Debug)]
enum Key {
    Missing,
    One(&'static str),
    Many(&'static [&'static str]),
}
use Key::{Many, Missing, One};

#[test]
fn condition_operators() {
    let arn = "arn:aws:sns:us-east-1:111122223333:topic";
    let (later, earlier) = (One("2020-06-01T00:00:00Z"), One("2019-06-01T00:00:00Z"));
    let subnets = json!(["203.0.113.0/24", "2001:DB8:1234:5678::/64"]);
    let tags = json!(["environment", "cost-center"]);
    let cases: Vec<(&str, Value, Key, bool)> = vec![
        // String
        ("StringEquals", json!("iamuser-admin"), One("iamuser-admin"), true),
        ("StringEquals", json!("iamuser-admin"), One("IamUser-Admin"), false),
        ("StringEquals", json!(["a", "b"]), One("b"), true),
        ("StringEquals", json!("a*"), One("ab"), false),
        ("StringEquals", json!("a*"), One("a*"), true),
        ("StringEquals", json!("a"), Missing, false),
        ("StringEquals", json!([]), One("a"), false),
        ("StringNotEquals", json!("a"), One("b"), true),
        ("StringNotEquals", json!(["a", "b"]), One("b"), false),
        ("StringNotEquals", json!(["a", "b"]), One("c"), true),
        ("StringNotEquals", json!("a"), Missing, true),
        ("StringEqualsIgnoreCase", json!("HTTPS"), One("https"), true),
        ("StringEqualsIgnoreCase", json!("https"), One("http"), false),
        ("StringNotEqualsIgnoreCase", json!("HTTPS"), One("https"), false),
        ("StringNotEqualsIgnoreCase", json!("https"), One("http"), true),
        ("StringLike", json!("home/*"), One("home/a/b"), true),
        ("StringLike", json!("home/?"), One("home/ab"), false),
        ("StringLike", json!("Home/*"), One("home/a"), false),
        ("StringLike", json!(["", "home/*"]), One(""), true),
        ("StringNotLike", json!("home/*"), One("home/a"), false),
        ("StringNotLike", json!(["home/*", "tmp/*"]), One("var/a"), true),
        ("StringNotLike", json!("home/*"), Missing, true),
        // Numeric
        ("NumericEquals", json!("10"), One("10.0"), true),
        ("NumericEquals", json!(10), One("11"), false),
        ("NumericNotEquals", json!([10, 11]), One("11"), false),
        ("NumericNotEquals", json!("10"), Missing, true),
        ("NumericLessThan", json!("10"), One("9"), true),
        ("NumericLessThan", json!("10"), One("10"), false),
        ("NumericLessThanEquals", json!("10"), One("10"), true),
        ("NumericLessThanEquals", json!("10"), One("1000"), false),
        ("NumericGreaterThan", json!("10"), One("10.5"), true),
        ("NumericGreaterThan", json!("10"), One("-11"), false),
        ("NumericGreaterThanEquals", json!("10"), One("10"), true),
        ("NumericGreaterThanEquals", json!("10"), One("not a number"), false),
        ("NumericLessThan", json!("10"), Missing, false),
        // Date
        ("DateGreaterThan", json!("2020-01-01T00:00:01Z"), later, true),
        ("DateGreaterThan", json!("2020-01-01T00:00:01Z"), earlier, false),
        ("DateLessThan", json!("2020-01-01"), One("2019-12-31T23:59:59Z"), true),
        ("DateLessThanEquals", json!("1577836800"), One("2020-01-01T00:00:00Z"), true),
        ("DateGreaterThanEquals", json!("2020-01-01T00:00:00Z"), One("1577836799"), false),
        ("DateEquals", json!("2020-01-01T01:00:00+01:00"), One("2020-01-01T00:00:00Z"), true),
        ("DateNotEquals", json!("2020-01-01T00:00:00Z"), One("2020-01-01T00:00:00Z"), false),
        ("DateNotEquals", json!("2020-01-01T00:00:00Z"), Missing, true),
        // Boolean, binary
        ("Bool", json!("false"), One("false"), true),
        ("Bool", json!(false), One("true"), false),
        ("Bool", json!("TRUE"), One("true"), true),
        ("Bool", json!("false"), Missing, false),
        ("BoolIfExists", json!("false"), Missing, true),
        ("BinaryEquals", json!("QmluYXJ5VmFsdWVJbkJhc2U2NA=="), One("QmluYXJ5VmFsdWVJbkJhc2U2NA=="), true),
        ("BinaryEquals", json!("QmluYXJ5VmFsdWVJbkJhc2U2NA=="), One("QmluYXJ5"), false),
        // Addresses
        ("IpAddress", subnets.clone(), One("203.0.113.77"), true),
        ("IpAddress", subnets.clone(), One("203.0.114.1"), false),
        ("IpAddress", subnets.clone(), One("2001:db8:1234:5678::1"), true),
        ("IpAddress", json!("203.0.113.5"), One("203.0.113.5"), true),
        ("IpAddress", subnets.clone(), Missing, false),
        ("NotIpAddress", subnets.clone(), One("203.0.113.77"), false),
        ("NotIpAddress", subnets.clone(), One("192.0.2.1"), true),
        ("NotIpAddress", subnets.clone(), Missing, true),
        ("NotIpAddress", subnets, One("AWS Internal"), true),
        // ARNs: each part on its own, Equals the same as Like
        ("ArnEquals", json!(arn), One(arn), true),
        ("ArnEquals", json!("arn:aws:sns:*:111122223333:*"), One(arn), true),
        ("ArnLike", json!("arn:aws:sns:us-east-?:111122223333:to*"), One(arn), true),
        ("ArnLike", json!("arn:aws:sns:*:topic"), One(arn), false),
        ("ArnLike", json!("arn:aws:*"), One(arn), false),
        ("ArnLike", json!("arn:*:*:*:*:*"), One("topic"), false),
        ("ArnLike", json!(arn), Missing, false),
        ("ArnNotEquals", json!(arn), One(arn), false),
        ("ArnNotLike", json!("arn:aws:sns:*:*:other"), One(arn), true),
        ("ArnNotLike", json!(arn), Missing, true),
        // Null
        ("Null", json!("true"), Missing, true),
        ("Null", json!("true"), One("x"), false),
        ("Null", json!(false), One("x"), true),
        ("Null", json!("false"), Missing, false),
        ("Null", json!("true"), Many(&[]), true),
        // …IfExists
        ("StringLikeIfExists", json!(["t1.*", "m3.*"]), One("t1.micro"), true),
        ("StringLikeIfExists", json!(["t1.*", "m3.*"]), One("c4.large"), false),
        ("StringLikeIfExists", json!(["t1.*", "m3.*"]), Missing, true),
        ("StringNotEqualsIfExists", json!("a"), Missing, true),
        ("NumericLessThanIfExists", json!("10"), Missing, true),
        // A multivalued key without a set operator: any value may match; negated, none may
        ("StringEquals", json!("a"), Many(&["b", "a"]), true),
        ("StringNotEquals", json!("a"), Many(&["b", "a"]), false),
        ("StringNotEquals", json!("a"), Many(&["b", "c"]), true),
        // ForAllValues: every value of the request is among the policy's; also when there are none
        ("ForAllValues:StringEquals", tags.clone(), Many(&["environment"]), true),
        ("ForAllValues:StringEquals", tags.clone(), Many(&["environment", "cost-center"]), true),
        ("ForAllValues:StringEquals", tags.clone(), Many(&["environment", "dept"]), false),
        ("ForAllValues:StringEquals", tags.clone(), Missing, true),
        ("ForAllValues:StringEquals", tags.clone(), Many(&[]), true),
        ("ForAllValues:StringNotEquals", tags.clone(), Many(&["dept", "environment"]), false),
        ("ForAllValues:StringNotEquals", tags.clone(), Many(&["dept", "team"]), true),
        ("ForAllValues:StringLike", json!("cost*"), Many(&["cost-center", "costs"]), true),
        // ForAnyValue: at least one value of the request is; never when there are none
        ("ForAnyValue:StringEquals", tags.clone(), Many(&["environment", "dept"]), true),
        ("ForAnyValue:StringEquals", tags.clone(), Many(&["dept"]), false),
        ("ForAnyValue:StringEquals", tags.clone(), Missing, false),
        ("ForAnyValue:StringEquals", tags.clone(), Many(&[]), false),
        ("ForAnyValue:StringEqualsIfExists", tags.clone(), Missing, true),
        ("ForAnyValue:StringNotEquals", tags.clone(), Many(&["environment", "dept"]), true),
        ("ForAnyValue:StringNotEquals", tags.clone(), Many(&["environment"]), false),
        ("ForAnyValue:StringNotEquals", tags, Missing, false),
        ("ForAnyValue:ArnLike", json!("arn:aws:sns:*:*:*"), Many(&["x", "arn:aws:sns:a:b:c"]), true),
        ("ForAnyValue:IpAddress", json!("10.0.0.0/8"), Many(&["192.0.2.1", "10.9.9.9"]), true),
    ];
    for (operator, values, key, expected) in cases {
        let policy = identity_policy(
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"k": values}}}),
        );
        let mut context = Context::new();
        match key {
            Missing => {}
            One(value) => {
                context.set("K", value);
            }
            Many(values) => {
                context.set_many("K", values.iter().copied());
            }
        }
        assert_eq!(allows(&policy, "a:b", "*", &context), expected, "{operator} {values} {key:?}");
    }
}

#[test]
fn every_operator_and_every_key_must_hold() {
    let policy = identity_policy(json!({
        "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:PrincipalTag/department": ["finance", "hr"], "aws:PrincipalTag/role": "audit"},
            "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        },
    }));
    let full = Context::new()
        .with("aws:PrincipalTag/department", "hr")
        .with("aws:PrincipalTag/role", "audit")
        .with("aws:SourceIp", "203.0.113.1");
    assert!(allows(&policy, "a:b", "*", &full));
    for key in ["aws:PrincipalTag/department", "aws:PrincipalTag/role", "aws:SourceIp"] {
        let mut less = full.clone();
        less.remove(key);
        assert!(!allows(&policy, "a:b", "*", &less), "{key}");
    }
}

/// Resource of the policy, keys of the context, resource of the request, whether it matches.
type VariableCase<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, bool);

#[test]
fn policy_variables() {
    let bob = [("aws:username", "bob")];
    let star = [("aws:username", "*")];
    let yellow = [("aws:PrincipalTag/team", "yellow")];
    let none: [(&str, &str); 0] = [];
    let cases: &[VariableCase<'_>] = &[
        ("arn:aws:s3:::b/${aws:username}/*", &bob, "arn:aws:s3:::b/bob/x", true),
        ("arn:aws:s3:::b/${AWS:UserName}/*", &bob, "arn:aws:s3:::b/bob/x", true),
        ("arn:aws:s3:::b/${aws:username}/*", &bob, "arn:aws:s3:::b/carol/x", false),
        ("arn:aws:s3:::b/${aws:username}/*", &star, "arn:aws:s3:::b/bob/x", false),
        ("arn:aws:s3:::b/${aws:username}/*", &star, "arn:aws:s3:::b/*/x", true),
        ("arn:aws:s3:::b/${aws:username}/*", &none, "arn:aws:s3:::b//x", false),
        ("arn:aws:s3:::b/${aws:username}/*", &none, "arn:aws:s3:::b/${aws:username}/x", false),
        ("arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}", &yellow, "arn:aws:s3:::b-yellow", true),
        (
            "arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}",
            &none,
            "arn:aws:s3:::b-company-wide",
            true,
        ),
        ("arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}", &none, "arn:aws:s3:::b-yellow", false),
        ("arn:aws:s3:::b-${aws:PrincipalTag/team, '*'}", &none, "arn:aws:s3:::b-yellow", false),
        ("arn:aws:s3:::b/${*}", &none, "arn:aws:s3:::b/*", true),
        ("arn:aws:s3:::b/${*}", &none, "arn:aws:s3:::b/x", false),
        ("arn:aws:s3:::b/${?}.txt", &none, "arn:aws:s3:::b/?.txt", true),
        ("arn:aws:s3:::b/${?}.txt", &none, "arn:aws:s3:::b/1.txt", false),
        ("arn:aws:s3:::b/${$}{x}", &none, "arn:aws:s3:::b/${x}", true),
    ];
    for (resource, keys, asked, expected) in cases {
        let policy = identity_policy(json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource}));
        let context = keys.iter().fold(Context::new(), |context, (key, value)| context.with(key, *value));
        assert_eq!(
            allows(&policy, "s3:GetObject", asked, &context),
            *expected,
            "{resource} {keys:?} {asked}"
        );
    }
}

#[test]
fn variables_in_conditions() {
    let condition = |condition: Value| {
        identity_policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}))
    };
    let context =
        Context::new().with("aws:username", "bo*").with("team", "bo*").with("limit", "5").with("size", "5");
    let holds = |policy: Value| allows(&condition(policy), "a:b", "*", &context);
    assert!(holds(json!({"StringEquals": {"team": "${aws:username}"}})));
    assert!(holds(json!({"StringLike": {"team": "${aws:username}"}})));
    assert!(holds(json!({"StringLike": {"team": "bo${*}"}})));
    assert!(holds(json!({"StringEquals": {"team": "bo${*}"}})));
    assert!(holds(json!({"NumericLessThanEquals": {"size": "${limit}"}})));
    assert!(!holds(json!({"NumericLessThan": {"size": "${limit}"}})));
    assert!(!holds(json!({"NumericEquals": {"size": "${aws:username}"}})));
    assert!(!holds(json!({"StringEquals": {"team": "${aws:userid}"}})));
    assert!(holds(json!({"StringNotEquals": {"team": "${aws:userid}"}})));
    assert!(!holds(json!({"StringLike": {"size": "${aws:username}"}})));
    let several = {
        let mut several = context.clone();
        several.set_many("aws:username", ["bo*"]);
        several
    };
    assert!(!allows(&condition(json!({"StringEquals": {"team": "${aws:username}"}})), "a:b", "*", &several));
}

#[test]
fn variables_are_text_in_the_old_version() {
    for version in [r#""Version": "2008-10-17","#, ""] {
        let text = format!(
            r#"{{{version} "Statement": {{"Effect": "Allow", "Action": "s3:*",
                "Resource": "arn:aws:s3:::b/${{aws:username}}"}}}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Identity).expect("a policy");
        let context = Context::new().with("aws:username", "bob");
        assert!(!allows(&policy, "s3:GetObject", "arn:aws:s3:::b/bob", &context));
        assert!(allows(&policy, "s3:GetObject", "arn:aws:s3:::b/${aws:username}", &context));
    }
}

#[test]
fn a_variable_without_value_never_widens_a_statement() {
    let not_mine = |effect: &str| {
        identity_policy(
            json!({"Effect": effect, "Action": "s3:*", "NotResource": "arn:aws:s3:::b/${aws:username}/*"}),
        )
    };
    let context = Context::new();
    let request = Request {
        action: "s3:GetObject",
        resource: "arn:aws:s3:::b/x",
        principal: ANYONE,
        context: &context,
    };
    assert_eq!(not_mine("Allow").evaluate(&request), Match::None);
    assert!(matches!(not_mine("Deny").evaluate(&request), Match::Deny { .. }));
}

#[test]
fn actions_and_resources() {
    let object = "arn:aws:s3:::bucket/a/b.txt";
    // The statement's elements, action and resource of the request, whether it applies.
    let cases: &[(Value, &str, &str, bool)] = &[
        (json!({"Action": "s3:GetObject", "Resource": "*"}), "s3:GetObject", object, true),
        (json!({"Action": "S3:getobject", "Resource": "*"}), "s3:GetObject", object, true),
        (json!({"Action": "s3:Get*", "Resource": "*"}), "s3:GetObjectAcl", object, true),
        (json!({"Action": "s3:Get*", "Resource": "*"}), "s3:PutObject", object, false),
        (json!({"Action": "s3:*", "Resource": "*"}), "s3-object-lambda:GetObject", object, false),
        (json!({"Action": "iam:*AccessKey*", "Resource": "*"}), "iam:ListAccessKeys", "*", true),
        (json!({"Action": "s3:?etObject", "Resource": "*"}), "s3:GetObject", object, true),
        (json!({"Action": "*", "Resource": "*"}), "anything:AtAll", "*", true),
        (json!({"NotAction": "iam:*", "Resource": "*"}), "s3:GetObject", object, true),
        (json!({"NotAction": ["iam:*", "s3:*"], "Resource": "*"}), "s3:GetObject", object, false),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::bucket/*"}), "s3:GetObject", object, true),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::bucket"}), "s3:GetObject", object, false),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::Bucket/*"}), "s3:GetObject", object, false),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::*/*.txt"}), "s3:GetObject", object, true),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::bucket/?/?.txt"}), "s3:GetObject", object, true),
        (json!({"Action": "*", "Resource": "arn:aws:s3:::bucket/*"}), "s3:ListAllMyBuckets", "*", false),
        (
            json!({"Action": "*", "Resource": ["arn:aws:s3:::x", "arn:aws:s3:::bucket/a*"]}),
            "s3:GetObject",
            object,
            true,
        ),
        (json!({"Action": "*", "NotResource": "arn:aws:s3:::bucket/a/*"}), "s3:GetObject", object, false),
        (json!({"Action": "*", "NotResource": "arn:aws:s3:::bucket/z/*"}), "s3:GetObject", object, true),
    ];
    for (elements, action, resource, expected) in cases {
        let mut statement = elements.clone();
        statement["Effect"] = json!("Allow");
        let policy = identity_policy(statement);
        assert_eq!(
            allows(&policy, action, resource, &Context::new()),
            *expected,
            "{elements} {action} {resource}"
        );
    }
}

const ROOT: PrincipalRef<'static> = PrincipalRef::Root { account: "111122223333" };
const ALICE: PrincipalRef<'static> = PrincipalRef::User {
    arn: "arn:aws:iam::111122223333:user/eng/alice",
    account: "111122223333",
    id: "AIDAALICEALICEALICEAL",
};
const SESSION: PrincipalRef<'static> = PrincipalRef::AssumedRole {
    role_arn: "arn:aws:iam::111122223333:role/audit",
    session_arn: "arn:aws:sts::111122223333:assumed-role/audit/app",
    account: "111122223333",
    role_id: "AROAAUDITAUDITAUDITAU",
};
const STRANGER: PrincipalRef<'static> = PrincipalRef::User {
    arn: "arn:aws:iam::999999999999:user/alice",
    account: "999999999999",
    id: "AIDASTRANGERSTRANGERS",
};
const TRAIL: PrincipalRef<'static> = PrincipalRef::Service("cloudtrail.amazonaws.com");

fn bucket_policy(effect: &str, element: &str, principals: &Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement":
        {"Effect": effect, element: principals, "Action": "s3:*", "Resource": "*"}})
    .to_string();
    Policy::parse(&text, PolicyKind::Resource).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn who_a_principal_element_names() {
    let account = json!({"AWS": "111122223333"});
    let root = json!({"AWS": "arn:aws:iam::111122223333:root"});
    let (direct, role, delegated) = (Some(Grant::Principal), Some(Grant::Role), Some(Grant::Account));
    let cases: Vec<(Value, PrincipalRef<'_>, Option<Grant>)> = vec![
        (json!("*"), ALICE, direct),
        (json!("*"), PrincipalRef::Anonymous, direct),
        (json!({"AWS": "*"}), PrincipalRef::Anonymous, direct),
        (json!({"AWS": "*"}), TRAIL, direct),
        (account.clone(), ROOT, direct),
        (account.clone(), ALICE, delegated),
        (account.clone(), SESSION, delegated),
        (account.clone(), STRANGER, None),
        (account.clone(), PrincipalRef::Anonymous, None),
        (account, TRAIL, None),
        (root.clone(), ROOT, direct),
        (root.clone(), ALICE, delegated),
        (root, STRANGER, None),
        (json!({"AWS": "arn:aws:iam::111122223333:user/eng/alice"}), ALICE, direct),
        (json!({"AWS": "arn:aws:iam::111122223333:user/alice"}), ALICE, None),
        (json!({"AWS": "arn:aws:iam::111122223333:user/eng/alice"}), ROOT, None),
        (json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:user/eng/alice"]}), ALICE, direct),
        (json!({"AWS": "AIDAALICEALICEALICEAL"}), ALICE, direct),
        (json!({"AWS": "arn:aws:iam::111122223333:role/audit"}), SESSION, role),
        (json!({"AWS": "arn:aws:iam::111122223333:role/other"}), SESSION, None),
        (json!({"AWS": "AROAAUDITAUDITAUDITAU"}), SESSION, role),
        (json!({"AWS": "arn:aws:sts::111122223333:assumed-role/audit/app"}), SESSION, direct),
        (json!({"AWS": "arn:aws:sts::111122223333:assumed-role/audit/other"}), SESSION, None),
        (json!({"Service": "cloudtrail.amazonaws.com"}), TRAIL, direct),
        (json!({"Service": ["s3.amazonaws.com", "config.amazonaws.com"]}), TRAIL, None),
        (json!({"Service": "cloudtrail.amazonaws.com"}), ROOT, None),
        (json!({"Federated": "accounts.google.com"}), PrincipalRef::Federated("accounts.google.com"), direct),
        (json!({"Federated": "accounts.google.com"}), PrincipalRef::Federated("graph.facebook.com"), None),
        (json!({"AWS": "111122223333", "Service": "cloudtrail.amazonaws.com"}), TRAIL, direct),
    ];
    for (principals, principal, expected) in cases {
        let context = Context::new();
        let request =
            Request { action: "s3:GetObject", resource: "arn:aws:s3:::b/x", principal, context: &context };
        let found = match bucket_policy("Allow", "Principal", &principals).evaluate(&request) {
            Match::Allow { grant, .. } => Some(grant),
            _ => None,
        };
        assert_eq!(found, expected, "{principals} {principal:?}");
        let denied =
            matches!(bucket_policy("Deny", "Principal", &principals).evaluate(&request), Match::Deny { .. });
        assert_eq!(denied, expected.is_some(), "deny {principals} {principal:?}");
    }
}

#[test]
fn a_canonical_user_is_an_account() {
    let context = Context::new()
        .with(Context::CANONICAL_USER, "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be");
    let named = json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"});
    let policy = bucket_policy("Allow", "Principal", &named);
    let ask = |principal, context| {
        policy.evaluate(&Request { action: "s3:GetObject", resource: "*", principal, context })
    };
    assert!(matches!(ask(ALICE, &context), Match::Allow { grant: Grant::Account, .. }));
    let unknown = Context::new();
    assert_eq!(ask(ALICE, &unknown), Match::None);
    assert_eq!(ask(PrincipalRef::Anonymous, &context), Match::None);
}

#[test]
fn who_a_not_principal_element_excepts() {
    let account = "arn:aws:iam::111122223333:root";
    let alice = "arn:aws:iam::111122223333:user/eng/alice";
    let role = "arn:aws:iam::111122223333:role/audit";
    let session = "arn:aws:sts::111122223333:assumed-role/audit/app";
    let cases: Vec<(Value, PrincipalRef<'_>, bool)> = vec![
        (json!({"AWS": [alice, account]}), ALICE, true),
        (json!({"AWS": alice}), ALICE, false),
        (json!({"AWS": account}), ALICE, false),
        (json!({"AWS": account}), ROOT, true),
        (json!({"AWS": [alice, account]}), SESSION, false),
        (json!({"AWS": [session, role, account]}), SESSION, true),
        (json!({"AWS": [role, account]}), SESSION, false),
        (json!({"AWS": [session, account]}), SESSION, false),
        (json!({"AWS": [session, role]}), SESSION, false),
        (json!({"AWS": [alice, account]}), STRANGER, false),
        (json!({"AWS": [alice, account]}), PrincipalRef::Anonymous, false),
        (json!({"Service": "cloudtrail.amazonaws.com"}), TRAIL, true),
        (json!({"Service": "cloudtrail.amazonaws.com"}), ALICE, false),
    ];
    for (listed, principal, excepted) in cases {
        let context = Context::new();
        let request =
            Request { action: "s3:GetObject", resource: "arn:aws:s3:::b/x", principal, context: &context };
        let denied =
            matches!(bucket_policy("Deny", "NotPrincipal", &listed).evaluate(&request), Match::Deny { .. });
        assert_eq!(denied, !excepted, "{listed} {principal:?}");
    }
}

#[test]
fn the_statement_that_decided_is_named() {
    let policy = identity_policy(json!([
        {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Sid": "NoDelete", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
    ]));
    let context = Context::new();
    let ask =
        |action| policy.evaluate(&Request { action, resource: "*", principal: ALICE, context: &context });
    let grant = Grant::Principal;
    assert_eq!(ask("s3:GetObject"), Match::Allow { sid: Some("Read".into()), index: 0, grant });
    assert_eq!(ask("s3:PutObject"), Match::Allow { sid: None, index: 1, grant });
    assert_eq!(ask("s3:DeleteObject"), Match::Deny { sid: Some("NoDelete".into()), index: 2 });
    assert_eq!(ask("iam:GetUser"), Match::None);
}

#[test]
fn of_several_allowing_statements_the_most_direct_counts() {
    let statement = |sid: &str, arn: &str| json!({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:*", "Resource": "*"});
    let alice = statement("Alice", "arn:aws:iam::111122223333:user/eng/alice");
    let account = statement("Account", "arn:aws:iam::111122223333:root");
    for (statements, index) in [([alice.clone(), account.clone()], 0), ([account, alice], 1)] {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = Policy::parse(&text, PolicyKind::Resource).expect("a policy");
        let request =
            Request { action: "s3:GetObject", resource: "*", principal: ALICE, context: &Context::new() };
        let expected = Match::Allow { sid: Some("Alice".into()), index, grant: Grant::Principal };
        assert_eq!(policy.evaluate(&request), expected);
    }
}
