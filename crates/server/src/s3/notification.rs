//! Event notifications of a bucket. There is nothing here yet that could be notified: a configuration that names a
//! destination is refused as S3 refuses one that it can't reach, and one that names none is taken.

use std::sync::Arc;

use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

pub(super) async fn get(
    _: Arc<Scene>,
    _: dto::GetBucketNotificationConfigurationInput,
) -> Answered<dto::GetBucketNotificationConfigurationOutput> {
    plain(dto::GetBucketNotificationConfigurationOutput::default())
}

pub(super) async fn put(
    scene: Arc<Scene>,
    input: dto::PutBucketNotificationConfigurationInput,
) -> Answered<dto::PutBucketNotificationConfigurationOutput> {
    let dto::NotificationConfiguration {
        event_bridge_configuration,
        lambda_function_configurations,
        queue_configurations,
        topic_configurations,
    } = input.notification_configuration;
    if event_bridge_configuration.is_some() {
        return Err(Refusal::not_built("notifications to EventBridge"));
    }
    let names_any = lambda_function_configurations.is_some_and(|list| !list.is_empty())
        || queue_configurations.is_some_and(|list| !list.is_empty())
        || topic_configurations.is_some_and(|list| !list.is_empty());
    if names_any {
        let message = "Unable to validate the following destination configurations";
        return Err(Refusal::of("InvalidArgument", message));
    }
    // The call and its record are all that happens: there was no configuration before either.
    scene.change(|vault, _| Ok(vault.bucket(&input.bucket).map(drop)?)).await?;
    plain(dto::PutBucketNotificationConfigurationOutput::default())
}
