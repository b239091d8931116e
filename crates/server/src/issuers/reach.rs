//! Which machines may be asked for keys. Whoever may create a provider chooses the address, so without the operator's
//! word it is none that only this machine, or its network, can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where OpenID Connect issuers may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IssuerReach {
    /// On the internet.
    #[default]
    Public,
    /// There, or in the networks that are private (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// There, or on this machine, also without TLS: for tests.
    Loopback,
}

impl IssuerReach {
    /// Whether an address may be asked.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match plain(address) {
            IpAddr::V4(ip) if ip.is_loopback() => self == Self::Loopback,
            IpAddr::V6(ip) if ip.is_loopback() => self == Self::Loopback,
            IpAddr::V4(ip) if is_private_v4(ip) => self != Self::Public,
            IpAddr::V6(ip) if is_private_v6(ip) => self != Self::Public,
            IpAddr::V4(ip) => is_public_v4(ip),
            IpAddr::V6(ip) => is_public_v6(ip),
        }
    }
}

/// The address behind one that only wraps another: IPv4 in IPv6, be it mapped (RFC 4291), translated (RFC 6052) or
/// 6to4 (RFC 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(ip) = address.to_canonical() else { return address.to_canonical() };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        _ => IpAddr::V6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    ip.is_private() || first == 100 && (64..128).contains(&second)
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_unique_local()
}

/// Not one of the special-purpose addresses (RFC 6890 and its registry).
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    let is_protocol = first == 192 && second == 0 && third == 0;
    let is_benchmark = first == 198 && (18..20).contains(&second);
    let is_special = ip.is_link_local() || ip.is_multicast() || ip.is_documentation();
    !(first == 0 || first >= 240 || is_protocol || is_benchmark || is_special)
}

/// Global unicast (2000::/3) without its special parts: everything else is none, or nobody's yet.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second < 0x200 || second == 0xdb8)) && first != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::IssuerReach::{self, Loopback, Private, Public};

    fn allowed(text: &str) -> Vec<IssuerReach> {
        let address = text.parse().unwrap();
        [Public, Private, Loopback].into_iter().filter(|reach| reach.allows(address)).collect()
    }

    #[test]
    fn the_internet_is_for_all() {
        for address in
            ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::808:808"]
        {
            assert_eq!(allowed(address), [Public, Private, Loopback], "{address}");
        }
    }

    #[test]
    fn private_networks_and_this_machine_are_the_operators_choice() {
        for address in ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"] {
            assert_eq!(allowed(address), [Private, Loopback], "{address}");
        }
        for address in
            ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
        {
            assert_eq!(allowed(address), [Loopback], "{address}");
        }
    }

    #[test]
    fn what_is_special_is_for_nobody() {
        for address in [
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "192.0.0.8",
            "::",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "64:ff9b::a9fe:a9fe",
            "::ffff:169.254.169.254",
            "2002:a9fe:a9fe::",
        ] {
            assert_eq!(allowed(address), [], "{address}");
        }
    }
}
