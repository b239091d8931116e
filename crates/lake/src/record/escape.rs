//! Texts that need escapes.

use super::{Fits, Sink, piece::is_special};

/// Writes a text for between the quotes of a JSON string, with no more escapes than JSON asks for, and the short ones
/// where there are.
pub(super) fn escaped(mut text: &[u8], sink: &mut impl Sink) -> Fits {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some(at) = text.iter().position(|byte| is_special(*byte)) {
        let (before, from) = text.split_at(at);
        sink.put(before)?;
        let Some((&byte, after)) = from.split_first() else { break };
        match byte {
            b'"' => sink.put(b"\\\"")?,
            b'\\' => sink.put(b"\\\\")?,
            0x08 => sink.put(b"\\b")?,
            0x0c => sink.put(b"\\f")?,
            b'\n' => sink.put(b"\\n")?,
            b'\r' => sink.put(b"\\r")?,
            b'\t' => sink.put(b"\\t")?,
            other => {
                let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
                sink.put(&[b'\\', b'u', b'0', b'0', digit(other >> 4), digit(other & 15)])?;
            }
        }
        text = after;
    }
    sink.put(text)
}
