//! Which digest chains and digests a bucket has.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, Utc};
use opentrail_event::{AccountId, Region};

use super::ValidateError;
use crate::{
    layout::{Whose, key_start},
    name::TrailName,
    organization::OrganizationId,
    store::{LogReader, StoreError, list_all},
};

/// The chain of one trail in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChainId {
    pub(crate) region: String,
    pub(crate) trail: TrailName,
    pub(crate) home_region: Region,
}

/// A digest by its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DigestKey {
    pub(crate) end: DateTime<Utc>,
    pub(crate) backfill: bool,
    pub(crate) key: String,
}

/// Reads a digest's key: its chain and when it ends. None for the key of something else.
pub(crate) fn parse_key(whose: &Whose, key: &str) -> Option<(ChainId, DigestKey)> {
    let (folder, name) = key.rsplit_once('/')?;
    let (_, rest) = folder.split_once(&whose.digests(None, None))?;
    let region = rest.split('/').next()?;
    let start = format!("{}_CloudTrail-Digest_{region}_", whose.account);
    let rest = name.strip_prefix(start.as_str())?.strip_suffix(".json.gz")?;
    let (rest, backfill) = match rest.strip_suffix("_backfill") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (rest, time) = rest.rsplit_once('_')?;
    let (trail, home) = rest.rsplit_once('_')?;
    let end = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").ok()?.and_utc();
    let id =
        ChainId { region: region.to_owned(), trail: trail.parse().ok()?, home_region: home.parse().ok()? };
    Some((id, DigestKey { end, backfill, key: key.to_owned() }))
}

/// The accounts that have a folder of an organization trail's files.
///
/// # Errors
/// [`ValidateError::List`].
pub async fn accounts_of(
    reader: &dyn LogReader,
    bucket: &str,
    prefix: Option<&str>,
    organization: &OrganizationId,
) -> Result<BTreeSet<AccountId>, ValidateError> {
    let start = format!("{}AWSLogs/{organization}/", key_start(prefix));
    let folder_of = |key: &str| Some(key.strip_prefix(&start)?.split_once('/')?.0.to_owned());
    let mut accounts = BTreeSet::new();
    let mut after = None;
    loop {
        let page = reader.list(bucket, &start, after.as_deref()).await;
        let page = page.map_err(|source| ValidateError::List { bucket: bucket.to_owned(), source })?;
        let folders = page.files.iter().filter_map(|file| folder_of(&file.key));
        accounts.extend(folders.filter_map(|folder| folder.parse::<AccountId>().ok()));
        let Some(last) = page.files.last().filter(|_| page.more) else { return Ok(accounts) };
        // "0" is the byte after "/": the rest of the folder's files need not be listed.
        after = Some(folder_of(&last.key).map_or(last.key.clone(), |folder| format!("{start}{folder}0")));
    }
}

/// All chains under a prefix with their digests, oldest first.
pub(crate) async fn chains(
    reader: &dyn LogReader,
    bucket: &str,
    prefix: Option<&str>,
    whose: &Whose,
) -> Result<BTreeMap<ChainId, Vec<DigestKey>>, StoreError> {
    let folder = whose.digests(prefix, None);
    let mut chains: BTreeMap<ChainId, Vec<DigestKey>> = BTreeMap::new();
    for file in list_all(reader, bucket, &folder, None).await? {
        if let Some((id, digest)) = parse_key(whose, &file.key) {
            chains.entry(id).or_default().push(digest);
        }
    }
    for digests in chains.values_mut() {
        digests.sort_unstable();
    }
    Ok(chains)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::folder::Folder;

    #[tokio::test]
    async fn the_folders_of_an_organization_say_its_accounts() {
        let root = tempfile::tempdir().unwrap();
        for folder in
            ["o-abcdefghij/111122223333", "o-abcdefghij/other", "444455556666", "o-bcdefghijk/777788889999"]
        {
            let folder = root.path().join("p/AWSLogs").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("file"), b"x").unwrap();
        }
        let organization = "o-abcdefghij".parse().unwrap();
        let found = accounts_of(&Folder::new(root.path()), "", Some("p"), &organization).await.unwrap();
        assert_eq!(found.into_iter().map(|one| one.to_string()).collect::<Vec<_>>(), ["111122223333"]);
    }

    #[test]
    fn a_key_says_its_chain() {
        let account: AccountId = "111122223333".parse().unwrap();
        let whose = Whose::from(account);
        let key = "p/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2015/08/17/\
                   111122223333_CloudTrail-Digest_eu-west-1_my_trail_us-east-2_20150817T150131Z_backfill.json.gz";
        let (id, digest) = parse_key(&whose, key).unwrap();
        assert_eq!((id.region.as_str(), id.trail.as_str()), ("eu-west-1", "my_trail"));
        assert_eq!(id.home_region.as_str(), "us-east-2");
        assert!(digest.backfill);
        assert_eq!(digest.end, "2015-08-17T15:01:31Z".parse::<DateTime<Utc>>().unwrap());
        assert!(parse_key(&whose, "AWSLogs/111122223333/CloudTrail-Digest/x.json.gz").is_none());
    }
}
