//! What a bucket's policy means: not how it is written, but what it lets whom do.

use std::{collections::BTreeSet, sync::LazyLock};

use opentrail_policy::{
    AnyWorld, Case, Context, Example, Identity, Policies, Policy, PolicyKind, PrincipalRef, Question, World,
    search,
};
use serde_json::Value;

/// The service that delivers logs.
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
/// An account that nobody here has, for the questions about strangers.
const STRANGER: &str = "999999999999";
/// Most evaluations for one question.
const STEPS: usize = 20_000;
/// What is done with objects, as far as it matters to logs.
const OF_OBJECTS: &[&str] = &[
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObjectAcl",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:BypassGovernanceRetention",
    "s3:GetObjectAcl",
    "s3:GetObjectTagging",
    "s3:PutObjectTagging",
    "s3:RestoreObject",
    "s3:AbortMultipartUpload",
];
/// What is done with a bucket.
const OF_BUCKETS: &[&str] = &[
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:DeleteBucket",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:GetBucketAcl",
    "s3:PutBucketAcl",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning",
    "s3:PutReplicationConfiguration",
    "s3:PutBucketLogging",
    "s3:PutEncryptionConfiguration",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketObjectLockConfiguration",
];

/// What an identity without limits has.
static ALLOW_ALL: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// A trail, as far as a bucket's policy is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trail {
    pub(super) arn: String,
    pub(super) account: String,
    /// What stands before `AWSLogs/`, with its slash.
    pub(super) prefix: String,
    /// The organization whose members' logs it delivers.
    pub(super) organization: Option<String>,
}

impl Trail {
    /// The beginnings of the keys that it writes.
    pub(super) fn beginnings(&self) -> Vec<String> {
        let Self { account, prefix, .. } = self;
        let organization = self.organization.iter().map(|id| format!("{prefix}AWSLogs/{id}/"));
        std::iter::once(format!("{prefix}AWSLogs/{account}/")).chain(organization).collect()
    }
}

/// A bucket's policy, and whose bucket it is.
pub(super) struct BucketPolicy<'a> {
    bucket: &'a str,
    /// The account of the trails here, which need not be the bucket's.
    account: &'a str,
    policy: Option<Policy>,
    document: Value,
}

/// Something that is allowed and should not be.
#[derive(Debug)]
pub(super) struct Hole {
    pub(super) who: &'static str,
    pub(super) action: &'static str,
    pub(super) example: Example,
}

impl Hole {
    /// In words.
    pub(super) fn shown(&self) -> String {
        let keys = self.example.keys.iter().map(|(key, values)| match values {
            Some(values) => format!("{key} = {}", values.join(", ")),
            None => format!("without {key}"),
        });
        let keys: Vec<String> = keys.collect();
        let when = if keys.is_empty() { String::new() } else { format!(" ({})", keys.join("; ")) };
        format!("{} may {} on {}{when}", self.who, self.action, self.example.resource)
    }
}

/// Requests over TLS or not, by users who may have given an MFA code.
struct Requests;

impl World for Requests {
    fn cases(&self, key: &str, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        match key {
            "aws:securetransport" => {
                ["true", "false"].map(|value| vec![(key.to_owned(), Some(vec![value.to_owned()]))]).into()
            }
            _ => AnyWorld.cases(key, tried),
        }
    }
}

impl<'a> BucketPolicy<'a> {
    /// Reads the text of a policy.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn read(bucket: &'a str, account: &'a str, text: Option<&str>) -> Result<Self, String> {
        let policy = text.map(|text| Policy::parse(text, PolicyKind::Resource)).transpose();
        let policy = policy.map_err(|error| error.to_string())?;
        let document = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        Ok(Self { bucket, account, policy, document })
    }

    /// An allowed request among those that the question may mean.
    fn find(
        &self,
        principal: PrincipalRef<'_>,
        identity: Identity<'_>,
        action: &str,
        object: Option<&str>,
        context: &Context,
        known: &[&str],
    ) -> Option<Example> {
        let resource = self.arn(object);
        let policies = Policies {
            identity,
            resource: self.policy.as_ref(),
            same_account: principal.account() == Some(self.account),
            ..Policies::default()
        };
        let question = Question {
            action,
            resource: &resource,
            principal: Some(principal),
            bounded: false,
            context,
            known,
        };
        let found = search(&question, &policies, &Requests, STEPS);
        // What could not be searched in full is not vouched for.
        let unsure = || Example { resource: resource.clone(), keys: Vec::new() };
        found.allowed.or_else(|| (!found.complete).then(unsure))
    }

    pub(super) fn arn(&self, object: Option<&str>) -> String {
        match object {
            Some(object) => format!("arn:aws:s3:::{}/{object}", self.bucket),
            None => format!("arn:aws:s3:::{}", self.bucket),
        }
    }

    fn delivers(&self, trail_arn: &str, account: &str, action: &str, object: Option<&str>) -> bool {
        let mut context = Context::new();
        context.set("aws:SourceArn", trail_arn).set("aws:SourceAccount", account);
        context.set("aws:PrincipalIsAWSService", "true").set("aws:PrincipalServiceName", CLOUDTRAIL);
        context.set("aws:SecureTransport", "true").set("s3:x-amz-acl", "bucket-owner-full-control");
        let service = PrincipalRef::Service(CLOUDTRAIL);
        self.find(service, Identity::None, action, object, &context, &["aws:Principal", "aws:username"])
            .is_some()
    }

    /// The beginnings of keys under which CloudTrail may not write for a trail; the bucket's name where it may not look
    /// at the bucket.
    pub(super) fn undelivered(&self, trail: &Trail) -> Vec<String> {
        let mut missing = Vec::new();
        if !self.delivers(&trail.arn, &trail.account, "s3:GetBucketAcl", None) {
            missing.push(self.bucket.to_owned());
        }
        let file = |beginning: &str| format!("{beginning}CloudTrail/us-east-1/2026/01/01/file.json.gz");
        let closed = |beginning: &String| {
            !self.delivers(&trail.arn, &trail.account, "s3:PutObject", Some(&file(beginning)))
        };
        missing.extend(trail.beginnings().into_iter().filter(closed));
        missing
    }

    /// Whether CloudTrail writes for trails of other accounts that no statement names.
    pub(super) fn serves_strangers(&self) -> bool {
        let arn = format!("arn:aws:cloudtrail:us-east-1:{STRANGER}:trail/stranger");
        self.delivers(&arn, STRANGER, "s3:PutObject", Some("*"))
    }

    /// The trails that conditions on `aws:SourceArn` name.
    pub(super) fn named_trails(&self) -> BTreeSet<String> {
        let conditions = self.statements().filter_map(|statement| statement.get("Condition")?.as_object());
        let keys = conditions.flat_map(|operators| operators.values()).filter_map(Value::as_object).flatten();
        let values = keys
            .filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))
            .flat_map(|(_, values)| strings(values));
        values
            .filter(|arn| arn.contains(":cloudtrail:") && !arn.contains(['*', '?', '$']))
            .map(str::to_owned)
            .collect()
    }

    /// The first deletion that somebody who may do everything may do here, and whether others are denied.
    pub(super) fn deletion(&self) -> Option<(Hole, bool)> {
        let found = ["s3:DeleteObjectVersion", "s3:DeleteObject"]
            .map(|action| self.by_insiders(action, Some("*"), &Context::new()));
        let one_is_denied = found.iter().any(Option::is_none);
        let hole = found.into_iter().flatten().next()?;
        let is_narrow = !hole.example.keys.is_empty() || hole.example.resource != self.arn(Some("*"));
        Some((hole, one_is_denied || is_narrow))
    }

    /// The first thing that may be done without TLS.
    pub(super) fn insecure(&self) -> Option<Hole> {
        let plain = Context::new().with("aws:SecureTransport", "false");
        let objects = ["s3:GetObject", "s3:PutObject"].into_iter().map(|action| (action, Some("*")));
        objects
            .chain([("s3:ListBucket", None)])
            .find_map(|(action, object)| self.by_insiders(action, object, &plain))
    }

    /// The first thing that somebody outside may do.
    pub(super) fn public(&self) -> Option<Hole> {
        let objects = OF_OBJECTS.iter().map(|action| (*action, Some("*")));
        let buckets = OF_BUCKETS.iter().map(|action| (*action, None));
        objects.chain(buckets).find_map(|(action, object)| {
            let mut context = Context::new();
            context.set("aws:PrincipalIsAWSService", "false");
            let closed = [
                "aws:Principal",
                "aws:username",
                "aws:userid",
                "aws:SourceArn",
                "aws:SourceAccount",
                "aws:SourceVpc",
            ];
            let nobody =
                self.find(PrincipalRef::Anonymous, Identity::None, action, object, &context, &closed);
            if let Some(example) = nobody {
                return Some(Hole { who: "anyone without credentials", action, example });
            }
            context.set("aws:PrincipalAccount", STRANGER);
            context.set("aws:PrincipalArn", format!("arn:aws:iam::{STRANGER}:user/stranger"));
            let stranger = PrincipalRef::Root { account: STRANGER };
            let found = self.find(stranger, Identity::Root, action, object, &context, &closed)?;
            Some(Hole { who: "anyone with an account elsewhere", action, example: found })
        })
    }

    /// What users, roles and the root of the account may, as far as the bucket's policy lets them.
    fn by_insiders(&self, action: &'static str, object: Option<&str>, facts: &Context) -> Option<Hole> {
        let account = self.account;
        let (user, role) = (
            format!("arn:aws:iam::{account}:user/opentrail-anyone"),
            format!("arn:aws:iam::{account}:role/opentrail-any"),
        );
        let session = format!("arn:aws:sts::{account}:assumed-role/opentrail-any/session");
        let (user_id, role_id) = ("AIDAOPENTRAILANYONE00", "AROAOPENTRAILANYROLE0");
        let of_role = PrincipalRef::AssumedRole { role_arn: &role, session_arn: &session, account, role_id };
        let insiders: [(&'static str, PrincipalRef<'_>, &str); 3] = [
            ("an administrator", PrincipalRef::User { arn: &user, account, id: user_id }, "User"),
            ("a role with every permission", of_role, "AssumedRole"),
            ("the root user", PrincipalRef::Root { account }, "Account"),
        ];
        insiders.into_iter().find_map(|(who, principal, kind)| {
            let mut context = facts.clone();
            context.set("aws:PrincipalAccount", account).set("aws:PrincipalType", kind);
            context.set("aws:PrincipalIsAWSService", "false").set("aws:ViaAWSService", "false");
            if let Some(arn) = principal.principal_arn() {
                context.set("aws:PrincipalArn", arn);
            }
            let id = match principal {
                PrincipalRef::User { id, .. } => id.to_owned(),
                PrincipalRef::AssumedRole { role_id, .. } => format!("{role_id}:session"),
                _ => account.to_owned(),
            };
            context.set("aws:userid", id);
            let all = [&*ALLOW_ALL];
            let identity = match principal {
                PrincipalRef::Root { .. } => Identity::Root,
                _ => Identity::Policies(&all),
            };
            let closed = ["aws:Principal", "aws:username", "aws:SourceArn", "aws:SourceAccount"];
            let example = self.find(principal, identity, action, object, &context, &closed)?;
            Some(Hole { who, action, example })
        })
    }

    /// Whom statements that deny deletion leave out by `aws:PrincipalArn` or `NotPrincipal`.
    pub(super) fn exceptions(&self) -> BTreeSet<String> {
        let denies = self
            .statements()
            .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Deny"));
        let mut found = BTreeSet::new();
        for statement in denies.filter(|statement| statement.to_string().contains("s3:Delete")) {
            found.extend(
                statement
                    .get("NotPrincipal")
                    .and_then(|not| not.get("AWS"))
                    .into_iter()
                    .flat_map(strings)
                    .map(str::to_owned),
            );
            let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
            let negated = operators.filter(|(operator, _)| operator.to_ascii_lowercase().contains("not"));
            for keys in negated.filter_map(|(_, keys)| keys.as_object()) {
                let keys = keys.iter();
                let arns = keys.filter(|(key, _)| key.eq_ignore_ascii_case("aws:PrincipalArn"));
                found.extend(arns.flat_map(|(_, values)| strings(values)).map(str::to_owned));
            }
        }
        found
    }

    fn statements(&self) -> impl Iterator<Item = &Value> {
        let statements = self.document.get("Statement");
        let many = statements.and_then(Value::as_array).into_iter().flatten();
        many.chain(statements.filter(|one| one.is_object()))
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().into_iter().flatten();
    many.chain(Some(value)).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::{BucketPolicy, Trail};

    const ACCOUNT: &str = "123456789012";

    fn read(statements: &str) -> BucketPolicy<'static> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        BucketPolicy::read("logs", ACCOUNT, Some(&text)).expect("a policy")
    }

    fn trail() -> Trail {
        Trail {
            arn: format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/t"),
            account: ACCOUNT.to_owned(),
            prefix: String::new(),
            organization: None,
        }
    }

    const GRANT: &str = r#"{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},
        "Action":["s3:PutObject","s3:GetBucketAcl"],"Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/AWSLogs/123456789012/*"]CONDITION}"#;

    #[test]
    fn a_grant_is_for_one_trail_or_for_strangers_too() {
        let open = read(&GRANT.replace("CONDITION", ""));
        assert!(open.undelivered(&trail()).is_empty() && open.serves_strangers());
        let bound =
            r#","Condition":{"StringLike":{"AWS:sourcearn":"arn:aws:cloudtrail:*:123456789012:trail/*"}}"#;
        let bound = read(&GRANT.replace("CONDITION", bound));
        assert!(bound.undelivered(&trail()).is_empty() && !bound.serves_strangers());
        let of_account = r#","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}"#;
        assert!(!read(&GRANT.replace("CONDITION", of_account)).serves_strangers());
        let other = Trail { prefix: "p/".to_owned(), ..trail() };
        assert_eq!(bound.undelivered(&other), ["p/AWSLogs/123456789012/"]);
    }

    #[test]
    fn a_deny_holds_for_everybody_or_has_a_hole() {
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:Delete*","Resource":"arn:aws:s3:::logs/*"CONDITION}"#;
        assert!(read(&deny.replace("CONDITION", "")).deletion().is_none());
        let except =
            r#","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/Admin"}}"#;
        let except = read(&deny.replace("CONDITION", except));
        assert!(except.deletion().is_none());
        assert_eq!(Vec::from_iter(except.exceptions()), ["arn:aws:iam::123456789012:role/Admin"]);
        for hole in [
            r#","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#,
            r#","Condition":{"StringNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:*"}}"#,
            r#","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
        ] {
            assert!(read(&deny.replace("CONDITION", hole)).deletion().is_some(), "{hole}");
        }
        let part = deny.replace("CONDITION", "").replace("logs/*", "logs/AWSLogs/*");
        assert!(read(&part).deletion().is_some());
        let current = deny.replace("CONDITION", "").replace("s3:Delete*", "s3:DeleteObject");
        assert_eq!(
            read(&current).deletion().map(|(hole, partly)| (hole.action, partly)),
            Some(("s3:DeleteObjectVersion", true))
        );
    }

    #[test]
    fn tls_is_asked_of_everyone() {
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"],
            "Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        assert!(read(deny).insecure().is_none());
        assert!(read(&deny.replace("\"arn:aws:s3:::logs\",", "")).insecure().is_some());
        assert!(BucketPolicy::read("logs", ACCOUNT, None).unwrap().insecure().is_some());
    }

    #[test]
    fn what_is_public_is_found_by_what_it_allows() {
        let open = r#"{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::logs/*"CONDITION}"#;
        assert!(read(&open.replace("CONDITION", "")).public().is_some());
        let of_organization = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}"#;
        assert!(read(&open.replace("CONDITION", of_organization)).public().is_none());
        let everybody_else = r#","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}"#;
        assert!(read(&open.replace("CONDITION", everybody_else)).public().is_some());
        assert!(read(&GRANT.replace("CONDITION", "")).public().is_none());
    }
}
