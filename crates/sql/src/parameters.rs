//! Values for the `?` of a query.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::SqlError;

/// Puts the parameters where the `?` are.
pub(crate) fn fill(tokens: &mut [TokenWithSpan], parameters: &[String]) -> Result<(), SqlError> {
    let mut given = parameters.iter();
    let mut wanted = 0_usize;
    for token in tokens {
        if let Token::Placeholder(_) = token.token {
            wanted += 1;
            if let Some(parameter) = given.next() {
                token.token = literal(parameter);
            }
        }
    }
    if wanted != parameters.len() {
        let message = format!("The query has {wanted} parameters, {} were given.", parameters.len());
        return Err(SqlError::mistake(message));
    }
    Ok(())
}

/// A number, or a text, with or without quotes. Digits that start with 0 are a text: an account's id is one.
fn literal(parameter: &str) -> Token {
    let trimmed = parameter.trim();
    let digits =
        trimmed.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits
        && trimmed.bytes().filter(|byte| *byte == b'.').count() <= 1
        && (!trimmed.starts_with('0') || trimmed == "0" || trimmed.starts_with("0."));
    if number {
        return Token::Number(trimmed.to_owned(), false);
    }
    let quoted = trimmed.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    Token::SingleQuotedString(quoted.map_or_else(|| parameter.to_owned(), |text| text.replace("''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_a_text() {
        assert_eq!(literal("42"), Token::Number("42".to_owned(), false));
        assert_eq!(literal(" 0.5 "), Token::Number("0.5".to_owned(), false));
        assert_eq!(literal("000123456789"), Token::SingleQuotedString("000123456789".to_owned()));
        assert_eq!(literal("'it''s'"), Token::SingleQuotedString("it's".to_owned()));
        assert_eq!(literal("1; DROP TABLE x"), Token::SingleQuotedString("1; DROP TABLE x".to_owned()));
        assert_eq!(
            literal("2023-07-20 00:00:00"),
            Token::SingleQuotedString("2023-07-20 00:00:00".to_owned())
        );
    }
}
