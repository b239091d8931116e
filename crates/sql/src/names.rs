//! Names, whose case Trino does not tell apart and DataFusion does.
//!
//! Every name has one spelling in a planned query: that of the tables' columns where they have it, else the one in which
//! the query writes it first. Giving each word of the query that spelling is all that it takes. Fields of rows are found by
//! `$field`, which does not mind their case.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Expr, ObjectName, ObjectNamePart, Query, TableAlias, TableFactor, Visit, VisitMut, Visitor,
    VisitorMut,
};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::text::Text;
use crate::{SqlError, TableData};

/// The spelling of each name, by the name in lower case.
#[derive(Debug)]
pub(crate) struct Names {
    spelling: HashMap<String, String>,
}

impl Names {
    /// The spellings of tables and of what a query writes.
    pub(crate) fn of(tables: &BTreeMap<String, TableData>, text: &Text) -> Result<Self, SqlError> {
        let mut names = Names { spelling: HashMap::new() };
        for table in tables.keys() {
            names.spelling.insert(table.to_lowercase(), table.to_lowercase());
        }
        for field in tables.values().flat_map(|table| table.schema.fields()) {
            let name = field.name();
            let spelling = names.spelling.entry(name.to_lowercase()).or_insert_with(|| name.clone());
            if spelling != name {
                return Err(SqlError::Internal(format!(
                    "the tables spell a column both {spelling} and {name}"
                )));
            }
        }
        for token in text.tokens() {
            if let Token::Word(word) = &token.token {
                names.spelling.entry(word.value.to_lowercase()).or_insert_with(|| word.value.clone());
            }
        }
        Ok(names)
    }

    /// Gives the words of a query their spelling.
    pub(crate) fn spell(&self, mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
        for token in &mut tokens {
            if let Token::Word(word) = &mut token.token
                && let Some(spelling) = self.spelling.get(&word.value.to_lowercase())
            {
                word.value.clone_from(spelling);
            }
        }
        tokens
    }
}

/// Writes the names of functions in lower case, as they are registered.
pub(crate) fn lower_functions(query: &mut Query) {
    let _: ControlFlow<()> = VisitMut::visit(query, &mut LowerFunctions);
}

struct LowerFunctions;

impl VisitorMut for LowerFunctions {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            for part in &mut function.name.0 {
                if let ObjectNamePart::Identifier(ident) = part {
                    ident.value = ident.value.to_lowercase();
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Tells fields from columns: in `a.b.c`, `b.c` are fields of `a` unless a table is called `a`.
pub(crate) fn separate_fields(query: &mut Query) {
    let mut relations = Relations::default();
    let _: ControlFlow<()> = Visit::visit(query, &mut relations);
    let _: ControlFlow<()> = VisitMut::visit(query, &mut SeparateFields { relations: relations.names });
}

/// Everything in a query that may stand before a column's name.
#[derive(Default)]
struct Relations {
    names: HashSet<String>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let defined = query.with.iter().flat_map(|with| &with.cte_tables);
        self.names.extend(defined.map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.0.last().and_then(ObjectNamePart::as_ident);
        self.names.extend(name.map(|ident| ident.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        let alias: Option<&TableAlias> = match table {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
            _ => None,
        };
        self.names.extend(alias.map(|alias| alias.name.value.clone()));
        ControlFlow::Continue(())
    }
}

struct SeparateFields {
    relations: HashSet<String>,
}

impl VisitorMut for SeparateFields {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::CompoundIdentifier(parts) = expr else { return ControlFlow::Continue(()) };
        let qualified = parts.first().is_some_and(|first| self.relations.contains(&first.value));
        let column = if qualified { 2 } else { 1 };
        if parts.len() <= column {
            return ControlFlow::Continue(());
        }
        let fields = parts.split_off(column);
        let root = match (parts.pop(), qualified) {
            (Some(name), false) => Expr::Identifier(name),
            (Some(name), true) => {
                parts.push(name);
                Expr::CompoundIdentifier(std::mem::take(parts))
            }
            (None, _) => return ControlFlow::Continue(()),
        };
        let access_chain = fields.into_iter().map(|field| AccessExpr::Dot(Expr::Identifier(field))).collect();
        *expr = Expr::CompoundFieldAccess { root: Box::new(root), access_chain };
        ControlFlow::Continue(())
    }
}
