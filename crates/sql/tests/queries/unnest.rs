//! UNNEST of columns: arrays, maps and rows become rows.

use crate::stage::Stage;

#[tokio::test]
async fn rows_of_an_array_become_columns() {
    let stage = Stage::new().await;
    let sql = "SELECT number, account, kind, a FROM {t} CROSS JOIN UNNEST(resources) AS r(account, kind, a) ORDER BY number, a";
    assert_eq!(
        stage.lines(sql).await,
        [
            "1|111122223333|AWS::S3::Object|arn:aws:s3:::b1/0",
            "2|111122223333|AWS::S3::Object|arn:aws:s3:::b2/0",
            "2|111122223333|AWS::S3::Object|arn:aws:s3:::b2/1",
            "4|111122223333|AWS::S3::Object|arn:aws:s3:::b4/0",
            "5|111122223333|AWS::S3::Object|arn:aws:s3:::b5/0",
            "5|111122223333|AWS::S3::Object|arn:aws:s3:::b5/1",
        ]
    );
}

#[tokio::test]
async fn a_map_becomes_keys_and_values() {
    let stage = Stage::new().await;
    let sql = "SELECT k, count(v) FROM {t} t CROSS JOIN UNNEST(t.requestParameters) AS p(k, v) GROUP BY k ORDER BY k";
    assert_eq!(stage.lines(sql).await, ["bucketName|4", "key|3"]);
}

#[tokio::test]
async fn elements_have_their_ordinality() {
    let stage = Stage::new().await;
    let sql = "SELECT x, y, n FROM UNNEST(ARRAY['a', 'b', 'c'], ARRAY[1, 2]) WITH ORDINALITY AS t(x, y, n) ORDER BY n";
    assert_eq!(stage.lines(sql).await, ["a|1|1", "b|2|2", "c|-|3"]);
    let sql = "SELECT number, r.arn, n FROM {t}, UNNEST(resources) WITH ORDINALITY AS r(a, b, arn, n) WHERE n = 2 ORDER BY number";
    assert_eq!(stage.lines(sql).await, ["2|arn:aws:s3:::b2/1|2", "5|arn:aws:s3:::b5/1|2"]);
}

#[tokio::test]
async fn a_left_join_keeps_rows_without_elements() {
    let stage = Stage::new().await;
    let sql = "SELECT number, r.c FROM {t} LEFT JOIN UNNEST(resources) AS r(a, b, c) ON TRUE WHERE number < 2 ORDER BY number";
    assert_eq!(stage.lines(sql).await, ["0|-", "1|arn:aws:s3:::b1/0"]);
    let missing = "SELECT number, k FROM {t} LEFT JOIN UNNEST(requestParameters) AS p(k, v) ON TRUE WHERE number IN (2, 3) ORDER BY 1, 2";
    assert_eq!(stage.lines(missing).await, ["2|-", "3|bucketName", "3|key"]);
}

#[tokio::test]
async fn unnested_rows_are_joined_filtered_and_unnested_again() {
    let stage = Stage::new().await;
    let sql = "SELECT t.number, u.part FROM {t} t CROSS JOIN UNNEST(resources) AS r(account, kind, arn) \
               CROSS JOIN UNNEST(split(r.arn, ':')) AS u(part) WHERE part LIKE 'b%' AND number = 2 ORDER BY part";
    assert_eq!(stage.lines(sql).await, ["2|b2/0", "2|b2/1"]);
    let within = "SELECT (SELECT count(*) FROM UNNEST(ARRAY[1, 2, 3]) AS t(x) WHERE x > 1)";
    assert_eq!(stage.lines(within).await, ["2"]);
}

#[tokio::test]
async fn arrays_of_arrays_are_unnested_one_level_at_a_time() {
    let stage = Stage::new().await;
    let sql = "SELECT cardinality(x), n FROM UNNEST(ARRAY[ARRAY[1, 2], ARRAY[3, 4, 5]]) WITH ORDINALITY AS t(x, n) ORDER BY n";
    assert_eq!(stage.lines(sql).await, ["2|1", "3|2"]);
    let empty = "SELECT number, cardinality(x) FROM {t} LEFT JOIN UNNEST(ARRAY[CAST(ARRAY[] AS array(bigint)), ARRAY[number]]) AS u(x) \
                 ON TRUE WHERE number < 1 ORDER BY 2";
    assert_eq!(stage.lines(empty).await, ["0|0", "0|1"]);
    let only_empty = "SELECT number, cardinality(x) FROM {t} LEFT JOIN UNNEST(ARRAY[CAST(ARRAY[] AS array(bigint))]) AS u(x) ON TRUE \
                      WHERE number < 1";
    assert_eq!(stage.lines(only_empty).await, ["0|0"]);
}

#[tokio::test]
async fn a_lateral_select_of_an_unnest_is_what_it_selects() {
    let stage = Stage::new().await;
    let sql = "SELECT number, label FROM {t} t CROSS JOIN LATERAL (SELECT CAST(t.number AS varchar) || ':' || upper(arn) AS label \
               FROM UNNEST(t.resources) AS r(a, b, arn) WHERE arn LIKE '%/1') AS l ORDER BY number";
    assert_eq!(stage.lines(sql).await, ["2|2:ARN:AWS:S3:::B2/1", "5|5:ARN:AWS:S3:::B5/1"]);
    let renamed = "SELECT number, one, two FROM {t} CROSS JOIN LATERAL (SELECT arn, b FROM UNNEST(resources) AS r(a, b, arn)) AS l(one, two) \
                   WHERE number = 1";
    assert_eq!(stage.lines(renamed).await, ["1|arn:aws:s3:::b1/0|AWS::S3::Object"]);
    let kept = "SELECT number, x FROM {t} LEFT JOIN LATERAL (SELECT arn AS x FROM UNNEST(resources) AS r(a, b, arn)) AS l ON TRUE \
                WHERE number < 2 ORDER BY 1";
    assert_eq!(stage.lines(kept).await, ["0|-", "1|arn:aws:s3:::b1/0"]);
    let counted = stage
        .error("SELECT number, c FROM {t} CROSS JOIN LATERAL (SELECT count(*) AS c FROM UNNEST(resources) AS r(a, b, arn)) AS l")
        .await;
    assert!(counted.place().is_some(), "{counted}");
}
