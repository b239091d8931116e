//! The operator's root credentials.

use opentrail_identity::{
    CredentialError, IdentityError, KeyHolder, PageRequest, Principal, access_key, error::Existing,
};

use crate::world::{World, account, noon};

const FIRST: (&str, &str) = ("AKIAROOTROOTROOT0001", "a secret without spaces, no");
const SECOND: (&str, &str) = ("AKIAROOTROOTROOT0002", "another-secret-of-the-root");

#[tokio::test]
async fn root_credentials_are_set_once_and_recorded() {
    let world = World::new().await;
    let (id, secret) = SECOND;
    assert!(world.identity.ensure_root(account(), id, secret).await.unwrap());
    assert!(!world.identity.ensure_root(account(), id, secret).await.unwrap());
    let world = world.reopened().await;
    assert!(!world.identity.ensure_root(account(), id, secret).await.unwrap());
    let found = world.identity.credential(id, None, noon()).unwrap();
    assert_eq!(
        (found.secret.as_str(), found.caller.principal),
        (secret, Principal::Root { account: account() })
    );
    assert_eq!(world.records(), ["AdoptMasterKey", "SetRootAccessKey"]);
}

#[tokio::test]
async fn other_root_credentials_replace_the_first() {
    let world = World::new().await;
    let own = world
        .change(|tx| world.identity.create_access_key(tx, account(), KeyHolder::Root, noon()))
        .await
        .unwrap();
    let old = "AKIAROOTROOTROOT0001";
    world.identity.ensure_root(account(), old, "the-first-secret").await.unwrap();
    assert!(world.identity.credential(old, None, noon()).is_ok());
    assert!(world.identity.ensure_root(account(), old, "the-same-id-with-another-secret").await.unwrap());
    assert_eq!(
        world.identity.credential(old, None, noon()).unwrap().secret.as_str(),
        "the-same-id-with-another-secret"
    );
    assert!(world.identity.ensure_root(account(), SECOND.0, SECOND.1).await.unwrap());
    let gone = world.identity.credential(old, None, noon()).unwrap_err();
    assert!(matches!(gone, IdentityError::Credential(CredentialError::UnknownAccessKey)));
    // A key that root made for itself is not the operator's to replace.
    assert!(world.identity.credential(&own.key.id, None, noon()).is_ok());
    let keys = access_key::list(&world.state, account(), KeyHolder::Root, PageRequest::default()).unwrap();
    assert_eq!(keys.items.len(), 2);
}

#[tokio::test]
async fn the_operators_credentials_are_shown_to_the_operator_until_root_deletes_them() {
    let world = World::new().await;
    assert!(world.identity.operator_credentials(account()).unwrap().is_none());
    world.identity.ensure_root(account(), SECOND.0, SECOND.1).await.unwrap();
    let (id, secret) = world.identity.operator_credentials(account()).unwrap().unwrap();
    assert_eq!((id.as_str(), secret.as_str()), SECOND);
    world.change(|tx| access_key::delete(tx, account(), KeyHolder::Root, SECOND.0)).await.unwrap();
    assert!(world.identity.operator_credentials(account()).unwrap().is_none());
    assert!(world.identity.ensure_root(account(), SECOND.0, SECOND.1).await.unwrap());
}

#[tokio::test]
async fn credentials_of_wrong_form_or_of_another_are_refused() {
    let world = World::new().await;
    for (id, secret) in [
        FIRST,
        ("short", "a-long-enough-secret"),
        ("AKIA-ROOT-ROOT-ROOT-1", "a-long-enough-secret"),
        (SECOND.0, "short"),
        (SECOND.0, "with\nnewline-in-it"),
    ] {
        let refused = world.identity.ensure_root(account(), id, secret).await.unwrap_err();
        assert!(matches!(refused, IdentityError::Validation(_)), "{id}: {refused}");
        assert!(!refused.to_string().contains(secret), "the message shows the secret");
    }
    world.user("alice").await;
    let key = world.key(account(), "alice").await.key;
    let refused = world.identity.ensure_root(account(), &key.id, SECOND.1).await.unwrap_err();
    assert!(matches!(refused, IdentityError::AlreadyExists(Existing::AccessKey(_))));
}
