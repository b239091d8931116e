//! Queries that ended: their rows, their records, and when they go.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_journal::disk::{CrashKeeps, Disk, Fault, FaultyDisk, Operation, RealDisk};
use opentrail_lake::{
    LakeError,
    query::{
        DeliveryStatus, KEPT, Listing, Outcome, Query, QueryId, QueryStatus, Record, ResultSeal, Row, Shelf,
    },
    warehouse::DataKey,
};
use zeroize::Zeroizing;

const STORE: &str = "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/one";

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

fn query(created: DateTime<Utc>) -> Query {
    Query {
        id: QueryId::draw(),
        account: "111122223333".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        stores: vec![STORE.to_owned()],
        statement: "SELECT 1".to_owned(),
        parameters: Vec::new(),
        alias: None,
        destination: None,
        created,
        is_cancelled: false,
    }
}

fn ended(query: Query) -> Record {
    let ended = query.created + TimeDelta::seconds(1);
    Record { query, outcome: Outcome::without_rows(QueryStatus::Finished, ended, None) }
}

fn open(folder: &Path) -> Shelf {
    Shelf::open(folder.join("queries"), Arc::new(RealDisk)).expect("it opens")
}

fn row(number: usize) -> Row {
    vec![Some(format!("row {number}")), None, Some("é\"\\\n".to_owned())]
}

#[test]
fn pages_of_rows_have_each_row_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let mut writer = shelf.begin(query.id, None).expect("it begins");
    for start in (0..2500).step_by(500) {
        writer.push((start..start + 500).map(row).collect()).expect("they are taken");
    }
    assert_eq!(writer.rows(), 2500);
    assert_eq!(writer.finish().expect("they are durable"), 2500);
    let reader = shelf.rows(query.id, None).expect("it has rows");
    let (mut found, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        let page = reader.page(from, 333, usize::MAX).expect("a page");
        assert!((1..=333).contains(&page.rows.len()));
        found.extend(page.rows);
        next = page.next;
    }
    assert_eq!(found, (0..2500).map(row).collect::<Vec<_>>());
    let blocks: usize = (0..reader.blocks()).map(|number| reader.block(number).expect("a block").len()).sum();
    assert_eq!(blocks, 2500);
}

#[test]
fn a_page_ends_before_it_is_too_large() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let mut writer = shelf.begin(query.id, None).expect("it begins");
    writer.push(vec![vec![Some("x".repeat(900))]; 10]).expect("they are taken");
    writer.finish().expect("they are durable");
    let reader = shelf.rows(query.id, None).expect("it has rows");
    let page = reader.page(0, 1000, 2000).expect("a page");
    assert_eq!((page.rows.len(), page.next), (2, Some(2)));
    // One row alone is given, however large it is.
    let page = reader.page(9, 1000, 10).expect("a page");
    assert_eq!((page.rows.len(), page.next), (1, None));
    assert_eq!(reader.page(10, 1000, 10).expect("a page").rows, Vec::<Row>::new());
}

#[test]
fn a_query_without_rows_has_an_empty_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let writer = shelf.begin(query.id, None).expect("it begins");
    assert_eq!(writer.finish().expect("it is durable"), 0);
    let page = shelf.rows(query.id, None).and_then(|rows| rows.page(0, 10, 10)).expect("a page");
    assert_eq!((page.rows.len(), page.next), (0, None));
}

#[test]
fn what_ended_is_there_after_a_restart_and_what_was_half_made_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, half) = (ended(query(now())), query(now()));
    {
        let shelf = open(folder.path());
        let mut writer = shelf.begin(whole.query.id, None).expect("it begins");
        writer.push(vec![row(1)]).expect("it is taken");
        writer.finish().expect("it is durable");
        shelf.put(&whole).expect("it is kept");
        let mut writer = shelf.begin(half.id, None).expect("it begins");
        writer.push((0..3000).map(row).collect()).expect("they are taken");
    }
    let shelf = open(folder.path());
    assert_eq!(shelf.read(whole.query.id).expect("it is read"), Some(whole.clone()));
    assert_eq!(
        shelf.rows(whole.query.id, None).and_then(|rows| rows.page(0, 9, 99)).expect("a page").rows,
        [row(1)]
    );
    assert_eq!(shelf.read(half.id).expect("it is read"), None);
    assert!(!folder.path().join("queries").join(half.id.to_string()).exists());
}

#[test]
fn nobody_knows_what_became_of_a_delivery_that_a_crash_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut record = ended(query(now()));
    record.outcome.delivery = Some(DeliveryStatus::Pending);
    open(folder.path()).put(&record).expect("it is kept");
    let found = open(folder.path()).read(record.query.id).expect("it is read").expect("it is there");
    assert_eq!(found.outcome.delivery, Some(DeliveryStatus::Unknown));
}

#[test]
fn queries_go_seven_days_after_they_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = open(folder.path());
    let (old, young) = (ended(query(now())), ended(query(now() + TimeDelta::hours(1))));
    for record in [&old, &young] {
        shelf.begin(record.query.id, None).and_then(|writer| writer.finish()).expect("it is durable");
        shelf.put(record).expect("it is kept");
    }
    assert_eq!(shelf.expire(old.outcome.ended + KEPT - TimeDelta::milliseconds(1)).expect("it works"), 0);
    assert_eq!(shelf.expire(old.outcome.ended + KEPT).expect("it works"), 1);
    assert!(shelf.brief(old.query.id).is_none() && shelf.brief(young.query.id).is_some());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("queries")).expect("a folder").collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn what_can_not_be_removed_is_removed_the_next_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::default();
    let shelf = Shelf::open(folder.path().join("queries"), Arc::new(disk.clone())).expect("it opens");
    let records = [ended(query(now())), ended(query(now()))];
    for record in &records {
        shelf.begin(record.query.id, None).and_then(|writer| writer.finish()).expect("it is durable");
        shelf.put(record).expect("it is kept");
    }
    let stuck = records[0].query.id.to_string();
    disk.inject(Fault::error(Operation::Remove, std::io::ErrorKind::Other).on(&stuck).always());
    let later = now() + KEPT + TimeDelta::days(1);
    assert!(shelf.expire(later).is_err());
    assert!(records.iter().all(|record| shelf.brief(record.query.id).is_none()));
    let left = || std::fs::read_dir(folder.path().join("queries")).expect("a folder").count();
    assert_eq!(left(), 1);
    disk.heal();
    assert_eq!(shelf.expire(later).expect("it works"), 1);
    assert_eq!((left(), shelf.expire(later).expect("it works")), (0, 0));
}

#[test]
fn the_oldest_go_where_all_take_more_room_than_they_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = open(folder.path());
    let mut records: Vec<Record> =
        (0..5).map(|minute| ended(query(now() + TimeDelta::minutes(minute)))).collect();
    records[0].outcome.delivery = Some(DeliveryStatus::Pending);
    for record in &records {
        let mut writer = shelf.begin(record.query.id, None).expect("it begins");
        writer.push((0..500).map(row).collect()).expect("they are taken");
        writer.finish().expect("they are durable");
        shelf.put(record).expect("it is kept");
    }
    let bytes = |index: usize| shelf.brief(records[index].query.id).map(|brief| brief.bytes);
    let each = bytes(4).expect("it is there");
    assert!(each > 500, "{each}");
    assert_eq!(shelf.trim(each * 6).expect("it works"), 0);
    assert_eq!(shelf.trim(each * 4 + 200).expect("it works"), 1);
    let there: Vec<bool> = (0..5).map(|index| bytes(index).is_some()).collect();
    assert_eq!(there, [true, false, true, true, true], "the first is being delivered");
    assert_eq!(shelf.trim(0).expect("it works"), 2);
    let reopened = open(folder.path());
    let left: Vec<bool> = records.iter().map(|record| reopened.brief(record.query.id).is_some()).collect();
    assert_eq!(left, [true, false, false, false, true], "and the last was just asked for");
}

#[test]
fn lists_are_of_a_store_a_state_and_a_time_and_the_newest_is_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = open(folder.path());
    let mut records: Vec<Record> =
        (0..6).map(|minute| ended(query(now() + TimeDelta::minutes(minute)))).collect();
    records[1].query.stores = vec!["another".to_owned(), STORE.to_owned()];
    records[2].query.stores = vec!["another".to_owned()];
    records[3].outcome.status = QueryStatus::Failed;
    records[4].query.alias = Some("weekly".to_owned());
    records[5].query.alias = Some("weekly".to_owned());
    for record in &records {
        shelf.put(record).expect("it is kept");
    }
    let ids = |listing: &Listing<'_>| -> Vec<usize> {
        let found = shelf.list(listing, None, 100);
        let place = |id| records.iter().position(|record| record.query.id == id).expect("one of them");
        found.iter().map(|brief| place(brief.id)).collect()
    };
    let of_store = Listing { store: STORE, ..Listing::default() };
    assert_eq!(ids(&of_store), [5, 4, 3, 1, 0]);
    assert_eq!(ids(&Listing { status: Some(QueryStatus::Failed), ..of_store.clone() }), [3]);
    let (from, to) = (Some(now() + TimeDelta::minutes(1)), Some(now() + TimeDelta::minutes(4)));
    assert_eq!(ids(&Listing { from, to, ..of_store.clone() }), [4, 3, 1]);
    let first = shelf.list(&of_store, None, 2);
    let last = first.last().expect("two of them");
    let rest = shelf.list(&of_store, Some((last.created, last.id)), 100);
    assert_eq!(rest.len(), 3);
    let account = records[0].query.account;
    let region = records[0].query.region.clone();
    assert_eq!(shelf.last_of_alias(account, &region, "weekly").expect("one").id, records[5].query.id);
    assert!(shelf.last_of_alias(account, &region, "daily").is_none());
}

#[test]
fn rows_that_were_damaged_are_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let mut writer = shelf.begin(query.id, None).expect("it begins");
    writer.push((0..50).map(row).collect()).expect("they are taken");
    writer.finish().expect("they are durable");
    let path = folder.path().join("queries").join(query.id.to_string()).join("rows");
    let mut bytes = std::fs::read(&path).expect("the rows");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let error = shelf.rows(query.id, None).and_then(|rows| rows.page(0, 10, 100)).expect_err("damaged");
    assert!(matches!(error, LakeError::Damaged { .. }), "{error}");
}

#[test]
fn a_power_cut_leaves_all_of_a_query_that_was_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let (path, record) = (folder.path().join("queries"), ended(query(now())));
    {
        let shelf = Shelf::open(path.clone(), disk.clone()).expect("it opens");
        disk.sync_dir(folder.path()).expect("synced");
        let mut writer = shelf.begin(record.query.id, None).expect("it begins");
        writer.push(vec![row(7)]).expect("it is taken");
        writer.finish().expect("it is durable");
        shelf.put(&record).expect("it is kept");
    }
    disk.crash(CrashKeeps::Nothing).expect("a power cut");
    let shelf = Shelf::open(path, disk).expect("it opens");
    assert_eq!(shelf.read(record.query.id).expect("it is read"), Some(record.clone()));
    let page = shelf.rows(record.query.id, None).and_then(|rows| rows.page(0, 9, 99)).expect("a page");
    assert_eq!(page.rows, [row(7)]);
}

#[test]
fn rows_that_are_given_up_take_no_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let mut writer = shelf.begin(query.id, None).expect("it begins");
    writer.push((0..2500).map(row).collect()).expect("they are taken");
    let rows = folder.path().join("queries").join(query.id.to_string()).join("rows");
    assert!(rows.exists());
    drop(writer);
    assert!(!rows.exists());
    shelf.put(&ended(query)).expect("what came of it is kept");
}

#[test]
fn sealed_rows_are_read_with_the_keys_of_all_stores_and_not_without() {
    let key = |byte: u8| DataKey::new(Zeroizing::new([byte; 32]));
    let seal = |keys: &[DataKey]| ResultSeal::of(keys).expect("a seal");
    let folder = tempfile::tempdir().expect("a folder");
    let (shelf, query) = (open(folder.path()), query(now()));
    let both = seal(&[key(1), key(2)]);
    let mut writer = shelf.begin(query.id, both.as_ref()).expect("it begins");
    writer.push((0..2500).map(row).collect()).expect("they are taken");
    writer.finish().expect("they are durable");
    let page =
        |seal: Option<&ResultSeal>| shelf.rows(query.id, seal).and_then(|rows| rows.page(2400, 9, 9999));
    assert_eq!(page(both.as_ref()).expect("a page").rows, (2400..2409).map(row).collect::<Vec<_>>());
    for other in [seal(&[]), seal(&[key(1)]), seal(&[key(2), key(1)]), seal(&[key(1), key(3)])] {
        assert!(matches!(page(other.as_ref()), Err(LakeError::Damaged { .. })));
    }
    let path = folder.path().join("queries").join(query.id.to_string()).join("rows");
    let mut bytes = std::fs::read(&path).expect("rows");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("it is written");
    assert!(matches!(page(both.as_ref()), Err(LakeError::Damaged { .. })));
}
