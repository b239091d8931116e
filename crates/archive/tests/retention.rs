//! What is too old is not found, not kept, and still known.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::{sync::Arc, time::Duration};

use opentrail_archive::{ArchiveOptions, LookupQuery, Standing};
use opentrail_event::EventId;
use parking_lot::Mutex;
use scene::{Scene, Spec, at, ids, options, owner};

const NOW: i64 = 1_700_000_000;
const DAY: i64 = 24 * 3600;

#[tokio::test(flavor = "multi_thread")]
async fn events_leave_history_with_their_time() {
    let clock = Arc::new(Mutex::new(at(NOW)));
    let shared = clock.clone();
    let scene = Scene::new(ArchiveOptions {
        retention: Some(Duration::from_secs(90 * 24 * 3600)),
        clock: Arc::new(move || *shared.lock()),
        ..options()
    })
    .await;
    let running = scene.start();
    let events = vec![
        Spec::new("of-2021", 1_627_603_200).event(),
        Spec::new("just-out", NOW - 90 * DAY - 1).event(),
        Spec::new("just-in", NOW - 90 * DAY).event(),
        Spec::new("new", NOW - 5).event(),
    ];
    let seq = scene.append(owner(1), events).await;
    scene.archive.caught_up(seq).await;
    let query = |now| LookupQuery::new(owner(1), at(now));
    assert_eq!(ids(&scene.all(&query(NOW)).await), ["new", "just-in"], "in the tail");
    scene.archive.flush().await.unwrap();
    assert_eq!(ids(&scene.all(&query(NOW)).await), ["new", "just-in"], "in a table");
    assert_eq!(scene.archive.status().rows, 2, "what is too old is not stored");
    assert_eq!(ids(&scene.all(&query(NOW + 1)).await), ["new"]);
    let old = [EventId::of("of-2021"), EventId::of("just-out")];
    let reservation = scene.archive.seen().reserve(owner(1), &old).unwrap();
    assert_eq!(reservation.standings(), [Standing::Recorded, Standing::Recorded]);
    *clock.lock() = at(NOW + 91 * DAY);
    scene.archive.compact().await.unwrap();
    let status = scene.archive.status();
    assert_eq!((status.tables, status.rows, status.bytes), (0, 0, 0));
    running.stop().await;
    let left: Vec<_> = std::fs::read_dir(scene.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("events-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retention_the_oldest_is_found() {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let seq = scene.append(owner(1), vec![Spec::new("of-1970", 0).event()]).await;
    scene.archive.caught_up(seq).await;
    scene.archive.flush().await.unwrap();
    assert_eq!(ids(&scene.all(&LookupQuery::new(owner(1), at(NOW))).await), ["of-1970"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_leaves_out_what_is_too_old() {
    let clock = Arc::new(Mutex::new(at(NOW)));
    let shared = clock.clone();
    let scene = Scene::new(ArchiveOptions {
        retention: Some(Duration::from_secs(24 * 3600)),
        clock: Arc::new(move || *shared.lock()),
        file_rows: 30,
        ..options()
    })
    .await;
    let mut scene = scene;
    for round in 0..8 {
        let events = vec![
            Spec::new(format!("old-{round}"), NOW - 100 + round).event(),
            Spec { name: "Kept", ..Spec::new(format!("new-{round}"), NOW + 1000 + round) }.event(),
        ];
        scene.append(owner(1), events).await;
        scene = scene.reopened().await;
        scene.archive.flush().await.unwrap();
    }
    assert_eq!((scene.archive.status().tables, scene.archive.status().rows), (8, 16));
    *clock.lock() = at(NOW + DAY + 500);
    scene.archive.compact().await.unwrap();
    assert_eq!((scene.archive.status().tables, scene.archive.status().rows), (1, 8));
    let query = LookupQuery::new(owner(1), at(NOW + DAY + 500));
    assert_eq!(scene.all(&query).await.len(), 8);
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
