//! Buckets and their settings.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use opentrail_event::{AccountId, Region};
use opentrail_policy::Bindings;
use opentrail_vault::*;
use support::{House, account, now};

fn another() -> AccountId {
    "999999999999".parse().unwrap()
}

fn new_bucket(name: &str, owner: AccountId) -> NewBucket {
    NewBucket {
        name: name.to_owned(),
        owner,
        region: Region::us_east_1(),
        ownership: Ownership::default(),
        tags: Tags::new(),
        object_lock: false,
    }
}

async fn remove(house: &House, name: &str) -> Result<(), VaultError> {
    let mut tx = house.state.begin().await;
    let removal = house.vault.delete_bucket(&mut tx, name).await?;
    removal.commit(tx, Vec::new()).await.map(drop)
}

#[tokio::test]
async fn a_name_belongs_to_one_bucket_of_all_accounts() {
    let house = House::with_bucket("logs").await;
    let mut tx = house.state.begin().await;
    let mine = house.vault.create_bucket(&mut tx, new_bucket("logs", account()), now());
    assert!(matches!(mine, Err(VaultError::BucketAlreadyOwnedByYou { .. })));
    let theirs = house.vault.create_bucket(&mut tx, new_bucket("logs", another()), now());
    assert!(matches!(theirs, Err(VaultError::BucketAlreadyExists { .. })));
    let wrong = house.vault.create_bucket(&mut tx, new_bucket("Logs", another()), now());
    assert_eq!(wrong.unwrap_err().code(), "InvalidBucketName");
    drop(tx);
    assert_eq!(house.vault.bucket("logs").unwrap().owner, account());
    assert!(matches!(house.vault.bucket("other"), Err(VaultError::NoSuchBucket { .. })));
}

#[tokio::test]
async fn buckets_are_listed_by_account_region_and_prefix_page_by_page() {
    let house = House::new().await;
    for name in ["aa1", "aa2", "aa3", "bb1"] {
        house.create_bucket(name).await;
    }
    let mut tx = house.state.begin().await;
    let new = NewBucket { region: "eu-west-1".parse().unwrap(), ..new_bucket("aa4", another()) };
    house.vault.create_bucket(&mut tx, new, now()).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let names = |owner: AccountId, query: BucketQuery| {
        let page = house.vault.list_buckets(&owner, &query);
        (page.buckets.iter().map(|bucket| bucket.name.clone()).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(names(another(), BucketQuery::default()).0, ["aa4"]);
    let query = BucketQuery { prefix: "aa".to_owned(), max: Some(2), ..BucketQuery::default() };
    let (first, next) = names(account(), query.clone());
    assert_eq!((first, next.as_deref()), (vec!["aa1".to_owned(), "aa2".to_owned()], Some("aa2")));
    assert_eq!(names(account(), BucketQuery { after: next, ..query }), (vec!["aa3".to_owned()], None));
    let elsewhere = BucketQuery { region: Some("eu-west-1".parse().unwrap()), ..BucketQuery::default() };
    assert!(names(account(), elsewhere).0.is_empty());
}

#[tokio::test]
async fn only_an_empty_bucket_is_deleted() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", "x").await.unwrap();
    assert!(matches!(remove(&house, "logs").await, Err(VaultError::BucketNotEmpty { versioned: false, .. })));
    house.set_versioning("logs", Versioning::Enabled).await;
    house.delete("logs", "a", None).await.unwrap();
    assert!(house.keys("logs").is_empty());
    assert!(matches!(remove(&house, "logs").await, Err(VaultError::BucketNotEmpty { versioned: true, .. })));
    let versions = house.vault.list_versions("logs", &ListQuery::default(), None).unwrap().versions;
    for entry in versions {
        house.delete("logs", &entry.key, Some(entry.version.id())).await.unwrap();
    }
    let upload = house.begin_upload("logs", "unfinished").await;
    house.part("logs", "unfinished", &upload, 1, support::noise(100_000, 1)).await.unwrap();
    remove(&house, "logs").await.unwrap();
    assert!(matches!(remove(&house, "logs").await, Err(VaultError::NoSuchBucket { .. })));
    assert!(matches!(house.put("logs", "a", "x").await, Err(VaultError::NoSuchBucket { .. })));

    house.create_bucket("logs").await;
    assert!(house.vault.list_uploads("logs", &ListQuery::default(), None).unwrap().uploads.is_empty());
    let house = house.reopen().await;
    house.is_well().await;
}

#[tokio::test]
async fn a_bucket_that_goes_while_bytes_arrive_takes_no_object() {
    let house = House::with_bucket("logs").await;
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
    upload.write(support::noise(50_000, 1)).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    remove(&house, "logs").await.unwrap();
    let late = house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await;
    assert!(matches!(late, Err(VaultError::NoSuchBucket { .. })));
    house.is_well().await;
}

#[tokio::test]
async fn puts_and_the_removal_of_their_bucket_never_both_succeed() {
    let house = std::sync::Arc::new(House::new().await);
    for round in 0..20 {
        let name = format!("logs-{round}");
        house.create_bucket(&name).await;
        let putter = {
            let (house, name) = (house.clone(), name.clone());
            tokio::spawn(async move { house.put(&name, "a", "x").await.is_ok() })
        };
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        let removed = remove(&house, &name).await.is_ok();
        assert_ne!(putter.await.unwrap(), removed);
    }
    house.is_well().await;
}

#[tokio::test]
async fn versioning_goes_on_and_off_but_never_away() {
    let house = House::with_bucket("logs").await;
    house.set_versioning("logs", Versioning::Enabled).await;
    house.set_versioning("logs", Versioning::Suspended).await;
    assert_eq!(house.vault.bucket("logs").unwrap().versioning, Versioning::Suspended);
    let mut tx = house.state.begin().await;
    let off = house.vault.put_versioning(&mut tx, "logs", Versioning::Off);
    assert!(matches!(off, Err(VaultError::VersioningCannotBeRemoved)));
}

#[tokio::test]
async fn a_policy_must_be_about_its_bucket() {
    let house = House::with_bucket("logs").await;
    let policy = |principal: &str, action: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{resource}"}}]}}"#
        )
    };
    let trail = r#"{"Service":"cloudtrail.amazonaws.com"}"#;
    let good = policy(trail, "s3:PutObject", "arn:aws:s3:::logs/AWSLogs/*");
    let mut tx = house.state.begin().await;
    for (wrong, message) in [
        (policy(trail, "s3:PutObject", "arn:aws:s3:::other/*"), "Policy has invalid resource"),
        (policy(trail, "s3:PutObject", "*"), "Policy has invalid resource"),
        (policy(trail, "ec2:RunInstances", "arn:aws:s3:::logs/*"), "Policy has invalid action"),
        (format!("{good}{}", " ".repeat(20 * 1024)), "Policy exceeds the maximum allowed document size."),
    ] {
        let refused = house.vault.put_bucket_policy(&mut tx, "logs", &wrong, Bindings::new()).unwrap_err();
        assert_eq!((refused.code(), &*refused.to_string()), ("MalformedPolicy", message));
    }
    assert_eq!(
        house.vault.put_bucket_policy(&mut tx, "logs", "{", Bindings::new()).unwrap_err().code(),
        "MalformedPolicy"
    );
    let no_principal = good.replace(&format!(r#""Principal":{trail},"#), "");
    assert_eq!(
        house.vault.put_bucket_policy(&mut tx, "logs", &no_principal, Bindings::new()).unwrap_err().code(),
        "MalformedPolicy"
    );
    assert!(matches!(house.vault.bucket_policy("logs"), Ok(None)));
    assert!(matches!(house.vault.bucket_policy_text("logs"), Err(VaultError::NoSuchBucketPolicy { .. })));
    house.vault.put_bucket_policy(&mut tx, "logs", &good, Bindings::new()).unwrap();
    tx.commit(Vec::new()).await.unwrap();

    assert_eq!(house.vault.bucket_policy_text("logs").unwrap(), good);
    assert_eq!(house.vault.bucket_policy("logs").unwrap().unwrap().source(), good);
    assert!(!house.vault.is_policy_public("logs").unwrap());
    let public = policy(r#""*""#, "s3:GetObject", "arn:aws:s3:::logs/*");
    let mut tx = house.state.begin().await;
    house.vault.put_bucket_policy(&mut tx, "logs", &public, Bindings::new()).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    assert_eq!(house.vault.bucket_policy("logs").unwrap().unwrap().source(), public);
    assert!(house.vault.is_policy_public("logs").unwrap());
    let mut tx = house.state.begin().await;
    house.vault.delete_bucket_policy(&mut tx, "logs").unwrap();
    tx.commit(Vec::new()).await.unwrap();
    assert!(matches!(house.vault.bucket_policy("logs"), Ok(None)));
}

#[tokio::test]
async fn settings_are_kept_until_they_are_deleted() {
    let house = House::with_bucket("logs").await;
    let vault = &house.vault;
    assert!(matches!(vault.bucket_tags("logs"), Err(VaultError::NoSuchTagSet { .. })));
    assert_eq!(vault.public_access_block("logs").unwrap(), PublicAccessBlock::ALL);
    assert_eq!(vault.ownership("logs").unwrap(), Ownership::BucketOwnerEnforced);
    let mut tx = house.state.begin().await;
    vault.put_bucket_tags(&mut tx, "logs", Tags::from([("team".to_owned(), "blue".to_owned())])).unwrap();
    vault.put_public_access_block(&mut tx, "logs", None).unwrap();
    vault.put_ownership(&mut tx, "logs", None).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let house = house.reopen().await;
    let vault = &house.vault;
    assert_eq!(vault.bucket_tags("logs").unwrap()["team"], "blue");
    assert_eq!(vault.public_access_block("logs").unwrap_err().code(), "NoSuchPublicAccessBlockConfiguration");
    assert_eq!(vault.ownership("logs").unwrap_err().code(), "OwnershipControlsNotFoundError");
}
