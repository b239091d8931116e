//! Someone an OpenID Connect provider vouches for, as policies and records see them.
//!
//! Source: the IAM User Guide, "IAM and AWS STS condition context keys", OIDC federation; of the default provider.

use opentrail_policy::Context;
use serde::{Deserialize, Serialize};

/// What a session knows of the one an OpenID Connect provider vouched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebIdentity {
    /// The ARN of the provider (`aws:FederatedProvider`).
    pub provider: String,
    /// The provider's URL without `https://`: what its condition keys begin with.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// For whom the token was made (`ISSUER:aud`): the authorized party if it names one, else the audience.
    #[serde(rename = "aud")]
    pub audience: String,
    /// Who it is at the provider (`ISSUER:sub`).
    #[serde(rename = "sub")]
    pub subject: String,
    /// How they proved it (`ISSUER:amr`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

impl WebIdentity {
    /// `PROVIDER:AUDIENCE:SUBJECT`, as records have it.
    pub(crate) fn principal_id(&self) -> String {
        let Self { provider, audience, subject, .. } = self;
        format!("{provider}:{audience}:{subject}")
    }

    /// Sets the keys that its caller has, and a session keeps for as long as it lasts.
    pub(crate) fn set_session_keys(&self, context: &mut Context) {
        context.set("aws:FederatedProvider", self.provider.as_str());
        context.set(&self.key("aud"), self.audience.as_str());
        context.set(&self.key("sub"), self.subject.as_str());
        if !self.amr.is_empty() {
            context.set_many(&self.key("amr"), self.amr.iter().map(String::as_str));
        }
    }

    /// The name of the provider's condition key for a claim.
    pub(crate) fn key(&self, claim: &str) -> String {
        format!("{}:{claim}", self.issuer)
    }
}
