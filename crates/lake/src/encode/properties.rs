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
const DICTIONARY_BYTES: usize = 512 << 10;
/// Measured on real records: higher levels take twice the time for a few percent.
const ZSTD_LEVEL: i32 = 3;
/// How often a bloom filter lets a row group be read for nothing.
const BLOOM_FALSE: f64 = 0.02;

pub(super) fn of(shape: Shape, rows: usize) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let record = ColumnPath::from(schema::RECORD);
    let builder = WriterProperties::builder()
        .set_created_by(concat!("opentrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_dictionary_enabled(record.clone(), false)
        .set_column_encoding(record.clone(), Encoding::PLAIN)
        .set_column_data_page_size_limit(record.clone(), RECORD_PAGE_BYTES)
        .set_column_statistics_enabled(record, EnabledStatistics::None);
    blooms(shape, rows, builder).build()
}

/// Bloom filters for what events are looked up by. Each is made as large as the values need that are in the
/// row group, which for most of these columns is next to nothing.
fn blooms(shape: Shape, rows: usize, mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    let most = rows.min(GROUP_ROWS) as u64;
    for path in looked_up(shape) {
        let path = ColumnPath::new(path.iter().map(|part| (*part).to_owned()).collect());
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
