//! Tags of users, roles, managed policies, MFA devices and OpenID Connect providers.

use std::marker::PhantomData;

use opentrail_event::AccountId;
use opentrail_identity::federation::oidc_provider::{self, OidcProvider};
use opentrail_identity::{
    IdentityError, InstanceProfile, ManagedPolicy, MfaDevice, Role, Tag, User, instance_profile,
    managed_policy, mfa, role, user,
};
use opentrail_policy::Context;
use opentrail_state::{State, Transaction};
use serde::{Deserialize, Serialize};

use super::{
    conditions,
    page::{More, Paging},
    shape::{TagShape, tags},
    subject::{Named, Subject},
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// What has tags.
pub(super) trait Tagged: Subject {
    const OPERATIONS: Operations;

    fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError>;

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        keys: &[String],
    ) -> Result<(), IdentityError>;

    fn tags(docs: &State, account: AccountId, name: &str) -> Result<Vec<Tag>, IdentityError>;
}

/// The names of the operations on tags.
pub(super) struct Operations {
    tag: &'static str,
    untag: &'static str,
    list: &'static str,
}

impl Tagged for User {
    const OPERATIONS: Operations = Operations { tag: "TagUser", untag: "UntagUser", list: "ListUserTags" };

    fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
        user::tag(tx, account, name, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        user::untag(tx, account, name, keys)
    }

    fn tags(docs: &State, account: AccountId, name: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(user::get(docs, account, name)?.tags.clone())
    }
}

impl Tagged for Role {
    const OPERATIONS: Operations = Operations { tag: "TagRole", untag: "UntagRole", list: "ListRoleTags" };

    fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
        role::tag(tx, account, name, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        role::untag(tx, account, name, keys)
    }

    fn tags(docs: &State, account: AccountId, name: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(role::get(docs, account, name)?.tags.clone())
    }
}

impl Tagged for ManagedPolicy {
    const OPERATIONS: Operations =
        Operations { tag: "TagPolicy", untag: "UntagPolicy", list: "ListPolicyTags" };

    fn tag(tx: &mut Transaction, account: AccountId, arn: &str, tags: &[Tag]) -> Result<(), IdentityError> {
        managed_policy::tag(tx, account, arn, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        arn: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        managed_policy::untag(tx, account, arn, keys)
    }

    fn tags(docs: &State, account: AccountId, arn: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(managed_policy::get(docs, account, arn)?.tags)
    }
}

impl Tagged for InstanceProfile {
    const OPERATIONS: Operations = Operations {
        tag: "TagInstanceProfile",
        untag: "UntagInstanceProfile",
        list: "ListInstanceProfileTags",
    };

    fn tag(tx: &mut Transaction, account: AccountId, name: &str, tags: &[Tag]) -> Result<(), IdentityError> {
        instance_profile::tag(tx, account, name, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        name: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        instance_profile::untag(tx, account, name, keys)
    }

    fn tags(docs: &State, account: AccountId, name: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(instance_profile::get(docs, account, name)?.tags.clone())
    }
}

impl Tagged for MfaDevice {
    const OPERATIONS: Operations =
        Operations { tag: "TagMFADevice", untag: "UntagMFADevice", list: "ListMFADeviceTags" };

    fn tag(
        tx: &mut Transaction,
        account: AccountId,
        serial: &str,
        tags: &[Tag],
    ) -> Result<(), IdentityError> {
        mfa::tag(tx, account, serial, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        serial: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        mfa::untag(tx, account, serial, keys)
    }

    fn tags(docs: &State, account: AccountId, serial: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(mfa::get(docs, account, serial)?.tags.clone())
    }
}

impl Tagged for OidcProvider {
    const OPERATIONS: Operations = Operations {
        tag: "TagOpenIDConnectProvider",
        untag: "UntagOpenIDConnectProvider",
        list: "ListOpenIDConnectProviderTags",
    };

    fn tag(tx: &mut Transaction, account: AccountId, arn: &str, tags: &[Tag]) -> Result<(), IdentityError> {
        oidc_provider::tag(tx, account, arn, tags)
    }

    fn untag(
        tx: &mut Transaction,
        account: AccountId,
        arn: &str,
        keys: &[String],
    ) -> Result<(), IdentityError> {
        oidc_provider::untag(tx, account, arn, keys)
    }

    fn tags(docs: &State, account: AccountId, arn: &str) -> Result<Vec<Tag>, IdentityError> {
        Ok(oidc_provider::get(docs, account, arn)?.tags.clone())
    }
}

/// TagUser, TagRole, TagPolicy, TagInstanceProfile, TagMFADevice, TagOpenIDConnectProvider
pub(super) struct TagIt<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct TagInput<T> {
    #[serde(flatten)]
    on: Named<T>,
    tags: Vec<TagShape>,
}

impl<T: Tagged> Described for TagIt<T> {
    type Input = TagInput<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.tag;

    fn resource(input: &TagInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.on.arn(call))
    }

    fn context(input: &TagInput<T>, call: &Call, context: &mut Context) {
        input.on.describe(call, context);
        conditions::new_tags(context, &input.tags);
    }
}

impl<T: Tagged> Write for TagIt<T> {
    fn act(input: TagInput<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        T::tag(tx, call.account, input.on.name(), &tags(&input.tags)).map_err(|e| call.refused(e))
    }
}

/// UntagUser, UntagRole, UntagPolicy, UntagInstanceProfile, UntagMFADevice, UntagOpenIDConnectProvider
pub(super) struct Untag<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", bound = "T: Subject")]
pub(super) struct UntagInput<T> {
    #[serde(flatten)]
    on: Named<T>,
    tag_keys: Vec<String>,
}

impl<T: Tagged> Described for Untag<T> {
    type Input = UntagInput<T>;
    type Output = ();
    const NAME: &'static str = T::OPERATIONS.untag;

    fn resource(input: &UntagInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.on.arn(call))
    }

    fn context(input: &UntagInput<T>, call: &Call, context: &mut Context) {
        input.on.describe(call, context);
        conditions::tag_keys(context, &input.tag_keys);
    }
}

impl<T: Tagged> Write for Untag<T> {
    fn act(input: UntagInput<T>, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        T::untag(tx, call.account, input.on.name(), &input.tag_keys).map_err(|e| call.refused(e))
    }
}

/// ListUserTags, ListRoleTags, ListPolicyTags, ListInstanceProfileTags, ListMFADeviceTags,
/// ListOpenIDConnectProviderTags
pub(super) struct List<T>(PhantomData<fn() -> T>);

#[derive(Deserialize, Serialize)]
#[serde(bound = "T: Subject")]
pub(super) struct ListInput<T> {
    #[serde(flatten)]
    on: Named<T>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: Vec<TagShape>,
    #[serde(flatten)]
    more: More,
}

impl<T: Tagged> Described for List<T> {
    type Input = ListInput<T>;
    type Output = ListOutput;
    const NAME: &'static str = T::OPERATIONS.list;

    fn resource(input: &ListInput<T>, call: &Call) -> Result<String, Fault> {
        Ok(input.on.arn(call))
    }

    fn context(input: &ListInput<T>, call: &Call, context: &mut Context) {
        input.on.describe(call, context);
    }
}

impl<T: Tagged> Read for List<T> {
    async fn act(input: ListInput<T>, call: &Call) -> Result<ListOutput, Fault> {
        let tags = T::tags(&call.rooms.state, call.account, input.on.name()).map_err(|e| call.refused(e))?;
        let (page, next) = input.paging.cut(&tags, call)?;
        Ok(ListOutput { tags: page.iter().map(TagShape::from).collect(), more: next.into() })
    }
}
