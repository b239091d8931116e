//! The columns of a result, named as Trino names them.
//!
//! `SELECT eventName, userIdentity.arn, count(*)` has the columns `eventName`, `arn` and `_col2`. DataFusion names by the
//! expression and refuses two of one name, so every item whose name is another gets an alias before it is planned.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::logical_expr::LogicalPlan;
use sqlparser::ast::{
    AccessExpr, Expr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};

use crate::text::Text;

/// A column, or several, as the outermost SELECT has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Named(String),
    Anonymous,
    /// `*`, or `t.*`.
    Star(Option<String>),
}

/// What the outermost SELECT calls its columns.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    items: Vec<Item>,
}

impl Output {
    /// Reads the names as they are written in `text`; the query has every name in one spelling.
    pub(crate) fn of(query: &Query, text: &Text) -> Self {
        Output { items: items(&query.body, text) }
    }

    /// The names of a plan's columns.
    pub(crate) fn names(&self, plan: &LogicalPlan) -> Vec<String> {
        let fields: Vec<_> = plan.schema().iter().collect();
        let mut names = Vec::with_capacity(fields.len());
        let mut items = self.items.iter();
        while let Some(item) = items.next() {
            match item {
                Item::Named(name) => names.push(name.clone()),
                Item::Anonymous => names.push(format!("_col{}", names.len())),
                Item::Star(of) => {
                    let fixed = items.clone().filter(|item| !matches!(item, Item::Star(_))).count();
                    let last = !items.clone().any(|item| matches!(item, Item::Star(_)));
                    let most = fields.len().saturating_sub(names.len() + fixed);
                    let span = fields.iter().skip(names.len()).take(most);
                    let own = |qualifier: &Option<String>, of: &Option<String>| {
                        last || of.is_none() || qualifier == of
                    };
                    let taken: Vec<String> = span
                        .take_while(|(qualifier, _)| own(&qualifier.map(|it| it.table().to_owned()), of))
                        .map(|(_, field)| field.name().clone())
                        .collect();
                    names.extend(taken);
                }
            }
        }
        if names.len() != fields.len() {
            return fields.iter().map(|(_, field)| field.name().clone()).collect();
        }
        names
    }
}

fn items(body: &SetExpr, text: &Text) -> Vec<Item> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(|item| self::item(item, text)).collect(),
        SetExpr::Query(query) => items(&query.body, text),
        SetExpr::SetOperation { left, .. } => items(left, text),
        SetExpr::Values(values) => {
            values.rows.first().map(|row| vec![Item::Anonymous; row.len()]).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn item(item: &SelectItem, text: &Text) -> Item {
    let written =
        |ident: &Ident| Item::Named(text.word_at(ident.span.start).unwrap_or(&ident.value).to_owned());
    match item {
        SelectItem::ExprWithAlias { alias, .. } => written(alias),
        SelectItem::UnnamedExpr(expr) => named_by(expr).map_or(Item::Anonymous, written),
        SelectItem::Wildcard(_) => Item::Star(None),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Item::Star(name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone()))
        }
        _ => Item::Anonymous,
    }
}

/// The last name of a column or of a field in one; other expressions have none.
fn named_by(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(ident))) => Some(ident),
            _ => None,
        },
        Expr::Nested(inner) => named_by(inner),
        _ => None,
    }
}

/// Gives every item of every SELECT the name that it has in Trino, and no two of one SELECT the same.
pub(crate) fn alias(query: &mut Query) {
    let _: ControlFlow<()> = query.visit(&mut Alias);
}

struct Alias;

impl VisitorMut for Alias {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        alias_body(&mut query.body);
        if let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), query.order_by.as_mut()) {
            order_by_alias(select, order);
        }
        ControlFlow::Continue(())
    }
}

fn alias_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => alias_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            alias_body(left);
            alias_body(right);
        }
        _ => {}
    }
}

/// Orders by an item's alias where its expression is written again: behind DISTINCT there is nothing else to order by.
fn order_by_alias(select: &Select, order: &mut OrderBy) {
    let OrderByKind::Expressions(exprs) = &mut order.kind else { return };
    for by in exprs {
        let same = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if *expr == by.expr => Some(alias),
            _ => None,
        });
        if let Some(alias) = same {
            by.expr = Expr::Identifier(alias.clone());
        }
    }
}

fn alias_select(select: &mut Select) {
    let mut relations = HashSet::new();
    select.from.iter().for_each(|table| name_relations(table, &mut relations));
    let star = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _)));
    let mut taken = HashSet::new();
    let items = std::mem::take(&mut select.projection);
    select.projection = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            SelectItem::UnnamedExpr(expr) => {
                let column = is_column(&expr, &relations);
                let name = named_by(&expr).cloned().unwrap_or_else(|| Ident::new(format!("_col{index}")));
                let (name, fresh) = unique(name, index, &mut taken);
                match column && fresh && !star {
                    true => SelectItem::UnnamedExpr(expr),
                    false if column && star => {
                        SelectItem::ExprWithAlias { alias: hidden(&name, index), expr }
                    }
                    false => SelectItem::ExprWithAlias { alias: name, expr },
                }
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let (alias, _) = unique(alias, index, &mut taken);
                SelectItem::ExprWithAlias { expr, alias }
            }
            other => other,
        })
        .collect();
}

/// The name, or one that nobody writes if an earlier item has it.
fn unique(name: Ident, index: usize, taken: &mut HashSet<String>) -> (Ident, bool) {
    match taken.insert(name.value.clone()) {
        true => (name, true),
        false => (hidden(&name, index), false),
    }
}

fn hidden(name: &Ident, index: usize) -> Ident {
    Ident { value: format!("{} #{index}", name.value), ..name.clone() }
}

/// Whether an expression is a column of a table as it is, which DataFusion names as Trino does.
fn is_column(expr: &Expr, relations: &HashSet<String>) -> bool {
    match expr {
        Expr::Identifier(_) => true,
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, _] => relations.contains(&table.value),
            _ => false,
        },
        Expr::Nested(inner) => is_column(inner, relations),
        _ => false,
    }
}

fn name_relations(table: &TableWithJoins, relations: &mut HashSet<String>) {
    name_relation(&table.relation, relations);
    table.joins.iter().for_each(|join| name_relation(&join.relation, relations));
}

fn name_relation(relation: &TableFactor, relations: &mut HashSet<String>) {
    let alias = match relation {
        TableFactor::Table { name, alias, .. } => {
            let own = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone());
            relations.extend(own);
            alias
        }
        TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => alias,
        TableFactor::NestedJoin { table_with_joins, alias } => {
            name_relations(table_with_joins, relations);
            alias
        }
        _ => return,
    };
    relations.extend(alias.iter().map(|alias| alias.name.value.clone()));
}
