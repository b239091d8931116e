//! Rows as CSV (RFC 4180): every value in quotes, lines that end with a line feed. NULL is an empty field without
//! quotes, so that it is not the empty text.

/// Adds a line with the names of the columns.
pub(super) fn header(text: &mut Vec<u8>, columns: &[String]) {
    let names = columns.iter().map(|name| Some(name.as_str()));
    line(text, names);
}

/// Adds a line with a row.
pub(super) fn row(text: &mut Vec<u8>, row: &[Option<String>]) {
    line(text, row.iter().map(Option::as_deref));
}

fn line<'a>(text: &mut Vec<u8>, values: impl Iterator<Item = Option<&'a str>>) {
    for (place, value) in values.enumerate() {
        if place > 0 {
            text.push(b',');
        }
        let Some(value) = value else { continue };
        text.push(b'"');
        for byte in value.bytes() {
            if byte == b'"' {
                text.push(b'"');
            }
            text.push(byte);
        }
        text.push(b'"');
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::{header, row};

    #[test]
    fn values_are_quoted_and_null_is_not_the_empty_text() {
        let mut text = Vec::new();
        header(&mut text, &["a".to_owned(), "b c".to_owned(), "d".to_owned()]);
        row(&mut text, &[Some("say \"hi\",\nplease".to_owned()), None, Some(String::new())]);
        let wanted = "\"a\",\"b c\",\"d\"\n\"say \"\"hi\"\",\nplease\",,\"\"\n";
        assert_eq!(String::from_utf8(text).expect("text"), wanted);
    }
}
