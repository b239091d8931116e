//! Buckets themselves: made, found, listed, removed; their location, versioning and tags.

use std::sync::Arc;

use http::StatusCode;
use opentrail_event::Region;
use opentrail_vault::{
    BucketQuery, NewBucket, Ownership, Tags, VaultError, Versioning, VersioningChange, limits, tags_of,
};
use s3s::dto;

use super::{
    acl, mfa,
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
};

/// The region whose buckets say no location, and where making one's own bucket again is no failure.
const CLASSIC: &str = "us-east-1";

pub(super) async fn create(
    scene: Arc<Scene>,
    input: dto::CreateBucketInput,
) -> Answered<dto::CreateBucketOutput> {
    let owner = scene.account().ok_or_else(Refusal::access_denied)?;
    let configuration = input.create_bucket_configuration;
    if configuration.as_ref().is_some_and(|c| c.bucket.is_some() || c.location.is_some()) {
        return Err(Refusal::not_built("directory buckets"));
    }
    let constraint = configuration.and_then(|configuration| configuration.location_constraint);
    let region = location_for(&scene.region, constraint.as_ref().map(|location| location.as_str()))?;
    let ownership = match input.object_ownership {
        Some(asked) => acl::ownership_of(&asked)?,
        None => Ownership::default(),
    };
    let new = NewBucket {
        name: input.bucket.clone(),
        owner,
        region,
        ownership,
        tags: Tags::new(),
        object_lock: input.object_lock_enabled_for_bucket.unwrap_or(false),
    };
    let created =
        scene.change(|vault, tx| vault.create_bucket(tx, new, scene.arrival.at).map_err(Refusal::from)).await;
    match created {
        Ok(_) => {}
        // As AWS: in us-east-1 the owner may make the bucket again (S3 API reference, CreateBucket).
        Err(refusal)
            if refusal.fault.code() == "BucketAlreadyOwnedByYou" && is_classic(&scene, &input.bucket) => {}
        Err(refusal) => return Err(refusal),
    }
    plain(dto::CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
}

fn is_classic(scene: &Scene, bucket: &str) -> bool {
    scene.region.as_str() == CLASSIC
        && scene.vault().bucket(bucket).is_ok_and(|bucket| bucket.region.as_str() == CLASSIC)
}

/// Where a new bucket goes: a request signed for us-east-1 may name any other region; one for another region
/// must name that (S3 API reference, CreateBucket).
fn location_for(signed: &Region, constraint: Option<&str>) -> Result<Region, Refusal> {
    let illegal = |named: &str| {
        let message = format!(
            "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        Refusal::of("IllegalLocationConstraintException", message)
    };
    match constraint.filter(|named| !named.is_empty()) {
        None if signed.as_str() == CLASSIC => Ok(signed.clone()),
        None => Err(illegal("unspecified")),
        Some(CLASSIC) => {
            Err(Refusal::of("InvalidLocationConstraint", "The specified location-constraint is not valid"))
        }
        Some(named) => {
            let region = if named == "EU" { "eu-west-1" } else { named };
            let region: Region = region.parse().map_err(|_| {
                Refusal::of("InvalidLocationConstraint", "The specified location-constraint is not valid")
            })?;
            if signed.as_str() == CLASSIC || region == *signed { Ok(region) } else { Err(illegal(named)) }
        }
    }
}

pub(super) async fn head(scene: Arc<Scene>, _: dto::HeadBucketInput) -> Answered<dto::HeadBucketOutput> {
    let region = scene.bucket()?.region.as_str().to_owned();
    plain(dto::HeadBucketOutput { bucket_region: Some(region), ..dto::HeadBucketOutput::default() })
}

pub(super) async fn list(
    scene: Arc<Scene>,
    input: dto::ListBucketsInput,
) -> Answered<dto::ListBucketsOutput> {
    let account = scene.account().ok_or_else(Refusal::access_denied)?;
    let invalid = |message: &str| Refusal::of("InvalidArgument", message);
    let max = match input.max_buckets {
        None => None,
        Some(max) => match usize::try_from(max) {
            Ok(max) if (1..=limits::MAX_LIST_BUCKETS).contains(&max) => Some(max),
            _ => return Err(invalid("Argument max-buckets must be an integer between 1 and 10000")),
        },
    };
    let region = match input.bucket_region {
        None => None,
        Some(region) => {
            Some(region.parse().map_err(|_| invalid("Argument value for bucket-region is not valid"))?)
        }
    };
    let query = BucketQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        region,
        after: input.continuation_token,
        max,
    };
    let page = scene.vault().list_buckets(&account, &query);
    let buckets = page.buckets.iter().map(|bucket| dto::Bucket {
        bucket_region: Some(bucket.region.as_str().to_owned()),
        creation_date: Some(shape::time(bucket.created)),
        name: Some(bucket.name.clone()),
    });
    plain(dto::ListBucketsOutput {
        buckets: Some(buckets.collect()),
        continuation_token: page.next,
        owner: Some(shape::owner(account)),
        prefix: input.prefix,
    })
}

pub(super) async fn delete(
    scene: Arc<Scene>,
    input: dto::DeleteBucketInput,
) -> Answered<dto::DeleteBucketOutput> {
    let mut tx = scene.rooms.state.begin().await;
    let removal = scene.vault().delete_bucket(&mut tx, &input.bucket).await?;
    removal.commit(tx, scene.events(None)?).await?;
    plain(dto::DeleteBucketOutput::default())
}

pub(super) async fn location(
    scene: Arc<Scene>,
    _: dto::GetBucketLocationInput,
) -> Answered<dto::GetBucketLocationOutput> {
    let region = scene.bucket()?.region.as_str();
    let location_constraint = (region != CLASSIC).then(|| region.to_owned().into());
    plain(dto::GetBucketLocationOutput { location_constraint })
}

pub(super) async fn versioning(
    scene: Arc<Scene>,
    _: dto::GetBucketVersioningInput,
) -> Answered<dto::GetBucketVersioningOutput> {
    let status = match scene.bucket()?.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(dto::BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(dto::BucketVersioningStatus::SUSPENDED),
    };
    let mfa_delete = scene.bucket()?.mfa_delete.map(|on| {
        dto::MFADeleteStatus::from_static(if on {
            dto::MFADeleteStatus::ENABLED
        } else {
            dto::MFADeleteStatus::DISABLED
        })
    });
    plain(dto::GetBucketVersioningOutput {
        mfa_delete,
        status: status.map(dto::BucketVersioningStatus::from_static),
    })
}

fn malformed() -> Refusal {
    Refusal::of(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

pub(super) async fn put_versioning(
    scene: Arc<Scene>,
    input: dto::PutBucketVersioningInput,
) -> Answered<dto::PutBucketVersioningOutput> {
    let asked = input.versioning_configuration;
    let mfa_delete = match asked.mfa_delete.as_ref().map(dto::MFADelete::as_str) {
        None => None,
        Some(dto::MFADelete::ENABLED) => Some(true),
        Some(dto::MFADelete::DISABLED) => Some(false),
        Some(_) => return Err(malformed()),
    };
    let versioning = match asked.status.as_ref().map(dto::BucketVersioningStatus::as_str) {
        Some(dto::BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(dto::BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) => return Err(malformed()),
        None => {
            let message = "The Versioning element must be specified";
            return Err(Refusal::of("IllegalVersioningConfigurationException", message));
        }
    };
    let with_mfa = mfa_delete == Some(true) || mfa::is_asked_by(scene.bucket()?);
    scene
        .change(|vault, tx| {
            if with_mfa {
                mfa::spend(&scene, tx)?;
            }
            let change = VersioningChange { versioning, mfa_delete, with_mfa };
            Ok(vault.put_versioning(tx, &input.bucket, change)?)
        })
        .await?;
    plain(dto::PutBucketVersioningOutput::default())
}

pub(super) async fn tags(
    scene: Arc<Scene>,
    input: dto::GetBucketTaggingInput,
) -> Answered<dto::GetBucketTaggingOutput> {
    let tags = scene.vault().bucket_tags(&input.bucket)?;
    plain(dto::GetBucketTaggingOutput { tag_set: tag_set(&tags) })
}

/// Tags as XML has them.
pub(super) fn tag_set(tags: &Tags) -> dto::TagSet {
    tags.iter().map(|(key, value)| dto::Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

/// Tags as XML had them.
pub(super) fn tags_in(set: dto::TagSet, max: usize) -> Result<Tags, VaultError> {
    tags_of(set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())), max)
}

pub(super) async fn put_tags(
    scene: Arc<Scene>,
    input: dto::PutBucketTaggingInput,
) -> Answered<dto::PutBucketTaggingOutput> {
    let tags = tags_in(input.tagging.tag_set, limits::MAX_BUCKET_TAGS)?;
    scene.change(|vault, tx| Ok(vault.put_bucket_tags(tx, &input.bucket, tags)?)).await?;
    scene.answer_status(StatusCode::NO_CONTENT);
    plain(dto::PutBucketTaggingOutput::default())
}

pub(super) async fn delete_tags(
    scene: Arc<Scene>,
    input: dto::DeleteBucketTaggingInput,
) -> Answered<dto::DeleteBucketTaggingOutput> {
    scene.change(|vault, tx| Ok(vault.put_bucket_tags(tx, &input.bucket, Tags::new())?)).await?;
    plain(dto::DeleteBucketTaggingOutput::default())
}

#[cfg(test)]
mod tests {
    use super::location_for;

    #[test]
    fn a_new_bucket_goes_where_aws_puts_it() {
        let region = |name: &str| name.parse().expect("a region");
        let code = |signed: &str, constraint| match location_for(&region(signed), constraint) {
            Ok(region) => region.to_string(),
            Err(refusal) => refusal.fault.code().to_owned(),
        };
        assert_eq!(code("us-east-1", None), "us-east-1");
        assert_eq!(code("us-east-1", Some("EU")), "eu-west-1");
        assert_eq!(code("us-east-1", Some("us-east-1")), "InvalidLocationConstraint");
        assert_eq!(code("eu-west-1", Some("eu-west-1")), "eu-west-1");
        assert_eq!(code("eu-west-1", None), "IllegalLocationConstraintException");
        assert_eq!(code("eu-west-1", Some("eu-central-1")), "IllegalLocationConstraintException");
    }
}
