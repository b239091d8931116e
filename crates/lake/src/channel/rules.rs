//! Making, changing and finding channels, with AWS's rules.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_selector::StoreCategory;
use opentrail_state::{State, Transaction};
use opentrail_trails::organization::Documents;
use parking_lot::Mutex;

use super::{
    document::{Channel, IngestionStatus},
    name::{ChannelArn, ChannelId},
    refusal::ChannelRefusal,
};
use crate::{
    resource_policy,
    store::{EventDataStore, StoreArn, StoreId, StoreRef, StoreRefusal, with_tags},
};

/// Shortest name of a channel in characters (AWS: ChannelName).
pub const MIN_CHANNEL_NAME: usize = 3;
/// Longest name of a channel in characters (AWS: ChannelName).
pub const MAX_CHANNEL_NAME: usize = 128;
/// Most event data stores that a channel names (AWS: Destinations).
pub const MAX_DESTINATIONS: usize = 200;
/// The source that is no partner's.
const CUSTOM: &str = "Custom";
/// The sources of the partners (AWS: "Additional information about integration partners").
const PARTNERS: [&str; 15] = [
    "CloudStorageSecurityConsole",
    "Clumio",
    "CrowdStrike",
    "CyberArk",
    "GitHub",
    "IBMMulticloud",
    "KongGatewayEnterprise",
    "LaunchDarkly",
    "MontyCloud",
    "NetskopeCloudExchange",
    "OktaSystemLogEvents",
    "OneLogin",
    "Shoreline",
    "Snyk",
    "WizAuditLogs",
];

/// What CreateChannel says.
#[derive(Debug, Clone, Default)]
pub struct CreateChannel {
    /// The channel's name.
    pub name: String,
    /// A partner's name or `Custom`.
    pub source: String,
    /// The ARNs or ids of the stores.
    pub destinations: Vec<String>,
    /// Tags by key.
    pub tags: Vec<(String, String)>,
}

/// What UpdateChannel says; an absent member stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateChannel {
    /// The channel's ARN or id.
    pub named: String,
    /// Another name.
    pub name: Option<String>,
    /// The ARNs or ids of other stores.
    pub destinations: Option<Vec<String>>,
}

/// The channels of all accounts. `account` is the caller's everywhere; a channel is seen and changed by its own account
/// only.
#[derive(Clone)]
pub struct Channels {
    state: State,
    statuses: Arc<Mutex<HashMap<ChannelId, IngestionStatus>>>,
}

impl Channels {
    /// The channels in this state.
    pub fn new(state: State) -> Self {
        Self { state, statuses: Arc::default() }
    }

    /// CreateChannel, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for CreateChannel.
    pub fn create(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &CreateChannel,
        now: DateTime<Utc>,
    ) -> Result<Channel, ChannelRefusal> {
        check_name(&ask.name)?;
        if ask.source != CUSTOM && !PARTNERS.contains(&ask.source.as_str()) {
            let source_name = ask.source.chars().take(256).collect();
            return Err(ChannelRefusal::InvalidSource { source_name });
        }
        let channel = Channel {
            id: ChannelId::new(),
            name: ask.name.clone(),
            account,
            region: region.clone(),
            source: ask.source.clone(),
            destinations: checked_destinations(tx, account, region, &ask.destinations)?,
            tags: with_tags(BTreeMap::new(), &ask.tags)?,
            created: now,
        };
        let others = of_region(tx, account, region);
        check_is_alone(&others, &channel)?;
        // So a region has no more channels than there are sources, and needs no other limit (CreateChannel, Source).
        if others.iter().any(|other| other.source == channel.source) {
            return Err(taken(&channel, format!("source {}", channel.source)));
        }
        tx.put(&channel.arn().document(), &channel);
        Ok(channel)
    }

    /// UpdateChannel, called in `region`.
    ///
    /// # Errors
    /// The codes that AWS declares for UpdateChannel.
    pub fn update(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        ask: &UpdateChannel,
    ) -> Result<Channel, ChannelRefusal> {
        let mut channel = Channel::clone(&*own(tx, account, region, &ask.named)?);
        if let Some(name) = &ask.name {
            check_name(name)?;
            channel.name.clone_from(name);
            check_is_alone(&of_region(tx, account, region), &channel)?;
        }
        if let Some(destinations) = &ask.destinations {
            channel.destinations = checked_destinations(tx, account, region, destinations)?;
        }
        tx.put(&channel.arn().document(), &channel);
        Ok(channel)
    }

    /// DeleteChannel, called in `region`; gives the channel that was. What came through it stays in its stores.
    ///
    /// # Errors
    /// The codes that AWS declares for DeleteChannel.
    pub fn delete(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        named: &str,
    ) -> Result<Arc<Channel>, ChannelRefusal> {
        let channel = own(tx, account, region, named)?;
        tx.delete::<Channel>(&channel.arn().document());
        resource_policy::delete(tx, &channel.arn().to_string());
        Ok(channel)
    }

    /// One channel of the account, by ARN or id.
    ///
    /// # Errors
    /// `ChannelARNInvalidException`, `ChannelNotFoundException`.
    pub fn get(
        &self,
        account: AccountId,
        region: &Region,
        named: &str,
    ) -> Result<Arc<Channel>, ChannelRefusal> {
        own(&self.state, account, region, named)
    }

    /// The channel of this ARN, whoever owns it.
    pub fn by_arn(&self, arn: &ChannelArn) -> Option<Arc<Channel>> {
        self.state.get(&arn.document())
    }

    /// The channels of an account in a region, in the order of their ids (ListChannels).
    pub fn list(&self, account: AccountId, region: &Region) -> Vec<Arc<Channel>> {
        let all = self.state.list::<Channel>(&format!("{account}/{region}/"));
        all.into_iter().map(|(_, channel)| channel).collect()
    }

    /// AddTags: new keys are added, known keys get the new value.
    ///
    /// # Errors
    /// The codes that AWS declares for AddTags.
    pub fn add_tags(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        arn: &str,
        tags: &[(String, String)],
    ) -> Result<(), ChannelRefusal> {
        let mut channel = Channel::clone(&*own(tx, account, region, arn)?);
        channel.tags = with_tags(std::mem::take(&mut channel.tags), tags)?;
        tx.put(&channel.arn().document(), &channel);
        Ok(())
    }

    /// RemoveTags: a key that the channel does not have is no error.
    ///
    /// # Errors
    /// The codes that AWS declares for RemoveTags.
    pub fn remove_tags(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        region: &Region,
        arn: &str,
        keys: &[String],
    ) -> Result<(), ChannelRefusal> {
        let mut channel = Channel::clone(&*own(tx, account, region, arn)?);
        channel.tags.retain(|key, _| !keys.contains(key));
        tx.put(&channel.arn().document(), &channel);
        Ok(())
    }

    /// What came of the events that a channel was offered last.
    pub fn status(&self, channel: ChannelId) -> IngestionStatus {
        self.statuses.lock().get(&channel).cloned().unwrap_or_default()
    }

    /// Remembers what came of events that a channel was offered.
    pub fn tell(&self, channel: ChannelId, say: impl FnOnce(&mut IngestionStatus)) {
        say(self.statuses.lock().entry(channel).or_default());
    }
}

/// A channel that delivers to this store, if there is one.
pub fn delivering_to(tx: &Transaction, store: &EventDataStore) -> Option<Arc<Channel>> {
    of_region(tx, store.account, &store.region)
        .into_iter()
        .find(|channel| channel.destinations.contains(&store.id))
}

fn of_region(tx: &Transaction, account: AccountId, region: &Region) -> Vec<Arc<Channel>> {
    let all = tx.list::<Channel>(&format!("{account}/{region}/"));
    all.into_iter().map(|(_, channel)| channel).collect()
}

fn own(
    docs: &impl Documents,
    account: AccountId,
    region: &Region,
    named: &str,
) -> Result<Arc<Channel>, ChannelRefusal> {
    let arn = ChannelArn::meant(named, account, region)?;
    let channel = docs.document::<Channel>(&arn.document());
    channel
        .filter(|channel| channel.account == account && channel.region == *region)
        .ok_or_else(|| ChannelRefusal::not_found(named))
}

fn check_name(name: &str) -> Result<(), ChannelRefusal> {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let of_form =
        (MIN_CHANNEL_NAME..=MAX_CHANNEL_NAME).contains(&name.chars().count()) && name.bytes().all(is_allowed);
    if of_form {
        return Ok(());
    }
    Err(ChannelRefusal::InvalidParameter(format!(
        "The name of a channel must have {MIN_CHANNEL_NAME} to {MAX_CHANNEL_NAME} letters, digits, periods, hyphens and \
         underscores."
    )))
}

fn taken(channel: &Channel, what: String) -> ChannelRefusal {
    ChannelRefusal::AlreadyExists { what, account: channel.account, region: channel.region.clone() }
}

fn check_is_alone(others: &[Arc<Channel>], channel: &Channel) -> Result<(), ChannelRefusal> {
    let has_name = |other: &Arc<Channel>| other.id != channel.id && other.name == channel.name;
    if others.iter().any(has_name) {
        return Err(taken(channel, format!("name {}", channel.name)));
    }
    Ok(())
}

/// The stores that a channel names: of its own account and region, active, for events from outside, each once.
fn checked_destinations(
    tx: &Transaction,
    account: AccountId,
    region: &Region,
    arns: &[String],
) -> Result<Vec<StoreId>, ChannelRefusal> {
    if !(1..=MAX_DESTINATIONS).contains(&arns.len()) {
        let message = format!("A channel must have 1 to {MAX_DESTINATIONS} destinations.");
        return Err(ChannelRefusal::InvalidParameter(message));
    }
    let mut seen = BTreeSet::new();
    let mut stores = Vec::with_capacity(arns.len());
    for text in arns {
        let wanted: StoreRef = text.parse()?;
        let own = StoreArn { region: region.clone(), account, id: wanted.id() };
        let is_own = !matches!(&wanted, StoreRef::Arn(arn) if *arn != own);
        let store = tx.get::<EventDataStore>(&own.document()).filter(|_| is_own);
        let store = store.ok_or_else(|| StoreRefusal::not_found(text))?;
        if !store.is_active() {
            return Err(StoreRefusal::Inactive { arn: text.clone() }.into());
        }
        if store.category != StoreCategory::ActivityAuditLog {
            return Err(StoreRefusal::Category { category: store.category }.into());
        }
        if !seen.insert(store.id) {
            let message = format!("The destination {} is named more than once.", store.arn());
            return Err(ChannelRefusal::InvalidParameter(message));
        }
        stores.push(store.id);
    }
    Ok(stores)
}
