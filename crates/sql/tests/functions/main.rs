//! Trino's functions, one at a time: each line of the tables beside this file has an expression and what it gives, or the
//! start of the message it fails with. Where Trino's documentation has an example, it is here with the result it documents.

use std::collections::BTreeMap;
use std::time::Duration;

use opentrail_sql::{Engine, EngineOptions, Limits, SqlError, Statement};
use tempfile::TempDir;

fn engine(folder: &TempDir) -> Engine {
    let options = EngineOptions {
        memory: 256 << 20,
        spill_folder: folder.path().join("spill"),
        spill: 1 << 30,
        threads: 1,
        concurrent: 2,
        gauge: None,
    };
    Engine::new(options).expect("an engine")
}

/// The value of an expression or of a query of one value, NULL as the word.
async fn value(engine: &Engine, expression: &str) -> Result<String, SqlError> {
    let query =
        if expression.starts_with("SELECT") { expression.to_owned() } else { format!("SELECT {expression}") };
    let statement = Statement::parse(&query)?;
    let limits = Limits { time: Duration::from_secs(60), rows: None, spills: true };
    let mut running = engine.run(&statement, BTreeMap::new(), &[], limits).await?;
    let mut found = Vec::new();
    while let Some(rows) = running.next().await? {
        found.extend(rows.into_iter().flatten().map(|value| value.unwrap_or_else(|| "NULL".to_owned())));
    }
    Ok(found.join(" | "))
}

/// Asks every line of a table: `expression => result`, or `expression !! start of the message`.
async fn check(table: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(&folder);
    let mut wrong = Vec::new();
    let mut asked = 0;
    for line in table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("--")) {
        asked += 1;
        let (expression, wanted, fails) = match (line.split_once(" => "), line.split_once(" !! ")) {
            (_, Some((expression, wanted))) => (expression, wanted, true),
            (Some((expression, wanted)), None) => (expression, wanted, false),
            (None, None) => panic!("no result in {line:?}"),
        };
        let given = value(&engine, expression.trim()).await;
        let right = match &given {
            Ok(given) => !fails && given == wanted,
            Err(error) => fails && error.to_string().contains(wanted),
        };
        if !right {
            wrong.push(format!("{} gives {given:?}, not {wanted:?}", expression.trim()));
        }
    }
    assert!(asked > 0);
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! tables {
    ($($name:ident: $file:literal;)*) => { $(
        #[tokio::test]
        async fn $name() {
            check(include_str!($file)).await;
        }
    )* };
}
tables! {
    json: "json.txt";
    casts: "casts.txt";
    arrays: "arrays.txt";
    maps_and_rows: "maps_and_rows.txt";
    lambdas: "lambdas.txt";
    strings: "strings.txt";
    regular_expressions: "regular_expressions.txt";
    urls: "urls.txt";
    dates_and_times: "dates_and_times.txt";
    numbers: "numbers.txt";
    binary: "binary.txt";
    aggregates: "aggregates.txt";
    conditions: "conditions.txt";
}
