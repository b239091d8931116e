//! Roles and whom they trust.

use opentrail_identity::{IdentityError, Role, Tag, attach, error::Conflict, inline, role};
use serde_json::json;

use crate::world::{World, account, allow, noon, policy, trust};

#[tokio::test]
async fn a_role_is_as_it_was_created_and_changed() {
    let world = World::new().await;
    let (document, tags) = (trust("123456789012").to_string(), [Tag::new("team", "a")]);
    let new = role::NewRole {
        name: "Deploy",
        path: Some("/ci/"),
        trust_policy: &document,
        description: Some("deploys"),
        max_session_duration: Some(7_200),
        permissions_boundary: Some("arn:aws:iam::aws:policy/ReadOnlyAccess"),
        tags: &tags,
    };
    world.change(|tx| role::create(tx, account(), &new, noon())).await.unwrap();
    world.change(|tx| role::update(tx, account(), "Deploy", Some("builds"), Some(43_200))).await.unwrap();
    let world = world.reopened().await;
    let found = role::get(&world.state, account(), "Deploy").unwrap();
    assert!(found.id.starts_with("AROA"));
    assert_eq!(found.trust_policy.as_str(), document);
    assert_eq!((found.description.as_deref(), found.max_session_duration), (Some("builds"), 43_200));
    assert_eq!(found.permissions_boundary.as_deref(), Some("arn:aws:iam::aws:policy/ReadOnlyAccess"));
    assert_eq!(opentrail_identity::Entity::arn(&*found), "arn:aws:iam::123456789012:role/ci/Deploy");
}

#[tokio::test]
async fn a_role_of_wrong_form_is_refused() {
    let world = World::new().await;
    let document = trust("123456789012").to_string();
    let good = role::NewRole { name: "r", trust_policy: &document, ..Default::default() };
    let long = "x".repeat(1_001);
    for bad in [
        role::NewRole { name: "a b", ..good.clone() },
        role::NewRole { name: &long[..65], ..good.clone() },
        role::NewRole { path: Some("x"), ..good.clone() },
        role::NewRole { max_session_duration: Some(3_599), ..good.clone() },
        role::NewRole { max_session_duration: Some(43_201), ..good.clone() },
        role::NewRole { description: Some(&long), ..good.clone() },
        role::NewRole { description: Some("\u{1}"), ..good.clone() },
    ] {
        let refused = world.change(|tx| role::create(tx, account(), &bad, noon())).await.unwrap_err();
        assert!(matches!(refused, IdentityError::Validation(_)), "{bad:?}: {refused}");
    }
    let identity_policy = policy(&allow("s3:*"));
    let wrong_kind = role::NewRole { trust_policy: &identity_policy, ..good.clone() };
    let refused = world.change(|tx| role::create(tx, account(), &wrong_kind, noon())).await.unwrap_err();
    assert!(matches!(refused, IdentityError::MalformedPolicy(_)), "{refused}");
}

#[tokio::test]
async fn a_trust_policy_names_users_and_roles_that_there_are() {
    let world = World::new().await;
    let document = trust("arn:aws:iam::123456789012:user/alice").to_string();
    let new = role::NewRole { name: "r", trust_policy: &document, ..Default::default() };
    let refused = world.change(|tx| role::create(tx, account(), &new, noon())).await.unwrap_err();
    assert_eq!(refused.to_string(), "Invalid principal in policy: \"arn:aws:iam::123456789012:user/alice\"");
    world.user("alice").await;
    world.change(|tx| role::create(tx, account(), &new, noon())).await.unwrap();
    // Whether another account's are there cannot be known.
    let elsewhere = trust("arn:aws:iam::999999999999:role/x").to_string();
    world.change(|tx| role::update_trust_policy(tx, account(), "r", &elsewhere)).await.unwrap();
}

#[tokio::test]
async fn a_trust_policy_is_limited_in_size() {
    let world = World::new().await;
    world.role("r", &trust("123456789012")).await;
    let sids: Vec<_> = (0..20)
        .map(|i| {
            json!({ "Sid": format!("S{i}{}", "x".repeat(100)), "Effect": "Allow", "Principal": { "AWS": "*" },
                    "Action": "sts:AssumeRole" })
        })
        .collect();
    let large = json!({ "Version": "2012-10-17", "Statement": sids }).to_string();
    let refused = world.change(|tx| role::update_trust_policy(tx, account(), "r", &large)).await.unwrap_err();
    assert_eq!(refused.to_string(), "Cannot exceed quota for ACLSizePerRole: 2048");
}

#[tokio::test]
async fn a_role_is_deleted_when_its_policies_are_gone() {
    let world = World::new().await;
    world.role("r", &trust("123456789012")).await;
    let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    world.change(|tx| attach::attach::<Role>(tx, account(), "r", arn)).await.unwrap();
    world.change(|tx| inline::put::<Role>(tx, account(), "r", "p", &policy(&allow("s3:*")))).await.unwrap();
    let refused = world.change(|tx| role::delete(tx, account(), "r")).await.unwrap_err();
    assert!(matches!(refused, IdentityError::DeleteConflict(Conflict::AttachedPolicies)));
    world.change(|tx| attach::detach::<Role>(tx, account(), "r", arn)).await.unwrap();
    let again = world.change(|tx| attach::detach::<Role>(tx, account(), "r", arn)).await.unwrap_err();
    assert_eq!(again.to_string(), format!("Policy {arn} was not found."));
    let refused = world.change(|tx| role::delete(tx, account(), "r")).await.unwrap_err();
    assert!(matches!(refused, IdentityError::DeleteConflict(Conflict::InlinePolicies)));
    world.change(|tx| inline::delete::<Role>(tx, account(), "r", "p")).await.unwrap();
    world.change(|tx| role::delete(tx, account(), "r")).await.unwrap();
    assert_eq!(
        role::get(&world.state, account(), "r").unwrap_err().to_string(),
        "The role with name r cannot be found."
    );
}

#[tokio::test]
async fn a_roles_tags_come_and_go() {
    let world = World::new().await;
    world.role("r", &trust("123456789012")).await;
    world.change(|tx| role::tag(tx, account(), "r", &[Tag::new("a", "1")])).await.unwrap();
    world.change(|tx| role::untag(tx, account(), "r", &["a", "b"])).await.unwrap();
    assert!(role::get(&world.state, account(), "r").unwrap().tags.is_empty());
    let twice = [Tag::new("a", "1"), Tag::new("A", "2")];
    let refused = world.change(|tx| role::tag(tx, account(), "r", &twice)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    );
}
