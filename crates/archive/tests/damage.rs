//! Flipped bits are named, and never change an answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::{fs, path::PathBuf};

use opentrail_archive::{Archive, Attribute, Filter, LookupQuery};
use scene::{Scene, Spec, ids, now, options, owner};

const START: i64 = 1_699_999_000;

async fn stored() -> Scene {
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let events = (0..400).map(|n| Spec { bucket: "logs", ..Spec::new(format!("{n}"), START + n) }.event());
    let seq = scene.append(owner(1), events.collect()).await;
    scene.archive.caught_up(seq).await;
    scene.archive.flush().await.unwrap();
    running.stop().await;
    scene
}

fn files(scene: &Scene) -> Vec<PathBuf> {
    let list = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = list(scene.folder()).chain(list(scene.folder().join("seen"))).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_is_found_and_answers_stay_right() {
    let scene = stored().await;
    let expected: Vec<String> = (0..400).rev().map(|n| n.to_string()).collect();
    let files = files(&scene);
    assert_eq!(files.len(), 6, "{files:?}");
    for path in files {
        let whole = fs::read(&path).unwrap();
        for place in 0..23 {
            let mut damaged = whole.clone();
            let at = place * (whole.len() - 1) / 22;
            damaged[at] ^= 1 << (place % 8);
            fs::write(&path, &damaged).unwrap();
            let checked = opentrail_archive::fsck(&scene.folder(), &scene.disk);
            assert!(
                checked.is_err_and(|error| error.to_string().contains("MANIFEST"))
                    || opentrail_archive::fsck(&scene.folder(), &scene.disk)
                        .is_ok_and(|report| !report.problems.is_empty()),
                "byte {at} of {} is not missed",
                path.display()
            );
            answers_are_right(&scene, &expected).await;
        }
        fs::write(&path, &whole).unwrap();
    }
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty());
}

/// An archive opened on the damaged files refuses, or answers what it answered before.
async fn answers_are_right(scene: &Scene, expected: &[String]) {
    let disk = std::sync::Arc::new(scene.disk.clone());
    let Ok(archive) = Archive::open(&scene.folder(), &scene.state, disk, options()).await else { return };
    let all = LookupQuery { limit: 1000, ..LookupQuery::new(owner(1), now()) };
    let one = LookupQuery { attributes: vec![Filter::exact(Attribute::EventId, "123")], ..all.clone() };
    if let Ok(page) = archive.lookup(all).await {
        assert_eq!(ids(&page.events), expected);
    }
    if let Ok(page) = archive.lookup(one).await {
        assert_eq!(ids(&page.events), ["123"]);
    }
}
