//! One S3 call from the door to its record: what everyone who works on it knows.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, Method, StatusCode};
use opentrail_event::{AccountId, EventError, Region};
use opentrail_identity::Caller;
use opentrail_state::{OwnedEvent, Transaction};
use opentrail_vault::{Bucket, Vault, VaultError};
use opentrail_wire::body::Trailers;
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    catalog::{self, Operation},
    encryption_kms::KmsUse,
    incoming::Intake,
    record,
    refusal::Refusal,
};
use crate::{
    call::Arrival,
    door::Stranger,
    fault::{Dialect, Fault},
    rooms::Rooms,
};

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It did not.
    None,
    /// The `Authorization` header.
    Header,
    /// A presigned URL, so many milliseconds old.
    Query {
        /// Milliseconds since it was signed.
        age: i64,
    },
}

/// One call.
pub(super) struct Scene {
    pub(super) rooms: Arc<Rooms>,
    pub(super) arrival: Arrival,
    /// `x-amz-id-2`.
    pub(super) host_id: String,
    pub(super) sender: Result<Caller, Stranger>,
    pub(super) proof: Proof,
    /// The region signed for.
    pub(super) region: Region,
    pub(super) method: Method,
    /// The path as sent, for error documents.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) signing: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    /// The content's length, where the request says it.
    pub(super) length: Option<u64>,
    pub(super) intake: Arc<Intake>,
    pub(super) trailers: Trailers,
    /// Why the call fails whatever it asks, apart from its sender.
    pub(super) objection: Option<Refusal>,
    pub(super) subject: OnceLock<Subject>,
    pub(super) progress: Mutex<Progress>,
}

/// What a call is about.
pub(super) struct Subject {
    pub(super) operation: &'static Operation,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    /// The bucket as it was when the call began, if it exists.
    pub(super) found: Option<Arc<Bucket>>,
}

/// How far a call has come.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) refusal: Option<Refusal>,
    /// Its record was given to the journal with its change.
    pub(super) is_staged: bool,
    pub(super) status: Option<StatusCode>,
    pub(super) content: Option<Body>,
    /// The KMS keys that were used for it.
    pub(super) uses: Vec<KmsUse>,
    /// How the object that it makes is encrypted, in a record's words.
    pub(super) sse_applied: Option<&'static str>,
}

impl Scene {
    pub(super) fn vault(&self) -> &Vault {
        &self.rooms.vault
    }

    /// Says what the call is about; once.
    pub(super) fn is_about(&self, operation: &'static Operation, bucket: Option<&str>, key: Option<&str>) {
        let found = bucket.and_then(|name| self.vault().bucket(name).ok());
        let bucket = bucket.map(str::to_owned);
        let subject = Subject { operation, bucket, key: key.map(str::to_owned), found };
        // A second say comes only from a call that was routed twice, which none is.
        let _ = self.subject.set(subject);
    }

    /// What the call is about; nothing that S3 knows where it never came to be told.
    pub(super) fn subject(&self) -> &Subject {
        self.subject.get_or_init(|| Subject {
            operation: &catalog::UNKNOWN,
            bucket: None,
            key: None,
            found: None,
        })
    }

    /// Whether the call's operation is known.
    pub(super) fn is_routed(&self) -> bool {
        self.subject.get().is_some()
    }

    /// The bucket that the call is about.
    pub(super) fn bucket(&self) -> Result<&Arc<Bucket>, Refusal> {
        let subject = self.subject();
        subject.found.as_ref().ok_or_else(|| {
            VaultError::NoSuchBucket { bucket: subject.bucket.clone().unwrap_or_default() }.into()
        })
    }

    /// Who calls; nobody where the sender proved nothing.
    pub(super) fn caller(&self) -> Caller {
        self.sender.as_ref().map_or_else(|_| Caller::anonymous(), Caller::clone)
    }

    /// The caller's account; anonymous callers have none.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.sender.as_ref().ok().and_then(|caller| caller.principal.account())
    }

    /// The value of a header, where it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        std::str::from_utf8(value.as_bytes()).ok().map(str::trim)
    }

    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the sender proved who it is.
    pub(super) fn is_known(&self) -> bool {
        self.sender.as_ref().is_ok_and(|caller| caller.principal.account().is_some())
    }

    /// The events of the call as it succeeds, for the journal entry of its change.
    ///
    /// # Errors
    /// A record can't be written; then the change must not be made.
    pub(super) fn events(&self, elements: Option<Value>) -> Result<Vec<OwnedEvent>, EventError> {
        let mut events = record::of(self, elements, None, 0).events(&self.rooms.recorder)?;
        events.extend(self.events_of_keys()?);
        self.progress.lock().is_staged = true;
        Ok(events)
    }

    /// Changes documents, and records it, in one journal entry.
    pub(super) async fn change<T>(
        &self,
        stage: impl FnOnce(&Vault, &mut Transaction) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut tx = self.rooms.state.begin().await;
        let staged = stage(self.vault(), &mut tx)?;
        tx.commit(self.events(None)?).await.map_err(|error| Fault::of_state(error, Dialect::S3))?;
        Ok(staged)
    }

    /// Sets the answer's content, which the protocol layer does not carry.
    pub(super) fn answer_with(
        &self,
        content: impl Stream<Item = Result<Bytes, VaultError>> + Send + 'static,
    ) {
        let content = content.inspect(|piece| {
            if let Err(error) = piece {
                tracing::error!(%error, "an object can't be read to its end");
            }
        });
        self.progress.lock().content = Some(Body::from_stream(content));
    }

    /// Sets the answer's document, where the protocol layer can't write it.
    pub(super) fn answer_document(&self, document: String) {
        self.progress.lock().content = Some(Body::from(document));
    }

    /// Sets the answer's status, where the protocol layer chooses another.
    pub(super) fn answer_status(&self, status: StatusCode) {
        self.progress.lock().status = Some(status);
    }

    /// Keeps why the call fails.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.progress.lock().refusal.get_or_insert(refusal);
    }

    /// How far the call came; for its end.
    pub(super) fn ended(&self) -> Progress {
        std::mem::take(&mut *self.progress.lock())
    }
}
