//! CreateTrail, UpdateTrail, DeleteTrail.

use opentrail_event::RecordResource;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_trails::{self as trails, BucketCheck, LogStore, Trail, TrailError};
use serde::{Deserialize, Serialize};

use super::{
    encryption, organization, refused,
    shape::{OneTrail, TagShape, TrailShape, pairs, set_request_tags, trail_arn},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Write},
};

/// What CreateTrail and UpdateTrail have in common.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    s3_key_prefix: Option<String>,
    sns_topic_name: Option<String>,
    include_global_service_events: Option<bool>,
    is_multi_region_trail: Option<bool>,
    enable_log_file_validation: Option<bool>,
    cloud_watch_logs_log_group_arn: Option<String>,
    cloud_watch_logs_role_arn: Option<String>,
    pub(super) kms_key_id: Option<String>,
    is_organization_trail: Option<bool>,
    recursive_logging: Option<bool>,
}

impl Settings {
    /// Refuses what AWS's trails can do and these cannot, so that nobody counts on it. The codes are those
    /// of AWS for a topic, key or log group that is not there: here, none are. Empty texts ask for nothing.
    fn check_served(&self) -> Result<(), Fault> {
        let refusals = [
            (
                &self.sns_topic_name,
                "InsufficientSnsTopicPolicyException",
                "SNS Topic does not exist or the topic policy is incorrect! This server has no topics.",
            ),
            (
                &self.cloud_watch_logs_log_group_arn,
                "InvalidCloudWatchLogsLogGroupArnException",
                "CloudTrail cannot validate the specified log group ARN: this server has no log groups.",
            ),
            (
                &self.cloud_watch_logs_role_arn,
                "InvalidCloudWatchLogsRoleArnException",
                "A role for CloudWatch Logs needs a log group: this server has no log groups.",
            ),
        ];
        let asked = |member: &Option<String>| member.as_deref().is_some_and(|text| !text.is_empty());
        match refusals.into_iter().find(|(member, ..)| asked(member)) {
            Some((_, code, message)) => Err(Fault::declared(code, message)),
            None => Ok(()),
        }
    }
}

/// Asks the trail's bucket whether it is there and lets CloudTrail write, for every account of an organization.
async fn check_bucket(trail: &Trail, call: &Call) -> Result<(), Fault> {
    let ask = BucketCheck {
        bucket: &trail.bucket,
        prefix: trail.prefix.as_deref(),
        trail_arn: &trail.arn().to_string(),
        account: trail.account,
        whose: &call.rooms.trails.writes_for(trail),
    };
    let checked = call.rooms.stores.check(ask).await;
    checked.map_err(|cause| refused(call)(TrailError::of_bucket_check(&trail.bucket, cause)))
}

/// CreateTrail
pub(super) struct CreateTrail;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTrailInput {
    #[serde(default)]
    name: String,
    #[serde(default)]
    s3_bucket_name: String,
    #[serde(flatten)]
    settings: Settings,
    tags_list: Option<Vec<TagShape>>,
}

impl CreateTrailInput {
    fn stage(&self, call: &Call, tx: &mut Transaction) -> Result<Trail, Fault> {
        let ask = trails::CreateTrail {
            kms_key: encryption::key_arn(self.settings.kms_key_id.as_deref(), call),
            name: self.name.clone(),
            bucket: self.s3_bucket_name.clone(),
            prefix: self.settings.s3_key_prefix.clone(),
            include_global_service_events: self.settings.include_global_service_events,
            is_multi_region: self.settings.is_multi_region_trail,
            log_file_validation: self.settings.enable_log_file_validation,
            is_organization: self.settings.is_organization_trail,
            recursive_logging: self.settings.recursive_logging,
            tags: pairs(self.tags_list.as_deref().unwrap_or_default()),
        };
        let rules = &call.rooms.trails;
        rules.create(tx, call.account, &call.region, &ask, call.arrival.at).map_err(refused(call))
    }
}

impl Described for CreateTrail {
    type Input = CreateTrailInput;
    type Output = TrailShape;
    const NAME: &'static str = "CreateTrail";

    fn resource(input: &CreateTrailInput, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }

    fn context(input: &CreateTrailInput, _: &Call, context: &mut Context) {
        set_request_tags(context, input.tags_list.as_deref().unwrap_or_default());
    }

    fn touched(input: &CreateTrailInput, call: &Call) -> Vec<RecordResource> {
        if input.settings.is_organization_trail != Some(true) {
            return Vec::new();
        }
        let organization = call.rooms.trails.organization_of(call.account);
        let arn = |account| format!("arn:aws:cloudtrail:{}:{account}:trail/{}", call.region, input.name);
        organization.map_or_else(Vec::new, |it| organization::trail_of_another(&arn(it.management), call))
    }
}

impl Write for CreateTrail {
    /// The change is staged once for its refusals alone, so that a bad name is told before a bad bucket.
    async fn prepare(input: &CreateTrailInput, call: &Call) -> Result<(), Fault> {
        let trail = {
            let mut tx = call.rooms.state.begin().await;
            input.stage(call, &mut tx)?
        };
        input.settings.check_served()?;
        if trail.organization.is_some() {
            organization::check_dependencies(&trail, call)?;
        }
        check_bucket(&trail, call).await?;
        encryption::check_key(input.settings.kms_key_id.as_deref(), &trail, call)
    }

    fn act(input: CreateTrailInput, call: &Call, tx: &mut Transaction) -> Result<TrailShape, Fault> {
        let trail = input.stage(call, tx)?;
        organization::ensure_role(&trail, call, tx)?;
        Ok(TrailShape::from(&trail))
    }
}

/// UpdateTrail
pub(super) struct UpdateTrail;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateTrailInput {
    #[serde(default)]
    name: String,
    s3_bucket_name: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

impl UpdateTrailInput {
    fn stage(&self, call: &Call, tx: &mut Transaction) -> Result<Trail, Fault> {
        let ask = trails::UpdateTrail {
            kms_key: encryption::key_arn(self.settings.kms_key_id.as_deref(), call),
            name: self.name.clone(),
            bucket: self.s3_bucket_name.clone(),
            prefix: self.settings.s3_key_prefix.clone(),
            include_global_service_events: self.settings.include_global_service_events,
            is_multi_region: self.settings.is_multi_region_trail,
            log_file_validation: self.settings.enable_log_file_validation,
            is_organization: self.settings.is_organization_trail,
            recursive_logging: self.settings.recursive_logging,
        };
        let rules = &call.rooms.trails;
        rules.update(tx, call.account, &call.region, &ask, call.arrival.at).map_err(|error| match error {
            // UpdateTrail does not declare the code that CreateTrail has for this.
            TrailError::MaximumNumberOfTrailsExceeded { .. } => {
                Fault::declared("OperationNotPermittedException", error.to_string())
            }
            error => refused(call)(error),
        })
    }

    fn moves_files(&self) -> bool {
        let of_organization = self.settings.is_organization_trail.is_some();
        of_organization || self.s3_bucket_name.is_some() || self.settings.s3_key_prefix.is_some()
    }
}

impl Described for UpdateTrail {
    type Input = UpdateTrailInput;
    type Output = TrailShape;
    const NAME: &'static str = "UpdateTrail";

    fn resource(input: &UpdateTrailInput, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }

    fn touched(input: &UpdateTrailInput, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.name, call)
    }
}

impl Write for UpdateTrail {
    /// As CreateTrail's. A bucket is asked only if the files are to go elsewhere: other settings can be
    /// changed while it is away.
    async fn prepare(input: &UpdateTrailInput, call: &Call) -> Result<(), Fault> {
        let trail = {
            let mut tx = call.rooms.state.begin().await;
            input.stage(call, &mut tx)?
        };
        input.settings.check_served()?;
        if trail.organization.is_some() {
            organization::check_dependencies(&trail, call)?;
        }
        if input.moves_files() {
            check_bucket(&trail, call).await?;
        }
        encryption::check_key(input.settings.kms_key_id.as_deref(), &trail, call)
    }

    fn act(input: UpdateTrailInput, call: &Call, tx: &mut Transaction) -> Result<TrailShape, Fault> {
        let trail = input.stage(call, tx)?;
        organization::ensure_role(&trail, call, tx)?;
        Ok(TrailShape::from(&trail))
    }
}

/// DeleteTrail: the files stay.
pub(super) struct DeleteTrail;

impl Described for DeleteTrail {
    type Input = OneTrail;
    type Output = ();
    const NAME: &'static str = "DeleteTrail";

    fn resource(input: &OneTrail, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.name, call))
    }

    fn touched(input: &OneTrail, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.name, call)
    }
}

impl Write for DeleteTrail {
    fn act(input: OneTrail, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let rules = &call.rooms.trails;
        rules.delete(tx, call.account, &call.region, &input.name).map_err(refused(call))?;
        Ok(())
    }
}
