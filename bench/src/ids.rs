//! The `eventID` of the n-th event of a run: a version 4 UUID in form, spread evenly, and readable back.

/// Multiplying by an odd number is a bijection of the numbers below 2^48.
const ODD: u64 = 0x0000_9E37_79B9_7F4B;
/// The product of [`ODD`] and this is 1 modulo 2^48.
const INVERSE: u64 = inverse(ODD);
const MASK: u64 = (1 << 48) - 1;

/// Newton's iteration for the inverse of an odd number modulo 2^64, cut to 48 bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse & MASK
}

/// A number spread over 64 bits (SplitMix64's finalizer, Steele, Lea & Flood 2014).
pub(crate) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The ids of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    pub(crate) seed: u64,
}

impl Ids {
    /// Writes the id of event `number`, below 2^48: 36 characters.
    pub(crate) fn write(self, number: u64, out: &mut [u8]) {
        let high = mix(number ^ self.seed) & 0xffff_ffff_ffff_0fff | 0x4000;
        let variant = 0x8000 | (mix(high) & 0x3fff);
        let low = variant << 48 | (number.wrapping_mul(ODD) & MASK);
        let mut digits = [0; 32];
        hex_digits(high, &mut digits[..16]);
        hex_digits(low, &mut digits[16..]);
        let mut from = 0;
        for (group, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            let at = from + group;
            if group > 0 {
                out[at - 1] = b'-';
            }
            out[at..at + length].copy_from_slice(&digits[from..from + length]);
            from += length;
        }
    }

    /// The id of event `number`.
    pub(crate) fn text(self, number: u64) -> String {
        let mut out = [0; 36];
        self.write(number, &mut out);
        out.iter().map(|byte| char::from(*byte)).collect()
    }

    /// Which event has this id, if it is one of this run's.
    pub(crate) fn number(self, id: &str) -> Option<u64> {
        let low = u64::from_str_radix(id.get(24..36)?, 16).ok()?;
        let number = low.wrapping_mul(INVERSE) & MASK;
        (self.text(number) == id).then_some(number)
    }
}

/// Writes the last `out.len()` hexadecimal digits of a number.
pub(crate) fn hex_digits(number: u64, out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = number;
    for place in out.iter_mut().rev() {
        *place = DIGITS[(rest & 15) as usize];
        rest >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Ids;

    #[test]
    fn every_number_has_its_own_id_and_can_be_read_back() {
        let ids = Ids { seed: 7 };
        let mut seen = HashSet::new();
        for number in (0..10_000).chain([1 << 40, (1 << 48) - 1]) {
            let id = ids.text(number);
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
            assert_eq!(ids.number(&id), Some(number));
            assert!(seen.insert(id));
        }
        assert_eq!(ids.number("7a4e0b9e-0000-4000-8000-000000000000"), None);
        assert_eq!(Ids { seed: 8 }.number(&ids.text(5)), None);
    }
}
