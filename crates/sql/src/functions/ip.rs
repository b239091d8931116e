//! IP addresses: sixteen bytes, IPv4 mapped into IPv6, as Trino keeps them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, StringArray};
use datafusion::common::Result;

use super::call::{Call, failed};
use super::column::Argument;

/// An address's bytes.
pub(crate) fn parse(text: &str) -> Result<[u8; 16]> {
    let address: IpAddr =
        text.trim().parse().map_err(|_| failed(format!("Cannot cast value to IPADDRESS: {text}")))?;
    Ok(bytes(address))
}

fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some(Ipv6Addr::from(bytes).to_canonical())
}

/// An address's text, of its sixteen bytes.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    address(bytes).map(|address| address.to_string())
}

/// Addresses as varchar.
pub(crate) fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let array = array.as_fixed_size_binary();
    let texts: StringArray = array.iter().map(|value| value.and_then(text)).collect();
    Ok(Arc::new(texts))
}

/// `10.0.0.0/8`: the address and how many of its bits count, in sixteen bytes.
fn network(text: &str) -> Result<([u8; 16], u32)> {
    let wrong = || failed(format!("Invalid CIDR: {text}"));
    let (address, bits) = text.trim().split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let (length, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
    if bits > length {
        return Err(wrong());
    }
    Ok((bytes(address), bits + offset))
}

/// `contains('10.0.0.0/8', address)`.
pub(crate) fn contains(call: &Call) -> Result<ArrayRef> {
    let networks = call.texts(0)?;
    let Argument { array, .. } = &call.arguments[1];
    let addresses: &FixedSizeBinaryArray = array.as_fixed_size_binary();
    let mut known: Option<(&str, [u8; 16], u32)> = None;
    let answers = (0..call.rows)
        .map(|row| {
            let Some(text) = networks.get(row) else { return Ok(None) };
            let (base, bits) = match known {
                Some((last, base, bits)) if last == text => (base, bits),
                _ => {
                    let (base, bits) = network(text)?;
                    known = Some((text, base, bits));
                    (base, bits)
                }
            };
            let at = call.arguments[1].at(row);
            if addresses.is_null(at) {
                return Ok(None);
            }
            let Ok(given) = <[u8; 16]>::try_from(addresses.value(at)) else { return Ok(None) };
            let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
            Ok(Some(u128::from_be_bytes(given) & mask == u128::from_be_bytes(base) & mask))
        })
        .collect::<Result<BooleanArray>>()?;
    Ok(Arc::new(answers))
}
