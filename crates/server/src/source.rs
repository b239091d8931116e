//! What counts as one source of requests.

use std::net::{IpAddr, Ipv6Addr};

/// The leading bits of an IPv6 address that one network has.
const IPV6_NETWORK: Ipv6Addr = Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0xffff, 0, 0, 0, 0);

/// The source behind an address: an IPv4 address, or the /64 that one IPv6 network has.
pub(crate) fn of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(address & IPV6_NETWORK),
        v4 => v4,
    }
}

/// A source in words.
pub(crate) fn shown(source: IpAddr) -> String {
    match source {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{address}/64"),
    }
}
