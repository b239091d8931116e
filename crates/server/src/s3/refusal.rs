//! Why a call is refused, and the headers that go with the refusal.

use opentrail_event::EventError;
use opentrail_vault::VaultError;

use super::shape;
use crate::{
    door::Stranger,
    fault::{Dialect, Fault},
    recording::unwritable,
};

/// A refused call: the fault, and what else its answer's headers say.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) fault: Fault,
    /// Names and values.
    pub(super) headers: Vec<(&'static str, String)>,
    /// What else its document says: names and texts.
    pub(super) details: Vec<(&'static str, String)>,
    /// The change is durable all the same, and its record with it.
    pub(super) is_recorded: bool,
}

impl Refusal {
    /// A refusal with a code of S3.
    pub(super) fn of(code: &'static str, message: impl Into<String>) -> Self {
        Fault::of_s3(code, message).into()
    }

    /// The caller may not; the message says no more.
    pub(super) fn access_denied() -> Self {
        Self::of("AccessDenied", "Access Denied")
    }

    /// AWS has it, we do not.
    pub(super) fn not_built(what: &str) -> Self {
        Self::of("NotImplemented", format!("opentrail does not implement {what}."))
    }

    /// With another header.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With another element in its document.
    pub(super) fn telling(mut self, name: &'static str, text: &str) -> Self {
        self.details.push((name, text.to_owned()));
        self
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, headers: Vec::new(), details: Vec::new(), is_recorded: false }
    }
}

impl From<EventError> for Refusal {
    fn from(error: EventError) -> Self {
        unwritable(&error, Dialect::S3).into()
    }
}

impl From<&Stranger> for Refusal {
    fn from(stranger: &Stranger) -> Self {
        Self { details: stranger.details.clone(), ..stranger.fault.clone().into() }
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        match &error {
            VaultError::NoSuchKey { delete_marker: Some(marker), .. } => {
                let marker = marker.clone();
                Self::from(Fault::of_vault(error))
                    .with("x-amz-delete-marker", "true")
                    .with("x-amz-version-id", &marker)
            }
            VaultError::VersionIsDeleteMarker { version_id, last_modified, .. } => {
                let (version, modified) = (version_id.clone(), shape::http_date(*last_modified));
                Self::from(Fault::of_vault(error))
                    .with("x-amz-delete-marker", "true")
                    .with("x-amz-version-id", &version)
                    .with("last-modified", &modified)
                    .with("allow", "DELETE")
            }
            VaultError::NotModified { etag, last_modified } => {
                let (etag, modified) = (format!("\"{etag}\""), shape::http_date(*last_modified));
                Self::from(Fault::of_vault(error)).with("etag", &etag).with("last-modified", &modified)
            }
            VaultError::InvalidRange { size } => {
                let range = format!("bytes */{size}");
                Self::from(Fault::of_vault(error)).with("content-range", &range)
            }
            VaultError::NotAppliedYet => Self { is_recorded: true, ..Fault::of_vault(error).into() },
            _ => Fault::of_vault(error).into(),
        }
    }
}
