//! The rows of a query, page after page.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
};

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PAGE, QueryError, RowOutput, call};
use crate::{client::Client, output::say};

/// Letters on a line of a terminal that does not say.
const USUAL_WIDTH: usize = 80;

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
    let mut kept: Vec<Vec<Map<String, Value>>> = Vec::new();
    let mut printed = 0;
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
                RowOutput::Expanded => {
                    printed += 1;
                    say!("{}", expanded(printed, row));
                }
                RowOutput::Table => {
                    let table = table.get_or_insert_with(|| with_columns(row));
                    table.add_row(values(row));
                    kept.push(row.clone());
                }
            }
            is_first = false;
        }
        match page.next_token {
            Some(token) => ask["NextToken"] = json!(token),
            None => break,
        }
    }
    let Some(table) = table else { return Ok(()) };
    let text = table.to_string();
    // A file or a pipe takes lines of any length.
    let is_wide = io::stdout().is_terminal() && text.lines().any(|line| line.chars().count() > width());
    if !is_wide {
        say!("{text}");
        return Ok(());
    }
    for (number, row) in kept.iter().enumerate() {
        say!("{}", expanded(number + 1, row));
    }
    Ok(())
}

/// Letters on a line of the terminal.
fn width() -> usize {
    terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

/// A row with each column on a line, as psql's `\\x` has it.
fn expanded(number: usize, row: &[Map<String, Value>]) -> String {
    let longest = row.iter().flat_map(Map::keys).map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("─[ {number} ]─");
    for (name, value) in row.iter().flat_map(Map::iter) {
        let value = value.as_str().unwrap_or_default();
        let indent = format!("\n{:longest$} │ ", "");
        let _ = write!(text, "\n{name:longest$} │ {}", value.replace('\n', &indent));
    }
    text
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
    use serde_json::{Map, json};

    use super::{expanded, line};

    #[test]
    fn each_column_has_a_line_where_there_is_no_room() {
        let cell = |name: &str, value: &str| Map::from_iter([(name.to_owned(), json!(value))]);
        let row = [cell("eventName", "GetObject"), cell("n", "one\ntwo")];
        assert_eq!(expanded(3, &row), "─[ 3 ]─\neventName │ GetObject\nn         │ one\n          │ two");
    }

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(
            line(["a", "b,c", "say \"hi\"", "", "x\ny"].into_iter()),
            "a,\"b,c\",\"say \"\"hi\"\"\",,\"x\ny\""
        );
    }
}
