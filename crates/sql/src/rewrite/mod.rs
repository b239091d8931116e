//! What of Trino's dialect DataFusion's planner doesn't know is turned into calls that it does know, before it plans: casts
//! between Trino's types, subscripts, lambdas, `try`, and aggregates that are made of others.

mod aggregate;
mod call;
mod compared;
mod lambda;
mod prefix;

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, CaseWhen, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    ObjectName, Statement, Subscript, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use call::{arguments, call, function_name, null, text};
pub(crate) use compared::ComparedTimes;
pub(crate) use prefix::parse_prefix;

/// Rewrites a statement in place. The functions made of its lambdas are registered in `context`.
///
/// # Errors
/// A lambda where none may stand, an aggregate in a lambda, a call with a wrong number of arguments.
pub(crate) fn rewrite(statement: &mut Statement, context: &SessionContext) -> Result<()> {
    match statement.visit(&mut Rewriter { context }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    context: &'a SessionContext,
}

impl VisitorMut for Rewriter<'_> {
    type Break = DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        match expression(expr, self.context) {
            Ok(Some(better)) => *expr = better,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

fn expression(expr: &mut Expr, context: &SessionContext) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::CompoundFieldAccess { root, access_chain } => {
            let root = std::mem::replace(root.as_mut(), null());
            Some(access(root, std::mem::take(access_chain))?)
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(call("at_timezone", [take(timestamp), take(time_zone)]))
        }
        Expr::Position { expr, r#in } => Some(call("strpos", [take(r#in), take(expr)])),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let from = substring_from.as_mut().map_or_else(|| call::number(1), |from| take(from));
            let length = substring_for.as_mut().map(|length| take(length));
            Some(call("substr", [Some(take(expr)), Some(from), length].into_iter().flatten()))
        }
        Expr::Extract { field, expr, .. } => {
            let name = match field.to_string().to_lowercase().as_str() {
                "dow" => "day_of_week".to_owned(),
                "doy" => "day_of_year".to_owned(),
                "yow" => "year_of_week".to_owned(),
                other => other.to_owned(),
            };
            Some(call(&name, [take(expr)]))
        }
        // DataFusion's planner forgets the tables around an array that is written out, as UNNEST needs them.
        Expr::Array(array) if !array.elem.is_empty() => {
            Some(call("make_array", std::mem::take(&mut array.elem)))
        }
        // A number with an exponent is a double in Trino; one with a point only is a decimal.
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if digits.contains(['e', 'E']) => {
            Some(call("$cast", [text(digits), text("double")]))
        }
        Expr::Lambda(lambda) => {
            rows(&mut lambda.body);
            None
        }
        Expr::Function(function) => {
            if let FunctionArguments::List(list) = &mut function.args {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                        rows(expr);
                    }
                }
            }
            if let Some(lambda) = lambda::higher_order(function, context)? {
                return Ok(Some(lambda));
            }
            if let Some(aggregate) = aggregate::aggregate(function)? {
                return Ok(Some(aggregate));
            }
            scalar(function)?
        }
        _ => None,
    })
}

/// `(a, b)` is a row where it stands as a value.
fn rows(expr: &mut Expr) {
    if let Expr::Tuple(values) = expr {
        *expr = call("$row", std::mem::take(values));
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, null())
}

fn access(root: Expr, chain: Vec<AccessExpr>) -> Result<Expr> {
    chain.into_iter().try_fold(root, |value, step| match step {
        AccessExpr::Dot(Expr::Identifier(name)) => Ok(call("$field", [value, text(&name.value)])),
        AccessExpr::Subscript(Subscript::Index { index }) => Ok(call("$subscript", [value, index])),
        other => Err(DataFusionError::Plan(format!("{value}{other} is no access to a field or an element"))),
    })
}

/// Calls that are other expressions or have another name.
fn scalar(function: &mut datafusion::sql::sqlparser::ast::Function) -> Result<Option<Expr>> {
    let name = function_name(function);
    let renamed = match name.as_str() {
        "if" => {
            let mut given = arguments(function)?.into_iter();
            let (Some(condition), Some(result), otherwise, None) =
                (given.next(), given.next(), given.next(), given.next())
            else {
                return Err(DataFusionError::Plan("if takes a condition and one or two values".to_owned()));
            };
            return Ok(Some(Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![CaseWhen { condition, result }],
                else_result: otherwise.map(Box::new),
            }));
        }
        "date" => {
            let given = arguments(function)?;
            return Ok(Some(call("$cast", given.into_iter().chain([text("date")]))));
        }
        "row" => "$row",
        // DataFusion's planner has its own ideas of this name.
        "map" => "$map",
        "localtimestamp" | "current_timezone" | "current_timestamp" | "current_date"
            if matches!(function.args, FunctionArguments::None) =>
        {
            function.args = FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None,
                args: Vec::new(),
                clauses: Vec::new(),
            });
            return Ok(None);
        }
        _ => return Ok(None),
    };
    function.name = ObjectName::from(vec![call::quoted(renamed)]);
    Ok(None)
}
