//! Calls that are signed for another region than their bucket's.
//!
//! On AWS each region has its own endpoint; here one endpoint has all, and the region signed for is the one meant. Who
//! asks for a bucket in the wrong one is told the right one, in the words in which SDKs understand it and ask again.

use http::StatusCode;

use super::{
    catalog::Operation,
    refusal::Refusal,
    scene::{Proof, Scene},
};
use crate::fault::Fault;

/// The header that names a bucket's region.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// Refuses a call that is signed for another region than its bucket's. GetBucketLocation may be asked from anywhere;
/// a call that nobody signed is for no region.
pub(super) fn check(scene: &Scene, operation: &Operation) -> Result<(), Refusal> {
    let is_from_anywhere =
        scene.proof == Proof::None || matches!(operation.name, "CreateBucket" | "GetBucketLocation");
    let Some(bucket) = scene.subject().found.as_ref().filter(|_| !is_from_anywhere) else { return Ok(()) };
    if bucket.region == scene.region {
        return Ok(());
    }
    let host = scene.arrival.host.as_deref().unwrap_or_default();
    let in_host = host.strip_prefix(bucket.name.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let refusal = if in_host {
        wrong_scope(scene, bucket.region.as_str())
    } else {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint. \
                       Please send all future requests to this endpoint.";
        Refusal::from(Fault::exact("PermanentRedirect", StatusCode::MOVED_PERMANENTLY, message))
            .telling("Endpoint", host)
            .telling("Bucket", &bucket.name)
    };
    Err(refusal.with(BUCKET_REGION, bucket.region.as_str()))
}

/// What S3 says where the host names the bucket, and so its region.
fn wrong_scope(scene: &Scene, expected: &str) -> Refusal {
    let wrong = format!("the region '{}' is wrong; expecting '{expected}'", scene.region);
    let (code, message) = match scene.proof {
        Proof::Query { .. } => (
            "AuthorizationQueryParametersError",
            format!("Error parsing the X-Amz-Credential parameter; {wrong}"),
        ),
        Proof::None | Proof::Header => {
            ("AuthorizationHeaderMalformed", format!("The authorization header is malformed; {wrong}"))
        }
    };
    Refusal::from(Fault::exact(code, StatusCode::BAD_REQUEST, message)).telling("Region", expected)
}
