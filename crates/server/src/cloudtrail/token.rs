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
