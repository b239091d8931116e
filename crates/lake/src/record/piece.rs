//! Short pieces of bytes, copied, compared and looked through without a call.
//!
//! A record is made of some eighty pieces of about twenty bytes, for which a call of `memcpy` takes longer than what it
//! does. A piece that is no longer than two blocks is its first block and its last, which may overlap.

/// Longer pieces are the C library's.
const LONGEST: usize = 64;

/// Copies a piece into as many bytes.
#[inline]
pub(super) fn copy(piece: &[u8], into: &mut [u8]) {
    match piece.len() {
        0..4 => copy_few(piece, into),
        4..8 => copy_ends::<4>(piece, into),
        8..16 => copy_ends::<8>(piece, into),
        16..32 => copy_ends::<16>(piece, into),
        32..=LONGEST => copy_ends::<32>(piece, into),
        _ => into.copy_from_slice(piece),
    }
}

/// Copies a text into as many bytes, and whether it is a JSON string as it stands, but for the quotes.
#[inline]
pub(super) fn copy_plain(text: &[u8], into: &mut [u8]) -> bool {
    match text.len() {
        0..4 => copy_few(text, into),
        4..8 => copy_ends::<4>(text, into),
        8..16 => {
            copy_ends::<8>(text, into);
            return are_ends_plain::<8>(text);
        }
        16..32 => {
            copy_ends::<16>(text, into);
            return are_ends_plain::<16>(text);
        }
        32..=LONGEST => {
            copy_ends::<32>(text, into);
            return are_ends_plain::<32>(text);
        }
        _ => into.copy_from_slice(text),
    }
    is_plain(text)
}

#[inline]
fn copy_few(piece: &[u8], into: &mut [u8]) {
    into.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
}

#[inline]
fn copy_ends<const N: usize>(piece: &[u8], into: &mut [u8]) {
    if let (Some(from), Some(to)) = (piece.first_chunk::<N>(), into.first_chunk_mut::<N>()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (piece.last_chunk::<N>(), into.last_chunk_mut::<N>()) {
        *to = *from;
    }
}

/// Whether two pieces are the same.
#[inline]
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && match one.len() {
            0..4 => one.iter().zip(other).all(|(one, other)| one == other),
            4..8 => are_ends_same::<4>(one, other),
            8..16 => are_ends_same::<8>(one, other),
            16..32 => are_ends_same::<16>(one, other),
            32..=LONGEST => are_ends_same::<32>(one, other),
            _ => one == other,
        }
}

#[inline]
fn are_ends_same<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<N>() == other.first_chunk::<N>() && one.last_chunk::<N>() == other.last_chunk::<N>()
}

/// Whether a text is a JSON string as it stands, but for the quotes.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    match text.len() {
        0..4 => !text.iter().any(|byte| is_special(*byte)),
        4..8 => {
            let word =
                |bytes: Option<&[u8; 4]>| u64::from(bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes)));
            let both = word(text.first_chunk()) << 32 | word(text.last_chunk());
            special_in(&both.to_le_bytes()) & HIGH == 0
        }
        8..16 => are_ends_plain::<8>(text),
        16..32 => are_ends_plain::<16>(text),
        _ => {
            text.as_chunks::<32>().0.iter().all(|block| special_in(block) & HIGH == 0)
                && are_ends_plain::<32>(text)
        }
    }
}

#[inline]
fn are_ends_plain<const N: usize>(text: &[u8]) -> bool {
    let first = text.first_chunk::<N>().map_or(0, |first| special_in(first));
    let last = text.last_chunk::<N>().map_or(0, |last| special_in(last));
    (first | last) & HIGH == 0
}

/// The lowest bit of each byte of a word, and the highest.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Has the highest bit of a byte set, among others, if there is one that [`is_special`], and of no byte if there is
/// none: to subtract from bytes what they are less than takes one from beyond the highest bit. `bytes` are whole words.
#[inline]
fn special_in(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).fold(0, |found, word| {
        let control = word.wrapping_sub(LOW * 0x20);
        let quote = (word ^ (LOW * b'"' as u64)).wrapping_sub(LOW);
        let backslash = (word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW);
        found | ((control | quote | backslash) & !word)
    })
}

/// Whether JSON wants an escape for it.
#[inline]
pub(super) fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}
