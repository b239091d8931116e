//! New files.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use iceberg::spec::DataFile as IcebergFile;
use object_store::path::Path;

use super::{
    Inner,
    commit::Change,
    manifests::{self, NewObject},
    open::seen_columns,
    snapshot::{DataFile, Marks, Snapshot},
    statistics,
};
use crate::{LakeError, encode::EncodedFile};

/// Files of up to so many bytes in all are put together with the manifests: three syncs that wait for one another
/// become one. More are put before the commit begins, so that others don't wait.
const PUT_WITH_COMMIT: usize = 4 << 20;

impl Inner {
    pub(super) async fn append(
        &self,
        files: Vec<EncodedFile>,
        marks: Marks,
        known: Option<u64>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, LakeError> {
        let files: Vec<_> = files.into_iter().filter(|file| file.rows > 0).collect();
        let (added, objects) = self.describe(&files)?;
        self.added.lock().extend(files.iter().map(|file| (file.day, now)));
        let change = Change { added, marks, known, ..Change::default() };
        let small = files.iter().map(|file| file.bytes.len()).sum::<usize>() <= PUT_WITH_COMMIT;
        if small {
            return self.commit(Change { objects, ..change }, Vec::new(), now).await;
        }
        let uploaded = self.upload(objects).await?;
        self.commit(change, uploaded, now).await
    }

    /// New files with their names, for a commit and for the object store.
    #[expect(clippy::type_complexity, reason = "two lists of the same files")]
    pub(super) fn describe(
        &self,
        files: &[EncodedFile],
    ) -> Result<(Vec<(IcebergFile, Arc<DataFile>)>, Vec<NewObject>), LakeError> {
        let (spec, order) = {
            let state = self.state();
            let order = i32::try_from(state.metadata.default_sort_order_id()).unwrap_or(0);
            (state.metadata.default_partition_spec_id(), order)
        };
        let columns = seen_columns(&self.layout);
        let mut added = Vec::with_capacity(files.len());
        let mut objects = Vec::with_capacity(files.len());
        for file in files {
            let path = self.names.data(file.day);
            let described =
                statistics::described(&self.layout, file, self.warehouse.uri(&path), spec, order)?;
            let seen = manifests::seen(&self.warehouse, &described, columns)?;
            added.push((described, Arc::new(seen)));
            objects.push(NewObject { path, bytes: file.bytes.clone() });
        }
        Ok((added, objects))
    }

    /// Puts data files. Where one fails, none stays.
    pub(super) async fn upload(&self, objects: Vec<NewObject>) -> Result<Vec<Path>, LakeError> {
        let paths: Vec<Path> = objects.iter().map(|object| object.path.clone()).collect();
        self.keeping.lock().fly(&paths);
        if let Err(error) = self.put_all(&objects).await {
            self.discard(&paths).await;
            return Err(error);
        }
        Ok(paths)
    }
}
