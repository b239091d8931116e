//! What is there already at an endpoint.

use http::{Method, StatusCode};
use opentrail_event::AccountId;
use serde::Deserialize;

use super::{SOURCE_VERSION, Target, TargetError, call::Question};

/// Versions of a key that are looked at for a copy, from the newest: a copy that is in doubt was the last that was sent.
const LOOKED_AT: usize = 32;
/// Versions and delete markers of one listing: enough for that, and an answer that is not too long.
const LISTED: &str = "200";

/// A listing, in which delete markers stand between the versions.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    #[serde(default, rename = "Version")]
    versions: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    version_id: Option<String>,
}

impl Target {
    /// Whether a bucket there can take copies.
    pub(crate) async fn check(
        &self,
        bucket: &str,
        account: Option<AccountId>,
        needs_lock: bool,
    ) -> Result<(), TargetError> {
        let ask = |query| Question { query, ..Question::new(Method::GET, bucket, None).of_account(account) };
        let versioning = self.demand(ask(&[("versioning", "")])).await?;
        if !String::from_utf8_lossy(&versioning.body).contains("<Status>Enabled</Status>") {
            return Err(TargetError::NoVersioning);
        }
        if needs_lock {
            let lock = self.ask(ask(&[("object-lock", "")])).await?;
            let enabled = String::from_utf8_lossy(&lock.body).contains("<ObjectLockEnabled>Enabled<");
            match lock.refusal() {
                None if enabled => {}
                Some(error @ TargetError::Away(_)) => return Err(error),
                _ => return Err(TargetError::NoLock),
            }
        }
        Ok(())
    }

    /// The version id there of the copy of this version, if there is one.
    pub(super) async fn find(
        &self,
        bucket: &str,
        key: &str,
        version_id: &str,
        account: Option<AccountId>,
    ) -> Result<Option<String>, TargetError> {
        // Keys come sorted, so that of those which begin so this one is the first.
        let query = [("versions", ""), ("encoding-type", "url"), ("max-keys", LISTED), ("prefix", key)];
        let question = Question::new(Method::GET, bucket, None).of_account(account);
        let listed = self.demand(Question { query: &query, ..question }).await?;
        let text = String::from_utf8_lossy(&listed.body);
        let listed: Versions = quick_xml::de::from_str(&text)
            .map_err(|error| TargetError::Refused(format!("the listing can't be read: {error}")))?;
        let is_it = |listed: &Listed| {
            let plain = listed.key.replace('+', " ");
            percent_encoding::percent_decode_str(&plain).decode_utf8().is_ok_and(|found| found == key)
        };
        let ids =
            listed.versions.iter().filter(|listed| is_it(listed)).filter_map(|of| of.version_id.as_deref());
        for id in ids.take(LOOKED_AT) {
            let query = [("versionId", id)];
            let question = Question::new(Method::HEAD, bucket, Some(key)).of_account(account);
            let head = self.ask(Question { query: &query, ..question }).await?;
            if head.status.is_success()
                && head.header(&format!("x-amz-meta-{SOURCE_VERSION}")) == Some(version_id)
            {
                return Ok(Some(id.to_owned()));
            }
            if let Some(error @ TargetError::Away(_)) = head.refusal() {
                return Err(error);
            }
        }
        Ok(None)
    }

    /// Whether the key is deleted there: its newest version is a delete marker.
    pub(super) async fn is_deleted(
        &self,
        bucket: &str,
        key: &str,
        account: Option<AccountId>,
    ) -> Result<bool, TargetError> {
        let head = self.ask(Question::new(Method::HEAD, bucket, Some(key)).of_account(account)).await?;
        match head.refusal() {
            Some(error @ TargetError::Away(_)) => Err(error),
            _ => {
                let marker = head.header("x-amz-delete-marker") == Some("true");
                Ok(head.status == StatusCode::NOT_FOUND && marker)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Versions;

    #[test]
    fn versions_are_found_between_delete_markers() {
        let text = "<ListVersionsResult><Name>b</Name>\
            <Version><Key>a</Key><VersionId>3</VersionId></Version>\
            <DeleteMarker><Key>a</Key><VersionId>2</VersionId></DeleteMarker>\
            <Version><Key>a</Key><VersionId>1</VersionId></Version>\
            <DeleteMarker><Key>a</Key><VersionId>0</VersionId></DeleteMarker></ListVersionsResult>";
        let listed: Versions = quick_xml::de::from_str(text).unwrap();
        let ids: Vec<_> = listed.versions.iter().filter_map(|of| of.version_id.as_deref()).collect();
        assert_eq!(ids, ["3", "1"]);
    }
}
