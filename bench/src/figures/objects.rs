//! Objects of 1 KB and 8 MB: put and get, as opentrail encrypts them anyway (SSE-S3) and with SSE-KMS, and the
//! same beside another S3 server.

use std::{cell::RefCell, time::Duration};

use bytes::Bytes;
use http::Method;

use super::{
    Setting,
    drive::{Calls, drive},
    megabytes,
};
use crate::{
    client::{Access, Ask, Connection},
    error::{BenchError, check},
    fsck,
    outcome::{Outcome, Unit},
    peer::Peer,
    usage::Stretch,
};

const BUCKET: &str = "bench-objects";
/// How long each kind of call is made, in seconds.
const STRETCH: f64 = 6.0;
/// What a caller says so that an object is encrypted with a key of KMS.
const SSE_KMS: &[(&str, &str)] = &[
    ("x-amz-server-side-encryption", "aws:kms"),
    ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
];

/// Objects of one size.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    bytes: usize,
    clients: usize,
    /// Keys that each client writes in turn.
    keys: u64,
}

const SIZES: [Size; 2] = [
    Size { name: "1 KB", bytes: 1000, clients: 16, keys: 1000 },
    Size { name: "8 MB", bytes: 8_000_000, clients: 4, keys: 8 },
];

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let length = setting.stretch(STRETCH);
    let mut outcome = Outcome::default();
    outcome
        .work
        .push(format!("{length:?} of puts, then of gets, each kind; 16 clients for 1 KB, 4 for 8 MB"));
    let server = setting.launcher.start(&setting.folder, &[])?;
    let access = server.access();
    access.connect().await?.ask(Ask::s3(Method::PUT, &format!("/{BUCKET}"), "")).await?;
    for (kind, headers) in [("SSE-S3", &[][..]), ("SSE-KMS", SSE_KMS)] {
        for size in SIZES {
            let stretch = Stretch::begin(server.pid())?;
            let name = format!("opentrail, {kind}, {}", size.name);
            one_kind(&access, &name, size, headers, length, &mut outcome).await?;
            outcome.notes.push(format!("{name}: {}", stretch.end()?.line()));
        }
    }
    server.stop()?;
    outcome.checks.push(fsck::clean(&setting.launcher, &setting.folder)?);
    let Some(binary) = &setting.s3s_fs else {
        outcome.notes.push("no peer: --s3s-fs was not given".to_owned());
        return Ok(outcome);
    };
    let folder = setting.folder.join("peer");
    std::fs::create_dir_all(folder.join(BUCKET)).map_err(BenchError::file(&folder))?;
    let peer = Peer::start(binary, &setting.folder)?;
    for size in SIZES {
        let name = format!("s3s-fs, {}", size.name);
        one_kind(&peer.access(), &name, size, &[], length, &mut outcome).await?;
    }
    outcome.notes.push(
        "s3s-fs neither syncs nor encrypts nor records; opentrail answers a put when it is synced, encrypted and \
         recorded"
            .to_owned(),
    );
    Ok(outcome)
}

async fn one_kind(
    access: &Access,
    name: &str,
    size: Size,
    headers: &'static [(&'static str, &'static str)],
    length: Duration,
    outcome: &mut Outcome,
) -> Result<(), BenchError> {
    // What each client has written last under each of its keys.
    let written: Vec<RefCell<Vec<u64>>> = (0..size.clients).map(|_| RefCell::default()).collect();
    let path = |client: usize, slot: u64| format!("/{BUCKET}/{}/{client}/{slot}", size.bytes);
    let puts = drive(access, size.clients, length, async |connection, client, nth| {
        let slot = nth % size.keys;
        let (path, body) = (path(client, slot), content(size.bytes, client, nth));
        let ask = Ask { headers, ..Ask::s3(Method::PUT, &path, body) };
        connection.ask(ask).await?;
        let mut written = written[client].borrow_mut();
        match written.get_mut(slot as usize) {
            Some(last) => *last = nth,
            None => written.push(nth),
        }
        Ok(None)
    })
    .await?;
    let get = async |connection: &mut Connection, client: usize, slot: u64| {
        let path = path(client, slot);
        let answer = connection.ask(Ask::s3(Method::GET, &path, "")).await?;
        let expected = content(size.bytes, client, written[client].borrow()[slot as usize]);
        check(answer.body == expected, || format!("{name}: {path} is not what was written last"))?;
        Ok(None)
    };
    let gets = drive(access, size.clients, length, async |connection, client, nth| {
        let count = written[client].borrow().len() as u64;
        get(connection, client, nth % count).await
    })
    .await?;
    outcome
        .checks
        .push(format!("{name}: each of {} objects read was what was written last", gets.latencies.count()));
    for (what, calls) in [("put", &puts), ("get", &gets)] {
        tell(outcome, &format!("{name}: {what}"), size, calls);
    }
    Ok(())
}

fn tell(outcome: &mut Outcome, what: &str, size: Size, calls: &Calls) {
    if size.bytes < 1_000_000 {
        outcome.tells(what, calls.rate(), Unit::CallsPerSecond);
    } else {
        outcome.tells(what, calls.rate() * megabytes(size.bytes as u64), Unit::MegabytesPerSecond);
    }
    outcome.notes.push(format!("{what}: {}", calls.latencies.line()));
}

/// Bytes that no compressor makes smaller and that tell who wrote them.
fn content(length: usize, client: usize, nth: u64) -> Bytes {
    let mut state = (nth << 8 | client as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}
