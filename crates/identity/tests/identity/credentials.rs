//! From access keys to callers.

use chrono::TimeDelta;
use opentrail_identity::{AccessKeyStatus, CredentialError, IdentityError, KeyHolder, access_key, user};

use crate::world::{World, account, noon, other_account};

fn reason<T>(result: Result<T, IdentityError>) -> CredentialError {
    match result {
        Err(IdentityError::Credential(reason)) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the credentials were accepted"),
    }
}

#[tokio::test]
async fn a_key_leads_to_its_secret_and_user() {
    let world = World::new().await;
    world.user("alice").await;
    let key = world.key(account(), "alice").await;
    for _ in 0..2 {
        let found = world.identity.credential(&key.key.id, None, noon()).unwrap();
        assert_eq!(*found.secret, *key.secret);
        assert_eq!(found.caller.principal.user_name(), Some("alice"));
        assert_eq!(found.caller.access_key_id.as_deref(), Some(key.key.id.as_str()));
    }
    let world = world.reopened().await;
    assert_eq!(*world.identity.credential(&key.key.id, None, noon()).unwrap().secret, *key.secret);
    assert_eq!(access_key::account_of(&world.state, &key.key.id), Some(account()));
}

#[tokio::test]
async fn an_inactive_or_deleted_key_is_nobodys() {
    let world = World::new().await;
    world.user("alice").await;
    let (key, holder) = (world.key(account(), "alice").await.key, KeyHolder::User("alice"));
    let set = async |status| {
        world.change(|tx| access_key::update(tx, account(), holder, &key.id, status, noon())).await.unwrap();
    };
    world.identity.credential(&key.id, None, noon()).unwrap();
    set(AccessKeyStatus::Inactive).await;
    assert_eq!(reason(world.identity.credential(&key.id, None, noon())), CredentialError::InactiveAccessKey);
    set(AccessKeyStatus::Active).await;
    world.identity.credential(&key.id, None, noon()).unwrap();
    world.change(|tx| access_key::delete(tx, account(), holder, &key.id)).await.unwrap();
    assert_eq!(reason(world.identity.credential(&key.id, None, noon())), CredentialError::UnknownAccessKey);
}

#[tokio::test]
async fn each_wrong_use_of_tokens_has_its_reason() {
    let world = World::new().await;
    world.user("alice").await;
    let key = world.key(account(), "alice").await.key;
    let caller = world.identity.credential(&key.id, None, noon()).unwrap().caller;
    let session = world.identity.session_token(&caller, Some(900), None, noon()).unwrap();
    let other = world.identity.session_token(&caller, Some(900), None, noon()).unwrap();
    let find = |id: &str, token: Option<&str>| world.identity.credential(id, token, noon());

    let found = find(&session.access_key_id, Some(&session.session_token)).unwrap();
    assert_eq!(*found.secret, *session.secret_access_key);
    assert_eq!(found.caller.principal, caller.principal);
    assert_eq!(
        reason(find(&key.id, Some(&session.session_token))),
        CredentialError::SessionTokenOnLongTermKey
    );
    assert_eq!(reason(find(&session.access_key_id, None)), CredentialError::SessionTokenMissing);
    assert_eq!(
        reason(find(&session.access_key_id, Some(&other.session_token))),
        CredentialError::SessionTokenOfAnotherKey
    );
    let mut changed = session.session_token.clone();
    let last = if changed.ends_with('A') { 'B' } else { 'A' };
    changed.replace_range(40..41, &last.to_string());
    for bad in [changed.as_str(), "", "!", "AAAA", &"A".repeat(20_000)] {
        assert_eq!(reason(find(&session.access_key_id, Some(bad))), CredentialError::InvalidSessionToken);
    }
    assert_eq!(reason(find("AKIANOBODY0000000000", None)), CredentialError::UnknownAccessKey);
    assert_eq!(reason(find("", None)), CredentialError::UnknownAccessKey);
}

#[tokio::test]
async fn a_session_ends_at_its_second() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let session = world.identity.session_token(&caller, Some(900), None, noon()).unwrap();
    assert_eq!(session.expiration, noon() + TimeDelta::seconds(900));
    let find = |at| world.identity.credential(&session.access_key_id, Some(&session.session_token), at);
    find(noon() + TimeDelta::seconds(899)).unwrap();
    assert_eq!(reason(find(noon() + TimeDelta::seconds(900))), CredentialError::ExpiredSession);
}

#[tokio::test]
async fn a_users_session_outlives_a_rename_but_not_the_user() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let session = world.identity.session_token(&caller, None, None, noon()).unwrap();
    let find = || world.identity.credential(&session.access_key_id, Some(&session.session_token), noon());
    world.change(|tx| user::update(tx, account(), "alice", Some("bob"), None)).await.unwrap();
    assert_eq!(find().unwrap().caller.principal.user_name(), Some("bob"));
    let key = caller.access_key_id.clone().unwrap();
    world.change(|tx| access_key::delete(tx, account(), KeyHolder::User("bob"), &key)).await.unwrap();
    find().unwrap();
    world.change(|tx| user::delete(tx, account(), "bob")).await.unwrap();
    world.user("alice").await;
    assert_eq!(reason(find()), CredentialError::InvalidSessionToken);
}

#[tokio::test]
async fn records_show_a_caller_in_full_at_home_and_by_account_elsewhere() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let home = serde_json::to_value(caller.user_identity(account())).unwrap();
    assert_eq!(home["type"], "IAMUser");
    assert_eq!(home["arn"], "arn:aws:iam::123456789012:user/alice");
    assert_eq!(home["userName"], "alice");
    assert_eq!(home["accessKeyId"], caller.access_key_id.clone().unwrap());
    let away = serde_json::to_value(caller.user_identity(other_account())).unwrap();
    assert_eq!(away["type"], "AWSAccount");
    assert_eq!(away["accountId"], "123456789012");
    assert_eq!(away["principalId"], caller.principal.principal_id().unwrap());
    assert!(away.get("arn").is_none() && away.get("accessKeyId").is_none());
}

#[tokio::test]
async fn the_last_use_of_a_key_is_remembered() {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let key = caller.access_key_id.clone().unwrap();
    assert_eq!(world.identity.access_key_last_used(&key), None);
    world.identity.note_use(&caller, "iam", "us-east-1", noon());
    let used = world.identity.access_key_last_used(&key).unwrap();
    assert_eq!((used.at, &*used.service, &*used.region), (noon(), "iam", "us-east-1"));
}
