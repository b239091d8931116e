//! How much of what one pattern describes another describes too.

use crate::{
    Context,
    pattern::{Pattern, Piece},
};

/// How much of the question's resources a policy's pattern covers. In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Overlap {
    /// None of them.
    Nothing,
    /// Some, or all where that cannot be told.
    Something,
    /// All of them.
    Everything,
}

/// A character of a pattern, or what stands for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Character(char),
    One,
    Many,
}

impl Pattern {
    /// Whether it has a variable for which the request is known to have no value.
    pub(crate) fn is_unresolved(&self, context: &Context, is_known: impl Fn(&str) -> bool) -> bool {
        self.pieces().iter().any(|piece| match piece {
            Piece::Variable(variable) => is_known(variable.key()) && variable.resolve(context).is_none(),
            _ => false,
        })
    }
}

/// How much of `asked`, in which `*` and `?` are wildcards, `pattern` covers, where the values of those keys are known
/// of which `is_known` says so. At worst proportional to the product of the two lengths.
pub(crate) fn overlap(
    pattern: &Pattern,
    asked: &str,
    context: &Context,
    is_known: impl Fn(&str) -> bool,
) -> Overlap {
    let mut open = false;
    let mut symbols = Vec::new();
    for piece in pattern.pieces() {
        match piece {
            Piece::Text(text) => symbols.extend(text.chars().map(Symbol::Character)),
            Piece::One => symbols.push(Symbol::One),
            Piece::Many => symbols.push(Symbol::Many),
            Piece::Variable(variable) if is_known(variable.key()) => match variable.resolve(context) {
                Some(value) => symbols.extend(value.chars().map(Symbol::Character)),
                None => return Overlap::Nothing,
            },
            Piece::Variable(_) => {
                open = true;
                symbols.push(Symbol::Many);
            }
        }
    }
    let asked: Vec<Symbol> = asked.chars().map(wildcard).collect();
    if !open && reaches(&symbols, &asked, Relation::Covers) {
        Overlap::Everything
    } else if reaches(&symbols, &asked, Relation::Meets) {
        Overlap::Something
    } else {
        Overlap::Nothing
    }
}

fn wildcard(character: char) -> Symbol {
    match character {
        '*' => Symbol::Many,
        '?' => Symbol::One,
        other => Symbol::Character(other),
    }
}

/// What is asked of two patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// Whether there is text that both describe.
    Meets,
    /// Whether the policy's describes whatever the asked one does. A `false` is not certain: `*?` covers `?*`.
    Covers,
}

/// Whether the policy's symbol may take part without a character of its own, so that the next is looked at.
fn passes_pattern(relation: Relation, pattern: Symbol, asked: Symbol) -> bool {
    pattern == Symbol::Many || (relation == Relation::Meets && asked == Symbol::Many)
}

/// Whether both symbols may stand for the same character.
fn pairs(relation: Relation, pattern: Symbol, asked: Symbol) -> bool {
    match (pattern, asked) {
        (Symbol::Many, _) | (_, Symbol::Many) => false,
        (Symbol::Character(one), Symbol::Character(other)) => one == other,
        (Symbol::One, _) => true,
        (Symbol::Character(_), Symbol::One) => relation == Relation::Meets,
    }
}

fn reaches(pattern: &[Symbol], asked: &[Symbol], relation: Relation) -> bool {
    let width = asked.len();
    // `below[at]`: whether what follows the policy's symbol and `asked[at..]` stand in the relation.
    let mut below = vec![false; width + 1];
    below[width] = true;
    for at in (0..width).rev() {
        below[at] = relation == Relation::Meets && asked[at] == Symbol::Many && below[at + 1];
    }
    for symbol in pattern.iter().rev() {
        let mut row = vec![false; width + 1];
        row[width] = *symbol == Symbol::Many && below[width];
        for at in (0..width).rev() {
            // A wildcard takes the other's symbol whole, or nothing of it.
            let passes = passes_pattern(relation, *symbol, asked[at]);
            row[at] = (passes && (below[at] || row[at + 1]))
                || (pairs(relation, *symbol, asked[at]) && below[at + 1]);
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Overlap, overlap};
    use crate::{
        Context,
        pattern::{Pattern, Syntax},
    };

    fn pattern(text: &str) -> Pattern {
        Pattern::compile(text, Syntax { wildcards: true, variables: true }).expect("a pattern")
    }

    fn of(text: &str, asked: &str) -> Overlap {
        overlap(&pattern(text), asked, &Context::new().with("k", "bob"), |key| key == "k")
    }

    #[test]
    fn any_object_of_a_bucket() {
        for (text, expected) in [
            ("*", Overlap::Everything),
            ("arn:aws:s3:::*", Overlap::Everything),
            ("arn:aws:s3:::logs*", Overlap::Everything),
            ("arn:aws:s3:::logs/*", Overlap::Everything),
            ("arn:aws:s3:::l?gs/*", Overlap::Everything),
            ("arn:aws:s3:::logs/AWSLogs/*", Overlap::Something),
            ("arn:aws:s3:::*/AWSLogs", Overlap::Something),
            ("arn:aws:s3:::logs/?", Overlap::Something),
            ("arn:aws:s3:::logs/${k}/*", Overlap::Something),
            ("arn:aws:s3:::logs/${other}", Overlap::Something),
            ("arn:aws:s3:::${other}/*", Overlap::Something),
            ("arn:aws:s3:::logs", Overlap::Nothing),
            ("arn:aws:s3:::other/*", Overlap::Nothing),
        ] {
            assert_eq!(of(text, "arn:aws:s3:::logs/*"), expected, "{text}");
        }
        assert_eq!(of("${k}", "bob"), Overlap::Everything);
        assert_eq!(of("${k}", "b*c"), Overlap::Nothing);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// Whatever text both sides are tried with agrees with what is said of them.
        #[test]
        fn examples_agree(text in "[ab*?]{0,6}", asked in "[ab*?]{0,6}", example in "[ab]{0,8}") {
            let (by_policy, by_question) = (pattern(&text), pattern(&asked));
            let matches = |pattern: &Pattern| pattern.matches(&example, &Context::new()) == Ok(true);
            if !matches(&by_question) {
                return Ok(());
            }
            match of(&text, &asked) {
                Overlap::Everything => prop_assert!(matches(&by_policy)),
                Overlap::Nothing => prop_assert!(!matches(&by_policy)),
                Overlap::Something => {}
            }
        }

        /// Of one text it is known whether it matches.
        #[test]
        fn without_wildcards_it_is_matching(text in "[ab*?]{0,6}", asked in "[ab]{0,8}") {
            let matches = pattern(&text).matches(&asked, &Context::new()) == Ok(true);
            prop_assert_eq!(of(&text, &asked), if matches { Overlap::Everything } else { Overlap::Nothing });
        }
    }
}
