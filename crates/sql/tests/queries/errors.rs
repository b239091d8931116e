//! What is wrong with a query is said with its place, and with what may have been meant.

use std::time::{Duration, Instant};

use opentrail_sql::{SqlError, Statement};

use crate::stage::Stage;

fn refused(sql: &str) -> String {
    match Statement::parse(sql) {
        Ok(_) => panic!("{sql} was read"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn only_one_select_is_run() {
    assert_eq!(
        refused("DROP TABLE x"),
        "line 1:1: Only SELECT can be run; a statement can't start with DROP."
    );
    assert_eq!(
        refused("  EXPLAIN SELECT 1"),
        "line 1:3: Only SELECT can be run; a statement can't start with EXPLAIN."
    );
    for sql in [
        "SET x = 1",
        "SHOW TABLES",
        "INSERT INTO x VALUES (1)",
        "COPY x TO 'y'",
        "DESCRIBE x",
        "TABLE x",
        "(DELETE FROM x)",
    ] {
        assert!(refused(sql).contains("Only SELECT can be run"), "{sql}");
    }
    assert_eq!(refused("SELECT 1; SELECT 2"), "line 1:11: Only one statement can be run.");
    assert!(Statement::parse("SELECT 1;").is_ok());
    assert_eq!(refused(" -- nothing\n"), "line 1:1: The query is empty.");
    assert!(refused("WITH x AS (INSERT INTO y VALUES (1)) SELECT * FROM x").contains("line 1:12"));
    assert!(refused("SELECT a INTO b FROM c").contains("SELECT INTO is not supported."));
}

#[test]
fn no_files_and_no_table_functions() {
    assert!(refused("SELECT * FROM read_parquet('x')").contains("A table function is not supported."));
    assert!(refused("SELECT * FROM TABLE(sequence(1, 2))").contains("A table function is not supported."));
    assert!(refused("SELECT * FROM 'x.parquet'").contains("without quotes or in double quotes"));
    assert!(refused("WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x").contains("RECURSIVE is not supported"));
    assert!(refused("SELECT * FROM information_schema.tables").contains("A table has one name"));
    assert_eq!(Statement::parse("SELECT * FROM \"/etc/passwd\"").expect("a name").tables(), ["/etc/passwd"]);
}

#[tokio::test]
async fn a_table_that_was_not_given_does_not_exist() {
    let stage = Stage::new().await;
    let error = stage.error("SELECT *\nFROM \"/etc/passwd\"").await;
    assert_eq!(error.to_string(), "line 2:6: Table '/etc/passwd' does not exist.");
    let error = stage.error("SELECT * FROM 1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f800").await;
    assert_eq!(error.suggestion(), Some("1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"));
}

#[test]
fn syntax_errors_have_their_place() {
    assert_eq!(refused("SELECT a\nFROM b WHER c"), "line 2:13: Did not expect c here.");
    assert_eq!(
        refused("SELECT a FROM b WHERE"),
        "line 1:22: Expected an expression, but the query ends here."
    );
    assert!(refused("SELECT 'a").starts_with("line 1:8: Unterminated string literal"));
    assert!(refused("SELECT a b c FROM d").starts_with("line 1:12: "));
}

#[tokio::test]
async fn unknown_names_are_answered_with_the_nearest() {
    let stage = Stage::new().await;
    let error = stage.error("SELECT eventName,\n  evenTime FROM {t}").await;
    assert_eq!(error.to_string(), "line 2:3: Column 'evenTime' can't be resolved. Did you mean 'eventTime'?");
    assert_eq!(error.place(), Some((2, 3)));
    let error = stage.error("SELECT cont(*) FROM {t}").await;
    assert_eq!(error.to_string(), "line 1:8: Function 'cont' is not known. Did you mean 'count'?");
    let error = stage.error("SELECT userIdentity.acountId FROM {t}").await;
    assert_eq!(
        error.to_string(),
        "line 1:21: 'acountId' is no field of the row before it. Did you mean 'accountId'?"
    );
    let error = stage.error("SELECT sum(eventName) FROM {t}").await;
    assert_eq!(error.to_string(), "line 1:8: Function 'sum' does not take these arguments.");
    let error = stage.error("SELECT CAST(eventName AS foo) FROM {t}").await;
    assert_eq!(error.place(), Some((1, 26)), "{error}");
    let error = stage.error("SELECT eventName, count(*) FROM {t}").await;
    assert_eq!(
        error.to_string(),
        "line 1:8: Column 'eventName' must be in GROUP BY or in an aggregate function."
    );
    let error = stage.error("SELECT t.number FROM {t} t JOIN {t} u ON number = 1").await;
    assert_eq!(error.to_string(), "line 1:108: Column 'number' is ambiguous.");
}

#[tokio::test]
async fn values_that_are_wrong_are_no_mistakes_of_the_text() {
    let stage = Stage::new().await;
    let error = stage.error("SELECT CAST(eventName AS bigint) FROM {t}").await;
    assert!(matches!(error, SqlError::Value(_)), "{error:?}");
    let error = stage.error("SELECT resources[9] FROM {t}").await;
    assert!(matches!(error, SqlError::Value(_)), "{error:?}");
    assert_eq!(stage.lines("SELECT element_at(resources, 9) FROM {t} LIMIT 1").await, ["-"]);
}

#[test]
fn length_and_depth_are_bounded() {
    assert!(refused(&format!("SELECT '{}'", "x".repeat(10_000))).contains("at most 10000 characters"));
    let started = Instant::now();
    let repeated = |start: &str, part: &str, end: &str| {
        format!("{start}{}{end}", part.repeat((9_900 - start.len() - end.len()) / part.len()))
    };
    for sql in [
        repeated("SELECT ", "(", ""),
        repeated("SELECT ", "NOT ", "true"),
        repeated("SELECT ", "- ", "1"),
        repeated("SELECT ", "CASE WHEN ", ""),
        repeated("SELECT ", "CAST(", ""),
        repeated("SELECT ", "ARRAY[", ""),
        repeated("SELECT ", "x -> ", "1"),
        repeated("SELECT * FROM ", "(", ""),
        repeated("SELECT * FROM ", "(SELECT * FROM ", ""),
        repeated("SELECT CAST(x AS ", "array(", ""),
        repeated("SELECT ", "map(", ""),
        repeated("SELECT ", "interval ", ""),
        repeated("SELECT ", "exists ", ""),
        repeated("", "WITH a AS (", ""),
        repeated("", "(", ""),
        repeated("SELECT ", "f(a, INTERVAL ", "!!"),
        repeated("SELECT ", "INTERVAL ", "!!"),
        repeated("SELECT * FROM ", "((SELECT * FROM ", ""),
    ] {
        assert!(Statement::parse(&sql).is_err(), "{}", &sql[..40]);
    }
    for sql in [
        repeated("SELECT ", "1+", "1"),
        repeated("SELECT ", "true OR ", "true"),
        repeated("SELECT ", "'a'||", "'a'"),
        repeated("", "SELECT 1 UNION ", "SELECT 1"),
        repeated("SELECT a", ".a", " FROM b"),
    ] {
        Statement::parse(&sql).ok();
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test]
async fn long_chains_are_planned_and_run() {
    let stage = Stage::new().await;
    let sum = format!("SELECT {}1", "1+".repeat(900));
    assert_eq!(stage.lines(&sum).await, ["901"]);
    let error = stage.error(&format!("SELECT {}1", "1+".repeat(4_000))).await;
    assert!(error.to_string().starts_with("More than 1000 expressions stand in each other"), "{error}");
    let union = format!("{}SELECT 1", "SELECT 1 UNION ".repeat(600));
    assert_eq!(stage.lines(&union).await, ["1"]);
    let any = (0..450).map(|number| format!("number = {number}")).collect::<Vec<_>>().join(" OR ");
    assert_eq!(stage.lines(&format!("SELECT count(*) FROM {{t}} WHERE {any}")).await, ["6"]);
}

#[tokio::test]
async fn messages_speak_of_the_dialects_types() {
    let stage = Stage::new().await;
    let mut wrong = Vec::new();
    for (condition, expected) in [
        (
            "userIdentity = 'x'",
            "line 1:76: Cannot apply operator: row = varchar. Compare one of its fields, as userIdentity.field.",
        ),
        (
            "requestParameters.bucketName = 'x'",
            "line 1:81: A map has no fields. Write element_at(requestParameters, 'bucketName').",
        ),
        (
            "requestParameters = 'x'",
            "line 1:81: Cannot apply operator: map(varchar, varchar) = varchar. Compare one of its values: \
             element_at(requestParameters, 'key').",
        ),
        (
            "resources = 'x'",
            "line 1:73: Cannot apply operator: array(row) = varchar. Compare one of its elements: contains(resources, …) or \
             any_match(resources, x -> …).",
        ),
        (
            "readOnly = 'true'",
            "line 1:72: Cannot apply operator: boolean = varchar. Write true or false without quotes.",
        ),
        ("number = 1 AND readOnly > 5", "line 1:87: Cannot apply operator: boolean > bigint."),
        (
            "eventTime > 2024-01-01",
            "line 1:73: Cannot apply operator: timestamp(3) > bigint. Write a time in quotes: '2024-01-31 00:00:00'.",
        ),
        (
            "eventTime BETWEEN 2024-01-01 AND 2024-01-02",
            "line 1:73: Cannot check if timestamp(3) is BETWEEN bigint and bigint. Write times in quotes: '2024-01-31 00:00:00'.",
        ),
        (
            "number + eventName > 1",
            "line 1:70: Cannot apply operator: bigint + varchar. Texts are joined with ||.",
        ),
        (
            "eventName AND readOnly",
            "line 1:73: Logical expression term must evaluate to a boolean (actual: varchar).",
        ),
        (
            "NOT eventName",
            "line 1:63: Value of logical NOT expression must evaluate to a boolean (actual: varchar).",
        ),
        (
            "number LIKE 'x'",
            "line 1:70: Left side of LIKE expression must evaluate to a varchar (actual: bigint).",
        ),
        (
            "substr(eventName) = 'x'",
            "line 1:70: Function 'substr' takes two or three arguments: a text, the first character's number, and how many.",
        ),
        ("eventName", "line 1:63: WHERE clause must evaluate to a boolean: actual type varchar."),
        (
            "resources.arn = 'x'",
            "line 1:73: An array has no fields. Write resources[1].arn, or CROSS JOIN UNNEST(resources).",
        ),
        ("userIdentity.arn.x = 'x'", "A value of type varchar has no fields."),
        (
            "CASE WHEN readOnly THEN 1 ELSE resources END = 1",
            "line 1:63: All CASE results must be of one type.",
        ),
        ("coalesce(number, resources) IS NULL", "line 1:63: All arguments of COALESCE must be of one type."),
        ("resources['x'] = 'x'", "line 1:72: An element of an array is had by its number: resources[1]."),
        (
            "requestParameters[1] = 'x'",
            "line 1:80: The keys of this map are of another type: requestParameters['key'].",
        ),
    ] {
        let told = match stage.try_ask(&format!("SELECT number FROM {{t}} WHERE {condition}")).await {
            Ok(answer) => format!("{:?}", answer.lines()),
            Err(error) => error.to_string(),
        };
        if told != expected {
            wrong.push(format!("{condition}\n  {told}\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
