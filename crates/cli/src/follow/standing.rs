//! What was imported already: how far each folder is, and which files of the days since then are done.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The standing of all folders.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    folders: BTreeMap<String, Place>,
    /// What the event data store did not keep of the files that are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOut>,
}

/// Events that were left out since everything was last looked at.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LeftOut {
    events: usize,
    /// How many days the store kept events then.
    days: u32,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// What is before this day is done.
    #[serde(default)]
    day: Option<NaiveDate>,
    /// Digests of the keys that are done, by day; those of no day under none.
    #[serde(default)]
    done: BTreeMap<String, BTreeSet<String>>,
}

impl Standing {
    /// What was noted; nothing where nothing was, or where it can't be understood: then everything is looked at again,
    /// and nothing is twice.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                eprintln!("opentrail: {}: {error}; everything is looked at again", path.display());
                Self::default()
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Notes it, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, path)
    }

    /// Notes that a store which keeps events for so many days did not take some.
    pub(super) fn leave_out(&mut self, events: usize, days: u32) {
        let left_out = self.left_out.get_or_insert(LeftOut { events: 0, days });
        left_out.events += events;
        left_out.days = left_out.days.min(days);
    }

    /// Whether events were left out.
    pub(super) fn has_left_out(&self) -> bool {
        self.left_out.is_some()
    }

    /// Has everything looked at again, should the store keep events longer than when some were left out: how many these
    /// were.
    pub(super) fn look_again(&mut self, days: u32) -> Option<usize> {
        let left_out = self.left_out.take_if(|left_out| left_out.days < days)?;
        self.folders.clear();
        Some(left_out.events)
    }

    /// The day from which a folder is to be listed.
    pub(super) fn day(&self, folder: &str) -> Option<NaiveDate> {
        self.folders.get(folder).and_then(|place| place.day)
    }

    /// Whether a file is done.
    pub(super) fn has(&self, folder: &str, key: &str) -> bool {
        let digest = digest(key);
        self.folders.get(folder).is_some_and(|place| place.done.values().any(|day| day.contains(&digest)))
    }

    /// Notes that a file is done.
    pub(super) fn add(&mut self, folder: &str, key: &str, day: Option<NaiveDate>) {
        let day = day.map(|day| day.to_string()).unwrap_or_default();
        self.folders.entry(folder.to_owned()).or_default().done.entry(day).or_default().insert(digest(key));
    }

    /// Notes that what is before a day is done; whether that is news.
    pub(super) fn advance(&mut self, folder: &str, day: NaiveDate) -> bool {
        let place = self.folders.entry(folder.to_owned()).or_default();
        if place.day.is_some_and(|before| before >= day) {
            return false;
        }
        place.day = Some(day);
        let day = day.to_string();
        place.done.retain(|of, _| of.is_empty() || *of >= day);
        true
    }
}

/// Where it is noted what is done of something, if nobody says.
pub(super) fn default_path(what: &str) -> PathBuf {
    let folder = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local").join("state"));
    let folder = folder.or_else(home).unwrap_or_else(|| PathBuf::from("."));
    folder.join("opentrail").join("follow").join(format!("{}.json", digest(what)))
}

/// Half of a SHA-256.
fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hex::encode(digest.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_done_are_forgotten_but_for_the_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("state.json");
        let mut standing = Standing::read(&path).expect("nothing yet");
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).expect("a day");
        standing.add("f/", "f/1", Some(day(1)));
        standing.add("f/", "f/2", Some(day(2)));
        standing.add("f/", "f/x", None);
        assert!(standing.advance("f/", day(2)) && !standing.advance("f/", day(1)));
        assert!(!standing.has("f/", "f/1") && standing.has("f/", "f/2") && standing.has("f/", "f/x"));
        standing.write(&path).expect("written");
        assert_eq!(Standing::read(&path).expect("read"), standing);
        assert_eq!(standing.day("f/"), Some(day(2)));
        standing.leave_out(3, 90);
        standing.leave_out(4, 30);
        standing.write(&path).expect("written");
        let mut standing = Standing::read(&path).expect("read");
        assert_eq!((standing.look_again(30), standing.has_left_out()), (None, true));
        assert_eq!((standing.look_again(31), standing.has_left_out()), (Some(7), false));
        assert!(!standing.has("f/", "f/2"));
        fs::write(&path, "nonsense").expect("written");
        assert_eq!(Standing::read(&path).expect("read"), Standing::default());
    }
}
