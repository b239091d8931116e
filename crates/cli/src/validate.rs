//! `opentrail validate`: proof that a bucket, or a copy of one, still has what was delivered.

mod keys;
mod report;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use clap::Args;
use opentrail_event::AccountId;
use opentrail_trails::{
    ChainHead, LogReader, OrganizationId, TrailArn, Whose,
    store::{
        external::{External, ExternalOptions},
        folder::Folder,
    },
    validate::{
        CLOCKS, KeyError, KeyFile, KeySource, Progress, ValidateAsk, ValidateError, Verdict, accounts_of,
        validate,
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::Deserialize;

pub(crate) use self::keys::ServerKeys;
use self::report::Judged;
use crate::{
    client::{Client, ClientError, ServerArguments},
    durations::at_least_a_second,
    output::{Output, progress},
};

/// The exit code for a bucket in which something was changed, deleted, moved or added.
const INVALID: u8 = 3;
/// The exit code for a bucket in which nothing wrong was found but not everything could be checked.
const INCOMPLETE: u8 = 4;

#[derive(Args)]
#[command(after_help = "Exit codes: 0 valid, 1 could not run, 2 wrong usage, 3 invalid, 4 incomplete")]
pub(crate) struct ValidateArguments {
    /// The trail; its bucket and the heads of its chains are asked of the server
    #[arg(long, value_name = "ARN", required_unless_present_any = ["bucket", "folder"])]
    trail_arn: Option<String>,
    /// The bucket, if not the trail's present one
    #[arg(long, value_name = "BUCKET", conflicts_with = "folder")]
    bucket: Option<String>,
    /// A local folder copied from a bucket, the one that holds AWSLogs/
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// What stands before AWSLogs/ in the keys
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// The account whose files are meant; if absent the trail's, and of an organization trail every account's
    #[arg(long, value_name = "ID")]
    account_id: Option<AccountId>,
    /// The organization, if an organization trail wrote the files and the server is not asked
    #[arg(long, value_name = "ID")]
    organization_id: Option<OrganizationId>,
    /// Only files of this region; may be given several times
    #[arg(long = "in-region", value_name = "REGION")]
    in_region: Vec<String>,
    /// Skip digests that end before this time
    #[arg(long, value_name = "TIME")]
    start_time: Option<DateTime<Utc>>,
    /// Skip digests that end later than this time
    #[arg(long, value_name = "TIME")]
    end_time: Option<DateTime<Utc>>,
    /// Public keys: the output of list-public-keys, PEM or base64
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Do not ask the server: needs --public-key, and cannot find deleted newest digests
    #[arg(long, requires = "public_key")]
    offline: bool,
    /// Endpoint of the bucket, if it is not in the server's own vault
    #[arg(long, value_name = "URL")]
    source_endpoint: Option<String>,
    /// Do not look for log files that no digest lists
    #[arg(long)]
    listed_only: bool,
    /// How much the clocks of the server and the bucket may differ; younger log files are not judged
    #[arg(long, default_value = "1m", value_parser = at_least_a_second, value_name = "DURATION")]
    clock_tolerance: Duration,
    /// Files read at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "COUNT")]
    jobs: u16,
    /// How the report is printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: OptionalServer,
}

/// As [`ServerArguments`], for a command that can do without a server.
#[derive(Args)]
struct OptionalServer {
    /// The server's URL
    #[arg(long, env = "AWS_ENDPOINT_URL", default_value = "http://127.0.0.1:7400", value_name = "URL")]
    endpoint: String,
    /// Access key id
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "ID")]
    access_key_id: Option<String>,
    /// Secret access key
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", value_name = "SECRET", hide_env_values = true)]
    secret_access_key: Option<String>,
    /// Session token of temporary credentials
    #[arg(long, env = "AWS_SESSION_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    session_token: Option<String>,
    /// Region
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
}

/// Why nothing was validated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValidateCommandError {
    /// The server refused, or is away.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The bucket can't be listed.
    #[error(transparent)]
    Validate(#[from] ValidateError),
    /// The file of public keys can't be read.
    #[error("{}: {cause}", path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file holds no keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The ARN is none of a trail.
    #[error("{0:?} is not the ARN of a trail")]
    BadArn(String),
    /// Neither a trail nor an account.
    #[error("say whose files are meant: --trail-arn, --account-id or --organization-id")]
    NoAccount,
    /// The organization has no folder there.
    #[error("no account of the organization has a folder below AWSLogs/ there")]
    NoFolders,
    /// A bucket is needed and neither given nor asked for.
    #[error("without the server's help --bucket or --folder is needed")]
    NoBucket,
}

/// What the server knows of a trail.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Chains {
    /// None once the trail was deleted.
    bucket: Option<String>,
    prefix: Option<String>,
    /// Of an organization trail.
    organization_id: Option<OrganizationId>,
    heads: Vec<ChainHead>,
}

/// Validates and prints the report.
pub(crate) async fn run(arguments: ValidateArguments) -> Result<ExitCode, ValidateCommandError> {
    let client = Client::new(&arguments.server.clone_arguments())?;
    let trail = match &arguments.trail_arn {
        Some(arn) => Some(TrailArn::parse(arn).map_err(|_| ValidateCommandError::BadArn(arn.clone()))?),
        None => None,
    };
    let chains = match &arguments.trail_arn {
        Some(arn) if !arguments.offline => Some(chains(&client, arn, arguments.account_id).await?),
        _ => None,
    };
    let asks = asks(&arguments, trail, chains).await?;
    let keys = keys(&arguments, client)?;
    let mut judged = Vec::new();
    for ask in asks {
        let account = ask.whose.account;
        let report = validate(reader(&arguments), Arc::clone(&keys), ask, on_progress()).await?;
        judged.push(Judged { account, report });
    }
    report::print(&judged, arguments.output);
    Ok(match report::worst(&judged) {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::Invalid => ExitCode::from(INVALID),
        Verdict::Incomplete => ExitCode::from(INCOMPLETE),
    })
}

/// What is validated: one ask for each account that is meant.
async fn asks(
    arguments: &ValidateArguments,
    trail: Option<TrailArn>,
    chains: Option<Chains>,
) -> Result<Vec<ValidateAsk>, ValidateCommandError> {
    let (known_bucket, known_prefix, known_organization, heads) = match chains {
        Some(chains) => (chains.bucket, chains.prefix, chains.organization_id, Some(chains.heads)),
        None => (None, None, None, None),
    };
    let organization = arguments.organization_id.clone().or(known_organization);
    let one = arguments.account_id.or(trail.as_ref().map(|trail| trail.account));
    if one.is_none() && organization.is_none() {
        return Err(ValidateCommandError::NoAccount);
    }
    let bucket = match (&arguments.folder, arguments.bucket.clone().or(known_bucket)) {
        (Some(_), _) => String::new(),
        (None, Some(bucket)) => bucket,
        (None, None) => return Err(ValidateCommandError::NoBucket),
    };
    let prefix = arguments.prefix.clone().or(known_prefix);
    let mut accounts = BTreeSet::new();
    if let (None, Some(organization)) = (arguments.account_id, &organization) {
        accounts = accounts_of(&*reader(arguments), &bucket, prefix.as_deref(), organization).await?;
        accounts.extend(delivered(heads.iter().flatten(), organization));
    }
    if accounts.is_empty() {
        accounts.insert(one.ok_or(ValidateCommandError::NoFolders)?);
    }
    let ask = |account| ValidateAsk {
        bucket: bucket.clone(),
        prefix: prefix.clone(),
        whose: Whose { account, organization: organization.clone() },
        trail: trail.as_ref().map(|trail| (trail.name.clone(), trail.region.clone())),
        regions: (!arguments.in_region.is_empty()).then(|| arguments.in_region.clone()),
        start: arguments.start_time,
        end: arguments.end_time,
        heads: heads.clone(),
        find_unlisted: !arguments.listed_only,
        clocks: chrono::TimeDelta::from_std(arguments.clock_tolerance).unwrap_or(CLOCKS),
        concurrency: usize::from(arguments.jobs),
    };
    Ok(accounts.into_iter().map(ask).collect())
}

/// The accounts for which the server delivered digests: one of them may have lost its whole folder.
fn delivered<'a>(
    heads: impl Iterator<Item = &'a ChainHead>,
    organization: &OrganizationId,
) -> impl Iterator<Item = AccountId> {
    heads
        .filter(|head| head.newest.is_some() && head.whose.organization.as_ref() == Some(organization))
        .map(|head| head.whose.account)
}

/// The heads of one account's chains, or of all.
async fn chains(client: &Client, arn: &str, account: Option<AccountId>) -> Result<Chains, ClientError> {
    let arn = utf8_percent_encode(arn, NON_ALPHANUMERIC);
    let account = account.map(|account| format!("&AccountId={account}")).unwrap_or_default();
    let path = format!("/v1/chains?TrailArn={arn}{account}");
    client.call(Method::GET, &path, &[], Bytes::new()).await
}

fn keys(arguments: &ValidateArguments, client: Client) -> Result<Arc<dyn KeySource>, ValidateCommandError> {
    let Some(path) = &arguments.public_key else { return Ok(Arc::new(ServerKeys::new(client))) };
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ValidateCommandError::KeyFile { path: path.clone(), cause })?;
    Ok(Arc::new(KeyFile::parse(&text)?))
}

fn reader(arguments: &ValidateArguments) -> Arc<dyn LogReader> {
    if let Some(folder) = &arguments.folder {
        return Arc::new(Folder::new(folder));
    }
    let server = &arguments.server;
    let own = arguments.source_endpoint.is_none();
    Arc::new(External::new(ExternalOptions {
        endpoint: arguments.source_endpoint.clone().or_else(|| Some(server.endpoint.clone())),
        region: Some(server.region.clone()),
        credentials: server.access_key_id.clone().zip(server.secret_access_key.clone()).filter(|_| own),
        session_token: server.session_token.clone().filter(|_| own),
        ..ExternalOptions::default()
    }))
}

fn on_progress() -> Arc<dyn Fn(Progress) + Send + Sync> {
    if !io::stderr().is_terminal() {
        return Arc::new(|_| {});
    }
    let bar = progress(0, "{bar:40} {pos}/{len} files {per_sec}");
    Arc::new(move |now: Progress| {
        bar.set_length(now.digests_total + now.log_files_total);
        bar.set_position(now.digests + now.log_files);
    })
}

impl OptionalServer {
    fn clone_arguments(&self) -> ServerArguments {
        ServerArguments {
            endpoint: self.endpoint.clone(),
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            region: self.region.clone(),
        }
    }
}
