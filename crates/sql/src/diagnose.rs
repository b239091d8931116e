//! What DataFusion says is wrong, in plain words, with its place in the query and what its author may have meant.

use std::cmp::Reverse;

use arrow::error::ArrowError;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use crate::mismatch::{self, Columns};
use crate::spoken::in_trinos_types;
use crate::text::Text;
use crate::{Mistake, SqlError};

/// What went wrong in planning a query: mostly its author's mistake. `columns` are those of its tables.
pub(crate) fn planning(
    error: &DataFusionError,
    text: &Text,
    session: &SessionContext,
    columns: &Columns,
) -> SqlError {
    if let DataFusionError::Plan(message)
    | DataFusionError::Internal(message)
    | DataFusionError::Execution(message) = root(error)
        && let Some(told) = mismatch::told(message, text, columns)
    {
        return told;
    }
    let place = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| (span.start.line, span.start.column))
        .filter(|place| *place != (0, 0));
    match root(error) {
        DataFusionError::SchemaError(schema, _) => of_schema(schema, place, text),
        DataFusionError::Plan(message) | DataFusionError::Configuration(message) => {
            of_plan(message, place, text, session)
        }
        DataFusionError::NotImplemented(message) => {
            mistake(place, format!("Not supported: {}", plain(message)), None)
        }
        DataFusionError::SQL(error, _) => mistake(place, plain(&error.to_string()), None),
        DataFusionError::Execution(message) => mistake(place, plain(message), None),
        DataFusionError::ArrowError(error, _) => mistake(place, plain(&error.to_string()), None),
        _ => running(error),
    }
}

/// What went wrong in running a query: a value, a limit, a file, or the engine.
pub(crate) fn running(error: &DataFusionError) -> SqlError {
    match root(error) {
        DataFusionError::ArrowError(error, _) => of_arrow(error),
        DataFusionError::Execution(message) | DataFusionError::Plan(message) => {
            SqlError::Value(plain(message))
        }
        DataFusionError::NotImplemented(message) => {
            SqlError::mistake(format!("Not supported: {}", plain(message)))
        }
        DataFusionError::ResourcesExhausted(message) if message.contains("disk") => {
            SqlError::OutOfDisk(first_line(message))
        }
        DataFusionError::ResourcesExhausted(message) => SqlError::OutOfMemory(first_line(message)),
        DataFusionError::ParquetError(error) => SqlError::Table(error.to_string()),
        DataFusionError::ObjectStore(error) => SqlError::Table(error.to_string()),
        DataFusionError::IoError(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            SqlError::OutOfDisk(error.to_string())
        }
        DataFusionError::IoError(error) => SqlError::Table(error.to_string()),
        DataFusionError::External(error) => match error.downcast_ref::<SqlError>() {
            Some(error) => error.clone(),
            None => SqlError::Internal(error.to_string()),
        },
        other => SqlError::Internal(other.strip_backtrace()),
    }
}

/// The error without what is wrapped around it.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(error, root),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::ExternalError(inner) => inner.downcast_ref().map_or(error, root),
            _ => error,
        },
        DataFusionError::External(inner) => inner.downcast_ref::<DataFusionError>().map_or(error, root),
        other => other,
    }
}

fn of_arrow(error: &ArrowError) -> SqlError {
    match error {
        ArrowError::DivideByZero => SqlError::Value("Division by zero".to_owned()),
        ArrowError::ArithmeticOverflow(message)
        | ArrowError::CastError(message)
        | ArrowError::ParseError(message)
        | ArrowError::InvalidArgumentError(message)
        | ArrowError::ComputeError(message) => SqlError::Value(plain(message)),
        ArrowError::ParquetError(message) | ArrowError::IoError(message, _) => {
            SqlError::Table(message.clone())
        }
        other => SqlError::Internal(other.to_string()),
    }
}

fn of_schema(error: &SchemaError, place: Option<(u64, u64)>, text: &Text) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let place = place.or_else(|| text.find(&field.name, false));
            let names: Vec<&str> = valid_fields.iter().map(Column::name).collect();
            let suggestion = nearest(&field.name, names.iter().copied());
            mistake(place, format!("Column '{}' can't be resolved.", written(field)), suggestion)
        }
        SchemaError::AmbiguousReference { field } => {
            let place = place.or_else(|| text.find(&field.name, false));
            mistake(place, format!("Column '{}' is ambiguous.", written(field)), None)
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            let place = place.or_else(|| text.find(name, false));
            mistake(place, format!("Column '{name}' is there more than once."), None)
        }
    }
}

fn written(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{}.{}", relation.table(), column.name),
        None => column.name.clone(),
    }
}

fn of_plan(message: &str, place: Option<(u64, u64)>, text: &Text, session: &SessionContext) -> SqlError {
    if let Some(name) = quoted_after(message, "Invalid function '") {
        let place = place.or_else(|| text.find(name, true));
        let functions = session.udfs().into_iter().chain(session.udafs()).chain(session.udwfs());
        let functions: Vec<String> = functions.filter(|name| !name.starts_with('$')).collect();
        let suggestion = nearest(name, functions.iter().map(String::as_str))
            .or_else(|| crate::functions::nearest(session, name));
        return mistake(place, format!("Function '{name}' is not known."), suggestion);
    }
    if let Some((name, row)) = message.trim_start_matches('\'').split_once("' is no field of ") {
        let fields = row.split(|ch: char| !ch.is_alphanumeric() && ch != '_');
        let message = format!("'{name}' is no field of the row before it.");
        return mistake(place.or_else(|| text.find(name, false)), message, nearest(name, fields));
    }
    if let Some((_, rest)) = message.split_once("While expanding wildcard, column \"") {
        let name = rest.split('"').next().and_then(|name| name.rsplit('.').next()).unwrap_or_default();
        let message = format!("Column '{name}' must be in GROUP BY or in an aggregate function.");
        return mistake(place.or_else(|| text.find(name, false)), message, None);
    }
    if let Some(name) = quoted_after(message, "Function '")
        && message.contains("failed to match any signature")
    {
        let message = format!("Function '{name}' does not take these arguments.");
        return mistake(place.or_else(|| text.find(name, true)), message, None);
    }
    let call = quoted_after(message, "for function ").or_else(|| quoted_after(message, "'"));
    let word = quoted_after(message, "Unknown type: ");
    let first = message.split([' ', '(']).next().unwrap_or_default();
    let place = place
        .or_else(|| call.and_then(|name| text.find(name, true)))
        .or_else(|| word.and_then(|name| text.find(name, false)))
        .or_else(|| text.find(first, true));
    mistake(place, plain(message), None)
}

/// The word behind `before`, up to a quote, a space or the end.
fn quoted_after<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    rest.split(['\'', ' ', '.', '\n']).next().filter(|word| !word.is_empty())
}

fn mistake(place: Option<(u64, u64)>, message: String, suggestion: Option<String>) -> SqlError {
    SqlError::Mistake(Mistake { place, message, suggestion })
}

/// The name that is nearest to one, if one is near; of two, the longer: letters are forgotten more often than added.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    let near = (name.chars().count() / 3).max(1);
    names
        .map(|candidate| (levenshtein(&name, &candidate.to_lowercase()), Reverse(candidate.len()), candidate))
        .filter(|(distance, ..)| *distance <= near)
        .min()
        .map(|(.., candidate)| candidate.to_owned())
}

/// A message of DataFusion's without its own words around it, as a sentence.
fn plain(message: &str) -> String {
    let mut text = first_line(message);
    // What a function says of its arguments is quoted in what the planner makes of it.
    if let Some((_, said)) = text.split_once("user-defined coercion failed with ")
        && let Some((said, _)) = said.trim_start_matches('"').split_once("\" No function matches")
    {
        text = said.to_owned();
    }
    for prefix in
        ["Error during planning: ", "Execution error: ", "Cast error: ", "Compute error: ", "Parser error: "]
    {
        while let Some(rest) = text.strip_prefix(prefix) {
            text = rest.to_owned();
        }
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    in_trinos_types(&text)
}

fn first_line(message: &str) -> String {
    let text = message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(message);
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_is_suggested_if_it_is_near() {
        let names = ["eventName", "eventTime", "eventSource"];
        assert_eq!(nearest("evntname", names.into_iter()).as_deref(), Some("eventName"));
        assert_eq!(nearest("nothing", names.into_iter()), None);
    }
}
