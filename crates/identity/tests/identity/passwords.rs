//! Passwords: which are taken, how a wrong one is counted, and when one is no longer good.

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_identity::{
    IdentityError, limits,
    login_profile::{self, PasswordProof, Standing, keep_wrong_password},
    password_policy::{self, PasswordPolicy, PasswordRule},
    user,
};
use opentrail_state::Transaction;

use crate::world::{World, account, noon};

const FIRST: &str = "Correct-Horse-1";
const SECOND: &str = "Battery-Staple-2";

fn later(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

async fn alice() -> World {
    let world = World::new().await;
    world.user("alice").await;
    create(&world, FIRST).await.unwrap();
    world
}

async fn create(world: &World, password: &str) -> Result<(), IdentityError> {
    let new = world.identity.new_password(account(), "alice", password).await?;
    world.change(|tx| world.identity.create_login_profile(tx, &new, false, noon())).await.map(drop)
}

async fn check(world: &World, password: &str, now: DateTime<Utc>) -> Result<PasswordProof, IdentityError> {
    world.identity.check_password(account(), "alice", password, now).await
}

async fn change(world: &World, from: &str, to: &str, now: DateTime<Utc>) -> Result<(), IdentityError> {
    let proof = check(world, from, now).await?;
    let new = world.identity.new_password(account(), "alice", to).await?;
    world.change(|tx| world.identity.change_password(tx, &proof, &new, now)).await
}

async fn set_policy(world: &World, policy: PasswordPolicy) {
    world.change(|tx| password_policy::put(tx, account(), policy)).await.unwrap();
}

/// Keeps the count of a wrong password as a call's record does.
async fn keep(world: &World, refused: &IdentityError) {
    let IdentityError::WrongPassword(Some(wrong)) = refused else { panic!("{refused:?}") };
    let keep = |tx: &mut Transaction| {
        keep_wrong_password(tx, wrong);
        Ok(())
    };
    world.change(keep).await.unwrap();
}

#[tokio::test]
async fn a_password_is_known_by_its_hash_alone_also_after_a_restart() {
    let world = alice().await;
    let user = user::get(&world.state, account(), "alice").unwrap();
    assert!(!serde_json::to_string(&*user).unwrap().contains(FIRST), "only sealed");
    assert_eq!(check(&world, FIRST, noon()).await.unwrap().standing(), Standing::InForce);
    let world = world.reopened().await;
    assert!(check(&world, FIRST, noon()).await.is_ok());
    assert!(matches!(
        check(&world, "correct-horse-1", noon()).await,
        Err(IdentityError::WrongPassword(Some(_)))
    ));
}

#[tokio::test]
async fn who_has_no_password_is_not_told_apart_from_who_gave_a_wrong_one() {
    let world = World::new().await;
    world.user("alice").await;
    for name in ["alice", "nobody"] {
        let refused = world.identity.check_password(account(), name, FIRST, noon()).await;
        assert!(matches!(refused, Err(IdentityError::WrongPassword(None))), "{name}");
    }
    assert!(login_profile::get(&world.state, account(), "alice").is_err());
}

#[tokio::test]
async fn guesses_are_few_and_a_restart_gives_no_more() {
    let world = alice().await;
    for _ in 0..limits::FREE_MISSES {
        keep(&world, &check(&world, "wrong", noon()).await.unwrap_err()).await;
    }
    let locked = |result: Result<PasswordProof, IdentityError>| match result {
        Err(IdentityError::PasswordLocked { until }) => until,
        other => panic!("{other:?}"),
    };
    assert_eq!(locked(check(&world, FIRST, noon()).await), later(60));
    let world = world.reopened().await;
    assert_eq!(locked(check(&world, FIRST, later(59)).await), later(60));
    keep(&world, &check(&world, "wrong", later(60)).await.unwrap_err()).await;
    assert_eq!(locked(check(&world, FIRST, later(61)).await), later(180));
    let proof = check(&world, FIRST, later(180)).await.unwrap();
    world.change(|tx| login_profile::signed_in(tx, &proof, later(180))).await.unwrap();
    let world = world.reopened().await;
    assert!(matches!(check(&world, "wrong", later(181)).await, Err(IdentityError::WrongPassword(_))));
}

#[tokio::test]
async fn guesses_at_the_same_time_are_no_more_than_one_after_the_other() {
    let world = alice().await;
    let guess = || async { check(&world, "wrong", noon()).await.unwrap_err() };
    let many = [guess(), guess(), guess(), guess(), guess(), guess(), guess(), guess()];
    let [a, b, c, d, e, f, g, h] = many;
    let refusals = tokio::join!(a, b, c, d, e, f, g, h);
    let refusals =
        [refusals.0, refusals.1, refusals.2, refusals.3, refusals.4, refusals.5, refusals.6, refusals.7];
    let looked_at = refusals.iter().filter(|r| matches!(r, IdentityError::WrongPassword(_))).count();
    assert_eq!(looked_at, usize::try_from(limits::FREE_MISSES).unwrap());
}

#[tokio::test]
async fn the_accounts_policy_is_asked_or_awss_default() {
    let world = alice().await;
    let rule = |refused| match refused {
        Err(IdentityError::PasswordPolicy(rule)) => rule,
        other => panic!("{:?}", other.map(drop)),
    };
    let new = |password: &'static str| world.identity.new_password(account(), "alice", password);
    assert_eq!(rule(new("Ab1!").await), PasswordRule::Length(8));
    assert_eq!(rule(new("abcdefgh1").await), PasswordRule::Kinds);
    assert!(new("abcdefgh1!").await.is_ok());
    set_policy(&world, PasswordPolicy { minimum_length: 14, require_symbols: true, ..Default::default() })
        .await;
    assert_eq!(rule(new("abcdefgh1!").await), PasswordRule::Length(14));
    assert_eq!(rule(new("abcdefghijklmn").await), PasswordRule::Symbol);
    assert!(matches!(new("").await, Err(IdentityError::Validation(_))));
    let world_of_one = world.identity.new_password(account(), "nobody", FIRST).await;
    assert!(matches!(world_of_one, Err(IdentityError::NoSuchEntity(_))));
}

#[tokio::test]
async fn a_policy_that_comes_between_is_asked_too() {
    let world = alice().await;
    let new = world.identity.new_password(account(), "alice", SECOND).await.unwrap();
    set_policy(&world, PasswordPolicy { minimum_length: 128, ..Default::default() }).await;
    let user = (account(), "alice");
    let refused =
        world.change(|tx| world.identity.update_login_profile(tx, user, Some(&new), None, noon())).await;
    assert!(matches!(refused, Err(IdentityError::PasswordPolicy(PasswordRule::Length(128)))));
}

#[tokio::test]
async fn remembered_passwords_do_not_come_again() {
    let world = alice().await;
    set_policy(&world, PasswordPolicy { reuse_prevention: Some(2), ..Default::default() }).await;
    let reused = |refused| matches!(refused, Err(IdentityError::PasswordPolicy(PasswordRule::Reuse)));
    assert!(reused(change(&world, FIRST, FIRST, noon()).await), "the present one");
    change(&world, FIRST, SECOND, noon()).await.unwrap();
    assert!(reused(change(&world, SECOND, FIRST, noon()).await), "the one before");
    change(&world, SECOND, "Third-Password-3", noon()).await.unwrap();
    change(&world, "Third-Password-3", FIRST, noon()).await.unwrap();
}

#[tokio::test]
async fn of_two_changes_at_the_same_time_one_happens() {
    let world = alice().await;
    let proof = check(&world, FIRST, noon()).await.unwrap();
    let new = world.identity.new_password(account(), "alice", SECOND).await.unwrap();
    change(&world, FIRST, "Third-Password-3", noon()).await.unwrap();
    let late = world.change(|tx| world.identity.change_password(tx, &proof, &new, noon())).await;
    assert!(matches!(late, Err(IdentityError::TemporarilyUnmodifiable(_))));
    assert!(check(&world, "Third-Password-3", noon()).await.is_ok());
}

#[tokio::test]
async fn a_password_ages_and_a_reset_is_asked_for_until_it_happened() {
    let world = alice().await;
    let user = (account(), "alice");
    world.change(|tx| world.identity.update_login_profile(tx, user, None, Some(true), noon())).await.unwrap();
    let standing = async |now| check(&world, FIRST, now).await.unwrap().standing();
    assert_eq!(standing(noon()).await, Standing::ResetRequired);
    set_policy(&world, PasswordPolicy { max_age_days: Some(1), ..Default::default() }).await;
    assert_eq!(standing(later(86_400)).await, Standing::Expired);
    let hard = PasswordPolicy { max_age_days: Some(1), hard_expiry: Some(true), ..Default::default() };
    set_policy(&world, hard).await;
    assert_eq!(standing(later(86_400)).await, Standing::ExpiredForGood);
    change(&world, FIRST, SECOND, later(86_400)).await.unwrap();
    let standing = check(&world, SECOND, later(86_401)).await.unwrap().standing();
    assert_eq!(standing, Standing::InForce);
}

#[tokio::test]
async fn a_password_goes_with_its_user_under_another_name_and_keeps_it_from_being_deleted() {
    let world = alice().await;
    world.change(|tx| user::update(tx, account(), "alice", Some("alicia"), None)).await.unwrap();
    assert!(world.identity.check_password(account(), "alicia", FIRST, noon()).await.is_ok());
    let kept = world.change(|tx| user::delete(tx, account(), "alicia")).await;
    assert!(matches!(kept, Err(IdentityError::DeleteConflict(_))));
    world.change(|tx| login_profile::delete(tx, account(), "alicia")).await.unwrap();
    world.change(|tx| user::delete(tx, account(), "alicia")).await.unwrap();
}

#[tokio::test]
async fn a_second_password_is_refused() {
    let world = alice().await;
    assert!(matches!(create(&world, SECOND).await, Err(IdentityError::AlreadyExists(_))));
}
