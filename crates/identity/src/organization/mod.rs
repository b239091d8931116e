//! Organizations: accounts in a tree of units under one management account, and the policies that bound them.
//!
//! Documents are the [`Organization`] with its root, its [`Unit`]s, the [`Member`] that says where an account is,
//! [`ServiceControlPolicy`]s, [`Handshake`](handshake::Handshake)s and
//! [`Creation`](creation::Creation)s; each module has the operations of AWS Organizations on
//! them. Whether the caller's account is the one that may is asked by [`managed_by`] and [`in_use`]; whether the
//! caller may is decided before, from policies, as everywhere.
//!
//! Service control policies concern every principal of every account but the management account, its root too; not
//! the roles that are a service's own.
//!
//! Source: the AWS Organizations User Guide and API Reference
//! (<https://docs.aws.amazon.com/organizations/latest/APIReference/>).

pub mod attachment;
pub(crate) mod consistency;
pub mod creation;
mod document;
mod form;
mod found;
pub mod handshake;
mod ids;
mod in_force;
pub mod limits;
pub mod member;
mod node;
pub mod policy;
pub mod policy_type;
pub mod refusal;
pub mod resource_policy;
pub mod service_access;
pub mod tagging;
pub mod unit;

pub use document::{
    FeatureSet, JoinedMethod, Member, Organization, PolicyType, ResourcePolicy, Root, Unit, in_use,
    is_delegated_administrator, managed_by, member_accounts, of_account, path, principal_org_id,
    principal_org_path,
};
pub use found::{create, delete};
pub(crate) use in_force::service_control_arn;
pub use in_force::service_control_levels;
pub use node::{Node, ROOT_NAME};
pub use policy::ServiceControlPolicy;
pub use refusal::OrganizationRefusal;
