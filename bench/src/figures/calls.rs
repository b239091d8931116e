//! Signed single calls of 64 clients, each durable before its answer: reads that are recorded, uploads of one
//! record, and writes that change the control plane.

use std::{
    cell::Cell,
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Setting,
    drive::{Calls, drive},
};
use crate::{
    client::{Access, Ask, Connection},
    error::{BenchError, check},
    events::Events,
    fsck,
    history::{self, Found},
    load::Admitted,
    outcome::{Outcome, Target, Unit},
    process::ACCOUNT,
    real_events::Spread,
    usage::Stretch,
};

/// The design's target, and how many clients it is for.
const CALLS_PER_SECOND: f64 = 3_000.0;
const CLIENTS: usize = 64;
/// How long each kind of call is made, in seconds.
const STRETCH: f64 = 10.0;
/// History must show the last call's record within so long.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let events: Arc<dyn Events> = setting.real_events(Spread::One("us-east-1"), 0x3003)?;
    let server = setting.launcher.start(&setting.folder, &[])?;
    let access = server.access();
    let length = setting.stretch(STRETCH);
    let mut outcome = Outcome::default();
    outcome.work.push(format!(
        "{CLIENTS} clients with a connection each, one call after the other, {length:?} a kind"
    ));
    let target = Target::AtLeast(CALLS_PER_SECOND);

    let stretch = Stretch::begin(server.pid())?;
    let reads = identity_calls(&access, length).await?;
    outcome.notes.push(format!("GetCallerIdentity: {}; {}", reads.latencies.line(), stretch.end()?.line()));
    outcome.aims(
        "sts:GetCallerIdentity, 64 clients, each recorded durably",
        reads.rate(),
        Unit::CallsPerSecond,
        target,
    );

    let stretch = Stretch::begin(server.pid())?;
    let uploads = single_uploads(&access, &events, length).await?;
    outcome.notes.push(format!("PutEvents: {}; {}", uploads.latencies.line(), stretch.end()?.line()));
    outcome.aims(
        "PutEvents of one record, 64 clients, each durable",
        uploads.rate(),
        Unit::CallsPerSecond,
        target,
    );

    make_users(&access).await?;
    let stretch = Stretch::begin(server.pid())?;
    let writes = tag_calls(&access, length).await?;
    outcome.notes.push(format!("TagUser: {}; {}", writes.latencies.line(), stretch.end()?.line()));
    outcome.tells(
        "iam:TagUser, 64 clients, each change and its record durable (writes of the control plane go one by one)",
        writes.rate(),
        Unit::CallsPerSecond,
    );

    let mut connection = access.connect().await?;
    let sent = uploads.latencies.count() as u64;
    history::caught_up(&mut connection, &*events, sent, 64).await?;
    outcome.checks.push(recorded(&mut connection, &*events, "GetCallerIdentity", &reads).await?);
    outcome.checks.push(recorded(&mut connection, &*events, "TagUser", &writes).await?);
    outcome.checks.push(uploaded(&mut connection, &*events, sent).await?);
    server.stop()?;
    outcome.checks.push(fsck::clean(&setting.launcher, &setting.folder)?);
    Ok(outcome)
}

async fn identity_calls(access: &Access, length: Duration) -> Result<Calls, BenchError> {
    let expected = format!("<Arn>arn:aws:iam::{ACCOUNT}:root</Arn>");
    drive(access, CLIENTS, length, async |connection, _, _| {
        let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
        let answer = connection.ask(Ask::query("sts", form)).await?;
        let text = String::from_utf8_lossy(&answer.body);
        check(text.contains(&expected), || format!("GetCallerIdentity answered {text}"))?;
        Ok(answer.request_id().map(str::to_owned))
    })
    .await
}

async fn single_uploads(
    access: &Access,
    events: &Arc<dyn Events>,
    length: Duration,
) -> Result<Calls, BenchError> {
    let next = Rc::new(Cell::new(0));
    drive(access, CLIENTS, length, async |connection, _, _| {
        let number = next.replace(next.get() + 1);
        let admitted: Admitted = connection.json(Ask::events(events.record(number).into())).await?;
        check(admitted.accepted == 1, || format!("event {} was not accepted", events.id(number)))?;
        Ok(None)
    })
    .await
}

async fn make_users(access: &Access) -> Result<(), BenchError> {
    let mut connection = access.connect().await?;
    for client in 0..CLIENTS {
        let form = format!("Action=CreateUser&Version=2010-05-08&UserName=bench-{client}");
        connection.ask(Ask::query("iam", form)).await?;
    }
    Ok(())
}

/// Each client tags a user of its own; at the end the user has the last tag.
async fn tag_calls(access: &Access, length: Duration) -> Result<Calls, BenchError> {
    let last: Vec<Cell<u64>> = vec![Cell::new(0); CLIENTS];
    let calls = drive(access, CLIENTS, length, async |connection, client, nth| {
        let form = format!(
            "Action=TagUser&Version=2010-05-08&UserName=bench-{client}&Tags.member.1.Key=nth&Tags.member.1.Value={nth}"
        );
        let answer = connection.ask(Ask::query("iam", form)).await?;
        last[client].set(nth);
        Ok(answer.request_id().map(str::to_owned))
    })
    .await?;
    let mut connection = access.connect().await?;
    for (client, nth) in last.iter().enumerate() {
        let form = format!("Action=ListUserTags&Version=2010-05-08&UserName=bench-{client}");
        let answer = connection.ask(Ask::query("iam", form)).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        check(text.contains(&format!("<Value>{}</Value>", nth.get())), || {
            format!("the last tag of bench-{client}, {}, is not there: {text}", nth.get())
        })?;
    }
    Ok(calls)
}

/// Every answered call has exactly one record in history.
async fn recorded(
    connection: &mut Connection,
    events: &dyn Events,
    name: &str,
    calls: &Calls,
) -> Result<String, BenchError> {
    let request = |found: &Found| {
        // Some of the uploaded records are of calls of this name too.
        if events.number(&found.event_id).is_some() {
            return None;
        }
        let record: Value = serde_json::from_str(&found.cloud_trail_event).ok()?;
        record["requestID"].as_str().map(str::to_owned)
    };
    let answered: HashSet<&str> = calls.requests.iter().map(String::as_str).collect();
    check(answered.len() == calls.latencies.count(), || {
        format!("answers of {name} have no request ids of their own")
    })?;
    let began = Instant::now();
    let found = loop {
        let attributes = json!([{"Key": "EventName", "Value": name}]);
        let found = history::all_of(connection, attributes, request).await?;
        if found.len() >= answered.len() || began.elapsed() > SHOWN_WITHIN {
            break found;
        }
    };
    let missing = answered.iter().find(|id| !found.contains(**id));
    check(missing.is_none(), || format!("{name} {missing:?} was answered and is not in history"))?;
    check(found.len() == answered.len(), || {
        format!("{name}: {} answers and {} records in history", answered.len(), found.len())
    })?;
    Ok(format!("each of the {} calls of {name} has exactly one record in history", answered.len()))
}

/// Every uploaded event is in history exactly once.
async fn uploaded(connection: &mut Connection, events: &dyn Events, sent: u64) -> Result<String, BenchError> {
    let number = |found: &Found| events.number(&found.event_id).map(|number| number.to_string());
    let found = history::all_of(connection, json!([]), number).await?;
    check(found.len() as u64 == sent, || {
        format!("{sent} events were accepted, {} are in history", found.len())
    })?;
    Ok(format!("each of the {sent} single events is in history exactly once"))
}
