//! `FETCH FIRST 10 ROWS ONLY`, which is `LIMIT 10`.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, LimitClause, Query, Value, VisitMut, VisitorMut};

/// Writes FETCH as LIMIT. A query that has both was refused.
pub(crate) fn as_limit(query: &mut Query) {
    let _: ControlFlow<()> = query.visit(&mut Fetches);
}

struct Fetches;

impl VisitorMut for Fetches {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let Some(fetch) = query.fetch.take() else { return ControlFlow::Continue(()) };
        let one = || Expr::value(Value::Number("1".to_owned(), false));
        let rows = fetch.quantity.unwrap_or_else(one);
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(rows),
            other => {
                *other =
                    Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() });
            }
        }
        ControlFlow::Continue(())
    }
}
