//! `POST /v1/who-can`: which principals may do something with something, through which statements, under which
//! conditions, and by which detours.

mod shape;

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_identity::{WhoCan as Found, WhoCanAsk, organization, role};
use opentrail_policy::{Context, Policy};
use opentrail_vault::Bucket;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use self::shape::AbleShape;
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read},
    s3,
};

/// How many principals are answered without MaxResults, and at most.
const DEFAULT_RESULTS: usize = 1_000;
const MAX_RESULTS: usize = 1_000;
/// The longest resource and action that are looked at: an ARN with the longest key, and more than any action.
const MAX_RESOURCE_BYTES: usize = 2_048;
const MAX_ACTION_BYTES: usize = 128;

/// Each answer looks at every principal of an account: one at a time, so that no caller takes all the processors.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

pub(super) struct WhoCan;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    /// `service:Name`.
    action: String,
    /// An ARN, or `BUCKET[/KEY]` for an action of S3. Of an action on objects a bucket is any object in it.
    resource: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    /// The ARN that was looked at.
    resource: String,
    /// Those that can; the surest first.
    able: Vec<AbleShape>,
    /// What else stands in the way, whoever it is.
    notes: Vec<String>,
    /// How many principals were looked at.
    looked_at: usize,
    /// Whether all were looked at, and all detours tried.
    complete: bool,
    next_token: Option<String>,
}

impl Described for WhoCan {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "WhoCan";

    fn resource(_: &Input, call: &Call) -> Result<String, Fault> {
        Ok(format!("arn:aws:opentrail:{}:{}:who-can", call.region, call.account))
    }
}

impl Read for WhoCan {
    async fn act(input: Input, call: &Call) -> Result<Output, Fault> {
        let limit = input.max_results.unwrap_or(DEFAULT_RESULTS);
        if !(1..=MAX_RESULTS).contains(&limit) {
            let message = format!("MaxResults must be between 1 and {MAX_RESULTS}.");
            return Err(call.fault(Common::Invalid, message));
        }
        let from = match input.next_token.as_deref().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(from)) => from,
            Some(Err(_)) => {
                return Err(call.fault(Common::Invalid, "The NextToken is not one that WhoCan gave."));
            }
        };
        check_form(&input, call)?;
        let subject = Subject::of(&input, call)?;
        let (resource, notes) = (subject.resource.clone(), subject.notes.clone());
        let turn = ONE_AT_A_TIME.acquire().await;
        let (identity, action) = (call.rooms.identity.clone(), input.action);
        // Should nobody wait for the answer any more, the turn still lasts until the search ends.
        let search = tokio::task::spawn_blocking(move || {
            let found = subject.ask(&identity, &action);
            drop(turn);
            found
        });
        let found = search.await.map_err(|_| call.fault(Common::Internal, "The search ended early."))?;
        let next = from.saturating_add(limit);
        Ok(Output {
            resource,
            next_token: (found.able.len() > next).then(|| next.to_string()),
            able: found.able.iter().skip(from).take(limit).map(AbleShape::from).collect(),
            notes,
            looked_at: found.looked_at,
            complete: found.complete,
        })
    }
}

fn check_form(input: &Input, call: &Call) -> Result<(), Fault> {
    let named = input.action.split_once(':').is_some_and(|(service, name)| {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain(service) && plain(name)
    });
    if !named || input.action.len() > MAX_ACTION_BYTES {
        let message = "The Action must be one action, such as s3:DeleteObjectVersion.";
        return Err(call.fault(Common::Invalid, message));
    }
    if input.resource.is_empty() || input.resource.len() > MAX_RESOURCE_BYTES {
        let message = format!("The Resource must be between 1 and {MAX_RESOURCE_BYTES} bytes long.");
        return Err(call.fault(Common::Invalid, message));
    }
    Ok(())
}

/// What is asked about, with all that is known of it.
struct Subject {
    resource: String,
    owner: Option<AccountId>,
    policy: Option<(Arc<Policy>, String)>,
    must_allow: bool,
    root_always_may: bool,
    outsiders_kept_out: bool,
    bucket: Option<String>,
    facts: Context,
    accounts: Vec<AccountId>,
    notes: Vec<String>,
}

impl Subject {
    fn of(input: &Input, call: &Call) -> Result<Self, Fault> {
        let accounts = seen(call);
        let is_s3 = input.action.get(..3).is_some_and(|service| service.eq_ignore_ascii_case("s3:"));
        let in_s3 = input.resource.strip_prefix("arn:aws:s3:::");
        let bare = (!input.resource.starts_with("arn:") && input.resource != "*").then_some(&*input.resource);
        match in_s3.or(bare.filter(|_| is_s3)) {
            Some(name) => Self::of_bucket(name, input, call, accounts),
            None if bare.is_some() => {
                let message = "The Resource must be an ARN, or a bucket's name for an action of S3.";
                Err(call.fault(Common::Invalid, message))
            }
            None => Self::of_arn(input, call, accounts),
        }
    }

    fn empty(resource: String, accounts: Vec<AccountId>) -> Self {
        Self {
            resource,
            owner: None,
            policy: None,
            must_allow: false,
            root_always_may: false,
            outsiders_kept_out: false,
            bucket: None,
            facts: Context::new(),
            accounts,
            notes: Vec::new(),
        }
    }

    fn of_bucket(name: &str, input: &Input, call: &Call, accounts: Vec<AccountId>) -> Result<Self, Fault> {
        let (name, key) = match name.split_once('/') {
            Some((name, key)) => (name, Some(key)),
            None => (name, None),
        };
        let vault = &call.rooms.vault;
        let bucket = vault.bucket(name).ok().filter(|bucket| accounts.contains(&bucket.owner));
        // Of others' buckets nothing is told, not even that there are any.
        let bucket = bucket.ok_or_else(|| not_there(call, &input.resource))?;
        let failed = |_| call.fault(Common::Internal, "The bucket's policy can't be read.");
        let policy = vault.bucket_policy(name).map_err(failed)?;
        let arn = format!("arn:aws:s3:::{name}");
        let resource = match key {
            Some(key) => format!("{arn}/{key}"),
            None if is_of_objects(&input.action) => format!("{arn}/*"),
            None => arn.clone(),
        };
        let restricts = vault.effective_public_access_block(&bucket).map_err(failed)?.restrict_public_buckets;
        let is_public = policy.is_some() && vault.is_policy_public(name).map_err(failed)?;
        let mut facts = Context::new();
        facts.set("s3:ResourceAccount", bucket.owner.as_str());
        facts.set("aws:ResourceAccount", bucket.owner.as_str());
        let notes = notes(&bucket, &input.action, restricts && is_public);
        Ok(Self {
            owner: Some(bucket.owner),
            policy: policy.map(|policy| (policy, name.to_owned())),
            root_always_may: s3::is_rescue(&input.action),
            outsiders_kept_out: restricts && is_public,
            bucket: Some(arn),
            facts,
            notes,
            ..Self::empty(resource, accounts)
        })
    }

    fn of_arn(input: &Input, call: &Call, accounts: Vec<AccountId>) -> Result<Self, Fault> {
        let mut subject = Self::empty(input.resource.clone(), accounts);
        let mut parts = input.resource.splitn(6, ':').skip(2);
        let (service, owner, rest) = (parts.next(), parts.nth(1), parts.next());
        if service == Some("kms") {
            let message = "Who may use a key hangs on its grants too, which are not looked at: ask about another resource.";
            return Err(call.fault(Common::Invalid, message));
        }
        if let Some(owner) = owner.and_then(|account| account.parse::<AccountId>().ok()) {
            if !subject.accounts.contains(&owner) {
                return Err(not_there(call, &input.resource));
            }
            subject.owner = Some(owner);
            subject.facts.set("aws:ResourceAccount", owner.as_str());
            let assumes = input.action.to_ascii_lowercase().starts_with("sts:assumerole");
            if let Some(path) = rest.filter(|rest| assumes && rest.starts_with("role/")) {
                let name = path.rsplit('/').next().unwrap_or_default();
                let role = role::get(&call.rooms.state, owner, name);
                let role = role.map_err(|_| not_there(call, &input.resource))?;
                let trust = Policy::parse(role.trust_policy.as_str(), opentrail_policy::PolicyKind::Trust);
                let trust =
                    trust.map_err(|_| call.fault(Common::Internal, "The trust policy can't be read."))?;
                subject.policy = Some((Arc::new(trust), input.resource.clone()));
                subject.must_allow = true;
            }
        }
        Ok(subject)
    }

    fn ask(&self, identity: &opentrail_identity::Identity, action: &str) -> Found {
        identity.who_can(&WhoCanAsk {
            action,
            resource: &self.resource,
            owner: self.owner,
            resource_policy: self.policy.as_ref().map(|(policy, name)| (&**policy, name.clone())),
            resource_must_allow: self.must_allow,
            facts: self.facts.clone(),
            accounts: self.accounts.clone(),
            canonical_user: s3::canonical_user,
            root_always_may: self.root_always_may,
            outsiders_kept_out: self.outsiders_kept_out,
            bucket: self.bucket.clone(),
        })
    }
}

/// Whether an action of S3 is about objects: then a bucket that is asked about is any object in it.
fn is_of_objects(action: &str) -> bool {
    const BY_NAME: &[&str] = &[
        "abortmultipartupload",
        "listmultipartuploadparts",
        "bypassgovernanceretention",
        "replicatedelete",
        "replicatetags",
    ];
    let name = action.to_ascii_lowercase();
    let name = name.trim_start_matches("s3:");
    (name.contains("object") && !name.contains("bucket")) || BY_NAME.contains(&name)
}

fn not_there(call: &Call, resource: &str) -> Fault {
    call.fault(Common::Invalid, format!("There is no {resource} in an account that you may ask about."))
}

/// The accounts of which the caller is told every principal: its own, and those of the organization that it manages.
fn seen(call: &Call) -> Vec<AccountId> {
    let state = &call.rooms.state;
    match organization::of_account(state, call.account) {
        Some(organization) if organization.management_account == call.account => {
            let mut accounts = organization::member_accounts(state, &organization);
            if !accounts.contains(&call.account) {
                accounts.push(call.account);
            }
            accounts
        }
        _ => vec![call.account],
    }
}

/// What stands in the way of everyone, or opens a way that no permission is asked for.
fn notes(bucket: &Bucket, action: &str, shut: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if shut {
        notes.push(
            "Block Public Access keeps out everyone of another account, whatever the policy says.".to_owned(),
        );
    }
    let action = action.to_ascii_lowercase();
    if !action.starts_with("s3:deleteobject") {
        return notes;
    }
    let of_versions = action.ends_with("version");
    match bucket.object_lock.as_ref().map(|lock| lock.default_retention) {
        Some(Some(retention)) => notes.push(format!(
            "Object Lock: a version's retention or legal hold refuses its deletion, whoever asks (default {:?}, {:?}); \
             s3:BypassGovernanceRetention lifts GOVERNANCE.",
            retention.mode, retention.period
        )),
        Some(None) => notes.push("Object Lock is on without a default retention: only versions locked one by one are kept.".to_owned()),
        None => notes.push("The bucket has no Object Lock: what the policies allow is done.".to_owned()),
    }
    if bucket.mfa_delete == Some(true) && of_versions {
        notes.push(
            "MFA delete: removing a version also needs a code of the root user's MFA device.".to_owned(),
        );
    }
    let keeps = bucket.versioning == opentrail_vault::Versioning::Enabled;
    if keeps && !of_versions {
        notes.push("Versioning is on: a deletion leaves a marker, and the version stays.".to_owned());
    }
    notes
}
