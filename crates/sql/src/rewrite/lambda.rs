//! Calls with lambdas, and `try`: each becomes a call of a function made for it, whose arguments are the values it works on
//! and the columns that the lambda's body reads from outside.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{Expr, Function, Ident, VisitMut, VisitorMut};

use super::call::{arguments, call, function_name, quoted, text};
use crate::functions::lambda::{HigherOrder, Lambda, Work, capture_name, is_bound, parameter_name};

/// The call that stands for one with lambdas; nothing if this is none.
pub(super) fn higher_order(function: &Function, context: &SessionContext) -> Result<Option<Expr>> {
    let name = function_name(function);
    let Ok(given) = arguments(function) else { return Ok(None) };
    let is_lambda = |expr: &Expr| matches!(expr, Expr::Lambda(_));
    if name == "try" {
        let [body] = given.as_slice() else {
            return Err(DataFusionError::Plan("try takes one expression".to_owned()));
        };
        return make(Work::Try, Vec::new(), vec![(Vec::new(), body.clone())], context).map(Some);
    }
    if !given.iter().any(is_lambda) {
        return Ok(None);
    }
    let (work, shape): (Work, &[bool]) = match name.as_str() {
        "transform" => (Work::Transform, &[false, true]),
        "filter" => (Work::Filter, &[false, true]),
        "any_match" => (Work::AnyMatch, &[false, true]),
        "all_match" => (Work::AllMatch, &[false, true]),
        "none_match" => (Work::NoneMatch, &[false, true]),
        "array_sort" => (Work::ArraySort, &[false, true]),
        "transform_keys" => (Work::TransformKeys, &[false, true]),
        "transform_values" => (Work::TransformValues, &[false, true]),
        "map_filter" => (Work::MapFilter, &[false, true]),
        "zip_with" => (Work::ZipWith, &[false, false, true]),
        "reduce" => (Work::Reduce, &[false, false, true, true]),
        "regexp_replace" => (Work::RegexpReplace, &[false, false, true]),
        _ => return Err(DataFusionError::Plan(format!("the function {name} takes no lambda"))),
    };
    if given.len() != shape.len()
        || given.iter().zip(shape).any(|(argument, lambda)| is_lambda(argument) != *lambda)
    {
        let shape: Vec<&str> = shape.iter().map(|lambda| if *lambda { "lambda" } else { "value" }).collect();
        return Err(DataFusionError::Plan(format!("{name} takes ({})", shape.join(", "))));
    }
    let mut values = Vec::new();
    let mut lambdas = Vec::new();
    for argument in given {
        match argument {
            Expr::Lambda(lambda) => {
                let parameters: Vec<Ident> = lambda.params.iter().cloned().collect();
                lambdas.push((parameters, *lambda.body));
            }
            value => values.push(value),
        }
    }
    make(work, values, lambdas, context).map(Some)
}

fn make(
    work: Work,
    values: Vec<Expr>,
    lambdas: Vec<(Vec<Ident>, Expr)>,
    context: &SessionContext,
) -> Result<Expr> {
    let mut captures: Vec<Expr> = Vec::new();
    let mut bodies = Vec::new();
    for (index, (parameters, mut body)) in lambdas.into_iter().enumerate() {
        let wanted = work.parameters(index);
        if parameters.len() != wanted {
            return Err(DataFusionError::Plan(format!(
                "a lambda of {} takes {wanted} parameters, this one has {}",
                work.name(),
                parameters.len()
            )));
        }
        let mut binder =
            Binder { parameters: &parameters, captures: &mut captures, context, whole: work == Work::Try };
        if let ControlFlow::Break(error) = body.visit(&mut binder) {
            return Err(error);
        }
        bodies.push(Lambda { body });
    }
    let mut hasher = DefaultHasher::new();
    for lambda in &bodies {
        lambda.body.to_string().hash(&mut hasher);
    }
    (values.len(), captures.len()).hash(&mut hasher);
    let name = format!("${}_{:016x}", work.name(), hasher.finish());
    let known = context.udfs().contains(&name);
    if !known {
        let function = HigherOrder::new(name.clone(), work, bodies, values.len(), context.state());
        context.register_udf(function.into());
    }
    Ok(call(&name, values.into_iter().chain(captures)))
}

/// Gives the parameters of a lambda's body their names, and turns what the body reads from outside into captures.
struct Binder<'a> {
    parameters: &'a [Ident],
    captures: &'a mut Vec<Expr>,
    context: &'a SessionContext,
    /// Whether aggregates are captured as a whole, with what is in them.
    whole: bool,
}

impl Binder<'_> {
    fn parameter(&self, name: &Ident) -> Option<Expr> {
        let same = |parameter: &Ident| match (parameter.quote_style, name.quote_style) {
            (None, None) => parameter.value.eq_ignore_ascii_case(&name.value),
            _ => parameter.value == name.value,
        };
        let index = self.parameters.iter().position(same)?;
        Some(Expr::Identifier(quoted(&parameter_name(index))))
    }

    fn capture(&mut self, expr: &Expr) -> Expr {
        let index = self.captures.iter().position(|known| known == expr).unwrap_or_else(|| {
            self.captures.push(expr.clone());
            self.captures.len() - 1
        });
        Expr::Identifier(quoted(&capture_name(index)))
    }

    fn aggregates(&self, function: &Function) -> bool {
        let name = function_name(function);
        function.over.is_some() || (self.context.udaf(&name).is_ok() && self.context.udf(&name).is_err())
    }
}

impl VisitorMut for Binder<'_> {
    type Break = DataFusionError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DataFusionError> {
        let bound = match expr {
            // The walk goes on into what has just been bound.
            Expr::Identifier(name) if is_bound(name) => None,
            Expr::Identifier(name) => match self.parameter(name) {
                Some(parameter) => Some(parameter),
                None => Some(self.capture(expr)),
            },
            Expr::CompoundIdentifier(path) => match path
                .split_first()
                .and_then(|(root, rest)| self.parameter(root).map(|parameter| (parameter, rest)))
            {
                Some((parameter, rest)) => {
                    let field = |value, name: &Ident| call("$field", [value, text(&name.value)]);
                    Some(rest.iter().fold(parameter, field))
                }
                None => Some(self.capture(expr)),
            },
            Expr::Function(function) if self.aggregates(function) => {
                if !self.whole {
                    return ControlFlow::Break(DataFusionError::Plan(format!(
                        "Lambda expression cannot contain aggregations or window functions: {}",
                        function_name(function)
                    )));
                }
                Some(self.capture(expr))
            }
            Expr::Subquery(_) if self.whole => Some(self.capture(expr)),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                return ControlFlow::Break(DataFusionError::Plan(
                    "Lambda expression cannot contain subqueries".to_owned(),
                ));
            }
            _ => None,
        };
        if let Some(bound) = bound {
            *expr = bound;
        }
        ControlFlow::Continue(())
    }
}
