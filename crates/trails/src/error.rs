//! What can be wrong with a call about a trail.

use opentrail_event::{AccountId, Region};
use opentrail_state::StateError;

use opentrail_selector::InvalidSelectors;

use crate::{organization::OrganizationId, store::StoreError};

/// Why an operation on a trail was refused. Each variant is one AWS error code ([`TrailError::code`]);
/// the text is what the caller of the API sees.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The name of a trail breaks one of AWS's rules for names.
    #[error("{0}")]
    InvalidTrailName(InvalidTrailName),
    /// The name of the bucket is not a bucket's name.
    #[error("{0}")]
    InvalidS3BucketName(&'static str),
    /// The prefix for keys is too long or holds a control character.
    #[error("{0}")]
    InvalidS3Prefix(&'static str),
    /// Something that starts with `arn:` is not the ARN of a trail.
    #[error(
        "{arn} is not a valid trail ARN. The format of a trail ARN is: \
         arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail"
    )]
    CloudTrailArnInvalid {
        /// The text as it came, cut to 256 characters.
        arn: String,
    },
    /// No such trail in the account and region.
    #[error("Unknown trail: {trail} for the user: {account}")]
    TrailNotFound {
        /// The name or ARN that was asked for.
        trail: String,
        /// The account that was asked.
        account: AccountId,
    },
    /// The account has a trail of this name in this region.
    #[error("Trail {name} already exists for customer: {account}")]
    TrailAlreadyExists {
        /// The trail's name.
        name: String,
        /// The account.
        account: AccountId,
    },
    /// The account has as many trails in a region as it may have.
    #[error("User: {account} already has {limit} trails in {region}.")]
    MaximumNumberOfTrailsExceeded {
        /// The account.
        account: AccountId,
        /// The region that is full.
        region: Region,
        /// How many trails a region may have.
        limit: usize,
    },
    /// A trail is changed only in the region in which it was created.
    #[error("The home region of the trail {arn} is {home}. Call this operation there, not in {region}.")]
    InvalidHomeRegion {
        /// The trail.
        arn: String,
        /// Its home.
        home: Region,
        /// Where it was called.
        region: Region,
    },
    /// Two parameters that do not go together.
    #[error("{0}")]
    InvalidParameterCombination(&'static str),
    /// The event selectors are not valid.
    #[error(transparent)]
    InvalidEventSelectors(#[from] InvalidSelectors),
    /// A tag's key or value is not valid.
    #[error("{0}")]
    InvalidTagParameter(&'static str),
    /// More tags than a trail may have.
    #[error(
        "The number of tags per trail has exceeded the permitted amount. Currently, the limit is {limit}."
    )]
    TagsLimitExceeded {
        /// The limit.
        limit: usize,
    },
    /// The ARN names a kind of resource that has no tags here.
    #[error("{arn} is not a trail")]
    ResourceTypeNotSupported {
        /// The ARN.
        arn: String,
    },
    /// A tag operation's resource does not exist.
    #[error("Unknown trail: {arn}")]
    ResourceNotFound {
        /// The ARN.
        arn: String,
    },
    /// An organization trail is asked of an account that belongs to no organization.
    #[error("Account {account} does not belong to an organization.")]
    OrganizationsNotInUse {
        /// The account.
        account: AccountId,
    },
    /// The account may not make or change trails of its organization.
    #[error(
        "Account {account} is neither the management account nor a CloudTrail delegated administrator of \
         organization {id}."
    )]
    NotAdministrator {
        /// The account.
        account: AccountId,
        /// The organization.
        id: OrganizationId,
    },
    /// Only the management account makes an organization trail of another trail, or the other way round.
    #[error(
        "Only the management account of organization {id} can convert trails to and from organization trails."
    )]
    ConversionByAnother {
        /// The organization.
        id: OrganizationId,
    },
    /// The organization has consolidated billing only.
    #[error("Organization {id} does not have all features enabled.")]
    OrganizationNotInAllFeaturesMode {
        /// The organization.
        id: OrganizationId,
    },
    /// The organization does not trust CloudTrail.
    #[error("Trusted access for cloudtrail.amazonaws.com is not enabled in organization {id}.")]
    CloudTrailAccessNotEnabled {
        /// The organization.
        id: OrganizationId,
    },
    /// The bucket does not exist.
    #[error("S3 bucket {bucket} does not exist!")]
    S3BucketDoesNotExist {
        /// The bucket.
        bucket: String,
    },
    /// The bucket's policy does not let CloudTrail write.
    #[error("Incorrect S3 bucket policy is detected for bucket: {bucket}")]
    InsufficientS3BucketPolicy {
        /// The bucket.
        bucket: String,
    },
    /// The bucket could not be asked; the call may be repeated.
    #[error("The S3 bucket {bucket} could not be checked: {cause}")]
    BucketCheckFailed {
        /// The bucket.
        bucket: String,
        /// What the store said.
        cause: StoreError,
    },
    /// The state refused the change.
    #[error(transparent)]
    State(#[from] StateError),
}

impl TrailError {
    /// AWS's name of the error, as botocore's model of CloudTrail has it. `InternalFailure` and
    /// `ServiceUnavailable` are the two that no operation declares.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidTrailName(_) => "InvalidTrailNameException",
            Self::InvalidS3BucketName(_) => "InvalidS3BucketNameException",
            Self::InvalidS3Prefix(_) => "InvalidS3PrefixException",
            Self::CloudTrailArnInvalid { .. } => "CloudTrailARNInvalidException",
            Self::TrailNotFound { .. } => "TrailNotFoundException",
            Self::TrailAlreadyExists { .. } => "TrailAlreadyExistsException",
            Self::MaximumNumberOfTrailsExceeded { .. } => "MaximumNumberOfTrailsExceededException",
            Self::InvalidHomeRegion { .. } => "InvalidHomeRegionException",
            Self::InvalidParameterCombination(_) => "InvalidParameterCombinationException",
            Self::InvalidEventSelectors(_) => "InvalidEventSelectorsException",
            Self::InvalidTagParameter(_) => "InvalidTagParameterException",
            Self::TagsLimitExceeded { .. } => "TagsLimitExceededException",
            Self::ResourceTypeNotSupported { .. } => "ResourceTypeNotSupportedException",
            Self::ResourceNotFound { .. } => "ResourceNotFoundException",
            Self::OrganizationsNotInUse { .. } => "OrganizationsNotInUseException",
            Self::NotAdministrator { .. } | Self::ConversionByAnother { .. } => {
                "NotOrganizationMasterAccountException"
            }
            Self::OrganizationNotInAllFeaturesMode { .. } => "OrganizationNotInAllFeaturesModeException",
            Self::CloudTrailAccessNotEnabled { .. } => "CloudTrailAccessNotEnabledException",
            Self::S3BucketDoesNotExist { .. } => "S3BucketDoesNotExistException",
            Self::InsufficientS3BucketPolicy { .. } => "InsufficientS3BucketPolicyException",
            Self::BucketCheckFailed { .. } => "ServiceUnavailable",
            Self::State(_) => "InternalFailure",
        }
    }

    /// What the check of a trail's bucket before CreateTrail or UpdateTrail says to the caller.
    pub fn of_bucket_check(bucket: &str, cause: StoreError) -> Self {
        let bucket = bucket.to_owned();
        match cause {
            StoreError::NoSuchBucket => Self::S3BucketDoesNotExist { bucket },
            StoreError::AccessDenied | StoreError::InsufficientPolicy => {
                Self::InsufficientS3BucketPolicy { bucket }
            }
            cause => Self::BucketCheckFailed { bucket, cause },
        }
    }
}

/// Which of AWS's rules for the name of a trail is broken; the texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTrailName {
    /// No name at all.
    #[error("Trail name cannot be blank!")]
    Blank,
    /// Fewer than 3 characters.
    #[error(
        "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {0} characters."
    )]
    TooShort(usize),
    /// More than 128 characters.
    #[error(
        "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {0} characters."
    )]
    TooLong(usize),
    /// A character that is not allowed.
    #[error(
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), \
         hyphens (-), and underscores (_)."
    )]
    Characters,
    /// The first character is not a letter or digit.
    #[error("Trail name must starts with a letter or number.")]
    Start,
    /// The last character is not a letter or digit.
    #[error("Trail name must ends with a letter or number.")]
    End,
    /// Two of `.`, `-`, `_` beside each other.
    #[error("Trail name must not have adjacent periods, underscores, or dashes.")]
    Adjacent,
    /// The name looks like an IPv4 address.
    #[error("Trail name must not be in IP address format.")]
    IpAddress,
}
