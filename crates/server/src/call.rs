//! One authenticated call of an operation, with all an operation may want to know about it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_identity::{Ask, Caller, Denial, IdentityError, Principal, RequestFacts};
use opentrail_policy::Context;
use opentrail_wire::request_id;

use crate::{
    fault::{Common, Dialect, Fault},
    recording::Who,
    rooms::Rooms,
    service::Service,
};

/// What the door knows about a request, whatever service it is for.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// When the door saw it.
    pub(crate) at: DateTime<Utc>,
    /// Our id for it, in the answer's headers and in its record.
    pub(crate) request_id: String,
    /// Where it came from.
    pub(crate) source_ip: IpAddr,
    /// `User-Agent`, as sent.
    pub(crate) user_agent: Option<String>,
    /// `Referer`, as sent.
    pub(crate) referer: Option<String>,
    /// `Host`, as sent.
    pub(crate) host: Option<String>,
    /// What TLS agreed on, where there is TLS.
    pub(crate) tls: Option<Tls>,
}

/// What TLS agreed on for a connection.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// As CloudTrail writes it: `TLSv1.3`.
    pub(crate) version: String,
    /// IANA's name of the suite.
    pub(crate) cipher_suite: String,
}

impl Arrival {
    /// What one of our own services sets out to do.
    pub(crate) fn of_service(name: &str) -> Self {
        Self {
            at: Utc::now(),
            request_id: request_id::uuid_form(rand::random()),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: Some(name.to_owned()),
            referer: None,
            host: None,
            tls: None,
        }
    }

    /// The condition keys every request has, whoever calls.
    pub(crate) fn context(&self, region: &Region) -> Context {
        let facts = RequestFacts {
            at: self.at,
            source_ip: Some(self.source_ip),
            secure_transport: self.tls.is_some(),
            user_agent: self.user_agent.as_deref(),
            referer: self.referer.as_deref(),
            region: Some(region.as_str()),
        };
        facts.context()
    }
}

/// One call: who, of what, where, when.
pub(crate) struct Call {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) service: &'static Service,
    /// The region signed for.
    pub(crate) region: Region,
    pub(crate) caller: Caller,
    /// The caller's account; what the operation makes belongs to it.
    pub(crate) account: AccountId,
    pub(crate) arrival: Arrival,
}

impl Call {
    /// The region its record belongs to.
    pub(crate) fn recorded_region(&self) -> Region {
        if self.service.global { Region::us_east_1() } else { self.region.clone() }
    }

    /// Whether the caller's policies allow `action` on `resource`. `context` has the request's condition keys
    /// ([`Arrival::context`]) and the operation's own.
    pub(crate) fn permit(&self, action: &str, resource: &str, context: Context) -> Result<(), Fault> {
        let ask = Ask { action, resource, context, ..Ask::default() };
        let verdict = self.rooms.identity.authorize(&self.caller, &ask);
        verdict.into_result().map_err(|denial| self.denied(&ask, &denial))
    }

    /// What the caller's policies do not allow.
    pub(crate) fn denied(&self, ask: &Ask<'_>, denial: &Denial) -> Fault {
        let message = self.rooms.identity.authorization_message(&self.caller, ask, denial);
        self.fault(Common::AccessDenied, denial.to_string()).with_authorization_message(message)
    }

    /// The same call, made by somebody else: by whom something outside vouches for.
    pub(crate) fn made_by(&self, caller: Caller, account: AccountId) -> Self {
        Self {
            rooms: Arc::clone(&self.rooms),
            service: self.service,
            region: self.region.clone(),
            caller,
            account,
            arrival: self.arrival.clone(),
        }
    }

    /// Who makes it, as its record says. Nobody is known of whoever proved nothing.
    pub(crate) fn who(&self) -> Who<'_> {
        match self.caller.principal {
            Principal::Anonymous => Who::Unknown(None),
            _ => Who::Known(&self.caller),
        }
    }

    /// A failure that belongs to no single operation.
    pub(crate) fn fault(&self, kind: Common, message: impl Into<String>) -> Fault {
        Fault::common(kind, self.dialect(), message)
    }

    /// What identity refused, in the service's words.
    pub(crate) fn refused(&self, error: IdentityError) -> Fault {
        Fault::of_identity(error, self.dialect())
    }

    /// The words of this call's protocol.
    pub(crate) fn dialect(&self) -> Dialect {
        self.service.dialect
    }
}
