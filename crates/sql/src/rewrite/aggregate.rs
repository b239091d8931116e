//! Aggregates of Trino that are made of DataFusion's: each call becomes an expression over one that DataFusion has, with its
//! filter and its window.

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArgumentClause, FunctionArguments, OrderByExpr,
    OrderByOptions,
};

use super::call::{arguments, call, function_name, number, plain, text};

/// The expression that a call stands for, if it is one of these.
pub(super) fn aggregate(function: &Function) -> Result<Option<Expr>> {
    let name = function_name(function);
    let renamed = match name.as_str() {
        "every" => "bool_and",
        "variance" => "var_samp",
        "bitwise_and_agg" => "bit_and",
        "bitwise_or_agg" => "bit_or",
        "bitwise_xor_agg" => "bit_xor",
        _ => "",
    };
    if !renamed.is_empty() {
        return Ok(Some(Expr::Function(over(function, plain(renamed, arguments(function)?)))));
    }
    let found = match name.as_str() {
        "count_if" => count_if(function)?,
        "any_value" | "arbitrary" => any_value(function)?,
        "max_by" => by(function, false)?,
        "min_by" => by(function, true)?,
        "max" | "min" if arguments(function).is_ok_and(|given| given.len() == 2) => {
            top(function, name == "min")?
        }
        "approx_distinct" => {
            let [value] = given::<1>(function).or_else(|_| given::<2>(function).map(|[value, _]| [value]))?;
            let plan = over(function, plain("approx_distinct", [value]));
            if arguments(function)?.len() == 1 {
                return Ok(None);
            }
            Expr::Function(plan)
        }
        "approx_percentile" => percentile(function)?,
        "map_agg" => {
            let [key, value] = given(function)?;
            call(
                "$map_of_pairs",
                [collect(function, call("$row", [key.clone(), value]), Some(key), Vec::new())],
            )
        }
        "multimap_agg" => {
            let [key, value] = given(function)?;
            call(
                "$multimap_of_pairs",
                [collect(function, call("$row", [key.clone(), value]), Some(key), Vec::new())],
            )
        }
        "map_union" => {
            let [map] = given(function)?;
            call("$map_union", [collect(function, map.clone(), Some(map), Vec::new())])
        }
        "histogram" => {
            let [value] = given(function)?;
            call("$histogram", [collect(function, value.clone(), Some(value), Vec::new())])
        }
        "set_agg" => {
            let [value] = given(function)?;
            call("array_distinct", [collect(function, value, None, Vec::new())])
        }
        "listagg" => listagg(function)?,
        "geometric_mean" => {
            let [value] = given(function)?;
            call("exp", [Expr::Function(over(function, plain("avg", [call("ln", [value])])))])
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

fn given<const N: usize>(function: &Function) -> Result<[Expr; N]> {
    arguments(function)?.try_into().map_err(|_| {
        let arguments = if N == 1 { "argument" } else { "arguments" };
        DataFusionError::Plan(format!("{} takes {N} {arguments}", function_name(function)))
    })
}

/// The inner call with the outer one's DISTINCT, filter and window.
fn over(outer: &Function, mut inner: Function) -> Function {
    inner.filter = outer.filter.clone();
    inner.over = outer.over.clone();
    if let (FunctionArguments::List(from), FunctionArguments::List(to)) = (&outer.args, &mut inner.args) {
        to.duplicate_treatment = from.duplicate_treatment;
    }
    inner
}

fn also_not_null(filter: Option<&Expr>, value: Expr) -> Expr {
    let present = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(value))));
    match filter {
        None => present,
        Some(filter) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(filter.clone()))),
            op: BinaryOperator::And,
            right: Box::new(present),
        },
    }
}

fn ordered(function: &mut Function, order: Vec<OrderByExpr>) {
    if let FunctionArguments::List(list) = &mut function.args
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}

fn order(expr: Expr, ascending: bool) -> OrderByExpr {
    OrderByExpr {
        expr,
        options: OrderByOptions { asc: Some(ascending), nulls_first: Some(false) },
        with_fill: None,
    }
}

/// `array_agg(value)` under the outer call's filter and window, without the rows in which `present` is NULL.
fn collect(outer: &Function, value: Expr, present: Option<Expr>, order: Vec<OrderByExpr>) -> Expr {
    let mut inner = over(outer, plain("array_agg", [value]));
    if let Some(present) = present {
        inner.filter = Some(Box::new(also_not_null(outer.filter.as_deref(), present)));
    }
    ordered(&mut inner, order);
    Expr::Function(inner)
}

fn case(condition: Expr, result: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: None,
    }
}

fn count_if(function: &Function) -> Result<Expr> {
    let [condition] = given(function)?;
    Ok(Expr::Function(over(function, plain("count", [case(condition, number(1))]))))
}

fn any_value(function: &Function) -> Result<Expr> {
    let [value] = given(function)?;
    if function.over.is_some() {
        return Ok(Expr::Function(over(function, plain("min", [value]))));
    }
    let mut inner = plain("first_value", [value.clone()]);
    inner.filter = Some(Box::new(also_not_null(function.filter.as_deref(), value)));
    Ok(Expr::Function(inner))
}

fn by(function: &Function, ascending: bool) -> Result<Expr> {
    let arguments = arguments(function)?;
    let (value, key, count) = match arguments.as_slice() {
        [value, key] => (value.clone(), key.clone(), None),
        [value, key, count] => (value.clone(), key.clone(), Some(count.clone())),
        _ => {
            return Err(DataFusionError::Plan(format!("{} takes 2 or 3 arguments", function_name(function))));
        }
    };
    let order = vec![order(key.clone(), ascending)];
    if let Some(count) = count {
        return Ok(call("slice", [collect(function, value, Some(key), order), number(1), count]));
    }
    if function.over.is_some() {
        return Ok(call("$subscript_first", [collect(function, value, Some(key), order)]));
    }
    let mut inner = plain("first_value", [value]);
    inner.filter = Some(Box::new(also_not_null(function.filter.as_deref(), key)));
    ordered(&mut inner, order);
    Ok(Expr::Function(inner))
}

fn top(function: &Function, ascending: bool) -> Result<Expr> {
    let [value, count] = given(function)?;
    let order = vec![order(value.clone(), ascending)];
    Ok(call("slice", [collect(function, value.clone(), Some(value), order), number(1), count]))
}

fn percentile(function: &Function) -> Result<Expr> {
    let arguments = arguments(function)?;
    let one = |mut given: Vec<Expr>, percentile: Expr| {
        given.push(percentile);
        let name =
            if given.len() == 3 { "approx_percentile_cont_with_weight" } else { "approx_percentile_cont" };
        Expr::Function(over(function, plain(name, given)))
    };
    let Some((last, rest)) = arguments.split_last() else {
        return Err(DataFusionError::Plan("approx_percentile takes a value and a percentage".to_owned()));
    };
    if rest.is_empty() || rest.len() > 2 {
        return Err(DataFusionError::Plan(
            "approx_percentile takes a value, a weight if wanted, and a percentage".to_owned(),
        ));
    }
    match last {
        // An array that is written out has become this call by now.
        Expr::Function(list) if function_name(list) == "make_array" => {
            let each =
                super::call::arguments(list)?.into_iter().map(|percentage| one(rest.to_vec(), percentage));
            Ok(call("make_array", each))
        }
        percentage => Ok(one(rest.to_vec(), percentage.clone())),
    }
}

fn listagg(function: &Function) -> Result<Expr> {
    let arguments = arguments(function)?;
    let (value, separator) = match arguments.as_slice() {
        [value] => (value.clone(), text("")),
        [value, separator] => (value.clone(), separator.clone()),
        _ => return Err(DataFusionError::Plan("listagg takes a value and a separator".to_owned())),
    };
    let order = function.within_group.clone();
    Ok(call("array_join", [collect(function, value.clone(), Some(value), order), separator]))
}
