//! Scans that give texts as the dictionaries that files have them in, and rows with only the members that are read.
//!
//! A column of a file often has each text once, and for each row its number. DataFusion asks for the texts themselves, row
//! by row, and of a row that has thirty members for all of them, of which those that were not read are NULLs that are
//! made for every batch. Where the plan above a scan takes dictionaries ([`crate::codes`]), it is told here to give them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{
    FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::parquet::arrow::{encode_arrow_schema, parquet_to_arrow_schema};
use datafusion::parquet::basic::{ConvertedType, Encoding};
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder,
};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;

use super::narrow::ARROW_SCHEMA;
use super::reader::{Giving, Readers};

/// A column, or a member of a row, by its names from the column on.
pub(super) type Names = Vec<String>;

/// The scans of a query's tables, by the address of each table's store.
#[derive(Debug, Default)]
pub(crate) struct Scans(Mutex<HashMap<String, Scan>>);

#[derive(Debug, Clone)]
struct Scan {
    readers: Readers,
    /// What the largest file has as dictionaries. Others may have it otherwise, which costs time.
    known: Arc<BTreeSet<Names>>,
}

impl Scans {
    pub(super) fn note(&self, table: &str, readers: Readers, known: BTreeSet<Names>) {
        self.0.lock().insert(table.to_owned(), Scan { readers, known: Arc::new(known) });
    }

    /// The same scan, its rows with no other members than those that are read; with `dictionaries`, texts that it gives as
    /// they are come as dictionaries. `None` where nothing changes.
    pub(crate) fn adapt(
        &self,
        plan: &DataSourceExec,
        dictionaries: bool,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(config) = plan.data_source().as_any().downcast_ref::<FileScanConfig>() else {
            return Ok(None);
        };
        let Some(files) = config.file_source().as_any().downcast_ref::<ParquetSource>() else {
            return Ok(None);
        };
        let scan = self.0.lock().get(config.object_store_url.as_str()).cloned();
        let (Some(scan), Some(projection)) = (scan, files.projection()) else { return Ok(None) };
        let mut uses = Uses::default();
        projection.expr_iter().for_each(|expr| uses.given(&expr));
        if let Some(filter) = files.filter() {
            uses.computed_with(&filter)?;
        }
        for expr in projection.expr_iter() {
            if member(&expr).is_none() {
                uses.computed_with(&expr)?;
            }
        }
        let none = BTreeSet::new();
        let known = if dictionaries { scan.known.as_ref() } else { &none };
        let mut taken = BTreeSet::new();
        let table = files.table_schema().table_schema();
        let fields = table.fields().iter();
        let fields: Fields =
            fields.map(|field| uses.field(field, &mut Vec::new(), known, &mut taken)).collect();
        if fields == *table.fields() {
            return Ok(None);
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, table.metadata().clone()));
        let columns = uses.given.iter().chain(&uses.computed).filter_map(|names| names.first().cloned());
        let giving = Giving { columns: columns.collect(), dictionaries: taken };
        let projection = projection.clone().try_map_exprs(|expr| retyped(expr, &schema))?;
        let mut source = ParquetSource::new(schema)
            .with_table_parquet_options(files.table_parquet_options().clone())
            .with_parquet_file_reader_factory(Arc::new(scan.readers.giving(giving)));
        if let Some(filter) = files.filter() {
            source = source.with_predicate(filter);
        }
        let Some(source) = source.try_pushdown_projection(&projection)? else { return Ok(None) };
        let config = FileScanConfigBuilder::from(config.clone()).with_source(source).build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }
}

/// What a scan does with columns and members of rows.
#[derive(Default)]
struct Uses {
    /// Given as they are.
    given: BTreeSet<Names>,
    /// Computed with.
    computed: BTreeSet<Names>,
}

impl Uses {
    fn given(&mut self, expr: &Arc<dyn PhysicalExpr>) {
        self.given.extend(member(expr));
    }

    fn computed_with(&mut self, expr: &Arc<dyn PhysicalExpr>) -> Result<()> {
        expr.apply(|expr| {
            Ok(match member(expr) {
                Some(names) => {
                    self.computed.insert(names);
                    TreeNodeRecursion::Jump
                }
                None => TreeNodeRecursion::Continue,
            })
        })?;
        Ok(())
    }

    fn reads_within(&self, path: &Names) -> bool {
        self.given.iter().chain(&self.computed).any(|names| names.starts_with(path))
    }

    /// A field as the scan is to have it. `taken` gets what becomes a dictionary.
    fn field(
        &self,
        field: &FieldRef,
        above: &mut Names,
        known: &BTreeSet<Names>,
        taken: &mut BTreeSet<Names>,
    ) -> FieldRef {
        above.push(field.name().clone());
        let kind = match field.data_type() {
            _ if self.computed.contains(above) => None,
            DataType::Utf8 | DataType::Utf8View if self.given.contains(above) && known.contains(above) => {
                taken.insert(above.clone());
                Some(dictionary())
            }
            DataType::Struct(members) if !self.given.contains(above) && self.reads_within(above) => {
                let members = members.iter().filter_map(|member| {
                    above.push(member.name().clone());
                    let is_read = self.reads_within(above);
                    above.pop();
                    is_read.then(|| self.field(member, above, known, taken))
                });
                Some(DataType::Struct(members.collect()))
            }
            _ => None,
        };
        above.pop();
        with_kind(field, kind)
    }
}

/// The field with another type, if there is one.
pub(super) fn with_kind(field: &FieldRef, kind: Option<DataType>) -> FieldRef {
    match kind {
        Some(kind) => Arc::new(Field::clone(field).with_data_type(kind)),
        None => Arc::clone(field),
    }
}

/// How texts of a dictionary come: as Parquet's reader makes them without looking at each row.
pub(crate) fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The names, if an expression is nothing but a column or a member of one.
fn member(expr: &Arc<dyn PhysicalExpr>) -> Option<Names> {
    if let Some(column) = expr.as_any().downcast_ref::<Column>() {
        return Some(vec![column.name().to_owned()]);
    }
    let (row, rest) = get_field(expr)?.args().split_first()?;
    let mut names = member(row)?;
    for name in rest {
        let name = name.as_any().downcast_ref::<Literal>()?;
        names.push(name.value().try_as_str()??.to_owned());
    }
    Some(names)
}

fn get_field(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarFunctionExpr> {
    let call = expr.as_any().downcast_ref::<ScalarFunctionExpr>()?;
    (call.fun().name() == "get_field").then_some(call)
}

/// An access to a member knows the member's type.
fn retyped(expr: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let retyped = expr.transform_up(|expr| {
        let Some(call) = get_field(&expr) else { return Ok(Transformed::no(expr)) };
        let function = Arc::new(call.fun().clone());
        let options = Arc::new(call.config_options().clone());
        let call = ScalarFunctionExpr::try_new(function, call.args().to_vec(), schema, options)?;
        Ok(Transformed::yes(Arc::new(call) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(retyped.data)
}

/// The texts, outside of lists and maps, that all pages of a file have as dictionaries.
pub(super) fn of_file(footer: &ParquetMetaData) -> BTreeSet<Names> {
    let leaves = footer.file_metadata().schema_descr().columns().iter().enumerate();
    leaves
        .filter(|(index, leaf)| {
            let chunks = || footer.row_groups().iter().map(|group| group.columns().get(*index));
            leaf.max_rep_level() == 0
                && leaf.converted_type() == ConvertedType::UTF8
                && chunks().all(|chunk| chunk.is_some_and(is_dictionary))
        })
        .map(|(_, leaf)| leaf.path().parts().to_vec())
        .collect()
}

fn is_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.dictionary_page_offset().is_some()
        && chunk.page_encoding_stats_mask().is_some_and(|encodings| {
            encodings.is_only(Encoding::RLE_DICTIONARY) || encodings.is_only(Encoding::PLAIN_DICTIONARY)
        })
}

/// The footer of a file that says of these texts that they were written from dictionaries, so that they are read as such.
pub(super) fn said(
    footer: &Arc<ParquetMetaData>,
    texts: &BTreeSet<Names>,
) -> ParquetResult<Arc<ParquetMetaData>> {
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), None)?;
    let fields: Fields =
        schema.fields().iter().map(|field| as_dictionary(field, &mut Vec::new(), texts)).collect();
    let says = KeyValue::new(ARROW_SCHEMA.to_owned(), encode_arrow_schema(&Schema::new(fields)));
    let keys = file.key_value_metadata().into_iter().flatten();
    let keys = keys.filter(|pair| pair.key != ARROW_SCHEMA).cloned().chain([says]).collect();
    let created = file.created_by().map(str::to_owned);
    let (descriptor, orders) = (file.schema_descr_ptr(), file.column_orders().cloned());
    let file = FileMetaData::new(file.version(), file.num_rows(), created, Some(keys), descriptor, orders);
    let builder = ParquetMetaDataBuilder::new(file)
        .set_row_groups(footer.row_groups().to_vec())
        .set_column_index(footer.column_index().cloned())
        .set_offset_index(footer.offset_index().cloned());
    Ok(Arc::new(builder.build()))
}

fn as_dictionary(field: &FieldRef, above: &mut Names, texts: &BTreeSet<Names>) -> FieldRef {
    above.push(field.name().clone());
    let kind = match field.data_type() {
        DataType::Utf8 if texts.contains(above) => Some(dictionary()),
        DataType::Struct(members) => {
            let members = members.iter().map(|member| as_dictionary(member, above, texts));
            Some(DataType::Struct(members.collect()))
        }
        _ => None,
    };
    above.pop();
    with_kind(field, kind)
}
