//! Events made of real ones: the records of `shared/data/trail` with ids, request ids, times and regions of
//! their own.
//!
//! They are laid out in uploads beforehand. A run only copies a layout and writes the members that differ from
//! event to event into it, so that the generator takes as little as possible of the processors that the server
//! needs.

use std::{
    collections::HashSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use serde_json::{Map, Value};

use crate::{
    error::BenchError,
    events::{BATCH, Events, event_time},
    ids::{Ids, hex_digits, mix},
};

/// The mean size of the records that are chosen, in bytes: the design's.
const MEAN_BYTES: usize = 1300;
/// Uploads that are laid out; the n-th is of layout n modulo this.
const LAYOUTS: u64 = 16;
/// Uploads whose events have the same second.
const UPLOADS_A_SECOND: u64 = 200;
/// The first event is so old: a run ends before its events' times would lie in the future.
const AGE: TimeDelta = TimeDelta::minutes(20);
/// Regions over which the events are spread; the real ones are nearly all of one region.
const REGIONS: [&str; 5] = ["us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1"];

/// How the name of a log file ends.
pub(crate) const LOG_FILE: &str = ".json.gz";

const ID_MARK: &str = "@event-id-of-the-record-36-characters";
const TIME_MARK: &str = "@event-time-20-chars";

/// An event of a layout: its bytes and where its own members are.
struct Template {
    from: usize,
    to: usize,
    id: usize,
    time: usize,
    request: Option<(usize, usize)>,
}

/// An upload without its own members.
struct Layout {
    bytes: Vec<u8>,
    templates: Vec<Template>,
}

/// Where the events' regions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Five regions, evenly.
    Regions,
    /// All in one.
    One(&'static str),
}

/// Events made of real ones.
pub(crate) struct RealEvents {
    layouts: Vec<Layout>,
    ids: Ids,
    first: DateTime<Utc>,
    pace: Pace,
}

/// How the events' times rise.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// As fast as a run sends them, about.
    Live,
    /// So many events evenly over a stretch of time.
    Over { span: TimeDelta, events: u64 },
}

impl RealEvents {
    /// Reads the real records below a folder and lays out uploads of them.
    pub(crate) fn load(folder: &Path, spread: Spread, seed: u64) -> Result<Self, BenchError> {
        let records = choose(read_all(folder)?);
        if records.is_empty() {
            return Err(BenchError::Missing(format!("there are no records below {}", folder.display())));
        }
        let mut next = records.iter().cycle().enumerate();
        let layouts = (0..LAYOUTS)
            .map(|_| Layout::of(next.by_ref().take(BATCH as usize), spread))
            .collect::<Result<_, _>>()?;
        Ok(Self { layouts, ids: Ids { seed }, first: Utc::now() - AGE, pace: Pace::Live })
    }

    /// The same events, but so many of them lie evenly in the time before now.
    pub(crate) fn over(mut self, span: TimeDelta, events: u64) -> Self {
        self.first = Utc::now() - AGE - span;
        self.pace = Pace::Over { span, events: events.max(1) };
        self
    }

    /// Mean size of an event in bytes.
    pub(crate) fn mean_bytes(&self) -> f64 {
        let templates = self.layouts.iter().flat_map(|layout| &layout.templates);
        templates.map(|template| (template.to - template.from) as f64).sum::<f64>() / (LAYOUTS * BATCH) as f64
    }

    fn layout(&self, batch: u64) -> &Layout {
        &self.layouts[(batch % LAYOUTS) as usize]
    }

    /// The time of event `number`, to the second.
    pub(crate) fn time(&self, number: u64) -> DateTime<Utc> {
        let seconds = match self.pace {
            Pace::Live => number / BATCH / UPLOADS_A_SECOND,
            Pace::Over { span, events } => number * span.num_seconds().unsigned_abs() / events,
        };
        self.first + TimeDelta::seconds(seconds as i64)
    }

    /// Writes the own members of event `number`, whose bytes begin at `base` of `out`.
    fn fill(&self, template: &Template, number: u64, time: &str, base: usize, out: &mut [u8]) {
        let at = |offset: usize| base + offset - template.from;
        self.ids.write(number, &mut out[at(template.id)..][..36]);
        out[at(template.time)..][..20].copy_from_slice(time.as_bytes());
        match template.request {
            Some((from, 36)) => Ids { seed: !self.ids.seed }.write(number, &mut out[at(from)..][..36]),
            Some((from, length)) => hex_digits(mix(number ^ self.ids.seed), &mut out[at(from)..][..length]),
            None => {}
        }
    }
}

impl Events for RealEvents {
    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let batch = number / BATCH;
        let layout = self.layout(batch);
        let template = &layout.templates[(number % BATCH) as usize];
        let base = out.len();
        out.extend_from_slice(&layout.bytes[template.from..template.to]);
        self.fill(template, number, &event_time(self.time(number)), base, out);
    }

    fn upload(&self, batch: u64, out: &mut Vec<u8>) {
        let layout = self.layout(batch);
        out.clear();
        out.extend_from_slice(&layout.bytes);
        let mut last = (self.time(batch * BATCH), event_time(self.time(batch * BATCH)));
        for (number, template) in (batch * BATCH..).zip(&layout.templates) {
            let time = self.time(number);
            if time != last.0 {
                last = (time, event_time(time));
            }
            self.fill(template, number, &last.1, template.from, out);
        }
    }

    fn id(&self, number: u64) -> String {
        self.ids.text(number)
    }

    fn number(&self, id: &str) -> Option<u64> {
        self.ids.number(id)
    }
}

impl Layout {
    fn of<'a>(
        records: impl Iterator<Item = (usize, &'a Map<String, Value>)>,
        spread: Spread,
    ) -> Result<Self, BenchError> {
        let mut layout = Self { bytes: b"{\"Records\":[".to_vec(), templates: Vec::new() };
        for (place, record) in records {
            if !layout.templates.is_empty() {
                layout.bytes.push(b',');
            }
            layout.add(record, spread, place)?;
        }
        layout.bytes.extend_from_slice(b"]}");
        Ok(layout)
    }

    fn add(&mut self, record: &Map<String, Value>, spread: Spread, place: usize) -> Result<(), BenchError> {
        let region = match spread {
            Spread::Regions => REGIONS[place % REGIONS.len()],
            Spread::One(region) => region,
        };
        let mut record = record.clone();
        let request = record.get("requestID").and_then(Value::as_str).map(str::to_owned);
        record.insert("eventID".into(), ID_MARK[..36].into());
        record.insert("eventTime".into(), TIME_MARK.into());
        record.insert("awsRegion".into(), region.into());
        let text = serde_json::to_string(&record)?;
        let from = self.bytes.len();
        let find = |mark: &str| text.find(mark).map(|at| from + at);
        let (Some(id), Some(time)) = (find(&ID_MARK[..36]), find(TIME_MARK)) else {
            return Err(BenchError::Missing("a record lost its id".to_owned()));
        };
        // Only ids of the two usual forms are replaced: UUIDs, and S3's 16 characters.
        let request = request.filter(|request| matches!(request.len(), 16 | 36)).and_then(|request| {
            let member = "\"requestID\":\"";
            find(&format!("{member}{request}\"")).map(|at| (at + member.len(), request.len()))
        });
        self.bytes.extend_from_slice(text.as_bytes());
        self.templates.push(Template { from, to: self.bytes.len(), id, time, request });
        Ok(())
    }
}

/// The records that are used, in order: one that would lift the running mean above [`MEAN_BYTES`] is passed over.
fn choose(records: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let (mut count, mut bytes) = (0, 0);
    let fits = |record: &Map<String, Value>| {
        let size = serde_json::to_string(record).map_or(usize::MAX / 2, |text| text.len());
        let keep = bytes + size <= (count + 1) * MEAN_BYTES;
        if keep {
            count += 1;
            bytes += size;
        }
        keep
    };
    records.into_iter().filter(fits).collect()
}

/// All records below a folder, each once, in an order of their own that mixes sizes and services.
fn read_all(folder: &Path) -> Result<Vec<Map<String, Value>>, BenchError> {
    let mut files = Vec::new();
    find_files(folder, LOG_FILE, &mut files)?;
    files.sort();
    let mut seen = HashSet::new();
    let mut records = Vec::new();
    for path in &files {
        let mut text = Vec::new();
        let file = File::open(path).map_err(BenchError::file(path))?;
        GzDecoder::new(file).read_to_end(&mut text).map_err(BenchError::file(path))?;
        let mut document: Value = serde_json::from_slice(&text)?;
        for record in document["Records"].as_array_mut().into_iter().flatten() {
            if let Value::Object(record) = record.take()
                && let Some(id) = record.get("eventID").and_then(Value::as_str)
                && seen.insert(id.to_owned())
            {
                records.push(record);
            }
        }
    }
    let mut order: Vec<(u64, Map<String, Value>)> =
        records.into_iter().enumerate().map(|(place, record)| (mix(place as u64), record)).collect();
    order.sort_by_key(|(place, _)| *place);
    Ok(order.into_iter().map(|(_, record)| record).collect())
}

/// Every file below a folder whose name has this end.
pub(crate) fn find_files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) -> Result<(), BenchError> {
    for entry in std::fs::read_dir(folder).map_err(BenchError::file(folder))? {
        let path = entry?.path();
        if path.is_dir() {
            find_files(&path, end, found)?;
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use opentrail_event::{Event, split_records};
    use serde_json::json;

    use super::{RealEvents, Spread};
    use crate::events::Events;

    #[test]
    fn an_upload_has_the_events_that_are_written_one_by_one() {
        let folder = tempfile::tempdir().expect("folder");
        let records: Vec<_> = (0..40)
            .map(|n| {
                json!({
                    "eventVersion": "1.08", "userIdentity": {"type": "AWSService", "invokedBy": "x.amazonaws.com"},
                    "eventTime": "2021-08-02T09:44:47Z", "eventSource": "s3.amazonaws.com", "eventName": "PutObject",
                    "awsRegion": "us-west-1", "requestID": if n % 2 == 0 { "ABCDEF0123456789" } else {
                    "0643b989-0757-4084-a7f0-2883adddd9f9" }, "eventID": format!("id-{n}"), "n": n,
                })
            })
            .collect();
        let file = std::fs::File::create(folder.path().join("a.json.gz")).expect("file");
        let mut gzip = GzEncoder::new(file, Compression::fast());
        gzip.write_all(json!({"Records": records}).to_string().as_bytes()).expect("write");
        gzip.finish().expect("finish");

        let events = RealEvents::load(folder.path(), Spread::Regions, 3).expect("events");
        let mut upload = Vec::new();
        events.upload(17, &mut upload);
        let split: Vec<_> = split_records(upload.into()).map(|record| record.expect("record")).collect();
        assert_eq!(split.len(), 500);
        for (place, raw) in split.into_iter().enumerate() {
            let number = 17 * 500 + place as u64;
            assert_eq!(raw, events.record(number));
            let event = Event::parse(raw).expect("event");
            assert_eq!(events.number(event.id()), Some(number));
        }
    }
}
