//! AssumeRoleWithWebIdentity: nobody signs the call; an OpenID Connect provider of the role's account vouches for who
//! makes it.

use opentrail_event::{AccountId, RecordResource};
use opentrail_identity::{self as identity, Caller, federation::token::Vouched};
use serde::{Deserialize, Serialize};

use super::shape::{AssumedRoleUser, Issued, PolicyDescriptor, account, arns, role};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Vouch},
};

pub(super) struct AssumeRoleWithWebIdentity;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    role_arn: String,
    role_session_name: String,
    web_identity_token: String,
    provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policy_arns: Vec<PolicyDescriptor>,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    minimum_session_token_size: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    #[serde(flatten)]
    issued: Issued,
    subject_from_web_identity_token: String,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<usize>,
    provider: String,
    audience: String,
    source_identity: Option<String>,
}

impl Input {
    fn ask<'a>(&'a self, policy_arns: &'a [String], call: &Call) -> identity::AssumeRoleWithWebIdentity<'a> {
        identity::AssumeRoleWithWebIdentity {
            role_arn: &self.role_arn,
            session_name: &self.role_session_name,
            duration_seconds: self.duration_seconds,
            policy: self.policy.as_deref(),
            policy_arns,
            context: call.arrival.context(&call.region),
        }
    }
}

impl Described for AssumeRoleWithWebIdentity {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "AssumeRoleWithWebIdentity";
    const PERMISSION: Permission = Permission::OwnRules;
    const SECRETS: &'static [&'static str] = &["SecretAccessKey", "SessionToken", "WebIdentityToken"];
    const SHOWS_ELEMENTS: bool = true;

    fn touched(input: &Input, _: &Call) -> Vec<RecordResource> {
        vec![role(&input.role_arn)]
    }
}

impl Vouch for AssumeRoleWithWebIdentity {
    type Voucher = Vouched;

    fn account(input: &Input) -> Option<AccountId> {
        account(&input.role_arn)
    }

    /// What can be said of the token without its issuer is said before that is asked: a stranger costs no more than
    /// they must.
    async fn vouch(input: &Input, call: &Call) -> Result<Vouched, Fault> {
        let refused = |error| call.refused(error);
        if input.provider_id.is_some() {
            // Access tokens of OAuth 2.0 come with a provider, and none of theirs is known here.
            return Err(refused(identity::federation::TokenRefusal::NotAToken.into()));
        }
        let (rooms, token) = (&call.rooms, input.web_identity_token.as_str());
        let presented = rooms
            .identity
            .present_web_identity(&input.ask(&[], call), token, call.arrival.at)
            .map_err(refused)?;
        let url = presented.provider().url();
        let keys = rooms.issuers.keys(&url, presented.kid()).await.map_err(|error| refused(error.into()))?;
        presented.verify(&keys).map_err(|error| refused(error.into()))
    }

    fn caller(voucher: &Vouched) -> Caller {
        voucher.caller()
    }

    fn act(mut input: Input, vouched: Vouched, call: &Call) -> Result<Output, Fault> {
        let policy_arns = arns(std::mem::take(&mut input.policy_arns));
        let ask = input.ask(&policy_arns, call);
        let assumed = call
            .rooms
            .identity
            .assume_role_with_web_identity(&vouched, &ask, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        Ok(Output {
            assumed_role_user: AssumedRoleUser::of(&assumed),
            issued: Issued::of(assumed.credentials, input.minimum_session_token_size, call)?,
            subject_from_web_identity_token: vouched.identity.subject,
            packed_policy_size: assumed.packed_policy_size,
            provider: vouched.issuer,
            audience: vouched.identity.audience,
            source_identity: assumed.source_identity,
        })
    }
}
