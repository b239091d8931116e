//! How many objects a second 64 clients store, each durable, and how fast pages of a large bucket are listed.
//!
//! `cargo run -p opentrail-vault --example put_rate -- [OBJECTS] [BYTES]`

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use chrono::Utc;
use opentrail_event::{AccountId, Region};
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{Disk, RealDisk},
};
use opentrail_state::{State, StateOptions};
use opentrail_vault::{
    Expected, ListQuery, NewBucket, NewObject, Ownership, PutOptions, Tags, Vault, VaultError, VaultOptions,
    WriteConditions,
};

const CLIENTS: u64 = 64;

async fn put(vault: &Vault, owner: AccountId, number: u64, bytes: &Bytes) -> Result<(), VaultError> {
    let key = format!("AWSLogs/{:02}/{number:09}", number % 100);
    let mut upload = vault.begin_put("rate", &key, PutOptions::new(NewObject::of(owner)))?;
    upload.write(bytes.clone()).await?;
    let staged = upload.finish(&Expected::default()).await?;
    vault.commit_put(staged, &WriteConditions::default(), Utc::now(), |_| Vec::new()).await.map(drop)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let objects: u64 = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let size: usize = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    let dir = tempfile::TempDir::new()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (journal, _) =
        Journal::open(&dir.path().join("journal"), JournalOptions::default(), Arc::clone(&disk))?;
    let state =
        State::open(journal, &dir.path().join("state"), Arc::clone(&disk), StateOptions::default()).await?;
    let vault = Vault::open(&dir.path().join("vault"), state.clone(), disk, VaultOptions::default()).await?;
    let owner: AccountId = "123456789012".parse()?;
    let mut tx = state.begin().await;
    let new = NewBucket {
        name: "rate".to_owned(),
        owner,
        region: Region::us_east_1(),
        ownership: Ownership::default(),
        tags: Tags::new(),
        object_lock: false,
    };
    vault.create_bucket(&mut tx, new, Utc::now())?;
    tx.commit(Vec::new()).await?;

    let (next, bytes) = (Arc::new(AtomicU64::new(0)), Bytes::from(vec![7; size]));
    let begin = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        let (vault, next, bytes) = (vault.clone(), Arc::clone(&next), bytes.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= objects {
                    return Ok::<_, VaultError>(());
                }
                put(&vault, owner, number, &bytes).await?;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    let took = begin.elapsed();
    println!("{objects} objects of {size} bytes: {:.0}/s", objects as f64 / took.as_secs_f64());

    let (mut query, mut listed, mut pages, mut slowest) = (ListQuery::default(), 0, 0, 0);
    let begin = Instant::now();
    loop {
        let of_page = Instant::now();
        let page = vault.list_objects("rate", &query)?;
        slowest = slowest.max(of_page.elapsed().as_micros());
        (listed, pages) = (listed + page.objects.len(), pages + 1);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    println!("{listed} keys on {pages} pages in {:?}, slowest {slowest} us", begin.elapsed());
    let begin = Instant::now();
    let query =
        ListQuery { prefix: "AWSLogs/".to_owned(), delimiter: Some("/".to_owned()), ..ListQuery::default() };
    let page = vault.list_objects("rate", &query)?;
    println!("{} common prefixes in {:?}", page.common_prefixes.len(), begin.elapsed());
    let begin = Instant::now();
    let report = vault.fsck().await?;
    println!("fsck of {} bytes: {} findings in {:?}", report.bytes, report.findings.len(), begin.elapsed());
    vault.close().await?;
    Ok(())
}
