//! How a function of the dialect is declared, and how it meets DataFusion: overloads with the kinds of their parameters, the
//! type of the result, and one body that works on a whole batch.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};

use super::column::Argument;
use super::types::type_name;

/// What a parameter takes, and what an argument becomes before the body sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything, as it is.
    Any,
    /// varchar (or JSON text), in whichever of Arrow's string types it came.
    Text,
    /// Whole numbers, as bigint.
    Bigint,
    /// Any number, as double.
    Double,
    /// bigint, or double for everything with a fraction.
    Number,
    /// boolean.
    Boolean,
    /// varbinary.
    Binary,
    /// timestamp, with or without zone, or date.
    Time,
    /// array of anything.
    Array,
    /// map of anything.
    Map,
    /// row of anything.
    Row,
    /// ipaddress.
    Ip,
    /// An element of the array that the first argument is.
    Element,
    /// The key of the map that the first argument is.
    Key,
    /// The type of the first argument.
    LikeFirst,
}

/// The types (and literals) of a call's arguments.
pub(crate) struct Types<'a> {
    /// The arguments' types after coercion.
    pub types: &'a [DataType],
    /// The arguments that are literals.
    pub literals: &'a [Option<&'a ScalarValue>],
}

impl Types<'_> {
    /// The text of an argument that has to be a literal.
    pub(crate) fn literal_text(&self, index: usize, what: &str) -> Result<String> {
        match self.literals.get(index).copied().flatten() {
            Some(value) => match value.try_as_str() {
                Some(Some(text)) => Ok(text.to_owned()),
                _ => Err(DataFusionError::Plan(format!("{what} has to be a varchar that is not NULL"))),
            },
            None => Err(DataFusionError::Plan(format!("{what} has to be a constant"))),
        }
    }
}

/// One way to call a function.
pub(crate) struct Overload {
    /// The parameters.
    pub parameters: &'static [Kind],
    /// Whether the last parameter may be repeated.
    pub repeats: bool,
    /// The type of the result.
    pub returns: fn(&Types<'_>) -> Result<DataType>,
    /// The work, for a whole batch.
    pub body: fn(&Call) -> Result<ArrayRef>,
}

/// Makes a better expression of a call's arguments, if it can.
pub(crate) type Simplify = fn(&[Expr], &SimplifyContext) -> Result<Option<Expr>>;

/// A function as the tables of this module declare it.
pub(crate) struct Function {
    /// The name, in lower case.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// The ways to call it; the first that fits is taken.
    pub overloads: &'static [Overload],
    /// Whether it gives the same for the same arguments.
    pub volatility: Volatility,
    /// A better expression, where the arguments' types allow one.
    pub simplify: Option<Simplify>,
    /// Whether all it does is to pick a part of its first argument, and where it fails, it does so whatever the row has.
    pub picks: bool,
}

/// A batch of arguments, after coercion.
pub(crate) struct Call {
    /// The arguments.
    pub arguments: Vec<Argument>,
    /// Rows to compute: 1 if every argument is constant.
    pub rows: usize,
    /// The type of the result.
    pub result: DataType,
}

/// Declares a function of one or more overloads.
macro_rules! function {
    ($name:literal, $(alias $alias:literal,)* $( ($($kind:ident),* $(; $repeats:ident)?) -> $returns:expr => $body:expr ),+ $(,)?) => {
        $crate::functions::call::Function {
            name: $name,
            aliases: &[$($alias),*],
            overloads: &[$($crate::functions::call::Overload {
                parameters: &[$($crate::functions::call::Kind::$kind),*],
                repeats: function!(@repeats $($repeats)?),
                returns: $returns,
                body: $body,
            }),+],
            volatility: datafusion::logical_expr::Volatility::Immutable,
            simplify: None,
            picks: false,
        }
    };
    (@repeats $repeats:ident) => { true };
    (@repeats) => { false };
}
pub(crate) use function;

/// Results that do not depend on the arguments.
pub(crate) mod returns {
    use super::*;

    macro_rules! fixed {
        ($($name:ident: $kind:expr, $text:literal;)*) => { $(
            #[doc = $text]
            pub(crate) fn $name(_: &Types<'_>) -> Result<DataType> { Ok($kind) }
        )* };
    }
    fixed! {
        text: DataType::Utf8, "varchar";
        json: DataType::LargeUtf8, "json";
        bigint: DataType::Int64, "bigint";
        double: DataType::Float64, "double";
        boolean: DataType::Boolean, "boolean";
        binary: DataType::Binary, "varbinary";
        date: DataType::Date32, "date";
        timestamp: DataType::Timestamp(TimeUnit::Millisecond, None), "timestamp(3)";
        zoned: DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), "timestamp(3) with time zone";
    }

    /// An array of varchar.
    pub(crate) fn texts(_: &Types<'_>) -> Result<DataType> {
        Ok(list_of(DataType::Utf8))
    }

    /// The type of the first argument.
    pub(crate) fn first(types: &Types<'_>) -> Result<DataType> {
        Ok(types.types.first().cloned().unwrap_or(DataType::Null))
    }

    /// The type of the second argument.
    pub(crate) fn second(types: &Types<'_>) -> Result<DataType> {
        Ok(types.types.get(1).cloned().unwrap_or(DataType::Null))
    }

    /// The type of the third argument.
    pub(crate) fn third(types: &Types<'_>) -> Result<DataType> {
        Ok(types.types.get(2).cloned().unwrap_or(DataType::Null))
    }

    /// The element of the array that the first argument is.
    pub(crate) fn element(types: &Types<'_>) -> Result<DataType> {
        Ok(types.types.first().map_or(DataType::Null, element_type))
    }
}

/// An array type.
pub(crate) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// The element type of an array, or NULL's type.
pub(crate) fn element_type(list: &DataType) -> DataType {
    match list {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            field.data_type().clone()
        }
        _ => DataType::Null,
    }
}

/// The key and value types of a map.
pub(crate) fn map_types(map: &DataType) -> (DataType, DataType) {
    if let DataType::Map(entries, _) = map
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = fields.as_ref()
    {
        return (key.data_type().clone(), value.data_type().clone());
    }
    (DataType::Null, DataType::Null)
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether a value of one type may stand where another is wanted, without a cast in the query.
fn fits(from: &DataType, to: &DataType) -> bool {
    from == to
        || from.is_null()
        || (from.is_numeric() && to.is_numeric())
        || (is_text(from) && is_text(to))
        || (from.is_temporal() && to.is_temporal())
        || (is_text(from) && to.is_temporal())
        || (from.is_nested() && to.is_nested() && arrow::compute::can_cast_types(from, to))
}

impl Kind {
    /// The type that an argument of type `from` takes, or nothing if it doesn't fit.
    fn coerce(self, from: &DataType, first: Option<&DataType>) -> Option<DataType> {
        let whole = from.is_integer() || from.is_null();
        match self {
            Kind::Any => Some(from.clone()),
            Kind::Text => match from {
                kind if is_text(kind) => Some(kind.clone()),
                DataType::Null => Some(DataType::Utf8),
                DataType::Dictionary(_, value) if is_text(value) => Some(DataType::Utf8),
                _ => None,
            },
            Kind::Bigint => whole.then_some(DataType::Int64),
            Kind::Double => (from.is_numeric() || from.is_null()).then_some(DataType::Float64),
            Kind::Number if whole => Some(DataType::Int64),
            Kind::Number => from.is_numeric().then_some(DataType::Float64),
            Kind::Boolean => matches!(from, DataType::Boolean | DataType::Null).then_some(DataType::Boolean),
            Kind::Binary => matches!(
                from,
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null
            )
            .then_some(DataType::Binary),
            Kind::Time => match from {
                DataType::Timestamp(_, _) | DataType::Date32 => Some(from.clone()),
                DataType::Date64 => Some(DataType::Date32),
                DataType::Null => Some(DataType::Timestamp(TimeUnit::Millisecond, None)),
                _ => None,
            },
            Kind::Array => match from {
                DataType::List(_) => Some(from.clone()),
                DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
                    Some(DataType::List(field.clone()))
                }
                DataType::Null => Some(list_of(DataType::Null)),
                _ => None,
            },
            Kind::Map => matches!(from, DataType::Map(_, _)).then(|| from.clone()),
            Kind::Row => matches!(from, DataType::Struct(_)).then(|| from.clone()),
            Kind::Ip => matches!(from, DataType::FixedSizeBinary(16)).then(|| from.clone()),
            Kind::Element => {
                let wanted = element_type(first?);
                if wanted.is_null() { Some(from.clone()) } else { fits(from, &wanted).then_some(wanted) }
            }
            Kind::Key => {
                let (wanted, _) = map_types(first?);
                fits(from, &wanted).then_some(wanted)
            }
            Kind::LikeFirst => fits(from, first?).then(|| first.cloned())?,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Any => "any",
            Kind::Text => "varchar",
            Kind::Bigint => "bigint",
            Kind::Double => "double",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Binary => "varbinary",
            Kind::Time => "timestamp",
            Kind::Array => "array(E)",
            Kind::Map => "map(K, V)",
            Kind::Row => "row",
            Kind::Ip => "ipaddress",
            Kind::Element => "E",
            Kind::Key => "K",
            Kind::LikeFirst => "T",
        }
    }
}

impl Overload {
    fn coerce(&self, types: &[DataType]) -> Option<Vec<DataType>> {
        let fixed = self.parameters.len();
        if types.len() < fixed || (types.len() > fixed && !self.repeats) {
            return None;
        }
        let mut coerced: Vec<DataType> = Vec::with_capacity(types.len());
        for (index, from) in types.iter().enumerate() {
            let kind = self.parameters.get(index).or(self.parameters.last())?;
            let to = kind.coerce(from, coerced.first())?;
            coerced.push(to);
        }
        Some(coerced)
    }
}

/// A function of the dialect as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct Scalar {
    function: &'static Function,
    aliases: Vec<String>,
    signature: Signature,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl Scalar {
    /// The function of a table's line.
    pub(crate) fn new(function: &'static Function) -> Self {
        Self {
            function,
            aliases: function.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            signature: Signature::user_defined(function.volatility),
        }
    }

    fn choose(&self, types: &[DataType]) -> Result<(&'static Overload, Vec<DataType>)> {
        for overload in self.function.overloads {
            if let Some(coerced) = overload.coerce(types) {
                return Ok((overload, coerced));
            }
        }
        // Functions of the rewrites have names that nobody wrote.
        let name = self.function.name.trim_start_matches('$');
        let given: Vec<String> = types.iter().map(type_name).collect();
        let expected: Vec<String> = self
            .function
            .overloads
            .iter()
            .map(|overload| {
                let kinds: Vec<&str> = overload.parameters.iter().map(|kind| kind.name()).collect();
                format!("{}({}{})", name, kinds.join(", "), if overload.repeats { ", …" } else { "" })
            })
            .collect();
        Err(DataFusionError::Plan(format!(
            "Unexpected parameters ({}) for function {}. Expected: {}",
            given.join(", "),
            name,
            expected.join(", ")
        )))
    }
}

impl ScalarUDFImpl for Scalar {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.choose(types)?.1)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let (overload, coerced) = self.choose(types)?;
        let literals = vec![None; coerced.len()];
        (overload.returns)(&Types { types: &coerced, literals: &literals })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let (overload, coerced) = self.choose(&types)?;
        let result = (overload.returns)(&Types { types: &coerced, literals: args.scalar_arguments })?;
        Ok(Arc::new(Field::new(self.function.name, result, true)))
    }

    /// What picks a part of a column goes with the column to where that is read, so that nothing above carries the whole
    /// column.
    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        match arguments {
            [column, ExpressionPlacement::Literal]
                if self.function.picks && column.should_push_to_leaves() =>
            {
                ExpressionPlacement::MoveTowardsLeafNodes
            }
            _ => ExpressionPlacement::KeepInPlace,
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let (overload, coerced) = self.choose(&types)?;
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.function.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { args.number_rows };
        let arguments = args
            .args
            .iter()
            .zip(coerced)
            .map(|(value, to)| Argument::of(value, &to))
            .collect::<Result<Vec<_>>>()?;
        let result = args.return_field.data_type().clone();
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_null_array(&result, 0)));
        }
        let array = (overload.body)(&Call { arguments, rows, result: result.clone() })?;
        let array = if array.data_type() == &result { array } else { arrow::compute::cast(&array, &result)? };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if let Some(simplify) = self.function.simplify
            && let Some(better) = simplify(&args, info)?
        {
            return Ok(ExprSimplifyResult::Simplified(better));
        }
        Ok(ExprSimplifyResult::Original(args))
    }
}

/// An error of a row.
pub(crate) fn failed(message: impl Into<String>) -> DataFusionError {
    DataFusionError::Execution(message.into())
}
