//! When, from where and with what a request came.

use std::net::{IpAddr, Ipv4Addr};

use chrono::Utc;
use http::{
    HeaderMap,
    header::{HOST, HeaderName, REFERER, USER_AGENT},
    request::Parts,
};
use opentrail_wire::request_id;

use crate::{call::Arrival, listen::Peer};

/// Bytes of a header that are kept for the record; AWS cuts `userAgent` at 1 KB.
const MAX_KEPT: usize = 1024;

pub(super) fn of(parts: &Parts) -> Arrival {
    let peer = parts.extensions.get::<Peer>();
    Arrival {
        at: Utc::now(),
        request_id: request_id::uuid_form(rand::random()),
        source_ip: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip()),
        user_agent: kept(&parts.headers, &USER_AGENT),
        referer: kept(&parts.headers, &REFERER),
        host: kept(&parts.headers, &HOST).or_else(|| parts.uri.host().map(str::to_owned)),
        tls: peer.and_then(|peer| peer.tls.clone()),
    }
}

fn kept(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    Some(String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_KEPT)]).into_owned())
}
