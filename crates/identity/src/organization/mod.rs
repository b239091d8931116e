//! Organizations: accounts in a tree of units under one management account, and the policies that bound them.
//!
//! Documents are the [`Organization`] with its root, its [`Unit`]s, the [`Member`] that says where an account is,
//! and [`ServiceControlPolicy`]s; each module has the operations of AWS Organizations on
//! them. Whether the caller's account is the one that may is asked by [`managed_by`] and [`in_use`]; whether the
//! caller may is decided before, from policies, as everywhere.
//!
//! No role here is linked to a service, and IAM makes none, so that service control policies concern every principal
//! of every account but the management account.
//!
//! Source: the AWS Organizations User Guide and API Reference
//! (<https://docs.aws.amazon.com/organizations/latest/APIReference/>).

mod document;
mod found;
mod ids;
mod in_force;
pub mod limits;
pub mod policy;
pub mod refusal;

pub use document::{
    FeatureSet, JoinedMethod, Member, Organization, PolicyType, ResourcePolicy, Root, Unit, in_use,
    is_delegated_administrator, managed_by, member, member_accounts, members, of_account, path,
    principal_org_id, principal_org_path, unit,
};
pub use found::{create, delete};
pub use in_force::service_control_levels;
pub use policy::ServiceControlPolicy;
pub use refusal::OrganizationRefusal;
