//! Examples of text: for every way in which text can fit some of several patterns and not the others, one that does.
//!
//! The patterns are run side by side over all texts at once, shortest first: a state says for each pattern how far it
//! has come, and texts that lead to the same state have the same future, so that one of them is enough.

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::{
    Context,
    pattern::{Pattern, Piece},
};

/// Most states that are looked at. Patterns of the usual kind (a beginning and an asterisk) have as many as they
/// have characters; only several with asterisks at both ends multiply.
const MAX_STATES: usize = 20_000;
/// Most states times patterns: each state says for every pattern how far it has come, and all are kept.
const MAX_PLACES: usize = 2_000_000;

/// Characters that stand for all those that no pattern has, the first that is none of theirs.
const NEUTRAL: &str = "xyzwq0~§";

/// One thing that a pattern asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    /// Any one character; no colon where `within`.
    One {
        within: bool,
    },
    /// Any run of characters; without colons where `within`.
    Many {
        within: bool,
    },
}

/// A pattern without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
    /// Whether case does not matter.
    folds: bool,
}

impl Glob {
    /// A pattern with the values that its variables have; `None` if one has none.
    pub(crate) fn of(pattern: &Pattern, context: &Context, folds: bool) -> Option<Self> {
        let mut glob = Self { tokens: Vec::new(), folds };
        glob.push(pattern, context, false)?;
        Some(glob)
    }

    /// The six patterns of an ARN's parts, of which all but the last stay between their colons.
    pub(crate) fn of_parts(parts: &[Pattern], context: &Context) -> Option<Self> {
        let mut glob = Self { tokens: Vec::new(), folds: false };
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                glob.tokens.push(Token::Character(':'));
            }
            glob.push(part, context, at + 1 < parts.len())?;
        }
        Some(glob)
    }

    /// Text in which `*` and `?` are wildcards.
    pub(crate) fn wild(text: &str) -> Self {
        let token = |character| match character {
            '*' => Token::Many { within: false },
            '?' => Token::One { within: false },
            other => Token::Character(other),
        };
        Self { tokens: text.chars().map(token).collect(), folds: false }
    }

    fn push(&mut self, pattern: &Pattern, context: &Context, within: bool) -> Option<()> {
        for piece in pattern.pieces() {
            match piece {
                Piece::Text(text) => self.tokens.extend(text.chars().map(Token::Character)),
                Piece::One => self.tokens.push(Token::One { within }),
                Piece::Many => self.tokens.push(Token::Many { within }),
                Piece::Variable(variable) => {
                    self.tokens.extend(variable.resolve(context)?.chars().map(Token::Character));
                }
            }
        }
        Some(())
    }

    /// The places from which the pattern goes on, where nothing was read yet.
    fn start(&self) -> Vec<u16> {
        let mut places = Vec::new();
        self.arrive(0, &mut places);
        places
    }

    /// A place, and those that are reached from it without reading anything.
    fn arrive(&self, mut place: usize, places: &mut Vec<u16>) {
        loop {
            let short = u16::try_from(place).unwrap_or(u16::MAX);
            if !places.contains(&short) {
                places.push(short);
            }
            if !matches!(self.tokens.get(place), Some(Token::Many { .. })) {
                return;
            }
            place += 1;
        }
    }

    fn after(&self, places: &[u16], read: char) -> Vec<u16> {
        let mut next = Vec::new();
        for place in places.iter().map(|place| usize::from(*place)) {
            match self.tokens.get(place) {
                Some(Token::Character(own)) if self.same(*own, read) => self.arrive(place + 1, &mut next),
                Some(Token::One { within }) if !(*within && read == ':') => self.arrive(place + 1, &mut next),
                Some(Token::Many { within }) if !(*within && read == ':') => self.arrive(place, &mut next),
                _ => {}
            }
        }
        next.sort_unstable();
        next
    }

    fn same(&self, own: char, read: char) -> bool {
        own == read || (self.folds && own.to_lowercase().eq(read.to_lowercase()))
    }

    fn is_done(&self, places: &[u16]) -> bool {
        places.iter().any(|place| usize::from(*place) == self.tokens.len())
    }
}

/// Texts, one for each set of patterns that can fit one text while all others do not.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    /// The shortest of each set. The set of no pattern is one of them.
    pub(crate) texts: Vec<String>,
    /// Whether every set was found, or too much would have had to be looked at.
    pub(crate) complete: bool,
}

/// Finds texts that fit `within` and any possible set of the others.
pub(crate) fn witnesses(within: Option<&Glob>, globs: &[Glob]) -> Witnesses {
    let all: Vec<&Glob> = within.into_iter().chain(globs).collect();
    if all.iter().any(|glob| glob.tokens.len() >= usize::from(u16::MAX)) {
        return Witnesses::default();
    }
    let alphabet = alphabet(&all);
    let start: Vec<Vec<u16>> = all.iter().map(|glob| glob.start()).collect();
    let mut texts: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    // Not the start: a text that leads back to it is an example that is not empty.
    let mut seen: HashSet<Vec<Vec<u16>>> = HashSet::new();
    let mut queue = VecDeque::from([(start, String::new())]);
    let mut complete = true;
    while let Some((state, text)) = queue.pop_front() {
        let fits: Vec<bool> = all.iter().zip(&state).map(|(glob, places)| glob.is_done(places)).collect();
        if within.is_none() || fits.first() == Some(&true) {
            // Empty text is an example of last resort: most keys never have it.
            match texts.get(&fits) {
                Some(known) if !known.is_empty() => {}
                _ => drop(texts.insert(fits, text.clone())),
            }
        }
        for read in &alphabet {
            let next: Vec<Vec<u16>> =
                all.iter().zip(&state).map(|(glob, places)| glob.after(places, *read)).collect();
            if within.is_some() && next.first().is_some_and(Vec::is_empty) || seen.contains(&next) {
                continue;
            }
            if seen.len() >= MAX_STATES || seen.len() * all.len() >= MAX_PLACES {
                complete = false;
                break;
            }
            seen.insert(next.clone());
            queue.push_back((next, format!("{text}{read}")));
        }
    }
    Witnesses { texts: texts.into_values().collect(), complete }
}

/// The characters on which patterns tell texts apart, after one that stands for all others.
fn alphabet(globs: &[&Glob]) -> Vec<char> {
    let mut own = Vec::new();
    for glob in globs {
        for token in &glob.tokens {
            let characters = match token {
                Token::Character(character) if glob.folds => {
                    character.to_lowercase().chain(character.to_uppercase()).collect()
                }
                Token::Character(character) => vec![*character],
                Token::One { within: true } | Token::Many { within: true } => vec![':'],
                Token::One { .. } | Token::Many { .. } => Vec::new(),
            };
            own.extend(characters);
        }
    }
    own.sort_unstable();
    own.dedup();
    let neutral = NEUTRAL.chars().find(|character| !own.contains(character));
    neutral.into_iter().chain(own.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Glob, witnesses};
    use crate::{
        Context,
        pattern::{Pattern, Syntax},
    };

    fn pattern(text: &str) -> Pattern {
        Pattern::compile(text, Syntax { wildcards: true, variables: false }).expect("a pattern")
    }

    fn fits(patterns: &[Pattern], text: &str) -> Vec<bool> {
        patterns.iter().map(|pattern| pattern.matches(text, &Context::new()) == Ok(true)).collect()
    }

    #[test]
    fn objects_of_a_bucket_by_the_patterns_of_its_policy() {
        let globs = ["arn:aws:s3:::b/AWSLogs/*", "arn:aws:s3:::b/*.gz", "arn:aws:s3:::c/*"].map(Glob::wild);
        let found = witnesses(Some(&Glob::wild("arn:aws:s3:::b/?*")), &globs);
        assert!(found.complete);
        let found: BTreeSet<String> = found.texts.into_iter().collect();
        let expected = ["x", "AWSLogs/x", ".gz", "AWSLogs/.gz"].map(|key| format!("arn:aws:s3:::b/{key}"));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.contains("arn:aws:s3:::b/AWSLogs/.gz"), "{found:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// No text fits a set of patterns of which there is no example, and each example fits a set of its own.
        #[test]
        fn every_set_has_an_example(
            texts in proptest::collection::vec("[abx*?]{0,5}", 1..4), tried in "[abxé]{0,7}",
        ) {
            let patterns: Vec<Pattern> = texts.iter().map(|text| pattern(text)).collect();
            let globs: Vec<Glob> =
                patterns.iter().filter_map(|pattern| Glob::of(pattern, &Context::new(), false)).collect();
            let found = witnesses(None, &globs);
            prop_assert!(found.complete);
            let sets: BTreeSet<Vec<bool>> = found.texts.iter().map(|text| fits(&patterns, text)).collect();
            prop_assert_eq!(sets.len(), found.texts.len());
            prop_assert!(sets.contains(&fits(&patterns, &tried)), "{:?} {:?}", texts, tried);
        }
    }
}
