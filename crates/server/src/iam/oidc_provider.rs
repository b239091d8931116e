//! OpenID Connect providers.

use opentrail_identity::federation::oidc_provider::{self, NewOidcProvider, OidcProvider};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    conditions, permission,
    shape::{TagShape, tag_shapes, tags},
    subject::Named,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// CreateOpenIDConnectProvider
pub(super) struct CreateOpenIdConnectProvider;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    url: String,
    #[serde(rename = "ClientIDList", default, skip_serializing_if = "Vec::is_empty")]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList", default, skip_serializing_if = "Vec::is_empty")]
    thumbprints: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl CreateInput {
    fn arn(&self, call: &Call) -> String {
        let name = oidc_provider::name_of(&self.url).map_or(self.url.as_str(), |(name, _)| name);
        oidc_provider::arn(call.account, name)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateOutput {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl Described for CreateOpenIdConnectProvider {
    type Input = CreateInput;
    type Output = CreateOutput;
    const NAME: &'static str = "CreateOpenIDConnectProvider";

    fn resource(input: &CreateInput, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &CreateInput, _: &Call, context: &mut Context) {
        conditions::new_tags(context, &input.tags);
    }
}

impl Write for CreateOpenIdConnectProvider {
    async fn prepare(input: &CreateInput, call: &Call) -> Result<(), Fault> {
        permission::tagging(call, "TagOpenIDConnectProvider", &input.arn(call), &input.tags)
    }

    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<CreateOutput, Fault> {
        let tags = tags(&input.tags);
        let new = NewOidcProvider {
            url: &input.url,
            may_be_loopback: call.rooms.issuers.may_be_loopback(),
            client_ids: &input.client_ids,
            thumbprints: &input.thumbprints,
            tags: &tags,
        };
        let made =
            oidc_provider::create(tx, call.account, &new, call.arrival.at).map_err(|e| call.refused(e))?;
        Ok(CreateOutput { arn: made.arn(), tags: tag_shapes(&made.tags) })
    }
}

/// GetOpenIDConnectProvider
pub(super) struct GetOpenIdConnectProvider;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetOutput {
    url: String,
    #[serde(rename = "ClientIDList")]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
    create_date: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<TagShape>,
}

impl Described for GetOpenIdConnectProvider {
    type Input = Named<OidcProvider>;
    type Output = GetOutput;
    const NAME: &'static str = "GetOpenIDConnectProvider";

    fn resource(input: &Named<OidcProvider>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<OidcProvider>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Read for GetOpenIdConnectProvider {
    async fn act(input: Named<OidcProvider>, call: &Call) -> Result<GetOutput, Fault> {
        let found = oidc_provider::get(&call.rooms.state, call.account, input.name());
        let provider = found.map_err(|e| call.refused(e))?;
        Ok(GetOutput {
            url: provider.name.clone(),
            client_ids: provider.client_ids.clone(),
            thumbprints: provider.thumbprints.clone(),
            create_date: provider.created_at.into(),
            tags: tag_shapes(&provider.tags),
        })
    }
}

/// ListOpenIDConnectProviders
pub(super) struct ListOpenIdConnectProviders;

#[derive(Deserialize, Serialize)]
pub(super) struct ListInput {}

#[derive(Serialize)]
pub(super) struct ListOutput {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: Vec<ListEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListEntry {
    arn: String,
}

impl Described for ListOpenIdConnectProviders {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "ListOpenIDConnectProviders";
}

impl Read for ListOpenIdConnectProviders {
    async fn act(_: ListInput, call: &Call) -> Result<ListOutput, Fault> {
        let providers = oidc_provider::list(&call.rooms.state, call.account);
        let entry = |provider: &OidcProvider| ListEntry { arn: provider.arn() };
        Ok(ListOutput { providers: providers.iter().map(|provider| entry(provider)).collect() })
    }
}

/// DeleteOpenIDConnectProvider
pub(super) struct DeleteOpenIdConnectProvider;

impl Described for DeleteOpenIdConnectProvider {
    type Input = Named<OidcProvider>;
    type Output = ();
    const NAME: &'static str = "DeleteOpenIDConnectProvider";

    fn resource(input: &Named<OidcProvider>, call: &Call) -> Result<String, Fault> {
        Ok(input.arn(call))
    }

    fn context(input: &Named<OidcProvider>, call: &Call, context: &mut Context) {
        input.describe(call, context);
    }
}

impl Write for DeleteOpenIdConnectProvider {
    fn act(input: Named<OidcProvider>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        oidc_provider::delete(tx, call.account, input.name()).map_err(|e| call.refused(e))
    }
}

/// UpdateOpenIDConnectProviderThumbprint
pub(super) struct UpdateOpenIdConnectProviderThumbprint;

#[derive(Deserialize, Serialize)]
pub(super) struct ThumbprintsInput {
    #[serde(flatten)]
    provider: Named<OidcProvider>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
}

impl Described for UpdateOpenIdConnectProviderThumbprint {
    type Input = ThumbprintsInput;
    type Output = ();
    const NAME: &'static str = "UpdateOpenIDConnectProviderThumbprint";

    fn resource(input: &ThumbprintsInput, call: &Call) -> Result<String, Fault> {
        Ok(input.provider.arn(call))
    }

    fn context(input: &ThumbprintsInput, call: &Call, context: &mut Context) {
        input.provider.describe(call, context);
    }
}

impl Write for UpdateOpenIdConnectProviderThumbprint {
    fn act(input: ThumbprintsInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        oidc_provider::update_thumbprints(tx, call.account, input.provider.name(), &input.thumbprints)
            .map_err(|e| call.refused(e))
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct ClientIdInput {
    #[serde(flatten)]
    provider: Named<OidcProvider>,
    #[serde(rename = "ClientID")]
    client_id: String,
}

/// AddClientIDToOpenIDConnectProvider
pub(super) struct AddClientId;

impl Described for AddClientId {
    type Input = ClientIdInput;
    type Output = ();
    const NAME: &'static str = "AddClientIDToOpenIDConnectProvider";

    fn resource(input: &ClientIdInput, call: &Call) -> Result<String, Fault> {
        Ok(input.provider.arn(call))
    }

    fn context(input: &ClientIdInput, call: &Call, context: &mut Context) {
        input.provider.describe(call, context);
    }
}

impl Write for AddClientId {
    fn act(input: ClientIdInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        oidc_provider::add_client_id(tx, call.account, input.provider.name(), &input.client_id)
            .map_err(|e| call.refused(e))
    }
}

/// RemoveClientIDFromOpenIDConnectProvider
pub(super) struct RemoveClientId;

impl Described for RemoveClientId {
    type Input = ClientIdInput;
    type Output = ();
    const NAME: &'static str = "RemoveClientIDFromOpenIDConnectProvider";

    fn resource(input: &ClientIdInput, call: &Call) -> Result<String, Fault> {
        Ok(input.provider.arn(call))
    }

    fn context(input: &ClientIdInput, call: &Call, context: &mut Context) {
        input.provider.describe(call, context);
    }
}

impl Write for RemoveClientId {
    fn act(input: ClientIdInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        oidc_provider::remove_client_id(tx, call.account, input.provider.name(), &input.client_id)
            .map_err(|e| call.refused(e))
    }
}
