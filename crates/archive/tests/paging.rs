//! Pages follow each other while events arrive and tables are rewritten.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::collections::HashSet;

use opentrail_archive::{ArchiveError, Attribute, Filter, InvalidTokenError, LookupQuery};
use scene::{Scene, Spec, at, ids, now, options, owner};

const START: i64 = 1_699_999_000;

#[tokio::test(flavor = "multi_thread")]
async fn events_that_arrive_between_pages_shift_and_repeat_nothing() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let old: Vec<_> = (0..100).map(|n| Spec::new(format!("old-{n}"), START + n).event()).collect();
    let seq = scene.append(owner(1), old).await;
    scene.archive.caught_up(seq).await;
    let mut query = LookupQuery { limit: 7, ..LookupQuery::new(owner(1), now()) };
    let mut seen = Vec::new();
    for round in 0i64.. {
        let page = scene.archive.lookup(query.clone()).await.unwrap();
        seen.extend(ids(&page.events));
        let Some(next) = page.next else { break };
        query.after = Some(next);
        // One newer than all, and one that comes late and is older than all.
        let arriving = vec![
            Spec::new(format!("new-{round}"), START + 1000 + round).event(),
            Spec::new(format!("late-{round}"), START - 1000 - round).event(),
        ];
        let seq = scene.append(owner(1), arriving).await;
        scene.archive.caught_up(seq).await;
        match round % 3 {
            0 => scene.archive.flush().await.unwrap(),
            1 => scene.archive.compact().await.unwrap(),
            _ => {}
        }
        if round > 40 {
            break;
        }
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "an event came twice");
    let olds: Vec<_> = seen.iter().filter(|id| id.starts_with("old")).cloned().collect();
    assert_eq!(olds, (0..100).rev().map(|n| format!("old-{n}")).collect::<Vec<_>>());
    assert!(seen.iter().all(|id| !id.starts_with("new")), "a newer event is not on a later page");
    assert!(seen.iter().any(|id| id.starts_with("late")), "an older event is found where it belongs");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_page_has_no_token() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let events = (0..10).map(|n| Spec::new(format!("{n}"), START).event()).collect();
    let seq = scene.append(owner(1), events).await;
    scene.archive.caught_up(seq).await;
    let query = LookupQuery { limit: 5, ..LookupQuery::new(owner(1), now()) };
    let first = scene.archive.lookup(query.clone()).await.unwrap();
    let second = scene.archive.lookup(LookupQuery { after: first.next, ..query }).await.unwrap();
    assert_eq!((second.events.len(), second.next), (5, None));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_belongs_to_its_query_whatever_the_limit_and_the_time() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let events = (0..10).map(|n| Spec::new(format!("{n}"), START).event()).collect();
    let seq = scene.append(owner(1), events).await;
    scene.archive.caught_up(seq).await;
    let query = LookupQuery { limit: 2, ..LookupQuery::new(owner(1), now()) };
    let after = scene.archive.lookup(query.clone()).await.unwrap().next;
    let next = LookupQuery { after, limit: 3, now: at(1_700_000_900), ..query };
    assert_eq!(ids(&scene.archive.lookup(next.clone()).await.unwrap().events), ["7", "6", "5"]);
    let others = [
        LookupQuery { owner: owner(2), ..next.clone() },
        LookupQuery { region: Some("us-east-1".parse().unwrap()), ..next.clone() },
        LookupQuery { from: Some(at(0)), ..next.clone() },
        LookupQuery { attributes: vec![Filter::exact(Attribute::Username, "alice")], ..next.clone() },
    ];
    for other in others {
        let refused = scene.archive.lookup(other).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::InvalidToken(InvalidTokenError::OtherQuery)), "{refused}");
        assert!(refused.is_caller_fault());
    }
    let backwards = LookupQuery { after: None, from: Some(at(2)), to: Some(at(1)), ..next };
    assert!(matches!(scene.archive.lookup(backwards).await, Err(ArchiveError::InvalidRange)));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_parts_gives_back_what_it_has_and_goes_on() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    for round in 0..9 {
        let events = (0..2500).map(|n| {
            let user = if (round, n) == (0, 0) { "needle" } else { "alice" };
            Spec { user, ..Spec::new(format!("{round}-{n}"), START + round * 2500 + n) }.event()
        });
        let seq = scene.append(owner(1), events.collect()).await;
        scene.archive.caught_up(seq).await;
    }
    scene.archive.flush().await.unwrap();
    let query = LookupQuery {
        attributes: vec![Filter::contains(Attribute::Username, "eedl")],
        ..LookupQuery::new(owner(1), now())
    };
    let first = scene.archive.lookup(query.clone()).await.unwrap();
    assert!(first.events.is_empty() && first.next.is_some(), "22,500 records are more than one call reads");
    assert_eq!(ids(&scene.all(&query).await), ["0-0"]);
    running.stop().await;
}
