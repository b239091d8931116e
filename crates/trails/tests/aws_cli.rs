//! What is delivered passes the AWS CLI's own validation.
//!
//! `OPENTRAIL_TEST_PYTHON` names a Python that has `awscli` (`make test` prepares one); the end-to-end tests run
//! the whole CLI against the server.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use base64::{Engine, prelude::BASE64_STANDARD};
use opentrail_journal::disk::CrashKeeps;
use opentrail_trails::{Clock, CreateTrail, StoreError, UpdateTrail};
use serde_json::{Value, json};
use world::{Mood, World, account, ids, member, region, usual};

/// Invalid files, and valid digests, backfill digests and log files, as the AWS CLI counts them.
fn aws_validates(world: &World, at: &str, bucket: &str, prefix: &str) -> (u64, [u64; 3]) {
    aws_validates_files_of(&[], world, at, bucket, prefix)
}

/// As `aws_validates`, of an account in an organization, if there is one.
fn aws_validates_files_of(
    member: &[&str],
    world: &World,
    at: &str,
    bucket: &str,
    prefix: &str,
) -> (u64, [u64; 3]) {
    let python = std::env::var("OPENTRAIL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<Value> = world
        .store
        .files
        .lock()
        .iter()
        .map(|((bucket, key), file)| {
            let metadata: serde_json::Map<String, Value> =
                file.metadata.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            json!({"bucket": bucket, "key": key, "body": BASE64_STANDARD.encode(&file.body), "metadata": metadata})
        })
        .collect();
    std::fs::write(folder.path().join("files.json"), serde_json::to_vec(&files).unwrap()).unwrap();
    let year = chrono::TimeDelta::days(365);
    let now = world.clock.now();
    let keys: Vec<Value> = world
        .keyring
        .public_keys(&region(at), now - year, now + year)
        .into_iter()
        .map(|key| {
            json!({
                "Fingerprint": key.fingerprint, "Value": BASE64_STANDARD.encode(key.value_der),
                "ValidityStartTime": key.valid_from.to_rfc3339(), "ValidityEndTime": key.valid_to.to_rfc3339(),
            })
        })
        .collect();
    std::fs::write(folder.path().join("keys.json"), json!({at: keys}).to_string()).unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws_cli.py");
    let arn = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main";
    let output = std::process::Command::new(python)
        .arg(script)
        .arg(folder.path())
        .args([arn, at, bucket, prefix, "2026-02-01T00:00:00Z"])
        .args(member)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let result: Value = serde_json::from_str(result.unwrap_or_else(|| panic!("{text}\n{errors}"))).unwrap();
    if result["invalid"] != 0 {
        eprintln!("{text}\n{errors}");
    }
    let valid = |i: usize| result["valid"][i].as_u64().unwrap();
    (result["invalid"].as_u64().unwrap(), [valid(0), valid(1), valid(2)])
}

#[tokio::test]
async fn a_chain_through_everything_is_valid_for_the_aws_cli() {
    let mut world = World::new().await;
    world.create_usual().await;
    world.record("us-east-1", ids(0, 5)).await;
    world.record("eu-west-1", ids(5, 8)).await;
    world.hour().await;
    world.hour().await;
    world.keyring.rotate_signing_key(&region("us-east-1"), world.clock.now()).await.unwrap();
    world.store.mood("audit", Mood::LosesAnswers);
    world.record("us-east-1", ids(8, 10)).await;
    world.hour().await;
    world = world.restart(CrashKeeps::Nothing).await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(10, 12)).await;
    world.interval().await.unwrap();
    world.stop("main", vec![]).await;
    for _ in 0..3 {
        world.hour().await;
    }
    world.store.mood("audit", Mood::Well);
    world.hour().await;
    world.hour().await;
    world.start("main", vec![]).await;
    world.record("us-east-1", ids(12, 15)).await;
    world.hour().await;
    let update = UpdateTrail { name: "main".into(), prefix: Some("p/q".into()), ..UpdateTrail::default() };
    world.update(update).await;
    world.record("us-east-1", ids(15, 17)).await;
    world.hour().await;
    let update = UpdateTrail { name: "main".into(), bucket: Some("second".into()), ..UpdateTrail::default() };
    world.update(update).await;
    world.record("eu-west-1", ids(17, 19)).await;
    world.record("us-east-1", ids(19, 20)).await;
    world.hour().await;
    world.hour().await;

    let (invalid, [digests, backfill, logs]) = aws_validates(&world, "us-east-1", "second", "p/q");
    assert_eq!(invalid, 0);
    // From the bucket of now the CLI follows the running chain to its beginning.
    assert!(digests >= 4 && logs >= 3, "{digests} {logs}");
    // In the first bucket are the older chain, which ended, and the beginning of the newer.
    let (invalid, [digests, also_backfill, logs]) = aws_validates(&world, "us-east-1", "audit", "");
    assert_eq!((invalid, backfill + also_backfill), (0, 1));
    assert!(digests >= 6 && logs >= 4, "{digests} {logs}");
    assert_eq!(aws_validates(&world, "eu-west-1", "audit", "").0, 0);
}

#[tokio::test]
async fn each_account_of_an_organization_has_a_chain_that_is_valid_for_the_aws_cli() {
    let mut world = World::new().await;
    let (one, two) = (member(1), member(2));
    world.follow(&[one, two], true, vec![]).await;
    let ask = CreateTrail { is_organization: Some(true), prefix: Some("p".into()), ..usual() };
    world.create(ask, "us-east-1").await;
    world.record("us-east-1", ids(0, 3)).await;
    world.record_of(one, "us-east-1", ids(3, 6)).await;
    world.record_of(two, "eu-west-1", ids(6, 9)).await;
    world.hour().await;
    world = world.restart(CrashKeeps::Nothing).await;
    world.record_of(two, "us-east-1", ids(9, 12)).await;
    world.follow(&[one], true, vec![]).await;
    world.record_of(two, "us-east-1", ids(12, 15)).await;
    world.hour().await;
    world.hour().await;
    world.follow(&[one, two], true, vec![]).await;
    world.record_of(two, "us-east-1", ids(15, 18)).await;
    world.hour().await;

    let valid = |account: opentrail_event::AccountId, at: &str| {
        let member = [account.as_str(), "o-exampleorgid"];
        let (invalid, valid) = aws_validates_files_of(&member, &world, at, "audit", "p");
        assert_eq!(invalid, 0, "{account}");
        valid
    };
    // The management account has the records of the signing keys too.
    let [digests, backfill, logs] = valid(account(), "us-east-1");
    assert!((digests, backfill) == (4, 0) && logs >= 1, "{logs}");
    assert_eq!(valid(one, "us-east-1"), [4, 0, 1]);
    assert_eq!(valid(two, "us-east-1"), [3, 0, 2]);
    assert_eq!(valid(two, "eu-west-1"), [3, 0, 1]);
}
