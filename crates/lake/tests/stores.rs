//! AWS's rules for event data stores and channels.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{Disk, RealDisk},
};
use opentrail_lake::{
    channel::{ChannelRefusal, Channels, CreateChannel, UpdateChannel, delivering_to},
    store::{
        BillingMode, CreateEventDataStore, EventDataStore, MAX_STORES_PER_REGION, StoreCategory,
        StoreRefusal, StoreStatus, Stores, UpdateEventDataStore, leave_organization,
    },
};
use opentrail_selector::{AdvancedEventSelector, AdvancedFieldSelector};
use opentrail_state::{State, StateOptions, Transaction};
use opentrail_trails::{Organization, OrganizationId, organization::follow};
use tempfile::TempDir;

struct World {
    state: State,
    stores: Stores,
    channels: Channels,
    _folder: TempDir,
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn named(name: &str) -> CreateEventDataStore {
    CreateEventDataStore { name: name.to_owned(), ..CreateEventDataStore::default() }
}

fn of_category(category: &str) -> Option<Vec<AdvancedEventSelector>> {
    let field = AdvancedFieldSelector {
        field: "eventCategory".to_owned(),
        equals: Some(vec![category.to_owned()]),
        ..AdvancedFieldSelector::default()
    };
    Some(vec![AdvancedEventSelector { name: None, field_selectors: vec![field] }])
}

fn code<T: std::fmt::Debug>(outcome: Result<T, StoreRefusal>) -> &'static str {
    outcome.unwrap_err().code()
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ChannelRefusal>) -> &'static str {
    outcome.unwrap_err().code()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (journal, _) =
            Journal::open(&folder.path().join("journal"), JournalOptions::default(), disk.clone()).unwrap();
        let state =
            State::open(journal, &folder.path().join("state"), disk, StateOptions::default()).await.unwrap();
        let (stores, channels) = (Stores::new(state.clone()), Channels::new(state.clone()));
        Self { state, stores, channels, _folder: folder }
    }

    /// Does something in a transaction of its own, which commits if it worked.
    async fn change<T, E>(&self, act: impl FnOnce(&mut Transaction) -> Result<T, E>) -> Result<T, E> {
        let mut tx = self.state.begin().await;
        let outcome = act(&mut tx)?;
        tx.commit(vec![]).await.unwrap();
        Ok(outcome)
    }

    async fn create_as(
        &self,
        who: AccountId,
        ask: CreateEventDataStore,
    ) -> Result<EventDataStore, StoreRefusal> {
        self.change(|tx| self.stores.create(tx, who, &region(), &ask, now())).await
    }

    async fn create(&self, ask: CreateEventDataStore) -> Result<EventDataStore, StoreRefusal> {
        self.create_as(account(), ask).await
    }

    async fn update(
        &self,
        store: &EventDataStore,
        change: impl FnOnce(&mut UpdateEventDataStore),
    ) -> Result<EventDataStore, StoreRefusal> {
        let mut ask = UpdateEventDataStore { named: store.id.to_string(), ..UpdateEventDataStore::default() };
        change(&mut ask);
        self.change(|tx| self.stores.update(tx, account(), &region(), &ask, now())).await
    }

    async fn delete(&self, store: &EventDataStore) -> Result<EventDataStore, StoreRefusal> {
        let id = store.id.to_string();
        self.change(|tx| self.stores.delete(tx, account(), &region(), &id, |_, _| Ok(()), now())).await
    }

    async fn restore(
        &self,
        store: &EventDataStore,
        at: DateTime<Utc>,
    ) -> Result<EventDataStore, StoreRefusal> {
        let id = store.id.to_string();
        self.change(|tx| self.stores.restore(tx, account(), &region(), &id, at)).await
    }

    async fn outside(&self, name: &str) -> EventDataStore {
        let selectors = of_category("ActivityAuditLog");
        let ask = CreateEventDataStore { selectors, termination_protection: Some(false), ..named(name) };
        self.create(ask).await.unwrap()
    }

    async fn unprotected(&self, name: &str) -> EventDataStore {
        let ask = CreateEventDataStore { termination_protection: Some(false), ..named(name) };
        self.create(ask).await.unwrap()
    }
}

#[tokio::test]
async fn a_new_store_has_the_defaults_of_aws() {
    let world = World::new().await;
    let store = world.create(named("first")).await.unwrap();
    assert!(store.is_multi_region && store.termination_protection && store.organization.is_none());
    assert_eq!((store.retention_days, store.billing_mode), (366, BillingMode::ExtendableRetentionPricing));
    assert_eq!((store.status, store.category), (StoreStatus::Enabled, StoreCategory::Events));
    assert_eq!(store.selectors[0].name.as_deref(), Some("Default management events"));
    assert_eq!(store.selectors[0].field_selectors[0].equals.as_deref(), Some(&["Management".to_owned()][..]));
    for name in [store.id.to_string(), store.arn().to_string()] {
        assert_eq!(world.stores.get(account(), &region(), &name).unwrap().name, "first");
    }
    let elsewhere = "us-east-1".parse().unwrap();
    assert_eq!(
        code(world.stores.get(account(), &elsewhere, &store.arn().to_string())),
        "EventDataStoreNotFoundException"
    );
    assert_eq!(code(world.stores.get(account(), &region(), "first")), "EventDataStoreARNInvalidException");
}

#[tokio::test]
async fn bad_input_has_the_codes_of_aws() {
    let world = World::new().await;
    world.create(named("taken")).await.unwrap();
    let fixed = Some(BillingMode::FixedRetentionPricing);
    let cases = [
        (named("taken"), "EventDataStoreAlreadyExistsException"),
        (named("ab"), "InvalidParameterException"),
        (named("with space"), "InvalidParameterException"),
        (CreateEventDataStore { retention_days: Some(6), ..named("one") }, "InvalidParameterException"),
        (CreateEventDataStore { retention_days: Some(3654), ..named("one") }, "InvalidParameterException"),
        (
            CreateEventDataStore { retention_days: Some(2558), billing_mode: fixed, ..named("one") },
            "InvalidParameterException",
        ),
        (
            CreateEventDataStore { selectors: of_category("Weather"), ..named("one") },
            "InvalidEventSelectorsException",
        ),
        (
            CreateEventDataStore {
                selectors: of_category("Insight"),
                start_ingestion: Some(false),
                ..named("one")
            },
            "InvalidEventDataStoreCategoryException",
        ),
        (
            CreateEventDataStore { is_organization: Some(true), ..named("one") },
            "OrganizationsNotInUseException",
        ),
        (
            CreateEventDataStore { tags: vec![("aws:x".into(), String::new())], ..named("one") },
            "InvalidTagParameterException",
        ),
    ];
    for (ask, expected) in cases {
        let shown = format!("{ask:?}");
        assert_eq!(code(world.create(ask).await), expected, "{shown}");
    }
    let longest = CreateEventDataStore { billing_mode: fixed, ..named("fixed") };
    assert_eq!(world.create(longest).await.unwrap().retention_days, 2557);
}

#[tokio::test]
async fn a_region_has_ten_stores_and_those_that_go_do_not_count() {
    let world = World::new().await;
    let first = world.unprotected("store-0").await;
    for number in 1..MAX_STORES_PER_REGION {
        world.create(named(&format!("store-{number}"))).await.unwrap();
    }
    assert_eq!(code(world.create(named("more")).await), "EventDataStoreMaxLimitExceededException");
    world.delete(&first).await.unwrap();
    world.create(named("more")).await.unwrap();
    assert_eq!(code(world.restore(&first, now()).await), "EventDataStoreMaxLimitExceededException");
}

#[tokio::test]
async fn what_may_change_changes_and_the_rest_does_not() {
    let world = World::new().await;
    let store = world.create(named("first")).await.unwrap();
    world.create(named("second")).await.unwrap();
    let changed = world
        .update(&store, |ask| {
            ask.name = Some("renamed".into());
            ask.retention_days = Some(7);
            ask.is_multi_region = Some(false);
            ask.termination_protection = Some(false);
        })
        .await
        .unwrap();
    assert_eq!((changed.name.as_str(), changed.retention_days), ("renamed", 7));
    assert!(!changed.is_multi_region && !changed.termination_protection);
    let taken = world.update(&store, |ask| ask.name = Some("second".into())).await;
    assert_eq!(code(taken), "EventDataStoreAlreadyExistsException");
    let other = world.update(&store, |ask| ask.selectors = of_category("ConfigurationItem")).await;
    assert_eq!(code(other), "InvalidEventSelectorsException");
    let mode = |mode| move |ask: &mut UpdateEventDataStore| ask.billing_mode = Some(mode);
    let back = world.update(&store, mode(BillingMode::FixedRetentionPricing)).await;
    assert_eq!(code(back), "InvalidParameterException");
    let fixed =
        CreateEventDataStore { billing_mode: Some(BillingMode::FixedRetentionPricing), ..named("fixed") };
    let fixed = world.create(fixed).await.unwrap();
    let on = world.update(&fixed, mode(BillingMode::ExtendableRetentionPricing)).await.unwrap();
    assert_eq!(on.billing_mode, BillingMode::ExtendableRetentionPricing);
}

#[tokio::test]
async fn a_deleted_store_comes_back_within_seven_days_and_then_is_gone() {
    let world = World::new().await;
    let protected = world.create(named("protected")).await.unwrap();
    assert_eq!(code(world.delete(&protected).await), "EventDataStoreTerminationProtectedException");
    let store = world.unprotected("first").await;
    let id = store.id.to_string();
    assert_eq!(code(world.restore(&store, now()).await), "InvalidEventDataStoreStatusException");
    world.change(|tx| world.stores.stop_ingestion(tx, account(), &region(), &id, now())).await.unwrap();
    let deleted = world.delete(&store).await.unwrap();
    assert_eq!(deleted.status, StoreStatus::PendingDeletion);
    assert_eq!(code(world.delete(&store).await), "InactiveEventDataStoreException");
    let renamed = world.update(&store, |ask| ask.name = Some("other".into())).await;
    assert_eq!(code(renamed), "InactiveEventDataStoreException");
    assert_eq!(code(world.create(named("first")).await), "EventDataStoreAlreadyExistsException");

    let almost = now() + TimeDelta::days(7) - TimeDelta::seconds(1);
    assert!(world.stores.due(almost).is_empty());
    assert_eq!(world.restore(&store, almost).await.unwrap().status, StoreStatus::StoppedIngestion);
    world.delete(&store).await.unwrap();
    let over = now() + TimeDelta::days(7);
    assert_eq!(code(world.restore(&store, over).await), "EventDataStoreNotFoundException");
    assert_eq!(world.stores.do_what_is_due(over).await.deleted, 1);
    assert_eq!(world.stores.do_what_is_due(over).await.deleted, 0);
    assert_eq!(code(world.stores.get(account(), &region(), &id)), "EventDataStoreNotFoundException");
    world.create(named("first")).await.unwrap();
}

#[tokio::test]
async fn ingestion_starts_and_stops_where_there_is_any() {
    let world = World::new().await;
    let store = world.create(named("first")).await.unwrap();
    let turn = |name: String, start: bool| {
        let (stores, state) = (world.stores.clone(), world.state.clone());
        async move {
            let mut tx = state.begin().await;
            let done = if start {
                stores.start_ingestion(&mut tx, account(), &region(), &name, now())
            } else {
                stores.stop_ingestion(&mut tx, account(), &region(), &name, now())
            };
            tx.commit(vec![]).await.unwrap();
            done
        }
    };
    let id = store.id.to_string();
    assert_eq!(code(turn(id.clone(), true).await), "InvalidEventDataStoreStatusException");
    assert!(!turn(id.clone(), false).await.unwrap().is_ingesting());
    assert_eq!(code(turn(id.clone(), false).await), "InvalidEventDataStoreStatusException");
    assert!(turn(id, true).await.unwrap().is_ingesting());
    let insight = CreateEventDataStore { selectors: of_category("Insight"), ..named("insight") };
    let insight = world.create(insight).await.unwrap().id.to_string();
    assert_eq!(code(turn(insight, false).await), "InvalidEventDataStoreCategoryException");
}

fn organization() -> OrganizationId {
    "o-exampleorgid".parse().unwrap()
}

fn member(number: usize) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

async fn found(world: &World, administrators: &[AccountId], members: &[AccountId], trusted: bool) {
    let described = Organization {
        id: organization(),
        management: account(),
        all_features: true,
        trusted,
        administrators: administrators.iter().copied().collect(),
    };
    let members: BTreeSet<AccountId> = members.iter().copied().collect();
    let done: Result<(), StoreRefusal> = world
        .change(|tx| {
            follow(tx, &described, &members);
            Ok(())
        })
        .await;
    done.unwrap();
}

#[tokio::test]
async fn a_store_of_an_organization_belongs_to_its_management_account() {
    let world = World::new().await;
    let (delegate, plain) = (member(1), member(2));
    found(&world, &[delegate], &[delegate, plain], true).await;
    let ask = |name: &str| CreateEventDataStore { is_organization: Some(true), ..named(name) };
    assert_eq!(code(world.create_as(plain, ask("one")).await), "NotOrganizationMasterAccountException");
    let store = world.create_as(delegate, ask("one")).await.unwrap();
    assert_eq!(store.account, account());
    let arn = store.arn().to_string();
    for who in [account(), delegate] {
        assert!(world.stores.get(who, &region(), &arn).is_ok());
        assert!(world.stores.get(who, &region(), &store.id.to_string()).is_ok());
        assert_eq!(world.stores.list(who, &region()).len(), 1);
        assert!(world.stores.covers(&store, who));
    }
    assert_eq!(code(world.stores.get(plain, &region(), &arn)), "EventDataStoreNotFoundException");
    assert!(world.stores.list(plain, &region()).is_empty());
    assert!(world.stores.covers(&store, plain) && !world.stores.covers(&store, member(9)));

    let ask = UpdateEventDataStore {
        named: arn.clone(),
        is_organization: Some(false),
        ..UpdateEventDataStore::default()
    };
    let (world, ask) = (&world, &ask);
    let convert = |who| world.change(move |tx| world.stores.update(tx, who, &region(), ask, now()));
    assert_eq!(code(convert(delegate).await), "NotOrganizationMasterAccountException");
    assert!(convert(account()).await.unwrap().organization.is_none());
    assert!(!world.stores.covers(&world.stores.get(account(), &region(), &arn).unwrap(), plain));
}

#[tokio::test]
async fn a_store_outlives_its_organization() {
    let world = World::new().await;
    found(&world, &[], &[member(1)], true).await;
    let ask = CreateEventDataStore { is_organization: Some(true), ..named("one") };
    let store = world.create(ask).await.unwrap();
    found(&world, &[], &[member(1)], false).await;
    assert!(!world.stores.covers(&store, member(1)) && world.stores.covers(&store, account()));
    let done: Result<(), StoreRefusal> = world
        .change(|tx| {
            leave_organization(tx, &organization());
            Ok(())
        })
        .await;
    done.unwrap();
    assert!(world.stores.by_arn(&store.arn()).unwrap().organization.is_none());
}

#[tokio::test]
async fn a_channel_names_stores_for_events_from_outside() {
    let world = World::new().await;
    let events = world.create(named("events")).await.unwrap();
    let outside = world.outside("outside").await;
    let gone = world.outside("gone").await;
    world.delete(&gone).await.unwrap();
    let ask = |name: &str, source: &str, stores: &[String]| CreateChannel {
        name: name.to_owned(),
        source: source.to_owned(),
        destinations: stores.to_vec(),
        tags: Vec::new(),
    };
    let create = |ask: CreateChannel| {
        let world = &world;
        async move { world.change(|tx| world.channels.create(tx, account(), &region(), &ask, now())).await }
    };
    let good = outside.arn().to_string();
    let missing = good.replace(&outside.id.to_string(), "00000000-0000-4000-8000-000000000000");
    let cases = [
        (ask("x", "Custom", std::slice::from_ref(&good)), "InvalidParameterException"),
        (ask("first", "Nobody", std::slice::from_ref(&good)), "InvalidSourceException"),
        (ask("first", "Custom", &[]), "InvalidParameterException"),
        (ask("first", "Custom", &["store".to_owned()]), "EventDataStoreARNInvalidException"),
        (ask("first", "Custom", &[missing]), "EventDataStoreNotFoundException"),
        (ask("first", "Custom", &[events.arn().to_string()]), "InvalidEventDataStoreCategoryException"),
        (ask("first", "Custom", &[gone.arn().to_string()]), "InactiveEventDataStoreException"),
        (ask("first", "Custom", &[good.clone(), good.clone()]), "InvalidParameterException"),
    ];
    for (ask, expected) in cases {
        let shown = format!("{ask:?}");
        assert_eq!(refusal(create(ask).await), expected, "{shown}");
    }
    let channel = create(ask("first", "Custom", &[outside.id.to_string()])).await.unwrap();
    assert_eq!(channel.destinations, [outside.id]);
    assert_eq!(
        refusal(create(ask("first", "GitHub", std::slice::from_ref(&good))).await),
        "ChannelAlreadyExistsException"
    );
    assert_eq!(
        refusal(create(ask("other", "Custom", std::slice::from_ref(&good))).await),
        "ChannelAlreadyExistsException"
    );
    let tx = world.state.begin().await;
    assert_eq!(delivering_to(&tx, &outside).unwrap().id, channel.id);
    drop(tx);

    let update = UpdateChannel {
        named: channel.id.to_string(),
        name: Some("renamed".into()),
        ..UpdateChannel::default()
    };
    let changed = world.change(|tx| world.channels.update(tx, account(), &region(), &update)).await.unwrap();
    assert_eq!((changed.name.as_str(), &changed.destinations), ("renamed", &channel.destinations));
    let arn = channel.arn().to_string();
    assert_eq!(refusal(world.channels.get(member(1), &region(), &arn)), "ChannelNotFoundException");
    world.change(|tx| world.channels.delete(tx, account(), &region(), &arn)).await.unwrap();
    assert_eq!(refusal(world.channels.get(account(), &region(), &arn)), "ChannelNotFoundException");
}
