//! `GET /v1/chains?TrailArn=…&AccountId=…`: where the digest chains of a trail begin and end, as this server delivered
//! them. A validator finds with it what the bucket alone cannot show: digests deleted from a chain's end, or
//! all of them.
//!
//! Who changes a trail may ask about it, and who owns the bucket that it writes into; a member of an organization may
//! ask about its own files.

use opentrail_event::AccountId;
use opentrail_trails::{ChainHead, OrganizationId, Trail, TrailArn, TrailError};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct GetChainHeads;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    trail_arn: String,
    /// Whose files are meant; those of all accounts without it.
    account_id: Option<AccountId>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    trail_arn: String,
    /// Where the trail's files go now; nowhere once it was deleted.
    bucket: Option<String>,
    prefix: Option<String>,
    /// For an organization trail.
    organization_id: Option<OrganizationId>,
    heads: Vec<ChainHead>,
}

impl Described for GetChainHeads {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "GetChainHeads";

    fn resource(input: &Input, _: &Call) -> Result<String, Fault> {
        Ok(input.trail_arn.clone())
    }
}

impl Read for GetChainHeads {
    /// The trail may be asked for from any region, and its chains may outlive it.
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let refused = |error| Fault::of_trail(error, call.dialect());
        let arn = TrailArn::parse(&input.trail_arn).map_err(refused)?;
        let trail_arn = arn.to_string();
        let unknown = || TrailError::TrailNotFound { trail: trail_arn.clone(), account: call.account };
        let trail = call.rooms.trails.get(arn.account, &arn.region, &trail_arn).ok();
        if !may_ask(call, &arn, trail.as_deref(), input.account_id) {
            return Err(refused(unknown()));
        }
        let heads = call.rooms.delivery.chain_heads(&trail_arn, input.account_id);
        if trail.is_none() && heads.is_empty() {
            return Err(refused(unknown()));
        }
        Ok(Output {
            bucket: trail.as_ref().map(|trail| trail.bucket.clone()),
            prefix: trail.as_ref().and_then(|trail| trail.prefix.clone()),
            organization_id: trail.and_then(|trail| trail.organization.clone()),
            trail_arn,
            heads,
        })
    }
}

fn may_ask(call: &Call, arn: &TrailArn, trail: Option<&Trail>, about: Option<AccountId>) -> bool {
    if arn.account == call.account {
        return true;
    }
    let Some(trail) = trail else { return false };
    let rules = &call.rooms.trails;
    let owns_bucket =
        || call.rooms.vault.bucket(&trail.bucket).is_ok_and(|bucket| bucket.owner == call.account);
    let is_seen = rules.covers(trail, call.account);
    is_seen && (about == Some(call.account) || rules.may_change(call.account, trail)) || owns_bucket()
}
