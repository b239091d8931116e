//! AddTags, RemoveTags, ListTags.

use std::collections::BTreeMap;

use opentrail_event::RecordResource;
use opentrail_lake::store::StoreRefusal;
use opentrail_policy::Context;
use opentrail_state::Transaction;
use serde::{Deserialize, Serialize};

use super::{
    channel, event_data_store,
    event_data_store::asking,
    organization, refused,
    shape::{TagShape, pairs, set_request_tags, trail_arn},
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Permission, Read, Write},
};

/// Most resources that one ListTags may ask for (AWS: ListTags).
const MAX_LISTED: usize = 20;

/// The input of AddTags and RemoveTags.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagging {
    resource_id: String,
    tags_list: Vec<TagShape>,
}

/// What has tags, by its ARN; whatever else is for the rules of trails to refuse.
enum Tagged {
    Trail,
    Store,
    Channel,
}

impl Tagged {
    fn of(arn: &str) -> Self {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split('/').next() {
            Some("eventdatastore") => Self::Store,
            Some("channel") => Self::Channel,
            _ => Self::Trail,
        }
    }
}

fn request_tags(input: &Tagging) -> Context {
    let mut context = Context::new();
    set_request_tags(&mut context, &input.tags_list);
    context
}

fn touched(id: &str, call: &Call) -> Vec<RecordResource> {
    match Tagged::of(id) {
        Tagged::Trail => organization::trail_of_another(id, call),
        Tagged::Store => asking::of_another(id, call),
        Tagged::Channel => Vec::new(),
    }
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
        touched(&input.resource_id, call)
    }
}

impl Write for AddTags {
    fn act(input: Tagging, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let tags = pairs(&input.tags_list);
        let context = request_tags(&input);
        let (id, rooms) = (input.resource_id.as_str(), &call.rooms);
        match Tagged::of(id) {
            Tagged::Trail => {
                rooms.trails.add_tags(tx, call.account, &call.region, id, &tags).map_err(refused(call))?;
            }
            Tagged::Store => {
                asking::permitted_with(Self::NAME, id, &context, call)?;
                let stores = &rooms.event_data_stores;
                let tagged = stores.add_tags(tx, call.account, &call.region, id, &tags);
                tagged.map_err(event_data_store::refused(call))?;
            }
            Tagged::Channel => {
                channel::permitted_with(Self::NAME, id, &context, call)?;
                let tagged = rooms.channels.add_tags(tx, call.account, &call.region, id, &tags);
                tagged.map_err(channel::refused(call))?;
            }
        }
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
        touched(&input.resource_id, call)
    }
}

impl Write for RemoveTags {
    fn act(input: Tagging, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let context = request_tags(&input);
        let keys: Vec<String> = input.tags_list.into_iter().map(|tag| tag.key).collect();
        let (id, rooms) = (input.resource_id.as_str(), &call.rooms);
        match Tagged::of(id) {
            Tagged::Trail => {
                rooms.trails.remove_tags(tx, call.account, &call.region, id, &keys).map_err(refused(call))?;
            }
            Tagged::Store => {
                asking::permitted_with(Self::NAME, id, &context, call)?;
                let stores = &rooms.event_data_stores;
                let untagged = stores.remove_tags(tx, call.account, &call.region, id, &keys);
                untagged.map_err(event_data_store::refused(call))?;
            }
            Tagged::Channel => {
                channel::permitted_with(Self::NAME, id, &context, call)?;
                let untagged = rooms.channels.remove_tags(tx, call.account, &call.region, id, &keys);
                untagged.map_err(channel::refused(call))?;
            }
        }
        Ok(())
    }
}

/// ListTags: of several resources at once, each of which must be allowed.
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

fn tags_of(id: &str, call: &Call) -> Result<BTreeMap<String, String>, Fault> {
    match Tagged::of(id) {
        Tagged::Trail => call.rooms.trails.tags(call.account, &call.region, id).map_err(refused(call)),
        Tagged::Store => {
            let store = asking::permitted("ListTags", id, call)?;
            if !store.is_active() {
                let inactive = StoreRefusal::Inactive { arn: id.to_owned() };
                return Err(event_data_store::refused(call)(inactive));
            }
            Ok(store.tags.clone())
        }
        // ListTags does not declare that a channel is not there.
        Tagged::Channel => {
            let found = channel::permitted("ListTags", id, call);
            found.map(|channel| channel.tags.clone()).map_err(|fault| match fault.code() {
                "ChannelNotFoundException" => {
                    Fault::declared("ResourceNotFoundException", fault.message().to_owned())
                }
                _ => fault,
            })
        }
    }
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
            let tags = tags_of(&resource_id, call)?.into_iter();
            let tags_list = tags.map(|(key, value)| TagShape { key, value: Some(value) }).collect();
            resource_tag_list.push(ResourceTag { resource_id, tags_list });
        }
        Ok(ListTagsOutput { resource_tag_list })
    }
}
