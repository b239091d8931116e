//! Many events: how fast they are taken in and found. Run it by hand:
//! `cargo test -p opentrail-archive --test volume -- --ignored --nocapture`, with `EVENTS=1000000`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opentrail_archive::{Archive, ArchiveOptions, Attribute, Filter, LookupQuery};
use opentrail_event::Event;
use opentrail_journal::{Journal, JournalOptions, Seq, disk::RealDisk};
use opentrail_state::{OwnedEvent, State, StateOptions};
use scene::{now, owner};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const ENTRY: u64 = 500;

/// An archive on the real disk: the one for tests keeps all files in memory, too.
struct Real {
    _dir: TempDir,
    state: State,
    archive: Archive,
}

impl Real {
    async fn open() -> Self {
        let dir = TempDir::new().unwrap();
        let disk = Arc::new(RealDisk);
        let journal = dir.path().join("journal");
        let (journal, _) = Journal::open(&journal, JournalOptions::default(), disk.clone()).unwrap();
        let folder = dir.path().join("state");
        let state = State::open(journal, &folder, disk.clone(), StateOptions::default()).await.unwrap();
        let options = ArchiveOptions { retention: None, ..ArchiveOptions::default() };
        let archive = Archive::open(&dir.path().join("archive"), &state, disk, options).await.unwrap();
        Self { _dir: dir, state, archive }
    }

    async fn append(&self, events: Vec<Event>) -> Seq {
        let events = events.into_iter().map(|event| OwnedEvent { owner: owner(1), event }).collect();
        self.state.append(Vec::new(), events).await.unwrap()
    }
}

/// A record of about 1.3 KB.
fn event(number: u64) -> Event {
    let time = scene::at(1_690_000_000 + (number / 3) as i64).format("%Y-%m-%dT%H:%M:%SZ");
    let scramble = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let raw = format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{role}:session-{user}","arn":"arn:aws:sts::123456789012:assumed-role/role-{role}/session-{user}","accountId":"123456789012","accessKeyId":"ASIA{key:016X}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{role}","arn":"arn:aws:iam::123456789012:role/role-{role}","accountId":"123456789012","userName":"role-{role}"}},"attributes":{{"creationDate":"2023-07-29T12:54:17Z","mfaAuthenticated":"false"}}}}}},"eventTime":"{time}","eventSource":"service{source}.amazonaws.com","eventName":"Operation{name}","awsRegion":"us-east-1","sourceIPAddress":"10.{a}.{b}.{c}","userAgent":"aws-cli/2.13.5 Python/3.11.4 Linux/5.15 exe/x86_64 prompt/off command/x.y","requestParameters":{{"bucketName":"bucket-{bucket}","Host":"bucket-{bucket}.s3.amazonaws.com","key":"{scramble:016x}/{number}"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{scramble:016x}{scramble:016x}","bytesTransferredOut":{number}}},"requestID":"{scramble:016X}","eventID":"{a:08x}-0000-4000-8000-{number:012x}","readOnly":{read},"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-{bucket}/{number}"}},{{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-{bucket}"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}}"#,
        role = scramble % 50,
        user = scramble % 5000,
        key = scramble % 20_000,
        source = scramble % 30,
        name = scramble % 300,
        a = scramble >> 8 & 255,
        b = scramble >> 16 & 255,
        c = scramble >> 24 & 255,
        bucket = scramble % 1000,
        read = scramble.is_multiple_of(3),
    );
    Event::parse(raw.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; for measuring"]
async fn lookups_in_many_events_are_quick() {
    let count: u64 = std::env::var("EVENTS").map_or(200_000, |count| count.parse().unwrap());
    let scene = Real::open().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(scene.archive.clone().run(stop.clone()));
    let began = Instant::now();
    let mut last = scene.state.journal().durable();
    for first in (0..count).step_by(ENTRY as usize) {
        last = scene.append((first..first + ENTRY).map(event).collect()).await;
    }
    println!("{count} events, {} bytes each, appended in {:?}", event(count).raw().len(), began.elapsed());
    scene.archive.caught_up(last).await;
    scene.archive.flush().await.unwrap();
    println!("in tables after {:?}: {:?}", began.elapsed(), scene.archive.status());
    scene.archive.compact().await.unwrap();
    assert_eq!(scene.archive.status().rows, count);
    println!("stored and merged after {:?}: {:?}", began.elapsed(), scene.archive.status());
    let middle = event(count / 2);
    let values = [
        (Attribute::EventId, middle.id().to_owned()),
        (Attribute::EventName, middle.name().to_owned()),
        (Attribute::ReadOnly, "true".to_owned()),
        (Attribute::Username, middle.user_name().unwrap().into_owned()),
        (Attribute::ResourceType, "AWS::S3::Bucket".to_owned()),
        (Attribute::ResourceName, middle.resources()[0].name.clone()),
        (Attribute::EventSource, middle.source().to_owned()),
        (Attribute::AccessKeyId, middle.access_key_id().unwrap().to_owned()),
    ];
    for (attribute, value) in values {
        let query = LookupQuery {
            region: Some("us-east-1".parse().unwrap()),
            attributes: vec![Filter::exact(attribute, &value)],
            ..LookupQuery::new(owner(1), now())
        };
        let mut took: Vec<Duration> = Vec::new();
        let mut found = 0;
        for _ in 0..100 {
            let began = Instant::now();
            found = scene.archive.lookup(query.clone()).await.unwrap().events.len();
            took.push(began.elapsed());
        }
        took.sort_unstable();
        println!("{attribute:12} {value:60} {found:3} events: p50 {:?}, p99 {:?}", took[50], took[98]);
        assert!(found > 0);
    }
    stop.cancel();
    running.await.unwrap();
}
