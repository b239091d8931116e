//! What an operator needs to use a new server: where it is, and `client.env`.

use std::{io, path::PathBuf};

use opentrail_event::{AccountId, Region};
use opentrail_journal::disk::{Access, Disk};

use crate::options::RootCredentials;

/// Where the server is, and how to reach it.
pub struct Welcome {
    /// The URL that clients take as their endpoint.
    pub endpoint: String,
    /// The first account.
    pub account: AccountId,
    /// The operator's region.
    pub region: Region,
    /// Root credentials drawn at this start; shown once.
    pub new_root: Option<RootCredentials>,
    /// The file to `source`; none if the data folder is encrypted and no other place was named.
    pub client_env: Option<PathBuf>,
}

/// Writes `client.env`, readable by its owner only: sourced, it makes the AWS CLI a client of this
/// server.
pub(crate) fn write_client_env(
    disk: &dyn Disk,
    path: &std::path::Path,
    endpoint: &str,
    region: &Region,
    root: &RootCredentials,
) -> io::Result<()> {
    let text = format!(
        "export AWS_ENDPOINT_URL={}\n\
         export AWS_ACCESS_KEY_ID={}\n\
         export AWS_SECRET_ACCESS_KEY={}\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n\
         unset AWS_SESSION_TOKEN AWS_PROFILE\n",
        shell_word(endpoint),
        shell_word(&root.access_key_id),
        shell_word(&root.secret_access_key),
    );
    disk.write_atomically(path, text.as_bytes(), Access::Private)
}

/// A word that a shell reads back as it is.
fn shell_word(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:+=".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_secret_with_odd_characters_survives_the_shell() {
        assert_eq!(shell_word("plain/Word+1="), "plain/Word+1=");
        assert_eq!(shell_word("o'dd $HOME"), r"'o'\''dd $HOME'");
    }
}
