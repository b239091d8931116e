//! What AWS checks before an event data store is made or changed.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_selector::StoreCategory;
use opentrail_state::Transaction;
use opentrail_trails::{Organization, OrganizationId, TrailError, organization};

use crate::store::{
    BillingMode, EventDataStore, StoreRefusal,
    limits::{MAX_STORE_NAME, MAX_STORES_PER_REGION, MIN_STORE_NAME},
};

/// Checks a store's name: 3 to 128 letters, digits, `.`, `-`, `_`.
pub(super) fn check_name(name: &str) -> Result<(), StoreRefusal> {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if !(MIN_STORE_NAME..=MAX_STORE_NAME).contains(&name.chars().count()) {
        let message = format!(
            "The name of an event data store must have {MIN_STORE_NAME} to {MAX_STORE_NAME} characters."
        );
        return Err(StoreRefusal::InvalidParameter(message));
    }
    if !name.bytes().all(is_allowed) {
        let message = "The name of an event data store can only have letters, digits, periods, hyphens and \
                       underscores.";
        return Err(StoreRefusal::InvalidParameter(message.to_owned()));
    }
    Ok(())
}

pub(super) fn check_name_is_free(tx: &Transaction, store: &EventDataStore) -> Result<(), StoreRefusal> {
    let others = of_region(tx, store).into_iter();
    if others.filter(|other| other.id != store.id).any(|other| other.name == store.name) {
        return Err(StoreRefusal::AlreadyExists {
            name: store.name.clone(),
            account: store.account,
            region: store.region.clone(),
        });
    }
    Ok(())
}

/// Whether the store, which is new or comes back, has room in its region.
pub(super) fn check_room(tx: &Transaction, store: &EventDataStore) -> Result<(), StoreRefusal> {
    let others = of_region(tx, store).into_iter();
    let active = others.filter(|other| other.id != store.id && other.is_active()).count();
    if active >= MAX_STORES_PER_REGION {
        return Err(StoreRefusal::MaxLimitExceeded {
            account: store.account,
            region: store.region.clone(),
            limit: MAX_STORES_PER_REGION,
        });
    }
    Ok(())
}

fn of_region(tx: &Transaction, store: &EventDataStore) -> Vec<Arc<EventDataStore>> {
    let prefix = format!("{}/{}/", store.account, store.region);
    tx.list::<EventDataStore>(&prefix).into_iter().map(|(_, store)| store).collect()
}

pub(super) fn check_retention(mode: BillingMode, days: u32) -> Result<(), StoreRefusal> {
    let allowed = mode.retentions();
    if allowed.contains(&days) {
        return Ok(());
    }
    Err(StoreRefusal::InvalidParameter(format!(
        "The retention period must be {} to {} days for the billing mode {}.",
        allowed.start(),
        allowed.end(),
        mode.as_str()
    )))
}

pub(super) fn check_mode_change(from: BillingMode, to: BillingMode) -> Result<(), StoreRefusal> {
    use BillingMode::{ExtendableRetentionPricing as Extendable, FixedRetentionPricing as Fixed};
    if (from, to) == (Extendable, Fixed) {
        let message = "The billing mode can't be changed from EXTENDABLE_RETENTION_PRICING to \
                       FIXED_RETENTION_PRICING.";
        return Err(StoreRefusal::InvalidParameter(message.to_owned()));
    }
    Ok(())
}

/// Ingestion starts and stops for events and configuration items only (AWS: StartEventDataStoreIngestion).
pub(super) fn check_can_be_started(category: StoreCategory) -> Result<(), StoreRefusal> {
    match category {
        StoreCategory::Events | StoreCategory::ConfigurationItem => Ok(()),
        category => Err(StoreRefusal::Category { category }),
    }
}

/// The organization for which the account may make a store.
pub(super) fn organization_for(
    tx: &Transaction,
    account: AccountId,
) -> Result<Arc<Organization>, StoreRefusal> {
    let organization = organization::of_account(tx, account)
        .ok_or(StoreRefusal::Organization(TrailError::OrganizationsNotInUse { account }))?;
    if !organization.is_administered_by(account) {
        let id = organization.id.clone();
        return Err(StoreRefusal::Organization(TrailError::NotAdministrator { account, id }));
    }
    organization.check_open_to_cloudtrail().map_err(StoreRefusal::Organization)?;
    Ok(organization)
}

/// What UpdateEventDataStore makes of a store's organization: only the management account converts.
pub(super) fn converted(
    tx: &Transaction,
    account: AccountId,
    store: &EventDataStore,
    wanted: bool,
) -> Result<Option<OrganizationId>, StoreRefusal> {
    let by_another = |id: &OrganizationId| {
        Err(StoreRefusal::Organization(TrailError::ConversionByAnother { id: id.clone() }))
    };
    match (&store.organization, wanted) {
        (Some(id), true) => Ok(Some(id.clone())),
        (None, false) => Ok(None),
        (Some(id), false) if account != store.account => by_another(id),
        (Some(_), false) => Ok(None),
        (None, true) => {
            let organization = organization_for(tx, account)?;
            if organization.management == account {
                Ok(Some(organization.id.clone()))
            } else {
                by_another(&organization.id)
            }
        }
    }
}
