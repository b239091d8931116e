//! What records are put together from.

use super::*;

/// Tells what it was given, without the record's other parts.
#[derive(Default)]
struct Told(Vec<u8>);

impl Sink for Told {
    fn put(&mut self, piece: &[u8]) -> Fits {
        self.0.extend_from_slice(piece);
        Ok(())
    }

    fn put_plain(&mut self, text: &[u8]) -> Result<bool, Misfit> {
        let is_plain = piece::is_plain(text);
        if is_plain {
            self.put(text)?;
        }
        Ok(is_plain)
    }

    fn rest(&mut self) -> Fits {
        Ok(())
    }
}

#[test]
fn texts_of_any_length_are_copied_and_compared() {
    for length in 0..200 {
        let text: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).collect();
        let mut into = vec![0; length];
        piece::copy(&text, &mut into);
        assert_eq!(into, text);
        into.fill(0);
        assert!(piece::copy_plain(&text, &mut into));
        assert_eq!(into, text);
        assert!(piece::is_same(&text, &into));
        assert!(length == 0 || !piece::is_same(&text, &into[1..]));
        for at in 0..length {
            into[at] ^= 1;
            assert!(!piece::is_same(&text, &into), "{length}, {at}");
            into[at] ^= 1;
        }
    }
}

#[test]
fn one_byte_that_needs_an_escape_is_found_wherever_it_stands() {
    for byte in 0..=255u8 {
        let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
        for length in 1..80 {
            for at in [0, length / 2, length - 1] {
                for around in [b'a', 0x20, 0x7f, 0x80, 0xff] {
                    let mut text = vec![around; length];
                    text[at] = byte;
                    assert_eq!(piece::is_plain(&text), !is_special, "{byte} at {at} of {length}");
                    assert_eq!(piece::copy_plain(&text, &mut vec![0; length]), !is_special);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn strings_are_those_that_serde_writes(text in "[ -~\u{0}-\u{1f}\"\\\\é😀]{0,80}") {
        let mut told = Told::default();
        value::string(&text, &mut told).unwrap();
        prop_assert_eq!(format!("\"{}\"", String::from_utf8(told.0).unwrap()), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn times_are_those_that_chrono_writes(seconds in -70_000_000_000i64..260_000_000_000, micros in 0..3i64) {
        let written = time::written(seconds * 1_000_000 + micros);
        let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        let expected = time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let has_one = micros == 0 && expected.len() == 20;
        prop_assert_eq!(written.ok().map(|text| String::from_utf8_lossy(&text).into_owned()), has_one.then_some(expected));
    }
}

#[test]
fn levels_are_as_many_as_a_schema_has() {
    fn levels(fields: &[crate::schema::field::Field]) -> usize {
        use crate::schema::field::Kind;
        let below = fields.iter().map(|field| match field.kind {
            Kind::Map { .. } => 1,
            Kind::Group(fields) => levels(fields),
            Kind::List { fields, .. } => 1 + levels(fields),
            _ => 0,
        });
        below.max().unwrap_or_default()
    }
    for shape in Shape::ALL {
        assert!(levels(shape.fields()) < program::LEVELS, "{shape:?}");
    }
}
