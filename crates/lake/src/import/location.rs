//! Which objects of a bucket an import reads.
//!
//! Source: the CloudTrail user guide, "Copying trail events to CloudTrail Lake", and StartImport in the API reference:
//! files that are packed with gzip, in folders `CloudTrail` of the prefix `AWSLogs` or in a prefix that is named, and
//! where a time range is asked for, those whose name has a day of it.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::refusal::ImportRefusal;

/// The longest S3 URI: the longest name of a bucket and the longest key.
const MAX_URI: usize = 5 + 63 + 1 + 1024;
/// Folders beside `CloudTrail` of a trail's bucket, whose files have no events of that kind.
const DIGESTS: &str = "CloudTrail-Digest";
const INSIGHTS: &str = "CloudTrail-Insight";
/// Files may be delivered on the day after that of their events.
const LATE_DAYS: u64 = 1;

/// The events that an import is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// From this `eventTime` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// Up to this `eventTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<DateTime<Utc>>,
}

impl TimeRange {
    /// Whether an event of this time is asked for.
    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }

    fn is_before(&self, day: NaiveDate) -> bool {
        self.start.is_some_and(|start| day < start.date_naive())
    }

    fn is_after(&self, day: NaiveDate) -> bool {
        self.end.is_some_and(|end| day > end.date_naive() + Days::new(LATE_DAYS))
    }
}

/// A place in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// What every key starts with.
    pub prefix: String,
}

impl Location {
    /// Reads `s3://BUCKET/PREFIX`, or the URL that S3's console shows for it.
    ///
    /// # Errors
    /// [`ImportRefusal::Source`] for anything else.
    pub fn parse(uri: &str) -> Result<Self, ImportRefusal> {
        let invalid = || {
            let uri: String = uri.chars().take(256).collect();
            ImportRefusal::Source(format!("{uri:?} is no S3 URI. Write s3://BUCKET/PREFIX/."))
        };
        let rest = uri.strip_prefix("s3://").ok_or_else(invalid)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_name || uri.len() > MAX_URI || prefix.contains('\0') {
            return Err(invalid());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The URI of a key in the bucket.
    pub fn uri_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

/// Which keys of a location are read.
#[derive(Debug, Clone)]
pub struct Choice {
    prefix: String,
    range: TimeRange,
}

impl Choice {
    /// The keys of a location that may have events of a range.
    pub fn new(location: &Location, range: TimeRange) -> Self {
        Self { prefix: location.prefix.clone(), range }
    }

    /// Whether the object with this key is read.
    pub fn takes(&self, key: &str) -> bool {
        let Some((folders, name)) = key.rsplit_once('/').or(Some(("", key))) else { return false };
        if !name.ends_with(".gz") || !self.is_of_trail(folders) {
            return false;
        }
        day_of(key).is_none_or(|day| !self.range.is_before(day) && !self.range.is_after(day))
    }

    fn is_of_trail(&self, folders: &str) -> bool {
        let mut names = folders.split('/');
        if names.clone().any(|name| name == DIGESTS) {
            return false;
        }
        // Who names such a folder in the prefix asks for it.
        let is_named = |name: &str| self.prefix.split('/').any(|part| part == name);
        if names.clone().any(|name| name == INSIGHTS) {
            return is_named(INSIGHTS);
        }
        if names.clone().any(|name| name == "AWSLogs") {
            return names.any(|name| name == "CloudTrail");
        }
        !self.prefix.is_empty() || names.any(|name| name == "CloudTrail")
    }

    /// A key after which the listing may go on, because nothing between `key` and it is read: whole days of a region
    /// that are out of the range are not listed.
    pub fn skip_from(&self, key: &str) -> Option<String> {
        let (root, day) = day_folder(key)?;
        if self.range.is_before(day) {
            // The keys of a day follow the name of its folder.
            let start = self.range.start?.date_naive();
            return Some(format!("{root}{}", start.format("%Y/%m/%d")));
        }
        // Years have four digits: nothing that is one follows.
        self.range.is_after(day).then(|| format!("{root}~"))
    }
}

/// The folder of a key, with its slash; what GetImport counts as prefixes.
pub(crate) fn folder_of(key: &str) -> &str {
    key.rfind('/').map_or("", |at| &key[..=at])
}

/// The day in a key: that of its name (`_20261121T0005Z_`), else that of its folders (`/2026/11/21/`).
pub fn day_of(key: &str) -> Option<NaiveDate> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let of_name = name.split('_').find_map(|part| {
        let (day, time) = part.split_once('T')?;
        let is_time = (5..=7).contains(&time.len()) && time.ends_with('Z');
        NaiveDate::parse_from_str(day, "%Y%m%d").ok().filter(|_| is_time && day.len() == 8)
    });
    of_name.or_else(|| day_folder(key).map(|(_, day)| day))
}

/// What stands before the folders `YYYY/MM/DD/` of a key, and the day.
fn day_folder(key: &str) -> Option<(&str, NaiveDate)> {
    let mut ends: Vec<usize> = key.match_indices('/').map(|(at, _)| at).collect();
    // The folders nearest to the name are those of a day.
    while ends.len() >= 3 {
        let last = ends[ends.len() - 1];
        let start = ends.len().checked_sub(4).map_or(0, |before| ends[before] + 1);
        let folders = &key[start..last];
        if folders.len() == 10
            && let Ok(day) = NaiveDate::parse_from_str(folders, "%Y/%m/%d")
        {
            return Some((&key[..start], day));
        }
        ends.pop();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(prefix: &str) -> Choice {
        let location = Location { bucket: "b".to_owned(), prefix: prefix.to_owned() };
        Choice::new(&location, TimeRange::default())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    const FILE: &str =
        "AWSLogs/1/CloudTrail/eu-west-1/2026/01/02/1_CloudTrail_eu-west-1_20260102T0005Z_x.json.gz";

    #[test]
    fn a_location_is_a_bucket_and_a_prefix() {
        let location = Location::parse("s3://logs/a/b").expect("a location");
        assert_eq!((location.bucket.as_str(), location.prefix.as_str()), ("logs", "a/b"));
        assert_eq!(Location::parse("s3://logs").expect("a bucket").prefix, "");
        for bad in ["", "logs", "s3://", "s3://a/b", "https://logs/x", "s3://lo gs/x"] {
            assert!(matches!(Location::parse(bad), Err(ImportRefusal::Source(_))), "{bad}");
        }
    }

    #[test]
    fn gzip_files_of_the_cloudtrail_folders_are_read() {
        let all = choice("");
        assert!(all.takes(FILE));
        assert!(all.takes(&format!("team/{}", FILE.replace("AWSLogs/", "AWSLogs/o-abc/"))));
        assert!(!all.takes(FILE.trim_end_matches(".gz")));
        for other in ["CloudTrail-Digest", "CloudTrail-Insight", "elasticloadbalancing", "Config"] {
            assert!(!all.takes(&FILE.replace("CloudTrail/", &format!("{other}/"))), "{other}");
        }
        assert!(!all.takes("exports/1.json.gz"));
        assert!(choice("exports/").takes("exports/1.json.gz"));
        assert!(!choice("AWSLogs/").takes("AWSLogs/1/vpcflowlogs/1.log.gz"));
    }

    #[test]
    fn a_range_is_held_against_the_days_in_names() {
        let range =
            TimeRange { start: Some(at("2026-01-02T10:00:00Z")), end: Some(at("2026-01-03T10:00:00Z")) };
        let location = Location { bucket: "b".to_owned(), prefix: String::new() };
        let choice = Choice::new(&location, range);
        let on = |day: &str, stamp: &str| FILE.replace("2026/01/02", day).replace("20260102", stamp);
        assert!(!choice.takes(&on("2026/01/01", "20260101")));
        assert!(choice.takes(FILE));
        assert!(choice.takes(&on("2026/01/04", "20260104")));
        assert!(!choice.takes(&on("2026/01/05", "20260105")));
        assert!(choice.takes("AWSLogs/1/CloudTrail/undated.json.gz"));
        let root = "AWSLogs/1/CloudTrail/eu-west-1/";
        assert_eq!(choice.skip_from(&on("2025/06/01", "20250601")), Some(format!("{root}2026/01/02")));
        assert_eq!(choice.skip_from(&on("2026/02/01", "20260201")), Some(format!("{root}~")));
        assert_eq!(choice.skip_from(FILE), None);
        assert!(range.contains(at("2026-01-02T10:00:00Z")) && !range.contains(at("2026-01-03T10:00:01Z")));
    }

    #[test]
    fn the_day_of_a_key_is_in_its_name_or_its_folders() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 2);
        assert_eq!(day_of(FILE), day);
        assert_eq!(day_of("x/2026/01/02/file.json.gz"), day);
        assert_eq!(day_of("2026/01/02/file.json.gz"), day);
        assert_eq!(day_of("x/2026/13/02/file.json.gz"), None);
        assert_eq!(day_of("file.json.gz"), None);
        assert_eq!((folder_of("a/b/c"), folder_of("c")), ("a/b/", ""));
    }
}
