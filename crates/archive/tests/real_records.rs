//! The real records: each value of each attribute finds what a naive search finds, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::{collections::HashMap, io::Read, path::Path};

use flate2::read::MultiGzDecoder;
use opentrail_archive::{Attribute, Filter, LookupQuery};
use opentrail_event::{Category, Event, split_records};
use scene::{Scene, now, options, owner};

/// Every so many files, so that the test stays short; the end-to-end tests take all.
const EVERY: usize = 12;

fn records(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { records(&path, into) } else { into.push(path) }
    }
}

fn real_events() -> Option<Vec<Event>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/trail");
    if !folder.exists() {
        return None;
    }
    let mut files = Vec::new();
    records(&folder, &mut files);
    let mut events = Vec::new();
    for file in files.iter().step_by(EVERY) {
        let mut bytes = Vec::new();
        MultiGzDecoder::new(std::fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
        events.extend(split_records(bytes.into()).map(|raw| Event::parse(raw.unwrap()).unwrap()));
    }
    Some(events)
}

fn values(event: &Event) -> Vec<(Attribute, String)> {
    let mut values = vec![
        (Attribute::EventId, event.id().to_owned()),
        (Attribute::EventName, event.name().to_owned()),
        (Attribute::EventSource, event.source().to_owned()),
    ];
    values.extend(event.read_only().map(|value| (Attribute::ReadOnly, value.to_string())));
    values.extend(event.user_name().map(|value| (Attribute::Username, value.into_owned())));
    values.extend(event.access_key_id().map(|value| (Attribute::AccessKeyId, value.to_owned())));
    for resource in event.resources() {
        values.push((Attribute::ResourceName, resource.name));
        values.extend(resource.kind.map(|kind| (Attribute::ResourceType, kind)));
    }
    values.sort();
    values.dedup();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_real_records_finds_them() {
    let Some(events) = real_events() else { return };
    let scene = Scene::new(options()).await;
    let running = scene.start();
    let account = owner(342_082_656_213);
    for (number, batch) in events.chunks(400).enumerate() {
        let seq = scene.append(account, batch.to_vec()).await;
        scene.archive.caught_up(seq).await;
        if number % 2 == 0 {
            scene.archive.flush().await.unwrap();
        }
    }
    scene.archive.compact().await.unwrap();
    running.stop().await;
    let mut by_value: HashMap<(Attribute, String, String), Vec<&Event>> = HashMap::new();
    for event in events.iter().filter(|event| event.category() == Category::Management) {
        for (attribute, value) in values(event) {
            by_value.entry((attribute, value, event.region().to_owned())).or_default().push(event);
        }
    }
    for attribute in Attribute::ALL {
        let mut asked: Vec<_> = by_value.iter().filter(|((of, ..), _)| *of == attribute).collect();
        assert!(!asked.is_empty(), "no real record has {attribute}");
        asked.sort_by_key(|(key, found)| (std::cmp::Reverse(found.len()), key.2.clone(), key.1.clone()));
        // The most frequent values, and some of the others.
        let rest = asked.split_off(asked.len().min(8));
        asked.extend(rest.iter().step_by(rest.len() / 12 + 1));
        for ((_, value, region), expected) in asked {
            let query = LookupQuery {
                region: Some(region.parse().unwrap()),
                attributes: vec![Filter::exact(attribute, value)],
                limit: 50,
                ..LookupQuery::new(account, now())
            };
            let found = scene.all(&query).await;
            assert!(found.is_sorted_by(|a, b| a.time() >= b.time()));
            let sorted = |events: Vec<&Event>| {
                let mut raw: Vec<_> = events.iter().map(|event| event.raw().clone()).collect();
                raw.sort();
                raw
            };
            assert_eq!(
                sorted(found.iter().collect()),
                sorted(expected.clone()),
                "{attribute} {value} {region}"
            );
        }
    }
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}
