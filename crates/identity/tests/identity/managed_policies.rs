//! Managed policies, their versions, and what they are attached to.

use opentrail_identity::{
    EntityKind, Group, IdentityError, PageRequest, Role, Tag, User, account_summary,
    attach::{self, EntityFilter, PolicyUsage},
    error::{Conflict, InvalidInput},
    group,
    managed_policy::{self, NewPolicy, PolicyFilter, PolicyScope, PolicySummary},
    user,
};

use crate::world::{World, account, allow, noon, other_account, policy, trust};

async fn create(world: &World, name: &str) -> PolicySummary {
    let document = policy(&allow("s3:Get*"));
    let new = NewPolicy { name, document: &document, description: Some("d"), ..Default::default() };
    world.change(|tx| managed_policy::create(tx, account(), &new, noon())).await.unwrap()
}

#[tokio::test]
async fn a_policy_is_found_by_its_whole_arn_only() {
    let world = World::new().await;
    let document = policy(&allow("s3:Get*"));
    let new = NewPolicy { name: "Read", path: Some("/team/"), document: &document, ..Default::default() };
    let created = world.change(|tx| managed_policy::create(tx, account(), &new, noon())).await.unwrap();
    assert_eq!(created.arn, "arn:aws:iam::123456789012:policy/team/Read");
    assert_eq!((created.default_version_id.as_str(), created.attachment_count), ("v1", 0));
    assert_eq!(managed_policy::get(&world.state, account(), &created.arn).unwrap(), created);
    for wrong in ["arn:aws:iam::123456789012:policy/Read", "arn:aws:iam::123456789012:policy/team/read"] {
        let missing = managed_policy::get(&world.state, account(), wrong).unwrap_err();
        assert_eq!(missing.to_string(), format!("Policy {wrong} was not found."));
    }
    assert!(managed_policy::get(&world.state, other_account(), &created.arn).is_err());
    for nonsense in
        ["x", "arn:aws:s3:::b", "arn:aws:iam::123456789012:policy", "arn:aws:iam::123456789012:user/x"]
    {
        let refused = managed_policy::get(&world.state, account(), nonsense).unwrap_err();
        assert!(matches!(refused, IdentityError::InvalidInput(InvalidInput::PolicyArn(_))), "{nonsense}");
    }
    let again = NewPolicy { name: "READ", document: &document, ..Default::default() };
    let taken = world.change(|tx| managed_policy::create(tx, account(), &again, noon())).await.unwrap_err();
    assert_eq!(taken.to_string(), "A policy called READ already exists. Duplicate names are not allowed.");
}

#[tokio::test]
async fn five_versions_are_kept_and_their_numbers_never_used_again() {
    let world = World::new().await;
    let arn = create(&world, "p").await.arn;
    let add = async |default: bool| {
        let text = policy(&allow("s3:Put*"));
        world.change(|tx| managed_policy::create_version(tx, account(), &arn, &text, default, noon())).await
    };
    for _ in 2..=5 {
        add(false).await.unwrap();
    }
    let full = add(true).await.unwrap_err();
    assert!(full.to_string().starts_with("A managed policy can have up to 5 versions."), "{full}");
    let delete = async |version: &str| {
        world.change(|tx| managed_policy::delete_version(tx, account(), &arn, version)).await
    };
    assert!(matches!(delete("v1").await, Err(IdentityError::DeleteConflict(Conflict::DefaultVersion))));
    delete("v5").await.unwrap();
    assert!(matches!(delete("v5").await, Err(IdentityError::NoSuchEntity(_))));
    let newest = add(true).await.unwrap();
    assert_eq!((newest.version_id.as_str(), newest.is_default), ("v6", true));
    let versions =
        managed_policy::list_versions(&world.state, account(), &arn, PageRequest::default()).unwrap();
    let ids: Vec<_> = versions.items.iter().map(|v| v.version_id.as_str()).collect();
    assert_eq!(ids, ["v1", "v2", "v3", "v4", "v6"]);
    world.change(|tx| managed_policy::set_default_version(tx, account(), &arn, "v2")).await.unwrap();
    assert!(managed_policy::get_version(&world.state, account(), &arn, "v2").unwrap().is_default);
    for bad in ["", "2", "v0", "v-1", "v+1", "v99999999999"] {
        let refused = managed_policy::get_version(&world.state, account(), &arn, bad).unwrap_err();
        assert!(matches!(refused, IdentityError::Validation(_)), "{bad}");
    }
}

#[tokio::test]
async fn a_policy_in_use_or_with_versions_is_not_deleted() {
    let world = World::new().await;
    world.user("alice").await;
    let arn = create(&world, "p").await.arn;
    let delete = async || world.change(|tx| managed_policy::delete(tx, account(), &arn)).await;
    world.change(|tx| user::set_permissions_boundary(tx, account(), "alice", Some(&arn))).await.unwrap();
    assert!(matches!(delete().await, Err(IdentityError::DeleteConflict(Conflict::PolicyInUse))));
    world.change(|tx| user::set_permissions_boundary(tx, account(), "alice", None)).await.unwrap();
    let text = policy(&allow("s3:Put*"));
    world
        .change(|tx| managed_policy::create_version(tx, account(), &arn, &text, true, noon()))
        .await
        .unwrap();
    assert!(matches!(delete().await, Err(IdentityError::DeleteConflict(Conflict::PolicyVersions))));
    world.change(|tx| managed_policy::delete_version(tx, account(), &arn, "v1")).await.unwrap();
    delete().await.unwrap();
    assert!(delete().await.is_err());
}

#[tokio::test]
async fn it_is_known_what_a_policy_is_attached_to() {
    let world = World::new().await;
    world.user("alice").await;
    world.user("bob").await;
    world.role("r", &trust("123456789012")).await;
    world.change(|tx| group::create(tx, account(), "g", None, noon())).await.unwrap();
    let arn = create(&world, "p").await.arn;
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", &arn)).await.unwrap();
    world.change(|tx| attach::attach::<Role>(tx, account(), "r", &arn)).await.unwrap();
    world.change(|tx| attach::attach::<Group>(tx, account(), "g", &arn)).await.unwrap();
    world.change(|tx| user::set_permissions_boundary(tx, account(), "bob", Some(&arn))).await.unwrap();

    let summary = managed_policy::get(&world.state, account(), &arn).unwrap();
    assert_eq!((summary.attachment_count, summary.permissions_boundary_usage_count), (3, 1));
    let entities = |filter: EntityFilter<'_>| {
        let page = PageRequest::default();
        let found = attach::entities_for_policy(&world.state, account(), &arn, filter, page).unwrap();
        found.items.into_iter().map(|entity| (entity.kind, entity.name)).collect::<Vec<_>>()
    };
    let named = |kind, name: &str| (kind, name.to_owned());
    let (group, role) = (named(EntityKind::Group, "g"), named(EntityKind::Role, "r"));
    let (alice, bob) = (named(EntityKind::User, "alice"), named(EntityKind::User, "bob"));
    assert_eq!(entities(EntityFilter::default()), [group, role, alice.clone(), bob.clone()]);
    let users = EntityFilter { kind: Some(EntityKind::User), ..Default::default() };
    assert_eq!(entities(users), [alice, bob.clone()]);
    let bounded = EntityFilter { usage: Some(PolicyUsage::PermissionsBoundary), ..Default::default() };
    assert_eq!(entities(bounded), [bob]);
}

#[tokio::test]
async fn lists_tell_the_accounts_policies_from_aws() {
    let world = World::new().await;
    world.user("alice").await;
    create(&world, "mine").await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", admin)).await.unwrap();
    let list = |filter: PolicyFilter<'_>| {
        let all = managed_policy::list(&world.state, account(), filter, PageRequest::default()).unwrap();
        all.items.into_iter().map(|policy| policy.name).collect::<Vec<_>>()
    };
    assert_eq!(list(PolicyFilter { scope: PolicyScope::Local, ..Default::default() }), ["mine"]);
    assert_eq!(list(PolicyFilter { only_attached: true, ..Default::default() }), ["AdministratorAccess"]);
    let aws = list(PolicyFilter { scope: PolicyScope::Aws, ..Default::default() });
    for name in ["AdministratorAccess", "AmazonS3FullAccess", "AWSCloudTrail_FullAccess", "IAMReadOnlyAccess"]
    {
        assert!(aws.iter().any(|found| found == name), "{name}");
    }
    assert_eq!(list(PolicyFilter::default()).len(), aws.len() + 1);
}

#[tokio::test]
async fn aws_policies_are_read_and_attached_but_not_changed() {
    let world = World::new().await;
    let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    assert!(managed_policy::get(&world.state, account(), arn).unwrap().id.starts_with("ANPA"));
    assert!(
        managed_policy::get_version(&world.state, account(), arn, "v1").unwrap().document.contains("s3:Get*")
    );
    let text = policy(&allow("*"));
    let refused = world
        .change(|tx| managed_policy::create_version(tx, account(), arn, &text, true, noon()))
        .await
        .unwrap_err();
    assert!(matches!(refused, IdentityError::InvalidInput(InvalidInput::AwsManagedPolicy(_))));
    assert!(world.change(|tx| managed_policy::delete(tx, account(), arn)).await.is_err());
}

#[tokio::test]
async fn a_policy_is_limited_in_size_and_of_the_current_version() {
    let world = World::new().await;
    let create = async |document: String| {
        let new = NewPolicy { name: "p", document: &document, ..Default::default() };
        world.change(|tx| managed_policy::create(tx, account(), &new, noon())).await
    };
    let large = create(policy(&allow(&format!("s3:{}", "x".repeat(6_144))))).await.unwrap_err();
    assert_eq!(large.to_string(), "Cannot exceed quota for PolicySize: 6144");
    let old = create(policy(&allow("s3:*")).replace("2012-10-17", "2008-10-17")).await.unwrap_err();
    assert!(matches!(old, IdentityError::MalformedPolicy(_)));
    create(format!("{}{}", policy(&allow("s3:*")), " ".repeat(10_000))).await.unwrap();
}

#[tokio::test]
async fn a_policys_tags_come_and_go_and_the_account_is_counted() {
    let world = World::new().await;
    let arn = create(&world, "p").await.arn;
    world.change(|tx| managed_policy::tag(tx, account(), &arn, &[Tag::new("a", "1")])).await.unwrap();
    assert_eq!(managed_policy::get(&world.state, account(), &arn).unwrap().tags, [Tag::new("a", "1")]);
    world.change(|tx| managed_policy::untag(tx, account(), &arn, &["a"])).await.unwrap();
    assert!(managed_policy::get(&world.state, account(), &arn).unwrap().tags.is_empty());
    let summary = account_summary::of(&world.state, account());
    let figure = |name: &str| summary.iter().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!((figure("Policies"), figure("PolicyVersionsInUse"), figure("Users")), (1, 1, 0));
}
