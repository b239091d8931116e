//! STS: <https://docs.aws.amazon.com/STS/latest/APIReference/>.

mod assume_role;
mod get_caller_identity;
mod get_session_token;
mod mfa;
mod shape;

use opentrail_wire::value::RecordTimes;

use crate::{
    fault::Dialect,
    operation::{read, spend},
    service::Service,
};

/// STS, as the door knows it.
pub(crate) static SERVICE: Service = Service {
    name: "sts",
    event_source: "sts.amazonaws.com",
    dialect: Dialect::Query,
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    global: true,
    record_times: RecordTimes::SpokenWithComma,
    operations: &[
        spend::<assume_role::AssumeRole>(),
        read::<get_caller_identity::GetCallerIdentity>(),
        spend::<get_session_token::GetSessionToken>(),
    ],
    unsupported: &[
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "DecodeAuthorizationMessage",
        "GetAccessKeyInfo",
        "GetDelegatedAccessToken",
        "GetFederationToken",
        "GetWebIdentityToken",
    ],
};
