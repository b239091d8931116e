//! A state in a directory of its own, and short ways to put identities in it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_identity::{
    Ask, Caller, Identity, IdentityError, KeyHolder, NewAccessKey, Role, User, Verdict, inline, role, user,
};
use opentrail_journal::{
    Journal, JournalOptions, Seq,
    disk::{Disk, RealDisk},
};
use opentrail_keyring::{Keyring, MasterKeySource};
use opentrail_state::{Entry, State, StateOptions, Transaction};
use serde_json::{Value, json};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) struct World {
    dir: TempDir,
    journal: Journal,
    pub(crate) state: State,
    pub(crate) identity: Identity,
}

pub(crate) fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

pub(crate) fn other_account() -> AccountId {
    "210987654321".parse().unwrap()
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

async fn open(dir: &TempDir) -> (Journal, State, Identity) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (path, on) = (dir.path().join("journal"), Arc::clone(&disk));
    let opening = tokio::task::spawn_blocking(move || Journal::open(&path, JournalOptions::default(), on));
    let (journal, _) = opening.await.unwrap().unwrap();
    let options = StateOptions { clock: Arc::new(noon), ..StateOptions::default() };
    let state = State::open(journal.clone(), &dir.path().join("state"), disk, options).await.unwrap();
    let master = MasterKeySource::Bytes(Zeroizing::new(vec![7; 32]));
    let keyring = Keyring::open(state.clone(), master, account()).await.unwrap();
    let identity = Identity::open(state.clone(), keyring).unwrap();
    (journal, state, identity)
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (journal, state, identity) = open(&dir).await;
        Self { dir, journal, state, identity }
    }

    pub(crate) async fn reopened(self) -> Self {
        let Self { dir, journal, state, identity } = self;
        drop(identity);
        state.close().await.unwrap();
        journal.close().await;
        let (journal, state, identity) = open(&dir).await;
        Self { dir, journal, state, identity }
    }

    /// Changes documents and commits if nothing is refused.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        let mut tx = self.state.begin().await;
        let done = change(&mut tx)?;
        tx.commit(Vec::new()).await.unwrap();
        Ok(done)
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.user_of(account(), name).await
    }

    pub(crate) async fn user_of(&self, account: AccountId, name: &str) -> User {
        let new = user::NewUser { name, ..Default::default() };
        self.change(|tx| user::create(tx, account, &new, noon())).await.unwrap()
    }

    pub(crate) async fn role(&self, name: &str, trust: &Value) -> Role {
        let trust = trust.to_string();
        let new = role::NewRole { name, trust_policy: &trust, ..Default::default() };
        self.change(|tx| role::create(tx, account(), &new, noon())).await.unwrap()
    }

    pub(crate) async fn key(&self, account: AccountId, user: &str) -> NewAccessKey {
        self.change(|tx| self.identity.create_access_key(tx, account, KeyHolder::User(user), noon()))
            .await
            .unwrap()
    }

    /// A user with a key, as a caller.
    pub(crate) async fn caller(&self, account: AccountId, user: &str) -> Caller {
        self.user_of(account, user).await;
        let key = self.key(account, user).await.key;
        self.identity.credential(&key.id, None, noon()).unwrap().caller
    }

    pub(crate) async fn user_may(&self, account: AccountId, name: &str, statement: Value) {
        let document = policy(&statement);
        self.change(|tx| inline::put::<User>(tx, account, name, "p", &document)).await.unwrap();
    }

    pub(crate) fn ask(&self, caller: &Caller, action: &str, resource: &str) -> Verdict {
        self.identity.authorize(caller, &Ask { action, resource, ..Ask::default() })
    }

    pub(crate) fn may(&self, caller: &Caller, action: &str) -> bool {
        self.ask(caller, action, "arn:aws:s3:::a-bucket").is_allowed()
    }

    /// The names of the records in the journal, in order.
    pub(crate) fn records(&self) -> Vec<String> {
        let items = self.journal.reader(Seq(0)).try_next_batch(1000, 1 << 20).unwrap();
        let entries = items.iter().map(|item| Entry::of(item).unwrap());
        entries
            .flat_map(|entry| {
                entry.events.iter().map(|owned| owned.event.name().to_owned()).collect::<Vec<_>>()
            })
            .collect()
    }
}

pub(crate) fn policy(statement: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

pub(crate) fn allow(action: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": "*" })
}

pub(crate) fn deny(action: &str) -> Value {
    json!({ "Effect": "Deny", "Action": action, "Resource": "*" })
}

pub(crate) fn trust(principal: &str) -> Value {
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}
