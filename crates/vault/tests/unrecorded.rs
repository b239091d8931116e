//! A change whose record can't be written does not happen.

mod support;

use opentrail_event::EventError;
use opentrail_state::OwnedEvent;
use opentrail_vault::*;
use support::{House, account, now};

fn unwritable<T>(_: &T) -> Result<Vec<OwnedEvent>, EventError> {
    Err(EventError::Unwritable)
}

fn is_unrecorded<T: std::fmt::Debug>(done: Result<T, VaultError>) {
    assert!(matches!(done, Err(VaultError::Unrecorded(EventError::Unwritable))), "{done:?}");
}

#[tokio::test]
async fn objects_neither_come_nor_go_without_a_record() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "there", "1").await.unwrap();
    let begun = house.journal.durable();
    for size in [1, 100_000] {
        let mut put =
            house.vault.begin_put("logs", "new", PutOptions::new(NewObject::of(account()))).unwrap();
        put.write(support::noise(size, 1)).await.unwrap();
        let staged = put.finish(&Expected::default()).await.unwrap();
        is_unrecorded(house.vault.commit_put(staged, &WriteConditions::default(), now(), unwritable).await);
    }
    let request = DeleteRequest::of("logs", "there", account());
    is_unrecorded(house.vault.delete(&request, now(), unwritable).await);
    let tx = house.state.begin().await;
    is_unrecorded(house.vault.delete_with(tx, &request, now(), unwritable).await);
    let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
    is_unrecorded(house.vault.put_object_tags("logs", "there", None, tags, unwritable).await);
    is_unrecorded(house.vault.put_object_acl("logs", "there", None, None, unwritable).await);

    assert_eq!(house.journal.durable(), begun);
    assert_eq!(house.keys("logs"), ["there"]);
    assert!(house.vault.head("logs", "there", None).unwrap().object.tags.is_empty());
    house.is_well().await;
}

#[tokio::test]
async fn uploads_neither_begin_nor_end_without_a_record() {
    let house = House::with_bucket("logs").await;
    let options = UploadOptions { object: NewObject::of(account()), algorithm: None, checksum_type: None };
    is_unrecorded(house.vault.create_upload("logs", "a", options, now(), unwritable).await);
    let upload = house.begin_upload("logs", "a").await;
    let etag = house.part("logs", "a", &upload, 1, "bytes").await.unwrap().etag;
    let begun = house.journal.durable();

    let mut part = house.vault.begin_part("logs", "a", &upload, 2, &[], None).unwrap();
    part.write("more".into()).await.unwrap();
    let staged = part.finish(&Expected::default()).await.unwrap();
    is_unrecorded(house.vault.commit_part(staged, now(), unwritable).await);
    let completion = Completion {
        parts: vec![CompletedPart { part_number: 1, etag, checksums: Checksums::new() }],
        ..Completion::default()
    };
    is_unrecorded(house.vault.complete_upload("logs", "a", &upload, &completion, now(), unwritable).await);
    is_unrecorded(house.vault.abort_upload("logs", "a", &upload, unwritable).await);

    assert_eq!(house.journal.durable(), begun);
    let (_, page) = house.vault.list_parts("logs", "a", &upload, None, None).unwrap();
    assert_eq!(page.parts.len(), 1);
    assert!(house.keys("logs").is_empty());
    house.is_well().await;
}
