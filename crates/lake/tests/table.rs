//! What a table does when nothing goes wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod table_scene;

use std::{sync::Arc, time::Duration};

use iceberg::spec::{Datum, Operation};
use object_store::ObjectStoreExt;
use opentrail_event::Event;
use opentrail_journal::disk::FaultyDisk;
use opentrail_lake::{
    Columns, Extra, LakeError, Shape, encode,
    table::{Marks, Table, TableOptions},
    warehouse::{Location, Warehouse},
};
use table_scene::{MARK, Scene, at, day, files, ids_of, later, layout, now, options};
use tempfile::TempDir;

#[tokio::test]
async fn rows_and_marks_are_there_after_a_restart() {
    let scene = Scene::new().await;
    assert_eq!(scene.table.mark(MARK), None);
    for number in 1..=5 {
        let snapshot = scene.append(number, i64::try_from(number % 2).unwrap()).await.unwrap();
        assert_eq!(snapshot.rows, number * 2);
        assert_eq!(snapshot.marks[MARK], number.to_string());
    }
    let scene = scene.reopened(now()).await;
    assert_eq!(scene.mark(), 5);
    scene.assert_whole().await;
    let snapshot = scene.table.snapshot();
    assert_eq!(snapshot.days().collect::<Vec<_>>(), [day(1), day(0)]);
    let file = &snapshot.files_of(day(1))[0];
    assert_eq!(file.min_time_ms, later(-86_400 + 1).timestamp_millis());
    assert_eq!(file.max_time_ms, file.min_time_ms + 1, "a microsecond more is rounded up");
}

#[tokio::test]
async fn marks_are_set_without_rows_and_taken_away() {
    let scene = Scene::new().await;
    let marks = |value: &str| Marks::from([("import/1".to_owned(), value.to_owned())]);
    scene.table.append(Vec::new(), marks("a"), now()).await.unwrap();
    let scene = scene.reopened(now()).await;
    assert_eq!(scene.table.mark("import/1").as_deref(), Some("a"));
    scene.table.append(Vec::new(), marks(""), now()).await.unwrap();
    assert_eq!(scene.table.mark("import/1"), None);
    assert_eq!(scene.reopened(now()).await.table.mark("import/1"), None);
}

#[tokio::test]
async fn a_table_is_made_once() {
    let scene = Scene::new().await;
    let path = scene.warehouse.table_path("store");
    let again = Table::create(&scene.warehouse, path.clone(), layout(3), options(), now()).await;
    assert!(matches!(again, Err(LakeError::TableExists { .. })), "{again:?}");
    let other =
        Table::open(&scene.warehouse, scene.warehouse.table_path("x"), layout(3), options(), now()).await;
    assert!(matches!(other, Err(LakeError::NoTable { .. })), "{other:?}");
    Table::remove(&scene.warehouse, &path).await.unwrap();
    assert!(scene.objects().await.is_empty());
    Table::remove(&scene.warehouse, &path).await.unwrap();
}

#[tokio::test]
async fn manifests_say_what_is_in_a_file() {
    let scene = Scene::new().await;
    let time = now().timestamp();
    let long = format!("arn:aws:iam::123456789012:user/{}", "x".repeat(200));
    let rows = [("a".to_owned(), time), (long.clone(), time + 5)];
    scene.table.append(files(&scene.layout, &rows), Marks::new(), now()).await.unwrap();
    let (_, manifest) = scene.current_manifests().await.remove(0);
    let file = manifest.entries()[0].data_file();
    assert_eq!(file.record_count(), 2);
    assert_eq!(file.value_counts()[&1], 2);
    assert_eq!(file.null_value_counts()[&1], 0);
    assert_eq!(file.lower_bounds()[&1], Datum::string("a"));
    assert_eq!(file.upper_bounds()[&1], Datum::string("arn:aws:iam::124"), "cut, and raised");
    assert_eq!(file.lower_bounds()[&2], Datum::timestamp_micros(time * 1_000_000 + 1));
    assert_eq!(file.upper_bounds()[&2], Datum::timestamp_micros((time + 5) * 1_000_000 + 1));
    assert_eq!(file.split_offsets(), Some(&[4][..]));
    assert_eq!(file.sort_order_id(), Some(1));
    let snapshot = scene.metadata().current_snapshot().cloned().unwrap();
    assert_eq!(snapshot.summary().operation, Operation::Append);
    assert_eq!(snapshot.summary().additional_properties["total-records"], "2");
}

#[tokio::test]
async fn a_table_that_grows_has_few_manifests_and_short_metadata() {
    let scene = Scene::new().await;
    let mut longest = 0;
    for number in 1..=300 {
        scene.append(number, i64::try_from(number).unwrap() / 10).await.unwrap();
        longest = longest.max(scene.table.metadata().1.len());
    }
    assert!(longest < 12_000, "{longest} bytes of metadata");
    let manifests = scene.current_manifests().await;
    assert!(manifests.len() <= 34, "{} manifests", manifests.len());
    scene.assert_whole().await;
    let removed = scene.table.expire(later(601)).await.unwrap();
    assert!(removed > 500, "{removed} files");
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
    assert!(scene.objects().await.len() < 300 + 34 + 10 + 25);
    let scene = scene.reopened(later(601)).await;
    scene.assert_whole().await;
}

#[tokio::test]
async fn an_append_costs_few_syncs() {
    let scene = Scene::new().await;
    for number in 1..=40 {
        scene.append(number, 0).await.unwrap();
    }
    scene.disk.reset_counts();
    for number in 41..=72 {
        scene.append(number, 0).await.unwrap();
    }
    let counts = scene.disk.counts();
    // Rows, manifest, list, metadata: each its bytes and its name; every sixteenth time a note and a merged
    // manifest more.
    assert!(counts.file_syncs + counts.dir_syncs <= 32 * 8 + 2 * 4, "{counts:?}");
    assert!(counts.bytes_written / 32 < 24_000, "{counts:?}");
}

#[tokio::test]
async fn a_commit_of_events_writes_little_besides_them() {
    let dir = TempDir::new().unwrap();
    let disk = FaultyDisk::default();
    let location = Location::Folder(dir.path().to_owned());
    let warehouse = Warehouse::at(&location, Arc::new(disk.clone())).unwrap();
    let path = warehouse.table_path("store");
    let table = Table::create(&warehouse, path, Shape::Event, options(), now()).await.unwrap();
    let time = now().format("%Y-%m-%dT%H:%M:%SZ");
    let mut most = 0;
    for number in 0..40 {
        let record = format!(
            r#"{{"eventVersion":"1.11","eventTime":"{time}","eventSource":"iam.amazonaws.com","eventName":"GetUser","awsRegion":"us-east-1","eventID":"{number}"}}"#
        );
        let mut columns = Columns::new(Shape::Event);
        columns.push(&Event::parse(record.into()).unwrap(), Extra::default());
        let files = encode(Shape::Event, &[columns.finish().unwrap()]).unwrap();
        let rows: u64 = files.iter().map(|file| file.bytes.len() as u64).sum();
        disk.reset_counts();
        table.append(files, Marks::new(), now()).await.unwrap();
        most = most.max(disk.counts().bytes_written - rows);
    }
    // The schema of events alone, which the metadata and each manifest have, is long.
    assert!(most < 200_000, "{most} bytes");
}

#[tokio::test]
async fn compaction_makes_few_files_of_many_and_old_readers_go_on() {
    let scene = Scene::new().await;
    for number in 1..=8 {
        scene.append(number, 3).await.unwrap();
    }
    for number in 9..=12 {
        scene.append(number, 0).await.unwrap();
    }
    let before = scene.table.snapshot();
    let compacted = scene.table.compact(now()).await.unwrap().unwrap();
    assert_eq!((compacted.day, compacted.files_before), (day(3), 8));
    assert_eq!(scene.table.compact(now()).await.unwrap(), None, "today still grows");
    assert_eq!(scene.table.snapshot().files().count(), 5);
    scene.assert_whole().await;
    let replaced = scene.metadata().current_snapshot().cloned().unwrap();
    assert_eq!(replaced.summary().operation, Operation::Replace);

    scene.table.expire(later(599)).await.unwrap();
    let scene = scene.reopened(later(599)).await;
    assert_eq!(scene.ids_in(&before).await.unwrap().len(), 24);
    scene.assert_whole().await;
    scene.table.expire(later(600)).await.unwrap();
    scene.ids_in(&before).await.unwrap_err();
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(600)).await;
}

#[tokio::test]
async fn files_are_merged_until_they_are_as_large_as_they_should_be() {
    let scene = Scene::with(TableOptions { target_bytes: 100_000, ..options() }).await;
    for number in 0..24 {
        let time = later(-3 * 86_400).timestamp() + number;
        let rows: Vec<_> = (0..200).map(|row| (format!("{row:04}-{number:04}"), time)).collect();
        scene.table.append(files(&scene.layout, &rows), Marks::new(), later(-3600)).await.unwrap();
    }
    while scene.table.compact(now()).await.unwrap().is_some() {}
    let sizes: Vec<_> = scene.table.snapshot().files().map(|file| file.size).collect();
    assert!((2..=6).contains(&sizes.len()), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 100_000), "{sizes:?}");
    assert_eq!(scene.ids().await.len(), 24 * 200);
}

#[tokio::test]
async fn appends_go_on_while_files_are_merged() {
    let scene = Scene::new().await;
    for number in 1..=10 {
        scene.append(number, 3).await.unwrap();
    }
    let merging = async { while scene.table.compact(now()).await.unwrap().is_some() {} };
    let appending = async {
        for number in 11..=20 {
            scene.append(number, 3).await.unwrap();
        }
    };
    tokio::join!(merging, appending);
    scene.assert_whole().await;
    assert_eq!(scene.mark(), 20);
}

#[tokio::test]
async fn days_are_dropped_without_writing_rows_again() {
    let scene = Scene::new().await;
    for number in 1..=9 {
        scene.append(number, i64::try_from(number).unwrap()).await.unwrap();
    }
    let before = scene.table.snapshot();
    let dropped = scene.table.drop_before(day(4), now()).await.unwrap();
    assert_eq!(dropped.len(), 5);
    let kept: Vec<_> = (1..=4).flat_map(ids_of).collect();
    assert_eq!(scene.ids().await, kept);
    assert_eq!(scene.metadata().current_snapshot().unwrap().summary().operation, Operation::Delete);
    assert!(scene.table.drop_before(day(4), now()).await.unwrap().is_empty());
    assert_eq!(scene.ids_in(&before).await.unwrap().len(), 18, "who reads may go on");
    scene.table.drop_before(day(-1), now()).await.unwrap();
    assert!(scene.ids().await.is_empty());
    scene.append(10, 0).await.unwrap();
    scene.assert_readable().await;
    scene.assert_nothing_left_over(later(601)).await;
    let scene = scene.reopened(later(601)).await;
    assert_eq!(scene.ids().await, ids_of(10));
    assert_eq!(scene.objects().await.iter().filter(|path| path.as_ref().ends_with(".parquet")).count(), 1);
}

#[tokio::test]
async fn a_newer_program_adds_its_columns() {
    let scene = Scene::new().await;
    for number in 1..=3 {
        scene.append(number, 3).await.unwrap();
    }
    let scene = Scene { layout: layout(5), ..scene }.reopened(now()).await;
    let schema = scene.metadata().current_schema().clone();
    assert_eq!(schema.field_by_id(5).unwrap().name, "detail4");
    for number in 4..=6 {
        scene.append(number, 3).await.unwrap();
    }
    scene.assert_whole().await;
    assert!(scene.table.compact(now()).await.unwrap().is_some());
    scene.assert_whole().await;
    let scene = Scene { layout: layout(3), ..scene }.reopened(now()).await;
    scene.assert_whole().await;
    assert_eq!(scene.metadata().current_schema(), &schema, "an older program takes nothing away");
}

#[tokio::test]
async fn columns_that_contradict_are_refused() {
    let scene = Scene::new().await;
    let mut other = layout(3);
    other.schema = opentrail_lake::Shape::Event.iceberg();
    let path = scene.warehouse.table_path("store");
    let opened = Table::open(&scene.warehouse, path, other, options(), now()).await;
    assert!(matches!(opened, Err(LakeError::Table { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_commit_of_somebody_else_is_noticed() {
    let scene = Scene::new().await;
    scene.append(1, 0).await.unwrap();
    let path = scene.warehouse.table_path("store");
    let other = Table::open(&scene.warehouse, path, layout(3), options(), now()).await.unwrap();
    let other = Scene { table: other, ..same(&scene) };
    other.append(2, 0).await.unwrap();
    let late = scene.append(2, 0).await;
    assert!(matches!(late, Err(LakeError::Moved { .. })), "{late:?}");
    assert_eq!(scene.mark(), 2, "it has the other's commit now");
    scene.append(3, 0).await.unwrap();
    scene.assert_whole().await;
}

fn same(scene: &Scene) -> Scene {
    Scene {
        dir: scene.dir.clone(),
        disk: scene.disk.clone(),
        warehouse: scene.warehouse.clone(),
        table: scene.table.clone(),
        options: scene.options.clone(),
        layout: scene.layout.clone(),
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_stops_nothing() {
    let scene = Scene::with(TableOptions { grace: Duration::ZERO, ..options() }).await;
    let rows = [("000001-a".to_owned(), now().timestamp()), ("000001-b".to_owned(), now().timestamp())];
    let marks = Marks::from([(MARK.to_owned(), "1".to_owned())]);
    scene.table.append(files(&scene.layout, &rows), marks, later(3600)).await.unwrap();
    for number in 2..=4 {
        scene.append(number, 0).await.unwrap();
    }
    scene.table.expire(now()).await.unwrap();
    scene.assert_whole().await;
}

#[tokio::test]
async fn a_clock_that_was_years_ahead_stops_nothing() {
    let scene = Scene::new().await;
    let ahead = at(4_102_444_800);
    let time = now().timestamp();
    let rows: Vec<_> = ids_of(1).into_iter().map(|id| (id, time)).collect();
    let marks = Marks::from([(MARK.to_owned(), "1".to_owned())]);
    scene.table.append(files(&scene.layout, &rows), marks, ahead).await.unwrap();
    // Rows, marks alone, columns, the look for what belongs to nobody, and snapshots that are forgotten.
    for number in 2..=4 {
        scene.append(number, 0).await.unwrap();
    }
    let marks = Marks::from([("import/1".to_owned(), "a".to_owned())]);
    scene.table.append(Vec::new(), marks, now()).await.unwrap();
    assert_eq!(scene.metadata().last_updated_ms(), ahead.timestamp_millis());
    let orphan = scene.warehouse.table_path("store").join("data").join("2023-11-15-0.parquet");
    scene.warehouse.store().put(&orphan, "nobody's".into()).await.unwrap();
    let scene = Scene { layout: layout(5), ..scene }.reopened(now()).await;
    assert!(!scene.objects().await.contains(&orphan));
    assert!(scene.metadata().current_schema().field_by_id(5).is_some());
    assert_eq!(scene.metadata().snapshots().count(), 4);
    scene.table.expire(now()).await.unwrap();
    assert_eq!(scene.metadata().snapshots().count(), 1);
    assert_eq!(scene.metadata().history().len(), 1);
    let scene = scene.reopened(now()).await;
    assert_eq!(scene.table.mark("import/1").as_deref(), Some("a"));
    scene.append(5, 0).await.unwrap();
    scene.assert_whole().await;
    assert_eq!(scene.metadata().last_updated_ms(), ahead.timestamp_millis());
}
