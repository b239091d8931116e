//! What holds of decisions whatever the policies are: a denial always wins, more statements that allow never take
//! anything away, and what only limits never gives anything.

use opentrail_policy::{
    Context, Decision, Identity, Policies, Policy, PolicyKind, PrincipalRef, Request, decide,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const USER_ARN: &str = "arn:aws:iam::111122223333:user/alice";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/audit";
const SESSION_ARN: &str = "arn:aws:sts::111122223333:assumed-role/audit/app";
const FEDERATED_ARN: &str = "arn:aws:sts::111122223333:federated-user/bob";
const PRINCIPALS: [PrincipalRef<'static>; 6] = [
    PrincipalRef::User { arn: USER_ARN, account: ACCOUNT, id: "AIDAALICEALICEALICEAL" },
    PrincipalRef::AssumedRole {
        role_arn: ROLE_ARN,
        session_arn: SESSION_ARN,
        account: ACCOUNT,
        role_id: "AROAAUDITAUDITAUDITAU",
    },
    PrincipalRef::FederatedUser {
        session_arn: FEDERATED_ARN,
        account: ACCOUNT,
        user: Some((USER_ARN, "AIDAALICEALICEALICEAL")),
    },
    PrincipalRef::Root { account: ACCOUNT },
    PrincipalRef::Service("cloudtrail.amazonaws.com"),
    PrincipalRef::Anonymous,
];

/// Every policy that may concern a request, as statements.
#[derive(Debug, Clone)]
struct Set {
    identity: Vec<Vec<Value>>,
    boundary: Option<Vec<Value>>,
    session: Vec<Vec<Value>>,
    service_control: Vec<Vec<Vec<Value>>>,
    resource: Option<Vec<Value>>,
    resource_must_allow: bool,
    same_account: bool,
    principal: PrincipalRef<'static>,
    tag: Option<&'static str>,
}

impl Set {
    fn decide(&self) -> Decision {
        let identity: Vec<Policy> =
            self.identity.iter().map(|found| read(found, PolicyKind::Identity)).collect();
        let boundary = self.boundary.as_ref().map(|found| read(found, PolicyKind::Identity));
        let session: Vec<Policy> =
            self.session.iter().map(|found| read(found, PolicyKind::Identity)).collect();
        let levels: Vec<Vec<Policy>> = self
            .service_control
            .iter()
            .map(|level| level.iter().map(|found| read(found, PolicyKind::Identity)).collect())
            .collect();
        let resource = self.resource.as_ref().map(|found| read(found, PolicyKind::Resource));
        let (own, session): (Vec<&Policy>, Vec<&Policy>) =
            (identity.iter().collect(), session.iter().collect());
        let levels: Vec<Vec<&Policy>> = levels.iter().map(|level| level.iter().collect()).collect();
        let policies = Policies {
            identity: match self.principal {
                PrincipalRef::Root { .. } => Identity::Root,
                PrincipalRef::Service(_) | PrincipalRef::Anonymous => Identity::None,
                _ => Identity::Policies(&own),
            },
            boundary: boundary.as_ref(),
            session: &session,
            service_control: &levels,
            resource: resource.as_ref(),
            resource_must_allow: self.resource_must_allow,
            same_account: self.same_account,
        };
        let mut context = Context::new();
        if let Some(tag) = self.tag {
            context.set("aws:PrincipalTag/team", tag);
        }
        let (action, resource) = ("s3:GetObject", "arn:aws:s3:::logs/blue/x");
        decide(&Request { action, resource, principal: self.principal, context: &context }, &policies)
    }

    /// The lists of statements of the policies that concern the principal.
    fn concerned(&mut self) -> Vec<&mut Vec<Value>> {
        let only_resource = matches!(self.principal, PrincipalRef::Service(_) | PrincipalRef::Anonymous);
        let is_root = matches!(self.principal, PrincipalRef::Root { .. });
        let identity = self.identity.iter_mut().filter(|_| !is_root);
        let own = identity.chain(&mut self.boundary).chain(&mut self.session);
        let own = own.chain(self.service_control.iter_mut().flatten()).filter(|_| !only_resource);
        own.chain(&mut self.resource).collect()
    }
}

/// `Principal` is in the statements of every kind, and left out where none may be.
fn read(statements: &[Value], kind: PolicyKind) -> Policy {
    let mut statements = statements.to_vec();
    for statement in &mut statements {
        if kind == PolicyKind::Identity
            && let Some(members) = statement.as_object_mut()
        {
            members.retain(|name, _| !name.ends_with("Principal"));
        }
    }
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Policy::parse(&text, kind).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn statement(effects: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let principals = vec![
        json!("*"),
        json!({"AWS": ACCOUNT}),
        json!({"AWS": USER_ARN}),
        json!({"AWS": [ROLE_ARN, FEDERATED_ARN]}),
        json!({"AWS": SESSION_ARN}),
        json!({"Service": "cloudtrail.amazonaws.com"}),
    ];
    let conditions = vec![
        json!({}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
        json!({"StringNotEqualsIfExists": {"aws:PrincipalTag/team": "blue"}}),
        json!({"Null": {"aws:PrincipalTag/team": "true"}}),
    ];
    let resources = vec![
        json!({"Resource": "*"}),
        json!({"Resource": "arn:aws:s3:::logs/*"}),
        json!({"Resource": ["arn:aws:s3:::logs/${aws:PrincipalTag/team}/*", "arn:aws:s3:::other"]}),
        json!({"NotResource": "arn:aws:s3:::logs/${aws:PrincipalTag/team}/*"}),
    ];
    let actions = vec![
        json!({"Action": "*"}),
        json!({"Action": ["s3:get*", "iam:*"]}),
        json!({"Action": "s3:Put*"}),
        json!({"NotAction": "iam:*"}),
        json!({"NotAction": "s3:*"}),
    ];
    let effect = prop::sample::select(effects);
    let rest = (prop::sample::select(principals), prop::sample::select(conditions));
    (effect, prop::sample::select(actions), prop::sample::select(resources), rest).prop_map(
        |(effect, action, resource, (principal, condition))| {
            let mut statement = json!({"Effect": effect, "Principal": principal, "Condition": condition});
            for member in [action, resource] {
                for (name, value) in member.as_object().into_iter().flatten() {
                    statement[name] = value.clone();
                }
            }
            statement
        },
    )
}

fn policy() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(&["Allow", "Allow", "Allow", "Deny"]), 1..4)
}

fn set() -> impl Strategy<Value = Set> {
    let own = (
        prop::collection::vec(policy(), 0..3),
        prop::option::of(policy()),
        prop::collection::vec(policy(), 0..2),
    );
    let levels = prop::collection::vec(prop::collection::vec(policy(), 1..3), 0..3);
    let request =
        (prop::sample::select(&PRINCIPALS[..]), prop::option::of(prop::sample::select(vec!["blue", "red"])));
    (own, levels, prop::option::of(policy()), any::<(bool, bool)>(), request).prop_map(
        |((identity, boundary, session), service_control, resource, (must, same), (principal, tag))| Set {
            identity,
            boundary,
            session,
            service_control,
            resource,
            resource_must_allow: must && same,
            same_account: same,
            principal,
            tag,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Wherever a statement that denies everyone everything is put, the answer is an explicit denial.
    #[test]
    fn an_explicit_deny_anywhere_wins(mut set in set(), place: prop::sample::Index) {
        let mut policies = set.concerned();
        if policies.is_empty() {
            return Ok(());
        }
        let at = place.index(policies.len());
        policies[at].push(json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}));
        let explicit = matches!(set.decide(), Decision::ExplicitDeny { .. });
        prop_assert!(explicit);
    }

    /// One more statement that allows, anywhere, never takes away an allow, and never makes an explicit denial.
    #[test]
    fn an_allow_more_never_takes_away(mut set in set(), more in statement(&["Allow"]), place: prop::sample::Index) {
        let before = set.decide();
        let mut policies = set.concerned();
        if policies.is_empty() {
            return Ok(());
        }
        let at = place.index(policies.len());
        policies[at].push(more);
        let after = set.decide();
        prop_assert!(!before.is_allow() || after.is_allow(), "{:?} became {:?}", before, after);
        let explicit = |decision: &Decision| matches!(decision, Decision::ExplicitDeny { .. });
        prop_assert_eq!(explicit(&before), explicit(&after));
    }

    /// A boundary, a session policy or a level of service control policies never adds to what is allowed.
    #[test]
    fn what_limits_never_adds(set in set(), limit in policy(), kind in 0..3) {
        let mut limited = set.clone();
        match kind {
            0 => limited.boundary = Some(limit),
            1 if set.session.is_empty() => limited.session = vec![limit],
            1 => {}
            _ => limited.service_control.push(vec![limit]),
        }
        // Without one, everything is within it.
        let mut unlimited = set.clone();
        if kind == 0 {
            unlimited.boundary = None;
        }
        prop_assert!(unlimited.decide().is_allow() || !limited.decide().is_allow());
    }

    /// The order of policies and of their statements does not matter to whether it is allowed.
    #[test]
    fn order_does_not_matter(set in set()) {
        let mut turned = set.clone();
        turned.identity.reverse();
        turned.session.reverse();
        turned.service_control.reverse();
        turned.service_control.iter_mut().for_each(|level| level.reverse());
        turned.concerned().into_iter().for_each(|statements| statements.reverse());
        let kind = |decision: Decision| match decision {
            Decision::Allow => 0,
            Decision::ImplicitDeny { .. } => 1,
            Decision::ExplicitDeny { .. } => 2,
        };
        prop_assert_eq!(kind(set.decide()), kind(turned.decide()));
    }

    /// A policy is its text: read again it is the same, and says the same.
    #[test]
    fn a_policy_is_its_text(statements in policy()) {
        let policy = read(&statements, PolicyKind::Resource);
        let again = Policy::parse(policy.source(), policy.kind()).expect("a policy");
        prop_assert_eq!(&policy, &again);
        for (index, written) in statements.iter().enumerate() {
            let found = policy.position(index).map(|(start, end)| (start.line, start.column, end.column));
            let (line, from, to) = found.expect("it is there");
            let text = policy.source().lines().nth(line - 1).expect("the line");
            let one: Value = serde_json::from_str(&text[from - 1..to - 1]).expect("a statement");
            prop_assert_eq!(&one["Effect"], &written["Effect"]);
        }
        prop_assert!(policy.position(policy.statements().len()).is_none());
    }
}
