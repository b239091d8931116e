//! Queries that have not ended: documents.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_state::{State, Transaction};

use super::{MAX_CONCURRENT, Query, QueryId, record::document_id};

/// The account has as many queries waiting or running as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("You are already running the maximum number of concurrent queries, which is {MAX_CONCURRENT}.")]
pub struct TooManyQueries;

/// Stages a query.
///
/// # Errors
/// [`TooManyQueries`], and then nothing is staged.
pub fn start(tx: &mut Transaction, query: &Query) -> Result<(), TooManyQueries> {
    let running = tx.scan::<Query>(&format!("{}/", query.account), None, MAX_CONCURRENT);
    if running.len() >= MAX_CONCURRENT {
        return Err(TooManyQueries);
    }
    tx.put(&query.document_id(), query);
    Ok(())
}

/// A query that has not ended, of any account.
pub fn find(tx: &Transaction, id: QueryId) -> Option<Arc<Query>> {
    tx.list::<Query>("").into_iter().map(|(_, query)| query).find(|query| query.id == id)
}

/// Stages that a query is cancelled, which ends it soon; false if it is already.
pub fn cancel(tx: &mut Transaction, query: &Query) -> bool {
    if query.is_cancelled {
        return false;
    }
    tx.put(&query.document_id(), &Query { is_cancelled: true, ..query.clone() });
    true
}

/// Stages that a query has ended; whether there was such a query.
pub fn end(tx: &mut Transaction, query: &Query) -> bool {
    tx.delete::<Query>(&query.document_id())
}

/// Every query that has not ended, of all accounts.
pub fn all(state: &State) -> Vec<Arc<Query>> {
    state.list::<Query>("").into_iter().map(|(_, query)| query).collect()
}

/// The queries of an account that have not ended.
pub fn of_account(state: &State, account: AccountId) -> Vec<Arc<Query>> {
    state.list::<Query>(&format!("{account}/")).into_iter().map(|(_, query)| query).collect()
}

/// A query that has not ended, of an account.
pub fn get(state: &State, account: AccountId, id: QueryId) -> Option<Arc<Query>> {
    state.get::<Query>(&document_id(account, id))
}
