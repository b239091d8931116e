//! Service control policies: what they take from whom, and that they never give.

use opentrail_event::AccountId;
use opentrail_identity::{
    Ask, Caller, IdentityError, Principal, Role, User, Verdict, WhoCanAsk, entity, inline,
    organization::{
        self, PolicyType, attachment, creation, member,
        policy::{self, FULL_ACCESS, NewPolicy, PolicyUpdate},
        policy_type,
    },
    password_policy::{self, PasswordPolicy},
};
use opentrail_policy::{Context, Policy, PolicyKind};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{
    organizations::{new_account, new_unit, now, organization},
    world::{World, account, allow, deny, noon, policy as document},
};

async fn scp(world: &World, name: &str, statement: &Value) -> String {
    let (whole, content) = (now(world), document(statement));
    let new = NewPolicy { name, description: "", content: &content, tags: &[] };
    world.change(|tx| Ok(policy::create(tx, &whole, &new)?)).await.unwrap().id
}

async fn attach(world: &World, policy: &str, target: &str) -> Result<(), IdentityError> {
    let whole = now(world);
    world.change(|tx| Ok(attachment::attach(tx, &whole, policy, target, noon())?)).await
}

async fn detach(world: &World, policy: &str, target: &str) -> Result<(), IdentityError> {
    let whole = now(world);
    world.change(|tx| Ok(attachment::detach(tx, &whole, policy, target, noon())?)).await
}

fn code<T: std::fmt::Debug>(refused: Result<T, IdentityError>) -> (&'static str, Option<&'static str>) {
    match refused.unwrap_err() {
        IdentityError::Organization(refusal) => (refusal.code(), refusal.reason()),
        other => panic!("{other}"),
    }
}

const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/t";

/// A session of the role that administers a member.
fn administrator(world: &World, account: AccountId) -> Caller {
    let role = entity::find::<Role>(&world.state, account, creation::ACCESS_ROLE).unwrap();
    Caller { principal: Principal::assumed_role(&role, "audit"), access_key_id: None, session: None }
}

fn message(verdict: Verdict) -> String {
    verdict.into_result().unwrap_err().to_string()
}

#[tokio::test]
async fn a_deny_holds_for_a_members_root_its_administrators_and_its_users_but_not_for_the_management_account()
{
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let logs = new_account(&world, "logs").await;
    let statement = json!({
        "Sid": "KeepTrails", "Effect": "Deny", "Resource": "*",
        "Action": ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "s3:DeleteObject*"],
    });
    let policy = scp(&world, "keep trails", &statement).await;
    attach(&world, &policy, &root).await.unwrap();
    let alice = world.caller(logs, "alice").await;
    world.user_may(logs, "alice", allow("*")).await;
    for caller in [Caller::root(logs), administrator(&world, logs), alice] {
        for action in ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "s3:DeleteObjectVersion"] {
            let refused = message(world.ask(&caller, action, TRAIL));
            assert!(refused.contains("with an explicit deny in a service control policy"), "{refused}");
        }
        assert!(world.ask(&caller, "cloudtrail:DescribeTrails", TRAIL).is_allowed());
    }
    assert!(world.ask(&Caller::root(account()), "cloudtrail:StopLogging", TRAIL).is_allowed());
    let message = message(world.ask(&Caller::root(logs), "cloudtrail:StopLogging", TRAIL));
    let whole = now(&world);
    assert_eq!(
        message,
        format!(
            "User: arn:aws:iam::{logs}:root is not authorized to perform: cloudtrail:StopLogging on resource: {TRAIL} \
             with an explicit deny in a service control policy: {}",
            whole.policy_arn(&policy)
        )
    );
}

#[tokio::test]
async fn every_level_has_to_allow() {
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let logs = new_account(&world, "logs").await;
    let unit = new_unit(&world, &root, "security").await;
    let whole = now(&world);
    world.change(|tx| Ok(member::transfer(tx, &whole, logs, &root, &unit, noon())?)).await.unwrap();
    let caller = Caller::root(logs);
    assert_eq!(organization::service_control_levels(&world.state, logs).len(), 3);
    assert!(world.may(&caller, "s3:GetObject"));
    let reading = scp(&world, "reading", &allow("s3:Get*")).await;
    attach(&world, &reading, &unit).await.unwrap();
    assert!(world.may(&caller, "s3:PutObject"), "another policy of the level allows it");
    detach(&world, FULL_ACCESS, &unit).await.unwrap();
    assert!(world.may(&caller, "s3:GetObject") && !world.may(&caller, "s3:PutObject"));
    let refused = message(world.ask(&caller, "s3:PutObject", "arn:aws:s3:::a-bucket"));
    assert!(
        refused.ends_with("because no service control policy allows the s3:PutObject action"),
        "{refused}"
    );
    let last = detach(&world, &reading, &unit).await;
    assert_eq!(
        code(last),
        ("ConstraintViolationException", Some("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"))
    );
    let whole = now(&world);
    world.change(|tx| Ok(member::transfer(tx, &whole, logs, &unit, &root, noon())?)).await.unwrap();
    assert!(world.may(&caller, "s3:PutObject"), "the account is in the unit no more");
}

#[tokio::test]
async fn a_change_of_a_policy_holds_at_once_and_one_that_is_attached_stays() {
    let world = World::new().await;
    organization(&world).await;
    let logs = new_account(&world, "logs").await;
    let policy = scp(&world, "p", &deny("s3:*")).await;
    attach(&world, &policy, logs.as_str()).await.unwrap();
    assert_eq!(code(attach(&world, &policy, logs.as_str()).await).0, "DuplicatePolicyAttachmentException");
    assert!(!world.may(&Caller::root(logs), "s3:GetObject"));
    let whole = now(&world);
    let held = world.change(|tx| Ok(policy::delete(tx, &whole, &policy)?)).await;
    assert_eq!(code(held).0, "PolicyInUseException");
    let content = document(&deny("s3:Delete*"));
    let update = PolicyUpdate { content: Some(&content), ..PolicyUpdate::default() };
    world.change(|tx| Ok(policy::update(tx, &whole, &policy, &update)?)).await.unwrap();
    assert!(world.may(&Caller::root(logs), "s3:GetObject"));
    assert!(!world.may(&Caller::root(logs), "s3:DeleteObject"));
    let own = world.change(|tx| Ok(policy::update(tx, &whole, FULL_ACCESS, &update)?)).await;
    assert_eq!(code(own).1, Some("IMMUTABLE_POLICY"));
}

#[tokio::test]
async fn a_disabled_type_bounds_nobody_and_is_attached_nowhere() {
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let logs = new_account(&world, "logs").await;
    let policy = scp(&world, "p", &deny("*")).await;
    attach(&world, &policy, &root).await.unwrap();
    assert!(!world.may(&Caller::root(logs), "s3:GetObject"));
    let whole = now(&world);
    world.change(|tx| Ok(policy_type::disable(tx, &whole, PolicyType::ServiceControl)?)).await.unwrap();
    assert!(world.may(&Caller::root(logs), "s3:GetObject"));
    assert!(attachment::targets(&world.state, &now(&world), &policy, noon()).unwrap().is_empty());
    assert_eq!(code(attach(&world, &policy, &root).await).0, "PolicyTypeNotEnabledException");
    let whole = now(&world);
    world.change(|tx| Ok(policy_type::enable(tx, &whole, PolicyType::ServiceControl)?)).await.unwrap();
    assert_eq!(attachment::targets(&world.state, &now(&world), FULL_ACCESS, noon()).unwrap().len(), 3);
    let again = now(&world);
    let again = world.change(|tx| Ok(policy_type::enable(tx, &again, PolicyType::ServiceControl)?)).await;
    assert_eq!(code(again).0, "PolicyTypeAlreadyEnabledException");
}

#[tokio::test]
async fn what_is_no_policy_and_what_is_too_much_is_refused() {
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let whole = now(&world);
    let create = |name: &'static str, content: String| {
        let whole = whole.clone();
        async move |world: &World| {
            let new = NewPolicy { name, description: "", content: &content, tags: &[] };
            world.change(|tx| Ok(policy::create(tx, &whole, &new)?)).await
        }
    };
    let long = document(&json!({ "Effect": "Deny", "Action": "*", "Resource": "x".repeat(5_120) }));
    assert_eq!(code(create("long", long)(&world).await).1, Some("POLICY_CONTENT_LIMIT_EXCEEDED"));
    for content in [
        "{}",
        "not json",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Principal":"*"}}"#,
    ] {
        let refused = create("malformed", content.to_owned())(&world).await;
        assert_eq!(code(refused).0, "MalformedPolicyDocumentException", "{content}");
    }
    for (i, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let made = create(name, document(&allow("*")))(&world).await.unwrap();
        attach(&world, &made.id, &root).await.unwrap_or_else(|error| panic!("{i}: {error}"));
    }
    assert_eq!(code(create("a", document(&allow("*")))(&world).await).0, "DuplicatePolicyException");
    let sixth = create("e", document(&allow("*")))(&world).await.unwrap();
    let refused = attach(&world, &sixth.id, &root).await;
    assert_eq!(code(refused).1, Some("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"));
    assert_eq!(code(attach(&world, "p-none123456", &root).await).0, "PolicyNotFoundException");
    assert_eq!(code(attach(&world, &sixth.id, "999999999999").await).0, "TargetNotFoundException");
}

fn statement() -> impl Strategy<Value = Value> {
    let action =
        select(vec!["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:Delete*", "iam:*", "cloudtrail:StopLogging"]);
    let resource = select(vec!["*", "arn:aws:s3:::a-bucket", "arn:aws:s3:::another"]);
    (select(vec!["Allow", "Deny"]), select(vec!["Action", "NotAction"]), action, resource).prop_map(
        |(effect, key, action, resource)| json!({ "Effect": effect, key: action, "Resource": resource }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_service_control_policy_never_adds_a_permission(
        own in prop::collection::vec(statement(), 1..3),
        policies in prop::collection::vec(prop::collection::vec(statement(), 1..3), 1..4),
        keeps_full_access: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let root = organization(&world).await.root.id;
            let logs = new_account(&world, "logs").await;
            let alice = world.caller(logs, "alice").await;
            let text = document(&json!(own));
            world.change(|tx| inline::put::<User>(tx, logs, "alice", "own", &text)).await.unwrap();
            let asks = ["s3:GetObject", "s3:DeleteObject", "iam:CreateUser", "cloudtrail:StopLogging"];
            let before: Vec<bool> = asks.iter().map(|ask| world.may(&alice, ask)).collect();
            for (i, statements) in policies.iter().enumerate() {
                let id = scp(&world, &format!("p{i}"), &json!(statements)).await;
                let target = if i % 2 == 0 { root.as_str() } else { logs.as_str() };
                attach(&world, &id, target).await.unwrap();
            }
            if !keeps_full_access {
                detach(&world, FULL_ACCESS, &root).await.unwrap();
            }
            for (ask, before) in asks.iter().zip(before) {
                assert!(before || !world.may(&alice, ask), "{ask} came by a service control policy");
            }
        });
    }
}

#[tokio::test]
async fn what_a_password_policy_lets_users_do_every_level_has_to_allow() {
    let world = World::new().await;
    organization(&world).await;
    let logs = new_account(&world, "logs").await;
    let alice = world.caller(logs, "alice").await;
    let Principal::User { arn, .. } = &alice.principal else { panic!("a user") };
    let lets = PasswordPolicy { allow_users_to_change: true, ..PasswordPolicy::default() };
    world.change(|tx| password_policy::put(tx, logs, lets)).await.unwrap();
    let resource_policy = password_policy::lets_users_change(&world.state, logs);
    let ask = |action| {
        world
            .identity
            .authorize(&alice, &Ask { action, resource: arn.as_str(), resource_policy, ..Ask::default() })
    };
    assert!(ask("iam:ChangePassword").is_allowed() && !ask("iam:CreateLoginProfile").is_allowed());
    let reading = scp(&world, "reading", &allow("s3:Get*")).await;
    attach(&world, &reading, logs.as_str()).await.unwrap();
    detach(&world, FULL_ACCESS, logs.as_str()).await.unwrap();
    let refused = message(ask("iam:ChangePassword"));
    assert!(refused.contains("because no service control policy allows"), "{refused}");
    assert!(password_policy::lets_users_change(&world.state, account()).is_none());
}

#[tokio::test]
async fn a_members_root_can_change_a_buckets_policy_only_where_service_control_policies_allow() {
    let world = World::new().await;
    organization(&world).await;
    let logs = new_account(&world, "logs").await;
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
    let shut = Policy::parse(text, PolicyKind::Resource).unwrap();
    let able = || {
        let found = world.identity.who_can(&WhoCanAsk {
            action: "s3:PutBucketPolicy",
            resource: "arn:aws:s3:::b",
            owner: Some(logs),
            resource_policy: Some((&shut, "b".to_owned())),
            resource_must_allow: false,
            facts: Context::new(),
            accounts: vec![logs],
            canonical_user: |account| account.to_string(),
            root_always_may: true,
            outsiders_kept_out: false,
            bucket: None,
        });
        found
            .able
            .into_iter()
            .filter(|able| able.detours.is_empty())
            .map(|able| able.principal)
            .collect::<Vec<_>>()
    };
    assert_eq!(able(), [format!("arn:aws:iam::{logs}:root")]);
    let keep = scp(&world, "keep", &deny("s3:PutBucketPolicy")).await;
    attach(&world, &keep, logs.as_str()).await.unwrap();
    assert_eq!(able(), Vec::<String>::new());
}
