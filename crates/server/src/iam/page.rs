//! How IAM's lists are asked for and answered in pages.

use opentrail_identity::{PageRequest, limits};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// The members by which every list operation is paged.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    pub(super) marker: Option<String>,
    #[serde(default, deserialize_with = "count")]
    pub(super) max_items: Option<usize>,
}

/// A number that awsQuery sends as text; `flatten` would otherwise keep it one.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bounded = |text: &str| text.chars().take(32).collect::<String>();
    text.parse()
        .map(Some)
        .map_err(|_| de::Error::custom(format_args!("{:?} is not a number in range", bounded(&text))))
}

impl Paging {
    /// The page asked of a list that pages itself.
    pub(super) fn request(&self) -> PageRequest<'_> {
        PageRequest { marker: self.marker.as_deref(), max_items: self.max_items }
    }

    /// The page asked of a list that is small and whole; with it the marker of the next one, which is the
    /// place in the list.
    pub(super) fn cut<'a, T>(&self, whole: &'a [T], call: &Call) -> Result<(&'a [T], Option<String>), Fault> {
        let refused = |text| call.fault(Common::Invalid, text);
        let from = match &self.marker {
            None => 0,
            Some(marker) => {
                marker.parse::<usize>().ok().filter(|from| *from <= whole.len()).ok_or_else(|| {
                    refused("The specified value for marker is invalid. It was not given by this list.")
                })?
            }
        };
        let most = self.max_items.unwrap_or(limits::DEFAULT_PAGE);
        if most == 0 || most > limits::MAX_PAGE {
            return Err(refused("The specified value for maxItems is invalid. It must be from 1 to 1000."));
        }
        let to = whole.len().min(from + most);
        Ok((&whole[from..to], (to < whole.len()).then(|| to.to_string())))
    }
}

/// The members that say whether there is more.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct More {
    is_truncated: bool,
    marker: Option<String>,
}

impl From<Option<String>> for More {
    fn from(next: Option<String>) -> Self {
        Self { is_truncated: next.is_some(), marker: next }
    }
}
