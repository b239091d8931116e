//! Texts and times as JSON has them.

use chrono::{DateTime, Datelike, Timelike};

use super::{Fits, Misfit, walk::Sink};

/// Writes a text as a JSON string with no more escapes than JSON asks for, and the short ones where there are.
pub(super) fn string(text: &str, sink: &mut impl Sink) -> Fits {
    sink.put(b"\"")?;
    if is_plain(text.as_bytes()) {
        sink.put(text.as_bytes())?;
    } else {
        escaped(text.as_bytes(), sink)?;
    }
    sink.put(b"\"")
}

/// Looks at all bytes, which is faster than to stop at the first: texts are short and seldom have any.
fn is_plain(text: &[u8]) -> bool {
    !text.iter().fold(false, |found, byte| found | is_special(*byte))
}

fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escaped(mut text: &[u8], sink: &mut impl Sink) -> Fits {
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

/// `2021-07-29T23:53:37Z`, the only form of times that is written; microseconds since 1970.
pub(super) fn time(micros: i64) -> Result<[u8; 20], Misfit> {
    let time = DateTime::from_timestamp_micros(micros).filter(|time| time.timestamp_subsec_nanos() == 0);
    let time = time.ok_or(Misfit)?;
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999).ok_or(Misfit)?;
    // A remainder of ten fits a byte.
    let digit = |number: u32, unit: u32| b'0' + (number / unit % 10) as u8;
    let (month, day) = (time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    Ok([
        digit(year, 1000),
        digit(year, 100),
        digit(year, 10),
        digit(year, 1),
        b'-',
        digit(month, 10),
        digit(month, 1),
        b'-',
        digit(day, 10),
        digit(day, 1),
        b'T',
        digit(hour, 10),
        digit(hour, 1),
        b':',
        digit(minute, 10),
        digit(minute, 1),
        b':',
        digit(second, 10),
        digit(second, 1),
        b'Z',
    ])
}
