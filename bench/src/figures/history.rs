//! `LookupEvents` by each attribute over many events; and a start with them.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Setting, megabytes};
use crate::{
    client::{Access, Connection},
    error::BenchError,
    events::{BATCH, Events},
    fsck, history,
    history_events::{Attribute, HistoryEvents, RARE, RARE_EVENTS},
    ids::mix,
    latency::Latencies,
    load::{self, Until},
    outcome::{Outcome, Target, Unit},
    process::Server,
    usage::{self, Stretch},
};

/// The design's targets.
const LOOKUP_MS: f64 = 20.0;
const START_SECONDS: f64 = 1.0;
/// Questions by each attribute and client.
const QUESTIONS: u64 = 300;
/// Clients that ask at once in the second round.
const CLIENTS: usize = 4;
/// Events of an answer: AWS's most.
const PAGE: usize = 50;
/// The server has settled when it uses less than this part of a core.
const QUIET_CORES: f64 = 0.05;
/// Longest wait for it to settle.
const SETTLE_SECONDS: u32 = 600;

/// A question, and what must be found.
struct Question {
    attribute: Attribute,
    /// An event that has the value; none: nobody has it.
    like: Option<u64>,
    window: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// An answer, for the check after the measurement.
struct Told {
    question: Question,
    ids: Vec<String>,
    more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    event_id: String,
}

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let history = HistoryEvents::new(setting.amount(setting.history_events) / BATCH * BATCH, 0x4004);
    let batches = history.total().div_ceil(BATCH);
    let history = HistoryEvents::new(batches * BATCH, 0x4004);
    let mean = (0..1000).map(|n| history.record(mix(n) % history.total()).len()).sum::<usize>() / 1000;
    let events: Arc<dyn Events> = Arc::new(history);
    let mut outcome = Outcome::default();

    let server = setting.launcher.start(&setting.folder, &[])?;
    let access = server.access();
    let stretch = Stretch::begin(server.pid())?;
    let load = load::run(&access, &events, setting.connections, Until::Batches(batches)).await?;
    let used = stretch.end()?;
    let mut connection = access.connect().await?;
    let behind = history::caught_up(&mut connection, &*events, load.events(), 20_000).await?;
    let settled = settle(&server).await?;
    outcome.work.push(format!(
        "{} slim management events of {mean} bytes on average over 80 days, 4 regions, 5,000 users, 200,000 resources",
        history.total()
    ));
    outcome.work.push(format!(
        "{QUESTIONS} questions by each attribute: drawn existing values, drawn values in a window of a week, values that \
         {RARE_EVENTS} events have, absent values; once by one client, once by {CLIENTS} at the same time"
    ));
    outcome.notes.push(format!(
        "load: {:.0} events/s, {}; history caught up after {:.1} s and was quiet after {settled:.0} s more",
        load.rate(),
        used.line(),
        behind.as_secs_f64()
    ));

    let mut checked = 0;
    for clients in [1, CLIENTS] {
        let stretch = Stretch::begin(server.pid())?;
        checked += lookups(&access, history, clients, setting, &mut outcome).await?;
        outcome.notes.push(format!("{clients} client(s), checks included: {}", stretch.end()?.line()));
    }
    outcome.checks.push(format!(
        "{checked} answers compared with what the generator knows: every event of the page has the value, is in the \
         region and the window, none twice, newest first, none left out"
    ));
    outcome.checks.push(history::sample(&mut connection, &*events, history.total(), 100).await?);
    let memory = usage::memory(server.pid())?;
    outcome.notes.push(format!("peak of resident memory {:.0} MB", megabytes(memory.peak)));
    restarts(setting, server, &events, &mut outcome).await?;
    outcome.checks.push(fsck::clean(&setting.launcher, &setting.folder)?);
    Ok(outcome)
}

/// Waits until the server does nothing any more; answers how many seconds that took.
async fn settle(server: &Server) -> Result<u32, BenchError> {
    let mut quiet = 0;
    for second in 0..SETTLE_SECONDS {
        let stretch = Stretch::begin(server.pid())?;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        quiet = if stretch.end()?.server_cores < QUIET_CORES { quiet + 1 } else { 0 };
        if quiet == 5 {
            return Ok(second);
        }
    }
    Ok(SETTLE_SECONDS)
}

/// Asks by every attribute; answers how many answers were found right.
async fn lookups(
    access: &Access,
    history: HistoryEvents,
    clients: usize,
    setting: &Setting,
    outcome: &mut Outcome,
) -> Result<u64, BenchError> {
    let (mut all, mut worst) = (Latencies::default(), None);
    let mut checked = 0;
    for attribute in Attribute::ALL {
        let count = setting.amount(QUESTIONS).clamp(40, QUESTIONS);
        let mut asking = Vec::new();
        for client in 0..clients as u64 {
            let connection = access.connect().await?;
            asking.push(ask_all(connection, history, attribute, client * 1_000_003, count));
        }
        let mut latencies = Latencies::default();
        for (times, told) in futures::future::try_join_all(asking).await? {
            latencies.join(times);
            for told in told {
                told.check(&history)?;
                checked += 1;
            }
        }
        let p99 = latencies.quantile(0.99);
        outcome.notes.push(format!("{clients} client(s), {}: {}", attribute.name(), latencies.line()));
        if worst.is_none_or(|(_, longest)| p99 > longest) {
            worst = Some((attribute, p99));
        }
        all.join(latencies);
    }
    if let Some((attribute, p99)) = worst {
        let what = format!(
            "LookupEvents, {} M events, {clients} client{}: p99 of the slowest attribute ({})",
            (history.total() as f64 / 1e5).round() / 10.0,
            if clients == 1 { "" } else { "s" },
            attribute.name()
        );
        outcome.aims(what, p99.as_secs_f64() * 1e3, Unit::Milliseconds, Target::Below(LOOKUP_MS));
        outcome.tells("… p50 of all", all.quantile(0.5).as_secs_f64() * 1e3, Unit::Milliseconds);
    }
    Ok(checked)
}

async fn ask_all(
    mut connection: Connection,
    history: HistoryEvents,
    attribute: Attribute,
    seed: u64,
    count: u64,
) -> Result<(Latencies, Vec<Told>), BenchError> {
    let mut latencies = Latencies::default();
    let mut told = Vec::new();
    for nth in 0..count {
        let question = Question::draw(&history, attribute, seed + nth);
        let input = question.input(&history);
        let region = question.like.map_or("us-east-1", |like| history.region(like));
        let sent = Instant::now();
        let answered: Answered =
            connection.cloudtrail(region, "CloudTrail_20131101.LookupEvents", &input).await?;
        latencies.add(sent.elapsed());
        let ids = answered.events.into_iter().map(|event| event.event_id).collect();
        told.push(Told { question, ids, more: answered.next_token.is_some() });
    }
    Ok((latencies, told))
}

impl Question {
    fn draw(history: &HistoryEvents, attribute: Attribute, seed: u64) -> Self {
        let drawn = mix(seed ^ (attribute as u64) << 56);
        let like = Some(drawn % history.total());
        let rare = history.rare_numbers(drawn % RARE).next();
        match seed % 4 {
            0 => Self { attribute, like, window: None },
            1 => {
                let from = history.time(mix(drawn) % history.total());
                Self { attribute, like, window: Some((from, from + chrono::TimeDelta::days(7))) }
            }
            2 => Self { attribute, like: rare, window: None },
            _ => Self { attribute, like: None, window: None },
        }
    }

    fn input(&self, history: &HistoryEvents) -> Value {
        let value = match self.like {
            Some(like) => history.value(like, self.attribute),
            None => "nobody-has-this".to_owned(),
        };
        let mut input = json!({
            "LookupAttributes": [{"AttributeKey": self.attribute.name(), "AttributeValue": value}],
        });
        if let Some((from, to)) = self.window {
            input["StartTime"] = from.timestamp().into();
            input["EndTime"] = to.timestamp().into();
        }
        input
    }
}

impl Told {
    /// Compares the answer with the generator's knowledge. The calls of the measurement themselves are in history
    /// too; whichever of them match take places of the page, and come first.
    fn check(&self, history: &HistoryEvents) -> Result<(), BenchError> {
        let wrong = |complaint: &str| {
            let asked = self.question.input(history);
            BenchError::Wrong(format!("{complaint}: {asked} was answered with {:?}", self.ids))
        };
        let known: Vec<u64> = self.ids.iter().filter_map(|id| history.number(id)).collect();
        let others = self.ids.len() - known.len();
        let range = match self.question.window {
            Some((from, to)) => {
                (history.first_at(from), history.first_at(to + chrono::TimeDelta::seconds(1)))
            }
            None => (0, history.total()),
        };
        let Some(like) = self.question.like else {
            return if self.ids.is_empty() { Ok(()) } else { Err(wrong("an absent value was found")) };
        };
        let attribute = self.question.attribute;
        if others > 0 && attribute != Attribute::ReadOnly {
            return Err(wrong("events that nobody sent were found"));
        }
        let expected = history.newest(like, attribute, range, PAGE - others);
        // Events of the same second have no order among them, and the page may end within a second.
        let times = |numbers: &[u64]| numbers.iter().map(|number| history.time(*number)).collect::<Vec<_>>();
        if times(&known) != times(&expected) {
            return Err(wrong(&format!("{} events were expected, of other times", expected.len())));
        }
        let value = history.value(like, attribute);
        let fits = |number: &u64| {
            history.value(*number, attribute) == value
                && history.region(*number) == history.region(like)
                && (range.0..range.1).contains(number)
        };
        let mut distinct = known.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != known.len() || !known.iter().all(fits) {
            return Err(wrong("an event is there twice, or does not match"));
        }
        if self.ids.len() == PAGE
            && !self.more
            && history.newest(like, attribute, range, PAGE + 1).len() > PAGE
        {
            return Err(wrong("there is no token for the rest"));
        }
        Ok(())
    }
}

/// Starts again over the same data: after a graceful end, and after `kill -9`.
async fn restarts(
    setting: &Setting,
    server: Server,
    events: &Arc<dyn Events>,
    outcome: &mut Outcome,
) -> Result<(), BenchError> {
    server.stop()?;
    let server = setting.launcher.start(&setting.folder, &[])?;
    let graceful = server.started_in;
    let mut connection = server.access().connect().await?;
    history::sample(&mut connection, &**events, 1_000, 20).await?;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let memory = usage::memory(server.pid())?;
    server.kill()?;
    let server = setting.launcher.start(&setting.folder, &[])?;
    let killed = server.started_in;
    let mut connection = server.access().connect().await?;
    let found = history::sample(&mut connection, &**events, 1_000, 20).await?;
    server.stop()?;
    let target = Target::Below(START_SECONDS);
    outcome.aims("start with these events", graceful.as_secs_f64(), Unit::Seconds, target);
    outcome.aims("start with these events after kill -9", killed.as_secs_f64(), Unit::Seconds, target);
    outcome.checks.push(format!("after both starts {found}"));
    outcome.notes.push(format!("{:.0} MB resident after the restart", megabytes(memory.resident)));
    Ok(())
}
