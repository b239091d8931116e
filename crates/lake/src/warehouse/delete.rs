//! Removing objects.

use std::collections::BTreeSet;

use object_store::{Result, path::Path};
use opentrail_journal::disk::folder_of;

use super::disk_store::{Inner, failed};

/// Removes some objects, and then makes that durable. Answers what became of each.
pub(super) fn delete(inner: &Inner, locations: Vec<Result<Path>>) -> Vec<Result<Path>> {
    let mut folders = BTreeSet::new();
    let mut results: Vec<Result<Path>> = locations
        .into_iter()
        .map(|location| {
            let location = location?;
            let file = inner.file(&location)?;
            inner.disk.remove_file(&file).map_err(|error| failed(&location, error))?;
            folders.insert(folder_of(&file).to_owned());
            Ok(location)
        })
        .collect();
    for folder in folders {
        if let Err(error) = inner.disk.sync_dir(&folder) {
            let kind = error.kind();
            let below = |location: &Path| inner.file(location).is_ok_and(|file| folder_of(&file) == folder);
            for result in &mut results {
                if let Ok(location) = result
                    && below(location)
                {
                    *result = Err(failed(location, kind.into()));
                }
            }
        }
        remove_empty(inner, &folder);
    }
    results
}

/// Removes a folder that has nothing in it any more, and those above it.
fn remove_empty(inner: &Inner, folder: &std::path::Path) {
    let _naming = inner.naming.lock();
    let mut folder = folder;
    while folder != inner.folder && folder.starts_with(&inner.folder) {
        if inner.disk.remove_dir(folder).is_err() {
            return;
        }
        folder = folder_of(folder);
    }
}
