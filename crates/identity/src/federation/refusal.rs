//! Why a web identity token opens no session.

use chrono::{DateTime, Utc};

/// Why a web identity token opens no session. The texts are STS's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// It is no signed JWT, or signed in a way that is not taken. STS: `InvalidIdentityToken`.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    NotAToken,
    /// The role's account has no provider of the token's issuer. STS: `InvalidIdentityToken`.
    #[error("No OpenIDConnect provider found in your account for {0}")]
    NoProvider(String),
    /// A claim that every token must have is not there. STS: `InvalidIdentityToken`.
    #[error("Missing a required claim: {0}")]
    MissingClaim(&'static str),
    /// It was made for somebody whom the provider does not list. STS: `InvalidIdentityToken`.
    #[error("Incorrect token audience")]
    Audience,
    /// It is past its time. STS: `ExpiredTokenException`.
    #[error(
        "Token expired: current date/time {} must be before the expiration date/time {}",
        now.timestamp(),
        expired.timestamp()
    )]
    Expired {
        /// When it was presented.
        now: DateTime<Utc>,
        /// Until when it was good.
        expired: DateTime<Utc>,
    },
    /// The issuer has no key that it could be signed with. STS: `InvalidIdentityToken`.
    #[error(
        "Couldn't retrieve verification key from your identity provider, please reference \
         AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoKey,
    /// It is not what the issuer signed. STS: `InvalidIdentityToken`.
    #[error("The signature of the ID token can't be verified with the key of its issuer.")]
    Signature,
    /// A claim has a value that opens no session. STS: `IDPRejectedClaim`.
    #[error("The claim {0} of the ID token can't be accepted.")]
    Claim(&'static str),
    /// The issuer could not be asked for its keys. STS: `IDPCommunicationError`.
    #[error(
        "The identity provider that was asked to verify the incoming identity token could not be reached: {0}"
    )]
    Unreachable(String),
}
