//! What the parser reads and this engine does not run: everything but SELECT over the tables that it is given.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, LimitClause, Query, Select, SelectFlavor, SetExpr, SetOperator, SetQuantifier,
    Spanned, TableFactor, Visit, Visitor,
};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::SqlError;
use crate::text::{Text, place};

/// Refuses a text that does not start as a query does, naming what it starts with.
pub(crate) fn unless_query_starts(text: &Text) -> Result<(), SqlError> {
    let first = text.tokens().find(|token| token.token != Token::LParen);
    let Some(first) = first else { return Err(SqlError::mistake_at((1, 1), "The query is empty.")) };
    match &first.token {
        Token::Word(word) => match word.keyword {
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES => Ok(()),
            _ => {
                let message = format!(
                    "Only SELECT can be run; a statement can't start with {}.",
                    word.value.to_uppercase()
                );
                Err(SqlError::mistake_at(place(first.span.start), message))
            }
        },
        Token::EOF => Err(SqlError::mistake_at((1, 1), "The query is empty.")),
        other => {
            let message = format!("Only SELECT can be run; a statement can't start with {other}.");
            Err(SqlError::mistake_at(place(first.span.start), message))
        }
    }
}

/// Refuses what is no SELECT in Trino's dialect.
pub(crate) fn unless_select(query: &Query) -> Result<(), SqlError> {
    match query.visit(&mut Refuse { depth: 0 }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// How many expressions may stand in each other, as each sum stands in the next of `a + b + c`. No program that works
/// through a tree has more stack than for some thousands.
const MAX_DEPTH: usize = 1000;

struct Refuse {
    depth: usize,
}

impl Visitor for Refuse {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        let limit_by = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit_by, .. }) => !limit_by.is_empty(),
            Some(LimitClause::OffsetCommaLimit { .. }) => true,
            None => false,
        };
        refuse(query, !query.locks.is_empty() || query.for_clause.is_some(), "FOR after a query")?;
        refuse(query, query.settings.is_some(), "SETTINGS")?;
        refuse(query, query.format_clause.is_some(), "FORMAT")?;
        refuse(query, !query.pipe_operators.is_empty(), "|> after a query")?;
        refuse(query, limit_by, "LIMIT with a comma or BY")?;
        if let Some(fetch) = &query.fetch {
            refuse(query, fetch.with_ties || fetch.percent, "FETCH WITH TIES or PERCENT")?;
            let limited =
                matches!(&query.limit_clause, Some(LimitClause::LimitOffset { limit: Some(_), .. }));
            refuse(query, limited, "LIMIT together with FETCH")?;
        }
        body(&query.body)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<SqlError> {
        match table {
            TableFactor::Table {
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                ..
            } => {
                refuse(table, args.is_some(), "A table function")?;
                refuse(table, !with_hints.is_empty(), "A table hint")?;
                refuse(table, version.is_some(), "A version of a table")?;
                refuse(table, *with_ordinality, "WITH ORDINALITY of anything but UNNEST")?;
                refuse(table, !partitions.is_empty(), "PARTITION of a table")?;
                refuse(table, json_path.is_some(), "A path in a table's name")?;
                refuse(table, sample.is_some(), "TABLESAMPLE")
            }
            TableFactor::Derived { sample, .. } => refuse(table, sample.is_some(), "TABLESAMPLE"),
            TableFactor::UNNEST { with_offset, .. } => refuse(table, *with_offset, "WITH OFFSET"),
            TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            TableFactor::MatchRecognize { .. } => refuse(table, true, "MATCH_RECOGNIZE"),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => refuse(table, true, "PIVOT"),
            _ => refuse(table, true, "A table function"),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<SqlError> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message =
                format!("More than {MAX_DEPTH} expressions stand in each other; IN with a list may help.");
            return ControlFlow::Break(SqlError::mistake(message));
        }
        match expr {
            Expr::Cast { kind, .. } => {
                use sqlparser::ast::CastKind::{DoubleColon, SafeCast};
                refuse(expr, matches!(kind, DoubleColon), "The operator ::")?;
                refuse(expr, matches!(kind, SafeCast), "SAFE_CAST")
            }
            Expr::Substring { substring_from: None, substring_for: None, .. } => {
                let message = "Function 'substr' takes two or three arguments: a text, the first character's number, and how many.";
                ControlFlow::Break(SqlError::mistake_at(place(expr.span().start), message))
            }
            Expr::ILike { .. } => refuse(expr, true, "ILIKE"),
            Expr::RLike { .. } => refuse(expr, true, "RLIKE"),
            Expr::Convert { .. } => refuse(expr, true, "CONVERT"),
            Expr::JsonAccess { .. } => refuse(expr, true, "A path after a colon"),
            Expr::MatchAgainst { .. } => refuse(expr, true, "MATCH … AGAINST"),
            Expr::Dictionary(_) | Expr::Map(_) => refuse(expr, true, "A value in braces"),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The parts of a query's body, as far as no query of their own.
fn body(set: &SetExpr) -> ControlFlow<SqlError> {
    match set {
        SetExpr::Select(parts) => select(parts),
        SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            refuse(set, matches!(op, SetOperator::Minus), "MINUS (EXCEPT is the same)")?;
            let by_name =
                !matches!(set_quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None);
            refuse(set, by_name, "BY NAME")?;
            body(left)?;
            body(right)
        }
        SetExpr::Insert(_) => refuse(set, true, "INSERT"),
        SetExpr::Update(_) => refuse(set, true, "UPDATE"),
        SetExpr::Delete(_) => refuse(set, true, "DELETE"),
        SetExpr::Merge(_) => refuse(set, true, "MERGE"),
        SetExpr::Table(_) => refuse(set, true, "TABLE"),
    }
}

fn select(select: &Select) -> ControlFlow<SqlError> {
    let modifiers = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
    };
    refuse(select, select.into.is_some(), "SELECT INTO")?;
    refuse(select, select.top.is_some(), "TOP (use LIMIT)")?;
    refuse(select, select.exclude.is_some(), "EXCLUDE")?;
    refuse(select, select.select_modifiers.is_some(), "A modifier of SELECT")?;
    refuse(select, !select.lateral_views.is_empty(), "LATERAL VIEW (use CROSS JOIN UNNEST)")?;
    refuse(select, select.prewhere.is_some(), "PREWHERE")?;
    refuse(select, !select.connect_by.is_empty(), "CONNECT BY")?;
    refuse(select, modifiers, "This form of GROUP BY")?;
    refuse(select, !select.cluster_by.is_empty(), "CLUSTER BY")?;
    refuse(select, !select.distribute_by.is_empty(), "DISTRIBUTE BY")?;
    refuse(select, !select.sort_by.is_empty(), "SORT BY")?;
    refuse(select, select.qualify.is_some(), "QUALIFY")?;
    refuse(select, select.value_table_mode.is_some(), "SELECT AS")?;
    refuse(select, select.flavor != SelectFlavor::Standard, "FROM before SELECT")
}

fn refuse(at: &impl Spanned, is: bool, what: &str) -> ControlFlow<SqlError> {
    if !is {
        return ControlFlow::Continue(());
    }
    let start = at.span().start;
    let message = format!("{what} is not supported.");
    ControlFlow::Break(match start.line {
        0 => SqlError::mistake(message),
        _ => SqlError::mistake_at(place(start), message),
    })
}
