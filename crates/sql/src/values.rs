//! `VALUES 1, 2`: Trino takes rows of one value without brackets, the parser does not.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts brackets around the rows behind VALUES that have none.
pub(crate) fn in_brackets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut depth = 0_usize;
    // For each VALUES that is being read: how deep it stands, and whether a bracket of ours is open.
    let mut lists: Vec<(usize, bool)> = Vec::new();
    let mut row_starts = false;
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_)) {
            out.push(token);
            continue;
        }
        let bracket = |sign: Token| TokenWithSpan { token: sign, span: token.span };
        if row_starts {
            row_starts = false;
            let own = token.token != Token::LParen;
            if let Some(list) = lists.last_mut() {
                list.1 = own;
            }
            if own {
                out.push(bracket(Token::LParen));
            }
        }
        if let Some((at, open)) = lists.last_mut()
            && *at == depth
            && ends_row(&token.token)
        {
            if std::mem::take(open) {
                out.push(bracket(Token::RParen));
            }
            match token.token {
                Token::Comma => row_starts = true,
                _ => {
                    lists.pop();
                }
            }
        }
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::VALUES => {
                lists.push((depth, false));
                row_starts = true;
            }
            _ => {}
        }
        out.push(token);
    }
    if let (Some((_, true)), Some(last)) = (lists.last(), out.last()) {
        let span = last.span;
        out.push(TokenWithSpan { token: Token::RParen, span });
    }
    out
}

/// Whether a token that stands as deep as VALUES comes behind a row.
fn ends_row(token: &Token) -> bool {
    match token {
        Token::Comma | Token::RParen | Token::SemiColon | Token::EOF => true,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::ORDER
                | Keyword::LIMIT
                | Keyword::OFFSET
                | Keyword::FETCH
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    fn written(sql: &str) -> String {
        let tokens = in_brackets(Text::read(sql).expect("tokens").to_vec());
        tokens.iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn rows_of_one_value_get_brackets() {
        assert_eq!(written("(VALUES 1, f(2, 3)) AS t"), "(VALUES (1), (f(2, 3))) AS t");
        assert_eq!(written("VALUES (1, 2), (3, 4)"), "VALUES (1, 2), (3, 4)");
        assert_eq!(written("(VALUES (VALUES 1), 2)"), "(VALUES (VALUES (1)), (2))");
        assert_eq!(written("VALUES 1 UNION ALL SELECT 2)"), "VALUES (1 )UNION ALL SELECT 2)");
    }
}
