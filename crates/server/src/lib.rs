//! The server: one port, every service, every call recorded.
//!
//! A request comes in at the `door`, which finds out what it is for and who sent it. An awsJson or
//! awsQuery call goes to `dispatch`, which runs the operation from its service's table; S3 goes to
//! `s3`, events sent from elsewhere to `events`. All of them leave their record through `recording`.

mod access_log;
mod at_rest;
mod call;
mod cloudtrail;
mod cloudtrail_data;
mod dispatch;
mod door;
mod entrance;
mod error;
mod events;
mod fault;
pub mod fsck;
mod glue;
mod health;
mod iam;
mod issuers;
mod kms;
mod lake_keys;
mod listen;
mod master_key;
mod operation;
mod options;
mod organizations;
mod queries;
mod recording;
mod replica_target;
mod rooms;
mod s3;
mod server;
mod service;
mod source;
mod startup;
mod store;
mod sts;
mod welcome;
mod worker;

pub use at_rest::AtRestError;
pub use error::ServerError;
pub use issuers::IssuerReach;
pub use master_key::{MasterKeyError, MasterKeyFrom, TransitOptions};
pub use opentrail_lake::warehouse::Location as LakeLocation;
pub use options::{
    LakeSettings, Options, RemoteBucket, ReplicaTarget, ReplicationEndpoint, RootCredentials, TlsFiles,
};
pub use queries::QueryOptions;
pub use server::Server;
pub use welcome::Welcome;
