//! How policies of several kinds combine: the IAM User Guide's "Policy evaluation logic".

use opentrail_policy::{
    Context, Decision, Identity, Place, Policies, Policy, PolicyKind, PolicySource, PrincipalRef, Request,
    decide,
};
use proptest::prelude::*;
use serde_json::json;

const ACCOUNT: &str = "111122223333";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/alice";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/audit";
const SESSION_ARN: &str = "arn:aws:sts::111122223333:assumed-role/audit/app";
const ROOT_ARN: &str = "arn:aws:iam::111122223333:root";
const USER: PrincipalRef<'static> =
    PrincipalRef::User { arn: USER_ARN, account: ACCOUNT, id: "AIDAALICEALICEALICEAL" };
const SESSION: PrincipalRef<'static> = PrincipalRef::AssumedRole {
    role_arn: ROLE_ARN,
    session_arn: SESSION_ARN,
    account: ACCOUNT,
    role_id: "AROAAUDITAUDITAUDITAU",
};
const FEDERATED_ARN: &str = "arn:aws:sts::111122223333:federated-user/bob";
const FEDERATED: PrincipalRef<'static> = PrincipalRef::FederatedUser {
    session_arn: FEDERATED_ARN,
    account: ACCOUNT,
    user: Some((USER_ARN, "AIDAALICEALICEALICEAL")),
};
const ROOT: PrincipalRef<'static> = PrincipalRef::Root { account: ACCOUNT };

/// A policy of each kind that allows (`+`) or denies (`-`) everything, or speaks of something else (` `).
fn on_identity(mark: char) -> Policy {
    let (effect, action) = effect(mark);
    let text = json!({"Version": "2012-10-17", "Statement":
        {"Sid": "S1", "Effect": effect, "Action": action, "Resource": "*"}});
    Policy::parse(&text.to_string(), PolicyKind::Identity).expect("a policy")
}

fn on_resource(mark: char, principal: &str) -> Policy {
    let (effect, action) = effect(mark);
    let text = json!({"Version": "2012-10-17", "Statement":
        {"Sid": "S1", "Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}});
    Policy::parse(&text.to_string(), PolicyKind::Resource).expect("a policy")
}

fn trust(principal: serde_json::Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}});
    Policy::parse(&text.to_string(), PolicyKind::Trust).expect("a policy")
}

fn effect(mark: char) -> (&'static str, &'static str) {
    match mark {
        '+' => ("Allow", "*"),
        '-' => ("Deny", "*"),
        _ => ("Allow", "other:Thing"),
    }
}

fn ask(principal: PrincipalRef<'_>, policies: &Policies<'_>) -> Decision {
    ask_for("s3:GetObject", principal, policies)
}

fn ask_for(action: &str, principal: PrincipalRef<'_>, policies: &Policies<'_>) -> Decision {
    decide(&Request { action, resource: "arn:aws:s3:::b/x", principal, context: &Context::new() }, policies)
}

fn implicit(by: PolicySource) -> Decision {
    Decision::ImplicitDeny { by }
}

fn explicit(by: PolicySource) -> Decision {
    let place = Place { by, level: 0, policy: 0 };
    Decision::ExplicitDeny { place, statement: 0, sid: Some("S1".into()) }
}

/// One row: who asks, the principal the resource policy names with its mark, then the marks of identity,
/// boundary and session policies, `.` where there is none; the answer.
type Row = (PrincipalRef<'static>, &'static str, [char; 4], Decision);

fn check(same_account: bool, rows: Vec<Row>) {
    for (principal, named, [resource, identity, boundary, session], expected) in rows {
        let policy = |mark: char| (mark != '.').then(|| on_identity(mark));
        let (identity, boundary, session) = (policy(identity), policy(boundary), policy(session));
        let resource_policy = (resource != '.').then(|| on_resource(resource, named));
        let attached: Vec<&Policy> = identity.iter().collect();
        let session: Vec<&Policy> = session.iter().collect();
        let policies = Policies {
            identity: match principal {
                PrincipalRef::Root { .. } => Identity::Root,
                PrincipalRef::Anonymous | PrincipalRef::Service(_) => Identity::None,
                _ => Identity::Policies(&attached),
            },
            boundary: boundary.as_ref(),
            session: &session,
            resource: resource_policy.as_ref(),
            same_account,
            ..Policies::default()
        };
        let found = ask(principal, &policies);
        assert_eq!(found, expected, "{principal:?} {named} {resource:?} {policies:?}");
    }
}

#[test]
fn within_one_account() {
    use PolicySource::{Boundary, Identity, Resource, Session};
    let allow = Decision::Allow;
    check(
        true,
        vec![
            // Who is asking, whom the resource policy names, [resource, identity, boundary, session].
            (USER, "*", ['.', '.', '.', '.'], implicit(Identity)),
            (USER, "*", ['.', '+', '.', '.'], allow.clone()),
            (USER, "*", ['.', ' ', '.', '.'], implicit(Identity)),
            (USER, "*", ['.', '-', '.', '.'], explicit(Identity)),
            (USER, "*", [' ', '+', '.', '.'], allow.clone()),
            // A resource policy that names the user, or everyone, is enough, and no boundary limits it.
            (USER, USER_ARN, ['+', '.', '.', '.'], allow.clone()),
            (USER, "*", ['+', '.', '.', '.'], allow.clone()),
            (USER, USER_ARN, ['+', ' ', ' ', '.'], allow.clone()),
            (USER, USER_ARN, ['+', '-', '.', '.'], explicit(Identity)),
            (USER, USER_ARN, ['+', '.', '-', '.'], explicit(Boundary)),
            // One that names the account only delegates.
            (USER, ROOT_ARN, ['+', '.', '.', '.'], implicit(Identity)),
            (USER, ROOT_ARN, ['+', '+', '.', '.'], allow.clone()),
            (USER, ROOT_ARN, ['+', '+', ' ', '.'], implicit(Boundary)),
            (USER, ROOT_ARN, ['-', '+', '.', '.'], explicit(Resource)),
            (USER, USER_ARN, ['-', '+', '+', '.'], explicit(Resource)),
            // A boundary limits, and grants nothing.
            (USER, "*", ['.', '+', '+', '.'], allow.clone()),
            (USER, "*", ['.', '+', ' ', '.'], implicit(Boundary)),
            (USER, "*", ['.', ' ', '+', '.'], implicit(Identity)),
            // Of several denials the first in AWS's order is named: resource, identity, boundary, session.
            (USER, "*", ['-', '-', '-', '-'], explicit(Resource)),
            (USER, "*", ['+', '-', '-', '-'], explicit(Identity)),
            (USER, "*", ['+', '+', '-', '-'], explicit(Boundary)),
            // A session's policy limits; of a user, also what the resource gives.
            (USER, USER_ARN, ['+', '+', '.', ' '], implicit(Session)),
            (SESSION, "*", ['.', '+', '.', '+'], allow.clone()),
            (SESSION, "*", ['.', '+', '.', ' '], implicit(Session)),
            (SESSION, "*", ['.', '+', '+', '-'], explicit(Session)),
            (SESSION, "*", ['.', '+', ' ', '+'], implicit(Boundary)),
            // A grant to the role stays within boundary and session policy, one to the session does not.
            (SESSION, ROLE_ARN, ['+', '.', '.', '.'], allow.clone()),
            (SESSION, ROLE_ARN, ['+', '.', ' ', '.'], implicit(Boundary)),
            (SESSION, ROLE_ARN, ['+', '.', '+', ' '], implicit(Session)),
            (SESSION, SESSION_ARN, ['+', '.', ' ', ' '], allow.clone()),
            (SESSION, ROOT_ARN, ['+', '.', '.', '.'], implicit(Identity)),
            // Root needs nobody's permission and obeys every denial.
            (ROOT, "*", ['.', '.', '.', '.'], allow.clone()),
            (ROOT, USER_ARN, ['+', '.', '.', '.'], allow.clone()),
            (ROOT, "*", ['-', '.', '.', '.'], explicit(Resource)),
            (ROOT, ROOT_ARN, ['-', '.', '.', '.'], explicit(Resource)),
            // Who has no identity has only the resource's policy.
            (PrincipalRef::Anonymous, "*", ['+', '.', '.', '.'], allow.clone()),
            (PrincipalRef::Anonymous, ROOT_ARN, ['+', '.', '.', '.'], implicit(Resource)),
            (PrincipalRef::Anonymous, "*", ['.', '.', '.', '.'], implicit(Resource)),
            (PrincipalRef::Service("cloudtrail.amazonaws.com"), "*", ['+', '.', '.', '.'], allow),
        ],
    );
}

#[test]
fn between_accounts() {
    use PolicySource::{Boundary, Identity, Resource, Session};
    let allow = Decision::Allow;
    check(
        false,
        vec![
            (USER, "*", ['.', '+', '.', '.'], implicit(Resource)),
            (USER, USER_ARN, ['+', '.', '.', '.'], implicit(Identity)),
            (USER, USER_ARN, ['+', '+', '.', '.'], allow.clone()),
            (USER, ROOT_ARN, ['+', '+', '.', '.'], allow.clone()),
            (USER, ROOT_ARN, ['+', ' ', '.', '.'], implicit(Identity)),
            (USER, ROOT_ARN, [' ', '+', '.', '.'], implicit(Resource)),
            (USER, "*", ['+', '.', '.', '.'], implicit(Identity)),
            (USER, USER_ARN, ['+', '+', ' ', '.'], implicit(Boundary)),
            (USER, USER_ARN, ['-', '+', '.', '.'], explicit(Resource)),
            (USER, USER_ARN, ['+', '-', '.', '.'], explicit(Identity)),
            (SESSION, SESSION_ARN, ['+', '+', '.', ' '], implicit(Session)),
            (SESSION, ROLE_ARN, ['+', '+', '+', '+'], allow.clone()),
            (ROOT, ROOT_ARN, ['+', '.', '.', '.'], allow),
            (ROOT, "*", ['.', '.', '.', '.'], implicit(Resource)),
        ],
    );
}

/// The IAM User Guide's table "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn sessions_of_federated_users() {
    use PolicySource::{Boundary, Identity, Resource, Session};
    let allow = Decision::Allow;
    check(
        true,
        vec![
            // Granted to the session itself: nothing else limits it.
            (FEDERATED, FEDERATED_ARN, ['+', ' ', ' ', ' '], allow.clone()),
            // Granted to the user who asked for it: boundary and session policy do.
            (FEDERATED, USER_ARN, ['+', ' ', '.', ' '], implicit(Session)),
            (FEDERATED, USER_ARN, ['+', ' ', ' ', '+'], implicit(Boundary)),
            (FEDERATED, USER_ARN, ['+', ' ', '+', '+'], allow.clone()),
            (FEDERATED, ROOT_ARN, ['+', ' ', '.', '+'], implicit(Identity)),
            (FEDERATED, "*", ['.', '+', '.', ' '], implicit(Session)),
            (FEDERATED, "*", ['.', '+', '.', '+'], allow.clone()),
            (FEDERATED, FEDERATED_ARN, ['-', '+', '.', '+'], explicit(Resource)),
            (FEDERATED, FEDERATED_ARN, ['+', '-', '.', '+'], explicit(Identity)),
        ],
    );
    check(
        false,
        vec![
            (FEDERATED, FEDERATED_ARN, ['+', '+', '.', '+'], allow),
            (FEDERATED, FEDERATED_ARN, ['+', ' ', '.', '+'], implicit(Identity)),
            (FEDERATED, FEDERATED_ARN, ['+', '+', '.', ' '], implicit(Session)),
        ],
    );
}

/// The Organizations user guide's page "SCP evaluation": what a policy at the root, a unit and the account leaves.
#[test]
fn service_control_policies_as_lists_of_what_is_allowed_or_denied() {
    let statement = |statement: serde_json::Value| {
        let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        Policy::parse(&text, PolicyKind::Identity).expect("a policy")
    };
    let full = on_identity('+');
    let only_s3 = statement(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    let only_ec2 = statement(json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}));
    let no_s3 = statement(json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}));
    let attached = [&full];
    let cases: &[(&[Vec<&Policy>], [bool; 2])] = &[
        // Levels from the root down; whether S3 and EC2 are left.
        (&[vec![&full], vec![&full], vec![&full]], [true, true]),
        (&[vec![&full], vec![&full, &no_s3], vec![&full]], [false, true]),
        (&[vec![&full], vec![&only_s3], vec![&full]], [true, false]),
        (&[vec![&full], vec![&only_s3], vec![&only_ec2]], [false, false]),
        (&[vec![&full], vec![&only_s3, &only_ec2], vec![&full]], [true, true]),
        (&[vec![&full], vec![&full], vec![]], [false, false]),
        (&[vec![&no_s3], vec![&full], vec![&full]], [false, false]),
    ];
    for (levels, expected) in cases {
        for (action, expected) in ["s3:GetObject", "ec2:RunInstances"].into_iter().zip(expected) {
            for (principal, identity) in [(USER, Identity::Policies(&attached)), (ROOT, Identity::Root)] {
                let policies =
                    Policies { identity, service_control: levels, same_account: true, ..Policies::default() };
                assert_eq!(
                    ask_for(action, principal, &policies).is_allow(),
                    *expected,
                    "{action} {levels:?}"
                );
            }
        }
    }
}

/// Between accounts the caller's own service control policies count on its side, and a resource's policy does not make
/// up for them.
#[test]
fn service_control_policies_limit_what_is_done_elsewhere() {
    let (yes, deny) = (on_identity('+'), on_identity('-'));
    let (attached, bucket) = ([&yes], on_resource('+', USER_ARN));
    let levels = [vec![&yes], vec![&deny, &yes]];
    for same_account in [true, false] {
        let policies = Policies {
            identity: Identity::Policies(&attached),
            resource: Some(&bucket),
            service_control: &levels,
            same_account,
            ..Policies::default()
        };
        let place = Place { by: PolicySource::ServiceControl, level: 1, policy: 0 };
        let denied = Decision::ExplicitDeny { place, statement: 0, sid: Some("S1".into()) };
        assert_eq!(ask(USER, &policies), denied);
    }
}

#[test]
fn service_control_policies_limit_every_level_and_root_too() {
    let (yes, no, deny) = (on_identity('+'), on_identity(' '), on_identity('-'));
    let attached = [&yes];
    let cases: &[(&[Vec<&Policy>], Decision)] = &[
        (&[], Decision::Allow),
        (&[vec![&yes], vec![&yes]], Decision::Allow),
        (&[vec![&yes], vec![&no, &yes]], Decision::Allow),
        (&[vec![&yes], vec![&no]], implicit(PolicySource::ServiceControl)),
        (&[vec![&yes], vec![]], implicit(PolicySource::ServiceControl)),
        (&[vec![&no], vec![&yes]], implicit(PolicySource::ServiceControl)),
        (&[vec![&deny, &yes], vec![&yes]], explicit(PolicySource::ServiceControl)),
    ];
    for (levels, expected) in cases {
        for (principal, identity) in [(USER, Identity::Policies(&attached)), (ROOT, Identity::Root)] {
            let policies =
                Policies { identity, service_control: levels, same_account: true, ..Policies::default() };
            assert_eq!(&ask(principal, &policies), expected, "{principal:?} {levels:?}");
        }
    }
    let everyone = on_resource('+', "*");
    let service = Policies { service_control: &[vec![]], resource: Some(&everyone), ..Policies::default() };
    assert!(ask(PrincipalRef::Service("cloudtrail.amazonaws.com"), &service).is_allow());
}

#[test]
fn a_roles_trust_policy_must_allow() {
    let (yes, no) = (on_identity('+'), on_identity(' '));
    let (allowed, unsaid) = ([&yes], [&no]);
    let cases: &[(serde_json::Value, &[&Policy], bool, Decision)] = &[
        (json!({"AWS": USER_ARN}), &unsaid, true, Decision::Allow),
        (json!({"AWS": ROOT_ARN}), &unsaid, true, implicit(PolicySource::Identity)),
        (json!({"AWS": ROOT_ARN}), &allowed, true, Decision::Allow),
        (json!({"Service": "ec2.amazonaws.com"}), &allowed, true, implicit(PolicySource::Trust)),
        (json!({"AWS": ROOT_ARN}), &allowed, false, Decision::Allow),
        (json!({"AWS": USER_ARN}), &unsaid, false, implicit(PolicySource::Identity)),
        (json!({"AWS": "999999999999"}), &allowed, false, implicit(PolicySource::Trust)),
    ];
    for (principal, attached, same_account, expected) in cases {
        let document = trust(principal.clone());
        let policies = Policies {
            identity: Identity::Policies(attached),
            resource: Some(&document),
            same_account: *same_account,
            ..Policies::default()
        };
        assert_eq!(&ask_for("sts:AssumeRole", USER, &policies), expected, "{principal} {same_account}");
    }
    let document = trust(json!({"Service": "cloudtrail.amazonaws.com"}));
    let policies = Policies { resource: Some(&document), ..Policies::default() };
    assert!(
        ask_for("sts:AssumeRole", PrincipalRef::Service("cloudtrail.amazonaws.com"), &policies).is_allow()
    );
    assert_eq!(
        ask_for("sts:AssumeRole", PrincipalRef::Service("ec2.amazonaws.com"), &policies),
        implicit(PolicySource::Trust)
    );
}

#[test]
fn a_key_policy_must_allow_also_within_the_account() {
    let (yes, key_policy) = (on_identity('+'), on_resource('+', ROOT_ARN));
    let attached = [&yes];
    let policies = Policies {
        identity: Identity::Policies(&attached),
        resource_must_allow: true,
        same_account: true,
        ..Policies::default()
    };
    assert_eq!(ask(USER, &policies), implicit(PolicySource::Resource));
    assert!(ask(USER, &Policies { resource: Some(&key_policy), ..policies }).is_allow());
}

#[test]
fn not_principal_excepts_nobody_with_a_boundary() {
    let text =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
        "NotPrincipal": {"AWS": [USER_ARN, ROOT_ARN]}}})
        .to_string();
    let policy = Policy::parse(&text, PolicyKind::Resource).expect("a policy");
    let yes = on_identity('+');
    let attached = [&yes];
    let policies = Policies {
        identity: Identity::Policies(&attached),
        resource: Some(&policy),
        same_account: true,
        ..Policies::default()
    };
    assert!(ask(USER, &policies).is_allow());
    let bounded = Policies { boundary: Some(&yes), ..policies };
    let place = Place { by: PolicySource::Resource, level: 0, policy: 0 };
    assert_eq!(ask(USER, &bounded), Decision::ExplicitDeny { place, statement: 0, sid: None });
}

#[test]
fn the_reason_is_in_awss_words() {
    use PolicySource::{Boundary, Identity, Resource, ServiceControl, Session, Trust};
    let implied = |by| implicit(by).reason("s3:GetObject").expect("a denial");
    let stated = |by| explicit(by).reason("s3:GetObject").expect("a denial");
    assert_eq!(implied(Identity), "because no identity-based policy allows the s3:GetObject action");
    assert_eq!(implied(Resource), "because no resource-based policy allows the s3:GetObject action");
    assert_eq!(implied(Boundary), "because no permissions boundary allows the s3:GetObject action");
    assert_eq!(implied(Session), "because no session policy allows the s3:GetObject action");
    assert_eq!(implied(ServiceControl), "because no service control policy allows the s3:GetObject action");
    assert_eq!(stated(Identity), "with an explicit deny in an identity-based policy");
    assert_eq!(stated(Resource), "with an explicit deny in a resource-based policy");
    assert_eq!(stated(Boundary), "with an explicit deny in a permissions boundary");
    assert_eq!(stated(Session), "with an explicit deny in a session policy");
    assert_eq!(stated(ServiceControl), "with an explicit deny in a service control policy");
    assert_eq!(stated(Trust), "with an explicit deny in the role trust policy");
    assert_eq!(Decision::Allow.reason("s3:GetObject"), None);
}

proptest! {
    /// Wherever a denial is added, the answer becomes an explicit denial; whatever else was there.
    #[test]
    fn a_denial_anywhere_is_final(
        marks in prop::collection::vec(prop::sample::select(vec!['+', ' ', '-']), 5),
        place in 0_usize..5,
        same_account: bool,
        by_root: bool,
    ) {
        let mark = |at: usize| if at == place { '-' } else { marks[at] };
        let (identity, boundary, session) = (on_identity(mark(0)), on_identity(mark(1)), on_identity(mark(2)));
        let (control, resource) = (on_identity(mark(3)), on_resource(mark(4), "*"));
        let attached = [&identity];
        prop_assume!(!(by_root && place == 0));
        let policies = Policies {
            identity: if by_root { Identity::Root } else { Identity::Policies(&attached) },
            boundary: Some(&boundary),
            session: &[&session],
            service_control: &[vec![&control]],
            resource: Some(&resource),
            resource_must_allow: false,
            same_account,
        };
        let found = ask(if by_root { ROOT } else { USER }, &policies);
        let explicit = matches!(found, Decision::ExplicitDeny { .. });
        prop_assert!(explicit, "{:?}", found);
    }
}
