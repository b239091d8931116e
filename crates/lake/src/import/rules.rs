//! Starting, stopping and finding imports, with AWS's rules.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_state::{State, Transaction};
use uuid::Uuid;

use super::{
    document::{Import, ImportStatus, S3Source, document_id},
    location::{Location, TimeRange},
    refusal::ImportRefusal,
};
use crate::{
    schema::Shape,
    store::{EventDataStore, StoreArn, StoreCategory, StoreRefusal, Stores},
};

/// Imports of an account that are remembered; beyond it the oldest that has come to its end is forgotten. Ours.
pub const MAX_IMPORTS: usize = 1000;

/// What StartImport says of a new import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartImport {
    /// The ARN of the event data store.
    pub destination: String,
    /// Where to read.
    pub source: S3Source,
    /// Which events.
    pub range: TimeRange,
}

/// A new import, staged.
pub struct Started {
    /// The import.
    pub import: Import,
    /// One that was forgotten for it.
    pub forgotten: Option<Uuid>,
}

/// The imports of all accounts, as far as they are documents. `account` is the caller's everywhere, `region` that of
/// the call.
///
/// Changes are staged in the caller's [`Transaction`]; they happen when it commits. Whether the role may read the bucket
/// is asked by the caller beforehand.
#[derive(Clone)]
pub struct ImportRules {
    state: State,
    stores: Stores,
}

impl ImportRules {
    /// The imports in this state.
    pub fn new(state: State, stores: Stores) -> Self {
        Self { state, stores }
    }

    /// The store that an import may fill.
    ///
    /// # Errors
    /// The codes that AWS declares for StartImport.
    pub fn destination(
        &self,
        account: AccountId,
        region: &Region,
        arn: &str,
    ) -> Result<Arc<EventDataStore>, ImportRefusal> {
        StoreArn::parse(arn)?;
        let store = self.stores.get(account, region, arn)?;
        if store.account != account {
            return Err(ImportRefusal::NotPermitted(
                "Only the management account of an organization can import into its event data stores.",
            ));
        }
        if !store.is_active() {
            return Err(StoreRefusal::Inactive { arn: store.arn().to_string() }.into());
        }
        if Shape::of(store.category.as_str()) != Some(Shape::Event)
            || store.category == StoreCategory::Insight
        {
            return Err(StoreRefusal::Category { category: store.category }.into());
        }
        Ok(store)
    }

    /// StartImport of a new import.
    ///
    /// # Errors
    /// The codes that AWS declares for StartImport.
    pub fn start(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &StartImport,
        now: DateTime<Utc>,
    ) -> Result<Started, ImportRefusal> {
        let store = self.destination(account, region, &ask.destination)?;
        Location::parse(&ask.source.location_uri)?;
        if ask.range.start.zip(ask.range.end).is_some_and(|(start, end)| start > end) {
            let text = "StartEventTime must not be later than EndEventTime.";
            return Err(ImportRefusal::InvalidParameter(text.to_owned()));
        }
        check_none_is_ongoing(tx, account)?;
        let import = Import {
            id: Uuid::new_v4(),
            account,
            region: region.clone(),
            destination: store.arn().to_string(),
            source: ask.source.clone(),
            range: ask.range,
            status: ImportStatus::Initializing,
            runs: 1,
            created: now,
            updated: now,
        };
        let forgotten = make_room(tx, account);
        tx.put(&import.document(), &import);
        Ok(Started { import, forgotten })
    }

    /// StartImport of one that failed or was stopped: it goes on from where it was, and tries again what failed.
    ///
    /// # Errors
    /// The codes that AWS declares for StartImport.
    pub fn retry(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Import, ImportRefusal> {
        let mut import = find(&uuid_of(id)?, account, region, id, |document| tx.get(document))?;
        self.destination(account, region, &import.destination)?;
        check_none_is_ongoing(tx, account)?;
        if import.status == ImportStatus::Completed {
            let text = format!("The import {id} is completed: there is nothing to retry.");
            return Err(ImportRefusal::InvalidParameter(text));
        }
        import.status = ImportStatus::Initializing;
        import.runs += 1;
        import.updated = now;
        tx.put(&import.document(), &import);
        Ok(import)
    }

    /// StopImport.
    ///
    /// # Errors
    /// The codes that AWS declares for StopImport.
    pub fn stop(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Import, ImportRefusal> {
        let mut import = find(&uuid_of(id)?, account, region, id, |document| tx.get(document))?;
        if !import.status.is_ongoing() {
            let text =
                format!("The import {id} is not in progress: its status is {}.", import.status.as_str());
            return Err(ImportRefusal::InvalidParameter(text));
        }
        import.status = ImportStatus::Stopped;
        import.updated = now;
        tx.put(&import.document(), &import);
        Ok(import)
    }

    /// One import.
    ///
    /// # Errors
    /// `ImportNotFoundException`.
    pub fn get(&self, account: AccountId, region: &Region, id: &str) -> Result<Import, ImportRefusal> {
        find(&uuid_of(id)?, account, region, id, |document| self.state.get(document))
    }

    /// The imports of an account in a region, the newest first.
    pub fn list(&self, account: AccountId, region: &Region) -> Vec<Arc<Import>> {
        let mut imports: Vec<Arc<Import>> =
            self.state.list::<Import>(&format!("{account}/")).into_iter().map(second).collect();
        imports.retain(|import| import.region == *region);
        imports.sort_by_key(|import| std::cmp::Reverse((import.created, import.id)));
        imports
    }

    /// The ids of all imports of all accounts.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.state.list::<Import>("").into_iter().map(|(_, import)| import.id)
    }

    /// Those of all accounts that have work left.
    pub fn ongoing(&self) -> Vec<Arc<Import>> {
        let imports = self.state.list::<Import>("").into_iter().map(second);
        let mut ongoing: Vec<Arc<Import>> = imports.filter(|import| import.status.is_ongoing()).collect();
        ongoing.sort_by_key(|import| import.updated);
        ongoing
    }

    /// Whether an import fills the store: then it can't be deleted.
    pub fn has_ongoing(tx: &Transaction, store: &StoreArn) -> bool {
        let arn = store.to_string();
        let imports = tx.list::<Import>(&format!("{}/", store.account));
        imports.iter().any(|(_, import)| import.status.is_ongoing() && import.destination == arn)
    }
}

fn second((_, import): (String, Arc<Import>)) -> Arc<Import> {
    import
}

fn uuid_of(id: &str) -> Result<Uuid, ImportRefusal> {
    let is_form =
        id.len() == uuid::fmt::Hyphenated::LENGTH && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    Uuid::try_parse(id).ok().filter(|_| is_form).ok_or_else(|| {
        let id: String = id.chars().take(64).collect();
        ImportRefusal::InvalidParameter(format!("{id:?} is not the id of an import."))
    })
}

fn find(
    uuid: &Uuid,
    account: AccountId,
    region: &Region,
    id: &str,
    get: impl Fn(&str) -> Option<Arc<Import>>,
) -> Result<Import, ImportRefusal> {
    let import = get(&document_id(account, *uuid)).filter(|import| import.region == *region);
    import.map(|import| Import::clone(&import)).ok_or_else(|| ImportRefusal::not_found(id))
}

fn check_none_is_ongoing(tx: &Transaction, account: AccountId) -> Result<(), ImportRefusal> {
    let imports = tx.list::<Import>(&format!("{account}/"));
    match imports.iter().find(|(_, import)| import.status.is_ongoing()) {
        Some((_, import)) => Err(ImportRefusal::Ongoing { account, import: import.id.to_string() }),
        None => Ok(()),
    }
}

/// Forgets the oldest, where there are as many as there may be.
fn make_room(tx: &mut Transaction, account: AccountId) -> Option<Uuid> {
    let imports = tx.list::<Import>(&format!("{account}/"));
    if imports.len() < MAX_IMPORTS {
        return None;
    }
    let (document, oldest) = imports.into_iter().min_by_key(|(_, import)| (import.updated, import.id))?;
    tx.delete::<Import>(&document);
    Some(oldest.id)
}
