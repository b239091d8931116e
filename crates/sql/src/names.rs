//! Names, whose case Trino does not tell apart and DataFusion does.
//!
//! Every name has one spelling in a planned query: that of the tables' columns and fields where they have it, else the one
//! in which the query writes it first. Giving each word of the query that spelling is all that it takes.

use std::collections::{BTreeMap, HashMap};

use arrow::datatypes::{DataType, Fields};
use sqlparser::ast::{Expr, ObjectNamePart, Query, VisitMut, VisitorMut};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use std::ops::ControlFlow;

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
        for table in tables.values() {
            names.take(table.schema.fields())?;
        }
        for token in text.tokens() {
            if let Token::Word(word) = &token.token {
                names.spelling.entry(word.value.to_lowercase()).or_insert_with(|| word.value.clone());
            }
        }
        Ok(names)
    }

    fn take(&mut self, fields: &Fields) -> Result<(), SqlError> {
        for field in fields {
            let name = field.name();
            let spelling = self.spelling.entry(name.to_lowercase()).or_insert_with(|| name.clone());
            if spelling != name {
                let message = format!("the tables spell a name both {spelling} and {name}");
                return Err(SqlError::Internal(message));
            }
            self.take_nested(field.data_type())?;
        }
        Ok(())
    }

    fn take_nested(&mut self, kind: &DataType) -> Result<(), SqlError> {
        match kind {
            DataType::Struct(fields) => self.take(fields),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                self.take_nested(item.data_type())
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => {
                    fields.iter().try_for_each(|field| self.take_nested(field.data_type()))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Gives the words of a query their spelling.
    pub(crate) fn spell(&self, mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
        for token in &mut tokens {
            if let Token::Word(word) = &mut token.token {
                if let Some(spelling) = self.spelling.get(&word.value.to_lowercase()) {
                    word.value.clone_from(spelling);
                }
            }
        }
        tokens
    }
}

/// Writes the names of functions in lower case, as they are registered.
pub(crate) fn lower_functions(query: &mut Query) {
    let _: ControlFlow<()> = query.visit(&mut LowerFunctions);
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
