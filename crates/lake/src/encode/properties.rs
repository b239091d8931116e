//! How a file is written.

use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    schema::types::ColumnPath,
};

use crate::schema::{self, Shape};

/// The rows of a row group, which is what engines share out among cores and what one bloom filter is about.
const GROUP_ROWS: usize = 128 * 1024;
/// The rows of a page: what is read at least.
const PAGE_ROWS: usize = 16 * 1024;
/// A page of records: large, for what compression finds is what repeats within a page.
const RECORD_PAGE_BYTES: usize = 4 << 20;
/// Up to here a column's distinct texts are written once.
const DICTIONARY_BYTES: usize = 512 << 10;
/// Measured on real records that are kept whole: level 1 makes 108 bytes of one, level 3 makes 114 in half as
/// much time again, level 6 makes 110 in thrice the time. What is left are random ids, which no level shortens.
const ZSTD_LEVEL: i32 = 1;
/// How often a bloom filter lets a row group be read for nothing.
const BLOOM_FALSE: f64 = 0.02;
/// Ids, of which hardly any is there twice: a dictionary would hold each of them. With their lengths apart
/// they are a tenth shorter.
const RANDOM: [&str; 3] = ["eventID", "requestID", "sharedEventID"];

pub(super) fn of(shape: Shape, rows: u64) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let record = ColumnPath::from(schema::RECORD);
    let time = ColumnPath::from(schema::TIME);
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("opentrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(record.clone(), false)
        .set_column_encoding(record.clone(), Encoding::PLAIN)
        .set_column_data_page_size_limit(record.clone(), RECORD_PAGE_BYTES)
        .set_column_statistics_enabled(record, EnabledStatistics::None)
        .set_column_dictionary_enabled(schema::REST.into(), false)
        .set_column_statistics_enabled(schema::REST.into(), EnabledStatistics::None);
    for id in RANDOM {
        builder = builder
            .set_column_dictionary_enabled(id.into(), false)
            .set_column_encoding(id.into(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    }
    // Pages can only be left out by what rows are sorted by.
    for path in shape.sorted_by() {
        builder = builder.set_column_statistics_enabled(column(path), EnabledStatistics::Page);
    }
    blooms(shape, rows, builder).build()
}

fn column(path: &[&str]) -> ColumnPath {
    ColumnPath::new(path.iter().map(|part| (*part).to_owned()).collect())
}

/// Bloom filters for what events are looked up by. Each is made as large as the values need that are in the
/// row group, which for most of these columns is next to nothing.
fn blooms(shape: Shape, rows: u64, mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    let most = rows.min(GROUP_ROWS as u64);
    for path in looked_up(shape) {
        let path = column(path);
        builder = builder
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE)
            .set_column_bloom_filter_ndv(path, most);
    }
    builder
}

fn looked_up(shape: Shape) -> &'static [&'static [&'static str]] {
    match shape {
        Shape::Event => &[
            &["eventID"],
            &["requestID"],
            &["sharedEventID"],
            &["eventName"],
            &["eventSource"],
            &["sourceIPAddress"],
            &["recipientAccountId"],
            &["userIdentity", "arn"],
            &["userIdentity", "userName"],
            &["userIdentity", "accessKeyId"],
            &["resources", "list", "element", "ARN"],
        ],
        Shape::Activity => &[
            &["eventID"],
            &["recipientAccountId"],
            &["eventData", "UID"],
            &["eventData", "eventName"],
            &["eventData", "eventSource"],
            &["eventData", "sourceIPAddress"],
            &["eventData", "userIdentity", "principalId"],
        ],
        Shape::ConfigurationItem => &[
            &["eventID"],
            &["recipientAccountId"],
            &["eventData", "resourceId"],
            &["eventData", "resourceName"],
            &["eventData", "arn"],
        ],
        Shape::Evidence => &[
            &["eventID"],
            &["recipientAccountId"],
            &["eventData", "evidenceId"],
            &["eventData", "controlId"],
            &["eventData", "resourceArn"],
        ],
    }
}
