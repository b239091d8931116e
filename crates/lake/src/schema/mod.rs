//! The columns of event data stores.
//!
//! There is one schema for each [`Shape`] of event. Columns and members are named as in the records, in
//! camelCase; SQL does not mind the case. Types are those of AWS's table ("Supported SQL schemas for event
//! data stores"): texts, booleans, times, structs, arrays of structs and maps of texts, and `eventJson` with the
//! record as it came. In a file, `opentrail_form` and `opentrail_rest` stand for the record, where `eventJson` is null;
//! queries don't see these two.
//!
//! A schema has a version, and from one version to the next columns are only added, at the end and with new
//! field ids, or may be null from then on. A file has its columns' ids, so that a file of an older version is read as
//! having nulls in the columns that it lacks.

mod activity;
mod configuration;
mod event;
mod evidence;
pub(crate) mod field;

use std::sync::{Arc, LazyLock};

use arrow_schema::SchemaRef;
use iceberg::spec::{
    NullOrder, PartitionSpec, Schema, SortDirection, SortField, SortOrder, Transform, UnboundPartitionSpec,
};

use field::{Field, Kind};

/// The column with the record as it came.
pub const RECORD: &str = "eventJson";
/// The column with the record's form, where `eventJson` is null.
pub const FORM: &str = "opentrail_form";
/// The column with what of the record neither its form nor the other columns have.
pub const REST: &str = "opentrail_rest";
/// The column that tables are partitioned by and files pruned by.
pub const TIME: &str = "eventTime";
/// The name of the partition field: the UTC day of `eventTime`.
pub const DAY: &str = "eventDay";

/// What kind of events an event data store holds, as far as their columns go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// CloudTrail's: `Management`, `Data`, `NetworkActivity` and `Insight`.
    Event,
    /// From outside AWS, through a channel: `ActivityAuditLog`.
    Activity,
    /// AWS Config's: `ConfigurationItem`.
    ConfigurationItem,
    /// AWS Audit Manager's: `Evidence`.
    Evidence,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 4] = [Self::Event, Self::Activity, Self::ConfigurationItem, Self::Evidence];

    /// The shape of the events of an `eventCategory`; `None` for a category that Lake doesn't know.
    pub fn of(category: &str) -> Option<Self> {
        match category {
            "Management" | "Data" | "NetworkActivity" | "Insight" => Some(Self::Event),
            "ActivityAuditLog" => Some(Self::Activity),
            "ConfigurationItem" => Some(Self::ConfigurationItem),
            "Evidence" => Some(Self::Evidence),
            _ => None,
        }
    }

    /// The version of the schema, which is its id in Iceberg's metadata. Each version has the columns of the
    /// one before it and more. With version 1 came the record's form.
    pub const fn version(self) -> i32 {
        1
    }

    pub(crate) const fn fields(self) -> &'static [Field] {
        match self {
            Self::Event => event::FIELDS,
            Self::Activity => activity::FIELDS,
            Self::ConfigurationItem => configuration::FIELDS,
            Self::Evidence => evidence::FIELDS,
        }
    }

    /// The schema in Arrow's terms. Every field, nested ones too, has its id in the metadata as
    /// `PARQUET:field_id`, and a Parquet file written from it has the ids in its schema.
    pub fn arrow(self) -> SchemaRef {
        self.schemas().arrow.clone()
    }

    /// The schema that queries see: without what stands for the record in files, and with a record in each row.
    pub fn queried(self) -> SchemaRef {
        self.schemas().queried.clone()
    }

    /// The schema in Iceberg's terms.
    pub fn iceberg(self) -> Arc<Schema> {
        self.schemas().iceberg.clone()
    }

    /// One partition for each UTC day of `eventTime`.
    pub fn partition_spec(self) -> PartitionSpec {
        self.schemas().partitions.clone()
    }

    /// [`Shape::partition_spec`], not bound to a schema.
    pub fn unbound_partition_spec(self) -> UnboundPartitionSpec {
        self.partition_spec().into_unbound()
    }

    /// How the rows of a file are ordered; see [`crate::encode()`].
    pub fn sort_order(self) -> SortOrder {
        self.schemas().order.clone()
    }

    /// The columns that files are sorted by, the first first, as paths.
    pub(crate) const fn sorted_by(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Event => {
                &[&["eventSource"], &["eventName"], &["errorCode"], &["userIdentity", "arn"], &[TIME]]
            }
            Self::Activity => &[&["eventData", "eventSource"], &["eventData", "eventName"], &[TIME]],
            Self::ConfigurationItem => {
                &[&["eventData", "resourceType"], &["eventData", "resourceId"], &[TIME]]
            }
            Self::Evidence => &[&["eventData", "service"], &["eventData", "controlId"], &[TIME]],
        }
    }

    fn schemas(self) -> &'static Schemas {
        static ALL: LazyLock<[Schemas; 4]> = LazyLock::new(|| Shape::ALL.map(Schemas::of));
        let [event, activity, configuration, evidence] = &*ALL;
        match self {
            Self::Event => event,
            Self::Activity => activity,
            Self::ConfigurationItem => configuration,
            Self::Evidence => evidence,
        }
    }
}

struct Schemas {
    arrow: SchemaRef,
    queried: SchemaRef,
    iceberg: Arc<Schema>,
    partitions: PartitionSpec,
    order: SortOrder,
}

impl Schemas {
    /// The tables of fields are constants, and a test builds all of them.
    fn of(shape: Shape) -> Self {
        let schema = Schema::builder()
            .with_schema_id(shape.version())
            .with_fields(field::iceberg(shape.fields()))
            .build()
            .map(Arc::new)
            .expect("field ids are unique");
        let arrow = iceberg::arrow::schema_to_arrow_schema(&schema).expect("Arrow has every type");
        let partitions = PartitionSpec::builder(schema.clone())
            .with_spec_id(0)
            .add_partition_field(TIME, DAY, Transform::Day)
            .and_then(|builder| builder.build())
            .expect("times have days");
        let mut order = SortOrder::builder();
        order.with_order_id(1);
        for path in shape.sorted_by() {
            order.with_sort_field(SortField {
                source_id: id_of(shape.fields(), path).expect("the sort columns exist"),
                transform: Transform::Identity,
                direction: SortDirection::Ascending,
                null_order: NullOrder::First,
            });
        }
        let order = order.build(&schema).expect("texts and times have an order");
        let queried = Arc::new(queried(&arrow));
        Self { arrow: Arc::new(arrow), queried, iceberg: schema, partitions, order }
    }
}

fn queried(stored: &arrow_schema::Schema) -> arrow_schema::Schema {
    let fields = stored.fields().iter().filter(|field| ![FORM, REST].contains(&field.name().as_str()));
    let fields = fields.map(|field| match field.name().as_str() {
        RECORD => Arc::new(field.as_ref().clone().with_nullable(false)),
        _ => field.clone(),
    });
    arrow_schema::Schema::new(fields.collect::<Vec<_>>())
}

fn id_of(fields: &[Field], path: &[&str]) -> Option<i32> {
    let (name, rest) = path.split_first()?;
    let field = fields.iter().find(|field| field.name == *name)?;
    match field.kind {
        Kind::Group(fields) if !rest.is_empty() => id_of(fields, rest),
        _ => rest.is_empty().then_some(field.id),
    }
}

#[cfg(test)]
mod tests;
