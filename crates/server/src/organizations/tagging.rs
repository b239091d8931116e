//! TagResource, UntagResource, ListTagsForResource; and the tags that something is created with.

use opentrail_identity::organization::tagging;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    access,
    page::Paging,
    refused,
    shape::{TagShape, tags},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// Sets the keys of the tags that a request brings.
pub(super) fn set_request_tags(context: &mut Context, shapes: Option<&[TagShape]>) {
    opentrail_identity::set_request_tags(context, &tags(shapes));
}

/// Whether the caller may put tags on what is created with them.
pub(super) fn permit_with_creation(shapes: Option<&[TagShape]>, call: &Call) -> Result<(), Fault> {
    if shapes.is_none_or(<[TagShape]>::is_empty) {
        return Ok(());
    }
    let mut context = call.arrival.context(&call.region);
    set_request_tags(&mut context, shapes);
    call.permit("organizations:TagResource", "*", context)
}

/// TagResource
pub(super) struct TagResource;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    resource_id: String,
    tags: Vec<TagShape>,
}

impl Described for TagResource {
    type Input = TagInput;
    type Output = ();
    const NAME: &'static str = "TagResource";

    fn resource(input: &TagInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.resource_id))
    }

    fn context(input: &TagInput, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.resource_id);
        set_request_tags(context, Some(&input.tags));
    }
}

impl Write for TagResource {
    fn act(input: TagInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let tags = tags(Some(&input.tags));
        tagging::tag(tx, &organization, &input.resource_id, &tags, call.arrival.at).map_err(refused)
    }
}

/// UntagResource
pub(super) struct UntagResource;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    resource_id: String,
    tag_keys: Vec<String>,
}

impl Described for UntagResource {
    type Input = UntagInput;
    type Output = ();
    const NAME: &'static str = "UntagResource";

    fn resource(input: &UntagInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.resource_id))
    }

    fn context(input: &UntagInput, call: &Call, context: &mut Context) {
        access::set_resource_tags(context, call, &input.resource_id);
        if !input.tag_keys.is_empty() {
            context.set_many("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
        }
    }
}

impl Write for UntagResource {
    fn act(input: UntagInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let (id, keys) = (&input.resource_id, &input.tag_keys);
        tagging::untag(tx, &organization, id, keys, call.arrival.at).map_err(refused)
    }
}

/// ListTagsForResource
pub(super) struct ListTagsForResource;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    resource_id: String,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    tags: Vec<TagShape>,
    next_token: Option<String>,
}

impl Described for ListTagsForResource {
    type Input = ListInput;
    type Output = Tags;
    const NAME: &'static str = "ListTagsForResource";

    fn resource(input: &ListInput, call: &Call) -> Result<String, Fault> {
        Ok(access::arn(call, &input.resource_id))
    }
}

impl Read for ListTagsForResource {
    async fn act(input: ListInput, call: &Call) -> Result<Tags, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let found =
            tagging::list(docs, &organization, &input.resource_id, call.arrival.at).map_err(refused)?;
        let paging = Paging::following(input.next_token);
        let (page, next_token) = paging.cut(found, |tag| tag.key.clone())?;
        Ok(Tags { tags: page.iter().map(TagShape::from).collect(), next_token })
    }
}
