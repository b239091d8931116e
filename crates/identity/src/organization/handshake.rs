//! Handshakes: invitations, and the consent to all features.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};

use super::{
    creation,
    document::{FeatureSet, JoinedMethod, Member, Organization, PolicyType, of_account},
    form, found, ids, limits, member, policy_type,
    refusal::{Absent, Already, Constraint, HandshakeConstraint, InvalidReason, OrganizationRefusal},
    tagging,
};
use crate::{
    account::{self, Account},
    documents::Documents,
    tags::Tag,
};

type Result<T> = std::result::Result<T, OrganizationRefusal>;

/// What a handshake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// An account is to join.
    Invite,
    /// The organization is to have all features.
    EnableAllFeatures,
    /// An account that was invited is to agree to all features.
    ApproveAllFeatures,
}

impl Action {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::EnableAllFeatures => "ENABLE_ALL_FEATURES",
            Self::ApproveAllFeatures => "APPROVE_ALL_FEATURES",
        }
    }
}

/// How far a handshake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandshakeState {
    /// Others have to agree first.
    Requested,
    /// It waits for its answer.
    Open,
    /// The answer was yes.
    Accepted,
    /// The answer was no.
    Declined,
    /// Who asked took it back.
    Canceled,
    /// No answer came in time.
    Expired,
}

impl HandshakeState {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Open => "OPEN",
            Self::Accepted => "ACCEPTED",
            Self::Declined => "DECLINED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }

    fn is_pending(self) -> bool {
        matches!(self, Self::Requested | Self::Open)
    }
}

/// A handshake. The document's id is its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Handshake {
    /// `h-…`.
    pub id: String,
    /// The organization's id.
    pub organization: String,
    /// The organization's management account.
    pub management_account: AccountId,
    /// The features of the organization when it was sent.
    pub feature_set: FeatureSet,
    /// What it is about.
    pub action: Action,
    /// The account that has to answer; the organization's own for [`Action::EnableAllFeatures`].
    pub account: AccountId,
    /// The address that the account was invited by, where it was by one.
    #[serde(default)]
    pub email: Option<String>,
    /// What the invited are told.
    #[serde(default)]
    pub notes: Option<String>,
    /// The tags that the account will have.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// The handshake that this one is part of.
    #[serde(default)]
    pub parent: Option<String>,
    /// How far it was when somebody changed it last.
    state: HandshakeState,
    /// When it was sent.
    pub requested_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it came to its end.
    #[serde(default)]
    ended_at: Option<DateTime<Utc>>,
}

impl Resource for Handshake {
    const KIND: &'static str = "identity.handshake";
}

impl Handshake {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let Self { management_account, organization, id, .. } = self;
        let action = self.action.as_str().to_ascii_lowercase();
        format!("arn:aws:organizations::{management_account}:handshake/{organization}/{action}/{id}")
    }

    /// How far it is.
    pub fn state(&self, now: DateTime<Utc>) -> HandshakeState {
        if self.state.is_pending() && now >= self.expires_at { HandshakeState::Expired } else { self.state }
    }

    /// Whether it is shown: for some time after its end.
    fn is_shown(&self, now: DateTime<Utc>) -> bool {
        let expired = (self.state(now) == HandshakeState::Expired).then_some(self.expires_at);
        let ended = self.ended_at.or(expired);
        ended.is_none_or(|ended| now < ended + Duration::days(limits::HANDSHAKE_SHOWN_DAYS))
    }

    fn concerns(&self, account: AccountId) -> bool {
        self.account == account || self.management_account == account
    }

    fn save(&self, tx: &mut Transaction) {
        tx.put(&self.id, self);
    }
}

/// Who is invited.
#[derive(Debug, Clone, Copy)]
pub enum Invited<'a> {
    /// The account of this id.
    Account(&'a str),
    /// The account with this address.
    Email(&'a str),
}

/// What an invitation says.
#[derive(Debug, Clone, Copy)]
pub struct Invitation<'a> {
    /// Who is invited.
    pub target: Invited<'a>,
    /// What they are told.
    pub notes: Option<&'a str>,
    /// The tags that the account will have.
    pub tags: &'a [Tag],
}

/// Invites an account of this server. AWS writes a letter; here the account sees the invitation in
/// `ListHandshakesForAccount`.
///
/// # Errors
/// `InvalidInput`, also for an account that is not on this server; `DuplicateHandshake`;
/// `HandshakeConstraintViolation` for an account that is in an organization, while all features are being enabled, and
/// beyond [`limits::INVITATIONS_PER_DAY`] and [`limits::ACCOUNTS`].
pub fn invite(
    tx: &mut Transaction,
    organization: &Organization,
    invitation: &Invitation<'_>,
    now: DateTime<Utc>,
) -> Result<Handshake> {
    let Invitation { target, notes, tags } = *invitation;
    form::check_length("Notes", notes.unwrap_or_default(), 0, limits::NOTES_CHARS)?;
    tagging::check(tags)?;
    let (account, email) = invited(tx, target)?;
    check_room(tx, organization, now)?;
    if tx.contains::<Member>(account.as_str()) {
        return Err(HandshakeConstraint::AlreadyMember.into());
    }
    let is_same = |open: &Arc<Handshake>| open.action == Action::Invite && open.account == account;
    if of_organization(tx, &organization.id).iter().any(|open| is_same(open) && open.state(now).is_pending())
    {
        return Err(Already::Invited.into());
    }
    let handshake = Handshake {
        email,
        notes: notes.map(str::to_owned),
        tags: tags.to_vec(),
        ..new(tx, organization, Action::Invite, account, limits::INVITATION_DAYS, now)
    };
    handshake.save(tx);
    Ok(handshake)
}

fn invited(docs: &impl Documents, target: Invited<'_>) -> Result<(AccountId, Option<String>)> {
    let unknown = |reason, what: &str| {
        OrganizationRefusal::invalid(reason, format!("There is no account with this {what} on this server."))
    };
    match target {
        Invited::Account(id) => id
            .parse::<AccountId>()
            .ok()
            .and_then(|id| docs.document::<Account>(id.as_str()))
            .map(|account| (account.id, None))
            .ok_or_else(|| unknown(InvalidReason::TargetNotSupported, "ID")),
        Invited::Email(email) => {
            form::check_email(email)?;
            let account = creation::with_email(docs, email);
            let found = account.map(|account| (account, Some(email.to_owned())));
            found.ok_or_else(|| unknown(InvalidReason::InvalidEmailAddressTarget, "email address"))
        }
    }
}

/// Whether another invitation may be sent.
fn check_room(docs: &impl Documents, organization: &Organization, now: DateTime<Utc>) -> Result<()> {
    let sent = of_organization(docs, &organization.id);
    let is_enabling = |h: &Arc<Handshake>| h.action == Action::EnableAllFeatures && h.state(now).is_pending();
    if sent.iter().any(is_enabling) {
        return Err(HandshakeConstraint::InvitingDisabled.into());
    }
    let since = now - Duration::days(1);
    let today = sent.iter().filter(|h| h.action == Action::Invite && h.requested_at > since).count();
    let most_a_day = limits::INVITATIONS_PER_DAY.max(member::list(docs, organization, now).len());
    if today >= most_a_day {
        return Err(HandshakeConstraint::Rate.into());
    }
    let accounts = member::list(docs, organization, now).len() + open_invitations(docs, organization, now);
    if accounts >= limits::ACCOUNTS { Err(HandshakeConstraint::Accounts.into()) } else { Ok(()) }
}

/// How many invitations wait for their answer; they take up room in the organization.
pub(super) fn open_invitations(
    docs: &impl Documents,
    organization: &Organization,
    now: DateTime<Utc>,
) -> usize {
    let sent = of_organization(docs, &organization.id);
    sent.iter().filter(|h| h.action == Action::Invite && h.state(now).is_pending()).count()
}

fn new(
    tx: &Transaction,
    organization: &Organization,
    action: Action,
    account: AccountId,
    days: i64,
    now: DateTime<Utc>,
) -> Handshake {
    let mut id = ids::handshake();
    while tx.contains::<Handshake>(&id) {
        id = ids::handshake();
    }
    Handshake {
        id,
        organization: organization.id.clone(),
        management_account: organization.management_account,
        feature_set: organization.feature_set,
        action,
        account,
        email: None,
        notes: None,
        tags: Vec::new(),
        parent: None,
        state: HandshakeState::Open,
        requested_at: now,
        expires_at: now + Duration::days(days),
        ended_at: None,
    }
}

/// Asks for all features of an organization that has consolidated billing only. Every account that was invited has to
/// agree; then the management account accepts this handshake, and the organization has them.
///
/// # Errors
/// `HandshakeConstraintViolation` if it has all features, or was asked for them already.
pub fn enable_all_features(
    tx: &mut Transaction,
    organization: &Organization,
    now: DateTime<Utc>,
) -> Result<Handshake> {
    if organization.feature_set == FeatureSet::All {
        return Err(HandshakeConstraint::HasAllFeatures.into());
    }
    let is_pending = |h: &Arc<Handshake>| h.action == Action::EnableAllFeatures && h.state(now).is_pending();
    if of_organization(tx, &organization.id).iter().any(is_pending) {
        return Err(HandshakeConstraint::PendingAllFeatures.into());
    }
    let management = organization.management_account;
    let days = limits::ALL_FEATURES_DAYS;
    let mut whole = new(tx, organization, Action::EnableAllFeatures, management, days, now);
    let asked: Vec<AccountId> = member::list(tx, organization, now)
        .iter()
        .filter(|member| member.account != management && member.joined_method == JoinedMethod::Invited)
        .filter(|member| account::closed_at(tx, member.account).is_none())
        .map(|member| member.account)
        .collect();
    if !asked.is_empty() {
        whole.state = HandshakeState::Requested;
    }
    whole.save(tx);
    for account in asked {
        let part = new(tx, organization, Action::ApproveAllFeatures, account, days, now);
        Handshake { parent: Some(whole.id.clone()), ..part }.save(tx);
    }
    Ok(whole)
}

/// What came of an accepted handshake.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The handshake.
    pub handshake: Handshake,
    /// The organization as it is now.
    pub organization: Arc<Organization>,
}

/// Accepts a handshake that the account has to answer.
///
/// # Errors
/// `HandshakeNotFound`, `AccessDenied`, `HandshakeAlreadyInState`, `InvalidHandshakeTransition`;
/// `HandshakeConstraintViolation` for an account that is in an organization by now.
pub fn accept(tx: &mut Transaction, account: AccountId, id: &str, now: DateTime<Utc>) -> Result<Accepted> {
    let mut handshake = to_answer(tx, account, id, HandshakeState::Accepted, now)?;
    if handshake.state != HandshakeState::Open {
        return Err(OrganizationRefusal::InvalidHandshakeTransition);
    }
    let organization = tx.get::<Organization>(&handshake.organization).ok_or(Absent::Handshake)?;
    match handshake.action {
        Action::Invite => join(tx, &organization, &handshake, now)?,
        Action::ApproveAllFeatures => {}
        Action::EnableAllFeatures => {
            let mut all = Organization::clone(&organization);
            all.feature_set = FeatureSet::All;
            all.save(tx);
            policy_type::enable(tx, &Arc::new(all), PolicyType::ServiceControl)?;
        }
    }
    end(tx, &mut handshake, HandshakeState::Accepted, now);
    if let Some(parent) = &handshake.parent {
        open_when_agreed(tx, parent, now);
    }
    let organization = tx.get::<Organization>(&handshake.organization).unwrap_or(organization);
    Ok(Accepted { handshake, organization })
}

fn join(
    tx: &mut Transaction,
    organization: &Organization,
    handshake: &Handshake,
    now: DateTime<Utc>,
) -> Result<()> {
    if of_account(tx, handshake.account).is_some() || tx.contains::<Member>(handshake.account.as_str()) {
        return Err(HandshakeConstraint::AlreadyMember.into());
    }
    if member::list(tx, organization, now).len() >= limits::ACCOUNTS {
        return Err(Constraint::Accounts.into());
    }
    let mut member = found::new_member(organization, handshake.account, JoinedMethod::Invited, now);
    member.tags.clone_from(&handshake.tags);
    member.save(tx);
    Ok(())
}

/// The whole waits for its own answer as soon as every part of it was accepted.
fn open_when_agreed(tx: &mut Transaction, parent: &str, now: DateTime<Utc>) {
    let Some(whole) = tx.get::<Handshake>(parent) else { return };
    let parts = of_organization(tx, &whole.organization);
    let mut parts = parts.iter().filter(|part| part.parent.as_deref() == Some(parent));
    let agreed = parts.all(|part| part.state(now) == HandshakeState::Accepted);
    if agreed && whole.state(now) == HandshakeState::Requested {
        Handshake { state: HandshakeState::Open, ..Handshake::clone(&whole) }.save(tx);
    }
}

/// Declines a handshake that the account has to answer.
///
/// # Errors
/// `HandshakeNotFound`, `AccessDenied`, `HandshakeAlreadyInState`, `InvalidHandshakeTransition`.
pub fn decline(tx: &mut Transaction, account: AccountId, id: &str, now: DateTime<Utc>) -> Result<Handshake> {
    let mut handshake = to_answer(tx, account, id, HandshakeState::Declined, now)?;
    if handshake.action == Action::EnableAllFeatures {
        return Err(OrganizationRefusal::InvalidHandshakeTransition);
    }
    end(tx, &mut handshake, HandshakeState::Declined, now);
    Ok(handshake)
}

/// Takes back a handshake that the account sent, with its parts.
///
/// # Errors
/// `HandshakeNotFound`, `AccessDenied`, `HandshakeAlreadyInState`, `InvalidHandshakeTransition`.
pub fn cancel(tx: &mut Transaction, account: AccountId, id: &str, now: DateTime<Utc>) -> Result<Handshake> {
    let mut handshake = Handshake::clone(&*get(tx, account, id, now)?);
    if handshake.management_account != account {
        return Err(OrganizationRefusal::AccessDenied);
    }
    check_pending(&handshake, HandshakeState::Canceled, now)?;
    end(tx, &mut handshake, HandshakeState::Canceled, now);
    for part in of_organization(tx, &handshake.organization) {
        if part.parent.as_deref() == Some(id) && part.state(now).is_pending() {
            end(tx, &mut Handshake::clone(&part), HandshakeState::Canceled, now);
        }
    }
    Ok(handshake)
}

/// A handshake that the account sent or has to answer.
///
/// # Errors
/// `HandshakeNotFound`.
pub fn get(
    docs: &impl Documents,
    account: AccountId,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Arc<Handshake>> {
    let found = docs.document::<Handshake>(id).filter(|h| h.concerns(account) && h.is_shown(now));
    found.ok_or_else(|| Absent::Handshake.into())
}

/// The handshakes that an account has to answer, or had to lately.
pub fn for_account(docs: &impl Documents, account: AccountId, now: DateTime<Utc>) -> Vec<Arc<Handshake>> {
    let all = docs.documents::<Handshake>("").into_iter().map(|(_, handshake)| handshake);
    all.filter(|handshake| handshake.account == account && handshake.is_shown(now)).collect()
}

/// The handshakes of an organization, those that came to their end lately included.
pub fn for_organization(
    docs: &impl Documents,
    organization: &Organization,
    now: DateTime<Utc>,
) -> Vec<Arc<Handshake>> {
    let mut all = of_organization(docs, &organization.id);
    all.retain(|handshake| handshake.is_shown(now));
    all
}

fn of_organization(docs: &impl Documents, organization: &str) -> Vec<Arc<Handshake>> {
    let all = docs.documents::<Handshake>("").into_iter().map(|(_, handshake)| handshake);
    all.filter(|handshake| handshake.organization == organization).collect()
}

/// Ends the invitations of an organization that is deleted.
pub(super) fn cancel_all(tx: &mut Transaction, organization: &str, now: DateTime<Utc>) {
    for handshake in of_organization(tx, organization) {
        if handshake.state(now).is_pending() {
            end(tx, &mut Handshake::clone(&handshake), HandshakeState::Canceled, now);
        }
    }
}

fn to_answer(
    tx: &Transaction,
    account: AccountId,
    id: &str,
    wanted: HandshakeState,
    now: DateTime<Utc>,
) -> Result<Handshake> {
    let handshake = Handshake::clone(&*get(tx, account, id, now)?);
    if handshake.account != account {
        return Err(OrganizationRefusal::AccessDenied);
    }
    check_pending(&handshake, wanted, now)?;
    Ok(handshake)
}

fn check_pending(handshake: &Handshake, wanted: HandshakeState, now: DateTime<Utc>) -> Result<()> {
    match handshake.state(now) {
        state if state == wanted => Err(Already::HandshakeState.into()),
        state if state.is_pending() => Ok(()),
        _ => Err(OrganizationRefusal::InvalidHandshakeTransition),
    }
}

fn end(tx: &mut Transaction, handshake: &mut Handshake, state: HandshakeState, now: DateTime<Utc>) {
    handshake.state = state;
    handshake.ended_at = Some(now);
    handshake.save(tx);
}
