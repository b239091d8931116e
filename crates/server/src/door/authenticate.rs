//! Who sent a request: the signature and the credentials behind it.

use http::request::Parts;
use opentrail_event::AccountId;
use opentrail_identity::Caller;
use opentrail_wire::sigv4::{SignedRequest, Verified};

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
    access_key_id: Option<String>,
}

impl Stranger {
    /// A request that is nobody's.
    pub(crate) fn nobody(fault: Fault) -> Self {
        Self { fault, claimed: None, access_key_id: None }
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
    let access_key_id = Some(signed.access_key_id().to_owned());
    let credential = rooms
        .identity
        .credential(signed.access_key_id(), signed.session_token(), arrival.at)
        .map_err(|error| Stranger {
            fault: Fault::of_identity(error, dialect),
            claimed: None,
            access_key_id: access_key_id.clone(),
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
        }),
    }
}

/// The digest of a whole body, as signatures take it.
pub(crate) fn sha256(body: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref());
    digest
}
