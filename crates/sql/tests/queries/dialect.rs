//! What Trino's dialect says, and where DataFusion would say otherwise.

use crate::stage::{STORE, Stage};

#[tokio::test]
async fn a_store_is_named_by_its_id_or_its_arn() {
    let mut stage = Stage::new().await;
    assert_eq!(stage.lines(&format!("SELECT count(*) FROM {STORE}")).await, ["6"]);
    assert_eq!(stage.lines(&format!("select count(*) from \"{}\" t", STORE.to_uppercase())).await, ["6"]);
    assert_eq!(stage.lines(&format!("SELECT count(*) FROM {STORE} WHERE {STORE}.number > 2")).await, ["3"]);
    let arn = format!("arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/{STORE}");
    let table = stage.tables[STORE].clone();
    stage.tables.insert(arn.clone(), table);
    assert_eq!(stage.lines(&format!("SELECT count(*) FROM \"{arn}\"")).await, ["6"]);
}

#[tokio::test]
async fn times_are_compared_with_texts() {
    let stage = Stage::new().await;
    let after = "SELECT number FROM {t} WHERE eventTime > '2023-07-20 02:30:00' AND eventTime < '2023-07-20T04:30:00Z' ORDER BY 1";
    assert_eq!(stage.lines(after).await, ["3", "4"]);
    let between = "SELECT count(*) FROM {t} WHERE eventTime BETWEEN timestamp '2023-07-20 01:00:00' AND '2023-07-20 02:00:00'";
    assert_eq!(stage.lines(between).await, ["2"]);
}

#[tokio::test]
async fn nulls_come_last_in_both_directions() {
    let stage = Stage::new().await;
    let ascending = "SELECT DISTINCT errorCode FROM {t} ORDER BY errorCode";
    assert_eq!(stage.lines(ascending).await, ["AccessDenied", "NoSuchKey", "-"]);
    let descending = "SELECT DISTINCT errorCode FROM {t} ORDER BY errorCode DESC";
    assert_eq!(stage.lines(descending).await, ["NoSuchKey", "AccessDenied", "-"]);
    let first = "SELECT DISTINCT errorCode FROM {t} ORDER BY errorCode NULLS FIRST LIMIT 1";
    assert_eq!(stage.lines(first).await, ["-"]);
}

#[tokio::test]
async fn whole_numbers_divide_to_whole_numbers_and_never_by_zero() {
    let stage = Stage::new().await;
    assert_eq!(stage.lines("SELECT 7 / 2, -7 / 2, 7 % 3").await, ["3|-3|1"]);
    let error = stage.error("SELECT 1 / (number - number) FROM {t}").await;
    assert_eq!(error.to_string(), "Division by zero");
}

#[tokio::test]
async fn only_escape_escapes_in_like() {
    let stage = Stage::new().await;
    assert_eq!(
        stage
            .lines(r"SELECT 'a\b' LIKE 'a\b', 'a%b' LIKE 'a$%b' ESCAPE '$', 'axb' LIKE 'a$%b' ESCAPE '$'")
            .await,
        ["true|true|false"]
    );
    assert_eq!(
        stage.lines(r"SELECT 'a_b' LIKE 'a\_b' ESCAPE '\', 'axb' LIKE 'a\_b' ESCAPE '\'").await,
        ["true|false"]
    );
    let computed = r"SELECT p, 'a\b' LIKE p FROM (VALUES 'a\b', 'a\%') AS t(p) ORDER BY 1";
    assert_eq!(stage.lines(computed).await, [r"a\%|true", r"a\b|true"]);
    assert_eq!(stage.lines("SELECT count(*) FROM {t} WHERE eventName LIKE 'Get%'").await, ["3"]);
    assert_eq!(stage.lines("SELECT count(*) FROM {t} WHERE eventName NOT LIKE 'get%'").await, ["6"]);
}

#[tokio::test]
async fn groups_have_ordinals_sets_and_filters() {
    let stage = Stage::new().await;
    let counted =
        "SELECT eventName, count(*) FILTER (WHERE errorCode IS NULL) FROM {t} GROUP BY 1 ORDER BY 2 DESC, 1";
    assert_eq!(stage.lines(counted).await, ["GetObject|2", "ConsoleLogin|1", "DeleteTrail|0", "PutObject|0"]);
    let rollup = "SELECT eventSource, count(*) FROM {t} GROUP BY ROLLUP (eventSource) ORDER BY 2, 1";
    assert_eq!(
        stage.lines(rollup).await,
        ["cloudtrail.amazonaws.com|1", "signin.amazonaws.com|1", "s3.amazonaws.com|4", "-|6"]
    );
    let sets = "SELECT readOnly, errorCode, count(*) FROM {t} GROUP BY GROUPING SETS ((readOnly), (errorCode), ()) ORDER BY 3, 1, 2";
    assert_eq!(stage.lines(sets).await.len(), 6);
    let having = "SELECT eventName FROM {t} GROUP BY eventName HAVING count(*) > 1";
    assert_eq!(stage.lines(having).await, ["GetObject"]);
}

#[tokio::test]
async fn tables_are_joined_and_combined() {
    let mut stage = Stage::new().await;
    let other = "00000000-0000-0000-0000-000000000001";
    stage.tables.insert(other.to_owned(), stage.tables[STORE].clone());
    let join = format!(
        "SELECT count(*) FROM {STORE} a JOIN {other} b ON a.eventName = b.eventName AND a.number < b.number"
    );
    assert_eq!(stage.lines(&join).await, ["3"]);
    let union =
        format!("SELECT eventName FROM {STORE} UNION SELECT eventSource FROM {other} ORDER BY 1 LIMIT 2");
    assert_eq!(stage.lines(&union).await, ["ConsoleLogin", "DeleteTrail"]);
    let except =
        format!("SELECT number FROM {STORE} EXCEPT SELECT number FROM {other} WHERE number > 1 ORDER BY 1");
    assert_eq!(stage.lines(&except).await, ["0", "1"]);
    let with = format!(
        "WITH errors AS (SELECT * FROM {STORE} WHERE errorCode IS NOT NULL) SELECT count(*), max(number) FROM Errors"
    );
    assert_eq!(stage.lines(&with).await, ["3|4"]);
    let exists = format!(
        "SELECT number FROM {STORE} a WHERE EXISTS (SELECT 1 FROM {other} b WHERE b.number = a.number + 4) ORDER BY 1"
    );
    assert_eq!(stage.lines(&exists).await, ["0", "1"]);
}

#[tokio::test]
async fn a_table_is_joined_with_itself_over_fields_of_rows() {
    let stage = Stage::new().await;
    let pairs = "SELECT a.eventName, b.eventName, b.userIdentity.type FROM {t} a JOIN {t} b \
                 ON a.userIdentity.arn = b.userIdentity.arn WHERE a.userIdentity.type = b.userIdentity.type";
    let alone = "SELECT sum(n * n) FROM (SELECT count(*) AS n FROM {t} WHERE userIdentity.arn IS NOT NULL \
                 AND userIdentity.type IS NOT NULL GROUP BY userIdentity.arn, userIdentity.type)";
    let (pairs, alone) = (stage.lines(pairs).await, stage.lines(alone).await);
    assert_eq!(alone, [pairs.len().to_string()]);
    for text in [
        "SELECT a.number, b.number FROM {t} a LEFT JOIN {t} b ON a.userIdentity.arn = b.userIdentity.arn \
         AND a.userIdentity.type = 'IAMUser'",
        "SELECT a.number, b.number FROM {t} a, {t} b WHERE a.userIdentity.arn = b.userIdentity.arn \
         AND a.userIdentity.type = 'IAMUser'",
        "SELECT number FROM {t} a WHERE userIdentity.type = 'IAMUser' AND EXISTS \
         (SELECT 1 FROM {t} b WHERE b.userIdentity.arn = a.userIdentity.arn AND b.userIdentity.type = 'IAMUser')",
    ] {
        assert!(!stage.lines(text).await.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn rows_are_limited_and_skipped() {
    let stage = Stage::new().await;
    assert_eq!(stage.lines("SELECT number FROM {t} ORDER BY number OFFSET 2 LIMIT 2").await, ["2", "3"]);
    assert_eq!(
        stage.lines("SELECT number FROM {t} ORDER BY number OFFSET 1 ROW FETCH FIRST 1 ROW ONLY").await,
        ["1"]
    );
    assert_eq!(stage.lines("SELECT number FROM {t} ORDER BY number DESC LIMIT 1").await, ["5"]);
    assert_eq!(
        stage.lines("SELECT x FROM (VALUES 3, 1, 2) AS t(x) ORDER BY x LIMIT ALL").await,
        ["1", "2", "3"]
    );
}

#[tokio::test]
async fn windows_look_at_other_rows() {
    let stage = Stage::new().await;
    let sql = "SELECT number, row_number() OVER (PARTITION BY eventName ORDER BY eventTime DESC) AS n, \
               lag(eventName) OVER w FROM {t} WINDOW w AS (ORDER BY eventTime) ORDER BY number LIMIT 3";
    assert_eq!(stage.lines(sql).await, ["0|3|-", "1|1|GetObject", "2|1|PutObject"]);
}

#[tokio::test]
async fn parameters_are_values_and_never_sql() {
    use opentrail_sql::{Limits, Statement};
    let stage = Stage::new().await;
    let sql = format!(
        "SELECT number FROM {STORE} WHERE userIdentity.accountId = ? AND eventTime > ? AND number < ? ORDER BY 1"
    );
    let statement = Statement::parse(&sql).expect("a query");
    assert_eq!(statement.parameters(), 3);
    let ask = async |given: &[&str]| {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        let running = stage.engine.run(&statement, stage.tables.clone(), &given, Limits::default()).await?;
        crate::stage::finish(running).await.map(|answer| answer.lines())
    };
    assert_eq!(
        ask(&["111122223333", "2023-07-20 01:30:00", "4"]).await,
        Ok(vec!["2".to_owned(), "3".to_owned()])
    );
    assert_eq!(ask(&["' OR 1=1 --", "'2023-07-20 01:30:00'", "4"]).await, Ok(Vec::new()));
    let error = ask(&["1"]).await.expect_err("too few");
    assert_eq!(error.to_string(), "The query has 3 parameters, 1 were given.");
}

#[tokio::test]
async fn lambdas_casts_and_literals_are_read() {
    let stage = Stage::new().await;
    assert_eq!(stage.lines("SELECT transform(ARRAY[1, 2], x -> x + 1)").await, ["[2, 3]"]);
    let any = "SELECT number FROM {t} WHERE any_match(resources, r -> r.arn LIKE '%b2/%') ORDER BY 1";
    assert_eq!(stage.lines(any).await, ["2"]);
    assert_eq!(stage.lines("SELECT CAST('5' AS bigint) + 1, TRY_CAST('x' AS bigint), CAST(MAP(ARRAY['a'], ARRAY['b']) AS map(varchar, varchar))['a']").await, ["6|-|b"]);
    assert_eq!(
        stage.lines("SELECT date_trunc('day', eventTime) + interval '1' day FROM {t} LIMIT 1").await,
        ["2023-07-21 00:00:00.000"]
    );
    assert_eq!(stage.lines("SELECT CAST(row(1, 'x') AS row(a bigint, b varchar)).b").await, ["x"]);
}
