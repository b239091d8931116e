//! Ranges of IP addresses.

use std::net::IpAddr;

/// A range of addresses of one family. A single address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    first: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Reads `address` or `address/prefix`. Bits after the prefix are ignored, as AWS ignores them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= most)?
            }
            Some(_) => return None,
        };
        Some(Self { first, prefix })
    }

    /// Whether `address` lies in the range. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) is the IPv4
    /// address it stands for.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let same_prefix = |left: u128, right: u128, bits: u32| {
            self.prefix == 0 || (left ^ right) >> (bits - self.prefix) == 0
        };
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(other)) => {
                same_prefix(first.to_bits().into(), other.to_bits().into(), 32)
            }
            (IpAddr::V6(first), IpAddr::V6(other)) => same_prefix(first.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cidr;

    fn contains(range: &str, address: &str) -> bool {
        Cidr::parse(range).expect("a range").contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_range_contains_what_shares_its_prefix() {
        assert!(contains("203.0.113.0/24", "203.0.113.255"));
        assert!(contains("203.0.113.77/24", "203.0.113.1"));
        assert!(!contains("203.0.113.0/24", "203.0.114.0"));
        assert!(contains("0.0.0.0/0", "255.255.255.255"));
        assert!(contains("10.1.2.3", "::ffff:10.1.2.3"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9"));
        assert!(!contains("2001:db8:1234:5678::/64", "2001:db8:1234:5679::9"));
        assert!(contains("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_not_a_range_is_refused() {
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0.0/8/8"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
