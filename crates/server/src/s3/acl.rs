//! Access control lists, which say the same of every bucket and object: its owner has full control, nobody
//! else any. And the ownership controls that make it so.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_vault::Ownership;
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
};

/// The list that gives an owner full control. The protocol layer leaves out the grantee's type, an attribute.
fn owner_has_full_control(owner: AccountId) -> String {
    let id = shape::canonical_id(owner);
    [
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        r#"<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#,
        &format!("<Owner><ID>{id}</ID></Owner><AccessControlList><Grant>"),
        r#"<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">"#,
        &format!("<ID>{id}</ID></Grantee><Permission>FULL_CONTROL</Permission>"),
        "</Grant></AccessControlList></AccessControlPolicy>",
    ]
    .concat()
}

/// Whether a list, where there is one, says what is so anyway.
fn says_nothing_new(list: Option<&dto::AccessControlPolicy>, owner: AccountId) -> bool {
    let Some(list) = list else { return true };
    let id = shape::canonical_id(owner);
    list.grants.iter().flatten().all(|grant| {
        let grantee = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_deref());
        let permission = grant.permission.as_ref().map(dto::Permission::as_str);
        grantee == Some(&id) && permission == Some(dto::Permission::FULL_CONTROL)
    })
}

fn not_supported() -> Refusal {
    Refusal::of("AccessControlListNotSupported", "The bucket does not allow ACLs")
}

pub(super) async fn get_bucket_acl(
    scene: Arc<Scene>,
    _: dto::GetBucketAclInput,
) -> Answered<dto::GetBucketAclOutput> {
    scene.answer_document(owner_has_full_control(scene.bucket()?.owner));
    plain(dto::GetBucketAclOutput::default())
}

pub(super) async fn put_bucket_acl(
    scene: Arc<Scene>,
    input: dto::PutBucketAclInput,
) -> Answered<dto::PutBucketAclOutput> {
    // Canned lists and grants in headers were looked at before the body was read.
    if !says_nothing_new(input.access_control_policy.as_ref(), scene.bucket()?.owner) {
        return Err(not_supported());
    }
    plain(dto::PutBucketAclOutput::default())
}

pub(super) async fn get_object_acl(
    scene: Arc<Scene>,
    input: dto::GetObjectAclInput,
) -> Answered<dto::GetObjectAclOutput> {
    let meta = scene.vault().head(&input.bucket, &input.key, input.version_id.as_deref());
    let owner = meta.map_err(|error| scene.not_there(error))?.object.owner;
    scene.answer_document(owner_has_full_control(owner));
    plain(dto::GetObjectAclOutput::default())
}

pub(super) async fn put_object_acl(
    scene: Arc<Scene>,
    input: dto::PutObjectAclInput,
) -> Answered<dto::PutObjectAclOutput> {
    let (vault, version) = (scene.vault(), input.version_id.as_deref());
    let meta = vault.head(&input.bucket, &input.key, version).map_err(|error| scene.not_there(error))?;
    if !says_nothing_new(input.access_control_policy.as_ref(), meta.object.owner) {
        return Err(not_supported());
    }
    let canned = input.acl.map(|acl| acl.as_str().to_owned());
    vault.put_object_acl(&input.bucket, &input.key, version, canned, |_| scene.events(None)).await?;
    plain(dto::PutObjectAclOutput::default())
}

/// The setting that a caller names.
pub(super) fn ownership_of(asked: &dto::ObjectOwnership) -> Result<Ownership, Refusal> {
    match asked.as_str() {
        dto::ObjectOwnership::BUCKET_OWNER_ENFORCED => Ok(Ownership::BucketOwnerEnforced),
        dto::ObjectOwnership::BUCKET_OWNER_PREFERRED => Ok(Ownership::BucketOwnerPreferred),
        dto::ObjectOwnership::OBJECT_WRITER => Err(Refusal::not_built(
            "objects owned by their writer (ObjectWriter), which only ACLs make of use",
        )),
        _ => Err(Refusal::of(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )),
    }
}

pub(super) async fn get_ownership(
    scene: Arc<Scene>,
    input: dto::GetBucketOwnershipControlsInput,
) -> Answered<dto::GetBucketOwnershipControlsOutput> {
    let object_ownership =
        dto::ObjectOwnership::from_static(match scene.vault().ownership(&input.bucket)? {
            Ownership::BucketOwnerEnforced => dto::ObjectOwnership::BUCKET_OWNER_ENFORCED,
            Ownership::BucketOwnerPreferred => dto::ObjectOwnership::BUCKET_OWNER_PREFERRED,
            Ownership::ObjectWriter => dto::ObjectOwnership::OBJECT_WRITER,
        });
    let rules = vec![dto::OwnershipControlsRule { object_ownership }];
    plain(dto::GetBucketOwnershipControlsOutput {
        ownership_controls: Some(dto::OwnershipControls { rules }),
    })
}

pub(super) async fn put_ownership(
    scene: Arc<Scene>,
    input: dto::PutBucketOwnershipControlsInput,
) -> Answered<dto::PutBucketOwnershipControlsOutput> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Refusal::of("MalformedXML", message));
    };
    let ownership = ownership_of(&rule.object_ownership)?;
    scene.change(|vault, tx| Ok(vault.put_ownership(tx, &input.bucket, Some(ownership))?)).await?;
    plain(dto::PutBucketOwnershipControlsOutput::default())
}

pub(super) async fn delete_ownership(
    scene: Arc<Scene>,
    input: dto::DeleteBucketOwnershipControlsInput,
) -> Answered<dto::DeleteBucketOwnershipControlsOutput> {
    scene.change(|vault, tx| Ok(vault.put_ownership(tx, &input.bucket, None)?)).await?;
    plain(dto::DeleteBucketOwnershipControlsOutput::default())
}
