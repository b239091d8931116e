//! AWS's rules for trails.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use opentrail_selector::Selectors;
use opentrail_trails::{CreateTrail, Trail, TrailError, UpdateTrail};
use world::{World, account, owned, region, usual};

fn simple(name: &str) -> CreateTrail {
    CreateTrail { name: name.into(), bucket: "audit".into(), ..CreateTrail::default() }
}

async fn create(world: &World, at: &str, ask: CreateTrail) -> Result<Trail, TrailError> {
    let mut tx = world.state.begin().await;
    let made = world.trails.create(&mut tx, account(), &region(at), &ask, chrono::Utc::now());
    tx.commit(vec![]).await.unwrap();
    made
}

async fn update(world: &World, at: &str, ask: UpdateTrail) -> Result<Trail, TrailError> {
    let mut tx = world.state.begin().await;
    let made = world.trails.update(&mut tx, account(), &region(at), &ask, chrono::Utc::now());
    tx.commit(vec![]).await.unwrap();
    made
}

fn code<T: std::fmt::Debug>(outcome: Result<T, TrailError>) -> &'static str {
    outcome.unwrap_err().code()
}

#[tokio::test]
async fn a_new_trail_has_the_defaults_of_aws() {
    let world = World::new().await;
    let trail = create(&world, "eu-west-1", simple("first")).await.unwrap();
    assert!(trail.include_global_service_events && trail.recursive_logging);
    assert!(!trail.is_multi_region && !trail.log_file_validation && !trail.logging);
    assert!(!trail.has_custom_event_selectors());
    assert_eq!(trail.arn().to_string(), "arn:aws:cloudtrail:eu-west-1:123456789012:trail/first");
    let read = world.trails.get(account(), &region("eu-west-1"), "first").unwrap();
    assert_eq!(read.id(), "123456789012/eu-west-1/first");
}

#[tokio::test]
async fn bad_input_has_the_codes_of_aws() {
    let world = World::new().await;
    create(&world, "us-east-1", simple("taken")).await.unwrap();
    let with = |change: fn(&mut CreateTrail)| {
        let mut ask = simple("another");
        change(&mut ask);
        ask
    };
    let cases: [(CreateTrail, &str); 9] = [
        (simple("taken"), "TrailAlreadyExistsException"),
        (simple("a"), "InvalidTrailNameException"),
        (with(|ask| ask.bucket = "Up_per".into()), "InvalidS3BucketNameException"),
        (with(|ask| ask.prefix = Some("p".repeat(201))), "InvalidS3PrefixException"),
        (with(|ask| ask.is_organization = Some(true)), "OrganizationsNotInUseException"),
        (
            with(|ask| {
                ask.is_multi_region = Some(true);
                ask.include_global_service_events = Some(false);
            }),
            "InvalidParameterCombinationException",
        ),
        (with(|ask| ask.tags = vec![("aws:x".into(), "1".into())]), "InvalidTagParameterException"),
        (
            with(|ask| ask.tags = vec![("a".into(), "1".into()), ("a".into(), "2".into())]),
            "InvalidTagParameterException",
        ),
        (
            with(|ask| ask.tags = (0..51).map(|i| (format!("k{i}"), String::new())).collect()),
            "TagsLimitExceededException",
        ),
    ];
    for (ask, expected) in cases {
        assert_eq!(code(create(&world, "us-east-1", ask).await), expected);
    }
    let here = region("us-east-1");
    assert_eq!(code(world.trails.get(account(), &here, "unknown")), "TrailNotFoundException");
    assert_eq!(code(world.trails.get(account(), &here, "-")), "InvalidTrailNameException");
    assert_eq!(code(world.trails.get(account(), &here, "arn:aws:s3:::x")), "CloudTrailARNInvalidException");
    assert_eq!(code(world.trails.tags(account(), &here, "taken")), "CloudTrailARNInvalidException");
    let store = "arn:aws:cloudtrail:us-east-1:123456789012:eventdatastore/x";
    assert_eq!(code(world.trails.tags(account(), &here, store)), "ResourceTypeNotSupportedException");
    let unknown = "arn:aws:cloudtrail:us-east-1:123456789012:trail/unknown";
    assert_eq!(code(world.trails.tags(account(), &here, unknown)), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_region_has_five_trails_and_a_multi_region_trail_counts_everywhere() {
    let world = World::new().await;
    create(&world, "us-east-1", usual()).await.unwrap();
    for i in 0..4 {
        create(&world, "eu-west-1", simple(&format!("trail{i}"))).await.unwrap();
    }
    assert_eq!(
        code(create(&world, "eu-west-1", simple("more")).await),
        "MaximumNumberOfTrailsExceededException"
    );
    create(&world, "us-east-1", simple("here")).await.unwrap();
    let second = CreateTrail { name: "second".into(), ..usual() };
    let refused = create(&world, "us-east-1", second).await.unwrap_err();
    assert_eq!(refused.to_string(), "User: 123456789012 already has 5 trails in eu-west-1.");
    let widen = UpdateTrail { name: "here".into(), is_multi_region: Some(true), ..UpdateTrail::default() };
    assert_eq!(code(update(&world, "us-east-1", widen).await), "MaximumNumberOfTrailsExceededException");
}

#[tokio::test]
async fn a_multi_region_trail_is_seen_elsewhere_as_a_shadow_and_changed_at_home() {
    let world = World::new().await;
    let arn = create(&world, "us-east-1", usual()).await.unwrap().arn().to_string();
    create(&world, "us-east-1", simple("local")).await.unwrap();
    let (home, away) = (region("us-east-1"), region("eu-west-1"));
    let names = |at, shadows| -> Vec<String> {
        let found = world.trails.describe(account(), at, &[], shadows).unwrap();
        found.iter().map(|trail| trail.name.to_string()).collect()
    };
    assert_eq!(names(&home, false), ["local", "main"]);
    assert_eq!(names(&away, true), ["main"]);
    assert!(names(&away, false).is_empty());
    assert!(world.trails.get(account(), &away, &arn).is_ok());
    assert_eq!(code(world.trails.get(account(), &away, "main")), "TrailNotFoundException");
    let named = world.trails.describe(account(), &away, &[arn.clone(), "unknown".into()], false).unwrap();
    assert_eq!(named.len(), 1);
    let ask = UpdateTrail { name: arn, bucket: Some("other".into()), ..UpdateTrail::default() };
    assert_eq!(code(update(&world, "eu-west-1", ask.clone()).await), "InvalidHomeRegionException");
    assert_eq!(update(&world, "us-east-1", ask).await.unwrap().bucket, "other");
    let local = "arn:aws:cloudtrail:us-east-1:123456789012:trail/local";
    assert_eq!(code(world.trails.get(account(), &away, local)), "TrailNotFoundException");
}

#[tokio::test]
async fn starting_and_stopping_keep_their_times() {
    let world = World::new().await;
    let trail = world.create_usual().await;
    let started = trail.start_logging_time.unwrap();
    world.clock.go(10);
    world.start("main", vec![]).await;
    let here = region("us-east-1");
    assert_eq!(world.trails.get(account(), &here, "main").unwrap().start_logging_time, Some(started));
    world.stop("main", vec![]).await;
    let stopped = world.trails.get(account(), &here, "main").unwrap();
    assert_eq!(
        (stopped.logging, stopped.stop_logging_time),
        (false, Some(started + chrono::TimeDelta::seconds(10)))
    );
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let world = World::new().await;
    let arn = create(&world, "us-east-1", usual()).await.unwrap().arn().to_string();
    let here = region("us-east-1");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut tx = world.state.begin().await;
    world.trails.add_tags(&mut tx, account(), &here, &arn, &[pair("a", "1"), pair("b", "2")]).unwrap();
    world.trails.add_tags(&mut tx, account(), &here, &arn, &[pair("a", "3")]).unwrap();
    world.trails.remove_tags(&mut tx, account(), &here, &arn, &["b".into(), "c".into()]).unwrap();
    tx.commit(vec![]).await.unwrap();
    let tags: Vec<_> = world.trails.tags(account(), &here, &arn).unwrap().into_iter().collect();
    assert_eq!(tags, [pair("a", "3")]);
}

#[tokio::test]
async fn a_data_event_is_worth_recording_when_a_logging_trail_takes_it() {
    let world = World::new().await;
    world.create_usual().await;
    let text = r#"{"eventVersion":"1.11","userIdentity":{"type":"Root"},"eventTime":"2026-03-01T09:59:59Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","eventID":"d","readOnly":true,"eventCategory":"Data","managementEvent":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"}]}"#;
    let event = opentrail_event::Event::parse(text.into()).unwrap();
    let wanted = || world.trails.selects_data_event(&event, account());
    assert!(!wanted());
    assert!(world.trails.selects_data_event(&owned("m", "us-east-1").event, account()));
    world.take_data_events("main").await;
    assert!(wanted());
    assert!(!world.trails.selects_data_event(&event, "999999999999".parse().unwrap()));
    world.stop("main", vec![]).await;
    assert!(!wanted());
}

#[tokio::test]
async fn selectors_are_stored_as_they_were_given() {
    let world = World::new().await;
    create(&world, "us-east-1", usual()).await.unwrap();
    let text = r#"[{"Name":"x","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventName","StartsWith":["B"],"NotEquals":["A"]}]}]"#;
    let advanced = serde_json::from_str(text).unwrap();
    let selectors = Selectors::of_request(None, Some(advanced)).unwrap();
    let mut tx = world.state.begin().await;
    let put = world.trails.put_selectors(
        &mut tx,
        account(),
        &region("us-east-1"),
        "main",
        selectors,
        chrono::Utc::now(),
    );
    tx.commit(vec![]).await.unwrap();
    assert!(put.unwrap().has_custom_event_selectors());
    let read = world.trails.get(account(), &region("us-east-1"), "main").unwrap();
    let Selectors::Advanced(list) = &read.selectors else { panic!("basic") };
    assert_eq!(serde_json::to_string(list).unwrap(), text);
    assert!(Selectors::of_request(None, None).is_err());
    let basic: Vec<_> = serde_json::from_str("[{}]").unwrap();
    assert!(Selectors::of_request(Some(basic), None).unwrap().is_default());
}
