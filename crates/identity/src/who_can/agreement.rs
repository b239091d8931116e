//! What is found is held against `authorize`, over generated accounts and requests.
//!
//! Soundness: a request that is given as an example is one that `authorize` allows (or denies). Completeness: where
//! nothing is found, `authorize` denies whatever is tried; where everything is said to be allowed, it allows it.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{Context, Policy, PolicyKind};
use opentrail_state::Resource;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{
    WhoCanAsk,
    judge::{Change, Judgement, Target, judge},
    subject::{self, Persona, Subject},
};
use crate::{
    authorize::{Ask, authorize},
    documents::Documents,
    group::Group,
    managed_policy::ManagedPolicy,
    principal::{Caller, Principal},
    role::Role,
    session::SessionInfo,
    tags::Tag,
    user::User,
};

const ACCOUNT: &str = "123456789012";
const OTHER: &str = "210987654321";
const ROLE_ID: &str = "AROAEXAMPLEEXAMPLE000";
const ACTION: &str = "s3:DeleteObjectVersion";

/// Documents in memory.
#[derive(Default)]
struct Shelf {
    documents: BTreeMap<(&'static str, String), Arc<dyn Any + Send + Sync>>,
}

impl Shelf {
    fn put<T: Resource>(&mut self, id: &str, document: Value) {
        let document: T = serde_json::from_value(document).expect("a document");
        self.documents.insert((T::KIND, id.to_owned()), Arc::new(document));
    }
}

impl Documents for Shelf {
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        self.documents.get(&(T::KIND, id.to_owned()))?.clone().downcast().ok()
    }

    fn documents<T: Resource>(&self, prefix: &str) -> Vec<(String, Arc<T>)> {
        let all = self.documents.iter().filter(|((kind, id), _)| *kind == T::KIND && id.starts_with(prefix));
        all.filter_map(|((_, id), document)| Some((id.clone(), document.clone().downcast().ok()?))).collect()
    }
}

fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let texts = |operators, key: &'static str, values| {
        (
            one_of(operators),
            Just(key.to_owned()),
            prop::collection::vec(one_of(values), 1..3).prop_map(|v| json!(v)),
        )
    };
    const EQUALS: &[&str] =
        &["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists"];
    prop_oneof![
        texts(&["Bool"], "aws:SecureTransport", &["true", "false"]),
        texts(&["Bool", "BoolIfExists", "Null"], "aws:MultiFactorAuthPresent", &["true", "false"]),
        texts(
            &["NumericLessThan", "NumericGreaterThan", "NumericLessThanIfExists"],
            "aws:MultiFactorAuthAge",
            &["60", "300"]
        ),
        texts(EQUALS, "s3:VersionId", &["v1", "v2", "v*", "*1"]),
        texts(&["IpAddress", "NotIpAddress"], "aws:SourceIp", &["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"]),
        texts(
            &["DateLessThan", "DateGreaterThan"],
            "aws:CurrentTime",
            &["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]
        ),
        texts(&["DateLessThan"], "aws:TokenIssueTime", &["2026-11-21T11:00:00Z"]),
        texts(EQUALS, "aws:PrincipalTag/team", &["red", "blue", "${aws:username}"]),
        texts(EQUALS, "aws:username", &["u", "w", "${aws:RequestTag/owner}"]),
        texts(
            &["StringLike", "StringNotLike"],
            "aws:userid",
            &["AROAEXAMPLEEXAMPLE000:build*", "AIDA*", "AROAEXAMPLEEXAMPLE000:*"]
        ),
        texts(
            &["ArnLike", "ArnNotLike", "ArnEquals"],
            "aws:PrincipalArn",
            &["arn:aws:iam::123456789012:user/*", "arn:aws:iam::*:role/r", "arn:aws:iam::123456789012:root"]
        ),
        texts(
            &["ForAnyValue:StringEquals", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals"],
            "aws:TagKeys",
            &["a", "b*"]
        ),
        texts(&["StringEquals", "Null"], "aws:RequestTag/owner", &["true", "u"]).prop_filter(
            "of a type",
            |(operator, _, values)| {
                operator != "Null"
                    || values.as_array().is_some_and(|many| many.iter().all(|value| value == "true"))
            }
        ),
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![3 => Just("Allow"), 2 => Just("Deny")];
    let actions = one_of(&["s3:*", "s3:DeleteObjectVersion", "s3:Delete*", "s3:GetObject"]);
    let resources = one_of(&[
        "*",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/AWSLogs/*",
        "arn:aws:s3:::b/${aws:username}/*",
        "arn:aws:s3:::b/*.gz",
    ]);
    let negated = prop::bool::weighted(0.15);
    (effect, actions, resources, negated, prop::collection::vec(condition(), 0..3)).prop_map(
        |(effect, action, resource, negated, conditions)| {
            let mut statement = json!({"Effect": effect, "Action": action});
            statement[if negated { "NotResource" } else { "Resource" }] = json!(resource);
            for (operator, key, values) in conditions {
                statement["Condition"][operator][key] = values;
            }
            statement
        },
    )
}

fn document() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

fn principal() -> impl Strategy<Value = Value> {
    select(vec![
        json!("*"),
        json!({"AWS": ACCOUNT}),
        json!({"AWS": [OTHER, "arn:aws:iam::123456789012:user/u"]}),
        json!({"AWS": "arn:aws:iam::123456789012:role/r"}),
        json!({"AWS": "arn:aws:sts::123456789012:assumed-role/r/build-7"}),
        json!({"Service": "cloudtrail.amazonaws.com"}),
    ])
}

fn bucket_policy() -> impl Strategy<Value = String> {
    let one = (principal(), statement()).prop_map(|(principal, mut statement)| {
        statement["Principal"] = principal;
        let resource = if statement.get("Resource").is_some() { "Resource" } else { "NotResource" };
        if statement[resource] == "*" {
            statement[resource] = json!("arn:aws:s3:::b/*");
        }
        statement
    });
    prop::collection::vec(one, 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
}

/// An account with a user in a group, and a role.
#[derive(Debug, Clone)]
struct Accounts {
    of_user: String,
    of_group: String,
    of_role: String,
    boundary: Option<String>,
    bucket: Option<String>,
    taggable: bool,
    owned_elsewhere: bool,
}

fn accounts() -> impl Strategy<Value = Accounts> {
    let bounded = prop::option::weighted(0.4, document());
    let bucket = prop::option::weighted(0.7, bucket_policy());
    (document(), document(), document(), bounded, bucket, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(of_user, of_group, of_role, boundary, bucket, taggable, owned_elsewhere)| Accounts {
            of_user,
            of_group,
            of_role,
            boundary,
            bucket,
            taggable,
            owned_elsewhere,
        },
    )
}

impl Accounts {
    fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::default();
        let at = "2026-01-01T00:00:00Z";
        let policies = |text: &String| json!({"inline": {"p": text}, "attached": []});
        let boundary_arn = format!("arn:aws:iam::{ACCOUNT}:policy/edge");
        let boundary = self.boundary.as_ref().map(|_| boundary_arn);
        if let Some(text) = &self.boundary {
            shelf.put::<ManagedPolicy>(
                &format!("{ACCOUNT}/edge"),
                json!({
                    "account": ACCOUNT, "name": "edge", "path": "/", "id": "ANPAEXAMPLE", "created_at": at,
                    "updated_at": at, "default_version": 1, "last_version": 1, "next_version": 2,
                    "versions": {"1": {"document": text, "created_at": at}},
                }),
            );
        }
        shelf.put::<Group>(
            &format!("{ACCOUNT}/g"),
            json!({"account": ACCOUNT, "name": "g", "path": "/", "id": "AGPAEXAMPLE", "created_at": at,
                "permissions": policies(&self.of_group), "members": ["u"]}),
        );
        shelf.put::<User>(
            &format!("{ACCOUNT}/u"),
            json!({"account": ACCOUNT, "name": "u", "path": "/", "id": "AIDAEXAMPLEEXAMPLE000", "created_at": at,
                "permissions": policies(&self.of_user), "groups": [format!("{ACCOUNT}/g")],
                "tags": [{"key": "team", "value": "red"}], "permissions_boundary": boundary, "access_keys": []}),
        );
        let action = if self.taggable { "sts:*" } else { "sts:AssumeRole" };
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": action}]});
        shelf.put::<Role>(
            &format!("{ACCOUNT}/r"),
            json!({"account": ACCOUNT, "name": "r", "path": "/", "id": ROLE_ID, "created_at": at,
                "max_session_duration": 3600, "trust_policy": trust.to_string(),
                "tags": [{"key": "team", "value": "blue"}], "permissions_boundary": boundary,
                "permissions": policies(&self.of_role)}),
        );
        shelf
    }

    fn owner(&self) -> AccountId {
        (if self.owned_elsewhere { OTHER } else { ACCOUNT }).parse().expect("an account")
    }
}

/// One request, as far as it is not the principal's own nature.
#[derive(Debug, Clone)]
struct Wire {
    key: String,
    keys: BTreeMap<String, Option<Vec<String>>>,
    /// Whether there is a session, and the age of its MFA code.
    session: Option<(DateTime<Utc>, Option<i64>)>,
    session_name: String,
    session_team: Option<String>,
}

fn wire() -> impl Strategy<Value = Wire> {
    let key = one_of(&["x", "AWSLogs/1", "u/f", "AWSLogs/1.gz", "u/f.gz", "w/f"]);
    let text = |name: &'static str, values| (Just(name), one_of(values).prop_map(|value| Some(vec![value])));
    let maybe = |name: &'static str, values| {
        (Just(name), prop::option::of(one_of(values).prop_map(|value| vec![value])))
    };
    let keys = (
        text("aws:securetransport", &["true", "false"]),
        text("s3:versionid", &["v1", "v2", "x1", "zz"]),
        text("aws:sourceip", &["10.0.0.1", "10.1.2.3", "192.0.2.1", "2001:db8::1"]),
        text("aws:currenttime", &["2025-06-01T00:00:00Z", "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z"]),
        maybe("aws:requesttag/owner", &["u", "w", "true"]),
        (Just("aws:tagkeys"), prop::option::of(prop::collection::vec(one_of(&["a", "b1", "c"]), 1..3))),
    );
    let issued = select(vec![TimeDelta::hours(2), TimeDelta::minutes(5)]).prop_map(|ago| noon() - ago);
    let session = prop::option::of((issued, prop::option::of(select(vec![0_i64, 100, 1000]))));
    let name = one_of(&["any", "build-7", "build-8"]);
    (key, keys, session, name, prop::option::of(one_of(&["red", "blue", "green", "u"]))).prop_map(
        |(key, keys, session, session_name, session_team)| {
            let keys = [keys.0, keys.1, keys.2, keys.3, keys.4, keys.5];
            let keys = keys.into_iter().map(|(name, values)| (name.to_owned(), values)).collect();
            Wire { key, keys, session, session_name, session_team }
        },
    )
}

impl Wire {
    /// The same request, with what an example says of it.
    fn like(&self, example: &super::AllowedRequest) -> (Self, String) {
        let mut wire = self.clone();
        wire.session_name = example.session.clone().unwrap_or_else(|| "any-session".to_owned());
        for (key, values) in &example.keys {
            let value = values.as_ref().and_then(|values| values.first());
            match key.as_str() {
                "aws:principaltag/team" => wire.session_team = value.cloned(),
                "aws:tokenissuetime" => {
                    let at = value.map(|value| value.parse().expect("a time"));
                    wire.session = at.map(|at| (at, None));
                }
                "aws:multifactorauthage" => {
                    let age = value.map(|age| age.parse::<f64>().expect("an age") as i64);
                    wire.session = wire.session.map(|(at, _)| (at, age));
                }
                "aws:multifactorauthpresent" => {}
                _ => drop(wire.keys.insert(key.clone(), values.clone())),
            }
        }
        let resource = match example.resource.strip_suffix('*') {
            Some(_) => format!("arn:aws:s3:::b/{}", self.key),
            None => example.resource.clone(),
        };
        (wire, resource)
    }

    fn context(&self) -> Context {
        let mut context = Context::new();
        for (key, values) in &self.keys {
            match values.as_deref() {
                None => {}
                Some([one]) if key != "aws:tagkeys" => drop(context.set(key, one.as_str())),
                Some(many) => drop(context.set_many(key, many.iter().cloned())),
            }
        }
        context
    }

    fn caller(&self, subject: &Subject) -> Option<Caller> {
        let (principal, with_session) = match &subject.persona {
            Persona::Known(principal) => {
                (principal.clone(), matches!(principal, Principal::User { .. } | Principal::Root { .. }))
            }
            Persona::Role(role) => (Principal::assumed_role(role, &self.session_name), true),
            // Who is not known signs nothing here.
            Persona::Account(_) | Persona::Anyone | Persona::Provider(_) => return None,
        };
        let is_role = matches!(subject.persona, Persona::Role(_));
        let session = self.session.or(is_role.then(|| (noon() - TimeDelta::minutes(5), None)));
        let session = session.filter(|_| with_session).map(|(at, age)| {
            let mut info = SessionInfo::starting(at, 3600);
            info.mfa_authenticated_at = age.map(|age| noon() - TimeDelta::seconds(age));
            if let Some(team) = self.session_team.as_ref().filter(|_| subject.taggable) {
                info.tags = vec![Tag { key: "team".to_owned(), value: team.clone() }];
            }
            Arc::new(info)
        });
        Some(Caller { principal, access_key_id: None, session })
    }
}

fn canonical(account: AccountId) -> String {
    format!("canonical-{account}")
}

fn is_allowed(
    shelf: &Shelf,
    accounts: &Accounts,
    bucket: Option<&Policy>,
    subject: &Subject,
    wire: &Wire,
    resource: &str,
) -> Option<bool> {
    let caller = wire.caller(subject)?;
    let ask = Ask {
        action: ACTION,
        resource,
        context: wire.context(),
        resource_policy: bucket,
        resource_account: Some(accounts.owner()),
        ..Ask::default()
    };
    Some(authorize(shelf, &caller, &ask, noon()).is_allowed())
}

fn found(subject: &Subject, accounts: &Accounts, bucket: Option<&Policy>) -> Judgement {
    let facts = Context::new();
    let target = Target {
        action: ACTION,
        resource: "arn:aws:s3:::b/*",
        facts: &facts,
        policy: bucket,
        policy_name: "b",
        owner: Some(accounts.owner()),
        must_allow: false,
        root_always_may: false,
        outsiders_kept_out: false,
        canonical_user: canonical,
    };
    judge(subject, &target, &Change::none(), noon(), 20_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_authorize_says(accounts in accounts(), tried in prop::collection::vec(wire(), 40)) {
        let shelf = accounts.shelf();
        let bucket = accounts.bucket.as_ref().map(|text| Policy::parse(text, PolicyKind::Resource).expect("a policy"));
        let ask = WhoCanAsk {
            action: ACTION,
            resource: "arn:aws:s3:::b/*",
            owner: Some(accounts.owner()),
            resource_policy: bucket.as_ref().map(|policy| (policy, "b".to_owned())),
            resource_must_allow: false,
            facts: Context::new(),
            accounts: vec![ACCOUNT.parse().expect("an account")],
            canonical_user: canonical,
            root_always_may: false,
            outsiders_kept_out: false,
            bucket: None,
        };
        for subject in subject::all(&shelf, &ask) {
            let judgement = found(&subject, &accounts, bucket.as_ref());
            prop_assert!(judgement.complete, "{}", subject.shown);
            let says = |wire: &Wire, resource: &str| is_allowed(&shelf, &accounts, bucket.as_ref(), &subject, wire, resource);
            for wire in &tried {
                for (example, expected) in [(&judgement.allowed, true), (&judgement.denied, false)] {
                    if let Some(example) = example {
                        let (wire, resource) = wire.like(example);
                        let said = says(&wire, &resource);
                        prop_assert!(said.is_none_or(|said| said == expected), "{} {:?} {:?}", subject.shown, example, wire);
                    }
                }
                match says(wire, &format!("arn:aws:s3:::b/{}", wire.key)) {
                    Some(true) => prop_assert!(judgement.allowed.is_some(), "{} {:?}", subject.shown, wire),
                    Some(false) => prop_assert!(judgement.denied.is_some(), "{} {:?}", subject.shown, wire),
                    None => {}
                }
            }
        }
    }
}

/// STS refuses a root before it asks policies, so `authorize` is not what tells it: `sts/assume_role.rs` is.
#[test]
fn a_root_assumes_no_role_whoever_is_trusted() {
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    .to_string();
    let accounts = Accounts {
        of_user: everything.clone(),
        of_group: everything.clone(),
        of_role: everything,
        boundary: None,
        bucket: None,
        taggable: false,
        owned_elsewhere: false,
    };
    let shelf = accounts.shelf();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER]}, "Action": "sts:AssumeRole"}]});
    let trust = Policy::parse(&trust.to_string(), PolicyKind::Trust).expect("a policy");
    let ask = WhoCanAsk {
        action: "sts:assumerole",
        resource: "arn:aws:iam::123456789012:role/r",
        owner: Some(accounts.owner()),
        resource_policy: Some((&trust, "r".to_owned())),
        resource_must_allow: true,
        facts: Context::new(),
        accounts: [ACCOUNT, OTHER].map(|account| account.parse().expect("an account")).into(),
        canonical_user: canonical,
        root_always_may: false,
        outsiders_kept_out: false,
        bucket: None,
    };
    let found = super::who_can(&shelf, &ask, noon());
    // One with a role of its account can have a service assume another with it; that is its only way.
    let assumes = |able: &super::Able| {
        able.detours.is_empty() || able.detours.iter().any(|detour| detour.action == "sts:AssumeRole")
    };
    let named: Vec<&str> =
        found.able.iter().filter(|able| assumes(able)).map(|able| able.principal.as_str()).collect();
    assert_eq!(named, ["arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:user/u"]);
}
