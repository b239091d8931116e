//! Public keys as a server lists them.

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use opentrail_trails::validate::{KeyError, KeySource};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;

/// The target of CloudTrail's ListPublicKeys.
const LIST_PUBLIC_KEYS: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";

/// Asks ListPublicKeys, of AWS's own form.
pub(crate) struct ServerKeys {
    client: Client,
}

impl ServerKeys {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    public_key_list: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKey {
    value: String,
    fingerprint: String,
}

#[async_trait]
impl KeySource for ServerKeys {
    async fn public_key(
        &self,
        region: &str,
        fingerprint: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Vec<u8>>, KeyError> {
        let around = json!({
            "StartTime": (at - TimeDelta::days(1)).timestamp(),
            "EndTime": (at + TimeDelta::days(1)).timestamp(),
        });
        let client = self.client.in_region(region);
        let answer: Answer = client
            .aws_json("cloudtrail", LIST_PUBLIC_KEYS, &around)
            .await
            .map_err(|error| KeyError::Unavailable(error.to_string()))?;
        let key = answer.public_key_list.into_iter().find(|key| key.fingerprint == fingerprint);
        key.map(|key| {
            BASE64_STANDARD.decode(key.value).map_err(|error| KeyError::Unavailable(error.to_string()))
        })
        .transpose()
    }
}
