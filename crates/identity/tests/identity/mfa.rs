//! Virtual MFA devices: their life, what their codes prove, and who cannot pass for their owner.

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_identity::{
    AssumeRole, Caller, IdentityError, KeyHolder, MfaProof, PageRequest, Principal, Tag, account_summary,
    consistency, limits, mfa,
    mfa::{CodePair, MfaDevice, MfaHolder, NewMfaDevice, Proof, WrongCode},
    user,
};
use opentrail_policy::Context;
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use crate::world::{World, account, noon, other_account, trust};

const ALICE: KeyHolder<'static> = KeyHolder::User("alice");

/// A device as its owner's authenticator has it.
struct Authenticator {
    serial: String,
    totp: Totp,
}

impl Authenticator {
    /// The code that is shown so many steps after a time, or before.
    fn code(&self, at: DateTime<Utc>, steps: i64) -> String {
        let seconds = u64::try_from(at.timestamp() + 30 * steps).unwrap();
        self.totp.generate(seconds).to_string()
    }
}

async fn device(world: &World, name: &str) -> Authenticator {
    let new = NewMfaDevice { name, ..Default::default() };
    let made =
        world.change(|tx| world.identity.create_mfa_device(tx, account(), &new, noon())).await.unwrap();
    let secret = Secret::try_from_base32(made.base32_seed.as_str()).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    Authenticator { serial: made.device.serial_number(), totp }
}

async fn enable(world: &World, of: &Authenticator, holder: KeyHolder<'_>) -> Result<(), IdentityError> {
    let (first, second) = (of.code(noon(), -2), of.code(noon(), -1));
    let codes = [first.as_str(), second.as_str()];
    let pair = CodePair { account: account(), holder, serial_number: &of.serial, codes };
    world.change(|tx| world.identity.enable_mfa_device(tx, &pair, noon())).await
}

async fn resync(
    world: &World,
    of: &Authenticator,
    codes: [&str; 2],
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let pair = CodePair { account: account(), holder: ALICE, serial_number: &of.serial, codes };
    world.change(|tx| world.identity.resync_mfa_device(tx, &pair, now)).await
}

async fn spend(
    world: &World,
    caller: &Caller,
    serial: &str,
    code: &str,
    now: DateTime<Utc>,
) -> Result<MfaProof, IdentityError> {
    world.change(|tx| world.identity.spend_mfa_code(tx, caller, serial, code, now)).await
}

/// Keeps the count that a refused code carries, as the record of the failed call does.
async fn keep(world: &World, refused: &IdentityError) {
    if let IdentityError::WrongMfaCode(wrong) = refused {
        keep_wrong(world, wrong).await;
    }
}

async fn keep_wrong(world: &World, wrong: &WrongCode) {
    let kept = |tx: &mut _| {
        mfa::keep_wrong_code(tx, wrong);
        Ok(())
    };
    world.change(kept).await.unwrap();
}

/// Alice with a device.
async fn alice() -> (World, Caller, Authenticator) {
    let world = World::new().await;
    let caller = world.caller(account(), "alice").await;
    let device = device(&world, "alice").await;
    enable(&world, &device, ALICE).await.unwrap();
    (world, caller, device)
}

fn later(seconds: i64) -> DateTime<Utc> {
    noon() + TimeDelta::seconds(seconds)
}

fn is_wrong(result: &Result<MfaProof, IdentityError>) -> bool {
    matches!(result, Err(IdentityError::WrongMfaCode(wrong)) if wrong.proof() == Proof::Code)
}

fn figure(world: &World, name: &str) -> usize {
    let figures = account_summary::of(&world.state, account());
    figures.into_iter().find(|(of, _)| *of == name).unwrap().1
}

#[tokio::test]
async fn a_device_has_a_life() {
    let world = World::new().await;
    world.user("alice").await;
    let new = NewMfaDevice { name: "Phone", path: Some("/team/"), tags: &[Tag::new("k", "v")] };
    let made =
        world.change(|tx| world.identity.create_mfa_device(tx, account(), &new, noon())).await.unwrap();
    let serial = made.device.serial_number();
    assert_eq!(serial, "arn:aws:iam::123456789012:mfa/team/Phone");
    assert!(made.uri.starts_with("otpauth://totp/"), "{}", *made.uri);
    assert!(made.uri.contains(made.base32_seed.as_str()) && made.base32_seed.len() == 32);
    let again = world.change(|tx| world.identity.create_mfa_device(tx, account(), &new, noon())).await;
    assert!(matches!(again, Err(IdentityError::AlreadyExists(_))));

    let secret = Secret::try_from_base32(made.base32_seed.as_str()).unwrap();
    let phone = Authenticator { serial, totp: Builder::new().with_secret(secret).build().unwrap() };
    assert_eq!((figure(&world, "MFADevices"), figure(&world, "MFADevicesInUse")), (1, 0));
    enable(&world, &phone, ALICE).await.unwrap();
    assert_eq!((figure(&world, "MFADevices"), figure(&world, "MFADevicesInUse")), (1, 1));
    let page = mfa::list(&world.state, account(), ALICE, PageRequest::default()).unwrap();
    assert_eq!(page.items[0].assignment.as_ref().unwrap().since, noon());
    assert!(matches!(enable(&world, &phone, ALICE).await, Err(IdentityError::AlreadyExists(_))));
    let delete = |serial: String| world.change(move |tx| mfa::delete(tx, account(), &serial));
    assert!(matches!(delete(phone.serial.clone()).await, Err(IdentityError::DeleteConflict(_))));
    let gone = world.change(|tx| user::delete(tx, account(), "alice")).await;
    assert!(matches!(gone, Err(IdentityError::DeleteConflict(_))));

    world.change(|tx| mfa::deactivate(tx, account(), ALICE, &phone.serial)).await.unwrap();
    let twice = world.change(|tx| mfa::deactivate(tx, account(), ALICE, &phone.serial)).await;
    assert!(matches!(twice, Err(IdentityError::NoSuchEntity(_))));
    delete(phone.serial.clone()).await.unwrap();
    assert!(matches!(delete(phone.serial.clone()).await, Err(IdentityError::NoSuchEntity(_))));
    assert_eq!(figure(&world, "MFADevices"), 0);
    world.change(|tx| user::delete(tx, account(), "alice")).await.unwrap();
}

#[tokio::test]
async fn a_user_has_eight_devices_at_most() {
    let world = World::new().await;
    world.user("alice").await;
    for n in 0..limits::MFA_DEVICES_PER_USER {
        enable(&world, &device(&world, &format!("d{n}")).await, ALICE).await.unwrap();
    }
    let one_more = device(&world, "one-more").await;
    assert!(matches!(enable(&world, &one_more, ALICE).await, Err(IdentityError::LimitExceeded(_))));
    assert_eq!(consistency::check(&world.state), []);
}

#[tokio::test]
async fn lists_are_cut_and_filtered() {
    let world = World::new().await;
    world.user("alice").await;
    for n in 0..5 {
        let made = device(&world, &format!("d{n}")).await;
        if n % 2 == 0 {
            enable(&world, &made, ALICE).await.unwrap();
        }
    }
    let names = |assigned, page| {
        let page = mfa::list_virtual(&world.state, account(), assigned, page).unwrap();
        (
            page.items
                .iter()
                .map(|device: &std::sync::Arc<MfaDevice>| device.name.clone())
                .collect::<Vec<_>>(),
            page.next,
        )
    };
    assert_eq!(names(Some(true), PageRequest::default()).0, ["d0", "d2", "d4"]);
    assert_eq!(names(Some(false), PageRequest::default()).0, ["d1", "d3"]);
    let (first, next) = names(None, PageRequest { marker: None, max_items: Some(3) });
    assert_eq!(first, ["d0", "d1", "d2"]);
    assert_eq!(names(None, PageRequest { marker: next.as_deref(), max_items: Some(3) }).0, ["d3", "d4"]);
}

#[tokio::test]
async fn a_code_is_good_once_even_after_a_restart() {
    let (world, caller, phone) = alice().await;
    assert!(
        is_wrong(&spend(&world, &caller, &phone.serial, &phone.code(noon(), -1), noon()).await),
        "from enabling"
    );
    let code = phone.code(noon(), 0);
    spend(&world, &caller, &phone.serial, &code, noon()).await.unwrap();
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, &code, noon()).await));
    let world = world.reopened().await;
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, &code, noon()).await));
    spend(&world, &caller, &phone.serial, &phone.code(noon(), 1), noon()).await.unwrap();
    assert!(
        is_wrong(&spend(&world, &caller, &phone.serial, &phone.code(noon(), 2), noon()).await),
        "too early"
    );
    assert!(
        is_wrong(&spend(&world, &caller, &phone.serial, &phone.code(noon(), 2), later(121)).await),
        "too late"
    );
}

#[tokio::test]
async fn a_call_that_fails_after_all_spends_nothing() {
    let (world, caller, phone) = alice().await;
    let code = phone.code(noon(), 0);
    let mut dropped = world.state.begin().await;
    world.identity.spend_mfa_code(&mut dropped, &caller, &phone.serial, &code, noon()).unwrap();
    drop(dropped);
    spend(&world, &caller, &phone.serial, &code, noon()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_calls_with_one_code_at_once_one_succeeds() {
    let (world, caller, phone) = alice().await;
    let code = phone.code(noon(), 0);
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let (state, identity) = (world.state.clone(), world.identity.clone());
            let (caller, serial, code) = (caller.clone(), phone.serial.clone(), code.clone());
            tokio::spawn(async move {
                let mut tx = state.begin().await;
                identity.spend_mfa_code(&mut tx, &caller, &serial, &code, noon()).is_ok()
                    && tx.commit(Vec::new()).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        won += usize::from(call.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn only_the_devices_own_holder_proves_anything_with_it() {
    let (world, caller, phone) = alice().await;
    let code = phone.code(noon(), 0);
    let bob = world.caller(account(), "bob").await;
    let stranger = world.caller(other_account(), "alice").await;
    let root = Caller::root(account());
    let role = world.role("r", &trust("arn:aws:iam::123456789012:user/alice")).await;
    let session = Caller { principal: Principal::assumed_role(&role, "alice"), ..root.clone() };
    let service = Caller::service("cloudtrail.amazonaws.com");
    for other in [&bob, &stranger, &root, &session, &service, &Caller::anonymous()] {
        let result = spend(&world, other, &phone.serial, &code, noon()).await;
        assert!(matches!(result, Err(IdentityError::MfaUnknownDevice)), "{other:?}");
    }
    for serial in
        ["", "arn:aws:iam::123456789012:mfa/none", "arn:aws:iam::123456789012:mfa/ALICE", "GAHT12345678"]
    {
        let result = spend(&world, &caller, serial, &code, noon()).await;
        assert!(matches!(result, Err(IdentityError::MfaUnknownDevice)), "{serial}");
    }
    spend(&world, &caller, &phone.serial, &code, noon()).await.unwrap();
    world.change(|tx| mfa::deactivate(tx, account(), ALICE, &phone.serial)).await.unwrap();
    let result = spend(&world, &caller, &phone.serial, &phone.code(noon(), 1), noon()).await;
    assert!(matches!(result, Err(IdentityError::MfaUnknownDevice)));
}

#[tokio::test]
async fn what_was_spent_stays_spent_when_a_device_is_enabled_anew() {
    let (world, caller, phone) = alice().await;
    spend(&world, &caller, &phone.serial, &phone.code(noon(), 0), noon()).await.unwrap();
    world.change(|tx| mfa::deactivate(tx, account(), ALICE, &phone.serial)).await.unwrap();
    assert!(matches!(enable(&world, &phone, ALICE).await, Err(IdentityError::WrongMfaCode(_))));
}

#[tokio::test]
async fn the_root_has_a_device_of_its_own() {
    let world = World::new().await;
    let root = Caller::root(account());
    let key = device(&world, "root-account-mfa-device").await;
    assert_eq!(figure(&world, "AccountMFAEnabled"), 0);
    enable(&world, &key, KeyHolder::Root).await.unwrap();
    assert_eq!(figure(&world, "AccountMFAEnabled"), 1);
    let found = mfa::get(&world.state, account(), &key.serial).unwrap();
    assert!(matches!(mfa::holder(&world.state, &found), Some(MfaHolder::Root)));
    let world = world.reopened().await;
    spend(&world, &root, &key.serial, &key.code(noon(), 0), noon()).await.unwrap();
    let elsewhere = Caller::root(other_account());
    let result = spend(&world, &elsewhere, &key.serial, &key.code(noon(), 1), noon()).await;
    assert!(matches!(result, Err(IdentityError::MfaUnknownDevice)));
}

#[tokio::test]
async fn guesses_are_few_and_a_restart_gives_no_more() {
    let (world, caller, phone) = alice().await;
    for _ in 0..limits::FREE_MISSES {
        let refused = spend(&world, &caller, &phone.serial, "000000", noon()).await.unwrap_err();
        assert!(matches!(refused, IdentityError::WrongMfaCode(_)));
        keep(&world, &refused).await;
    }
    let right = phone.code(noon(), 0);
    let locked = |result: Result<MfaProof, IdentityError>| match result {
        Err(IdentityError::MfaLocked { proof: Proof::Code, until }) => until,
        other => panic!("{other:?}"),
    };
    assert_eq!(locked(spend(&world, &caller, &phone.serial, &right, noon()).await), later(60));
    let world = world.reopened().await;
    assert_eq!(locked(spend(&world, &caller, &phone.serial, &right, later(59)).await), later(60));
    // One more try, and a lock twice as long.
    let refused = spend(&world, &caller, &phone.serial, "000000", later(60)).await.unwrap_err();
    keep(&world, &refused).await;
    assert_eq!(locked(spend(&world, &caller, &phone.serial, "000000", later(61)).await), later(180));
    // The right code ends it all.
    let now = later(180);
    spend(&world, &caller, &phone.serial, &phone.code(now, 0), now).await.unwrap();
    let world = world.reopened().await;
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, "000000", now).await));
}

#[tokio::test]
async fn guesses_count_before_their_records_are_kept() {
    let (world, caller, phone) = alice().await;
    for _ in 0..limits::FREE_MISSES {
        assert!(is_wrong(&spend(&world, &caller, &phone.serial, "000000", noon()).await));
    }
    let result = spend(&world, &caller, &phone.serial, &phone.code(noon(), 0), noon()).await;
    assert!(matches!(result, Err(IdentityError::MfaLocked { .. })));
}

#[tokio::test]
async fn two_codes_in_a_row_open_a_lock_and_are_counted_apart() {
    let (world, caller, phone) = alice().await;
    for _ in 0..limits::FREE_MISSES {
        assert!(is_wrong(&spend(&world, &caller, &phone.serial, "000000", noon()).await));
    }
    let (first, second) = (phone.code(noon(), 0), phone.code(noon(), 1));
    resync(&world, &phone, [&first, &second], noon()).await.unwrap();
    let now = later(60);
    spend(&world, &caller, &phone.serial, &phone.code(now, 0), now).await.unwrap();
    for _ in 0..limits::FREE_MISSES {
        let refused = resync(&world, &phone, ["000000", "000001"], now).await;
        assert!(matches!(refused, Err(IdentityError::WrongMfaCode(wrong)) if wrong.proof() == Proof::Pair));
    }
    let (first, second) = (phone.code(now, 1), phone.code(now, 2));
    let refused = resync(&world, &phone, [&first, &second], now).await;
    assert!(matches!(refused, Err(IdentityError::MfaLocked { proof: Proof::Pair, .. })));
    spend(&world, &caller, &phone.serial, &first, now).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_off_is_found_again() {
    let (world, caller, phone) = alice().await;
    let ahead = 120;
    let shown = phone.code(noon(), ahead);
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, &shown, noon()).await));
    let next = phone.code(noon(), ahead + 1);
    resync(&world, &phone, [&shown, &next], noon()).await.unwrap();
    let again = resync(&world, &phone, [&shown, &next], noon()).await;
    assert!(matches!(again, Err(IdentityError::WrongMfaCode(_))), "a pair is spent too");
    let world = world.reopened().await;
    spend(&world, &caller, &phone.serial, &phone.code(noon(), ahead + 2), later(30)).await.unwrap();
    // Its clock is put right: what it shows now is long spent, and only time helps.
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, &phone.code(later(60), 0), later(60)).await));
}

#[tokio::test]
async fn a_server_clock_that_steps_back_takes_no_code_twice() {
    let (world, caller, phone) = alice().await;
    let code = phone.code(noon(), 0);
    spend(&world, &caller, &phone.serial, &code, noon()).await.unwrap();
    let earlier = noon() - TimeDelta::hours(1);
    assert!(is_wrong(&spend(&world, &caller, &phone.serial, &code, earlier).await));
    let codes = [phone.code(earlier, 0), phone.code(earlier, 1)];
    let replayed = resync(&world, &phone, [&codes[0], &codes[1]], earlier).await;
    assert!(matches!(replayed, Err(IdentityError::WrongMfaCode(_))));
    let now = later(30);
    spend(&world, &caller, &phone.serial, &phone.code(now, 0), now).await.unwrap();
}

#[tokio::test]
async fn sessions_tell_whether_and_when_a_code_was_given() {
    let (world, caller, phone) = alice().await;
    let seen = |caller: &Caller, key: &str| {
        let context = world.identity.context(caller, &Context::new());
        let found = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| format!("{value:?}"))
    };
    let present = |caller: &Caller| seen(caller, "aws:MultiFactorAuthPresent");
    let age = |caller: &Caller| seen(caller, "aws:MultiFactorAuthAge");
    assert_eq!((present(&caller), age(&caller)), (None, None));

    let began = noon() - TimeDelta::seconds(600);
    let open = |proof| {
        let session = world.identity.session_token(&caller, None, proof, began).unwrap();
        world
            .identity
            .credential(&session.access_key_id, Some(&session.session_token), noon())
            .unwrap()
            .caller
    };
    let without = open(None);
    assert!(present(&without).unwrap().contains("false") && age(&without).is_none());
    assert!(without.is_session_token() && without.mfa_authenticated_at().is_none());
    let ten_minutes_ago = phone.code(began, 0);
    let refused = spend(&world, &caller, &phone.serial, &ten_minutes_ago, began).await;
    assert!(is_wrong(&refused), "older than what enabled the device");

    let proof = spend(&world, &caller, &phone.serial, &phone.code(noon(), 0), noon()).await.unwrap();
    let session = world.identity.session_token(&caller, None, Some(proof), noon()).unwrap();
    let with = world
        .identity
        .credential(&session.access_key_id, Some(&session.session_token), noon())
        .unwrap()
        .caller;
    assert!(present(&with).unwrap().contains("true") && age(&with).unwrap().contains('0'));
    let shown = serde_json::to_value(with.user_identity(account())).unwrap();
    assert_eq!(shown["sessionContext"]["attributes"]["mfaAuthenticated"], "true");
    world.change(|tx| mfa::deactivate(tx, account(), ALICE, &phone.serial)).await.unwrap();
    assert!(present(&with).unwrap().contains("true"), "a session lasts, as AWS's do");
}

#[tokio::test]
async fn a_trust_policy_can_ask_for_a_code_that_is_fresh() {
    let (world, caller, phone) = alice().await;
    let statement = json!([{
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::123456789012:user/alice" }, "Action": "sts:AssumeRole",
        "Condition": {
            "Bool": { "aws:MultiFactorAuthPresent": "true" },
            "NumericLessThan": { "aws:MultiFactorAuthAge": "300" },
        },
    }]);
    world.role("r", &json!({ "Version": "2012-10-17", "Statement": statement })).await;
    let ask = |mfa| AssumeRole {
        role_arn: "arn:aws:iam::123456789012:role/r",
        session_name: "session",
        mfa,
        ..Default::default()
    };
    assert!(matches!(
        world.identity.assume_role(&caller, &ask(None), noon()),
        Err(IdentityError::AccessDenied(_))
    ));
    let proof = spend(&world, &caller, &phone.serial, &phone.code(noon(), 0), noon()).await.unwrap();
    let assumed = world.identity.assume_role(&caller, &ask(Some(proof)), noon()).unwrap().credentials;
    let session = world
        .identity
        .credential(&assumed.access_key_id, Some(&assumed.session_token), noon())
        .unwrap()
        .caller;
    assert_eq!(session.mfa_authenticated_at(), Some(noon()));

    // A session of the user that is fresh enough will do; after five minutes it does not.
    let own = world.identity.session_token(&caller, None, Some(proof), noon()).unwrap();
    let own = world.identity.credential(&own.access_key_id, Some(&own.session_token), noon()).unwrap().caller;
    world.identity.assume_role(&own, &ask(None), later(299)).unwrap();
    assert!(matches!(
        world.identity.assume_role(&own, &ask(None), later(300)),
        Err(IdentityError::AccessDenied(_))
    ));
}

#[tokio::test]
async fn a_renamed_user_keeps_the_device() {
    let (world, _, phone) = alice().await;
    world.change(|tx| user::update(tx, account(), "alice", Some("alicia"), None)).await.unwrap();
    assert_eq!(consistency::check(&world.state), []);
    let found = mfa::get(&world.state, account(), &phone.serial).unwrap();
    let holder = mfa::holder(&world.state, &found);
    assert!(matches!(holder, Some(MfaHolder::User(user)) if user.name == "alicia"));
    let key = world.key(account(), "alicia").await.key;
    let alicia = world.identity.credential(&key.id, None, noon()).unwrap().caller;
    spend(&world, &alicia, &phone.serial, &phone.code(noon(), 0), noon()).await.unwrap();
    world
        .change(|tx| mfa::deactivate(tx, account(), KeyHolder::User("alicia"), &phone.serial))
        .await
        .unwrap();
}

#[test]
fn what_cannot_be_a_serial_number_or_a_code_is_refused_without_repeating_the_code() {
    mfa::check_serial("arn:aws:iam::123456789012:mfa/alice").unwrap();
    mfa::check_code("tokenCode", "012345").unwrap();
    for serial in ["short", "a b c d e f", &"x".repeat(257)] {
        assert!(matches!(mfa::check_serial(serial), Err(IdentityError::Validation(_))), "{serial}");
    }
    for code in ["98765", "98765a", "987651234", "٩٨٧٦٥٤"] {
        let refused = mfa::check_code("tokenCode", code).unwrap_err().to_string();
        assert!(refused.contains("'tokenCode'") && !refused.contains("98765"), "{refused}");
    }
}

#[tokio::test]
async fn the_seed_is_nowhere_on_disk() {
    let (world, _, phone) = alice().await;
    let seed = phone.totp.secret().as_bytes().to_vec();
    let base32 = phone.totp.secret().to_base32();
    let numbers = seed.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let kept = serde_json::to_string(&*mfa::get(&world.state, account(), &phone.serial).unwrap()).unwrap();
    assert!(!kept.contains(&base32) && !kept.contains(&numbers));
}
