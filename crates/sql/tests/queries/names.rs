//! Names: their case does not matter, and columns are called as Trino calls them.

use crate::stage::Stage;

#[tokio::test]
async fn case_does_not_matter_down_to_the_last_field() {
    let stage = Stage::new().await;
    let sql = "SELECT USERIDENTITY.SessionContext.attributes.mfaauthenticated FROM {t} WHERE EVENTNAME = 'ConsoleLogin'";
    assert_eq!(stage.lines(sql).await, ["true"]);
    let quoted = r#"SELECT T."EVENTNAME", "userIdentity"."SESSIONCONTEXT".attributes."MfaAuthenticated" AS "Mfa" FROM {t} AS t WHERE t.USERIDENTITY.ARN LIKE '%/carol' ORDER BY mfa"#;
    let answer = stage.ask(quoted).await;
    assert_eq!(answer.names(), ["EVENTNAME", "Mfa"]);
    assert_eq!(answer.lines(), ["GetObject|false"]);
}

#[tokio::test]
async fn columns_are_called_as_written() {
    let stage = Stage::new().await;
    let answer = stage.ask("SELECT EventName, t.eventsource, userIdentity.ARN, count(*), number AS Number1, 1+1 FROM {t} t GROUP BY 1, 2, 3, 5 LIMIT 1").await;
    assert_eq!(answer.names(), ["EventName", "eventsource", "ARN", "_col3", "Number1", "_col5"]);
    let answer = stage.ask("SELECT *, number, count(*) OVER () FROM {t}").await;
    assert_eq!(answer.names()[..2], ["eventTime", "eventName"]);
    assert_eq!(answer.names()[10..], ["number", "_col11"]);
    let answer = stage
        .ask("SELECT a.*, b.number, b.* FROM (SELECT 1 AS X) a, (SELECT number, readonly FROM {t}) b LIMIT 1")
        .await;
    assert_eq!(answer.names(), ["X", "number", "number", "readOnly"]);
    let answer = stage.ask("SELECT 1 AS a UNION ALL SELECT 2 AS b").await;
    assert_eq!(answer.names(), ["a"]);
}

#[tokio::test]
async fn two_columns_may_have_one_name() {
    let stage = Stage::new().await;
    let answer = stage
        .ask(
            "SELECT number, number, count(*), count(*) FROM {t} GROUP BY number ORDER BY number DESC LIMIT 1",
        )
        .await;
    assert_eq!(answer.names(), ["number", "number", "_col2", "_col3"]);
    assert_eq!(answer.lines(), ["5|5|1|1"]);
    let answer = stage.ask("SELECT a.arn, b.arn FROM (SELECT userIdentity.arn FROM {t} WHERE number = 0) a JOIN (SELECT userIdentity.arn FROM {t}) b ON a.arn = b.arn").await;
    assert_eq!(answer.names(), ["arn", "arn"]);
    assert_eq!(answer.rows.len(), 2);
}

#[tokio::test]
async fn fields_of_a_subquery_have_their_own_name() {
    let stage = Stage::new().await;
    let sql = "SELECT arn, count(*) AS calls FROM (SELECT userIdentity.arn, eventName FROM {t}) GROUP BY arn ORDER BY calls DESC, arn LIMIT 2";
    assert_eq!(
        stage.lines(sql).await,
        ["arn:aws:iam::111122223333:user/alice|2", "arn:aws:iam::111122223333:user/bob|2"]
    );
    let distinct = "SELECT DISTINCT userIdentity.arn FROM {t} ORDER BY userIdentity.arn LIMIT 1";
    assert_eq!(stage.lines(distinct).await, ["arn:aws:iam::111122223333:user/alice"]);
    let grouped =
        "SELECT userIdentity.accountId, count(*) FROM {t} GROUP BY userIdentity.accountid ORDER BY count(*)";
    assert_eq!(stage.lines(grouped).await, ["111122223333|6"]);
}
