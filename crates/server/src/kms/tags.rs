//! TagResource, UntagResource, ListResourceTags.

use opentrail_event::RecordResource;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    asking::{self, Asking},
    key::set_tags,
    page::{More, Paging},
    refused,
    shape::{TagShape, pairs},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Permission, Read, Write},
};

/// What is on a page where nothing is said, and at most (the API, ListResourceTags): all that there can be.
const MOST: usize = 50;

/// TagResource
pub(super) struct TagResource;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResourceInput {
    key_id: String,
    tags: Vec<TagShape>,
}

impl Described for TagResource {
    type Input = TagResourceInput;
    type Output = ();
    const NAME: &'static str = "TagResource";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &TagResourceInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for TagResource {
    fn act(input: TagResourceInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let asking = Asking::to_manage(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        let mut keys = Context::new();
        set_tags(&mut keys, &input.tags);
        asking.permit_with(call, &key, None, keys)?;
        call.rooms.keyring.tag(tx, &key, &pairs(&input.tags)).map_err(|error| refused(call, error))
    }
}

/// UntagResource
pub(super) struct UntagResource;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResourceInput {
    key_id: String,
    tag_keys: Vec<String>,
}

impl Described for UntagResource {
    type Input = UntagResourceInput;
    type Output = ();
    const NAME: &'static str = "UntagResource";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &UntagResourceInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Write for UntagResource {
    fn act(input: UntagResourceInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let asking = Asking::to_manage(Self::NAME, &input.key_id);
        let key = asking.find(call)?;
        let mut keys = Context::new();
        keys.set_many("aws:TagKeys", input.tag_keys.iter().cloned());
        asking.permit_with(call, &key, None, keys)?;
        call.rooms.keyring.untag(tx, &key, &input.tag_keys).map_err(|error| refused(call, error))
    }
}

/// ListResourceTags
pub(super) struct ListResourceTags;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResourceTagsInput {
    key_id: String,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResourceTagsOutput {
    tags: Vec<TagShape>,
    #[serde(flatten)]
    more: More,
}

impl Described for ListResourceTags {
    type Input = ListResourceTagsInput;
    type Output = ListResourceTagsOutput;
    const NAME: &'static str = "ListResourceTags";
    const PERMISSION: Permission = Permission::OwnRules;

    fn touched(input: &ListResourceTagsInput, call: &Call) -> Vec<RecordResource> {
        asking::touched(call, &input.key_id)
    }
}

impl Read for ListResourceTags {
    async fn act(input: ListResourceTagsInput, call: &Call) -> Result<ListResourceTagsOutput, Fault> {
        let key = Asking::to_manage(Self::NAME, &input.key_id).permitted(call)?;
        let page = input.paging.page(MOST, MOST, call)?;
        let tag =
            |(name, value): (&String, &String)| TagShape { tag_key: name.clone(), tag_value: value.clone() };
        let (tags, more) = page.of_whole(key.tags.iter().map(tag).collect(), |tag| &tag.tag_key);
        Ok(ListResourceTagsOutput { tags, more })
    }
}
