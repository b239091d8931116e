//! The folders of a bucket under which there are folders of days.

use chrono::NaiveDate;
use opentrail_trails::{LogReader, StoreError};

/// What is below one account and region, in folders `YYYY/MM/DD/`; or what is in no such folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// What its keys start with.
    pub(super) root: String,
    dated: bool,
}

impl Folder {
    /// Whether it has folders of days.
    pub(super) fn is_dated(&self) -> bool {
        self.dated
    }

    /// A key before all of a day and after all before it.
    pub(super) fn before(&self, day: NaiveDate) -> String {
        format!("{}{}", self.root, day.format("%Y/%m/%d"))
    }

    /// The day that a key of the folder is in.
    pub(super) fn day_of(&self, key: &str) -> Option<NaiveDate> {
        let rest = key.strip_prefix(&self.root).filter(|_| self.dated)?;
        let day = rest.get(..10).filter(|_| rest.as_bytes().get(10) == Some(&b'/'))?;
        NaiveDate::parse_from_str(day, "%Y/%m/%d").ok()
    }

    /// Whether a key is one of this folder's: what is in a folder of days is not in the one above.
    pub(super) fn has(&self, key: &str) -> bool {
        if self.dated { self.day_of(key).is_some() } else { root_of(key).is_none() }
    }
}

/// What stands before the folders of a day in a key.
fn root_of(key: &str) -> Option<&str> {
    let slashes: Vec<usize> = key.match_indices('/').map(|(at, _)| at).collect();
    // The first folders that are a day.
    (0..slashes.len().saturating_sub(2)).find_map(|place| {
        let start = if place == 0 { 0 } else { slashes[place - 1] + 1 };
        let day = &key[start..slashes[place + 2]];
        let is_day = day.len() == 10 && NaiveDate::parse_from_str(day, "%Y/%m/%d").is_ok();
        is_day.then(|| &key[..start])
    })
}

/// Finds the folders below a prefix. It asks for a page of each: what is between is passed over.
pub(super) async fn search(
    reader: &dyn LogReader,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<Folder>, StoreError> {
    let mut folders: Vec<Folder> = Vec::new();
    let (mut after, mut has_others): (Option<String>, bool) = (None, false);
    loop {
        let page = reader.list(bucket, prefix, after.as_deref()).await?;
        let Some(last) = page.files.last().map(|file| file.key.clone()) else { break };
        for file in &page.files {
            match root_of(&file.key) {
                Some(root) if folders.iter().all(|folder| folder.root != root) => {
                    folders.push(Folder { root: root.to_owned(), dated: true });
                }
                Some(_) => {}
                None => has_others = true,
            }
        }
        if !page.more {
            break;
        }
        // Nothing in the folder of a region comes after its years.
        after = Some(root_of(&last).map_or(last.clone(), |root| format!("{root}~")).max(last));
    }
    // A digest is no log file, and is not imported from there either.
    folders.retain(|folder| !folder.root.contains("/CloudTrail-Digest/"));
    if has_others {
        folders.push(Folder { root: prefix.to_owned(), dated: false });
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_days_knows_its_keys() {
        let root = "AWSLogs/1/CloudTrail/eu-west-1/";
        let key = format!("{root}2026/01/02/1_CloudTrail_x.json.gz");
        assert_eq!(root_of(&key), Some(root));
        assert_eq!(root_of("2026/01/02/x.json.gz"), Some(""));
        assert_eq!(root_of("exports/x.json.gz"), None);
        let folder = Folder { root: root.to_owned(), dated: true };
        assert_eq!(folder.day_of(&key), NaiveDate::from_ymd_opt(2026, 1, 2));
        assert!(folder.has(&key) && !folder.has(&format!("{root}x.json.gz")));
        let day = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
        let before = folder.before(day);
        assert!(before < key && before > format!("{root}2026/01/01/z"));
        let other = Folder { root: "exports/".to_owned(), dated: false };
        assert!(other.has("exports/x.json.gz") && !other.has("exports/2026/01/02/x.json.gz"));
    }
}
