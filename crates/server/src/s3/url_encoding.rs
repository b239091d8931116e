//! `encoding-type=url`: names in listings, encoded so that XML can hold any of them.

use std::fmt::Write;

use s3s::dto::EncodingType;

use super::refusal::Refusal;

/// How a listing spells names.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    encoded: bool,
}

impl Spelling {
    /// As the caller asked.
    pub(super) fn asked(encoding: Option<&EncodingType>) -> Result<Self, Refusal> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(_) => Err(Refusal::of("InvalidArgument", "Invalid Encoding Method specified in Request")),
        }
    }

    /// The member `EncodingType` of the answer.
    pub(super) fn member(self) -> Option<EncodingType> {
        self.encoded.then(|| EncodingType::from_static(EncodingType::URL))
    }

    /// A name, spelled.
    pub(super) fn of(self, name: &str) -> String {
        if self.encoded { encoded(name) } else { name.to_owned() }
    }
}

/// S3's own form: a space is `+`, a slash stays.
fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                text.push(byte.into())
            }
            b' ' => text.push('+'),
            // Writing to a String can't fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn any_name_is_spelled() {
        assert_eq!(encoded("a b/c+d%e\nü"), "a+b/c%2Bd%25e%0A%C3%BC");
    }
}
