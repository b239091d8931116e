//! Where a warehouse is, as an option says it.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use object_store::{ObjectStore, aws::AmazonS3Builder, path::Path};

use crate::LakeError;

/// Where a warehouse is: `/a/folder`, `file:///a/folder` or `s3://bucket/prefix`.
///
/// Region, endpoint and credentials of an S3 service are read from the environment, under the names that AWS's
/// own tools use (`AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, …; object_store's `AmazonS3ConfigKey`
/// has them all).
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
}

impl Location {
    fn refused(location: &str, reason: impl Into<String>) -> LakeError {
        LakeError::Location { location: location.to_owned(), reason: reason.into() }
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
            "s3" | "s3a" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(Self::refused(text, "it names no bucket"));
                }
                let prefix = Path::parse(prefix).map_err(|error| Self::refused(text, error.to_string()))?;
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix })
            }
            _ => Err(Self::refused(text, "it can be a folder, file:///folder or s3://bucket/prefix")),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// A folder as a URI. One whose name other engines could read differently is refused.
pub(super) fn file_uri(folder: &std::path::Path) -> Result<String, LakeError> {
    let shown = folder.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~+=@,".contains(c);
    if folder.to_str().is_none() || !shown.chars().all(plain) {
        return Err(Location::refused(
            &shown,
            "names in a table's metadata are URIs: letters, digits and /-_.~+=@, only",
        ));
    }
    Ok(format!("file://{}", shown.trim_end_matches('/')))
}

pub(super) fn s3(bucket: &str) -> Result<Arc<dyn ObjectStore>, LakeError> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL_S3").or_else(|_| std::env::var("AWS_ENDPOINT_URL"));
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    if let Ok(endpoint) = endpoint {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    Ok(Arc::new(builder.build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_people_write_them() {
        let folder = |text: &str| Location::Folder(PathBuf::from(text));
        assert_eq!("/srv/lake".parse::<Location>().unwrap(), folder("/srv/lake"));
        assert_eq!("lake".parse::<Location>().unwrap(), folder("lake"));
        assert_eq!("file:///srv/lake".parse::<Location>().unwrap(), folder("/srv/lake"));
        let s3 = "s3://audit/tables/lake/".parse::<Location>().unwrap();
        assert_eq!(s3, Location::S3 { bucket: "audit".into(), prefix: Path::from("tables/lake") });
        assert_eq!(s3.to_string(), "s3://audit/tables/lake");
        for wrong in ["", "s3://", "s3:///x", "ftp://x/y", "file://host/x", "s3://a/../b"] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_that_a_uri_would_change_is_refused() {
        assert_eq!(file_uri(std::path::Path::new("/srv/lake-1/")).unwrap(), "file:///srv/lake-1");
        assert!(file_uri(std::path::Path::new("/srv/the lake")).is_err());
        assert!(file_uri(std::path::Path::new("/srv/100%")).is_err());
    }
}
