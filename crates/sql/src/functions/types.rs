//! The names of Trino's types, and the Arrow types that stand for them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::{DataFusionError, Result};

use super::call::list_of;

/// How deep types may be nested in each other.
const MAX_DEPTH: usize = 32;

/// A type as a query writes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// The Arrow type.
    pub kind: DataType,
    /// `varchar(n)`'s n.
    pub length: Option<usize>,
}

/// A map type.
pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let fields = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

/// A row type with fields without names.
pub(crate) fn row_of(types: impl IntoIterator<Item = DataType>) -> DataType {
    let fields: Vec<Field> = types
        .into_iter()
        .enumerate()
        .map(|(index, kind)| Field::new(format!("field{index}"), kind, true))
        .collect();
    DataType::Struct(fields.into())
}

/// Reads a type: `varchar(10)`, `map(varchar, json)`, `row(a bigint, b array(varchar))`, `timestamp(3) with time zone`, …
pub(crate) fn parse_type(text: &str) -> Result<Wanted> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, position: 0, depth: 0 };
    let wanted = reader.read()?;
    match reader.peek() {
        None => Ok(wanted),
        Some(_) => Err(unknown(text)),
    }
}

fn unknown(text: &str) -> DataFusionError {
    DataFusionError::Plan(format!("Unknown type: {}", text.trim()))
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&first) = chars.peek() {
        match first {
            '(' | '<' => tokens.push(Token::Open),
            ')' | '>' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Comma),
            '"' => {
                chars.next();
                let mut name = String::new();
                while let Some(&next) = chars.peek() {
                    if next == '"' {
                        break;
                    }
                    name.push(next);
                    chars.next();
                }
                tokens.push(Token::Quoted(name));
            }
            c if c.is_whitespace() => {}
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::new();
                while let Some(&next) = chars.peek() {
                    if !(next.is_alphanumeric() || next == '_') {
                        break;
                    }
                    word.push(next.to_ascii_lowercase());
                    chars.next();
                }
                tokens.push(Token::Word(word));
                continue;
            }
            _ => return Err(unknown(text)),
        }
        chars.next();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
    position: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.position += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token) -> Result<()> {
        if self.take(token) {
            return Ok(());
        }
        Err(DataFusionError::Plan("a type's parentheses or commas are wrong".to_owned()))
    }

    fn numbers(&mut self) -> Result<Vec<usize>> {
        let mut numbers = Vec::new();
        if !self.take(&Token::Open) {
            return Ok(numbers);
        }
        loop {
            match self.peek() {
                Some(Token::Word(word)) => {
                    numbers.push(word.parse().map_err(|_| unknown(word))?);
                    self.position += 1;
                }
                _ => return Err(DataFusionError::Plan("a type's length has to be a number".to_owned())),
            }
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close)?;
        Ok(numbers)
    }

    fn read(&mut self) -> Result<Wanted> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(DataFusionError::Plan("a type is nested too deep".to_owned()));
        }
        let Some(Token::Word(name)) = self.peek() else {
            return Err(DataFusionError::Plan("a type is missing".to_owned()));
        };
        let name = name.clone();
        self.position += 1;
        let mut length = None;
        let kind = match name.as_str() {
            "boolean" => DataType::Boolean,
            "tinyint" => DataType::Int8,
            "smallint" => DataType::Int16,
            "int" | "integer" => DataType::Int32,
            "bigint" => DataType::Int64,
            "real" => DataType::Float32,
            "double" => {
                self.take_word("precision");
                DataType::Float64
            }
            "decimal" => self.decimal()?,
            "varchar" | "char" | "string" => {
                length = self.numbers()?.first().copied();
                DataType::Utf8
            }
            "varbinary" => DataType::Binary,
            "json" => DataType::LargeUtf8,
            "date" => DataType::Date32,
            "time" => {
                self.numbers()?;
                DataType::Time64(TimeUnit::Microsecond)
            }
            "timestamp" => self.timestamp()?,
            "ipaddress" => DataType::FixedSizeBinary(16),
            "array" => {
                self.expect(&Token::Open)?;
                let element = self.read()?.kind;
                self.expect(&Token::Close)?;
                list_of(element)
            }
            "map" => {
                self.expect(&Token::Open)?;
                let key = self.read()?.kind;
                self.expect(&Token::Comma)?;
                let value = self.read()?.kind;
                self.expect(&Token::Close)?;
                map_of(key, value)
            }
            "row" => self.row()?,
            _ => return Err(unknown(&name)),
        };
        self.depth -= 1;
        Ok(Wanted { kind, length })
    }

    fn decimal(&mut self) -> Result<DataType> {
        let numbers = self.numbers()?;
        let precision = numbers.first().copied().unwrap_or(38);
        let scale = numbers.get(1).copied().unwrap_or(0);
        if precision == 0 || precision > 38 || scale > precision {
            return Err(DataFusionError::Plan(format!(
                "DECIMAL precision must be in range [1, 38]: {precision}"
            )));
        }
        Ok(DataType::Decimal128(precision as u8, scale as i8))
    }

    fn timestamp(&mut self) -> Result<DataType> {
        let unit = match self.numbers()?.first().copied().unwrap_or(3) {
            0..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            7..=12 => TimeUnit::Nanosecond,
            precision => {
                return Err(DataFusionError::Plan(format!(
                    "TIMESTAMP precision must be in range [0, 12]: {precision}"
                )));
            }
        };
        let with = self.take_word("with");
        let zoned = with || self.take_word("without");
        if zoned && !(self.take_word("time") && self.take_word("zone")) {
            return Err(unknown("timestamp with"));
        }
        Ok(DataType::Timestamp(unit, with.then(|| "UTC".into())))
    }

    fn row(&mut self) -> Result<DataType> {
        self.expect(&Token::Open)?;
        let mut fields = Vec::new();
        loop {
            let named = match (self.peek(), self.tokens.get(self.position + 1)) {
                (Some(Token::Quoted(name)), _) => Some(name.clone()),
                (Some(Token::Word(name)), Some(Token::Word(next)))
                    if next != "with" && next != "precision" =>
                {
                    Some(name.clone())
                }
                _ => None,
            };
            self.position += usize::from(named.is_some());
            let name = named.unwrap_or_else(|| format!("field{}", fields.len()));
            fields.push(Field::new(name, self.read()?.kind, true));
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close)?;
        Ok(DataType::Struct(fields.into()))
    }
}

/// Trino's name of a type, as `typeof` gives it.
pub fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Null => "unknown".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float16 | DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::LargeUtf8 => "json".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary".to_owned(),
        DataType::FixedSizeBinary(16) => "ipaddress".to_owned(),
        DataType::FixedSizeBinary(_) => "varbinary".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time(3)".to_owned(),
        DataType::Timestamp(unit, zone) => {
            let precision = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            format!("timestamp({precision}){}", if zone.is_some() { " with time zone" } else { "" })
        }
        DataType::Interval(_) | DataType::Duration(_) => "interval day to second".to_owned(),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => format!("array({})", type_name(field.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(index, field)| {
                    if *field.name() == format!("field{index}") {
                        type_name(field.data_type())
                    } else {
                        format!("{} {}", field.name(), type_name(field.data_type()))
                    }
                })
                .collect();
            format!("row({})", fields.join(", "))
        }
        DataType::Map(_, _) => {
            let (key, value) = super::call::map_types(kind);
            format!("map({}, {})", type_name(&key), type_name(&value))
        }
        DataType::Dictionary(_, value) => type_name(value),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_named_as_trino_names_them() {
        for name in [
            "boolean",
            "bigint",
            "varchar",
            "json",
            "date",
            "varbinary",
            "ipaddress",
            "double",
            "real",
            "map(varchar, json)",
            "array(array(bigint))",
            "row(a bigint, b array(varchar))",
            "row(bigint, varchar)",
            "timestamp(3)",
            "timestamp(6) with time zone",
            "decimal(10,2)",
        ] {
            assert_eq!(type_name(&parse_type(name).expect(name).kind), name);
        }
        assert_eq!(parse_type("VARCHAR(3)").expect("varchar").length, Some(3));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        let deep = "array(".repeat(100);
        for name in [
            "",
            "nothing",
            "array",
            "array(",
            "map(varchar)",
            "row()",
            "varchar(x)",
            "timestamp(99)",
            deep.as_str(),
        ] {
            assert!(parse_type(name).is_err(), "{name}");
        }
    }
}
