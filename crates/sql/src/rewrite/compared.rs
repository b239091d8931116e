//! Times compared with text and dates. DataFusion would compare both as nanoseconds, which end in the year 2262; here the
//! other side takes the type of the time.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator};

use crate::functions;

/// The rewrite, for a context's analyzer.
#[derive(Debug)]
pub(crate) struct ComparedTimes;

impl FunctionRewrite for ComparedTimes {
    fn name(&self) -> &'static str {
        "compared_times"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
        let time =
            |expr: &Expr| expr.get_type(schema).ok().filter(|kind| matches!(kind, DataType::Timestamp(_, _)));
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
                let (left, right) = match (time(&left), time(&right)) {
                    (Some(kind), None) => (left, Box::new(beside(*right, &kind, schema)?)),
                    (None, Some(kind)) => (Box::new(beside(*left, &kind, schema)?), right),
                    _ => (left, right),
                };
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let (low, high) = match time(&expr) {
                    Some(kind) => {
                        (Box::new(beside(*low, &kind, schema)?), Box::new(beside(*high, &kind, schema)?))
                    }
                    None => (low, high),
                };
                Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let list = match time(&expr) {
                    Some(kind) => {
                        list.into_iter().map(|value| beside(value, &kind, schema)).collect::<Result<_>>()?
                    }
                    None => list,
                };
                Transformed::yes(Expr::InList(InList { expr, list, negated }))
            }
            other => Transformed::no(other),
        })
    }
}

fn compares(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// A value as it is compared with a time of a type.
fn beside(value: Expr, kind: &DataType, schema: &DFSchema) -> Result<Expr> {
    if let Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) = &value {
        return Ok(Expr::Literal(functions::time_of_text(text, kind)?, None));
    }
    match value.get_type(schema) {
        Ok(DataType::Date32) => Ok(Expr::Cast(Cast::new(Box::new(value), kind.clone()))),
        _ => Ok(value),
    }
}
