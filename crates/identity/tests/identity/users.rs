//! Users, their tags, inline policies and keys.

use opentrail_identity::{
    AccessKeyStatus, IdentityError, KeyHolder, PageRequest, Tag, User, access_key, attach,
    error::{Conflict, Missing},
    group, inline, limits, user,
};

use crate::world::{World, account, allow, noon, policy};

#[tokio::test]
async fn a_user_is_as_it_was_created_also_after_a_restart() {
    let world = World::new().await;
    let tags = [Tag::new("team", "a")];
    let new = user::NewUser { name: "Alice", path: Some("/team/"), tags: &tags, permissions_boundary: None };
    let created = world.change(|tx| user::create(tx, account(), &new, noon())).await.unwrap();
    let world = world.reopened().await;
    let found = user::get(&world.state, account(), "Alice").unwrap();
    assert_eq!((&found.id, &found.path, &found.tags), (&created.id, &"/team/".to_owned(), &tags.to_vec()));
    assert_eq!(found.created_at, noon());
    assert!(found.id.starts_with("AIDA"));
    assert_eq!(opentrail_identity::Entity::arn(&*found), "arn:aws:iam::123456789012:user/team/Alice");
}

#[tokio::test]
async fn names_are_unique_whatever_their_case_but_found_only_in_their_own() {
    let world = World::new().await;
    world.user("alice").await;
    let new = user::NewUser { name: "ALICE", ..Default::default() };
    let refused = world.change(|tx| user::create(tx, account(), &new, noon())).await.unwrap_err();
    assert_eq!(refused.to_string(), "User with name ALICE already exists.");
    let missing = user::get(&world.state, account(), "Alice").unwrap_err();
    assert_eq!(missing.to_string(), "The user with name Alice cannot be found.");
}

#[tokio::test]
async fn a_user_of_another_account_is_not_there() {
    let world = World::new().await;
    world.user("alice").await;
    assert!(user::get(&world.state, crate::world::other_account(), "alice").is_err());
    world.user_of(crate::world::other_account(), "alice").await;
}

#[tokio::test]
async fn a_user_is_deleted_when_nothing_hangs_on_it() {
    let world = World::new().await;
    world.user("alice").await;
    let key = world.key(account(), "alice").await.key;
    world.change(|tx| group::create(tx, account(), "g", None, noon())).await.unwrap();
    world.change(|tx| group::add_user(tx, account(), "g", "alice")).await.unwrap();
    world
        .change(|tx| inline::put::<User>(tx, account(), "alice", "p", &policy(&allow("s3:*"))))
        .await
        .unwrap();
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    world.change(|tx| attach::attach::<User>(tx, account(), "alice", arn)).await.unwrap();

    let conflict = async |expected: Conflict| {
        let error = world.change(|tx| user::delete(tx, account(), "alice")).await.unwrap_err();
        assert!(matches!(error, IdentityError::DeleteConflict(found) if found == expected), "{error}");
    };
    conflict(Conflict::AttachedPolicies).await;
    world.change(|tx| attach::detach::<User>(tx, account(), "alice", arn)).await.unwrap();
    conflict(Conflict::InlinePolicies).await;
    world.change(|tx| inline::delete::<User>(tx, account(), "alice", "p")).await.unwrap();
    conflict(Conflict::AccessKeys).await;
    let holder = KeyHolder::User("alice");
    world.change(|tx| access_key::delete(tx, account(), holder, &key.id)).await.unwrap();
    conflict(Conflict::Memberships).await;
    world.change(|tx| group::remove_user(tx, account(), "g", "alice")).await.unwrap();
    world.change(|tx| user::delete(tx, account(), "alice")).await.unwrap();
    assert!(user::get(&world.state, account(), "alice").is_err());
}

#[tokio::test]
async fn a_renamed_user_keeps_keys_groups_and_policies() {
    let world = World::new().await;
    let before = world.user("alice").await;
    let key = world.key(account(), "alice").await.key;
    world.change(|tx| group::create(tx, account(), "g", None, noon())).await.unwrap();
    world.change(|tx| group::add_user(tx, account(), "g", "alice")).await.unwrap();
    world.change(|tx| user::update(tx, account(), "alice", Some("bob"), Some("/x/"))).await.unwrap();
    assert!(user::get(&world.state, account(), "alice").is_err());
    let bob = user::get(&world.state, account(), "bob").unwrap();
    assert_eq!((&bob.id, bob.path.as_str()), (&before.id, "/x/"));
    let caller = world.identity.credential(&key.id, None, noon()).unwrap().caller;
    assert_eq!(caller.principal.arn().unwrap().as_str(), "arn:aws:iam::123456789012:user/x/bob");
    let members = group::members(&world.state, account(), "g", PageRequest::default()).unwrap();
    assert_eq!(members.items.len(), 1);
}

#[tokio::test]
async fn a_user_may_change_only_the_case_of_its_name_but_not_take_anothers() {
    let world = World::new().await;
    world.user("alice").await;
    world.user("bob").await;
    world.change(|tx| user::update(tx, account(), "alice", Some("Alice"), None)).await.unwrap();
    let taken = world.change(|tx| user::update(tx, account(), "Alice", Some("BOB"), None)).await.unwrap_err();
    assert!(matches!(taken, IdentityError::AlreadyExists(_)));
    assert!(user::get(&world.state, account(), "Alice").is_ok());
}

#[tokio::test]
async fn users_are_listed_by_name_under_a_path_a_page_at_a_time() {
    let world = World::new().await;
    for (name, path) in [("c", "/x/"), ("A", "/x/"), ("b", "/x/y/"), ("d", "/")] {
        let new = user::NewUser { name, path: Some(path), ..Default::default() };
        world.change(|tx| user::create(tx, account(), &new, noon())).await.unwrap();
    }
    let names = |page: &opentrail_identity::Page<std::sync::Arc<User>>| {
        page.items.iter().map(|user| user.name.clone()).collect::<Vec<_>>()
    };
    let first = PageRequest { marker: None, max_items: Some(2) };
    let page = user::list(&world.state, account(), Some("/x/"), first).unwrap();
    assert_eq!(names(&page), ["A", "b"]);
    let second = PageRequest { marker: page.next.as_deref(), max_items: Some(2) };
    let page = user::list(&world.state, account(), Some("/x/"), second).unwrap();
    assert_eq!((names(&page), page.next), (vec!["c".to_owned()], None));
    assert_eq!(user::list(&world.state, account(), None, PageRequest::default()).unwrap().items.len(), 4);
    assert!(user::list(&world.state, account(), Some("x"), PageRequest::default()).is_err());
}

#[tokio::test]
async fn a_user_has_two_keys_at_most_and_its_own() {
    let world = World::new().await;
    world.user("alice").await;
    world.user("bob").await;
    let holder = KeyHolder::User("alice");
    let first = world.key(account(), "alice").await;
    world.key(account(), "alice").await;
    let refused =
        world.change(|tx| world.identity.create_access_key(tx, account(), holder, noon())).await.unwrap_err();
    assert_eq!(refused.to_string(), "Cannot exceed quota for AccessKeysPerUser: 2");
    assert_eq!((first.key.id.len(), first.secret.len()), (20, 40));
    let listed = access_key::list(&world.state, account(), holder, PageRequest::default()).unwrap().items;
    assert_eq!((listed.len(), &listed[0].id), (2, &first.key.id));
    let not_bobs = world
        .change(|tx| {
            access_key::update(
                tx,
                account(),
                KeyHolder::User("bob"),
                &first.key.id,
                AccessKeyStatus::Inactive,
                noon(),
            )
        })
        .await
        .unwrap_err();
    assert_eq!(not_bobs.to_string(), format!("The Access Key with id {} cannot be found.", first.key.id));
    assert_eq!(access_key::user_name(&world.state, &first.key).as_deref(), Some("alice"));
}

#[tokio::test]
async fn inline_policies_are_kept_as_they_came() {
    let world = World::new().await;
    world.user("alice").await;
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"}\n}\n";
    world.change(|tx| inline::put::<User>(tx, account(), "alice", "p", text)).await.unwrap();
    assert_eq!(inline::get::<User>(&world.state, account(), "alice", "p").unwrap().as_str(), text);
    let names = inline::list::<User>(&world.state, account(), "alice", PageRequest::default()).unwrap();
    assert_eq!(names.items, ["p"]);
    let missing = inline::get::<User>(&world.state, account(), "alice", "q").unwrap_err();
    assert_eq!(missing.to_string(), "The user policy with name q cannot be found.");
    for bad in ["", "{}", "[]", "nonsense", "{\"Version\":\"2012-10-17\"}"] {
        let refused =
            world.change(|tx| inline::put::<User>(tx, account(), "alice", "p", bad)).await.unwrap_err();
        assert!(
            matches!(refused, IdentityError::MalformedPolicy(_) | IdentityError::Validation(_)),
            "{bad}: {refused}"
        );
    }
}

#[tokio::test]
async fn inline_policies_of_a_user_are_limited_together_white_space_not_counted() {
    let world = World::new().await;
    world.user("alice").await;
    let sized = |chars: usize| {
        let bare = policy(&allow("s3:Get")).len();
        policy(&allow(&format!("s3:Get{}", "x".repeat(chars - bare))))
    };
    let put = async |name: &str, text: String| {
        world.change(|tx| inline::put::<User>(tx, account(), "alice", name, &text)).await
    };
    put("a", sized(1_000)).await.unwrap();
    put("b", format!("{}{}", sized(1_048), " ".repeat(5_000))).await.unwrap();
    let refused = put("c", sized(100)).await.unwrap_err();
    assert_eq!(refused.to_string(), "Maximum policy size of 2048 bytes exceeded for user alice");
    put("a", sized(900)).await.unwrap();
    put("c", sized(100)).await.unwrap();
}

#[tokio::test]
async fn a_users_tags_come_and_go() {
    let world = World::new().await;
    world.user("alice").await;
    let tags = [Tag::new("a", "1"), Tag::new("b", "2")];
    world.change(|tx| user::tag(tx, account(), "alice", &tags)).await.unwrap();
    world.change(|tx| user::untag(tx, account(), "alice", &["A"])).await.unwrap();
    assert_eq!(user::get(&world.state, account(), "alice").unwrap().tags, [Tag::new("b", "2")]);
}

#[tokio::test]
async fn a_boundary_must_be_a_policy_and_can_be_lifted_once() {
    let world = World::new().await;
    world.user("alice").await;
    let set = async |arn: Option<&str>| {
        world.change(|tx| user::set_permissions_boundary(tx, account(), "alice", arn)).await
    };
    assert!(matches!(set(Some("nonsense")).await, Err(IdentityError::InvalidInput(_))));
    let missing = set(Some("arn:aws:iam::aws:policy/NoSuchPolicy")).await.unwrap_err();
    assert!(matches!(missing, IdentityError::NoSuchEntity(Missing::Attachable(_))));
    set(Some("arn:aws:iam::aws:policy/ReadOnlyAccess")).await.unwrap();
    set(None).await.unwrap();
    assert!(matches!(set(None).await, Err(IdentityError::NoSuchEntity(Missing::Boundary(..)))));
}

#[tokio::test]
async fn ten_managed_policies_fit_on_a_user() {
    let world = World::new().await;
    world.user("alice").await;
    let mut tx = world.state.begin().await;
    for i in 0..=limits::ATTACHED_PER_ENTITY {
        let (name, document) = (format!("p{i}"), policy(&allow("s3:*")));
        let new = opentrail_identity::managed_policy::NewPolicy {
            name: &name,
            document: &document,
            ..Default::default()
        };
        let created = opentrail_identity::managed_policy::create(&mut tx, account(), &new, noon()).unwrap();
        let attached = attach::attach::<User>(&mut tx, account(), "alice", &created.arn);
        assert_eq!(attached.is_ok(), i < limits::ATTACHED_PER_ENTITY, "{attached:?}");
    }
    let first = "arn:aws:iam::123456789012:policy/p0";
    attach::attach::<User>(&mut tx, account(), "alice", first).unwrap();
    let listed =
        attach::list_attached::<User>(&tx, account(), "alice", None, PageRequest::default()).unwrap();
    assert_eq!(listed.items.len(), limits::ATTACHED_PER_ENTITY);
}
