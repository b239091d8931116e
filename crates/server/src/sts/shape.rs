//! The shapes that several operations answer with.

use opentrail_identity::SessionCredentials;
use opentrail_wire::value::Timestamp;
use serde::Serialize;

/// `Credentials`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
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
