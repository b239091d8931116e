//! Tokens of lists that are paged by the name of the last item.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The token for what comes after `last`. Opaque to callers.
pub(super) fn after(last: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last)
}

/// What a token was made of; none for a text that is no token.
pub(super) fn read(token: &str) -> Option<String> {
    BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// A page of a list that is in the order of its items' ids: what follows the one that the token names, and the token for
/// the rest. `None` for a text that is no token.
pub(super) fn page<T>(
    mut items: Vec<T>,
    token: Option<&str>,
    limit: usize,
    id: impl Fn(&T) -> String,
) -> Option<(Vec<T>, Option<String>)> {
    if let Some(token) = token {
        let last = read(token)?;
        items.retain(|item| id(item) > last);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|item| after(&id(item)));
    Some((items, next))
}
