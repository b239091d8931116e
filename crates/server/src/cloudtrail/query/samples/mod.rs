//! Sample queries of our own, and the search for them.

mod activity;
mod changes;
mod security;

use std::{collections::BTreeMap, sync::LazyLock};

use opentrail_lake::store::StoreId;

/// What stands for the event data store in a sample's text.
pub(super) const STORE: &str = "$EDS_ID";

/// A sample query.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its name.
    pub(super) name: &'static str,
    /// What it answers.
    pub(super) description: &'static str,
    /// Other words by which somebody may look for it.
    words: &'static str,
    /// Its text, with [`STORE`] for the event data store, and a question mark for each parameter.
    pub(super) sql: &'static str,
}

/// All of them.
fn all() -> impl Iterator<Item = &'static Sample> {
    security::SAMPLES.iter().chain(changes::SAMPLES).chain(activity::SAMPLES)
}

impl Sample {
    /// The alias by which StartQuery starts it; the event data store is then the first parameter.
    pub(super) fn alias(&self) -> String {
        words_of(self.name).join("-")
    }

    /// The alias by which StartQuery starts it over this event data store.
    pub(super) fn alias_for(&self, store: StoreId) -> String {
        format!("{}.{store}", self.alias())
    }
}

/// The sample of an alias, and the event data store that the alias names, if it names one.
pub(super) fn of_alias(alias: &str) -> Option<(&'static Sample, Option<&str>)> {
    let (name, store) = match alias.split_once('.') {
        Some((name, store)) => (name, Some(store)),
        None => (alias, None),
    };
    all().find(|sample| sample.alias() == name).map(|sample| (sample, store))
}

/// Words that say nothing about what is looked for.
const FILLERS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "did", "do",
    "does", "event", "events", "ever", "find", "for", "from", "get", "give", "has", "have", "how", "i", "in",
    "is", "it", "list", "me", "my", "of", "on", "or", "our", "please", "query", "see", "show", "tell",
    "that", "the", "their", "there", "these", "this", "those", "to", "was", "we", "were", "what", "when",
    "where", "which", "who", "whose", "with", "you",
];

/// How much a word counts by where it is found.
const IN_NAME: f32 = 1.0;
const IN_WORDS: f32 = 0.9;
const IN_DESCRIPTION: f32 = 0.75;
const IN_SQL: f32 = 0.4;

/// The samples in which each word is found, with how much it counts there.
static INDEX: LazyLock<BTreeMap<String, BTreeMap<usize, f32>>> = LazyLock::new(|| {
    let mut index: BTreeMap<String, BTreeMap<usize, f32>> = BTreeMap::new();
    for (number, sample) in all().enumerate() {
        let fields = [
            (sample.name, IN_NAME),
            (sample.words, IN_WORDS),
            (sample.description, IN_DESCRIPTION),
            (sample.sql, IN_SQL),
        ];
        for (text, weight) in fields {
            for word in words_of(text) {
                let found = index.entry(stem(&word)).or_default().entry(number).or_insert(0.0);
                *found = found.max(weight);
            }
        }
    }
    index
});

/// The samples that have something of what a phrase asks for, with their relevance between 0 and 1, the most relevant
/// first. A word counts the more, the fewer samples have it.
pub(super) fn ranked(phrase: &str) -> Vec<(&'static Sample, f32)> {
    let mut asked: Vec<String> = words_of(phrase)
        .into_iter()
        .filter(|word| !FILLERS.contains(&word.as_str()))
        .map(|word| stem(&word))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    let samples: Vec<&'static Sample> = all().collect();
    let mut scores = vec![0.0_f32; samples.len()];
    let mut whole = 0.0;
    for word in &asked {
        let found = INDEX.get(word);
        let in_samples = found.map_or(0, BTreeMap::len);
        let rarity = (1.0 + samples.len() as f32 / (1.0 + in_samples as f32)).ln();
        whole += rarity;
        for (number, weight) in found.into_iter().flatten() {
            if let Some(score) = scores.get_mut(*number) {
                *score += rarity * weight;
            }
        }
    }
    let mut ranked: Vec<_> = samples
        .into_iter()
        .zip(scores)
        .filter(|(_, score)| *score > 0.0)
        .map(|(sample, score)| (sample, (score / whole).clamp(0.0, 1.0)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// The words of a text in lower case. `ConsoleLogin` is two.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        let begins = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (begins || !letter.is_ascii_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_ascii_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word without what English puts at its end.
fn stem(word: &str) -> String {
    let endings = ["ations", "ation", "ings", "ing", "ions", "ion", "ies", "ed", "es", "s", "e", "y"];
    let ending = endings.iter().find(|ending| word.len() >= ending.len() + 3 && word.ends_with(*ending));
    ending.map_or(word, |ending| &word[..word.len() - ending.len()]).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentrail_sql::Statement;

    use super::{STORE, all, of_alias, ranked};

    const ID: &str = "0f4a0b8f-0f56-4c54-8d3a-2d9a8d0a6d11";

    #[test]
    fn there_are_thirty_at_least_and_each_has_a_name_of_its_own() {
        let aliases: BTreeSet<String> = all().map(super::Sample::alias).collect();
        assert!(aliases.len() >= 30, "{}", aliases.len());
        assert_eq!(aliases.len(), all().count());
        for alias in &aliases {
            let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
            assert!(alias.starts_with(|first: char| first.is_ascii_alphabetic()), "{alias}");
            assert!(alias.chars().all(is_letter) && alias.len() < 200, "{alias}");
            let with_store = format!("{alias}.{ID}");
            assert_eq!(of_alias(&with_store).and_then(|(_, store)| store), Some(ID));
            assert!(of_alias(alias).is_some_and(|(_, store)| store.is_none()));
        }
    }

    #[test]
    fn every_one_is_a_query_over_its_store() {
        for sample in all() {
            let text = sample.sql.replace(STORE, ID);
            let statement =
                Statement::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            assert_eq!(statement.tables(), [ID], "{}", sample.name);
            assert_eq!(statement.parameters(), sample.sql.matches('?').count(), "{}", sample.name);
        }
    }

    #[test]
    fn what_is_meant_is_found_first() {
        let first = |phrase: &str| ranked(phrase).first().map_or("", |(sample, _)| sample.name);
        assert_eq!(first("Show me failed console logins"), "Failed console logins");
        assert_eq!(first("who deleted a bucket?"), "Deleted buckets");
        assert_eq!(first("What did the root user do"), "Use of the root user");
        assert_eq!(first("my top errors"), "Most frequent errors");
        assert_eq!(first("console sign-ins without MFA"), "Console logins without MFA");
        assert!(ranked("zebra xylophone").is_empty());
        assert!(ranked("show me all of the").is_empty());
        for (_, relevance) in ranked("access keys created in the last week") {
            assert!((0.0..=1.0).contains(&relevance));
        }
    }
}
