//! Whatever is done to identities, in any order, their documents agree with each other.

use std::sync::Arc;

use opentrail_identity::{
    AccessKeyStatus, Documents, Group, Identity, IdentityError, KeyHolder, PageRequest, Role, User,
    access_key, attach, consistency, group, inline, managed_policy, role, user,
};
use opentrail_state::Transaction;
use proptest::prelude::*;

use crate::world::{World, account, allow, noon, policy, trust};

/// One call; names are drawn from few, so that calls meet each other.
#[derive(Debug, Clone)]
enum Call {
    CreateUser(u8),
    RenameUser(u8, u8),
    DeleteUser(u8),
    CreateGroup(u8),
    RenameGroup(u8, u8),
    DeleteGroup(u8),
    AddToGroup(u8, u8),
    RemoveFromGroup(u8, u8),
    CreateKey(Option<u8>),
    SwitchKey(u8),
    DeleteKey(Option<u8>),
    CreatePolicy(u8),
    AddVersion(u8, bool),
    DeleteVersion(u8, u8),
    DeletePolicy(u8),
    AttachToUser(u8, u8),
    DetachFromUser(u8, u8),
    AttachToGroup(u8, u8),
    DetachFromGroup(u8, u8),
    AttachToRole(u8, u8),
    BoundUser(u8, Option<u8>),
    PutInline(u8),
    DeleteInline(u8),
    CreateRole(u8),
    DeleteRole(u8),
}

fn call() -> impl Strategy<Value = Call> {
    let n = 0_u8..4;
    let pair = (n.clone(), n.clone());
    prop_oneof![
        3 => n.clone().prop_map(Call::CreateUser),
        1 => pair.clone().prop_map(|(a, b)| Call::RenameUser(a, b)),
        1 => n.clone().prop_map(Call::DeleteUser),
        2 => n.clone().prop_map(Call::CreateGroup),
        1 => pair.clone().prop_map(|(a, b)| Call::RenameGroup(a, b)),
        1 => n.clone().prop_map(Call::DeleteGroup),
        2 => pair.clone().prop_map(|(a, b)| Call::AddToGroup(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::RemoveFromGroup(a, b)),
        2 => prop::option::weighted(0.8, n.clone()).prop_map(Call::CreateKey),
        1 => n.clone().prop_map(Call::SwitchKey),
        1 => prop::option::weighted(0.8, n.clone()).prop_map(Call::DeleteKey),
        2 => n.clone().prop_map(Call::CreatePolicy),
        1 => (n.clone(), any::<bool>()).prop_map(|(a, b)| Call::AddVersion(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::DeleteVersion(a, b)),
        1 => n.clone().prop_map(Call::DeletePolicy),
        2 => pair.clone().prop_map(|(a, b)| Call::AttachToUser(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::DetachFromUser(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::AttachToGroup(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::DetachFromGroup(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Call::AttachToRole(a, b)),
        1 => (n.clone(), prop::option::of(n.clone())).prop_map(|(a, b)| Call::BoundUser(a, b)),
        1 => n.clone().prop_map(Call::PutInline),
        1 => n.clone().prop_map(Call::DeleteInline),
        1 => n.clone().prop_map(Call::CreateRole),
        1 => n.prop_map(Call::DeleteRole),
    ]
}

fn user_name(n: u8) -> String {
    // Two of the four differ in case only.
    ["alice", "ALICE", "bob", "carol"][usize::from(n)].to_owned()
}

fn name(n: u8) -> String {
    format!("n{n}")
}

fn policy_arn(n: u8) -> String {
    managed_policy::arn(account(), "/", &name(n))
}

/// Makes the call; a refusal is as good as any other outcome.
fn make(tx: &mut Transaction, identity: &Identity, call: &Call) -> Result<(), IdentityError> {
    use Call as C;
    let (a, document) = (account(), policy(&allow("s3:*")));
    let keys = |tx: &Transaction, holder| {
        let listed = access_key::list(tx, a, holder, PageRequest::default());
        listed.ok().and_then(|page| page.items.first().map(|key| key.id.clone())).unwrap_or_default()
    };
    match *call {
        C::CreateUser(n) => {
            user::create(tx, a, &user::NewUser { name: &user_name(n), ..Default::default() }, noon())
                .map(drop)
        }
        C::RenameUser(n, m) => user::update(tx, a, &user_name(n), Some(&user_name(m)), None).map(drop),
        C::DeleteUser(n) => user::delete(tx, a, &user_name(n)).map(drop),
        C::CreateGroup(n) => group::create(tx, a, &name(n), None, noon()).map(drop),
        C::RenameGroup(n, m) => group::update(tx, a, &name(n), Some(&name(m)), Some("/x/")).map(drop),
        C::DeleteGroup(n) => group::delete(tx, a, &name(n)).map(drop),
        C::AddToGroup(n, m) => group::add_user(tx, a, &name(n), &user_name(m)),
        C::RemoveFromGroup(n, m) => group::remove_user(tx, a, &name(n), &user_name(m)),
        C::CreateKey(None) => identity.create_access_key(tx, a, KeyHolder::Root, noon()).map(drop),
        C::CreateKey(Some(n)) => {
            identity.create_access_key(tx, a, KeyHolder::User(&user_name(n)), noon()).map(drop)
        }
        C::SwitchKey(n) => {
            let (name, status) = (user_name(n), AccessKeyStatus::Inactive);
            let id = keys(tx, KeyHolder::User(&name));
            access_key::update(tx, a, KeyHolder::User(&name), &id, status, noon())
        }
        C::DeleteKey(None) => {
            let id = keys(tx, KeyHolder::Root);
            access_key::delete(tx, a, KeyHolder::Root, &id)
        }
        C::DeleteKey(Some(n)) => {
            let name = user_name(n);
            let id = keys(tx, KeyHolder::User(&name));
            access_key::delete(tx, a, KeyHolder::User(&name), &id)
        }
        C::CreatePolicy(n) => {
            let (name, document) = (name(n), document);
            let new = managed_policy::NewPolicy { name: &name, document: &document, ..Default::default() };
            managed_policy::create(tx, a, &new, noon()).map(drop)
        }
        C::AddVersion(n, default) => {
            managed_policy::create_version(tx, a, &policy_arn(n), &document, default, noon()).map(drop)
        }
        C::DeleteVersion(n, m) => {
            managed_policy::delete_version(tx, a, &policy_arn(n), &format!("v{}", m + 1))
        }
        C::DeletePolicy(n) => managed_policy::delete(tx, a, &policy_arn(n)),
        C::AttachToUser(n, m) => attach::attach::<User>(tx, a, &user_name(n), &policy_arn(m)),
        C::DetachFromUser(n, m) => attach::detach::<User>(tx, a, &user_name(n), &policy_arn(m)),
        C::AttachToGroup(n, m) => attach::attach::<Group>(tx, a, &name(n), &policy_arn(m)),
        C::DetachFromGroup(n, m) => attach::detach::<Group>(tx, a, &name(n), &policy_arn(m)),
        C::AttachToRole(n, m) => attach::attach::<Role>(tx, a, &name(n), &policy_arn(m)),
        C::BoundUser(n, m) => {
            let arn = m.map(policy_arn);
            user::set_permissions_boundary(tx, a, &user_name(n), arn.as_deref())
        }
        C::PutInline(n) => inline::put::<User>(tx, a, &user_name(n), "p", &document),
        C::DeleteInline(n) => inline::delete::<User>(tx, a, &user_name(n), "p"),
        C::CreateRole(n) => {
            let (name, trust) = (name(n), trust("123456789012").to_string());
            let new = role::NewRole { name: &name, trust_policy: &trust, ..Default::default() };
            role::create(tx, a, &new, noon()).map(drop)
        }
        C::DeleteRole(n) => role::delete(tx, a, &name(n)).map(drop),
    }
}

fn names<T: opentrail_identity::Entity>(docs: &impl Documents) -> Vec<(String, String)> {
    let all: Vec<(String, Arc<T>)> = docs.documents("");
    all.into_iter().map(|(id, entity)| (id, entity.unique_id().to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn documents_agree_after_any_calls(calls in prop::collection::vec(call(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result: Result<(), TestCaseError> = runtime.block_on(async {
            let world = World::new().await;
            let mut tx = world.state.begin().await;
            for call in &calls {
                let refused = make(&mut tx, &world.identity, call).err();
                let failed = matches!(refused, Some(IdentityError::State(_) | IdentityError::Keyring(_)));
                prop_assert!(!failed, "{call:?}: {refused:?}");
                let found = consistency::check(&tx);
                prop_assert!(found.is_empty(), "after {call:?}: {found:?}");
            }
            tx.commit(Vec::new()).await.unwrap();
            let before = (names::<User>(&world.state), names::<Group>(&world.state), names::<Role>(&world.state));
            let world = world.reopened().await;
            let after = (names::<User>(&world.state), names::<Group>(&world.state), names::<Role>(&world.state));
            prop_assert_eq!(before, after);
            prop_assert!(consistency::check(&world.state).is_empty());
            Ok(())
        });
        result?;
    }
}
