//! The shapes that several operations answer with.

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::{AssumedRole, SessionCredentials, Tag, limits};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{call::Call, fault::Fault};

/// `PolicyDescriptorType`
#[derive(Deserialize, Serialize)]
pub(super) struct PolicyDescriptor {
    arn: String,
}

/// The ARNs of policies.
pub(super) fn arns(policies: Vec<PolicyDescriptor>) -> Vec<String> {
    policies.into_iter().map(|policy| policy.arn).collect()
}

/// `Tag`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SessionTag {
    key: String,
    value: String,
}

/// Tags as the domain has them.
pub(super) fn tags(tags: &[SessionTag]) -> Vec<Tag> {
    tags.iter().map(|tag| Tag::new(&tag.key, &tag.value)).collect()
}

/// `AssumedRoleUser`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

impl AssumedRoleUser {
    pub(super) fn of(assumed: &AssumedRole) -> Self {
        Self { assumed_role_id: assumed.assumed_role_id.clone(), arn: assumed.arn.to_string() }
    }
}

/// The account in the ARN of a role, as far as it is one.
pub(super) fn account(role_arn: &str) -> Option<AccountId> {
    role_arn.split(':').nth(4).and_then(|id| id.parse().ok())
}

/// A role as records show it.
pub(super) fn role(role_arn: &str) -> RecordResource {
    RecordResource::new("AWS::IAM::Role", role_arn, account(role_arn))
}

/// The credentials of an answer; and how long their token is, for whoever says how long it shall be at least: clients
/// that can't say that do not know these members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Issued {
    credentials: Credentials,
    session_token_size: Option<usize>,
    session_token_utilization: Option<usize>,
}

impl Issued {
    /// Credentials with a token of at least `least` bytes.
    pub(super) fn of(
        credentials: SessionCredentials,
        least: Option<u32>,
        call: &Call,
    ) -> Result<Self, Fault> {
        let identity = &call.rooms.identity;
        let credentials =
            identity.with_longer_token(credentials, least.unwrap_or(0)).map_err(|e| call.refused(e))?;
        let size = credentials.session_token.len();
        Ok(Self {
            session_token_size: least.map(|_| size),
            session_token_utilization: least.map(|_| (size * 100).div_ceil(limits::SESSION_TOKEN_CHARS)),
            credentials: credentials.into(),
        })
    }
}

/// `Credentials`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Timestamp,
}

/// What of [`Credentials`] no record may carry. AWS's own records show session tokens; ours do not.
pub(super) const SECRETS: &[&str] = &["SecretAccessKey", "SessionToken", "TokenCode"];

impl From<SessionCredentials> for Credentials {
    fn from(session: SessionCredentials) -> Self {
        Self {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret_access_key.to_string(),
            session_token: session.session_token,
            expiration: session.expiration.into(),
        }
    }
}
