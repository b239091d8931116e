//! Lists a page at a time, as IAM's `Marker` and `MaxItems` ask.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    error::{Constraint, IdentityError, InvalidValue},
    limits,
};

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageRequest<'a> {
    /// The marker that the page before gave, if this is not the first.
    pub marker: Option<&'a str>,
    /// How many entries at most; [`limits::DEFAULT_PAGE`] when absent, 1 to [`limits::MAX_PAGE`].
    pub max_items: Option<usize>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in the order of their names.
    pub items: Vec<T>,
    /// The marker of the page after; absent when this is the last (`IsTruncated` is false).
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each entry in another form.
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(form).collect(), next: self.next }
    }
}

impl PageRequest<'_> {
    /// The asked page of entries that come in the order of their keys.
    ///
    /// The marker names the last entry given, so a page stays right when entries before it come or go.
    pub(crate) fn cut<T>(
        &self,
        entries: impl Iterator<Item = (String, T)>,
    ) -> Result<Page<T>, IdentityError> {
        let limit = self.limit()?;
        let after = self.after()?;
        let mut wanted = entries.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        let mut items = Vec::new();
        let mut last = None;
        for (key, item) in wanted.by_ref().take(limit) {
            items.push(item);
            last = Some(key);
        }
        let next = match (wanted.next(), last) {
            (Some(_), Some(last)) => Some(URL_SAFE_NO_PAD.encode(last)),
            _ => None,
        };
        Ok(Page { items, next })
    }

    fn limit(&self) -> Result<usize, IdentityError> {
        match self.max_items {
            None => Ok(limits::DEFAULT_PAGE),
            Some(0) => Err(InvalidValue::new("maxItems", "0", Constraint::AtLeast(1)).into()),
            Some(n) if n > limits::MAX_PAGE => {
                let most = i64::try_from(limits::MAX_PAGE).unwrap_or(i64::MAX);
                Err(InvalidValue::new("maxItems", &n.to_string(), Constraint::AtMost(most)).into())
            }
            Some(n) => Ok(n),
        }
    }

    fn after(&self) -> Result<Option<String>, IdentityError> {
        let Some(marker) = self.marker else { return Ok(None) };
        let refused = || IdentityError::from(InvalidValue::new("marker", marker, Constraint::Marker));
        if marker.is_empty() || marker.len() > limits::MARKER_CHARS {
            return Err(refused());
        }
        let key = URL_SAFE_NO_PAD.decode(marker).map_err(|_| refused())?;
        String::from_utf8(key).map(Some).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PageRequest;

    fn entries(n: usize) -> impl Iterator<Item = (String, usize)> {
        (0..n).map(|i| (format!("user-{i:05}"), i))
    }

    proptest! {
        #[test]
        fn pages_put_together_are_the_list(count in 0_usize..300, size in 1_usize..50) {
            let mut all = Vec::new();
            let mut marker: Option<String> = None;
            loop {
                let page = PageRequest { marker: marker.as_deref(), max_items: Some(size) }.cut(entries(count)).unwrap();
                prop_assert!(page.items.len() <= size);
                all.extend(page.items);
                marker = page.next;
                if marker.is_none() { break }
            }
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_marker_of_nobodys_and_a_page_of_nothing_are_refused() {
        for request in [
            PageRequest { marker: Some("not a marker!"), max_items: None },
            PageRequest { marker: Some(""), max_items: None },
            PageRequest { marker: None, max_items: Some(0) },
            PageRequest { marker: None, max_items: Some(1001) },
        ] {
            assert!(request.cut(entries(3)).is_err(), "{request:?}");
        }
    }
}
