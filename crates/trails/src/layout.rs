//! The names of log files and digests in a bucket.
//!
//! As AWS documents them under "CloudTrail log file names", "CloudTrail digest file structure" and "Creating a trail for
//! an organization".

use chrono::{DateTime, NaiveDateTime, Utc};
use opentrail_event::{AccountId, Region};

use serde::{Deserialize, Serialize};

use crate::{name::TrailName, organization::OrganizationId};

/// Characters of a log file's unique part.
pub const UNIQUE_LEN: usize = 16;

const COMPACT: &str = "%Y%m%dT%H%M%SZ";
const BACKFILL: &str = "_backfill";
const SUFFIX: &str = ".json.gz";

/// The time of a digest as it stands in its key: to the second.
pub fn compact_time(time: DateTime<Utc>) -> String {
    time.format(COMPACT).to_string()
}

/// A time as it stands in a digest's members.
pub fn long_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The start of all keys of a trail: empty, or its prefix with a slash.
pub fn key_start(prefix: Option<&str>) -> String {
    prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default()
}

/// Whose files a folder has: an account's, which a trail of its own or one of its organization writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Whose {
    /// The account whose events are in the files.
    pub account: AccountId,
    /// The organization, for the files of an organization trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
}

impl Whose {
    /// `AWSLogs/[ORGANIZATION/]ACCOUNT/`.
    pub fn folder(&self) -> String {
        match &self.organization {
            Some(organization) => format!("AWSLogs/{organization}/{}/", self.account),
            None => format!("AWSLogs/{}/", self.account),
        }
    }

    fn files(&self, prefix: Option<&str>, kind: &str, region: Option<&str>) -> String {
        let region = region.map(|region| format!("{region}/")).unwrap_or_default();
        format!("{}{}{kind}/{region}", key_start(prefix), self.folder())
    }

    /// `[prefix/]AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail/` and, with a region, `REGION/`.
    pub fn log_files(&self, prefix: Option<&str>, region: Option<&str>) -> String {
        self.files(prefix, "CloudTrail", region)
    }

    /// `[prefix/]AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail-Digest/` and, with a region, `REGION/`.
    pub fn digests(&self, prefix: Option<&str>, region: Option<&str>) -> String {
        self.files(prefix, "CloudTrail-Digest", region)
    }
}

impl From<AccountId> for Whose {
    fn from(account: AccountId) -> Self {
        Self { account, organization: None }
    }
}

/// The key of a log file; `unique` has [`UNIQUE_LEN`] letters and digits.
pub fn log_file_key(
    prefix: Option<&str>,
    whose: &Whose,
    region: &str,
    time: DateTime<Utc>,
    unique: &str,
) -> String {
    let folder = whose.log_files(prefix, Some(region));
    let account = whose.account;
    let day = time.format("%Y/%m/%d");
    let minute = time.format("%Y%m%dT%H%MZ");
    format!("{folder}{day}/{account}_CloudTrail_{region}_{minute}_{unique}{SUFFIX}")
}

/// Which digests are meant: those of one trail for one account in one region.
#[derive(Debug, Clone, Copy)]
pub struct DigestNames<'a> {
    /// The account whose log files the digests list.
    pub whose: &'a Whose,
    /// The region whose log files the digests list.
    pub region: &'a str,
    /// The trail's name.
    pub trail: &'a TrailName,
    /// The trail's home region.
    pub home_region: &'a Region,
}

impl DigestNames<'_> {
    /// What stands in a digest's file name before the time.
    fn file_start(&self) -> String {
        let Self { whose, region, trail, home_region } = self;
        let account = whose.account;
        format!("{account}_CloudTrail-Digest_{region}_{trail}_{home_region}_")
    }

    /// The key of the digest that ends at `end`.
    pub fn key(&self, prefix: Option<&str>, end: DateTime<Utc>, backfill: bool) -> String {
        let folder = self.whose.digests(prefix, Some(self.region));
        let mark = if backfill { BACKFILL } else { "" };
        let day = end.format("%Y/%m/%d");
        format!("{folder}{day}/{}{}{mark}{SUFFIX}", self.file_start(), compact_time(end))
    }

    /// Reads a key: when the digest ends and whether it is a backfill; none for a key of something else.
    pub fn parse(&self, key: &str) -> Option<(DateTime<Utc>, bool)> {
        let name = key.rsplit('/').next()?;
        let rest = name.strip_prefix(self.file_start().as_str())?.strip_suffix(SUFFIX)?;
        let (time, backfill) = match rest.strip_suffix(BACKFILL) {
            Some(time) => (time, true),
            None => (rest, false),
        };
        Some((NaiveDateTime::parse_from_str(time, COMPACT).ok()?.and_utc(), backfill))
    }
}

/// The minute in a log file's name; none for a name of another form.
pub fn log_file_time(key: &str) -> Option<DateTime<Utc>> {
    let name = key.rsplit('/').next()?.strip_suffix(SUFFIX)?;
    let mut parts = name.rsplit('_');
    let (_unique, minute) = (parts.next()?, parts.next()?);
    let time = NaiveDateTime::parse_from_str(&format!("{}00Z", minute.strip_suffix('Z')?), COMPACT).ok()?;
    Some(time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_aws_documents() {
        let account: AccountId = "111122223333".parse().unwrap();
        let whose = Whose::from(account);
        let time = "2015-08-17T15:01:31Z".parse().unwrap();
        let key = log_file_key(Some("pre/fix"), &whose, "us-east-2", time, "aBcDeFgHiJkLmNoP");
        assert_eq!(
            key,
            "pre/fix/AWSLogs/111122223333/CloudTrail/us-east-2/2015/08/17/\
             111122223333_CloudTrail_us-east-2_20150817T1501Z_aBcDeFgHiJkLmNoP.json.gz"
        );
        assert_eq!(log_file_time(&key), Some("2015-08-17T15:01:00Z".parse().unwrap()));
        let trail: TrailName = "your-trail-name".parse().unwrap();
        let home_region = "us-east-2".parse().unwrap();
        let names =
            DigestNames { whose: &whose, region: "us-east-2", trail: &trail, home_region: &home_region };
        let key = names.key(None, time, false);
        assert_eq!(
            key,
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2015/08/17/\
             111122223333_CloudTrail-Digest_us-east-2_your-trail-name_us-east-2_20150817T150131Z.json.gz"
        );
        assert_eq!(names.parse(&key), Some((time, false)));
        assert_eq!(names.parse(&names.key(Some("p"), time, true)), Some((time, true)));
        assert_eq!(names.parse("AWSLogs/111122223333/CloudTrail-Digest/us-east-2/x.json.gz"), None);
    }
    #[test]
    fn files_of_an_organization_trail_are_below_the_organization() {
        let account = "444444444444".parse().unwrap();
        let whose = Whose { account, organization: Some("o-exampleorgid".parse().unwrap()) };
        let time = "2015-08-17T15:01:31Z".parse().unwrap();
        assert_eq!(
            log_file_key(None, &whose, "us-east-2", time, "aBcDeFgHiJkLmNoP"),
            "AWSLogs/o-exampleorgid/444444444444/CloudTrail/us-east-2/2015/08/17/\
             444444444444_CloudTrail_us-east-2_20150817T1501Z_aBcDeFgHiJkLmNoP.json.gz"
        );
        let trail: TrailName = "org".parse().unwrap();
        let home_region = "us-east-1".parse().unwrap();
        let names =
            DigestNames { whose: &whose, region: "us-east-2", trail: &trail, home_region: &home_region };
        assert_eq!(
            names.key(Some("p"), time, false),
            "p/AWSLogs/o-exampleorgid/444444444444/CloudTrail-Digest/us-east-2/2015/08/17/\
             444444444444_CloudTrail-Digest_us-east-2_org_us-east-1_20150817T150131Z.json.gz"
        );
    }
}
