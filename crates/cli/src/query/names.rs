//! Names of event data stores in a query. The API takes ids alone; here a name will do, wherever a table can stand.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{QueryError, call};
use crate::client::Client;

/// The table that `--store` stands for.
const EVENTS: &str = "events";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    event_data_stores: Vec<Store>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Store {
    event_data_store_arn: String,
    name: String,
}

impl Store {
    fn id(&self) -> &str {
        self.event_data_store_arn.rsplit('/').next().unwrap_or_default()
    }
}

/// The query with the ids of event data stores in the place of their names.
pub(super) async fn resolved(client: &Client, sql: &str, store: Option<&str>) -> Result<String, QueryError> {
    let tables: Vec<Table> = tables(sql).into_iter().filter(|table| !is_id(&table.name)).collect();
    let chosen_id = store.and_then(id_in);
    let is_events = |table: &Table| store.is_some() && table.name.eq_ignore_ascii_case(EVENTS);
    let unknown = tables.iter().any(|table| !is_events(table));
    // Who gives an id need not be permitted to list.
    let stores = match unknown || (store.is_some() && chosen_id.is_none()) {
        true => list(client).await?,
        false => Vec::new(),
    };
    let named = |name: &str| {
        let is_it =
            |store: &&Store| store.name == name || store.id() == name || store.event_data_store_arn == name;
        stores.iter().find(is_it).map(Store::id)
    };
    let chosen = match store {
        Some(name) => {
            let id = named(name).or(chosen_id).ok_or_else(|| QueryError::NoStore(name.to_owned()))?;
            Some(id)
        }
        None => None,
    };
    let mut text = sql.to_owned();
    for table in tables.iter().rev() {
        let id = chosen.filter(|_| is_events(table)).or_else(|| named(&table.name));
        if let Some(id) = id {
            text.replace_range(table.start..table.end, id);
        }
    }
    Ok(text)
}

/// The id in a text that is an id, or an ARN that ends with one.
fn id_in(text: &str) -> Option<&str> {
    let id = match text.strip_prefix("arn:") {
        Some(arn) => arn.rsplit_once(":eventdatastore/")?.1,
        None => text,
    };
    is_id(id).then_some(id)
}

async fn list(client: &Client) -> Result<Vec<Store>, QueryError> {
    let (mut stores, mut token) = (Vec::new(), None::<String>);
    loop {
        let ask: Value = token.map_or(json!({}), |token| json!({"NextToken": token}));
        let page: Page = call(client, "ListEventDataStores", &ask).await?;
        stores.extend(page.event_data_stores);
        token = page.next_token;
        if token.is_none() {
            return Ok(stores);
        }
    }
}

/// A name that stands where a table does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    start: usize,
    end: usize,
    /// Without quotes.
    name: String,
}

/// What is known between two brackets.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// A table may come next.
    expects: bool,
    /// In FROM, where a comma is followed by another table.
    is_from: bool,
    /// These are the brackets of a call, where FROM means something else: `extract(day FROM x)`.
    is_call: bool,
}

/// What ends FROM.
const AFTER_FROM: [&str; 12] = [
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "fetch",
    "union",
    "except",
    "intersect",
    "window",
    "select",
];

/// Words that are followed by a bracket and are no functions.
const NO_FUNCTIONS: [&str; 13] =
    ["from", "join", "in", "as", "exists", "and", "or", "not", "where", "on", "union", "all", "lateral"];

/// All tables of a query but those that its WITH defines.
fn tables<'a>(sql: &'a str) -> Vec<Table> {
    let tokens = tokens(sql);
    let word = |at: usize| -> &'a str {
        tokens.get(at).and_then(|(start, end)| sql.get(*start..*end)).unwrap_or_default()
    };
    let is = |at: usize, words: &[&str]| words.iter().any(|other| word(at).eq_ignore_ascii_case(other));
    let mut found = Vec::new();
    let mut levels = vec![Level::default()];
    for (at, (start, end)) in tokens.iter().copied().enumerate() {
        let Some(mut level) = levels.pop() else { break };
        let previous = |back: usize| at.checked_sub(back).unwrap_or(usize::MAX);
        match word(at) {
            "(" => {
                let called = word(previous(1));
                let is_call =
                    called.starts_with(|first: char| is_part(first)) && !is(previous(1), &NO_FUNCTIONS);
                let inner = Level { expects: level.expects && !is_call, is_from: level.expects, is_call };
                level.expects = false;
                levels.extend([level, inner]);
                continue;
            }
            ")" if !levels.is_empty() => continue,
            "," => level.expects = level.is_from,
            _ if is(at, &["from"]) => {
                let is_distinct = is(previous(1), &["distinct"]) && is(previous(2), &["is", "not"]);
                if !level.is_call && !is_distinct {
                    level = Level { expects: true, is_from: true, is_call: false };
                }
            }
            _ if is(at, &["join"]) => level.expects = true,
            _ if is(at, &AFTER_FROM) => level = Level { is_call: false, expects: false, is_from: false },
            _ if is(at, &["lateral", "unnest", "values", "with", "table"]) => level.expects = false,
            name if level.expects => {
                level.expects = false;
                if word(at + 1) != "(" && name.starts_with(|first: char| first == '"' || is_part(first)) {
                    found.push(Table { start, end, name: unquoted(name) });
                }
            }
            _ => {}
        }
        levels.push(level);
    }
    let defined = defined(&word, tokens.len());
    found.retain(|table| !defined.iter().any(|name| name.eq_ignore_ascii_case(&table.name)));
    found
}

/// The names that WITH defines: those before `AS (SELECT`, with or without names of columns between.
fn defined<'a>(word: &dyn Fn(usize) -> &'a str, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for at in 1..count {
        let begins = ["select", "with", "values", "("].iter().any(|it| word(at + 2).eq_ignore_ascii_case(it));
        if !word(at).eq_ignore_ascii_case("as") || word(at + 1) != "(" || !begins {
            continue;
        }
        let mut name = at - 1;
        if word(name) == ")" {
            while name > 0 && word(name) != "(" {
                name -= 1;
            }
            name = name.saturating_sub(1);
        }
        names.push(unquoted(word(name)));
    }
    names
}

/// A name without its quotes.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '$')
}

/// The words and signs of a query, without comments and white space; what is in quotes is one sign.
fn tokens(sql: &str) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = sql.get(at..).unwrap_or_default();
        let len = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            continue;
        } else if first == '\'' || first == '"' {
            quoted(rest, first)
        } else if is_part(first) {
            rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        found.push((at, at + len));
        at += len;
    }
    found
}

/// The length of what is in quotes at the start of a text; a quote that stands twice does not end it.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = text.get(at..).and_then(|inner| inner.find(quote)) {
        at += end + 1;
        if !text.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// Whether a word has the form of an id: 36 characters, hexadecimal digits and hyphens.
fn is_id(word: &str) -> bool {
    word.len() == 36 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{id_in, is_id, tables, tokens};

    fn names(sql: &str) -> Vec<String> {
        tables(sql).into_iter().map(|table| table.name).collect()
    }

    #[test]
    fn names_are_what_follows_from_and_join() {
        assert_eq!(names("SELECT a FROM my-store JOIN other.store o ON 1 = 1"), ["my-store", "other.store"]);
        assert_eq!(
            names("select 'x from y', \"from\" z from -- from q\n /* from r */ Events where b"),
            ["Events"]
        );
        assert_eq!(names("SELECT 1 FROM (SELECT 2 FROM inner_one)"), ["inner_one"]);
        assert_eq!(names("SELECT date_from x"), Vec::<String>::new());
        assert!(is_id("0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11") && !is_id("events"));
    }

    #[test]
    fn names_are_found_wherever_a_table_can_stand() {
        assert_eq!(
            names("SELECT 1 FROM one a, \"two \"\"2\"\"\" AS b, three WHERE x IN (1, four)"),
            ["one", "two \"2\"", "three"]
        );
        assert_eq!(
            names("SELECT 1 FROM (one JOIN two ON a = b, three) CROSS JOIN four"),
            ["one", "two", "three", "four"]
        );
        assert_eq!(
            names("SELECT 1 FROM a JOIN b ON a.x = coalesce(b.x, 1), c ORDER BY 1, 2"),
            ["a", "b", "c"]
        );
        assert_eq!(
            names(
                "WITH x AS (SELECT * FROM one), y (p, q) AS (SELECT 1, 2 FROM x, two) SELECT * FROM x, Y, z"
            ),
            ["one", "two", "z"]
        );
        assert_eq!(
            names("SELECT (SELECT max(a) FROM one), 2 FROM two WHERE EXISTS (SELECT 1 FROM three)"),
            ["one", "two", "three"]
        );
        assert_eq!(
            names("SELECT 1 FROM one UNION ALL SELECT 2 FROM two EXCEPT (SELECT 3 FROM three)"),
            ["one", "two", "three"]
        );
        assert_eq!(names("SELECT 1 FROM one, UNNEST(resources) AS r(a, b), two"), ["one", "two"]);
        assert_eq!(names("SELECT extract(day FROM eventTime), trim(both FROM b) FROM one"), ["one"]);
        assert_eq!(names("SELECT a IS DISTINCT FROM b, c IS NOT DISTINCT FROM d FROM one"), ["one"]);
    }

    #[test]
    fn an_id_is_known_as_one_and_in_an_arn() {
        let id = "0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11";
        assert_eq!(id_in(id), Some(id));
        assert_eq!(
            id_in(&format!("arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/{id}")),
            Some(id)
        );
        assert_eq!((id_in("audit"), id_in("arn:aws:s3:::x")), (None, None));
    }

    proptest! {
        #[test]
        fn any_text_has_tables(sql in "(FROM |JOIN |SELECT |AS |\\(|\\)|,|\"|'| |x|é){0,40}") {
            for table in tables(&sql) {
                prop_assert!(sql.get(table.start..table.end).is_some());
            }
        }

        #[test]
        fn any_text_has_tokens_in_order(sql in ".{0,200}") {
            let mut end = 0;
            for (start, until) in tokens(&sql) {
                prop_assert!(start >= end && until > start && sql.get(start..until).is_some());
                end = until;
            }
        }
    }
}
