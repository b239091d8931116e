//! Who may do what.

use std::sync::Arc;

use opentrail_identity::{
    Ask, Caller, Group, PolicyText, RequestFacts, Tag, User, Verdict, attach, group, inline,
    managed_policy::{self, NewPolicy},
    user,
};
use opentrail_policy::{Context, Policy, PolicyKind};
use serde_json::{Value, json};

use crate::world::{World, account, allow, deny, noon, other_account, policy};

fn bucket_policy(effect: &str, principal: Value) -> Policy {
    let statement = json!({ "Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "arn:aws:s3:::a-bucket" });
    Policy::parse(&policy(&statement), PolicyKind::Resource).unwrap()
}

fn message(verdict: Verdict) -> String {
    verdict.into_result().unwrap_err().to_string()
}

#[tokio::test]
async fn nobody_may_anything_until_it_is_allowed() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let refused = world.ask(&caller, "iam:CreateUser", "arn:aws:iam::123456789012:user/bob");
    assert_eq!(
        message(refused),
        "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:CreateUser on resource: \
         arn:aws:iam::123456789012:user/bob because no identity-based policy allows the iam:CreateUser action"
    );
    world.user_may(account(), "alice", allow("iam:CreateUser")).await;
    assert!(world.ask(&caller, "iam:CreateUser", "arn:aws:iam::123456789012:user/bob").is_allowed());
    assert!(!world.ask(&caller, "iam:DeleteUser", "arn:aws:iam::123456789012:user/bob").is_allowed());
}

#[tokio::test]
async fn a_deny_outweighs_every_allow() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", json!([allow("*"), deny("s3:Delete*")])).await;
    assert!(world.may(&caller, "s3:GetObject"));
    let refused = world.ask(&caller, "s3:DeleteBucket", "arn:aws:s3:::a-bucket");
    assert_eq!(
        message(refused),
        "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: s3:DeleteBucket on resource: \
         arn:aws:s3:::a-bucket with an explicit deny in an identity-based policy"
    );
}

#[tokio::test]
async fn root_may_everything_that_nothing_denies() {
    let world = World::new().await;
    let root = Caller::root(account());
    assert!(world.may(&root, "s3:DeleteBucket"));
    let policy = bucket_policy("Deny", json!("*"));
    let ask = Ask {
        action: "s3:DeleteBucket",
        resource: "arn:aws:s3:::a-bucket",
        resource_policy: Some(&policy),
        ..Ask::default()
    };
    assert!(
        message(world.identity.authorize(&root, &ask))
            .ends_with("with an explicit deny in a resource-based policy")
    );
}

#[tokio::test]
async fn permissions_come_from_groups_and_managed_policies_and_go_with_them() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    world.change(|tx| group::create(tx, account(), "g", None, noon())).await.unwrap();
    world
        .change(|tx| inline::put::<Group>(tx, account(), "g", "p", &policy(&allow("s3:Get*"))))
        .await
        .unwrap();
    assert!(!world.may(&caller, "s3:GetObject"));
    world.change(|tx| group::add_user(tx, account(), "g", "alice")).await.unwrap();
    assert!(world.may(&caller, "s3:GetObject"));
    world.change(|tx| group::remove_user(tx, account(), "g", "alice")).await.unwrap();
    assert!(!world.may(&caller, "s3:GetObject"));

    let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", arn)).await.unwrap();
    assert!(world.may(&caller, "s3:GetObject") && !world.may(&caller, "s3:PutObject"));
    world.change(|tx| attach::detach::<User>(tx, account(), "alice", arn)).await.unwrap();
    assert!(!world.may(&caller, "s3:GetObject"));
}

#[tokio::test]
async fn the_version_in_force_decides() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let document = policy(&allow("s3:Get*"));
    let new = NewPolicy { name: "p", document: &document, ..Default::default() };
    let arn = world.change(|tx| managed_policy::create(tx, account(), &new, noon())).await.unwrap().arn;
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", &arn)).await.unwrap();
    let text = policy(&allow("s3:Put*"));
    world
        .change(|tx| managed_policy::create_version(tx, account(), &arn, &text, false, noon()))
        .await
        .unwrap();
    assert!(world.may(&caller, "s3:GetObject") && !world.may(&caller, "s3:PutObject"));
    world.change(|tx| managed_policy::set_default_version(tx, account(), &arn, "v2")).await.unwrap();
    assert!(!world.may(&caller, "s3:GetObject") && world.may(&caller, "s3:PutObject"));
}

#[tokio::test]
async fn a_boundary_bounds_what_policies_allow() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", allow("*")).await;
    let boundary = Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    world.change(|tx| user::set_permissions_boundary(tx, account(), "alice", boundary)).await.unwrap();
    assert!(world.may(&caller, "s3:GetObject"));
    let refused = message(world.ask(&caller, "s3:PutObject", "arn:aws:s3:::a-bucket"));
    assert!(refused.ends_with("because no permissions boundary allows the s3:PutObject action"), "{refused}");
}

#[tokio::test]
async fn between_accounts_both_sides_must_allow() {
    let world = World::new().await;
    let caller = world.caller(other_account(), "alice").await;
    let granting = bucket_policy("Allow", json!({ "AWS": "arn:aws:iam::210987654321:user/alice" }));
    let may = |resource_policy: Option<&Policy>| {
        let ask = Ask {
            action: "s3:ListBucket",
            resource: "arn:aws:s3:::a-bucket",
            resource_policy,
            resource_account: Some(account()),
            ..Ask::default()
        };
        world.identity.authorize(&caller, &ask)
    };
    assert!(!may(Some(&granting)).is_allowed());
    world.user_may(other_account(), "alice", allow("s3:*")).await;
    assert!(may(Some(&granting)).is_allowed());
    // Another account is not told why.
    assert_eq!(
        message(may(None)),
        "User: arn:aws:iam::210987654321:user/alice is not authorized to perform: s3:ListBucket on resource: \
         arn:aws:s3:::a-bucket"
    );
}

#[tokio::test]
async fn within_an_account_the_resources_grant_to_the_user_is_enough_but_not_one_to_the_account() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let may = |policy: &Policy| {
        let ask = Ask {
            action: "s3:ListBucket",
            resource: "arn:aws:s3:::a-bucket",
            resource_policy: Some(policy),
            resource_account: Some(account()),
            ..Ask::default()
        };
        world.identity.authorize(&caller, &ask).is_allowed()
    };
    assert!(may(&bucket_policy("Allow", json!({ "AWS": "arn:aws:iam::123456789012:user/alice" }))));
    assert!(!may(&bucket_policy("Allow", json!({ "AWS": "123456789012" }))));
}

#[tokio::test]
async fn services_and_anonymous_callers_have_only_what_the_resource_gives() {
    let world = World::new().await;
    let service = Caller::service("cloudtrail.amazonaws.com");
    let anonymous = Caller::anonymous();
    let for_service = bucket_policy("Allow", json!({ "Service": "cloudtrail.amazonaws.com" }));
    let for_all = bucket_policy("Allow", json!("*"));
    let may = |caller: &Caller, policy: Option<&Policy>| {
        let ask = Ask {
            action: "s3:PutObject",
            resource: "arn:aws:s3:::a-bucket",
            resource_policy: policy,
            resource_account: Some(account()),
            ..Ask::default()
        };
        world.identity.authorize(caller, &ask).is_allowed()
    };
    assert!(may(&service, Some(&for_service)) && !may(&service, None));
    assert!(
        may(&anonymous, Some(&for_all)) && !may(&anonymous, Some(&for_service)) && !may(&anonymous, None)
    );
}

#[tokio::test]
async fn conditions_see_the_caller_and_the_request() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    world.change(|tx| user::tag(tx, account(), "alice", &[Tag::new("Team", "blue")])).await.unwrap();
    let statement = json!({
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a-bucket/${aws:username}/*",
        "Condition": {
            "StringEquals": { "aws:PrincipalTag/team": "blue", "aws:PrincipalAccount": "123456789012",
                              "aws:PrincipalType": "User", "aws:RequestedRegion": "us-east-1" },
            "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::123456789012:user/alice" },
            "IpAddress": { "aws:SourceIp": "10.0.0.0/8" },
            "Bool": { "aws:SecureTransport": "true" },
            "DateLessThan": { "aws:CurrentTime": "2026-11-21T12:00:01Z" },
            "Null": { "aws:MultiFactorAuthPresent": "true", "aws:TokenIssueTime": "true" }
        }
    });
    world.user_may(account(), "alice", statement).await;
    let facts = RequestFacts {
        at: noon(),
        source_ip: Some("10.1.2.3".parse().unwrap()),
        secure_transport: true,
        user_agent: Some("aws-cli/2"),
        referer: None,
        region: Some("us-east-1"),
    };
    let may = |context: Context, resource: &str| {
        let ask = Ask { action: "s3:GetObject", resource, context, ..Ask::default() };
        world.identity.authorize(&caller, &ask).is_allowed()
    };
    assert!(may(facts.context(), "arn:aws:s3:::a-bucket/alice/x"));
    assert!(!may(facts.context(), "arn:aws:s3:::a-bucket/bob/x"));
    let elsewhere = RequestFacts { source_ip: Some("11.1.2.3".parse().unwrap()), ..facts };
    assert!(!may(elsewhere.context(), "arn:aws:s3:::a-bucket/alice/x"));
    // What a request brings along does not pass for the caller's own nature.
    let forged = facts
        .context()
        .with("aws:username", "bob")
        .with("aws:PrincipalTag/Team", "red")
        .with("aws:PrincipalTag/none", "x");
    assert!(!may(forged.clone(), "arn:aws:s3:::a-bucket/bob/x"));
    assert!(may(forged, "arn:aws:s3:::a-bucket/alice/x"));
    let seen = world.identity.context(&caller, &facts.context().with("aws:PrincipalTag/none", "x"));
    assert_eq!(seen.get("aws:PrincipalTag/none"), None);
    assert_eq!(seen.single("aws:userid"), caller.principal.principal_id().as_deref());
}

#[tokio::test]
async fn a_user_that_is_gone_may_nothing() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", allow("*")).await;
    world.change(|tx| user::update(tx, account(), "alice", Some("bob"), None)).await.unwrap();
    assert!(!world.may(&caller, "s3:GetObject"));
}

#[test]
fn a_policys_text_is_shared_not_copied() {
    let text = PolicyText::new("policyDocument", &policy(&allow("s3:*")), PolicyKind::Identity).unwrap();
    let copy = text.clone();
    assert!(std::ptr::eq(text.as_str(), copy.as_str()));
    let _: Arc<PolicyText> = Arc::new(copy);
}

#[tokio::test]
async fn a_denial_names_the_managed_policy_that_denies() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let document = policy(&deny("s3:DeleteBucket"));
    let new = NewPolicy { name: "keep", document: &document, ..NewPolicy::default() };
    let arn = world.change(|tx| managed_policy::create(tx, account(), &new, noon())).await.unwrap().arn;
    world.user_may(account(), "alice", allow("*")).await;
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", &arn)).await.unwrap();
    let refused = message(world.ask(&caller, "s3:DeleteBucket", "arn:aws:s3:::a-bucket"));
    assert!(
        refused.ends_with(&format!(" with an explicit deny in an identity-based policy: {arn}")),
        "{refused}"
    );
    // An inline policy has no ARN.
    world.user_may(account(), "alice", deny("s3:PutBucketPolicy")).await;
    let refused = message(world.ask(&caller, "s3:PutBucketPolicy", "arn:aws:s3:::a-bucket"));
    assert!(refused.ends_with(" with an explicit deny in an identity-based policy"), "{refused}");
}

#[tokio::test]
async fn a_request_cannot_bring_along_who_calls_or_where_it_belongs() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let mut brought = Context::new();
    for key in
        ["aws:PrincipalOrgID", "aws:ResourceOrgID", "aws:PrincipalTag/team", "aws:userid", "aws:PrincipalArn"]
    {
        brought.set(key, "forged");
    }
    brought.set("aws:ResourceAccount", other_account().as_str());
    brought.set_many("aws:PrincipalOrgPaths", ["o-1/r-1/"]);
    let context = world.identity.context(&caller, &brought);
    for key in ["aws:PrincipalOrgID", "aws:ResourceOrgID", "aws:PrincipalTag/team", "aws:PrincipalOrgPaths"] {
        assert_eq!(context.get(key), None, "{key}");
    }
    assert_eq!(context.single("aws:PrincipalArn"), Some("arn:aws:iam::123456789012:user/alice"));
    assert_eq!(context.single("aws:ResourceAccount"), Some(account().as_str()));
}
