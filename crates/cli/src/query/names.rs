//! Names of event data stores in a query. The API takes ids alone; here a name that follows FROM or JOIN will do.

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
    let tables: Vec<Table> = tables(sql).filter(|table| !is_id(table.name(sql))).collect();
    if tables.is_empty() && store.is_none() {
        return Ok(sql.to_owned());
    }
    let stores = list(client).await?;
    let named = |name: &str| {
        stores
            .iter()
            .find(|store| store.name == name || store.id() == name || store.event_data_store_arn == name)
    };
    let chosen = match store {
        Some(name) => Some(named(name).ok_or_else(|| QueryError::NoStore(name.to_owned()))?),
        None => None,
    };
    let mut text = sql.to_owned();
    for table in tables.iter().rev() {
        let name = table.name(sql);
        let is_events = name.eq_ignore_ascii_case(EVENTS);
        if let Some(store) = chosen.filter(|_| is_events).or_else(|| named(name)) {
            text.replace_range(table.start..table.end, store.id());
        }
    }
    Ok(text)
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

/// A name without quotes that follows FROM or JOIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Table {
    start: usize,
    end: usize,
}

impl Table {
    fn name(self, sql: &str) -> &str {
        sql.get(self.start..self.end).unwrap_or_default()
    }
}

fn tables(sql: &str) -> impl Iterator<Item = Table> {
    let mut words = Vec::new();
    let mut follows = false;
    for (start, end) in tokens(sql) {
        let word = sql.get(start..end).unwrap_or_default();
        if follows && word.starts_with(|first: char| is_part(first)) {
            words.push(Table { start, end });
        }
        follows = word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("join");
    }
    words.into_iter()
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
            rest.get(1..).and_then(|inner| inner.find(first)).map_or(rest.len(), |end| end + 2)
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

/// Whether a word has the form of an id: 36 characters, hexadecimal digits and hyphens.
fn is_id(word: &str) -> bool {
    word.len() == 36 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_id, tables, tokens};

    fn names(sql: &str) -> Vec<&str> {
        tables(sql).map(|table| table.name(sql)).collect()
    }

    #[test]
    fn names_are_what_follows_from_and_join() {
        assert_eq!(names("SELECT a FROM my-store JOIN other.store o ON 1 = 1"), ["my-store", "other.store"]);
        assert_eq!(
            names("select 'x from y', \"from\" z from -- from q\n /* from r */ Events where b"),
            ["Events"]
        );
        assert_eq!(names("SELECT 1 FROM (SELECT 2 FROM inner_one)"), ["inner_one"]);
        assert_eq!(names("SELECT 1 FROM \"quoted\""), Vec::<&str>::new());
        assert_eq!(names("SELECT date_from x"), Vec::<&str>::new());
        assert!(is_id("0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11") && !is_id("events"));
    }

    proptest! {
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
