//! ARCHITECTURE.md's table of crates, held against what cargo says.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Which crates a crate may use; ARCHITECTURE.md has the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("policy", &[]),
    ("wire", &[]),
    ("cipher", &[]),
    ("journal", &[]),
    ("state", &["event", "journal"]),
    ("keyring", &["event", "journal", "state"]),
    ("identity", &["event", "policy", "keyring", "state"]),
    ("vault", &["cipher", "event", "journal", "policy", "state"]),
    ("selector", &["event"]),
    ("trails", &["event", "journal", "keyring", "selector", "state"]),
    ("archive", &["event", "journal", "state"]),
    ("lake", &["cipher", "event", "journal", "selector", "state", "trails"]),
    ("memory", &[]),
    ("sql", &[]),
];

/// Crates of protocols and servers, which only the edge may use.
const EDGE_ONLY: &[&str] = &["axum", "hyper", "http", "s3s", "tower"];

#[test]
fn dependencies_point_the_way_the_picture_says() {
    let packages = packages();
    for (name, allowed) in MAY_USE {
        for used in &packages[&format!("opentrail-{name}")] {
            if let Some(ours) = used.strip_prefix("opentrail-") {
                assert!(allowed.contains(&ours), "{name} may not use {ours}: see ARCHITECTURE.md");
            }
        }
    }
}

#[test]
fn domain_crates_know_nothing_of_http() {
    let packages = packages();
    for (name, _) in MAY_USE.iter().filter(|(name, _)| *name != "wire") {
        for used in &packages[&format!("opentrail-{name}")] {
            assert!(
                !EDGE_ONLY.contains(&used.as_str()),
                "{name} may not use {used}: protocols stop at the edge"
            );
        }
    }
}

/// What each package of the workspace uses, tests aside.
fn packages() -> BTreeMap<String, Vec<String>> {
    let done = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metadata: Value = serde_json::from_slice(&done.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap().iter();
            let used = used
                .filter(|used| used["kind"].is_null())
                .map(|used| used["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), used.collect())
        })
        .collect()
}
