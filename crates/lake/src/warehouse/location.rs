//! Where a warehouse is, as an option says it.

use std::{fmt, path::PathBuf, str::FromStr};

use object_store::path::Path;

use crate::LakeError;

/// What a location may be; told to who wrote another.
const FORMS: &str = "it can be a folder, file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix \
                     or abfss://container@account.dfs.core.windows.net/prefix";
/// What follows `ACCOUNT.blob.` and `ACCOUNT.dfs.` in Azure's public cloud.
pub(super) const PUBLIC_CLOUD: &str = "core.windows.net";

/// Where a warehouse is: `/a/folder`, `file:///a/folder`, `s3://bucket/prefix`, `gs://bucket/prefix`,
/// `az://container/prefix`, or Azure's long form, `abfss://container@account.dfs.core.windows.net/prefix`.
///
/// Endpoints and credentials of services are read from the environment when the warehouse is opened; the module
/// `services` says under which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of a service that speaks S3, and has conditional writes (`If-None-Match`).
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Where in the bucket tables are; may be empty.
        prefix: Path,
    },
    /// A container of Azure Blob Storage, with a hierarchical namespace (Data Lake Storage) or without.
    Azure {
        /// The container's name.
        container: String,
        /// Its storage account, where the location names one.
        account: Option<StorageAccount>,
        /// Where in the container tables are; may be empty.
        prefix: Path,
    },
    /// A bucket of Google Cloud Storage.
    Google {
        /// The bucket's name.
        bucket: String,
        /// Where in the bucket tables are; may be empty.
        prefix: Path,
    },
}

/// A storage account of Azure, as a location names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageAccount {
    /// Its name.
    pub name: String,
    /// What follows the service in its hosts' names: `core.windows.net` in the public cloud.
    pub cloud: String,
}

impl Location {
    pub(super) fn refused(location: &str, reason: impl Into<String>) -> LakeError {
        LakeError::Location { location: location.to_owned(), reason: reason.into() }
    }

    fn s3(text: &str, rest: &str) -> Result<Self, LakeError> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(Self::refused(text, "it names no bucket"));
        }
        let prefix = Path::parse(prefix).map_err(|error| Self::refused(text, error.to_string()))?;
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix })
    }

    fn google(text: &str, rest: &str) -> Result<Self, LakeError> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // https://cloud.google.com/storage/docs/buckets#naming
        let of_buckets = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if bucket.is_empty() || !bucket.chars().all(of_buckets) {
            let reason = "a bucket's name has lower-case letters, digits, hyphens, underscores and dots";
            return Err(Self::refused(text, reason));
        }
        Ok(Self::Google { bucket: bucket.to_owned(), prefix: plain_prefix(text, prefix)? })
    }

    fn azure(text: &str, rest: &str) -> Result<Self, LakeError> {
        let (place, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (container, account) = match place.split_once('@') {
            Some((container, host)) => (container, Some(StorageAccount::of_host(text, host)?)),
            None => (place, None),
        };
        // https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
        let of_containers = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if container.is_empty() || !container.chars().all(of_containers) {
            let reason = "a container's name has lower-case letters, digits and hyphens, and an account is written \
                          as in abfss://container@account.dfs.core.windows.net/prefix";
            return Err(Self::refused(text, reason));
        }
        let prefix = plain_prefix(text, prefix)?;
        Ok(Self::Azure { container: container.to_owned(), account, prefix })
    }
}

impl StorageAccount {
    /// Reads `account.dfs.core.windows.net` or `account.blob.core.windows.net`.
    fn of_host(location: &str, host: &str) -> Result<Self, LakeError> {
        let (name, rest) = host.split_once('.').unwrap_or((host, ""));
        let cloud = rest.strip_prefix("dfs.").or_else(|| rest.strip_prefix("blob."));
        let of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let of_hosts = |c: char| of_names(c) || "-.".contains(c);
        match cloud {
            Some(cloud)
                if !name.is_empty()
                    && name.chars().all(of_names)
                    && !cloud.is_empty()
                    && cloud.chars().all(of_hosts) =>
            {
                Ok(Self { name: name.to_owned(), cloud: cloud.to_owned() })
            }
            _ => Err(Location::refused(location, "an account is written as account.dfs.core.windows.net")),
        }
    }
}

impl FromStr for Location {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.is_empty() {
                return Err(Self::refused(text, "it is empty"));
            }
            return Ok(Self::Folder(PathBuf::from(text)));
        };
        match scheme {
            "file" if rest.starts_with('/') => Ok(Self::Folder(PathBuf::from(rest))),
            "file" => Err(Self::refused(text, "a file URI has three slashes and an absolute path")),
            "s3" | "s3a" => Self::s3(text, rest),
            "gs" => Self::google(text, rest),
            "az" | "abfs" | "abfss" | "wasb" | "wasbs" => Self::azure(text, rest),
            _ => Err(Self::refused(text, FORMS)),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Azure { container, account: None, prefix } => write!(f, "az://{container}/{prefix}"),
            Self::Azure { container, account: Some(StorageAccount { name, cloud }), prefix } => {
                write!(f, "abfss://{container}@{name}.dfs.{cloud}/{prefix}")
            }
            Self::Google { bucket, prefix } => write!(f, "gs://{bucket}/{prefix}"),
        }
    }
}

/// Whether a text is the same as a path and in a URI, for every engine.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~+=@,".contains(c))
}

const NOT_PLAIN: &str = "names in a table's metadata are URIs: letters, digits and /-_.~+=@, only";

fn plain_prefix(location: &str, prefix: &str) -> Result<Path, LakeError> {
    if !is_plain(prefix) {
        return Err(Location::refused(location, NOT_PLAIN));
    }
    Path::parse(prefix).map_err(|error| Location::refused(location, error.to_string()))
}

/// A folder as a URI. One whose name other engines could read differently is refused.
pub(super) fn file_uri(folder: &std::path::Path) -> Result<String, LakeError> {
    let shown = folder.display().to_string();
    if folder.to_str().is_none() || !is_plain(&shown) {
        return Err(Location::refused(&shown, NOT_PLAIN));
    }
    Ok(format!("file://{}", shown.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Location {
        text.parse().unwrap()
    }

    #[test]
    fn locations_are_read_as_people_write_them() {
        let folder = |text: &str| Location::Folder(PathBuf::from(text));
        assert_eq!(read("/srv/lake"), folder("/srv/lake"));
        assert_eq!(read("lake"), folder("lake"));
        assert_eq!(read("file:///srv/lake"), folder("/srv/lake"));
        let s3 = read("s3://audit/tables/lake/");
        assert_eq!(s3, Location::S3 { bucket: "audit".into(), prefix: Path::from("tables/lake") });
        assert_eq!(s3.to_string(), "s3://audit/tables/lake");
        let google = read("gs://audit_logs.example.com/lake");
        let bucket = "audit_logs.example.com".into();
        assert_eq!(google, Location::Google { bucket, prefix: Path::from("lake") });
        assert_eq!(google.to_string(), "gs://audit_logs.example.com/lake");
        for wrong in
            ["", "s3://", "s3:///x", "ftp://x/y", "file://host/x", "s3://a/../b", "gs://", "gs://A/b"]
        {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_container_is_named_with_its_account_or_without() {
        let azure = |account: Option<(&str, &str)>, prefix: &str| Location::Azure {
            container: "audit".into(),
            account: account.map(|(name, cloud)| StorageAccount { name: name.into(), cloud: cloud.into() }),
            prefix: Path::from(prefix),
        };
        assert_eq!(read("az://audit/lake/"), azure(None, "lake"));
        assert_eq!(read("abfss://audit"), azure(None, ""));
        let public = azure(Some(("logs1", "core.windows.net")), "lake");
        assert_eq!(read("abfss://audit@logs1.dfs.core.windows.net/lake"), public);
        assert_eq!(read("wasbs://audit@logs1.blob.core.windows.net/lake"), public);
        assert_eq!(public.to_string(), "abfss://audit@logs1.dfs.core.windows.net/lake");
        let china = azure(Some(("logs1", "core.chinacloudapi.cn")), "");
        assert_eq!(read("abfss://audit@logs1.dfs.core.chinacloudapi.cn/"), china);
        assert_eq!(read("az://audit/lake").to_string(), "az://audit/lake");
        for wrong in [
            "az://",
            "az://Audit/x",
            "az://audit/100%",
            "abfss://logs1.dfs.core.windows.net/audit/lake",
            "abfss://audit@logs1/lake",
            "abfss://audit@logs1.core.windows.net/lake",
            "abfss://@logs1.dfs.core.windows.net/lake",
            "abfss://audit@logs1.dfs.evil.example:1/lake",
        ] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_uri_would_change_is_refused() {
        assert_eq!(file_uri(std::path::Path::new("/srv/lake-1/")).unwrap(), "file:///srv/lake-1");
        assert!(file_uri(std::path::Path::new("/srv/the lake")).is_err());
        assert!(file_uri(std::path::Path::new("/srv/100%")).is_err());
        assert!("gs://audit/the lake".parse::<Location>().is_err());
    }
}
