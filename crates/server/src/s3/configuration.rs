//! Configurations that a bucket can't have here: reads of them answer what AWS answers of a bucket without.

use std::sync::Arc;

use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    table::{Answered, plain},
};

macro_rules! absent {
    ($($operation:ident($input:ident) -> $output:ident: $code:literal, $message:literal;)*) => {$(
        pub(super) async fn $operation(_: Arc<Scene>, _: dto::$input) -> Answered<dto::$output> {
            Err(Refusal::of($code, $message))
        }
    )*};
}

absent! {
    cors(GetBucketCorsInput) -> GetBucketCorsOutput:
        "NoSuchCORSConfiguration", "The CORS configuration does not exist";
    website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput:
        "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration";
}

pub(super) async fn accelerate(
    _: Arc<Scene>,
    _: dto::GetBucketAccelerateConfigurationInput,
) -> Answered<dto::GetBucketAccelerateConfigurationOutput> {
    plain(dto::GetBucketAccelerateConfigurationOutput::default())
}

pub(super) async fn request_payment(
    _: Arc<Scene>,
    _: dto::GetBucketRequestPaymentInput,
) -> Answered<dto::GetBucketRequestPaymentOutput> {
    let payer = Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER));
    plain(dto::GetBucketRequestPaymentOutput { payer })
}
