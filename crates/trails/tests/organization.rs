//! Trails of an organization: whose events they take, where their files are, and who may change them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use opentrail_event::AccountId;
use opentrail_journal::disk::CrashKeeps;
use opentrail_selector::Selectors;
use opentrail_state::OwnedEvent;
use opentrail_trails::{
    CreateTrail, DeliveryOptions, Organization, StoreError, Trail, TrailError, UpdateTrail,
    organization::{dissolve, follow},
    validate::Verdict,
};
use world::{
    MemoryStore, Mood, World, account, exactly_once, ids, member, options, organization_id, owned, region,
    usual,
};

const ARN: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main";

fn of_organization() -> CreateTrail {
    CreateTrail { is_organization: Some(true), ..usual() }
}

/// The delivered ids by the folder of their account, below `AWSLogs/`.
fn by_folder(store: &MemoryStore) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in store.log_keys("audit") {
        let folder = key.split_once("AWSLogs/").unwrap().1.split_once("/CloudTrail/").unwrap().0.to_owned();
        let name = key.rsplit('/').next().unwrap();
        assert!(name.starts_with(folder.rsplit('/').next().unwrap()), "{key}");
        let json: serde_json::Value = serde_json::from_str(&store.text("audit", &key)).unwrap();
        let records = json["Records"].as_array().unwrap();
        let ids = records.iter().map(|record| record["eventID"].as_str().unwrap().to_owned());
        // Beside them are the records of the signing keys.
        let ids: Vec<String> = ids.filter(|id| id.starts_with("event-")).collect();
        if !ids.is_empty() {
            found.entry(folder).or_default().extend(ids);
        }
    }
    found
}

fn folder(account: AccountId) -> String {
    format!("o-exampleorgid/{account}")
}

fn set(from: usize, to: usize) -> BTreeSet<String> {
    ids(from, to).into_iter().collect()
}

#[tokio::test]
async fn files_of_each_account_are_below_the_organization() {
    let world = World::new().await;
    let (one, two, stranger) = (member(1), member(2), member(9));
    world.follow(&[one, two], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    world.record("us-east-1", ids(0, 2)).await;
    world.record_of(one, "us-east-1", ids(2, 4)).await;
    world.record_of(two, "eu-west-1", ids(4, 6)).await;
    world.record_of(stranger, "us-east-1", ids(6, 8)).await;
    world.interval().await.unwrap();
    let found = by_folder(&world.store);
    assert_eq!(found[&folder(account())], set(0, 2));
    assert_eq!(found[&folder(one)], set(2, 4));
    assert_eq!(found[&folder(two)], set(4, 6));
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn what_ends_or_begins_a_membership_is_in_the_files_and_nothing_beyond_it() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    world.record_of(one, "us-east-1", ids(0, 1)).await;
    let of_one = |id: usize| vec![OwnedEvent { owner: one, ..owned(&ids(id, id + 1)[0], "us-east-1") }];
    world.follow(&[one], true, of_one(1)).await;
    world.record_of(one, "us-east-1", ids(2, 3)).await;
    world.follow(&[], true, of_one(3)).await;
    world.record_of(one, "us-east-1", ids(4, 5)).await;
    world.interval().await.unwrap();
    assert_eq!(by_folder(&world.store)[&folder(one)], set(1, 4));
}

#[tokio::test]
async fn without_trusted_access_only_the_management_account_is_logged() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[one], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    world.follow(&[one], false, vec![]).await;
    world.record("us-east-1", ids(0, 2)).await;
    world.record_of(one, "us-east-1", ids(2, 4)).await;
    world.follow(&[one], true, vec![]).await;
    world.record_of(one, "us-east-1", ids(4, 6)).await;
    world.interval().await.unwrap();
    let found = by_folder(&world.store);
    assert_eq!((&found[&folder(account())], &found[&folder(one)]), (&set(0, 2), &set(4, 6)));
}

#[tokio::test]
async fn a_trail_becomes_one_of_the_organization_and_one_of_its_account_again() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[one], true, vec![]).await;
    world.create_usual().await;
    let convert =
        |to| UpdateTrail { name: "main".into(), is_organization: Some(to), ..UpdateTrail::default() };
    let mut next = 0;
    for wanted in [false, true, false] {
        world.update(convert(wanted)).await;
        world.record("us-east-1", ids(next, next + 2)).await;
        world.record_of(one, "us-east-1", ids(next + 2, next + 4)).await;
        next += 4;
        world.hour().await;
    }
    world.hour().await;
    let found = by_folder(&world.store);
    let own = [set(0, 2), set(8, 10)].concat_sets();
    assert_eq!(found["123456789012"], own);
    assert_eq!((&found[&folder(account())], &found[&folder(one)]), (&set(4, 6), &set(6, 8)));
    for ask in [world.ask(), world.ask_of(account()), world.ask_of(one)] {
        let whose = ask.whose.clone();
        let report = world.validate(ask).await;
        assert_eq!(report.verdict, Verdict::Valid, "{whose:?}: {:?}", report.findings);
    }
}

trait Together {
    fn concat_sets(self) -> BTreeSet<String>;
}

impl Together for [BTreeSet<String>; 2] {
    fn concat_sets(self) -> BTreeSet<String> {
        self.into_iter().flatten().collect()
    }
}

#[tokio::test]
async fn the_chain_of_an_account_that_leaves_ends_and_begins_anew_when_it_is_back() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[one], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    world.record_of(one, "us-east-1", ids(0, 2)).await;
    world.hour().await;
    world.record_of(one, "us-east-1", ids(2, 4)).await;
    world.follow(&[], true, vec![]).await;
    world.hour().await;
    world.hour().await;
    world.hour().await;
    let digests = |world: &World| {
        let keys = world.store.digest_keys("audit").into_iter();
        keys.filter(|key| key.starts_with("AWSLogs/o-exampleorgid/111111111111/")).count()
    };
    assert_eq!(digests(&world), 2);
    let report = world.validate(world.ask_of(one)).await;
    assert_eq!((report.verdict, report.log_files.valid), (Verdict::Valid, 2), "{:?}", report.findings);

    // Nobody puts a file there now, and who does is found.
    let key = world.store.log_keys("audit").into_iter().find(|key| key.contains("/111111111111/")).unwrap();
    let mut planted = world.store.files.lock()[&("audit".to_owned(), key.clone())].clone();
    planted.modified = "2026-03-01T13:30:00Z".parse().unwrap();
    let alien = key.replace("_CloudTrail_us-east-1_20260301T10", "_CloudTrail_us-east-1_20260301T13");
    world.store.place("audit", &alien, planted);
    let report = world.validate(world.ask_of(one)).await;
    assert_eq!(report.verdict, Verdict::Invalid);
    world.store.take("audit", &alien);

    world.follow(&[one], true, vec![]).await;
    world.record_of(one, "us-east-1", ids(4, 6)).await;
    world.hour().await;
    assert_eq!(digests(&world), 3);
    let report = world.validate(world.ask_of(one)).await;
    assert_eq!((report.verdict, report.log_files.valid), (Verdict::Valid, 3), "{:?}", report.findings);
    assert_eq!(report.restarts, 1);
}

#[tokio::test]
async fn a_file_that_waits_when_its_account_leaves_is_in_a_backfill_digest() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[one], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    world.hour().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record_of(one, "us-east-1", ids(0, 2)).await;
    world.interval().await.unwrap();
    world.follow(&[], true, vec![]).await;
    for _ in 0..3 {
        world.hour().await;
    }
    world.store.mood("audit", Mood::Well);
    world.hour().await;
    world.hour().await;
    assert_eq!(by_folder(&world.store)[&folder(one)], set(0, 2));
    let report = world.validate(world.ask_of(one)).await;
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.findings);
    assert_eq!((report.log_files.valid, report.backfill_digests.valid), (1, 1));
}

/// A small generator, so that a failing run can be repeated by its number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What is so, and what the files are to hold.
struct Course {
    dice: Dice,
    accounts: Vec<AccountId>,
    members: BTreeSet<AccountId>,
    trusted: bool,
    logging: bool,
    is_organization: bool,
    /// The events of each folder.
    expected: BTreeMap<String, BTreeSet<String>>,
    next: usize,
}

impl Course {
    async fn begin(seed: u64, world: &World) -> Self {
        let accounts: Vec<AccountId> = (1..=3).map(member).collect();
        world.follow(&accounts, true, vec![]).await;
        world.create(of_organization(), "us-east-1").await;
        let members = accounts.iter().copied().collect();
        let (dice, expected) = (Dice(seed), BTreeMap::new());
        let (trusted, logging, is_organization) = (true, true, true);
        Self { dice, accounts, members, trusted, logging, is_organization, expected, next: 0 }
    }

    async fn step(&mut self, world: World) -> World {
        match self.dice.roll(12) {
            0..=4 => self.record(&world).await,
            5 | 6 => {
                let one = self.accounts[self.dice.roll(3) as usize];
                if !self.members.remove(&one) {
                    self.members.insert(one);
                }
                self.tell(&world).await;
            }
            7 => {
                self.trusted = !self.trusted || self.dice.roll(2) == 0;
                self.tell(&world).await;
            }
            8 if self.logging => {
                self.logging = false;
                world.stop("main", vec![]).await;
            }
            8 => {
                self.logging = true;
                world.start("main", vec![]).await;
            }
            9 if self.trusted => {
                self.is_organization = !self.is_organization;
                let (name, is_organization) = ("main".to_owned(), Some(self.is_organization));
                world.update(UpdateTrail { name, is_organization, ..UpdateTrail::default() }).await;
            }
            10 => {
                let mood = if self.dice.roll(2) == 0 { Mood::LosesAnswers } else { Mood::Well };
                world.store.mood("audit", mood);
                world.interval().await.unwrap();
            }
            _ => {
                let keeps = [CrashKeeps::Nothing, CrashKeeps::Everything][self.dice.roll(2) as usize];
                return world.restart(keeps).await;
            }
        }
        world
    }

    async fn record(&mut self, world: &World) {
        let owner = [self.accounts.as_slice(), &[account()]].concat()[self.dice.roll(4) as usize];
        let at = ["us-east-1", "eu-west-1"][self.dice.roll(2) as usize];
        let new = ids(self.next, self.next + 3);
        self.next += 3;
        let is_member = self.is_organization && self.trusted && self.members.contains(&owner);
        if self.logging && (owner == account() || is_member) {
            let whose = if self.is_organization { folder(owner) } else { owner.to_string() };
            self.expected.entry(whose).or_default().extend(new.iter().cloned());
        }
        world.record_of(owner, at, new).await;
    }

    /// Tells trails how the organization is.
    async fn tell(&self, world: &World) {
        let members: Vec<AccountId> = self.members.iter().copied().collect();
        world.follow(&members, self.trusted, vec![]).await;
    }
}

/// Accounts join, leave and act, the trail stops, starts and is converted, buckets fail and the process dies: an event
/// is in the files exactly once if the trail took its account's events at its place, and not at all otherwise.
#[tokio::test]
async fn an_event_is_delivered_if_its_account_belonged_to_the_organization_at_its_place() {
    for seed in 0..12 {
        let mut world = World::new().await;
        let mut course = Course::begin(seed, &world).await;
        for _ in 0..60 {
            world = course.step(world).await;
            if course.dice.roll(6) == 0 {
                world.hour().await;
            }
        }
        world.store.mood("audit", Mood::Well);
        for _ in 0..4 {
            world.hour().await;
        }
        let total: usize = course.expected.values().map(BTreeSet::len).sum();
        assert_eq!(exactly_once(&world.store, "audit").len(), total, "seed {seed}");
        assert_eq!(by_folder(&world.store), course.expected, "seed {seed}");
        world.store.assert_same_bytes_on_each_try();
        for whose in world.heads().into_iter().map(|head| head.whose).collect::<BTreeSet<_>>() {
            let mut ask = world.ask();
            ask.whose = whose.clone();
            let report = world.validate(ask).await;
            assert_eq!(report.verdict, Verdict::Valid, "seed {seed}, {whose:?}: {:?}", report.findings);
        }
    }
}

#[tokio::test]
async fn many_accounts_are_delivered_within_the_memory_of_a_few() {
    let world = World::with(DeliveryOptions { memory_bytes: 1 << 20, ..options() }).await;
    let accounts: Vec<AccountId> =
        (0..1000u64).map(|i| format!("{:012}", 200_000_000_000 + i).parse().unwrap()).collect();
    world.follow(&accounts, true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    for round in 0..3 {
        let events = accounts.iter().enumerate().map(|(index, owner)| OwnedEvent {
            owner: *owner,
            ..owned(&ids(round * 1000 + index, round * 1000 + index + 1)[0], "us-east-1")
        });
        world.state.append(vec![], events.collect()).await.unwrap();
    }
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit"), set(0, 3000));
    // 3,000 records of 300 bytes stay below the limit: each account has one file.
    assert_eq!(world.store.log_keys("audit").len(), 1000);
}

async fn change<T>(
    world: &World,
    change: impl FnOnce(&opentrail_trails::Trails, &mut opentrail_state::Transaction) -> Result<T, TrailError>,
) -> Result<T, &'static str> {
    let mut tx = world.state.begin().await;
    let changed = change(&world.trails, &mut tx);
    if changed.is_ok() {
        tx.commit(vec![]).await.unwrap();
    }
    changed.map_err(|error| error.code())
}

async fn create_as(world: &World, by: AccountId, name: &str) -> Result<Trail, &'static str> {
    let ask = CreateTrail { name: name.into(), ..of_organization() };
    change(world, |trails, tx| trails.create(tx, by, &region("us-east-1"), &ask, chrono::Utc::now())).await
}

async fn set_organization(world: &World, adjust: impl FnOnce(&mut Organization), members: &[AccountId]) {
    let mut organization = Organization {
        id: organization_id(),
        management: account(),
        all_features: true,
        trusted: true,
        administrators: BTreeSet::new(),
    };
    adjust(&mut organization);
    let mut tx = world.state.begin().await;
    follow(&mut tx, &organization, &members.iter().copied().collect());
    tx.commit(vec![]).await.unwrap();
}

#[tokio::test]
async fn an_organization_trail_is_made_by_who_administers_the_organization() {
    let world = World::new().await;
    let (security, other) = (member(1), member(2));
    assert_eq!(create_as(&world, account(), "main").await.unwrap_err(), "OrganizationsNotInUseException");
    let members = [security, other];
    set_organization(&world, |it| it.all_features = false, &members).await;
    assert_eq!(
        create_as(&world, account(), "main").await.unwrap_err(),
        "OrganizationNotInAllFeaturesModeException"
    );
    set_organization(&world, |it| it.trusted = false, &members).await;
    assert_eq!(
        create_as(&world, account(), "main").await.unwrap_err(),
        "CloudTrailAccessNotEnabledException"
    );
    set_organization(&world, |it| it.administrators = BTreeSet::from([security]), &members).await;
    assert_eq!(create_as(&world, other, "main").await.unwrap_err(), "NotOrganizationMasterAccountException");
    let trail = create_as(&world, security, "main").await.unwrap();
    assert_eq!((trail.arn().to_string().as_str(), trail.account), (ARN, account()));
    assert_eq!(create_as(&world, account(), "main").await.unwrap_err(), "TrailAlreadyExistsException");
}

#[tokio::test]
async fn members_see_the_trail_and_change_nothing() {
    let world = World::new().await;
    let (security, one, stranger) = (member(1), member(2), member(9));
    set_organization(&world, |it| it.administrators = BTreeSet::from([security]), &[security, one]).await;
    create_as(&world, account(), "main").await.unwrap();
    let here = region("us-east-1");
    let trails = &world.trails;
    for sees in [account(), security, one] {
        assert_eq!(trails.get(sees, &here, ARN).unwrap().arn().to_string(), ARN);
        assert_eq!(trails.list(sees).len(), 1);
        assert_eq!(trails.describe(sees, &here, &[], true).unwrap().len(), 1);
        let original = usize::from(sees == account());
        assert_eq!(trails.describe(sees, &here, &[], false).unwrap().len(), original);
        // A trail of another account has no name.
        assert_eq!(trails.get(sees, &here, "main").is_ok(), sees == account());
    }
    assert_eq!(trails.get(stranger, &here, ARN).unwrap_err().code(), "TrailNotFoundException");
    assert!(trails.list(stranger).is_empty());

    let now = chrono::Utc::now();
    for (by, refusal) in
        [(one, "NotOrganizationMasterAccountException"), (stranger, "TrailNotFoundException")]
    {
        let stopped = change(&world, |it, tx| it.stop_logging(tx, by, &here, ARN, now)).await;
        assert_eq!(stopped.unwrap_err(), refusal);
        let started = change(&world, |it, tx| it.start_logging(tx, by, &here, ARN, now)).await;
        assert_eq!(started.unwrap_err(), refusal);
        let deleted = change(&world, |it, tx| it.delete(tx, by, &here, ARN)).await;
        assert_eq!(deleted.unwrap_err(), refusal);
        let elsewhere =
            UpdateTrail { name: ARN.into(), bucket: Some("theirs".into()), ..UpdateTrail::default() };
        let updated = change(&world, |it, tx| it.update(tx, by, &here, &elsewhere, now)).await;
        assert_eq!(updated.unwrap_err(), refusal);
        let nothing = Selectors::default();
        let selected = change(&world, |it, tx| it.put_selectors(tx, by, &here, ARN, nothing, now)).await;
        assert_eq!(selected.unwrap_err(), refusal);
    }
    let tags = [("a".to_owned(), "b".to_owned())];
    let tagged = change(&world, |it, tx| it.add_tags(tx, one, &here, ARN, &tags)).await;
    assert_eq!(tagged.unwrap_err(), "NotOrganizationMasterAccountException");
    assert!(trails.tags(one, &here, ARN).unwrap().is_empty());
}

#[tokio::test]
async fn a_delegated_administrator_changes_the_trail_and_does_not_convert_it() {
    let world = World::new().await;
    let security = member(1);
    set_organization(&world, |it| it.administrators = BTreeSet::from([security]), &[security]).await;
    create_as(&world, security, "main").await.unwrap();
    let (here, now) = (region("us-east-1"), chrono::Utc::now());
    let started = change(&world, |it, tx| it.start_logging(tx, security, &here, ARN, now)).await;
    assert!(started.unwrap().logging);
    let by_name = change(&world, |it, tx| it.stop_logging(tx, security, &here, "main", now)).await;
    assert_eq!(by_name.unwrap_err(), "TrailNotFoundException");
    let convert = UpdateTrail { name: ARN.into(), is_organization: Some(false), ..UpdateTrail::default() };
    let converted = change(&world, |it, tx| it.update(tx, security, &here, &convert, now)).await;
    assert_eq!(converted.unwrap_err(), "NotOrganizationMasterAccountException");
    let own = CreateTrail { name: "own".into(), ..usual() };
    change(&world, |it, tx| it.create(tx, security, &here, &own, now)).await.unwrap();
    let convert = UpdateTrail { name: "own".into(), is_organization: Some(true), ..UpdateTrail::default() };
    let converted = change(&world, |it, tx| it.update(tx, security, &here, &convert, now)).await;
    assert_eq!(converted.unwrap_err(), "NotOrganizationMasterAccountException");
    let converted = change(&world, |it, tx| {
        let back =
            UpdateTrail { name: "main".into(), is_organization: Some(false), ..UpdateTrail::default() };
        it.update(tx, account(), &here, &back, now)
    });
    assert!(converted.await.unwrap().organization.is_none());
    assert!(world.trails.get(security, &here, ARN).is_err());
}

#[tokio::test]
async fn a_trail_outlives_its_organization_as_its_accounts_own() {
    let world = World::new().await;
    let one = member(1);
    world.follow(&[one], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    let mut tx = world.state.begin().await;
    dissolve(&mut tx, &organization_id());
    tx.commit(vec![]).await.unwrap();
    world.record("us-east-1", ids(0, 2)).await;
    world.record_of(one, "us-east-1", ids(2, 4)).await;
    world.interval().await.unwrap();
    assert_eq!(by_folder(&world.store), BTreeMap::from([("123456789012".to_owned(), set(0, 2))]));
    assert!(world.trails.get(one, &region("us-east-1"), ARN).is_err());
    assert!(world.trails.get(account(), &region("us-east-1"), ARN).unwrap().organization.is_none());
}

#[tokio::test]
async fn data_events_of_members_are_worth_recording_where_the_organization_trail_takes_them() {
    let world = World::new().await;
    let (one, stranger) = (member(1), member(9));
    world.follow(&[one], true, vec![]).await;
    world.create(of_organization(), "us-east-1").await;
    let text = r#"{"eventVersion":"1.11","userIdentity":{"type":"Root"},"eventTime":"2026-03-01T09:59:59Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","eventID":"d","readOnly":true,"eventType":"AwsApiCall","managementEvent":false,"eventCategory":"Data","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"}]}"#;
    let event = opentrail_event::Event::parse(text.into()).unwrap();
    assert!(!world.trails.selects_data_event(&event, one));
    world.take_data_events("main").await;
    assert!(
        world.trails.selects_data_event(&event, one) && world.trails.selects_data_event(&event, account())
    );
    assert!(!world.trails.selects_data_event(&event, stranger));
    world.follow(&[], true, vec![]).await;
    assert!(!world.trails.selects_data_event(&event, one));
}
