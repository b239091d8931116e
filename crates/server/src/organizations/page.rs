//! How the lists of Organizations are asked for and answered in pages.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use opentrail_identity::organization::refusal::InvalidReason;
use serde::{Deserialize, Serialize};

use super::invalid;
use crate::fault::Fault;

/// What is on a page at most, and where nothing is said (the API's model, `MaxResults`).
const MOST: usize = 20;

/// The members by which every list is paged.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Paging {
    /// Of a list that takes no number.
    pub(super) fn following(next_token: Option<String>) -> Self {
        Self { next_token, max_results: None }
    }

    /// The page that is asked for, and the token of the next. Keys are each item's own.
    pub(super) fn cut<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Fault> {
        let limit = self.limit()?;
        let after = self.after()?;
        items.sort_by_cached_key(&key);
        if let Some(after) = after {
            items.retain(|item| key(item) > after);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| BASE64_URL_SAFE_NO_PAD.encode(key(last)));
        Ok((items, next))
    }

    fn limit(&self) -> Result<usize, Fault> {
        match self.max_results {
            None => Ok(MOST),
            Some(limit) if limit < 1 => Err(invalid(
                InvalidReason::MinValueExceeded,
                "You provided a value for MaxResults that is smaller than allowed.",
            )),
            Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit <= MOST).ok_or_else(|| {
                let message = "You provided a value for MaxResults that is larger than allowed.";
                invalid(InvalidReason::MaxValueExceeded, message)
            }),
        }
    }

    fn after(&self) -> Result<Option<String>, Fault> {
        let Some(token) = &self.next_token else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| !bytes.is_empty());
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Some).ok_or_else(|| {
            let message = "You specified a NextToken that wasn't given by this operation.";
            invalid(InvalidReason::InvalidNextToken, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Paging;

    #[test]
    fn pages_put_together_are_the_list_in_order() {
        let items: Vec<u32> = (0..45).rev().collect();
        let key = |item: &u32| format!("{item:03}");
        let mut paging = Paging { next_token: None, max_results: Some(7) };
        let mut all = Vec::new();
        loop {
            let (page, next) = paging.cut(items.clone(), key).expect("a page");
            assert!(page.len() <= 7);
            all.extend(page);
            paging.next_token = next;
            if paging.next_token.is_none() {
                break;
            }
        }
        assert_eq!(all, (0..45).collect::<Vec<_>>());
        let (first, _) = Paging::default().cut(items, key).expect("a page");
        assert_eq!(first.len(), 20, "the usual page");
    }

    #[test]
    fn numbers_and_tokens_outside_their_form_are_refused() {
        for (next_token, max_results) in
            [(None, Some(0)), (None, Some(21)), (None, Some(-1)), (Some("!"), None), (Some(""), None)]
        {
            let paging = Paging { next_token: next_token.map(str::to_owned), max_results };
            assert!(paging.cut(vec![1], ToString::to_string).is_err(), "{next_token:?} {max_results:?}");
        }
    }
}
