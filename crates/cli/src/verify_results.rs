//! `opentrail verify-query-results`: proof that delivered results of a query are as they were delivered.

use std::{path::PathBuf, process::ExitCode};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use chrono::{DateTime, Utc};
use clap::Args;
use opentrail_trails::{
    LogReader, StoreError,
    store::{
        external::{External, ExternalOptions},
        folder::Folder,
    },
    validate::{KeyError, KeySource},
};
use serde::Deserialize;

use crate::{
    client::{Client, ClientError, ServerArguments},
    output::say,
    validate::ServerKeys,
};

/// The exit code for results that were changed or of which a part is missing.
const INVALID: u8 = 3;
/// The file with the signature.
const SIGN_FILE: &str = "result_sign.json";

#[derive(Args)]
#[command(after_help = "Exit codes: 0 valid, 1 could not run, 2 wrong usage, 3 invalid")]
pub(crate) struct VerifyArguments {
    /// The folder with result_sign.json and the results: here, or s3://BUCKET/PREFIX
    #[arg(value_name = "FOLDER")]
    folder: String,
    /// Endpoint of the bucket, if it is not in the server's own vault
    #[arg(long, value_name = "URL")]
    source_endpoint: Option<String>,
    #[command(flatten)]
    server: ServerArguments,
}

/// Why nothing was verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// The server refused, or is away.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file can't be read.
    #[error("{name}: {cause}")]
    File {
        /// Its name.
        name: String,
        /// Why not.
        cause: StoreError,
    },
    /// The sign file is none.
    #[error("{SIGN_FILE} is no sign file: {0}")]
    SignFile(#[from] serde_json::Error),
    /// The keys can't be asked for.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignFile {
    region: String,
    files: Vec<ResultFile>,
    hash_algorithm: String,
    signature_algorithm: String,
    query_complete_time: DateTime<Utc>,
    hash_signature: String,
    public_key_fingerprint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultFile {
    file_hash_value: String,
    file_name: String,
}

/// Where the files are.
struct Place {
    reader: Box<dyn LogReader>,
    bucket: String,
    prefix: String,
}

impl Place {
    fn of(arguments: &VerifyArguments) -> Self {
        let Some(rest) = arguments.folder.strip_prefix("s3://") else {
            let reader = Box::new(Folder::new(PathBuf::from(&arguments.folder)));
            return Self { reader, bucket: String::new(), prefix: String::new() };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let server = &arguments.server;
        let own = arguments.source_endpoint.is_none();
        let reader = Box::new(External::new(ExternalOptions {
            endpoint: arguments.source_endpoint.clone().or_else(|| Some(server.endpoint.clone())),
            region: Some(server.region.clone()),
            credentials: server.access_key_id.clone().zip(server.secret_access_key.clone()).filter(|_| own),
            session_token: server.session_token.clone().filter(|_| own),
            ..ExternalOptions::default()
        }));
        Self { reader, bucket: bucket.to_owned(), prefix }
    }

    async fn read(&self, name: &str) -> Result<bytes::Bytes, VerifyError> {
        let read = self.reader.get(&self.bucket, &format!("{}{name}", self.prefix)).await;
        read.map(|file| file.body).map_err(|cause| VerifyError::File { name: name.to_owned(), cause })
    }
}

/// Verifies and prints what was found.
pub(crate) async fn run(arguments: VerifyArguments) -> Result<ExitCode, VerifyError> {
    let place = Place::of(&arguments);
    let sign_file: SignFile = serde_json::from_slice(&place.read(SIGN_FILE).await?)?;
    let keys = ServerKeys::new(Client::new(&arguments.server)?);
    let mut is_valid = true;
    let mut judge = |name: &str, fault: Option<String>| {
        is_valid &= fault.is_none();
        say!("{name}: {}", fault.as_deref().unwrap_or("valid"));
    };
    judge(SIGN_FILE, signature_fault(&sign_file, &keys).await?);
    if sign_file.files.is_empty() {
        judge(SIGN_FILE, Some("INVALID: it lists no files".to_owned()));
    }
    for file in &sign_file.files {
        // A name with a path in it would be read elsewhere than where it was delivered.
        if file.file_name.contains(['/', '\\']) {
            judge(&file.file_name, Some("INVALID: not the name of a file".to_owned()));
            continue;
        }
        let fault = match place.read(&file.file_name).await {
            Ok(body) if hex::encode(digest(&SHA256, &body)) == file.file_hash_value => None,
            Ok(_) => Some("INVALID: its hash is another".to_owned()),
            Err(VerifyError::File { cause: StoreError::NoSuchKey, .. }) => {
                Some("INVALID: missing".to_owned())
            }
            Err(error) => return Err(error),
        };
        judge(&file.file_name, fault);
    }
    Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}

/// What is wrong with the signature, if something is.
async fn signature_fault(file: &SignFile, keys: &ServerKeys) -> Result<Option<String>, KeyError> {
    if file.hash_algorithm != "SHA-256" || file.signature_algorithm != "SHA256withRSA" {
        return Ok(Some("INVALID: its algorithms are not those of CloudTrail".to_owned()));
    }
    let found = keys.public_key(&file.region, &file.public_key_fingerprint, file.query_complete_time).await?;
    let Some(key) = found else {
        return Ok(Some(format!("INVALID: the server has no key {}", file.public_key_fingerprint)));
    };
    let hashes: Vec<&str> = file.files.iter().map(|file| file.file_hash_value.as_str()).collect();
    let signature = hex::decode(&file.hash_signature).unwrap_or_default();
    let verified = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(hashes.join(" ").as_bytes(), &signature);
    Ok(verified.is_err().then(|| "INVALID: its signature does not hold".to_owned()))
}
