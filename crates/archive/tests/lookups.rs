//! Lookups against a list that is searched naively, whatever was flushed, merged or reopened in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use opentrail_archive::{Attribute, Filter, LookupQuery, Matcher};
use opentrail_event::{AccountId, Category, Event};
use proptest::prelude::*;
use scene::{Scene, Spec, at, ids, now, options, owner, runtime};

const NAMES: [&str; 4] = ["CreateUser", "GetUser", "PutObject", "AssumeRole"];
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];
const USERS: [&str; 3] = ["alice", "bob", "a\u{fc}li"];
const BUCKETS: [&str; 3] = ["", "logs", "alice-data"];
const CATEGORIES: [&str; 3] = ["Management", "Data", "Insight"];
const OWNERS: u64 = 2;
const START: i64 = 1_699_999_000;

#[derive(Debug, Clone)]
struct Picks {
    owner: u64,
    seconds: i64,
    name: usize,
    region: usize,
    user: usize,
    bucket: usize,
    category: usize,
    read_only: bool,
}

fn picks() -> impl Strategy<Value = Picks> {
    (0..OWNERS, 0..30i64, 0..4usize, 0..3usize, 0..3usize, 0..3usize, 0..6usize, any::<bool>()).prop_map(
        |(owner, seconds, name, region, user, bucket, category, read_only)| Picks {
            owner,
            seconds,
            name,
            region,
            user,
            bucket,
            category: category.saturating_sub(3),
            read_only,
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Picks>),
    Flush,
    Compact,
    Reopen,
    Ask(Question),
}

#[derive(Debug, Clone)]
struct Question {
    owner: u64,
    region: Option<usize>,
    filters: Vec<(usize, bool, usize)>,
    from: Option<i64>,
    to: Option<i64>,
    limit: usize,
    categories: Vec<usize>,
}

fn question() -> impl Strategy<Value = Question> {
    (
        0..OWNERS,
        proptest::option::of(0..3usize),
        proptest::collection::vec((0..8usize, proptest::bool::weighted(0.7), 0..6usize), 0..3),
        proptest::option::of(0..30i64),
        proptest::option::of(0..30i64),
        1..9usize,
        proptest::collection::vec(0..3usize, 0..3),
    )
        .prop_map(|(owner, region, filters, from, to, limit, categories)| Question {
            owner,
            region,
            filters,
            from,
            to,
            limit,
            categories,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(picks(), 1..12).prop_map(Step::Append),
        4 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
        8 => question().prop_map(Step::Ask),
    ]
}

struct Known {
    position: (i64, u64, usize),
    owner: AccountId,
    event: Event,
}

/// The values of an event, by the event's own account of itself.
fn values(event: &Event, attribute: Attribute) -> Vec<String> {
    let resources = event.resources();
    match attribute {
        Attribute::EventId => vec![event.id().to_owned()],
        Attribute::EventName => vec![event.name().to_owned()],
        Attribute::EventSource => vec![event.source().to_owned()],
        Attribute::ReadOnly => event.read_only().iter().map(bool::to_string).collect(),
        Attribute::Username => event.user_name().iter().map(|name| name.to_string()).collect(),
        Attribute::AccessKeyId => event.access_key_id().iter().map(|key| key.to_string()).collect(),
        Attribute::ResourceName => resources.iter().map(|resource| resource.name.clone()).collect(),
        Attribute::ResourceType => resources.iter().filter_map(|resource| resource.kind.clone()).collect(),
    }
}

fn value(attribute: Attribute, exact: bool, pick: usize) -> String {
    let exact_values: &[&str] = match attribute {
        Attribute::EventId => &["id-1", "id-7", "id-30", "nothing"],
        Attribute::EventName => &NAMES,
        Attribute::ReadOnly => &["true", "false"],
        Attribute::Username => &USERS,
        Attribute::ResourceType => &["AWS::S3::Bucket", "AWS::IAM::User"],
        Attribute::ResourceName => &["arn:aws:s3:::logs", "arn:aws:s3:::alice-data/x", "logs", "alice-data"],
        Attribute::EventSource => &["iam.amazonaws.com", "s3.amazonaws.com"],
        Attribute::AccessKeyId => &["AKIAALICE", "AKIABOB", "akiabob"],
    };
    let parts = ["", "a", "li", "User", "s3", "1"];
    if exact {
        exact_values[pick % exact_values.len()].to_owned()
    } else {
        parts[pick % parts.len()].to_owned()
    }
}

fn query(question: &Question) -> LookupQuery {
    let attributes = question.filters.iter().map(|(attribute, exact, pick)| {
        let attribute = Attribute::ALL[*attribute];
        let value = value(attribute, *exact, *pick);
        if *exact { Filter::exact(attribute, value) } else { Filter::contains(attribute, value) }
    });
    let (from, to) = match (question.from, question.to) {
        (Some(from), Some(to)) => (Some(from.min(to)), Some(from.max(to))),
        range => range,
    };
    LookupQuery {
        region: question.region.map(|region| REGIONS[region].parse().unwrap()),
        attributes: attributes.collect(),
        from: from.map(|from| at(START + from)),
        to: to.map(|to| at(START + to)),
        limit: question.limit,
        categories: question.categories.iter().map(|category| Category::of(CATEGORIES[*category])).collect(),
        ..LookupQuery::new(owner(question.owner), now())
    }
}

fn expected(known: &[Known], query: &LookupQuery) -> Vec<String> {
    let mut found: Vec<&Known> = known
        .iter()
        .filter(|known| {
            let event = &known.event;
            known.owner == query.owner
                && query.region.as_ref().is_none_or(|region| region.as_str() == event.region())
                && query.from.is_none_or(|from| event.time() >= from)
                && query.to.is_none_or(|to| event.time() <= to)
                && if query.categories.is_empty() {
                    event.category() == Category::Management
                } else {
                    query.categories.contains(&event.category())
                }
                && query.attributes.iter().all(|filter| {
                    values(event, filter.attribute).iter().any(|value| match &filter.matcher {
                        Matcher::Exact(text) => value == text,
                        Matcher::Contains(text) => value.contains(text.as_str()),
                    })
                })
        })
        .collect();
    found.sort_by_key(|known| std::cmp::Reverse(known.position));
    found.iter().map(|known| known.event.id().to_owned()).collect()
}

async fn play(steps: Vec<Step>) {
    let mut scene = Scene::new(options()).await;
    let mut running = scene.start();
    let mut known: Vec<Known> = Vec::new();
    for step in steps {
        match step {
            Step::Append(all) => {
                for number in 0..OWNERS {
                    let first = known.len();
                    let of_owner = all.iter().filter(|picks| picks.owner == number);
                    let events: Vec<Event> = (first..)
                        .zip(of_owner)
                        .map(|(id, picks)| {
                            Spec {
                                name: NAMES[picks.name],
                                region: REGIONS[picks.region],
                                user: USERS[picks.user],
                                bucket: BUCKETS[picks.bucket],
                                category: CATEGORIES[picks.category],
                                read_only: picks.read_only,
                                ..Spec::new(format!("id-{id}"), START + picks.seconds)
                            }
                            .event()
                        })
                        .collect();
                    let seq = scene.append(owner(number), events.clone()).await;
                    for (index, event) in events.into_iter().enumerate() {
                        let position = (event.time().timestamp_millis(), seq.0, index);
                        known.push(Known { position, owner: owner(number), event });
                    }
                    scene.archive.caught_up(seq).await;
                }
            }
            Step::Flush => scene.archive.flush().await.unwrap(),
            Step::Compact => scene.archive.compact().await.unwrap(),
            Step::Reopen => {
                running.stop().await;
                scene = scene.reopened().await;
                running = scene.start();
            }
            Step::Ask(question) => {
                let query = query(&question);
                assert_eq!(ids(&scene.all(&query).await), expected(&known, &query), "{query:?}");
            }
        }
    }
    running.stop().await;
    scene.archive.flush().await.unwrap();
    scene.archive.compact().await.unwrap();
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.rows, known.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_lookup_finds_what_a_naive_search_finds(steps in proptest::collection::vec(step(), 1..50)) {
        runtime().block_on(play(steps));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_merged_into_few_and_answer_the_same() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    for round in 0..40i64 {
        let events = (0..50).map(|at| {
            let name = if at == 7 { "Rare" } else { "GetThing" };
            Spec { name, ..Spec::new(format!("{round}-{at}"), START + at * 3 + round % 7) }.event()
        });
        let seq = scene.append(owner(0), events.collect()).await;
        scene.archive.caught_up(seq).await;
        scene.archive.flush().await.unwrap();
    }
    scene.archive.compact().await.unwrap();
    let status = scene.archive.status();
    assert_eq!((status.rows, status.tail_rows), (2000, 0));
    assert!(status.tables < 16, "{status:?}");
    let all = LookupQuery { limit: 100, ..LookupQuery::new(owner(0), now()) };
    assert_eq!(scene.all(&all).await.len(), 2000);
    let rare = LookupQuery { attributes: vec![Filter::exact(Attribute::EventName, "Rare")], ..all };
    let found = scene.all(&rare).await;
    assert_eq!(found.len(), 40);
    assert!(found.is_sorted_by(|a, b| a.time() >= b.time()));
    running.stop().await;
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn storing_and_merging_at_once_lose_and_double_nothing() {
    let scene = Scene::new(opentrail_archive::ArchiveOptions { tail_bytes: 4096, ..options() }).await;
    let running = scene.start();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..3 {
        let archive = scene.archive.clone();
        tasks.spawn(async move {
            for _ in 0..40 {
                if task == 0 { archive.flush().await.unwrap() } else { archive.compact().await.unwrap() }
            }
        });
    }
    for round in 0..150i64 {
        let events = (0..10).map(|at| Spec::new(format!("{round}-{at}"), START + round).event());
        let seq = scene.append(owner(0), events.collect()).await;
        if round % 10 == 0 {
            scene.archive.caught_up(seq).await;
            let all = LookupQuery { limit: 1000, ..LookupQuery::new(owner(0), now()) };
            assert_eq!(scene.all(&all).await.len(), 10 * (round as usize + 1));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    scene.archive.caught_up(scene.state.journal().durable()).await;
    scene.archive.flush().await.unwrap();
    running.stop().await;
    assert_eq!(scene.archive.status().rows, 1500);
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_very_many_regions_finds_all() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let regions: Vec<String> = (0..300).map(|region| format!("region-{region}")).collect();
    let events = (0..).zip(&regions).map(|(at, region)| {
        let raw = Spec::new(format!("{at}"), START).event().raw_str().replace("us-east-1", region);
        Event::parse(raw.into()).unwrap()
    });
    let seq = scene.append(owner(0), events.collect()).await;
    scene.archive.caught_up(seq).await;
    scene.archive.flush().await.unwrap();
    let query = LookupQuery {
        attributes: vec![Filter::exact(Attribute::EventName, "GetThing")],
        ..LookupQuery::new(owner(0), now())
    };
    assert_eq!(scene.all(&query).await.len(), 300);
    let one = LookupQuery { region: Some("region-77".parse().unwrap()), ..query };
    assert_eq!(ids(&scene.all(&one).await), ["77"]);
    running.stop().await;
}
