//! Whether the documents of this crate agree with each other, for `opentrail fsck` and for tests.

use std::{collections::HashSet, fmt};

use opentrail_event::AccountId;
use opentrail_policy::PolicyKind;

use crate::{
    access_key::{AccessKey, KeyOwner},
    account::Account,
    documents::Documents,
    entity::{Entity, EntityKind},
    group::Group,
    managed_policy::{self, ManagedPolicy},
    mfa::{self, MfaDevice},
    organization,
    permissions::PolicyText,
    role::Role,
    user::User,
};

/// Two documents, or parts of one, that do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inconsistency {
    /// An entity's document is not under the id of its account and name.
    Misplaced {
        /// Which of the three.
        kind: EntityKind,
        /// The document's id.
        document: String,
    },
    /// A user is in a group that there is not.
    NoSuchGroup {
        /// The user's document.
        user: String,
        /// The group's document.
        group: String,
    },
    /// A key is listed with its owner, but is not there or is another's.
    KeyNotOwned {
        /// The owner's document.
        owner: String,
        /// The key.
        access_key_id: String,
    },
    /// A key is not listed with its owner.
    KeyNotListed {
        /// The key.
        access_key_id: String,
    },
    /// An MFA device is listed with its holder, but is not there or is another's; or it is the holder's and not
    /// listed.
    MfaDeviceNotHeld {
        /// The device's document.
        device: String,
    },
    /// A managed policy is attached, or bounds, and is not there.
    NoSuchPolicy {
        /// Which of the three.
        kind: EntityKind,
        /// The document of the one it is attached to.
        document: String,
        /// The policy's ARN.
        policy_arn: String,
    },
    /// A policy that is kept cannot be read.
    UnreadablePolicy {
        /// The document that it is in.
        document: String,
    },
    /// Something of an organization names what is not there, or a policy that cannot be read.
    OrganizationIncomplete {
        /// The document, or the ARN, of what names it.
        document: String,
        /// The id that it names.
        missing: String,
    },
    /// A managed policy has no version in force.
    NoVersionInForce {
        /// The policy's document.
        document: String,
    },
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misplaced { kind, document } => {
                write!(f, "{} {document} is not under its own name", kind.word())
            }
            Self::NoSuchGroup { user, group } => {
                write!(f, "user {user} is in group {group}, which is not there")
            }
            Self::KeyNotOwned { owner, access_key_id } => {
                write!(f, "{owner} lists access key {access_key_id}, which is not there or another's")
            }
            Self::KeyNotListed { access_key_id } => {
                write!(f, "access key {access_key_id} is not listed with its owner")
            }
            Self::MfaDeviceNotHeld { device } => {
                write!(f, "MFA device {device} and its holder do not agree")
            }
            Self::NoSuchPolicy { kind, document, policy_arn } => {
                write!(f, "{} {document} has policy {policy_arn}, which is not there", kind.word())
            }
            Self::UnreadablePolicy { document } => write!(f, "{document} has a policy that cannot be read"),
            Self::OrganizationIncomplete { document, missing } => {
                write!(f, "{document} of an organization names {missing}, which is not there")
            }
            Self::NoVersionInForce { document } => write!(f, "policy {document} has no version in force"),
        }
    }
}

/// Everything that does not agree; nothing when all is well.
pub fn check(docs: &impl Documents) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    let incomplete = organization::consistency::missing(docs).into_iter();
    found.extend(
        incomplete.map(|(document, missing)| Inconsistency::OrganizationIncomplete { document, missing }),
    );
    check_entities::<Group>(docs, &mut found);
    check_entities::<Role>(docs, &mut found);
    check_entities::<User>(docs, &mut found);
    for (document, role) in docs.documents::<Role>("") {
        if role.trust_policy.policy(PolicyKind::Trust).is_none() {
            found.push(Inconsistency::UnreadablePolicy { document });
        }
    }
    for (document, user) in docs.documents::<User>("") {
        let missing = user.groups.iter().filter(|group| docs.document::<Group>(group).is_none());
        found.extend(
            missing.map(|group| Inconsistency::NoSuchGroup { user: document.clone(), group: group.clone() }),
        );
        let owner = KeyOwner::User { document };
        check_listed_keys(docs, user.account, &owner, &user.access_keys, &mut found);
    }
    for (_, account) in docs.documents::<Account>("") {
        check_listed_keys(docs, account.id, &KeyOwner::Root, &account.root_access_keys, &mut found);
    }
    for (id, key) in docs.documents::<AccessKey>("") {
        if !is_listed(docs, &key) {
            found.push(Inconsistency::KeyNotListed { access_key_id: id });
        }
    }
    check_mfa_devices(docs, &mut found);
    for (document, policy) in docs.documents::<ManagedPolicy>("") {
        match policy.in_force() {
            None => found.push(Inconsistency::NoVersionInForce { document }),
            Some(text) if !is_readable(text) => found.push(Inconsistency::UnreadablePolicy { document }),
            Some(_) => {}
        }
    }
    found
}

fn check_entities<T: Entity>(docs: &impl Documents, found: &mut Vec<Inconsistency>) {
    for (document, entity) in docs.documents::<T>("") {
        if crate::entity::document_id(entity.account(), entity.name()) != document {
            found.push(Inconsistency::Misplaced { kind: T::ENTITY, document: document.clone() });
        }
        if !entity.permissions().inline.values().all(is_readable) {
            found.push(Inconsistency::UnreadablePolicy { document: document.clone() });
        }
        let policies = entity.permissions().attached.iter().map(String::as_str);
        for arn in policies.chain(entity.permissions_boundary()) {
            if managed_policy::check_exists(docs, entity.account(), arn).is_err() {
                found.push(Inconsistency::NoSuchPolicy {
                    kind: T::ENTITY,
                    document: document.clone(),
                    policy_arn: arn.to_owned(),
                });
            }
        }
    }
}

fn check_listed_keys(
    docs: &impl Documents,
    account: AccountId,
    owner: &KeyOwner,
    keys: &[String],
    found: &mut Vec<Inconsistency>,
) {
    for id in keys {
        let owned =
            docs.document::<AccessKey>(id).is_some_and(|key| key.owner == *owner && key.account == account);
        if !owned {
            let owner = match owner {
                KeyOwner::Root => account.to_string(),
                KeyOwner::User { document } => document.clone(),
            };
            found.push(Inconsistency::KeyNotOwned { owner, access_key_id: id.clone() });
        }
    }
}

/// Each list of devices names those that are the holder's, and each device that is somebody's is in one list.
fn check_mfa_devices(docs: &impl Documents, found: &mut Vec<Inconsistency>) {
    let users = docs.documents::<User>("").into_iter();
    let of_users = users.map(|(document, user)| (KeyOwner::User { document }, user.mfa_devices.clone()));
    let roots = docs.documents::<Account>("").into_iter();
    let of_roots = roots.map(|(_, account)| (KeyOwner::Root, account.root_mfa_devices.clone()));
    let mut listed = HashSet::new();
    for (owner, devices) in of_users.chain(of_roots) {
        for device in devices {
            let held = docs.document::<MfaDevice>(&device).is_some_and(|it| mfa::is_assigned_to(&it, &owner));
            if !held {
                found.push(Inconsistency::MfaDeviceNotHeld { device: device.clone() });
            }
            listed.insert(device);
        }
    }
    for (document, device) in docs.documents::<MfaDevice>("") {
        let misplaced = mfa::document_id(&device) != document;
        if misplaced || device.assignment.is_some() != listed.contains(&document) {
            found.push(Inconsistency::MfaDeviceNotHeld { device: document });
        }
    }
}

fn is_listed(docs: &impl Documents, key: &AccessKey) -> bool {
    match &key.owner {
        KeyOwner::Root => crate::account::get(docs, key.account).root_access_keys.contains(&key.id),
        KeyOwner::User { document } => {
            docs.document::<User>(document).is_some_and(|user| user.access_keys.contains(&key.id))
        }
    }
}

fn is_readable(text: &PolicyText) -> bool {
    text.policy(PolicyKind::Identity).is_some()
}
