//! AddTags, RemoveTags, ListTags.

use opentrail_event::RecordResource;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    organization, refused,
    shape::{TagShape, pairs, set_request_tags, trail_arn},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read, Write},
};

/// Most trails that one ListTags may ask for (AWS: ListTags).
const MAX_LISTED: usize = 20;

/// The input of AddTags and RemoveTags.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagging {
    resource_id: String,
    tags_list: Vec<TagShape>,
}

/// AddTags
pub(super) struct AddTags;

impl Described for AddTags {
    type Input = Tagging;
    type Output = ();
    const NAME: &'static str = "AddTags";

    fn resource(input: &Tagging, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.resource_id, call))
    }

    fn context(input: &Tagging, _: &Call, context: &mut Context) {
        set_request_tags(context, &input.tags_list);
    }

    fn touched(input: &Tagging, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.resource_id, call)
    }
}

impl Write for AddTags {
    fn act(input: Tagging, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let tags = pairs(&input.tags_list);
        let rules = &call.rooms.trails;
        rules.add_tags(tx, call.account, &call.region, &input.resource_id, &tags).map_err(refused(call))?;
        Ok(())
    }
}

/// RemoveTags: by key, whatever the values.
pub(super) struct RemoveTags;

impl Described for RemoveTags {
    type Input = Tagging;
    type Output = ();
    const NAME: &'static str = "RemoveTags";

    fn resource(input: &Tagging, call: &Call) -> Result<String, Fault> {
        Ok(trail_arn(&input.resource_id, call))
    }

    fn context(input: &Tagging, _: &Call, context: &mut Context) {
        set_request_tags(context, &input.tags_list);
    }

    fn touched(input: &Tagging, call: &Call) -> Vec<RecordResource> {
        organization::trail_of_another(&input.resource_id, call)
    }
}

impl Write for RemoveTags {
    fn act(input: Tagging, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let keys: Vec<String> = input.tags_list.into_iter().map(|tag| tag.key).collect();
        let rules = &call.rooms.trails;
        rules
            .remove_tags(tx, call.account, &call.region, &input.resource_id, &keys)
            .map_err(refused(call))?;
        Ok(())
    }
}

/// ListTags: of several trails at once, each of which must be allowed.
pub(super) struct ListTags;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagsInput {
    resource_id_list: Vec<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagsOutput {
    resource_tag_list: Vec<ResourceTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceTag {
    resource_id: String,
    tags_list: Vec<TagShape>,
}

impl Described for ListTags {
    type Input = ListTagsInput;
    type Output = ListTagsOutput;
    const NAME: &'static str = "ListTags";
    const PERMISSION: Permission = Permission::OwnRules;
}

impl Read for ListTags {
    /// All that can be asked for fits one page, so that no token was ever given.
    async fn act(input: ListTagsInput, call: &Call) -> Result<ListTagsOutput, Fault> {
        for id in &input.resource_id_list {
            let context = call.arrival.context(&call.region);
            call.permit("cloudtrail:ListTags", &trail_arn(id, call), context)?;
        }
        if input.next_token.is_some() {
            return Err(Fault::declared(
                "InvalidTokenException",
                "The NextToken is not one that ListTags gave.",
            ));
        }
        if input.resource_id_list.len() > MAX_LISTED {
            let message = format!("ResourceIdList can have at most {MAX_LISTED} resources.");
            return Err(call.fault(Common::Invalid, message));
        }
        let mut resource_tag_list = Vec::with_capacity(input.resource_id_list.len());
        for resource_id in input.resource_id_list {
            let tags = call
                .rooms
                .trails
                .tags(call.account, &call.region, &resource_id)
                .map_err(refused(call))?
                .into_iter();
            let tags_list = tags.map(|(key, value)| TagShape { key, value: Some(value) }).collect();
            resource_tag_list.push(ResourceTag { resource_id, tags_list });
        }
        Ok(ListTagsOutput { resource_tag_list })
    }
}
