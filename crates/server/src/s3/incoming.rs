//! A request's body on its way to the operation: counted, and held against the digests in its headers where
//! the vault does not do that itself.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use md5::{Digest, Md5};
use opentrail_wire::body::{BodyError, Checksum, ChecksumAlgorithm, PayloadBody};
use parking_lot::Mutex;

use crate::fault::Fault;

/// Bytes of a document (XML, policy) that are kept for the call's record.
const MAX_KEPT: usize = 100 * 1024;

/// What becomes known of a body while it is read.
#[derive(Default)]
pub(super) struct Intake {
    received: AtomicU64,
    is_document: AtomicBool,
    is_digested: AtomicBool,
    learnt: Mutex<Learnt>,
}

#[derive(Default)]
struct Learnt {
    fault: Option<Fault>,
    document: Vec<u8>,
}

impl Intake {
    /// Bytes of content so far.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Why the body was refused, if it was.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.learnt.lock().fault.clone()
    }

    /// Says, before the body is read, that it is a document: it is kept for the record, and the digests in the
    /// headers are checked here, where they are its own (`is_digested`).
    pub(super) fn expect_document(&self, is_digested: bool) {
        self.is_document.store(true, Ordering::Relaxed);
        self.is_digested.store(is_digested, Ordering::Relaxed);
    }

    /// The document, if that is what the body was and it was not too long to keep.
    pub(super) fn document(&self) -> Option<Vec<u8>> {
        let learnt = self.learnt.lock();
        let whole = learnt.document.len() as u64 == self.received() && !learnt.document.is_empty();
        whole.then(|| learnt.document.clone())
    }
}

/// The body was refused; [`Intake::fault`] says why.
#[derive(Debug, thiserror::Error)]
#[error("the request's body was refused")]
pub(super) struct Refused;

/// A request's body.
pub(super) struct Incoming {
    inner: PayloadBody<Body>,
    intake: Arc<Intake>,
    claims: Vec<Claim>,
}

/// A digest that the caller gave and that is computed here.
enum Claim {
    Md5(Md5, Option<Vec<u8>>),
    Checksum(ChecksumAlgorithm, Box<Checksum>, Option<Vec<u8>>),
}

impl Claim {
    fn settle(self) -> Result<(), Fault> {
        match self {
            Self::Md5(_, None) => {
                Err(Fault::of_s3("InvalidDigest", "The Content-MD5 you specified was invalid."))
            }
            Self::Md5(md5, Some(given)) => {
                if md5.finalize().as_slice() == given {
                    return Ok(());
                }
                let message = "The Content-MD5 you specified did not match what we received.";
                Err(Fault::of_s3("BadDigest", message))
            }
            Self::Checksum(algorithm, _, None) => {
                let message = format!("Value for {} header is invalid.", algorithm.header_name());
                Err(Fault::of_s3("InvalidRequest", message))
            }
            Self::Checksum(algorithm, checksum, Some(given)) => {
                if checksum.finish() == given {
                    return Ok(());
                }
                let name = algorithm.name();
                let message = format!("The {name} you specified did not match the calculated checksum.");
                Err(Fault::of_s3("BadDigest", message))
            }
        }
    }
}

impl Incoming {
    pub(super) fn new(inner: PayloadBody<Body>, intake: Arc<Intake>, headers: &HeaderMap) -> Self {
        let given = |name: &str| headers.get(name).map(|value| BASE64_STANDARD.decode(value.as_bytes()).ok());
        let md5 = given("content-md5").map(|digest| Claim::Md5(Md5::new(), digest));
        use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
        let checksums = [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256].into_iter().filter_map(|algorithm| {
            let digest = given(algorithm.header_name())?;
            Some(Claim::Checksum(algorithm, Box::new(Checksum::new(algorithm)), digest))
        });
        let claims = md5.into_iter().chain(checksums).collect();
        Self { inner, intake, claims }
    }

    fn take(&mut self, bytes: &Bytes) {
        self.intake.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if !self.intake.is_document.load(Ordering::Relaxed) {
            return;
        }
        for claim in &mut self.claims {
            match claim {
                Claim::Md5(md5, _) => md5.update(bytes),
                Claim::Checksum(_, checksum, _) => checksum.update(bytes),
            }
        }
        let mut learnt = self.intake.learnt.lock();
        let room = MAX_KEPT.saturating_sub(learnt.document.len());
        learnt.document.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self) -> Result<(), Fault> {
        if !self.intake.is_digested.load(Ordering::Relaxed) {
            return Ok(());
        }
        std::mem::take(&mut self.claims).into_iter().try_for_each(Claim::settle)
    }

    fn refuse(&self, fault: Fault) -> Refused {
        self.intake.learnt.lock().fault.get_or_insert(fault);
        Refused
    }
}

/// Why the wire refused a body, as the caller hears it.
pub(super) fn fault_of(error: &BodyError) -> Fault {
    let (code, status) = error.code();
    Fault::exact(code, StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), error.to_string())
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Refused;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    let bytes = bytes.clone();
                    self.take(&bytes);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(self.refuse(fault_of(&error)))),
            None => self.end().err().map(|fault| Err(self.refuse(fault))),
        };
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
