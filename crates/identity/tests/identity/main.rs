//! The behaviour of identities over a real state.

#![expect(clippy::unwrap_used, reason = "a failure of the fixture is a failure of the test")]

mod account;
mod authorization;
mod consistency;
mod credentials;
mod federation;
mod groups;
mod managed_policies;
mod mfa;
mod organizations;
mod passwords;
mod roles;
mod root;
mod service_control;
mod service_linked_roles;
mod sessions;
mod simulation;
mod users;
mod world;
