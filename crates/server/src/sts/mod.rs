//! STS: <https://docs.aws.amazon.com/STS/latest/APIReference/>.

mod assume_role;
mod assume_role_with_web_identity;
mod decode_authorization_message;
mod get_access_key_info;
mod get_caller_identity;
mod get_federation_token;
mod get_session_token;
mod mfa;
mod shape;

use opentrail_wire::value::RecordTimes;

use crate::{
    fault::Dialect,
    operation::{Described, read, spend, vouch},
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
    follow: None,
    operations: &[
        spend::<assume_role::AssumeRole>(),
        read::<get_caller_identity::GetCallerIdentity>(),
        spend::<get_session_token::GetSessionToken>(),
        read::<get_federation_token::GetFederationToken>(),
        vouch::<assume_role_with_web_identity::AssumeRoleWithWebIdentity>(),
        read::<get_access_key_info::GetAccessKeyInfo>(),
        read::<decode_authorization_message::DecodeAuthorizationMessage>(),
    ],
    unsupported: &[ASSUME_ROLE_WITH_SAML, "AssumeRoot", "GetDelegatedAccessToken", "GetWebIdentityToken"],
};

const ASSUME_ROLE_WITH_SAML: &str = "AssumeRoleWithSAML";

/// Whether nobody signs calls of this operation (`authtype: none` in the service model). A signature that there is all
/// the same is not looked at.
pub(crate) fn is_unsigned(operation: &str) -> bool {
    operation == assume_role_with_web_identity::AssumeRoleWithWebIdentity::NAME
        || operation == ASSUME_ROLE_WITH_SAML
}

/// Whether a federated user may call it.
pub(crate) fn is_for_federated_users(operation: &str) -> bool {
    operation == get_caller_identity::GetCallerIdentity::NAME
}
