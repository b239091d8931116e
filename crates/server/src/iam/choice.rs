//! Members that take one of a few words.

use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// What the word stands for; a word that is none of them is refused as IAM does.
pub(super) fn choose<T: Copy>(
    call: &Call,
    member: &str,
    word: &str,
    choices: &[(&str, T)],
) -> Result<T, Fault> {
    choices.iter().find(|(choice, _)| *choice == word).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        // Enough to recognize it; what a caller sends may be a megabyte.
        let word: String = word.chars().take(64).collect();
        let text = format!(
            "1 validation error detected: Value '{word}' at '{member}' failed to satisfy constraint: \
             Member must satisfy enum value set: [{}]",
            words.join(", ")
        );
        call.fault(Common::Invalid, text)
    })
}
