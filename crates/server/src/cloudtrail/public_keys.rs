//! ListPublicKeys: the keys that the digests of a region were signed with.

use opentrail_wire::value::{Blob, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read},
};

pub(super) struct ListPublicKeys;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    public_key_list: Vec<PublicKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublicKey {
    value: Blob,
    validity_start_time: Timestamp,
    validity_end_time: Timestamp,
    fingerprint: String,
}

impl Described for ListPublicKeys {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "ListPublicKeys";
}

impl Read for ListPublicKeys {
    /// A time that is missing is now. A region has a key or two a year, so that there is one page. There is always a
    /// key for now: it is made for the first digest, or for the first who asks.
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        if input.next_token.is_some() {
            let message = "The NextToken is not one that ListPublicKeys gave.";
            return Err(Fault::declared("InvalidTokenException", message));
        }
        let now = call.arrival.at;
        let from = input.start_time.map_or(now, |time| time.0);
        let to = input.end_time.map_or(now, |time| time.0);
        if from > to {
            let message = "The start time must not be after the end time.";
            return Err(Fault::declared("InvalidTimeRangeException", message));
        }
        let mut keys = call.rooms.keyring.public_keys(&call.region, from, to);
        if keys.is_empty() && (from..=to).contains(&now) {
            // A validation of a trail that is younger than its first digest must not fail for want of keys.
            let made = call.rooms.keyring.signing_key(&call.region, now).await;
            let made = made.map_err(|error| Fault::of_keyring(error, call.dialect()))?;
            keys.push(made.public_key().clone());
        }
        let public_key_list = keys.into_iter().map(|key| PublicKey {
            value: Blob(key.value_der.into()),
            validity_start_time: key.valid_from.into(),
            validity_end_time: key.valid_to.into(),
            fingerprint: key.fingerprint,
        });
        Ok(Output { public_key_list: public_key_list.collect() })
    }
}
