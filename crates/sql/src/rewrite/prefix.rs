//! Expressions that start with a type's name or with CAST: the parser knows other dialects' types, so these read Trino's.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::call::{call, text};

/// Types whose name may stand before a string to make a literal.
const LITERAL_TYPES: [&str; 16] = [
    "bigint",
    "boolean",
    "char",
    "date",
    "decimal",
    "double",
    "integer",
    "ipaddress",
    "json",
    "real",
    "smallint",
    "time",
    "timestamp",
    "tinyint",
    "varbinary",
    "varchar",
];

/// Tokens that a type may have.
const MAX_TYPE_TOKENS: usize = 500;

/// Parses `CAST(… AS type)`, `TRY_CAST(… AS type)` and `TYPE '…'`; nothing if something else stands there. For the dialect's
/// own hook of this name.
pub(crate) fn parse_prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let Token::Word(word) = parser.peek_token().token else { return None };
    if word.quote_style.is_some() {
        return None;
    }
    let next = parser.peek_nth_token(1).token;
    match (word.keyword, next) {
        (Keyword::CAST, Token::LParen) => Some(parse_cast(parser, "$cast")),
        (Keyword::TRY_CAST, Token::LParen) => Some(parse_cast(parser, "$try_cast")),
        (_, Token::SingleQuotedString(literal)) => {
            let name = word.value.to_lowercase();
            if !LITERAL_TYPES.contains(&name.as_str()) {
                return None;
            }
            parser.advance_token();
            parser.advance_token();
            Some(Ok(typed(&name, &literal)))
        }
        _ => None,
    }
}

fn typed(name: &str, literal: &str) -> Expr {
    match name {
        "json" => call("json_parse", [text(literal)]),
        "timestamp" => {
            let zoned = crate::functions::has_zone(literal);
            let precision = literal
                .split_once('.')
                .map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count());
            let zone = if zoned { " with time zone" } else { "" };
            call("$cast", [text(literal), text(&format!("timestamp({}){zone}", precision.clamp(3, 12)))])
        }
        _ => call("$cast", [text(literal), text(name)]),
    }
}

fn parse_cast(parser: &mut Parser<'_>, function: &str) -> Result<Expr, ParserError> {
    parser.advance_token();
    parser.expect_token(&Token::LParen)?;
    let value = parser.parse_expr()?;
    parser.expect_keyword(Keyword::AS)?;
    let mut wanted = String::new();
    let mut depth = 0usize;
    for _ in 0..MAX_TYPE_TOKENS {
        let token = parser.peek_token().token;
        match token {
            Token::RParen if depth == 0 => {
                parser.advance_token();
                return Ok(call(function, [value, text(wanted.trim())]));
            }
            Token::RParen => depth -= 1,
            Token::LParen => depth += 1,
            Token::EOF | Token::SemiColon => return parser.expected("a type and )", parser.peek_token()),
            _ => {}
        }
        wanted.push_str(&token.to_string());
        wanted.push(' ');
        parser.advance_token();
    }
    parser.expected("a shorter type", parser.peek_token())
}
