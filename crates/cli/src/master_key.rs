//! Where the master key comes from: the flags that every command on a data folder has.

use std::{env, path::PathBuf};

use clap::Args;
use opentrail_server::{MasterKeyFrom, TransitOptions};

/// Where the engine is mounted, where nobody chose another path.
const TRANSIT_MOUNT: &str = "transit";

const FORMS: &str = "write 64 hexadecimal digits, file:PATH, env:NAME or vault:URL/KEY";

#[derive(Args)]
#[command(next_help_heading = "Master key")]
pub(crate) struct MasterKeyArguments {
    /// The key that seals all secrets: 64 hexadecimal digits; file:PATH; env:NAME of a variable that has the digits;
    /// vault:URL/KEY or vault:URL/MOUNT/KEY to have it wrapped by a transit engine of Vault or OpenBao. A file in the
    /// data folder if absent
    #[arg(long, env = "OPENTRAIL_MASTER_KEY", value_name = "KEY", hide_env_values = true, value_parser = source)]
    master_key: Option<Source>,
    /// Token for vault:, if VAULT_TOKEN is not set
    #[arg(long, env = "OPENTRAIL_VAULT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    vault_token: Option<String>,
    /// File with the token for vault:
    #[arg(long, env = "OPENTRAIL_VAULT_TOKEN_FILE", value_name = "FILE", conflicts_with = "vault_token")]
    vault_token_file: Option<PathBuf>,
    /// Certificates that are trusted for vault: besides the system's, PEM
    #[arg(long, env = "OPENTRAIL_VAULT_CA", value_name = "FILE")]
    vault_ca: Option<PathBuf>,
    /// Namespace for vault:
    #[arg(long, env = "OPENTRAIL_VAULT_NAMESPACE", value_name = "NAME")]
    vault_namespace: Option<String>,
}

#[derive(Clone)]
enum Source {
    Key([u8; 32]),
    File(PathBuf),
    Transit { address: String, mount: String, key: String },
}

fn source(text: &str) -> Result<Source, String> {
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
        return Ok(Source::File(path.into()));
    }
    if let Some(name) = text.strip_prefix("env:") {
        let value = env::var(name).map_err(|_| format!("the variable {name} is not set"))?;
        return digits(value.trim()).map_err(|_| format!("the variable {name} has no 64 hexadecimal digits"));
    }
    match text.strip_prefix("vault:") {
        Some(url) => transit(url),
        None => digits(text),
    }
}

fn digits(text: &str) -> Result<Source, String> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| FORMS.to_owned())?;
    Ok(Source::Key(key))
}

/// `https://host:8200/key`, or with the engine's path before the key.
fn transit(url: &str) -> Result<Source, String> {
    let wrong = || "write vault:URL/KEY, such as vault:https://vault.example:8200/opentrail".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').ok_or_else(wrong)?;
    let (mount, key) = path.rsplit_once('/').unwrap_or((TRANSIT_MOUNT, path));
    if host.is_empty() || mount.is_empty() || key.is_empty() {
        return Err(wrong());
    }
    let address = format!("{scheme}://{host}");
    Ok(Source::Transit { address, mount: mount.to_owned(), key: key.to_owned() })
}

impl MasterKeyArguments {
    /// What the operator said.
    pub(crate) fn into_source(self) -> Option<MasterKeyFrom> {
        Some(match self.master_key? {
            Source::Key(key) => key.into(),
            Source::File(path) => MasterKeyFrom::File(path),
            Source::Transit { address, mount, key } => MasterKeyFrom::Transit(TransitOptions {
                address,
                mount,
                key,
                token: self.vault_token.or_else(|| env::var("VAULT_TOKEN").ok()),
                token_file: self.vault_token_file,
                certificates: self.vault_ca,
                namespace: self.vault_namespace,
                patience: None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, String)> {
        match source(text) {
            Ok(Source::Transit { address, mount, key }) => Some((address, mount, key)),
            _ => None,
        }
    }

    #[test]
    fn an_engine_is_named_by_its_address_and_key() {
        let named = |address: &str, mount: &str, key: &str| Some((address.into(), mount.into(), key.into()));
        assert_eq!(parts("vault:https://v:8200/trail"), named("https://v:8200", "transit", "trail"));
        assert_eq!(parts("vault:https://v/team/transit/trail"), named("https://v", "team/transit", "trail"));
        for bad in ["vault:https://v:8200", "vault:https://v:8200/", "vault:v/trail", "vault:https:///k"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_and_digits_are_told_apart() {
        assert!(matches!(source("file:/etc/key"), Ok(Source::File(path)) if path.as_os_str() == "/etc/key"));
        assert!(matches!(source(&"ab".repeat(32)), Ok(Source::Key(key)) if key == [0xab; 32]));
        assert!(source("file:").is_err() && source("secret").is_err() && source(&"ab".repeat(31)).is_err());
        assert!(source("env:OPENTRAIL_NO_SUCH_VARIABLE").is_err());
    }
}
