//! How a finding is mended: the request that does it, and the AWS CLI's command for it.

use serde_json::{Value, json};

use super::{
    document,
    finding::{Finding, State, Subject},
    judge::{Case, judge},
    lock::{self, Held, Plan},
    policy::BucketPolicy,
    statements,
};

/// The findings that are about the policy, which is one document.
const POLICY: &[Subject] = &[Subject::CloudtrailGrant, Subject::DenyDelete, Subject::TlsOnly];
/// The findings that are about lifecycle rules, which are one document.
const LIFECYCLE: &[Subject] =
    &[Subject::LifecycleTransitions, Subject::LifecycleUploads, Subject::LifecycleExpiration];

/// Days until logs move, and to where (the guides' own figures).
const TRANSITIONS: &[(u32, &str)] = &[(30, "STANDARD_IA"), (90, "GLACIER"), (365, "DEEP_ARCHIVE")];
/// Days after which an upload that has not ended goes.
const ABANDONED_DAYS: u32 = 7;
/// The namespace of S3's documents.
const XMLNS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A change of one setting of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mend {
    /// The query of the request, such as `versioning`.
    pub(super) setting: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// The same for people.
    pub(super) command: String,
}

impl Mend {
    fn new(case: &Case<'_>, setting: &'static str, body: String, command: &str) -> Self {
        let bucket = &case.bucket.name;
        Self {
            setting,
            headers: Vec::new(),
            body,
            command: format!("aws s3api {command} --bucket {bucket}{}", case.cli_option),
        }
    }

    fn with(mut self, option: &str, value: &str) -> Self {
        self.command = format!("{} {option} {}", self.command, quoted(value));
        self
    }
}

/// As a shell reads it.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"=,._:/-".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

/// A text as XML has it.
fn xml(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// The command that mends this finding, for people. Commands are copied one after the other, or just some of them: where
/// several findings are about one document, each command sets it with all that is missing, so that none undoes another.
pub(super) fn command(case: &Case<'_>, finding: &Finding) -> Option<String> {
    if finding.subject == Subject::MfaDelete {
        return Some(mfa_delete_command(case));
    }
    if let (Subject::ObjectLock, Plan::Propose(held)) = (finding.subject, lock::planned(case)) {
        return Some(object_lock(case, held).command);
    }
    let own = mend(case, finding)?;
    Some(match own.setting {
        "policy" => policy(case, lacking(case, POLICY, statements_for))?.command,
        "lifecycle" => {
            let rules = lacking(case, LIFECYCLE, |case, one| rule(case, one).map(|rule| vec![rule]));
            lifecycle(case, &rules).command
        }
        _ => own.command,
    })
}

/// The pieces that any of these findings lacks.
fn lacking<T>(
    case: &Case<'_>,
    subjects: &[Subject],
    pieces: impl Fn(&Case<'_>, &Finding) -> Option<Vec<T>>,
) -> Vec<T> {
    let open = subjects.iter().map(|subject| judge(case, *subject));
    let open = open.filter(|finding| matches!(finding.state, State::Weak | State::Missing));
    open.filter_map(|finding| pieces(case, &finding)).flatten().collect()
}

/// What mends this finding; nothing where it is as it should be or only people can.
pub(super) fn mend(case: &Case<'_>, finding: &Finding) -> Option<Mend> {
    if !matches!(finding.state, State::Weak | State::Missing) {
        return None;
    }
    match finding.subject {
        Subject::CloudtrailGrant | Subject::DenyDelete | Subject::TlsOnly | Subject::PublicGrant => {
            policy(case, statements_for(case, finding)?)
        }
        Subject::Versioning => Some(versioning(case)),
        Subject::ObjectLock => match lock::planned(case) {
            Plan::Set(held) => Some(object_lock(case, held)),
            Plan::Stay | Plan::Propose(_) | Plan::Refuse(_) => None,
        },
        Subject::MfaDelete => mfa_delete(case),
        Subject::PublicAccessBlock => Some(public_access_block(case)),
        Subject::Encryption => Some(encryption(case)),
        Subject::LifecycleTransitions | Subject::LifecycleUploads | Subject::LifecycleExpiration => {
            Some(lifecycle(case, &[rule(case, finding)?]))
        }
        Subject::AccessLogging => access_logging(case),
        Subject::Replication => replication(case),
    }
}

fn policy(case: &Case<'_>, added: Vec<Value>) -> Option<Mend> {
    let text = case.bucket.policy.as_ref().ok()?.as_deref();
    let merged = statements::merge(text, added);
    Some(Mend::new(case, "policy", merged.clone(), "put-bucket-policy").with("--policy", &merged))
}

/// The statements of ours that a finding about the policy lacks.
fn statements_for(case: &Case<'_>, finding: &Finding) -> Option<Vec<Value>> {
    let bucket = &case.bucket.name;
    match finding.subject {
        Subject::CloudtrailGrant => grants(case),
        Subject::DenyDelete => Some(vec![statements::deny_delete(bucket, &case.wishes.admin_roles)]),
        // It would keep out whoever speaks without TLS, as this command does then.
        Subject::TlsOnly => case.over_tls.then(|| vec![statements::deny_insecure(bucket)]),
        _ => None,
    }
}

/// What the policy lacks for CloudTrail.
fn grants(case: &Case<'_>) -> Option<Vec<Value>> {
    let text = case.bucket.policy.as_ref().ok()?.as_deref();
    let policy = BucketPolicy::read(&case.bucket.name, case.account, text).ok()?;
    let lacking = case.trails.iter().filter(|trail| !policy.undelivered(trail).is_empty());
    let mut added: Vec<Value> =
        lacking.flat_map(|trail| statements::grant(&case.bucket.name, trail)).collect();
    if policy.serves_strangers() {
        let mut trails = policy.named_trails();
        trails.extend(case.trails.iter().map(|trail| trail.arn.clone()));
        // Without a trail the denial would keep out the one that delivers now.
        if trails.is_empty() {
            return None;
        }
        added.push(statements::deny_other_trails(&case.bucket.name, &trails));
    }
    (!added.is_empty()).then_some(added)
}

fn versioning(case: &Case<'_>) -> Mend {
    let body = format!(
        r#"<VersioningConfiguration xmlns="{XMLNS}"><Status>Enabled</Status></VersioningConfiguration>"#
    );
    Mend::new(case, "versioning", body, "put-bucket-versioning")
        .with("--versioning-configuration", "Status=Enabled")
}

fn mfa_delete(case: &Case<'_>) -> Option<Mend> {
    let mfa = case.wishes.mfa.as_deref();
    let body = format!(
        r#"<VersioningConfiguration xmlns="{XMLNS}"><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>"#
    );
    let mut mend = Mend::new(case, "versioning", body, "put-bucket-versioning")
        .with("--versioning-configuration", "Status=Enabled,MFADelete=Enabled")
        .with("--mfa", "SERIAL CODE");
    mend.headers.push(("x-amz-mfa", mfa?.to_owned()));
    Some(mend)
}

/// The command alone, for where no code was given.
fn mfa_delete_command(case: &Case<'_>) -> String {
    let (bucket, option) = (&case.bucket.name, case.cli_option);
    format!(
        "aws s3api put-bucket-versioning --bucket {bucket}{option} --versioning-configuration \
         Status=Enabled,MFADelete=Enabled --mfa 'SERIAL CODE'"
    )
}

fn object_lock(case: &Case<'_>, held: Held) -> Mend {
    let (mode, days) = (held.mode.name(), held.days);
    let body = format!(
        r#"<ObjectLockConfiguration xmlns="{XMLNS}"><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>{mode}</Mode><Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"#
    );
    let shown =
        json!({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}});
    Mend::new(case, "object-lock", body, "put-object-lock-configuration")
        .with("--object-lock-configuration", &shown.to_string())
}

fn public_access_block(case: &Case<'_>) -> Mend {
    let settings = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let inner: String = settings.iter().map(|name| format!("<{name}>true</{name}>")).collect();
    let body = format!(
        r#"<PublicAccessBlockConfiguration xmlns="{XMLNS}">{inner}</PublicAccessBlockConfiguration>"#
    );
    let shown = settings.map(|name| format!("{name}=true")).join(",");
    Mend::new(case, "publicAccessBlock", body, "put-public-access-block")
        .with("--public-access-block-configuration", &shown)
}

fn encryption(case: &Case<'_>) -> Mend {
    let (inner, shown) = match &case.wishes.kms_key {
        None => ("<SSEAlgorithm>AES256</SSEAlgorithm>".to_owned(), json!({"SSEAlgorithm": "AES256"})),
        Some(key) => (
            format!("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{}</KMSMasterKeyID>", xml(key)),
            json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}),
        ),
    };
    let bucket_key = case.wishes.kms_key.is_some();
    let body = format!(
        r#"<ServerSideEncryptionConfiguration xmlns="{XMLNS}"><Rule><ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{bucket_key}</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"#
    );
    let shown =
        json!({"Rules": [{"ApplyServerSideEncryptionByDefault": shown, "BucketKeyEnabled": bucket_key}]});
    Mend::new(case, "encryption", body, "put-bucket-encryption")
        .with("--server-side-encryption-configuration", &shown.to_string())
}

/// A rule for every object that does this.
fn new_rule(id: &str, does: &str) -> String {
    format!("<Rule><ID>{id}</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>{does}</Rule>")
}

/// The lifecycle rule of ours that a finding lacks; none where MFA delete takes its place.
fn rule(case: &Case<'_>, finding: &Finding) -> Option<String> {
    if !finding.required {
        return None;
    }
    match finding.subject {
        Subject::LifecycleTransitions => Some(transitions(case.wishes.expire_days)),
        Subject::LifecycleUploads => {
            let does = format!(
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>{ABANDONED_DAYS}</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
            );
            Some(new_rule("opentrail-abandoned-uploads", &does))
        }
        _ => {
            let days = case.wishes.expire_days.filter(|_| finding.state == State::Missing)?;
            let does = format!("<Expiration><Days>{days}</Days></Expiration>");
            Some(new_rule("opentrail-expiration", &does))
        }
    }
}

/// Moves logs until they end.
fn transitions(end: Option<u32>) -> String {
    let moved = TRANSITIONS.iter().filter(|(days, _)| end.is_none_or(|end| *days < end));
    let one = |(days, class): &(u32, &str)| {
        format!("<Transition><Days>{days}</Days><StorageClass>{class}</StorageClass></Transition>")
    };
    new_rule("opentrail-transitions", &moved.map(one).collect::<String>())
}

/// The rules that are there, and these.
fn lifecycle(case: &Case<'_>, rules: &[String]) -> Mend {
    let there = case.bucket.lifecycle_text.as_deref();
    let body = with_rule(there, "LifecycleConfiguration", &rules.concat());
    let shown = shown(&body);
    Mend::new(case, "lifecycle", body, "put-bucket-lifecycle-configuration")
        .with("--lifecycle-configuration", &shown)
}

/// A configuration as the AWS CLI takes it.
fn shown(body: &str) -> String {
    Value::Object(document::json(body).unwrap_or_default()).to_string()
}

/// A configuration with one more rule at its end.
fn with_rule(there: Option<&str>, root: &str, rule: &str) -> String {
    let end = format!("</{root}>");
    match there.and_then(|text| text.rfind(&end).map(|at| (text, at))) {
        Some((text, at)) => format!("{}{rule}{}", &text[..at], &text[at..]),
        None => format!(r#"<{root} xmlns="{XMLNS}">{rule}{end}"#),
    }
}

fn access_logging(case: &Case<'_>) -> Option<Mend> {
    let target = case.wishes.access_log_bucket.as_deref()?;
    let prefix = format!("{}/", case.bucket.name);
    let body = format!(
        r#"<BucketLoggingStatus xmlns="{XMLNS}"><LoggingEnabled><TargetBucket>{}</TargetBucket><TargetPrefix>{}</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"#,
        xml(target),
        xml(&prefix)
    );
    let shown = json!({"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": prefix}});
    Some(
        Mend::new(case, "logging", body, "put-bucket-logging")
            .with("--bucket-logging-status", &shown.to_string()),
    )
}

fn replication(case: &Case<'_>) -> Option<Mend> {
    let (bucket, role) =
        case.wishes.replica_bucket.as_deref().zip(case.wishes.replication_role.as_deref())?;
    let rules = case.bucket.replication.as_ref().ok()?.as_ref().map_or(&[][..], |found| &found.rules);
    let priority = rules.iter().filter_map(|rule| rule.priority).max().unwrap_or(0) + 1;
    let rule = format!(
        "<Rule><ID>opentrail-copy</ID><Priority>{priority}</Priority><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
         <Destination><Bucket>arn:aws:s3:::{}</Bucket></Destination>\
         <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication></Rule>",
        xml(bucket)
    );
    let there = case.bucket.replication_text.as_deref();
    let body = match there {
        Some(_) => with_rule(there, "ReplicationConfiguration", &rule),
        None => format!(
            r#"<ReplicationConfiguration xmlns="{XMLNS}"><Role>{}</Role>{rule}</ReplicationConfiguration>"#,
            xml(role)
        ),
    };
    let shown = shown(&body);
    Some(
        Mend::new(case, "replication", body, "put-bucket-replication")
            .with("--replication-configuration", &shown),
    )
}

#[cfg(test)]
mod tests {
    use super::{quoted, with_rule};

    #[test]
    fn a_rule_is_added_to_those_that_are_there() {
        let there = "<?xml version=\"1.0\"?>\n<LifecycleConfiguration xmlns=\"x\"><Rule><ID>a</ID></Rule></LifecycleConfiguration>";
        let both = with_rule(Some(there), "LifecycleConfiguration", "<Rule><ID>b</ID></Rule>");
        assert!(both.ends_with("<Rule><ID>a</ID></Rule><Rule><ID>b</ID></Rule></LifecycleConfiguration>"));
        assert!(
            with_rule(None, "LifecycleConfiguration", "<Rule/>")
                .ends_with("<Rule/></LifecycleConfiguration>")
        );
    }

    #[test]
    fn a_shell_reads_what_was_meant() {
        assert_eq!(quoted("Status=Enabled"), "Status=Enabled");
        assert_eq!(quoted(r#"{"a": "it's"}"#), r#"'{"a": "it'\''s"}'"#);
    }
}
