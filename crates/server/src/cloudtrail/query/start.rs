//! StartQuery.

use std::sync::OnceLock;

use opentrail_event::RecordResource;
use opentrail_lake::query::{Query, QueryId, open};
use opentrail_sql::Statement;
use opentrail_state::Transaction;
use opentrail_trails::StoreError;
use serde::{Deserialize, Serialize};

use super::plan::{self, Plan};
use crate::{
    call::Call,
    cloudtrail::{encryption, event_data_store::asking},
    fault::{Common, Fault},
    operation::{Described, Permission, Write},
};

pub(in crate::cloudtrail) struct StartQuery;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Input {
    pub(super) query_statement: Option<String>,
    #[serde(rename = "DeliveryS3Uri")]
    pub(super) delivery_s3_uri: Option<String>,
    pub(super) query_alias: Option<String>,
    pub(super) query_parameters: Option<Vec<String>>,
    pub(super) event_data_store_owner_account_id: Option<String>,
    /// The query that the call has, once it was read: that takes time, and is done before anything is locked.
    #[serde(skip)]
    pub(super) statement: OnceLock<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cloudtrail) struct Output {
    query_id: String,
    event_data_store_owner_account_id: Option<String>,
}

impl Described for StartQuery {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "StartQuery";
    /// The text says which event data stores are asked, and each must let the caller.
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &Input, call: &Call) -> Vec<RecordResource> {
        let stores = plan::named_stores(input, call).unwrap_or_default();
        stores.iter().map(|store| asking::touched(store)).collect()
    }
}

impl Write for StartQuery {
    async fn prepare(input: &Input, call: &Call) -> Result<(), Fault> {
        plan::permit_reading(input, call)?;
        plan::read(input, call).await?;
        let plan = Plan::of(input, call)?;
        plan.stores.iter().try_for_each(|store| encryption::check_reader(store, call))?;
        plan.check(call).await?;
        let (Some(destination), Some(store)) = (&plan.destination, plan.stores.first()) else {
            return Ok(());
        };
        let folder = destination.folder(call.account, QueryId::draw(), call.arrival.at);
        let store = store.arn().to_string();
        let bucket = destination.bucket();
        let checked = call.rooms.stores.check_results(bucket, &folder, &store, call.account);
        checked.map_err(|error| refused_by(bucket, &error, call))
    }

    fn act(input: Input, call: &Call, tx: &mut Transaction) -> Result<Output, Fault> {
        let plan = Plan::of(&input, call)?;
        let query = Query {
            id: QueryId::draw(),
            account: call.account,
            region: call.region.clone(),
            stores: plan.stores.iter().map(|store| store.arn().to_string()).collect(),
            statement: plan.text,
            parameters: plan.parameters,
            alias: input.query_alias.clone(),
            destination: plan.destination,
            created: call.arrival.at,
            is_cancelled: false,
        };
        open::start(tx, &query)
            .map_err(|error| Fault::declared("MaxConcurrentQueriesException", error.to_string()))?;
        call.rooms.queries.something_began();
        let owner = plan.stores.first().map(|store| store.account.to_string());
        Ok(Output { query_id: query.id.to_string(), event_data_store_owner_account_id: owner })
    }
}

/// Why results can't be delivered there.
fn refused_by(bucket: &str, error: &StoreError, call: &Call) -> Fault {
    match error {
        StoreError::NoSuchBucket => {
            let message = format!("S3 bucket {bucket} does not exist!");
            Fault::declared("S3BucketDoesNotExistException", message)
        }
        StoreError::InsufficientPolicy | StoreError::AccessDenied => {
            let message = format!("Incorrect S3 bucket policy is detected for bucket: {bucket}");
            Fault::declared("InsufficientS3BucketPolicyException", message)
        }
        error => call.fault(Common::Unavailable, format!("The bucket {bucket} can't be asked: {error}.")),
    }
}
