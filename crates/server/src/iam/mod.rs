//! IAM: <https://docs.aws.amazon.com/IAM/latest/APIReference/>. Each operation is a few lines over
//! `opentrail_identity`; a file holds the operations on one kind of thing.

mod page;
mod shape;
mod user;

use opentrail_wire::value::RecordTimes;

use crate::{
    fault::Dialect,
    operation::{read, write},
    service::Service,
};

/// IAM, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "iam",
    event_source: "iam.amazonaws.com",
    dialect: Dialect::Query,
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    global: true,
    record_times: RecordTimes::Spoken,
    operations: &[
        write::<user::CreateUser>(),
        write::<user::DeleteUser>(),
        read::<user::GetUser>(),
        read::<user::ListUsers>(),
    ],
    unsupported: &["CreateLoginProfile", "EnableMFADevice"],
};
