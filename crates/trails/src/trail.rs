//! A trail: which events go to which bucket.

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Event, Region};
use opentrail_selector::{Selection, Selectors};
use opentrail_state::Resource;
use serde::{Deserialize, Serialize};

use crate::{
    name::{TrailArn, TrailName},
    organization::OrganizationId,
};

/// The services whose events are recorded once, in the leader region of the partition.
const GLOBAL_SOURCES: [&str; 5] = [
    "iam.amazonaws.com",
    "sts.amazonaws.com",
    "organizations.amazonaws.com",
    "cloudfront.amazonaws.com",
    "route53.amazonaws.com",
];

/// A trail as CreateTrail, UpdateTrail and PutEventSelectors made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trail {
    /// Its name.
    pub name: TrailName,
    /// The account that owns it: the one whose events it selects, or the management account of its organization.
    pub account: AccountId,
    /// The region in which it was created, and in which alone it can be changed.
    pub home_region: Region,
    /// The bucket that gets its files.
    pub bucket: String,
    /// What stands before `AWSLogs/` in the keys of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The ARN of the KMS key that its files are encrypted with; the bucket's default encryption where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Whether events of global services (IAM, …) belong to it.
    pub include_global_service_events: bool,
    /// Whether it selects events of all regions, or of its home region only.
    pub is_multi_region: bool,
    /// Whether digests are written for its files.
    pub log_file_validation: bool,
    /// The organization whose events it selects; its own account's alone where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationId>,
    /// Whether events that come from the delivery of this server's own log files are logged too.
    pub recursive_logging: bool,
    /// What PutEventSelectors set; the default is all management events.
    pub selectors: Selectors,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it is logging.
    pub logging: bool,
    /// When StartLogging was last called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_logging_time: Option<DateTime<Utc>>,
    /// When StopLogging was last called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_logging_time: Option<DateTime<Utc>>,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
    #[serde(skip)]
    pub(crate) compiled: Compiled,
}

impl Resource for Trail {
    const KIND: &'static str = "trails.trail";
}

/// The compiled selectors of a trail, made when first needed. A clone starts empty, because a trail is cloned
/// to be changed.
#[derive(Debug, Default)]
pub(crate) struct Compiled(OnceLock<Selection>);

impl Clone for Compiled {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Trail {
    /// The trail's ARN in its parts; `to_string()` gives its text.
    pub fn arn(&self) -> TrailArn {
        TrailArn { region: self.home_region.clone(), account: self.account, name: self.name.clone() }
    }

    /// The id of its document: `ACCOUNT/HOME_REGION/NAME`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.account, self.home_region, self.name)
    }

    /// Whether PutEventSelectors gave it other selectors than a new trail's.
    pub fn has_custom_event_selectors(&self) -> bool {
        !self.selectors.is_default()
    }

    /// Whether callers in `region` can see it: at home, and everywhere (as a shadow trail) if it is
    /// multi-region.
    pub fn visible_in(&self, region: &Region) -> bool {
        self.is_multi_region || self.home_region == *region
    }

    /// The selectors in the form in which they are asked.
    pub fn selection(&self) -> &Selection {
        self.compiled.0.get_or_init(|| Selection::compile(&self.selectors))
    }

    /// Whether an event of an account that the trail covers goes into this trail's files. It does not ask whether the
    /// trail is logging.
    pub fn takes(&self, event: &Event) -> bool {
        let in_region = self.is_multi_region || event.region() == self.home_region.as_str();
        in_region
            && (self.include_global_service_events || !is_global_service_event(event))
            && (self.recursive_logging || !is_own_delivery(event))
            && self.selection().selects(event)
    }
}

/// Whether the event is one of a global service. STS has regional endpoints too: its calls in the leader
/// region that went to `sts.us-east-1.amazonaws.com` are regional.
fn is_global_service_event(event: &Event) -> bool {
    event.region() == "us-east-1"
        && GLOBAL_SOURCES.contains(&event.source())
        && (event.source() != "sts.amazonaws.com"
            || event.value_at(&["tlsDetails", "clientProvidedHostHeader"]).as_deref()
                != Some("sts.us-east-1.amazonaws.com"))
}

/// Whether the event was caused by CloudTrail itself, when it wrote a file into a bucket.
fn is_own_delivery(event: &Event) -> bool {
    event.value_at(&["userIdentity", "invokedBy"]).as_deref() == Some("cloudtrail.amazonaws.com")
}
