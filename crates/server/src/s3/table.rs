//! The table of S3's operations: which function answers which call.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    auth::{S3Auth, SecretKey},
    config::{S3Config, StaticConfigProvider},
    dto::*,
    service::{S3Service, S3ServiceBuilder},
    validation::NameValidation,
};

use super::{
    access::Gate, acl, attributes, bucket, configuration, copy, delete, encryption_bucket, get, lifecycle,
    list, list_versions, logging, multipart, notification, object_lock, object_tagging, parts, policy,
    public_access, put, refusal::Refusal, replication, restore, scene::Scene,
};

/// The largest XML document: a CompleteMultipartUpload of 10,000 parts with every checksum, and a
/// DeleteObjects of 1,000 of the longest keys, fit.
const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// What an operation answers.
pub(super) type Answered<T> = Result<S3Response<T>, Refusal>;

/// An answer with nothing but its output.
pub(super) fn plain<T>(output: T) -> Answered<T> {
    Ok(S3Response::new(output))
}

/// The protocol layer, made once.
pub(super) fn service() -> &'static S3Service {
    static SERVICE: OnceLock<S3Service> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let mut config = S3Config::default();
        config.xml_max_body_size = MAX_DOCUMENT_BYTES;
        let mut builder = S3ServiceBuilder::new(Table);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(AlreadyAuthenticated);
        builder.set_access(Gate);
        builder.set_validation(CheckedLater);
        builder.build()
    })
}

/// The protocol layer asks its gate only where it has an authenticator. Signatures are checked before it sees a
/// request; one that is left (version 2) is of a kind that is not taken.
struct AlreadyAuthenticated;

#[async_trait::async_trait]
impl S3Auth for AlreadyAuthenticated {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        let message =
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
    }
}

/// The gate checks names, so that a refused call is recorded as the operation that it is.
struct CheckedLater;

impl NameValidation for CheckedLater {
    fn validate_bucket_name(&self, name: &str) -> bool {
        !name.is_empty()
    }
}

async fn perform<I, O, F>(request: S3Request<I>, operation: fn(Arc<Scene>, I) -> F) -> S3Result<S3Response<O>>
where
    F: Future<Output = Answered<O>> + Send,
{
    let Some(scene) = request.extensions.get::<Arc<Scene>>().cloned() else {
        return Err(S3Error::new(S3ErrorCode::InternalError));
    };
    operation(scene.clone(), request.input).await.map_err(|refusal| {
        scene.refuse(refusal);
        // Never seen: the answer is made of the refusal.
        S3Error::new(S3ErrorCode::AccessDenied)
    })
}

struct Table;

macro_rules! operations {
    ($($method:ident($input:ident) -> $output:ident: $operation:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for Table {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                perform(request, $operation).await
            })*
        }
    };
}

operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput: multipart::abort;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput: multipart::complete;
    copy_object(CopyObjectInput) -> CopyObjectOutput: copy::copy_object;
    create_bucket(CreateBucketInput) -> CreateBucketOutput: bucket::create;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput: multipart::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput: bucket::delete;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput: encryption_bucket::delete;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput: lifecycle::delete;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput: acl::delete_ownership;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput: policy::delete;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput: replication::delete;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput: bucket::delete_tags;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput: delete::delete_object;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput: delete::delete_objects;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput: object_tagging::delete;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput: public_access::delete;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput: configuration::accelerate;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput: acl::get_bucket_acl;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput: configuration::cors;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput: encryption_bucket::get;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput: lifecycle::get;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput: bucket::location;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput: logging::get;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput: notification::get;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput: acl::get_ownership;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput: policy::get;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput: policy::status;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput: replication::get;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput: configuration::request_payment;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput: bucket::tags;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput: bucket::versioning;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput: configuration::website;
    get_object(GetObjectInput) -> GetObjectOutput: get::get_object;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput: acl::get_object_acl;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput: attributes::get_object_attributes;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput: object_lock::get_legal_hold;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput: object_lock::get_configuration;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput: object_lock::get_retention;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput: object_tagging::get;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput: public_access::get;
    head_bucket(HeadBucketInput) -> HeadBucketOutput: bucket::head;
    head_object(HeadObjectInput) -> HeadObjectOutput: get::head_object;
    list_buckets(ListBucketsInput) -> ListBucketsOutput: bucket::list;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput: multipart::list;
    list_objects(ListObjectsInput) -> ListObjectsOutput: list::list_objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output: list::list_objects_v2;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput: list_versions::list_object_versions;
    list_parts(ListPartsInput) -> ListPartsOutput: parts::list;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput: acl::put_bucket_acl;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput: encryption_bucket::put;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput: lifecycle::put;
    put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput: logging::put;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput: notification::put;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput: acl::put_ownership;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput: policy::put;
    put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput: replication::put;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput: bucket::put_tags;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput: bucket::put_versioning;
    put_object(PutObjectInput) -> PutObjectOutput: put::put_object;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput: acl::put_object_acl;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput: object_lock::put_legal_hold;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput: object_lock::put_configuration;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput: object_lock::put_retention;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput: object_tagging::put;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput: public_access::put;
    restore_object(RestoreObjectInput) -> RestoreObjectOutput: restore::restore_object;
    upload_part(UploadPartInput) -> UploadPartOutput: parts::upload;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput: copy::upload_part_copy;
}
