//! Groups and who is in them.

use opentrail_identity::{
    Group, IdentityError, PageRequest,
    error::{Conflict, Missing},
    group, inline, limits,
};

use crate::world::{World, account, allow, noon, policy};

async fn world_with_group() -> World {
    let world = World::new().await;
    world.user("alice").await;
    world.change(|tx| group::create(tx, account(), "Admins", Some("/ops/"), noon())).await.unwrap();
    world.change(|tx| group::add_user(tx, account(), "Admins", "alice")).await.unwrap();
    world
}

#[tokio::test]
async fn a_group_knows_its_users_and_a_user_its_groups() {
    let world = world_with_group().await;
    // Being added again changes nothing.
    world.change(|tx| group::add_user(tx, account(), "Admins", "alice")).await.unwrap();
    let members = group::members(&world.state, account(), "Admins", PageRequest::default()).unwrap();
    assert_eq!(members.items.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["alice"]);
    let groups = group::of_user(&world.state, account(), "alice", PageRequest::default()).unwrap();
    assert_eq!(groups.items.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["Admins"]);
}

#[tokio::test]
async fn a_renamed_group_keeps_its_users() {
    let world = world_with_group().await;
    world.change(|tx| group::update(tx, account(), "Admins", Some("operators"), None)).await.unwrap();
    let groups = group::of_user(&world.state, account(), "alice", PageRequest::default()).unwrap();
    assert_eq!(groups.items[0].name, "operators");
    assert!(group::get(&world.state, account(), "Admins").is_err());
}

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty() {
    let world = world_with_group().await;
    world
        .change(|tx| inline::put::<Group>(tx, account(), "Admins", "p", &policy(&allow("s3:*"))))
        .await
        .unwrap();
    let refused = world.change(|tx| group::delete(tx, account(), "Admins")).await.unwrap_err();
    assert!(matches!(refused, IdentityError::DeleteConflict(Conflict::InlinePolicies)));
    world.change(|tx| inline::delete::<Group>(tx, account(), "Admins", "p")).await.unwrap();
    let refused = world.change(|tx| group::delete(tx, account(), "Admins")).await.unwrap_err();
    assert!(matches!(refused, IdentityError::DeleteConflict(Conflict::Members)));
    world.change(|tx| group::remove_user(tx, account(), "Admins", "alice")).await.unwrap();
    let gone = world.change(|tx| group::remove_user(tx, account(), "Admins", "alice")).await.unwrap_err();
    assert!(matches!(gone, IdentityError::NoSuchEntity(Missing::Membership(..))));
    world.change(|tx| group::delete(tx, account(), "Admins")).await.unwrap();
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let world = World::new().await;
    world.user("alice").await;
    let mut tx = world.state.begin().await;
    for i in 0..=limits::GROUPS_PER_USER {
        let name = format!("g{i}");
        group::create(&mut tx, account(), &name, None, noon()).unwrap();
        let added = group::add_user(&mut tx, account(), &name, "alice");
        assert_eq!(added.is_ok(), i < limits::GROUPS_PER_USER);
    }
}

#[tokio::test]
async fn an_account_has_three_hundred_groups_at_most() {
    let world = World::new().await;
    let mut tx = world.state.begin().await;
    for i in 0..limits::GROUPS_PER_ACCOUNT {
        group::create(&mut tx, account(), &format!("g{i}"), None, noon()).unwrap();
    }
    let refused = group::create(&mut tx, account(), "one-more", None, noon()).unwrap_err();
    assert_eq!(refused.to_string(), "Cannot exceed quota for GroupsPerAccount: 300");
}
