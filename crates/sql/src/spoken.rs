//! Messages of DataFusion's and Arrow's, with types in Trino's words.

/// How Arrow writes types, and Trino.
const PLAIN: [(&str, &str); 22] = [
    ("Utf8View", "varchar"),
    ("LargeUtf8", "varchar"),
    ("Utf8", "varchar"),
    ("LargeBinary", "varbinary"),
    ("BinaryView", "varbinary"),
    ("Binary", "varbinary"),
    ("Boolean", "boolean"),
    ("Int8", "tinyint"),
    ("Int16", "smallint"),
    ("Int32", "integer"),
    ("Int64", "bigint"),
    ("UInt8", "smallint"),
    ("UInt16", "integer"),
    ("UInt32", "bigint"),
    ("UInt64", "bigint"),
    ("Float32", "real"),
    ("Float64", "double"),
    ("Date32", "date"),
    ("Date64", "date"),
    ("Null", "unknown"),
    ("Interval", "interval"),
    ("Duration", "interval"),
];

/// A message in which types are Trino's. What stands in quotes is left alone.
pub(crate) fn in_trinos_types(message: &str) -> String {
    let mut spoken = String::with_capacity(message.len());
    let mut rest = message;
    let mut quote = None;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if quote.is_none()
            && !before.is_alphanumeric()
            && let Some((name, length)) = type_at(rest)
        {
            spoken.push_str(&name);
            rest = &rest[length..];
            before = ')';
            continue;
        }
        match quote {
            Some(open) if open == first => quote = None,
            None if matches!(first, '\'' | '"') && !before.is_alphanumeric() => quote = Some(first),
            _ => {}
        }
        spoken.push(first);
        before = first;
        rest = &rest[first.len_utf8()..];
    }
    spoken
}

/// The type with which a text begins, and how long it is there.
fn type_at(text: &str) -> Option<(String, usize)> {
    let word = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    let name = &text[..word];
    let inside = bracketed(&text[word..]);
    let length = word + inside.map_or(0, |inside| inside.len() + 2);
    let inside = inside.unwrap_or_default();
    let spoken = match name {
        "Timestamp" => {
            let zone = if inside.contains("None") || !inside.contains(',') { "" } else { " with time zone" };
            format!("timestamp(3){zone}")
        }
        "Time32" | "Time64" => "time".to_owned(),
        "Decimal128" | "Decimal256" => format!("decimal({})", inside.replace(' ', "")),
        "Struct" => "row".to_owned(),
        "FixedSizeBinary" => "ipaddress".to_owned(),
        "List" | "LargeList" | "FixedSizeList" | "ListView" => format!("array({})", first_type(inside)),
        "Map" => {
            let (key, value) = two_types(inside);
            format!("map({key}, {value})")
        }
        plain => {
            let (_, spoken) = PLAIN.iter().find(|(name, _)| *name == plain)?;
            return Some(((*spoken).to_owned(), if inside.is_empty() { word } else { length }));
        }
    };
    Some((spoken, length)).filter(|_| length > word || name == "Struct")
}

/// What is between the bracket at a text's start and the one that closes it.
fn bracketed(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at).filter(|_| at > 0);
        }
    }
    None
}

/// The first type in a text, wherever it is.
fn first_type(text: &str) -> String {
    types(text).next().unwrap_or_else(|| "unknown".to_owned())
}

/// The types of a map's key and value, which stand in a row.
fn two_types(text: &str) -> (String, String) {
    let entries = text.split_once("Struct").and_then(|(_, rest)| bracketed(rest)).unwrap_or(text);
    let mut types = types(entries);
    let mut next = || types.next().unwrap_or_else(|| "unknown".to_owned());
    (next(), next())
}

fn types(text: &str) -> impl Iterator<Item = String> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
            let starts = !text[..at].ends_with(char::is_alphanumeric);
            match type_at(rest).filter(|_| starts) {
                Some((name, length)) => {
                    at += length;
                    return Some(name);
                }
                None => at += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::in_trinos_types;

    #[test]
    fn types_are_those_of_the_dialect() {
        for (message, expected) in [
            ("Utf8View = Boolean", "varchar = boolean"),
            ("List(Struct(\"arn\": Utf8)) = Utf8", "array(row) = varchar"),
            ("Timestamp(ms) > Int64", "timestamp(3) > bigint"),
            ("Timestamp(ms, \"UTC\") > Date32", "timestamp(3) with time zone > date"),
            (
                "Map(\"entries\": non-null Struct(\"key\": non-null Utf8, \"value\": Utf8), unsorted) = Utf8View",
                "map(varchar, varchar) = varchar",
            ),
            ("Decimal128(3, 1) + Float64", "decimal(3,1) + double"),
            ("a Mapping of 'Utf8' and UTF8 stays", "a Mapping of 'Utf8' and UTF8 stays"),
        ] {
            assert_eq!(in_trinos_types(message), expected);
        }
    }
}
