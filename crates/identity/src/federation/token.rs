//! What an OpenID Connect provider signed, first as it is said, then as it is proven.
//!
//! Source: the STS API reference, `AssumeRoleWithWebIdentity`; the IAM User Guide, "Pass session tags in AWS STS";
//! OpenID Connect Core 1.0, section 3.1.3.7.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Validation, dangerous::insecure_decode};
use opentrail_event::AccountId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    TokenRefusal, WebIdentity,
    keys::{ALGORITHMS, SigningKeys},
    oidc_provider::{self, OidcProvider},
};
use crate::{documents::Documents, limits, name::check_session_name, tags::Tag};

#[derive(Debug, Clone, Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    azp: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    amr: Option<OneOrMany>,
    email: Option<String>,
    #[serde(rename = "https://aws.amazon.com/tags")]
    tags: Option<Value>,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    source_identity: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// The value of the claim that brings session tags.
#[derive(Debug, Default, Deserialize)]
struct TagsClaim {
    #[serde(default)]
    principal_tags: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

/// A token as it was presented: of a provider that the account has, for somebody whom the provider lists, and in
/// its time. Who made it is not proven.
#[derive(Debug)]
pub struct Presented<'a> {
    text: &'a str,
    kid: Option<String>,
    algorithm: jsonwebtoken::Algorithm,
    claims: Claims,
    audience: String,
    provider: Arc<OidcProvider>,
}

/// What a provider says of somebody, proven by its signature.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// Who it is.
    pub identity: WebIdentity,
    /// The token's `iss`.
    pub issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) email: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) transitive_tag_keys: Vec<String>,
    pub(crate) source_identity: Option<String>,
}

/// Reads a token that is presented for a role of this account.
///
/// # Errors
/// [`TokenRefusal`], but for those that need the issuer's keys.
pub fn read<'a>(
    docs: &impl Documents,
    account: AccountId,
    text: &'a str,
    now: DateTime<Utc>,
) -> Result<Presented<'a>, TokenRefusal> {
    if text.len() > limits::WEB_IDENTITY_TOKEN_CHARS {
        return Err(TokenRefusal::NotAToken);
    }
    let read = insecure_decode::<Map<String, Value>>(text).map_err(|_| TokenRefusal::NotAToken)?;
    let header = read.header;
    let claims: Claims = serde_json::from_value(read.claims.into()).map_err(|_| TokenRefusal::NotAToken)?;
    // Whoever marks a member as critical wants no answer from those who do not know it (RFC 7515, 4.1.11).
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(TokenRefusal::NotAToken);
    }
    let issuer = claims.iss.as_deref().ok_or(TokenRefusal::MissingClaim("iss"))?;
    let provider = oidc_provider::of_issuer(docs, account, issuer)
        .ok_or_else(|| TokenRefusal::NoProvider(issuer.chars().take(limits::PROVIDER_URL_CHARS).collect()))?;
    let audience = audience(&claims, &provider)?;
    check_times(&claims, now)?;
    check_subject(&claims)?;
    Ok(Presented { text, kid: header.kid, algorithm: header.alg, audience, claims, provider })
}

/// For whom the token is, if it is somebody whom the provider lists.
fn audience(claims: &Claims, provider: &OidcProvider) -> Result<String, TokenRefusal> {
    let listed = |id: &String| provider.client_ids.contains(id);
    let aud = claims.aud.clone().ok_or(TokenRefusal::MissingClaim("aud"))?.into_vec();
    let meant = match &claims.azp {
        Some(party) => Some(party.clone()).filter(listed),
        None => aud.into_iter().find(listed),
    };
    meant.ok_or(TokenRefusal::Audience)
}

fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), TokenRefusal> {
    let expired =
        at(claims.exp.ok_or(TokenRefusal::MissingClaim("exp"))?).ok_or(TokenRefusal::Claim("exp"))?;
    if now >= expired {
        return Err(TokenRefusal::Expired { now, expired });
    }
    let latest = now + TimeDelta::seconds(limits::TOKEN_CLOCK_SKEW_SECONDS);
    let begun = |time: Option<f64>| time.is_none_or(|time| at(time).is_some_and(|time| time <= latest));
    if !begun(claims.nbf) {
        Err(TokenRefusal::Claim("nbf"))
    } else if !begun(claims.iat) {
        Err(TokenRefusal::Claim("iat"))
    } else {
        Ok(())
    }
}

/// A time as tokens have it: seconds, maybe with a fraction. A number too large for a time is none after the cast.
fn at(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds as i64, 0)
}

fn check_subject(claims: &Claims) -> Result<(), TokenRefusal> {
    let subject = claims.sub.as_deref().ok_or(TokenRefusal::MissingClaim("sub"))?;
    let fits = (1..=limits::WEB_IDENTITY_SUBJECT_CHARS).contains(&subject.chars().count());
    if fits && !subject.contains(char::is_control) { Ok(()) } else { Err(TokenRefusal::Claim("sub")) }
}

impl Presented<'_> {
    /// The issuer, to ask for its keys.
    pub fn provider(&self) -> &OidcProvider {
        &self.provider
    }

    /// Which of the issuer's keys it is signed with, if it says so.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What it says, if the issuer signed it.
    ///
    /// # Errors
    /// [`TokenRefusal::NoKey`], [`TokenRefusal::Signature`]; [`TokenRefusal::Claim`] for session tags or a source
    /// identity that are none.
    pub fn verify(self, keys: &SigningKeys) -> Result<Vouched, TokenRefusal> {
        let key = keys.decoding_key(self.kid(), self.algorithm).ok_or(TokenRefusal::NoKey)?;
        jsonwebtoken::decode::<Value>(self.text, &key, &signature_only(self.algorithm))
            .map_err(|_| TokenRefusal::Signature)?;
        let Claims { iss, sub, aud, amr, email, tags, source_identity, .. } = self.claims;
        let (tags, transitive_tag_keys) = session_tags(tags)?;
        if let Some(identity) = &source_identity {
            check_session_name("sourceIdentity", identity)
                .map_err(|_| TokenRefusal::Claim("https://aws.amazon.com/source_identity"))?;
        }
        let identity = WebIdentity {
            provider: self.provider.arn(),
            issuer: self.provider.name.clone(),
            audience: self.audience,
            subject: sub.ok_or(TokenRefusal::MissingClaim("sub"))?,
            amr: amr.map(OneOrMany::into_vec).unwrap_or_default(),
        };
        Ok(Vouched {
            identity,
            issuer: iss.ok_or(TokenRefusal::MissingClaim("iss"))?,
            audiences: aud.map(OneOrMany::into_vec).unwrap_or_default(),
            email,
            tags,
            transitive_tag_keys,
            source_identity,
        })
    }
}

/// The claims were held against the provider when the token was read, at the time of the call.
fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The session tags that a claim brings: each with one value, be it alone or in a list.
fn session_tags(claim: Option<Value>) -> Result<(Vec<Tag>, Vec<String>), TokenRefusal> {
    let Some(claim) = claim else { return Ok(Default::default()) };
    let refused = || TokenRefusal::Claim("https://aws.amazon.com/tags");
    let claim = Some(claim).filter(Value::is_object).ok_or_else(refused)?;
    let claim: TagsClaim = serde_json::from_value(claim).map_err(|_| refused())?;
    let mut tags = Vec::with_capacity(claim.principal_tags.len());
    for (key, value) in claim.principal_tags {
        match <[String; 1]>::try_from(value.into_vec()) {
            Ok([value]) => tags.push(Tag::new(key, value)),
            Err(_) => return Err(refused()),
        }
    }
    Ok((tags, claim.transitive_tag_keys))
}
