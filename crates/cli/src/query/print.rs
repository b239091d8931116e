//! The rows of a query, page after page.

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PAGE, QueryError, RowOutput, call};
use crate::{client::Client, output::say};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    query_result_rows: Vec<Vec<Map<String, Value>>>,
    next_token: Option<String>,
}

/// Prints all rows.
pub(super) async fn rows(client: &Client, id: &str, output: RowOutput) -> Result<(), QueryError> {
    let mut ask = json!({"QueryId": id, "MaxQueryResults": PAGE});
    let mut is_first = true;
    let mut table: Option<Table> = None;
    loop {
        let page: Page = call(client, "GetQueryResults", &ask).await?;
        for row in &page.query_result_rows {
            match output {
                RowOutput::Json => say!("{}", Value::Object(row.iter().flat_map(Map::clone).collect())),
                RowOutput::Csv => {
                    if is_first {
                        say!("{}", line(row.iter().flat_map(Map::keys).map(String::as_str)));
                    }
                    say!("{}", line(values(row)));
                }
                RowOutput::Table => {
                    let table = table.get_or_insert_with(|| with_columns(row));
                    table.add_row(values(row));
                }
            }
            is_first = false;
        }
        match page.next_token {
            Some(token) => ask["NextToken"] = json!(token),
            None => break,
        }
    }
    if let Some(table) = table {
        say!("{table}");
    }
    Ok(())
}

fn with_columns(row: &[Map<String, Value>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(row.iter().flat_map(Map::keys));
    table
}

fn values(row: &[Map<String, Value>]) -> impl Iterator<Item = &str> {
    row.iter().flat_map(Map::values).map(|value| value.as_str().unwrap_or_default())
}

/// A line of CSV (RFC 4180), in which a value is quoted where it must be.
fn line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let quoted = values.map(|value| {
        if value.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(
            line(["a", "b,c", "say \"hi\"", "", "x\ny"].into_iter()),
            "a,\"b,c\",\"say \"\"hi\"\"\",,\"x\ny\""
        );
    }
}
