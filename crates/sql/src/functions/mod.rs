//! The dialect's functions. What DataFusion has with the same meaning is used as it is; what differs, or is missing, is here,
//! as tables of names, parameters and bodies.

mod array;
mod binary;
mod call;
mod cast;
mod column;
mod compare;
pub(crate) mod ip;
mod json;
mod json_path;
mod json_values;
pub(crate) mod lambda;
mod lambda_work;
mod map;
mod math;
mod regex;
mod size;
mod text;
mod time;
mod time_format;
mod time_parts;
mod types;
mod url;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

use crate::rewrite::ComparedTimes;
use call::{Function, Scalar};
pub(crate) use size::of_range;
pub use time::has_zone;
pub use types::type_name;

/// All functions of this module.
fn tables() -> impl Iterator<Item = &'static Function> {
    [
        array::FUNCTIONS,
        binary::FUNCTIONS,
        cast::FUNCTIONS,
        compare::FUNCTIONS,
        json::FUNCTIONS,
        map::FUNCTIONS,
        math::FUNCTIONS,
        math::OF_DOUBLES,
        math::RANDOM,
        regex::FUNCTIONS,
        text::FUNCTIONS,
        time_parts::FUNCTIONS,
        time_parts::LOCAL_NOW,
        time_parts::NOW,
        url::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Makes the dialect's functions known to a context. They take the place of DataFusion's of the same name.
pub fn register(context: &SessionContext) {
    for function in tables() {
        context.register_udf(ScalarUDF::new_from_impl(Scalar::new(function)));
    }
    let registered = context.state_ref().write().register_function_rewrite(Arc::new(ComparedTimes));
    debug_assert!(registered.is_ok(), "a session takes rewrites");
}

/// The moment that a text says, as a value of a timestamp type.
///
/// # Errors
/// Trino's words for what says none.
pub(crate) fn time_of_text(text: &str, kind: &DataType) -> Result<ScalarValue> {
    let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
    ScalarValue::try_from_array(&time::parse_all(&text, kind)?, 0)
}

/// Names that the rewrites take, which no registry knows.
const REWRITTEN: [&str; 33] = [
    "all_match",
    "any_match",
    "any_value",
    "approx_percentile",
    "arbitrary",
    "bitwise_and_agg",
    "bitwise_or_agg",
    "bitwise_xor_agg",
    "count_if",
    "date",
    "every",
    "filter",
    "geometric_mean",
    "histogram",
    "if",
    "listagg",
    "map",
    "map_agg",
    "map_filter",
    "map_union",
    "max_by",
    "min_by",
    "multimap_agg",
    "none_match",
    "reduce",
    "row",
    "set_agg",
    "transform",
    "transform_keys",
    "transform_values",
    "try",
    "variance",
    "zip_with",
];

/// How many letters a name may be away from what was meant.
const MAX_DISTANCE: usize = 3;

/// The function whose name is nearest to one that nobody knows.
pub fn nearest(context: &SessionContext, name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let state = context.state();
    let scalars = context.udfs();
    let aggregates = state.aggregate_functions().keys().cloned();
    let windows = state.window_functions().keys().cloned();
    scalars
        .into_iter()
        .chain(aggregates)
        .chain(windows)
        .chain(REWRITTEN.map(str::to_owned))
        .filter(|known| !known.starts_with('$'))
        .map(|known| (levenshtein(&known, &name), known))
        .filter(|(distance, known)| *distance <= MAX_DISTANCE.min(known.len() / 2))
        .min()
        .map(|(_, known)| known)
}
