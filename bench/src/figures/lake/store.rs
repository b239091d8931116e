//! An event data store: it is made, filled by an import, and asked.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Connection},
    error::{BenchError, check},
    process::ACCOUNT,
};

const ROLE: &str = "bench-import";
/// Between two looks at an import.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks at a query: a twentieth of the time that it took so far, within these. A look is a call that the
/// server records, too.
const QUERY_LOOK: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
const IMPORT_LIMIT: Duration = Duration::from_secs(3600);

/// An event data store.
pub(super) struct Store {
    pub(super) arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Import {
    import_id: String,
    import_status: String,
    import_statistics: Option<Statistics>,
}

/// What an import did.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statistics {
    pub(super) files_completed: u64,
    pub(super) events_completed: u64,
    pub(super) failed_entries: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    query_status: String,
    query_result_rows: Vec<Vec<Value>>,
    error_message: Option<String>,
}

async fn call<T: serde::de::DeserializeOwned>(
    connection: &mut Connection,
    operation: &'static str,
    input: &Value,
) -> Result<T, BenchError> {
    connection.cloudtrail("us-east-1", operation, input).await
}

impl Store {
    /// Makes one that takes what the generated records are, and takes nothing before it is told to.
    pub(super) async fn make(connection: &mut Connection) -> Result<Self, BenchError> {
        let data = |kind: &str| {
            json!({"FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": [kind]},
            ]})
        };
        let selectors = json!([
            {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]},
            data("AWS::S3::Object"),
            data("AWS::Lambda::Function"),
            data("AWS::DynamoDB::Table"),
        ]);
        let ask = json!({"Name": "bench", "StartIngestion": false, "AdvancedEventSelectors": selectors});
        let made: Value = call(connection, "CloudTrail_20131101.CreateEventDataStore", &ask).await?;
        let arn = made["EventDataStoreArn"].as_str().unwrap_or_default().to_owned();
        Ok(Self { arn })
    }

    /// From now on it takes new events.
    pub(super) async fn start_ingestion(&self, connection: &mut Connection) -> Result<(), BenchError> {
        let ask = json!({"EventDataStore": self.arn});
        call::<Value>(connection, "CloudTrail_20131101.StartEventDataStoreIngestion", &ask).await.map(drop)
    }

    /// Imports all log files of a bucket, and waits for the end.
    pub(super) async fn import(
        &self,
        connection: &mut Connection,
        bucket: &str,
    ) -> Result<(Duration, Statistics), BenchError> {
        let role = make_role(connection, bucket).await?;
        let source = json!({"S3": {
            "S3LocationUri": format!("s3://{bucket}/AWSLogs/"), "S3BucketRegion": "us-east-1", "S3BucketAccessRoleArn": role,
        }});
        let began = Instant::now();
        let ask = json!({"Destinations": [self.arn], "ImportSource": source});
        let mut import: Import = call(connection, "CloudTrail_20131101.StartImport", &ask).await?;
        while matches!(import.import_status.as_str(), "INITIALIZING" | "IN_PROGRESS") {
            if began.elapsed() > IMPORT_LIMIT {
                return Err(BenchError::TooLate { what: "the import's end", limit: IMPORT_LIMIT });
            }
            tokio::time::sleep(LOOK).await;
            let ask = json!({"ImportId": import.import_id});
            import = call(connection, "CloudTrail_20131101.GetImport", &ask).await?;
        }
        let took = began.elapsed();
        check(import.import_status == "COMPLETED", || format!("the import is {}", import.import_status))?;
        let statistics = import.import_statistics;
        statistics
            .map(|statistics| (took, statistics))
            .ok_or_else(|| BenchError::Wrong("the import has no statistics".to_owned()))
    }

    /// Asks, and answers the rows and how long it took from the call that starts the query to the answer with its rows.
    pub(super) async fn ask(
        &self,
        connection: &mut Connection,
        question: &str,
    ) -> Result<(Duration, Vec<Vec<String>>), BenchError> {
        let id = self.arn.rsplit('/').next().unwrap_or_default();
        let ask = json!({"QueryStatement": question.replace("$EDS", id)});
        let began = Instant::now();
        let started: Value = call(connection, "CloudTrail_20131101.StartQuery", &ask).await?;
        let ask = json!({"QueryId": started["QueryId"]});
        loop {
            let results: Results = call(connection, "CloudTrail_20131101.GetQueryResults", &ask).await?;
            match results.query_status.as_str() {
                "QUEUED" | "RUNNING" => {
                    tokio::time::sleep((began.elapsed() / 20).clamp(QUERY_LOOK.0, QUERY_LOOK.1)).await;
                }
                "FINISHED" => {
                    return Ok((
                        began.elapsed(),
                        results.query_result_rows.iter().map(|columns| row(columns)).collect(),
                    ));
                }
                status => {
                    let why = results.error_message.unwrap_or_default();
                    return Err(BenchError::Wrong(format!("{question}: {status} {why}")));
                }
            }
        }
    }

    /// How many events it has that `POST /v1/events` or an import brought, and not this server's own calls.
    pub(super) async fn count(&self, connection: &mut Connection) -> Result<u64, BenchError> {
        let (_, rows) = self.ask(connection, &format!("SELECT count(*) {}", brought())).await?;
        let count = rows.first().and_then(|row| row.first()?.parse().ok());
        count.ok_or_else(|| BenchError::Wrong(format!("a count was answered with {rows:?}")))
    }

    /// Fails unless each of these events is there once. Ids are looked at in sixteenths, which take no disk space.
    pub(super) async fn each_once(&self, connection: &mut Connection) -> Result<(), BenchError> {
        for digit in "0123456789abcdef".chars() {
            let twice = format!(
                "SELECT eventID {} AND substr(eventID, 1, 1) = '{digit}' GROUP BY eventID HAVING count(*) > 1 LIMIT 1",
                brought()
            );
            let (_, twice) = self.ask(connection, &twice).await?;
            check(twice.is_empty(), || format!("an event is there more than once: {twice:?}"))?;
        }
        Ok(())
    }
}

fn brought() -> String {
    format!("FROM $EDS WHERE recipientAccountId <> '{ACCOUNT}'")
}

/// The values of a row: each column is an object with one member.
fn row(columns: &[Value]) -> Vec<String> {
    let value = |column: &Value| Some(column.as_object()?.values().next()?.as_str()?.to_owned());
    columns.iter().map(|column| value(column).unwrap_or_default()).collect()
}

/// A role that CloudTrail may read the bucket with; its ARN.
async fn make_role(connection: &mut Connection, bucket: &str) -> Result<String, BenchError> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let may = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketAcl", "s3:GetObject"],
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
    }]});
    let form = |action: &str, more: &[(&str, &str)]| {
        let first = [("Action", action), ("Version", "2010-05-08"), ("RoleName", ROLE)];
        serde_urlencoded::to_string([&first, more].concat())
            .map_err(|error| BenchError::Missing(format!("a form can't be written: {error}")))
    };
    let create = form("CreateRole", &[("AssumeRolePolicyDocument", &trust.to_string())])?;
    connection.ask(Ask::query("iam", create)).await?;
    let put = form("PutRolePolicy", &[("PolicyName", "read"), ("PolicyDocument", &may.to_string())])?;
    connection.ask(Ask::query("iam", put)).await?;
    Ok(format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"))
}
