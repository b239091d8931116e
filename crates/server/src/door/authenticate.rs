//! Who sent a request: the signature and the credentials behind it.

use http::request::Parts;
use opentrail_event::AccountId;
use opentrail_identity::Caller;
use opentrail_wire::sigv4::{SignatureError, SignedRequest, Verified};

use crate::{
    call::Arrival,
    fault::{Dialect, Fault},
    recording::Who,
    rooms::Rooms,
};

/// A request whose sender did not prove who it is.
pub(crate) struct Stranger {
    pub(crate) fault: Fault,
    /// The account of the credentials that were named and exist, although the signature does not hold.
    claimed: Option<AccountId>,
    access_key_id: Option<Box<str>>,
    /// What S3's answer says beside code and message: how the server read the request that the signature is not of.
    /// Nothing in it is a secret: all of it was sent by the stranger.
    pub(crate) details: Vec<(&'static str, String)>,
}

impl Stranger {
    /// A request that is nobody's.
    pub(crate) fn nobody(fault: Fault) -> Self {
        Self { fault, claimed: None, access_key_id: None, details: Vec::new() }
    }

    /// The account that hears of the attempt: the owner of the key that was named, else the first one.
    pub(crate) fn account(&self, rooms: &Rooms) -> AccountId {
        self.claimed.unwrap_or(rooms.home)
    }

    /// The sender as a record shows it: an unproven name is not a name.
    pub(crate) fn who(&self) -> Who<'_> {
        Who::Unknown(self.access_key_id.as_deref())
    }
}

/// The request's signature as it stands there; `None` where there is none.
pub(crate) fn signed(parts: &Parts, dialect: Dialect) -> Result<Option<SignedRequest>, Stranger> {
    SignedRequest::read(parts).map_err(|error| Stranger::nobody(Fault::of_signature(&error, dialect)))
}

/// Whether a request names credentials that hold. Who names them is checked only with the body.
pub(super) fn names_credentials(rooms: &Rooms, parts: &Parts, arrival: &Arrival) -> bool {
    let Ok(Some(signed)) = SignedRequest::read(parts) else { return false };
    rooms.identity.credential(signed.access_key_id(), signed.session_token(), arrival.at).is_ok()
}

/// Finds the credentials and checks the signature. `body_sha256` is given where the body was read.
pub(crate) fn authenticate(
    rooms: &Rooms,
    signed: &SignedRequest,
    parts: &Parts,
    arrival: &Arrival,
    body_sha256: Option<[u8; 32]>,
    dialect: Dialect,
) -> Result<(Caller, Verified), Stranger> {
    let access_key_id = Some(Box::<str>::from(signed.access_key_id()));
    let credential = rooms
        .identity
        .credential(signed.access_key_id(), signed.session_token(), arrival.at)
        .map_err(|error| Stranger {
            fault: Fault::of_identity(error, dialect),
            claimed: None,
            access_key_id: access_key_id.clone(),
            details: Vec::new(),
        })?;
    match signed.verify(parts, &credential.secret, arrival.at, body_sha256) {
        Ok(verified) => {
            let (service, region) = (signed.service(), signed.region());
            rooms.identity.note_use(&credential.caller, service, region, arrival.at);
            Ok((credential.caller, verified))
        }
        Err(error) => Err(Stranger {
            fault: Fault::of_signature(&error, dialect),
            claimed: credential.caller.principal.account(),
            access_key_id,
            details: explained(&error, signed),
        }),
    }
}

/// How the server read a request whose signature is not that of what it read: with it, whoever wrote a client finds
/// what differs. It is built of what was sent; the signature that would have been right is not in it.
fn explained(error: &SignatureError, signed: &SignedRequest) -> Vec<(&'static str, String)> {
    let SignatureError::SignatureMismatch { canonical_request, string_to_sign } = error else {
        return Vec::new();
    };
    vec![
        ("AWSAccessKeyId", signed.access_key_id().to_owned()),
        ("StringToSign", string_to_sign.clone()),
        ("SignatureProvided", signed.signature().to_owned()),
        ("StringToSignBytes", spelled(string_to_sign)),
        ("CanonicalRequest", canonical_request.clone()),
        ("CanonicalRequestBytes", spelled(canonical_request)),
    ]
}

/// Bytes as S3 spells them: two hexadecimal digits each, with spaces between.
fn spelled(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// The digest of a whole body, as signatures take it.
pub(crate) fn sha256(body: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref());
    digest
}
