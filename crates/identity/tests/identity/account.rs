//! What is an account's own: its alias, its figures, its credential report, its instance profiles.

use chrono::TimeDelta;
use opentrail_identity::{
    AccessKeyStatus, IdentityError, KeyHolder, PageRequest, access_key, account_alias, account_summary,
    credential_report::ReportState, instance_profile, login_profile, password_policy, role,
};

use crate::world::{World, account, noon, other_account, trust};

fn figure(world: &World, name: &str) -> usize {
    let figures = account_summary::of(&world.state, account());
    figures.iter().find(|(figure, _)| *figure == name).unwrap().1
}

#[tokio::test]
async fn an_account_has_one_alias_and_no_two_the_same() {
    let world = World::new().await;
    world.change(|tx| account_alias::create(tx, account(), "first")).await.unwrap();
    world.change(|tx| account_alias::create(tx, account(), "second")).await.unwrap();
    assert_eq!(account_alias::get(&world.state, account()).as_deref(), Some("second"));
    let taken = world.change(|tx| account_alias::create(tx, other_account(), "second")).await;
    assert!(matches!(taken, Err(IdentityError::AlreadyExists(_))));
    let not_ours = world.change(|tx| account_alias::delete(tx, other_account(), "second")).await;
    assert!(matches!(not_ours, Err(IdentityError::NoSuchEntity(_))));
    world.change(|tx| account_alias::delete(tx, account(), "second")).await.unwrap();
    assert_eq!(account_alias::get(&world.state, account()), None);
}

#[tokio::test]
async fn a_role_in_an_instance_profile_is_kept_until_it_is_taken_out() {
    let world = World::new().await;
    world.role("app", &trust("123456789012")).await;
    world
        .change(|tx| instance_profile::create(tx, account(), "p", Some("/web/"), &[], noon()))
        .await
        .unwrap();
    world.change(|tx| instance_profile::add_role(tx, account(), "p", "app")).await.unwrap();
    let second = world.change(|tx| instance_profile::add_role(tx, account(), "p", "app")).await;
    assert!(matches!(second, Err(IdentityError::LimitExceeded(_))));
    let of_role = instance_profile::list_for_role(&world.state, account(), "app", PageRequest::default());
    assert_eq!(of_role.unwrap().items.len(), 1);
    let role_kept = world.change(|tx| role::delete(tx, account(), "app")).await;
    assert!(matches!(role_kept, Err(IdentityError::DeleteConflict(_))));
    let profile_kept = world.change(|tx| instance_profile::delete(tx, account(), "p")).await;
    assert!(matches!(profile_kept, Err(IdentityError::DeleteConflict(_))));
    assert_eq!(figure(&world, "InstanceProfiles"), 1);
    world.change(|tx| instance_profile::remove_role(tx, account(), "p", "app")).await.unwrap();
    world.change(|tx| instance_profile::delete(tx, account(), "p")).await.unwrap();
    world.change(|tx| role::delete(tx, account(), "app")).await.unwrap();
}

#[tokio::test]
async fn the_report_says_what_there_is_and_stays_as_it_was_for_four_hours() {
    let world = World::new().await;
    let refused = world.identity.credential_report(account(), noon());
    assert!(matches!(refused, Err(IdentityError::ReportNotPresent)));
    let caller = world.caller(account(), "Alice").await;
    let key = caller.access_key_id.clone().unwrap();
    let holder = KeyHolder::User("Alice");
    let inactive = AccessKeyStatus::Inactive;
    let changed_at = noon() + TimeDelta::hours(1);
    world.user("bob,b").await;
    let new = world.identity.new_password(account(), "bob,b", "Correct-Horse-1").await.unwrap();
    world.change(|tx| world.identity.create_login_profile(tx, &new, false, noon())).await.unwrap();
    let ageing = password_policy::PasswordPolicy { max_age_days: Some(90), ..Default::default() };
    world.change(|tx| password_policy::put(tx, account(), ageing)).await.unwrap();
    world.identity.note_use(&caller, "s3", "eu-west-1", noon() + TimeDelta::minutes(5));
    world.change(|tx| access_key::update(tx, account(), holder, &key, inactive, changed_at)).await.unwrap();

    assert_eq!(world.identity.generate_credential_report(account(), changed_at), ReportState::Started);
    let report = world.identity.credential_report(account(), changed_at).unwrap();
    let rows: Vec<&str> = report.csv.split('\n').collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].split(',').count(), 22);
    assert!(rows[1].starts_with("<root_account>,arn:aws:iam::123456789012:root,"), "{}", rows[1]);
    assert_eq!(
        rows[2],
        "Alice,arn:aws:iam::123456789012:user/Alice,2026-11-21T12:00:00Z,false,N/A,N/A,N/A,false,\
         false,2026-11-21T13:00:00Z,2026-11-21T12:05:00Z,eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    );
    assert_eq!(
        rows[3],
        "\"bob,b\",\"arn:aws:iam::123456789012:user/bob,b\",2026-11-21T12:00:00Z,true,no_information,\
         2026-11-21T12:00:00Z,2027-02-19T12:00:00Z,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,\
         false,N/A,false,N/A"
    );

    world.change(|tx| login_profile::delete(tx, account(), "bob,b")).await.unwrap();
    let young = changed_at + TimeDelta::hours(4);
    assert_eq!(world.identity.generate_credential_report(account(), young), ReportState::Complete);
    assert_eq!(world.identity.credential_report(account(), young).unwrap(), report);
    let old = young + TimeDelta::seconds(1);
    assert!(matches!(world.identity.credential_report(account(), old), Err(IdentityError::ReportExpired)));
    assert_eq!(world.identity.generate_credential_report(account(), old), ReportState::Started);
    assert_ne!(world.identity.credential_report(account(), old).unwrap().csv, report.csv);
}
