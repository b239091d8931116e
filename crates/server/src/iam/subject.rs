//! What an operation is about: a user, group, role, managed policy or MFA device, named in one member of its input.

use std::{fmt, marker::PhantomData};

use opentrail_identity::federation::oidc_provider::{self, OidcProvider};
use opentrail_identity::{
    Group, InstanceProfile, ManagedPolicy, MfaDevice, Role, Tag, User, entity, instance_profile, limits,
    managed_policy, mfa,
};
use opentrail_policy::Context;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess},
    ser::SerializeMap,
};

use super::conditions;
use crate::call::Call;

/// A kind of thing that operations are about.
pub(super) trait Subject: Send + Sync + 'static {
    /// The member that names it (a list of one, as serde wants it).
    const MEMBER: [&'static str; 1];

    /// The ARN under which policies speak of it, whether it exists or not.
    fn arn(name: &str, call: &Call) -> String;

    /// Whether it can be a name at all; if not, why, in IAM's words.
    fn check(name: &str) -> Result<(), String> {
        check_name(Self::MEMBER[0], name)
    }

    /// What conditions can ask about it; nothing if it does not exist.
    fn marks(name: &str, call: &Call) -> Option<Marks>;
}

/// What conditions can ask about a thing.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) tags: Vec<Tag>,
    pub(super) boundary: Option<String>,
}

impl Subject for User {
    const MEMBER: [&'static str; 1] = ["UserName"];

    fn arn(name: &str, call: &Call) -> String {
        entity::arn_of::<Self>(&call.rooms.state, call.account, name)
    }

    fn marks(name: &str, call: &Call) -> Option<Marks> {
        let user = entity::find::<Self>(&call.rooms.state, call.account, name).ok()?;
        Some(Marks { tags: user.tags.clone(), boundary: user.permissions_boundary.clone() })
    }
}

impl Subject for Group {
    const MEMBER: [&'static str; 1] = ["GroupName"];

    fn arn(name: &str, call: &Call) -> String {
        entity::arn_of::<Self>(&call.rooms.state, call.account, name)
    }

    fn marks(_: &str, _: &Call) -> Option<Marks> {
        None
    }
}

impl Subject for Role {
    const MEMBER: [&'static str; 1] = ["RoleName"];

    fn arn(name: &str, call: &Call) -> String {
        entity::arn_of::<Self>(&call.rooms.state, call.account, name)
    }

    fn marks(name: &str, call: &Call) -> Option<Marks> {
        let role = entity::find::<Self>(&call.rooms.state, call.account, name).ok()?;
        Some(Marks { tags: role.tags.clone(), boundary: role.permissions_boundary.clone() })
    }
}

impl Subject for ManagedPolicy {
    const MEMBER: [&'static str; 1] = ["PolicyArn"];

    /// What is no ARN is refused as one, when it is looked for.
    fn check(arn: &str) -> Result<(), String> {
        if arn.len() <= limits::ARN_CHARS {
            Ok(())
        } else {
            Err(too_long(Self::MEMBER[0], limits::ARN_CHARS))
        }
    }

    fn arn(arn: &str, _: &Call) -> String {
        arn.to_owned()
    }

    fn marks(arn: &str, call: &Call) -> Option<Marks> {
        let policy = managed_policy::get(&call.rooms.state, call.account, arn).ok()?;
        Some(Marks { tags: policy.tags, boundary: None })
    }
}

impl Subject for MfaDevice {
    const MEMBER: [&'static str; 1] = ["SerialNumber"];

    fn check(serial: &str) -> Result<(), String> {
        mfa::check_serial(serial).map_err(|error| error.to_string())
    }

    /// A virtual device's serial number is its ARN.
    fn arn(serial: &str, _: &Call) -> String {
        serial.to_owned()
    }

    fn marks(serial: &str, call: &Call) -> Option<Marks> {
        let device = mfa::get(&call.rooms.state, call.account, serial).ok()?;
        Some(Marks { tags: device.tags.clone(), boundary: None })
    }
}

impl Subject for InstanceProfile {
    const MEMBER: [&'static str; 1] = ["InstanceProfileName"];

    fn arn(name: &str, call: &Call) -> String {
        let profile = instance_profile::get(&call.rooms.state, call.account, name);
        profile.map_or_else(|_| instance_profile::arn(call.account, "/", name), |profile| profile.arn())
    }

    fn marks(name: &str, call: &Call) -> Option<Marks> {
        let profile = instance_profile::get(&call.rooms.state, call.account, name).ok()?;
        Some(Marks { tags: profile.tags.clone(), boundary: None })
    }
}

impl Subject for OidcProvider {
    const MEMBER: [&'static str; 1] = ["OpenIDConnectProviderArn"];

    /// What is no ARN is refused as one, when it is looked for.
    fn check(arn: &str) -> Result<(), String> {
        if arn.len() <= limits::ARN_CHARS {
            Ok(())
        } else {
            Err(too_long(Self::MEMBER[0], limits::ARN_CHARS))
        }
    }

    fn arn(arn: &str, _: &Call) -> String {
        arn.to_owned()
    }

    fn marks(arn: &str, call: &Call) -> Option<Marks> {
        let provider = oidc_provider::get(&call.rooms.state, call.account, arn).ok()?;
        Some(Marks { tags: provider.tags.clone(), boundary: None })
    }
}

/// Characters of an existing thing's name, at most (IAM's service model, `existingUserNameType`).
const NAME_CHARS: usize = 128;

fn check_name(member: &str, name: &str) -> Result<(), String> {
    if name.len() > NAME_CHARS {
        return Err(too_long(member, NAME_CHARS));
    }
    let of_form = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !name.is_empty() && name.chars().all(of_form) {
        return Ok(());
    }
    let member = spelled(member);
    Err(format!(
        "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or \
         the following: +=,.@_-"
    ))
}

fn too_long(member: &str, most: usize) -> String {
    let member = spelled(member);
    format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
         Member must have length less than or equal to {most}"
    )
}

/// The member as IAM's messages have it: with a small first letter.
fn spelled(member: &str) -> String {
    let (first, rest) = member.split_at(1);
    first.to_ascii_lowercase() + rest
}

/// The member of an input, or of an answer, that names a thing of this kind.
pub(super) struct Named<T> {
    name: String,
    kind: PhantomData<fn() -> T>,
}

impl<T: Subject> Named<T> {
    /// Names a thing.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: PhantomData }
    }

    /// The name; a managed policy's ARN.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The ARN that permission is asked for.
    pub(super) fn arn(&self, call: &Call) -> String {
        T::arn(&self.name, call)
    }

    /// Sets the condition keys about the thing as it is.
    pub(super) fn describe(&self, call: &Call, context: &mut Context) {
        if let Some(marks) = T::marks(&self.name, call) {
            conditions::existing(context, &marks);
        }
    }
}

impl<T: Subject> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(1))?;
        members.serialize_entry(T::MEMBER[0], &self.name)?;
        members.end()
    }
}

impl<'de, T: Subject> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Named", member::<T>(), Visitor(PhantomData))
    }
}

/// The one member, for as long as serde may want it.
fn member<T: Subject>() -> &'static [&'static str] {
    const { &T::MEMBER }
}

struct Visitor<T>(PhantomData<fn() -> T>);

impl<'de, T: Subject> de::Visitor<'de> for Visitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a structure with the member {}", T::MEMBER[0])
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Named<T>, A::Error> {
        let mut found = None;
        while let Some(member) = members.next_key::<String>()? {
            if member == T::MEMBER[0] {
                found = Some(members.next_value::<String>()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        let name = found.ok_or_else(|| de::Error::missing_field(T::MEMBER[0]))?;
        T::check(&name).map_err(de::Error::custom)?;
        Ok(Named::new(name))
    }
}

#[cfg(test)]
mod tests {
    use opentrail_identity::{Role, User};
    use opentrail_wire::{query::from_query, value::to_value};
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::{Named, Subject};

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "PascalCase", bound = "T: Subject")]
    struct Input<T> {
        #[serde(flatten)]
        of: Named<T>,
        policy_name: String,
    }

    #[test]
    fn the_member_is_the_kinds_own() {
        let tree = json!({"UserName": "alice", "RoleName": "deploy", "PolicyName": "p"});
        let user: Input<User> = from_query(&tree).unwrap();
        assert_eq!((user.of.name(), user.policy_name.as_str()), ("alice", "p"));
        assert_eq!(from_query::<Input<Role>>(&tree).unwrap().of.name(), "deploy");
        assert_eq!(from_query::<Named<User>>(&tree).unwrap().name(), "alice");
        let spelled = opentrail_wire::value::to_json(&to_value(&user).unwrap());
        assert_eq!(spelled, json!({"UserName": "alice", "PolicyName": "p"}));
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for name in ["", "a/b", "a b", "é", &"n".repeat(129)] {
            assert!(from_query::<Named<User>>(&json!({"UserName": name})).is_err(), "{name}");
        }
        assert!(from_query::<Named<User>>(&json!({"UserName": "a_b+c=d,e.f@g-h"})).is_ok());
    }

    #[test]
    fn a_missing_member_is_named() {
        let error = from_query::<Input<User>>(&json!({"PolicyName": "p"})).err().unwrap();
        assert!(error.to_string().to_lowercase().contains("username"), "{error}");
    }
}
