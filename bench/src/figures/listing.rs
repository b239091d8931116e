//! Pages of a bucket with a million keys, beside another S3 server.

use std::{
    fs::{File, create_dir_all},
    time::Instant,
};

use http::Method;

use super::Setting;
use crate::{
    client::{Access, Ask, Connection},
    error::{BenchError, check},
    latency::Latencies,
    outcome::{Outcome, Target, Unit},
    peer::Peer,
};

const BUCKET: &str = "bench-listing";
/// Keys in the bucket.
const KEYS: u64 = 1_000_000;
/// The design's target for the first page.
const FIRST_PAGE_MS: f64 = 10.0;
/// Clients that fill the bucket.
const WRITERS: usize = 64;
/// Keys in a folder, and on a page.
const FOLDER: u64 = 1000;
/// Pages that are asked for of each kind.
const PAGES: u64 = 300;
/// The same of the peer, which walks its whole folder for one: some 16 s with a million files.
const PEER_PAGES: u64 = 2;

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let keys = setting.amount(KEYS).max(10 * FOLDER) / FOLDER * FOLDER;
    let mut outcome = Outcome::default();
    outcome.work.push(format!("{keys} keys of one byte in folders of {FOLDER}; pages of {FOLDER} keys"));
    let server = setting.launcher.start(&setting.folder, &[])?;
    let access = server.access();
    access.connect().await?.ask(Ask::s3(Method::PUT, &format!("/{BUCKET}"), "")).await?;
    let began = Instant::now();
    fill(&access, keys).await?;
    let rate = keys as f64 / began.elapsed().as_secs_f64();
    outcome.tells(
        format!("put of {keys} objects, {WRITERS} clients, each durable"),
        rate,
        Unit::CallsPerSecond,
    );
    let mut connection = access.connect().await?;
    let first = pages(&mut connection, keys, PAGES, |_| 0).await?;
    let target = Target::Below(FIRST_PAGE_MS);
    outcome.aims("opentrail: first page, p99", ms(&first, 0.99), Unit::Milliseconds, target);
    let any = pages(&mut connection, keys, PAGES, |nth| nth.wrapping_mul(0x9e37_79b9) % keys).await?;
    outcome.aims("opentrail: a page anywhere, p99", ms(&any, 0.99), Unit::Milliseconds, target);
    outcome.notes.push(format!("opentrail: first page {}; anywhere {}", first.line(), any.line()));
    outcome.checks.push(whole(&mut connection, keys).await?);
    server.stop()?;
    let Some(binary) = &setting.s3s_fs else {
        outcome.notes.push("no peer: --s3s-fs was not given".to_owned());
        return Ok(outcome);
    };
    let folder = setting.folder.join("peer").join(BUCKET);
    for number in 0..keys {
        let path = folder.join(key(number));
        if number % FOLDER == 0 {
            let parent = path.parent().unwrap_or(&folder);
            create_dir_all(parent).map_err(BenchError::file(parent))?;
        }
        File::create(&path).map_err(BenchError::file(&path))?;
    }
    let peer = Peer::start(binary, &setting.folder)?;
    let mut connection = peer.access().connect().await?;
    let first = pages(&mut connection, keys, PEER_PAGES, |_| 0).await?;
    let slowest = |kind: &str| format!("s3s-fs: {kind}, slower of {PEER_PAGES}");
    outcome.tells(slowest("first page"), ms(&first, 1.0), Unit::Milliseconds);
    let any = pages(&mut connection, keys, PEER_PAGES, |nth| nth.wrapping_mul(0x9e37_79b9) % keys).await?;
    outcome.tells(slowest("a page anywhere"), ms(&any, 1.0), Unit::Milliseconds);
    outcome.notes.push(format!(
        "s3s-fs: {PEER_PAGES} pages of each kind over files that were put into its folder; it walks the folder"
    ));
    Ok(outcome)
}

fn ms(latencies: &Latencies, fraction: f64) -> f64 {
    latencies.quantile(fraction).as_secs_f64() * 1e3
}

fn key(number: u64) -> String {
    format!("logs/{:05}/{:08}.json.gz", number / FOLDER, number)
}

async fn fill(access: &Access, keys: u64) -> Result<(), BenchError> {
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let mut connection = access.connect().await?;
        writers.push(async move {
            for number in (writer as u64..keys).step_by(WRITERS) {
                connection.ask(Ask::s3(Method::PUT, &format!("/{BUCKET}/{}", key(number)), "x")).await?;
            }
            Ok::<_, BenchError>(())
        });
    }
    futures::future::try_join_all(writers).await.map(drop)
}

/// Asks for pages that begin at the key of the number that `start` gives, and checks each.
async fn pages(
    connection: &mut Connection,
    keys: u64,
    count: u64,
    start: impl Fn(u64) -> u64,
) -> Result<Latencies, BenchError> {
    let mut latencies = Latencies::default();
    for nth in 0..count {
        let from = start(nth + 1);
        let asked = Instant::now();
        let found = page(connection, from).await?;
        latencies.add(asked.elapsed());
        let expected: Vec<String> = (from..keys.min(from + FOLDER)).map(key).collect();
        check(found == expected, || format!("the page from key {from} has {} wrong keys", found.len()))?;
    }
    Ok(latencies)
}

/// The page whose first key is that of the number.
async fn page(connection: &mut Connection, from: u64) -> Result<Vec<String>, BenchError> {
    let mut path = format!("/{BUCKET}?list-type=2&max-keys={FOLDER}");
    if let Some(before) = from.checked_sub(1) {
        path.push_str(&format!("&start-after={}", key(before).replace('/', "%2F")));
    }
    let answer = connection.ask(Ask::s3(Method::GET, &path, "")).await?;
    let text = String::from_utf8_lossy(&answer.body);
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    Ok(keys.map(|(key, _)| key.to_owned()).collect())
}

/// Goes through the whole bucket page by page.
async fn whole(connection: &mut Connection, keys: u64) -> Result<String, BenchError> {
    for from in (0..keys).step_by(FOLDER as usize) {
        let found = page(connection, from).await?;
        check(found == (from..from + FOLDER).map(key).collect::<Vec<_>>(), || {
            format!("the page from key {from} is wrong")
        })?;
    }
    Ok(format!("each of the {keys} keys is listed exactly once, in order"))
}
