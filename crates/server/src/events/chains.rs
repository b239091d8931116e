//! `GET /v1/chains?TrailArn=…`: where the digest chains of a trail begin and end, as this server delivered
//! them. A validator finds with it what the bucket alone cannot show: digests deleted from a chain's end, or
//! all of them.

use opentrail_trails::{ChainHead, TrailArn, TrailError};
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
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    trail_arn: String,
    /// Where the trail's files go now; nowhere once it was deleted.
    bucket: Option<String>,
    prefix: Option<String>,
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
        if arn.account != call.account {
            let trail = arn.to_string();
            return Err(refused(TrailError::TrailNotFound { trail, account: call.account }));
        }
        let text = arn.to_string();
        let heads = call.rooms.delivery.chain_heads(&text);
        match call.rooms.trails.get(call.account, &arn.region, &text) {
            Ok(trail) => Ok(Output {
                trail_arn: text,
                bucket: Some(trail.bucket.clone()),
                prefix: trail.prefix.clone(),
                heads,
            }),
            Err(_) if !heads.is_empty() => Ok(Output { trail_arn: text, bucket: None, prefix: None, heads }),
            Err(error) => Err(refused(error)),
        }
    }
}
