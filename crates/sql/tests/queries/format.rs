//! Values as CloudTrail Lake shows them.

use crate::stage::Stage;

#[tokio::test]
async fn values_look_as_in_trino() {
    let stage = Stage::new().await;
    let answer =
        stage.ask("SELECT eventTime, readOnly, number, errorCode, document FROM {t} WHERE number = 0").await;
    assert_eq!(answer.lines(), ["2023-07-20 00:00:00.000|true|0|-|{\"n\":0}"]);
    assert_eq!(answer.kinds(), ["timestamp(3)", "boolean", "bigint", "varchar", "json"]);
}

#[tokio::test]
async fn containers_look_as_in_trino() {
    let stage = Stage::new().await;
    let answer = stage.ask("SELECT userIdentity, requestParameters, resources FROM {t} WHERE number IN (1, 3) ORDER BY number").await;
    assert_eq!(
        answer.rows[0],
        [
            Some("{type=IAMUser, arn=arn:aws:iam::111122223333:user/bob, accountid=111122223333, sessioncontext={attributes={creationdate=2023-07-20T00:00:00Z, mfaauthenticated=false}}}".to_owned()),
            Some("{bucketName=b1, key=k1}".to_owned()),
            Some("[{accountid=111122223333, type=AWS::S3::Object, arn=arn:aws:s3:::b1/0}]".to_owned()),
        ]
    );
    assert_eq!(answer.rows[1][1].as_deref(), Some("{bucketName=b1, key=null}"));
    assert_eq!(answer.rows[1][2].as_deref(), Some("[]"));
    assert!(answer.rows[1][0].as_deref().is_some_and(|text| text.contains("arn=null")));
    assert_eq!(answer.kinds()[1], "map(varchar, varchar)");
    assert_eq!(answer.kinds()[2], "array(row(accountid varchar, type varchar, arn varchar))");
}

#[tokio::test]
async fn numbers_look_as_in_java() {
    let stage = Stage::new().await;
    let doubles = "SELECT double '1', double '0.1', double '12345678', double '0.0001', double '-1e300', nan(), infinity(), double '1234567'";
    assert_eq!(stage.lines(doubles).await, ["1.0|0.1|1.2345678E7|1.0E-4|-1.0E300|NaN|Infinity|1234567.0"]);
    assert_eq!(stage.lines("SELECT 1.50, avg(x) FROM (VALUES 1, 2) AS t(x)").await, ["1.50|1.5"]);
}

#[tokio::test]
async fn dates_and_intervals_look_as_in_trino() {
    let stage = Stage::new().await;
    let sql = "SELECT date '2023-07-20', interval '26' hour, interval '14' month, max(eventTime) - min(eventTime) FROM {t}";
    assert_eq!(stage.lines(sql).await, ["2023-07-20|1 02:00:00.000|1-2|0 05:00:00.000"]);
    let sql = "SELECT timestamp '2023-07-20 00:00:00' AT TIME ZONE 'America/New_York'";
    assert_eq!(stage.lines(sql).await, ["2023-07-19 20:00:00.000 America/New_York"]);
}
