//! A table in an object store that is not a disk, and that may do what it answers an error to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod table_scene;

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use opentrail_journal::disk::FaultyDisk;
use opentrail_lake::{
    LakeError,
    table::{Marks, Table, TableOptions},
    warehouse::Warehouse,
};
use parking_lot::Mutex;
use table_scene::{MARK, Scene, files, ids_of, later, layout, now, options};
use tempfile::TempDir;

/// What happens to the next put of a metadata file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It is done, and an error is answered.
    DoneAllTheSame,
    /// It is not done.
    NotDone,
    /// It is done, an error is answered, and nothing can be read until [`Network::calm`].
    DoneAndAway,
    /// It is done later, with [`Network::calm`].
    Late,
}

#[derive(Debug, Default)]
struct Network {
    store: InMemory,
    trouble: Mutex<Option<Trouble>>,
    late: Mutex<Option<(Path, PutPayload, PutOptions)>>,
    away: Mutex<bool>,
}

impl Network {
    async fn calm(&self) {
        *self.away.lock() = false;
        let late = self.late.lock().take();
        if let Some((path, payload, options)) = late {
            let _ = self.store.put_opts(&path, payload, options).await;
        }
    }
}

fn lost() -> Error {
    Error::Generic { store: "Network", source: "the connection was lost".into() }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl ObjectStore for Network {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let trouble =
            if location.as_ref().ends_with(".metadata.json") { self.trouble.lock().take() } else { None };
        match trouble {
            None => return self.store.put_opts(location, payload, opts).await,
            Some(Trouble::NotDone) => {}
            Some(Trouble::Late) => *self.late.lock() = Some((location.clone(), payload, opts)),
            Some(done) => {
                self.store.put_opts(location, payload, opts).await?;
                *self.away.lock() = done == Trouble::DoneAndAway;
            }
        }
        Err(lost())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if *self.away.lock() {
            return Err(lost());
        }
        self.store.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

async fn scene() -> (Arc<Network>, Scene) {
    let network = Arc::new(Network::default());
    (network.clone(), on(&network).await)
}

async fn on(network: &Arc<Network>) -> Scene {
    let warehouse = Warehouse::new(network.clone(), Path::from("tables"), "s3://bucket");
    let path = warehouse.table_path("store");
    let (layout, options): (_, TableOptions) = (layout(3), options());
    let table =
        Table::open_or_create(&warehouse, path, layout.clone(), options.clone(), now()).await.unwrap();
    let dir = Arc::new(TempDir::new().unwrap());
    Scene { dir, disk: FaultyDisk::default(), warehouse, table, options, layout }
}

#[tokio::test]
async fn a_table_needs_no_disk() {
    let (network, scene) = scene().await;
    for number in 1..=20 {
        scene.append(number, 2).await.unwrap();
    }
    while scene.table.compact(now()).await.unwrap().is_some() {}
    scene.assert_whole().await;
    drop(scene);
    let scene = on(&network).await;
    assert_eq!(scene.mark(), 20);
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
    assert!(scene.table.metadata().0.starts_with("s3://bucket/tables/store/metadata/v"));
}

#[tokio::test]
async fn a_commit_that_was_made_in_spite_of_an_error_is_made() {
    let (network, scene) = scene().await;
    scene.append(1, 0).await.unwrap();
    *network.trouble.lock() = Some(Trouble::DoneAllTheSame);
    scene.append(2, 0).await.unwrap();
    scene.append(3, 0).await.unwrap();
    scene.assert_whole().await;
}

#[tokio::test]
async fn a_commit_that_was_not_made_can_be_made_again() {
    let (network, scene) = scene().await;
    scene.append(1, 0).await.unwrap();
    *network.trouble.lock() = Some(Trouble::NotDone);
    assert!(matches!(scene.append(2, 0).await, Err(LakeError::Warehouse(_))));
    assert_eq!(scene.mark(), 1);
    scene.append(2, 0).await.unwrap();
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
}

#[tokio::test]
async fn a_commit_of_which_nothing_is_known_is_found_before_the_next() {
    let (network, scene) = scene().await;
    scene.append(1, 0).await.unwrap();
    *network.trouble.lock() = Some(Trouble::DoneAndAway);
    assert!(matches!(scene.append(2, 0).await, Err(LakeError::Unsettled { .. })));
    assert!(scene.append(2, 0).await.is_err(), "still away");
    network.calm().await;
    // Which rows are there is known by the marks alone, so nothing may be added before somebody looked.
    assert!(matches!(scene.append(2, 0).await, Err(LakeError::Moved { .. })));
    assert_eq!(scene.mark(), 2);
    scene.append(3, 0).await.unwrap();
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
    scene.assert_whole().await;
}

#[tokio::test]
async fn a_commit_that_comes_late_is_not_made_twice() {
    let (network, scene) = scene().await;
    scene.append(1, 0).await.unwrap();
    *network.trouble.lock() = Some(Trouble::Late);
    assert!(scene.append(2, 0).await.is_err());
    network.calm().await;
    assert!(matches!(scene.append(2, 0).await, Err(LakeError::Moved { .. })));
    assert_eq!(scene.mark(), 2);
    scene.append(3, 0).await.unwrap();
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
    scene.assert_whole().await;
}

#[tokio::test]
async fn rows_of_a_commit_that_somebody_else_took_over_are_not_added_again() {
    let (network, scene) = scene().await;
    scene.append(1, 0).await.unwrap();
    *network.trouble.lock() = Some(Trouble::DoneAndAway);
    assert!(matches!(scene.append(2, 0).await, Err(LakeError::Unsettled { .. })));
    network.calm().await;
    // The next attempt looks at the marks, takes the rows after them, some new ones too, and has them encoded.
    let (known, mark) = (scene.table.taken_over(), scene.mark());
    assert_eq!(mark, 1);
    let time = now().timestamp();
    let rows: Vec<_> = [2, 3].into_iter().flat_map(ids_of).map(|id| (id, time)).collect();
    // Meanwhile an import finds the commit.
    let other = Marks::from([("import/1".to_owned(), "a".to_owned())]);
    assert!(matches!(scene.table.append(Vec::new(), other, now()).await, Err(LakeError::Moved { .. })));
    let marks = Marks::from([(MARK.to_owned(), "3".to_owned())]);
    let late = scene.table.append_knowing(known, files(&scene.layout, &rows), marks, now()).await;
    assert!(matches!(late, Err(LakeError::Moved { .. })), "{late:?}");
    let (known, mark) = (scene.table.taken_over(), scene.mark());
    assert_eq!(mark, 2);
    let rows: Vec<_> = ids_of(3).into_iter().map(|id| (id, time)).collect();
    let marks = Marks::from([(MARK.to_owned(), "3".to_owned())]);
    scene.table.append_knowing(known, files(&scene.layout, &rows), marks, now()).await.unwrap();
    scene.assert_whole().await;
}
