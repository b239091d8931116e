//! How KMS's lists are asked for and answered in pages.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use opentrail_keyring::KeyRefusal;
use serde::{Deserialize, Serialize};

use super::refused;
use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// The members by which every list is paged.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    limit: Option<i64>,
    marker: Option<String>,
}

/// The members that say whether there is more.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct More {
    truncated: bool,
    next_marker: Option<String>,
}

/// The page that is asked for.
pub(super) struct Page {
    /// What comes before it ends with this.
    pub(super) after: Option<String>,
    /// How much it holds at most.
    pub(super) limit: usize,
}

impl Paging {
    /// The page, of `usual` items where none is said and of `most` at most.
    pub(super) fn page(&self, usual: usize, most: usize, call: &Call) -> Result<Page, Fault> {
        let limit = match self.limit {
            None => usual,
            Some(limit) => usize::try_from(limit).ok().filter(|limit| (1..=1000).contains(limit)).ok_or_else(|| {
                let message = "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member \
                               must have value between 1 and 1000";
                call.fault(Common::Invalid, message)
            })?,
        };
        let after = self.marker.as_ref().map(|marker| {
            let text =
                BASE64_URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| refused(call, KeyRefusal::InvalidMarker))
        });
        Ok(Page { after: after.transpose()?, limit: limit.min(most) })
    }
}

impl Page {
    /// How many to ask for so that it is known whether there are more.
    pub(super) fn and_one(&self) -> usize {
        self.limit + 1
    }

    /// The page's items of a list that begins where the page does, and what to say of the rest.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, More) {
        let truncated = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| truncated);
        let next_marker = last.map(|item| BASE64_URL_SAFE_NO_PAD.encode(name(item)));
        (items, More { truncated, next_marker })
    }

    /// The page's items of a whole list in the order of its names.
    pub(super) fn of_whole<T>(&self, mut items: Vec<T>, name: impl Fn(&T) -> &str) -> (Vec<T>, More) {
        if let Some(after) = &self.after {
            items.retain(|item| name(item) > after.as_str());
        }
        self.cut(items, name)
    }
}
