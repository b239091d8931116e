//! Event selectors: which events a trail or an event data store takes.
//!
//! A trail has basic selectors or advanced selectors, never both. [`Selectors`] is what PutEventSelectors
//! stores and GetEventSelectors gives back; [`Selection`] is its compiled form, asked for each event.

pub mod advanced;
pub mod basic;
mod compiled;
mod invalid;
mod store;

use serde::{Deserialize, Serialize};

pub use self::{
    advanced::{AdvancedEventSelector, AdvancedFieldSelector},
    basic::{DataResource, EventSelector, ReadWriteType},
    compiled::Selection,
    invalid::InvalidSelectors,
    store::{MAX_STORE_SELECTORS, StoreCategory, check_store},
};

/// The selectors of one trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selectors {
    /// One to five basic selectors.
    Basic(Vec<EventSelector>),
    /// Advanced selectors with up to 500 values.
    Advanced(Vec<AdvancedEventSelector>),
}

impl Default for Selectors {
    /// What a new trail takes: all management events.
    fn default() -> Self {
        Self::Basic(vec![EventSelector::default()])
    }
}

impl Selectors {
    /// Whether they are what a new trail has.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks them against AWS's rules and limits.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), InvalidSelectors> {
        match self {
            Self::Basic(selectors) => basic::check(selectors),
            Self::Advanced(selectors) => advanced::check(selectors),
        }
    }

    /// The selectors of a PutEventSelectors call, which names one of the two kinds, checked.
    ///
    /// # Errors
    /// When both or neither are given, or a rule is broken.
    pub fn of_request(
        basic: Option<Vec<EventSelector>>,
        advanced: Option<Vec<AdvancedEventSelector>>,
    ) -> Result<Self, InvalidSelectors> {
        let basic = basic.filter(|list| !list.is_empty());
        let advanced = advanced.filter(|list| !list.is_empty());
        let selectors = match (basic, advanced) {
            (Some(_), Some(_)) => return Err(InvalidSelectors::BothKinds),
            (None, None) => return Err(InvalidSelectors::NoSelectors),
            (Some(list), None) => Self::Basic(list),
            (None, Some(list)) => Self::Advanced(list),
        };
        selectors.check()?;
        Ok(selectors)
    }
}
