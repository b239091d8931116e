//! Organizations: accounts, units, invitations, service access.

use chrono::Duration;
use opentrail_event::AccountId;
use opentrail_identity::{
    AssumeRole, Caller, CredentialError, Entity, IdentityError, KeyHolder, Role, Tag, account as accounts,
    consistency, entity,
    organization::{
        self, FeatureSet, Node, Organization, OrganizationRefusal,
        creation::{self, NewAccount, Outcome},
        handshake::{self, HandshakeState, Invitation, Invited},
        limits, member, policy_type, service_access, tagging, unit,
    },
    role::{self, NewRole},
};

use crate::world::{World, account, noon, other_account};

pub(crate) async fn organization(world: &World) -> Organization {
    let made = world.change(|tx| Ok(organization::create(tx, account(), FeatureSet::All, noon())?)).await;
    made.unwrap()
}

/// What the organization is now.
pub(crate) fn now(world: &World) -> std::sync::Arc<Organization> {
    organization::of_account(&world.state, account()).unwrap()
}

/// A new account in the organization.
pub(crate) async fn new_account(world: &World, name: &str) -> AccountId {
    let (email, organization) = (format!("{name}@example.com"), now(world));
    let new = NewAccount { email: &email, name, ..NewAccount::default() };
    let creation = world.change(|tx| creation::create(tx, &organization, &new, noon())).await.unwrap();
    creation.outcome.account().unwrap()
}

pub(crate) async fn new_unit(world: &World, parent: &str, name: &str) -> String {
    let organization = now(world);
    let made = world.change(|tx| Ok(unit::create(tx, &organization, parent, name, &[])?)).await;
    made.unwrap().id
}

fn code<T: std::fmt::Debug>(refused: Result<T, IdentityError>) -> (&'static str, Option<&'static str>) {
    match refused.unwrap_err() {
        IdentityError::Organization(refusal) => (refusal.code(), refusal.reason()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_organization_begins_with_its_management_account_in_its_root() {
    let world = World::new().await;
    let refused = organization::in_use(&world.state, account()).unwrap_err();
    assert_eq!(refused, OrganizationRefusal::NotInUse);
    let made = organization(&world).await;
    let members = member::list(&world.state, &made, noon());
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].account, members[0].parent.as_str()), (account(), made.root.id.as_str()));
    let again = world.change(|tx| Ok(organization::create(tx, account(), FeatureSet::All, noon())?)).await;
    assert_eq!(code(again).0, "AlreadyInOrganizationException");
    assert_eq!(organization::principal_org_id(&world.state, account()), Some(made.id.clone()));
    assert!(organization::of_account(&world.state, other_account()).is_none());
    assert!(consistency::check(&world.state).is_empty());
}

#[tokio::test]
async fn a_new_account_has_a_role_for_the_management_account_and_nobody_else_in_it() {
    let world = World::new().await;
    organization(&world).await;
    let account = new_account(&world, "logs").await;
    let role = entity::find::<Role>(&world.state, account, creation::ACCESS_ROLE).unwrap();
    assert!(role.trust_policy.as_str().contains("arn:aws:iam::123456789012:root"));
    assert_eq!(role.permissions.attached, ["arn:aws:iam::aws:policy/AdministratorAccess"]);
    assert!(accounts::root_since(&world.state, account).is_none());
    assert_eq!(accounts::profile(&world.state, account).email, "logs@example.com");
    assert!(consistency::check(&world.state).is_empty());
}

#[tokio::test]
async fn an_address_is_of_one_account_only() {
    let world = World::new().await;
    organization(&world).await;
    new_account(&world, "logs").await;
    let whole = now(&world);
    let new = NewAccount { email: "LOGS@example.com", name: "again", ..NewAccount::default() };
    let failed = world.change(|tx| creation::create(tx, &whole, &new, noon())).await.unwrap();
    assert_eq!(failed.outcome, Outcome::EmailAlreadyExists);
    assert_eq!(failed.outcome.failure(), Some("EMAIL_ALREADY_EXISTS"));
    assert_eq!(member::list(&world.state, &whole, noon()).len(), 2);
    let states: Vec<_> = creation::list(&world.state, &whole).iter().map(|it| it.outcome.state()).collect();
    assert!(states.contains(&"SUCCEEDED") && states.contains(&"FAILED"), "{states:?}");
}

#[tokio::test]
async fn values_outside_their_form_are_refused() {
    let world = World::new().await;
    organization(&world).await;
    let whole = now(&world);
    let role =
        |role_name| NewAccount { email: "a@example.com", name: "a", role_name: Some(role_name), tags: &[] };
    for (new, reason) in [
        (NewAccount { email: "nobody", name: "a", ..NewAccount::default() }, "INVALID_PATTERN"),
        (NewAccount { email: "a@b", name: "a", ..NewAccount::default() }, "MIN_LENGTH_EXCEEDED"),
        (NewAccount { email: "a@example.com", name: "", ..NewAccount::default() }, "MIN_LENGTH_EXCEEDED"),
        (role("AWSServiceRoleForX"), "INVALID_ROLE_NAME"),
        (role("a b"), "INVALID_PATTERN"),
    ] {
        let refused = world.change(|tx| creation::create(tx, &whole, &new, noon())).await;
        assert_eq!(code(refused), ("InvalidInputException", Some(reason)), "{new:?}");
    }
}

#[tokio::test]
async fn units_nest_five_deep_and_have_their_names_to_themselves() {
    let world = World::new().await;
    let mut parent = organization(&world).await.root.id;
    for level in 1..=limits::UNIT_DEPTH {
        parent = new_unit(&world, &parent, &format!("level {level}")).await;
    }
    let whole = now(&world);
    let too_deep = world.change(|tx| Ok(unit::create(tx, &whole, &parent, "6", &[])?)).await;
    assert_eq!(code(too_deep), ("ConstraintViolationException", Some("OU_DEPTH_LIMIT_EXCEEDED")));
    let root = whole.root.id.clone();
    let again = world.change(|tx| Ok(unit::create(tx, &whole, &root, "level 1", &[])?)).await;
    assert_eq!(code(again).0, "DuplicateOrganizationalUnitException");
    let nowhere = world.change(|tx| Ok(unit::create(tx, &whole, "r-none", "x", &[])?)).await;
    assert_eq!(code(nowhere).0, "ParentNotFoundException");
    let first = unit::units_in(&world.state, &whole, &root)[0].id.clone();
    let full = world.change(|tx| Ok(unit::delete(tx, &whole, &first, noon())?)).await;
    assert_eq!(code(full).0, "OrganizationalUnitNotEmptyException");
    world.change(|tx| Ok(unit::delete(tx, &whole, &parent, noon())?)).await.unwrap();
}

#[tokio::test]
async fn an_account_moves_from_where_it_is() {
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let account = new_account(&world, "logs").await;
    let (outer, other) = (new_unit(&world, &root, "security").await, new_unit(&world, &root, "other").await);
    let inner = new_unit(&world, &outer, "logging").await;
    let whole = now(&world);
    let go = |from: &str, to: &str| {
        let (from, to, whole) = (from.to_owned(), to.to_owned(), whole.clone());
        world.change(move |tx| Ok(member::transfer(tx, &whole, account, &from, &to, noon())?))
    };
    go(&root, &inner).await.unwrap();
    assert_eq!(
        organization::principal_org_path(&world.state, account).unwrap(),
        format!("{}/{root}/{outer}/{inner}/", whole.id)
    );
    assert_eq!(code(go(&root, &other).await).0, "SourceParentNotFoundException");
    assert_eq!(code(go(&inner, "ou-none-12345678").await).0, "DestinationParentNotFoundException");
    assert_eq!(code(go(&inner, &inner).await).0, "DuplicateAccountException");
    assert_eq!(unit::parent_of(&world.state, &whole, account.as_str(), noon()).unwrap(), inner);
    assert_eq!(unit::accounts_in(&world.state, &whole, &root, noon()).len(), 1);
}

#[tokio::test]
async fn nobody_of_a_closed_account_is_let_in() {
    let world = World::new().await;
    organization(&world).await;
    let account = new_account(&world, "logs").await;
    let root = world.change(|tx| world.identity.create_access_key(tx, account, KeyHolder::Root, noon()));
    let key = root.await.unwrap().key.id;
    let alice = world.caller(account, "alice").await.access_key_id.unwrap();
    assert!(world.identity.credential(&key, None, noon()).is_ok());
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let new = NewRole { name: "copies", trust_policy: trust, ..NewRole::default() };
    let copies = world.change(|tx| role::create(tx, account, &new, noon())).await.unwrap().arn();
    let ask = AssumeRole { role_arn: &copies, session_name: "s3", ..AssumeRole::default() };
    let acting = || world.identity.service_role("s3.amazonaws.com", &ask, noon());
    assert!(acting().is_ok());
    let whole = now(&world);
    world.change(|tx| Ok(member::close(tx, &whole, account, noon())?)).await.unwrap();
    for id in [&key, &alice] {
        let refused = world.identity.credential(id, None, noon()).unwrap_err();
        assert!(matches!(refused, IdentityError::Credential(CredentialError::ClosedAccount)), "{refused}");
    }
    assert!(matches!(acting(), Err(IdentityError::AccessDenied(_))), "nor is a service, as a role of it");
    let again = world.change(|tx| Ok(member::close(tx, &whole, account, noon())?)).await;
    assert_eq!(code(again).0, "AccountAlreadyClosedException");
    let own = world.change(|tx| Ok(member::close(tx, &whole, crate::world::account(), noon())?)).await;
    assert_eq!(code(own).1, Some("CANNOT_CLOSE_MANAGEMENT_ACCOUNT"));
    let leaving = world.change(|tx| Ok(member::remove(tx, &whole, account, noon())?)).await;
    assert_eq!(code(leaving).0, "ConstraintViolationException");

    assert_eq!(member::list(&world.state, &whole, noon()).len(), 2);
    let later = noon() + Duration::days(limits::CLOSED_ACCOUNT_DAYS);
    assert_eq!(member::list(&world.state, &whole, later).len(), 1);
    world
        .change(|tx| Ok(organization::delete(tx, crate::world::account(), later)?))
        .await
        .expect("nothing is left in it");
    assert!(world.identity.credential(&key, None, later).is_err(), "closed for good");
}

#[tokio::test]
async fn an_account_leaves_and_is_its_own_again() {
    let world = World::new().await;
    organization(&world).await;
    let (one, two) = (new_account(&world, "one").await, new_account(&world, "two").await);
    let whole = now(&world);
    world.change(|tx| Ok(member::leave(tx, one, noon())?)).await.unwrap();
    world.change(|tx| Ok(member::remove(tx, &whole, two, noon())?)).await.unwrap();
    assert!(organization::of_account(&world.state, one).is_none());
    let own = world.change(|tx| Ok(member::leave(tx, account(), noon())?)).await;
    assert_eq!(code(own).0, "MasterCannotLeaveOrganizationException");
    let again = world.change(|tx| Ok(member::leave(tx, one, noon())?)).await;
    assert_eq!(code(again).0, "AWSOrganizationsNotInUseException");
}

#[tokio::test]
async fn an_invited_account_joins_when_it_says_yes() {
    let world = World::new().await;
    organization(&world).await;
    let account = new_account(&world, "logs").await;
    world.change(|tx| Ok(member::leave(tx, account, noon())?)).await.unwrap();
    let whole = now(&world);
    let tags = [Tag::new("team", "security")];
    let by_id = Invitation { target: Invited::Account(account.as_str()), notes: None, tags: &tags };
    let by_email = Invitation { target: Invited::Email("logs@example.com"), notes: None, tags: &[] };
    let unknown = Invitation { target: Invited::Account("999999999999"), notes: None, tags: &[] };
    let invite = |invitation| {
        let whole = whole.clone();
        world.change(move |tx| Ok(handshake::invite(tx, &whole, &invitation, noon())?))
    };
    assert_eq!(code(invite(unknown).await).0, "InvalidInputException");
    let sent = invite(by_email).await.unwrap();
    assert_eq!(code(invite(by_id).await).0, "DuplicateHandshakeException");
    world.change(|tx| Ok(handshake::decline(tx, account, &sent.id, noon())?)).await.unwrap();
    let sent = invite(by_id).await.unwrap();
    let stranger = world.change(|tx| Ok(handshake::accept(tx, other_account(), &sent.id, noon())?)).await;
    assert_eq!(code(stranger).0, "HandshakeNotFoundException");
    let own = world.change(|tx| Ok(handshake::accept(tx, crate::world::account(), &sent.id, noon())?)).await;
    assert_eq!(code(own).0, "AccessDeniedException");
    let late = noon() + Duration::days(limits::INVITATION_DAYS);
    assert_eq!(sent.state(late), HandshakeState::Expired);
    let expired = world.change(|tx| Ok(handshake::accept(tx, account, &sent.id, late)?)).await;
    assert_eq!(code(expired).0, "InvalidHandshakeTransitionException");
    world.change(|tx| Ok(handshake::accept(tx, account, &sent.id, noon())?)).await.unwrap();
    assert_eq!(organization::of_account(&world.state, account).unwrap().id, whole.id);
    let node = Node::find(&world.state, &whole, account.as_str(), noon()).unwrap();
    assert_eq!(node.tags(), tags);
    let again = world.change(|tx| Ok(handshake::accept(tx, account, &sent.id, noon())?)).await;
    assert_eq!(code(again).0, "HandshakeAlreadyInStateException");
    assert_eq!(code(invite(by_id).await).1, Some("ALREADY_IN_AN_ORGANIZATION"));
}

#[tokio::test]
async fn all_features_need_the_consent_of_the_invited() {
    let world = World::new().await;
    let made =
        world.change(|tx| Ok(organization::create(tx, account(), FeatureSet::ConsolidatedBilling, noon())?));
    let whole = std::sync::Arc::new(made.await.unwrap());
    let invited = new_account(&world, "one").await;
    world.change(|tx| Ok(member::leave(tx, invited, noon())?)).await.unwrap();
    let target = Invited::Account(invited.as_str());
    let invitation = Invitation { target, notes: None, tags: &[] };
    let sent = world.change(|tx| Ok(handshake::invite(tx, &whole, &invitation, noon())?)).await.unwrap();
    world.change(|tx| Ok(handshake::accept(tx, invited, &sent.id, noon())?)).await.unwrap();
    let early =
        world.change(|tx| Ok(policy_type::enable(tx, &whole, organization::PolicyType::ServiceControl)?));
    assert_eq!(code(early.await).0, "PolicyTypeNotAvailableForOrganizationException");

    let asked = world.change(|tx| Ok(handshake::enable_all_features(tx, &whole, noon())?)).await.unwrap();
    let early = world.change(|tx| Ok(handshake::accept(tx, account(), &asked.id, noon())?)).await;
    assert_eq!(code(early).0, "InvalidHandshakeTransitionException");
    let part = handshake::for_account(&world.state, invited, noon());
    let part = part.iter().find(|part| part.parent.is_some()).unwrap();
    world.change(|tx| Ok(handshake::accept(tx, invited, &part.id, noon())?)).await.unwrap();
    assert_eq!(now(&world).feature_set, FeatureSet::ConsolidatedBilling);
    world.change(|tx| Ok(handshake::accept(tx, account(), &asked.id, noon())?)).await.unwrap();
    let whole = now(&world);
    assert_eq!(whole.feature_set, FeatureSet::All);
    assert!(whole.has_enabled(organization::PolicyType::ServiceControl));
    assert_eq!(Node::find(&world.state, &whole, invited.as_str(), noon()).unwrap().policies().len(), 1);
}

#[tokio::test]
async fn a_service_has_access_and_administrators_until_it_is_taken() {
    const TRAIL: &str = "cloudtrail.amazonaws.com";
    let world = World::new().await;
    organization(&world).await;
    let logs = new_account(&world, "logs").await;
    let register = |account: AccountId| {
        let whole = now(&world);
        world.change(move |tx| Ok(service_access::register(tx, &whole, account, TRAIL, noon())?))
    };
    assert_eq!(code(register(logs).await).1, Some("SERVICE_ACCESS_NOT_ENABLED"));
    let whole = now(&world);
    let unknown =
        world.change(|tx| Ok(service_access::enable(tx, &whole, "ec2.amazonaws.com", noon())?)).await;
    assert_eq!(code(unknown).1, Some("UNRECOGNIZED_SERVICE_PRINCIPAL"));
    world.change(|tx| Ok(service_access::enable(tx, &whole, TRAIL, noon())?)).await.unwrap();
    assert!(now(&world).service_access_enabled(TRAIL));
    let own = Some("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR");
    assert_eq!(code(register(account()).await).1, own);
    register(logs).await.unwrap();
    assert_eq!(code(register(logs).await).0, "AccountAlreadyRegisteredException");
    assert!(organization::is_delegated_administrator(&world.state, &whole, TRAIL, logs));
    let leaving = world.change(|tx| Ok(member::leave(tx, logs, noon())?)).await;
    assert_eq!(code(leaving).1, Some("CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"));
    let whole = now(&world);
    world.change(|tx| Ok(service_access::disable(tx, &whole, TRAIL)?)).await.unwrap();
    assert!(!organization::is_delegated_administrator(&world.state, &whole, TRAIL, logs));
    assert!(!now(&world).service_access_enabled(TRAIL));
}

#[tokio::test]
async fn tags_are_put_on_every_node() {
    let world = World::new().await;
    let root = organization(&world).await.root.id;
    let account = new_account(&world, "logs").await;
    let unit = new_unit(&world, &root, "security").await;
    for id in [root.as_str(), unit.as_str(), account.as_str()] {
        let whole = now(&world);
        let tags = [Tag::new("a", "1"), Tag::new("A", "2")];
        world.change(|tx| Ok(tagging::tag(tx, &whole, id, &tags, noon())?)).await.unwrap();
        let whole = now(&world);
        assert_eq!(tagging::list(&world.state, &whole, id, noon()).unwrap(), tags, "{id}");
        world.change(|tx| Ok(tagging::untag(tx, &whole, id, &["a".to_owned()], noon())?)).await.unwrap();
        assert_eq!(tagging::list(&world.state, &now(&world), id, noon()).unwrap(), tags[1..], "{id}");
    }
    let whole = now(&world);
    let system = [Tag::new("aws:x", "")];
    let refused = world.change(|tx| Ok(tagging::tag(tx, &whole, &root, &system, noon())?)).await;
    assert_eq!(code(refused).1, Some("INVALID_SYSTEM_TAGS_PARAMETER"));
    let nothing = tagging::list(&world.state, &whole, "999999999999", noon()).unwrap_err();
    assert_eq!(nothing.code(), "TargetNotFoundException");
}

#[tokio::test]
async fn an_organization_with_accounts_stays_and_all_of_it_survives_a_restart() {
    let world = World::new().await;
    let made = organization(&world).await;
    let unit = new_unit(&world, &made.root.id, "security").await;
    let account = new_account(&world, "logs").await;
    let refused = world.change(|tx| Ok(organization::delete(tx, crate::world::account(), noon())?)).await;
    assert_eq!(code(refused).0, "OrganizationNotEmptyException");
    let world = world.reopened().await;
    let whole = now(&world);
    assert_eq!((whole.id.clone(), whole.root.id.clone()), (made.id, made.root.id.clone()));
    assert_eq!(unit::get(&world.state, &whole, &unit).unwrap().name, "security");
    assert_eq!(organization::member_accounts(&world.state, &whole).len(), 2);
    assert!(world.may(&Caller::root(account), "s3:GetObject"));
}
