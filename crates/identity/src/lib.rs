//! Accounts, users, groups, roles, access keys and sessions; who it is and what they may do.
//!
//! The documents are [`user`], [`group`], [`role`], [`managed_policy`], [`access_key`] and [`mfa`]; each module has the
//! operations of IAM on its document, as functions on a [`Transaction`](opentrail_state::Transaction) or, where
//! they only read, on anything with [`Documents`]. Whoever calls them has authorized the call before and commits
//! the transaction together with its record after.
//!
//! [`Identity`] has what needs more than documents: whose key a call is signed with, whether they may, and the
//! sessions of STS.

pub mod access_key;
pub mod account;
pub mod account_alias;
pub mod account_summary;
pub mod attach;
mod authorization_message;
mod authorize;
mod aws_managed;
pub mod binding;
mod boundary;
mod cache;
pub mod consistency;
mod context;
mod credential;
pub mod credential_report;
mod denial;
mod documents;
pub mod entity;
pub mod error;
pub mod federation;
pub mod group;
mod id;
mod identity;
mod in_force;
pub mod inline;
pub mod instance_profile;
mod last_use;
pub mod limits;
pub mod login_profile;
pub mod managed_policy;
pub mod mfa;
mod misses;
mod name;
pub mod organization;
mod page;
pub mod password_policy;
mod permissions;
mod principal;
pub mod role;
mod root;
pub mod service_linked_role;
mod session;
pub mod simulate;
mod sts;
mod tags;
mod trust;
pub mod user;
pub mod who_can;

pub use access_key::{AccessKey, AccessKeyStatus, KeyHolder, NewAccessKey};
pub use account::Account;
pub use authorize::{Ask, Verdict};
pub use context::{RequestFacts, set_request_tags, set_resource_tags};
pub use credential::Credential;
pub use denial::Denial;
pub use documents::Documents;
pub use entity::{Entity, EntityKind};
pub use error::{CredentialError, IdentityError};
pub use group::Group;
pub use identity::Identity;
pub use instance_profile::InstanceProfile;
pub use last_use::LastUse;
pub use managed_policy::ManagedPolicy;
pub use mfa::{MfaDevice, MfaProof};
pub use page::{Page, PageRequest};
pub use permissions::{Permissions, PolicyText};
pub use principal::{Caller, Principal, root_arn};
pub use role::Role;
pub use session::{SessionCredentials, SessionInfo};
pub use sts::{AssumeRole, AssumeRoleWithWebIdentity, AssumedRole, FederatedSession, GetFederationToken};
pub use tags::Tag;
pub use user::User;
pub use who_can::{WhoCan, WhoCanAsk};
