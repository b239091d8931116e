//! Reading only the fields of a row that a query asks for.
//!
//! DataFusion reads columns as a whole, and `userIdentity` has some thirty fields in files of their own columns. A footer
//! that leaves out the others makes a file look as if it had been written without them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
};
use datafusion::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

/// Where a file says which Arrow types it was written from. A footer without some of the fields can't have it.
pub(super) const ARROW_SCHEMA: &str = "ARROW:schema";

/// The columns of which not everything is read, each with the paths in it that are.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    fields: BTreeMap<String, BTreeSet<Vec<String>>>,
}

impl Wanted {
    /// What an optimized plan reads.
    pub(crate) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut uses = Uses::default();
        uses.all_of(plan);
        plan.apply_with_subqueries(|node| {
            // What comes out of these has other names than what goes in.
            if matches!(node, LogicalPlan::Union(_) | LogicalPlan::Unnest(_) | LogicalPlan::Extension(_)) {
                node.inputs().into_iter().for_each(|input| uses.all_of(input));
            }
            for expr in node.expressions() {
                uses.expression(&expr)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let Uses { whole, mut fields } = uses;
        fields.retain(|column, _| !whole.contains(column));
        Ok(Wanted { fields })
    }

    fn keeps(&self, path: &[String]) -> bool {
        let Some(wanted) = path.first().and_then(|column| self.fields.get(column)) else { return true };
        wanted.iter().any(|wanted| path.iter().skip(1).zip(wanted).all(|(own, wanted)| own == wanted))
    }

    /// The footer without what is not read. A column of which nothing is left keeps its first field, which tells where the
    /// row is NULL. Where it is known that a scan reads only some columns, and of narrowed ones only fields, nothing else is
    /// left.
    pub(super) fn narrow(
        &self,
        footer: &Arc<ParquetMetaData>,
        only: Option<&BTreeSet<String>>,
    ) -> ParquetResult<Arc<ParquetMetaData>> {
        let file = footer.file_metadata();
        let leaves = file.schema_descr().columns();
        let column = |path: &[String]| path.first().cloned().unwrap_or_default();
        let is_read = |path: &[String]| {
            self.keeps(path) && only.is_none_or(|only| path.first().is_some_and(|name| only.contains(name)))
        };
        let kept: Vec<bool> = leaves.iter().map(|leaf| is_read(leaf.path().parts())).collect();
        let read = leaves.iter().zip(&kept).filter(|(_, kept)| **kept);
        let mut seen: HashSet<String> = read.map(|(leaf, _)| column(leaf.path().parts())).collect();
        let kept: Vec<bool> = leaves
            .iter()
            .zip(kept)
            .map(|(leaf, kept)| kept || (only.is_none() && seen.insert(column(leaf.path().parts()))))
            .collect();
        if kept.iter().all(|kept| *kept) {
            return Ok(Arc::clone(footer));
        }
        rebuild(footer, file, &kept).map(Arc::new)
    }
}

#[derive(Default)]
struct Uses {
    whole: HashSet<String>,
    fields: BTreeMap<String, BTreeSet<Vec<String>>>,
}

impl Uses {
    fn all_of(&mut self, plan: &LogicalPlan) {
        self.whole.extend(plan.schema().fields().iter().map(|field| field.name().clone()));
    }

    fn expression(&mut self, expr: &Expr) -> Result<()> {
        expr.apply(|expr| {
            if let Some((column, path)) = field_path(expr) {
                self.fields.entry(column).or_default().insert(path);
                return Ok(TreeNodeRecursion::Jump);
            }
            if let Expr::Column(column) | Expr::OuterReferenceColumn(_, column) = expr {
                self.whole.insert(column.name.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }
}

/// The column and the path in it, if an expression is nothing but a field of a column.
fn field_path(expr: &Expr) -> Option<(String, Vec<String>)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    if call.name() != "get_field" {
        return None;
    }
    let (root, names) = call.args.split_first()?;
    let names = names.iter().map(|name| match name {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    });
    let names: Vec<String> = names.collect::<Option<_>>()?;
    match root {
        Expr::Column(column) => Some((column.name.clone(), names)),
        other => field_path(other).map(|(column, mut path)| {
            path.extend(names);
            (column, path)
        }),
    }
}

fn rebuild(footer: &ParquetMetaData, file: &FileMetaData, kept: &[bool]) -> ParquetResult<ParquetMetaData> {
    let mut leaf = 0;
    let fields = file.schema().get_fields().iter();
    let fields: Vec<TypePtr> = fields
        .map(|field| prune(field, kept, &mut leaf))
        .collect::<ParquetResult<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let root = Type::group_type_builder(file.schema().name()).with_fields(fields).build()?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let chosen = |index: usize| kept.get(index).copied().unwrap_or(false);
    let groups = footer.row_groups().iter().map(|group| {
        let columns = group.columns().iter().enumerate().filter(|(index, _)| chosen(*index));
        RowGroupMetaData::builder(Arc::clone(&schema))
            .set_num_rows(group.num_rows())
            .set_total_byte_size(group.total_byte_size())
            .set_column_metadata(columns.map(|(_, column)| column.clone()).collect())
            .build()
    });
    let groups = groups.collect::<ParquetResult<Vec<_>>>()?;
    let keys = file
        .key_value_metadata()
        .map(|pairs| pairs.iter().filter(|pair| pair.key != ARROW_SCHEMA).cloned().collect::<Vec<_>>());
    let orders = file.column_orders().map(|orders| {
        orders.iter().enumerate().filter(|(index, _)| chosen(*index)).map(|(_, order)| *order).collect()
    });
    let created = file.created_by().map(str::to_owned);
    let file = FileMetaData::new(file.version(), file.num_rows(), created, keys, schema, orders);
    let builder = ParquetMetaDataBuilder::new(file).set_row_groups(groups);
    let builder = builder.set_column_index(footer.column_index().map(|index| select(index, kept)));
    Ok(builder.set_offset_index(footer.offset_index().map(|index| select(index, kept))).build())
}

/// The chosen columns of each row group.
fn select<T: Clone>(groups: &[Vec<T>], kept: &[bool]) -> Vec<Vec<T>> {
    let choose = |group: &Vec<T>| {
        group.iter().zip(kept).filter(|(_, kept)| **kept).map(|(column, _)| column.clone()).collect()
    };
    groups.iter().map(choose).collect()
}

/// A type with the chosen leaves, which are counted through.
fn prune(node: &TypePtr, kept: &[bool], leaf: &mut usize) -> ParquetResult<Option<TypePtr>> {
    if node.is_primitive() {
        let keep = kept.get(*leaf).copied().unwrap_or(false);
        *leaf += 1;
        return Ok(keep.then(|| Arc::clone(node)));
    }
    let fields = node.get_fields().iter().map(|field| prune(field, kept, leaf));
    let fields: Vec<TypePtr> = fields.collect::<ParquetResult<Vec<_>>>()?.into_iter().flatten().collect();
    if fields.is_empty() {
        return Ok(None);
    }
    let info = node.get_basic_info();
    let mut builder = Type::group_type_builder(node.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_id(info.has_id().then(|| info.id()))
        .with_fields(fields);
    if info.has_repetition() {
        builder = builder.with_repetition(info.repetition());
    }
    builder.build().map(|built| Some(Arc::new(built)))
}
