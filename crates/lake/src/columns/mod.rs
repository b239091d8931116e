//! Records become columns.
//!
//! A record's JSON is walked once, and each member goes where the schema has it; no value is built on the
//! way. Nothing about a record keeps it out: what has another type than the schema says is null, or, in a
//! column or map of texts, its JSON text, and the whole record stands in `eventJson` in any case.
//!
//! | the schema says | the record has | the column has |
//! |---|---|---|
//! | text, or a map's value | a string | its characters |
//! | | null | null |
//! | | anything else | its JSON text as it stands in the record |
//! | boolean | `true`, `false`, or one of them as a string | that |
//! | time | a string in RFC 3339, with or without a zone | the time in UTC |
//! | number | a number, or a string with one | that |
//! | struct, map | an object | its members |
//! | list | an array; an object, which is a list of one then | its elements |
//! | any of these five | anything else | null |

mod group;
mod nested;
mod node;
mod texts;
mod time;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::{Event, JsonScanner};

use crate::{
    LakeError,
    schema::{self, Shape},
};
use group::Group;
use node::Node;

/// What a row has besides its record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra<'a> {
    /// When the event came in through a channel: `metadata.ingestionTime`, unless the record says it.
    pub ingestion_time: Option<DateTime<Utc>>,
    /// The channel's ARN: `metadata.channelARN`, unless the record says it.
    pub channel_arn: Option<&'a str>,
    /// `addendum`, a JSON object, unless the record has one.
    pub addendum: Option<&'a str>,
}

/// Rows on their way into a batch.
pub struct Columns {
    shape: Shape,
    row: Group,
    rows: usize,
    bytes: usize,
    places: Places,
}

/// Where in the row the columns are that this module fills itself. A shape that lacks one has none there.
struct Places {
    record: Option<usize>,
    time: Option<usize>,
    id: Option<usize>,
    category: Option<usize>,
    metadata: Option<usize>,
    addendum: Option<usize>,
}

impl Columns {
    /// The bytes ([`Columns::bytes`]) after which a batch should be finished: its texts must stay below
    /// 2 GiB, which is where Arrow's offsets end.
    pub const MAX_BYTES: usize = 512 << 20;
    /// About what a row needs besides its texts: offsets and flags.
    const ROW_BYTES: usize = 200;

    /// No rows.
    pub fn new(shape: Shape) -> Self {
        let at = |name: &str| shape.fields().iter().position(|field| field.name == name);
        let places = Places {
            record: at(schema::RECORD),
            time: at(schema::TIME),
            id: at("eventID"),
            category: at("eventCategory"),
            metadata: at("metadata"),
            addendum: at("addendum"),
        };
        Self { shape, row: Group::new(shape.fields()), rows: 0, bytes: 0, places }
    }

    /// The shape of the rows.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes of memory the rows take, and not less than their texts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Event, extra: Extra<'_>) {
        let row = self.rows;
        let record = event.raw_str();
        // An event's JSON was checked when it was parsed. Should it fail all the same, the row has what every
        // event has.
        if self.read(record).is_err() {
            self.row.truncate(row);
            self.row.reach(row + 1);
        }
        if let Some(Node::Times(times)) = self.at(self.places.time)
            && times.get(row).is_none()
        {
            times.truncate(row);
            times.reach(row);
            times.push(Some(event.time().timestamp_micros()));
        }
        self.fill_text(self.places.id, event.id());
        self.fill_text(self.places.category, event.category().as_str());
        self.close(record, extra);
    }

    /// Adds a record that need not be a CloudTrail event: a JSON object with `eventID`, a text, and
    /// `eventTime`.
    ///
    /// # Errors
    /// [`LakeError::Record`] if it is no such object. Nothing is added then.
    pub fn push_record(&mut self, record: &str, extra: Extra<'_>) -> Result<(), LakeError> {
        let row = self.rows;
        let read = self.read(record);
        let complete = [self.places.time, self.places.id]
            .into_iter()
            .all(|place| self.at(place).is_some_and(|node| node.has(row)));
        let missing = || "it has no eventID or no valid eventTime".to_owned();
        if let Err(reason) = read.and_then(|()| if complete { Ok(()) } else { Err(missing()) }) {
            self.row.truncate(row);
            return Err(LakeError::Record { reason });
        }
        self.close(record, extra);
        Ok(())
    }

    /// Walks the record into the row after the last.
    fn read(&mut self, record: &str) -> Result<(), String> {
        let mut scanner = JsonScanner::new(record.as_bytes(), 0);
        self.row.read(&mut scanner).and_then(|()| scanner.finish()).map_err(|error| error.to_string())?;
        if self.row.has(self.rows) { Ok(()) } else { Err("it is no JSON object".to_owned()) }
    }

    /// What of a row is not in the record.
    fn close(&mut self, record: &str, extra: Extra<'_>) {
        let row = self.rows;
        if let Some(Node::Texts(records)) = self.at(self.places.record) {
            records.reach(row);
            records.push(record.as_bytes());
        }
        if let Some(addendum) = extra.addendum {
            self.fill_json(self.places.addendum, addendum);
        }
        if extra.ingestion_time.is_some() || extra.channel_arn.is_some() {
            let time = extra.ingestion_time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
            let metadata = serde_json::json!({ "ingestionTime": time, "channelARN": extra.channel_arn });
            self.fill_json(self.places.metadata, &metadata.to_string());
        }
        self.rows += 1;
        // The texts of the columns are parts of the record.
        self.bytes += 2 * record.len() + extra.addendum.map_or(0, str::len) + Self::ROW_BYTES;
    }

    fn at(&mut self, place: Option<usize>) -> Option<&mut Node> {
        self.row.child(place?)
    }

    /// Gives a column of texts a value in the last row if it has none.
    fn fill_text(&mut self, place: Option<usize>, text: &str) {
        let row = self.rows;
        if let Some(Node::Texts(texts)) = self.at(place)
            && !texts.has(row)
        {
            texts.truncate(row);
            texts.reach(row);
            texts.push(text.as_bytes());
        }
    }

    /// Gives a column the value of a JSON text in the last row if it has none. A text that is no JSON leaves
    /// the column null.
    fn fill_json(&mut self, place: Option<usize>, json: &str) {
        let row = self.rows;
        if let Some(node) = self.at(place)
            && !node.has(row)
            && node.read(row, &mut JsonScanner::new(json.as_bytes(), 0)).is_err()
        {
            node.truncate(row);
        }
    }

    /// The rows, in the order in which they came; this is empty again.
    ///
    /// # Errors
    /// [`LakeError::Arrow`] if texts of one column are 2 GiB or more together. The rows are lost then, so
    /// finish at [`Columns::MAX_BYTES`].
    pub fn finish(&mut self) -> Result<RecordBatch, LakeError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let schema = self.shape.arrow();
        let columns = self.row.finish(rows, &DataType::Struct(schema.fields().clone()))?;
        let (_, columns, _) = columns.into_parts();
        Ok(RecordBatch::try_new_with_options(
            schema,
            columns,
            &arrow_array::RecordBatchOptions::new().with_row_count(Some(rows)),
        )?)
    }
}
