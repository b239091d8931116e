//! The selectors of event data stores, and what kind of store they make.

use serde::{Deserialize, Serialize};

use crate::{
    AdvancedEventSelector, InvalidSelectors,
    advanced::{SelectorCategory, check_one, check_size},
};

/// Most advanced selectors of an event data store (AWS: CreateEventDataStore).
pub const MAX_STORE_SELECTORS: usize = 5;

/// What kind of events an event data store has. It follows from its selectors and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StoreCategory {
    /// Management events, data events and network activity events, together or alone.
    Events,
    /// Insights events.
    Insight,
    /// Configuration items of AWS Config.
    ConfigurationItem,
    /// Evidence of AWS Audit Manager.
    Evidence,
    /// Events from outside AWS, which come through channels.
    ActivityAuditLog,
}

impl StoreCategory {
    /// What AWS calls it: the `eventCategory` of its events, the first one's where there are several.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "Management",
            Self::Insight => "Insight",
            Self::ConfigurationItem => "ConfigurationItem",
            Self::Evidence => "Evidence",
            Self::ActivityAuditLog => "ActivityAuditLog",
        }
    }
}

/// Checks the selectors of an event data store and says what kind of store they make. A store has management, data and
/// network activity events in any mixture, or one of the other categories, on which there are no conditions.
///
/// # Errors
/// The first rule that is broken.
pub fn check_store(selectors: &[AdvancedEventSelector]) -> Result<StoreCategory, InvalidSelectors> {
    check_size(selectors)?;
    if selectors.len() > MAX_STORE_SELECTORS {
        let (count, limit) = (selectors.len(), MAX_STORE_SELECTORS);
        return Err(InvalidSelectors::StoreSelectorCount { count, limit });
    }
    let mut found = None;
    for selector in selectors {
        let category = check_one(selector)?;
        let kind = match category {
            SelectorCategory::Management | SelectorCategory::Data | SelectorCategory::NetworkActivity => {
                StoreCategory::Events
            }
            SelectorCategory::Insight => StoreCategory::Insight,
            SelectorCategory::ConfigurationItem => StoreCategory::ConfigurationItem,
            SelectorCategory::Evidence => StoreCategory::Evidence,
            SelectorCategory::ActivityAuditLog => StoreCategory::ActivityAuditLog,
        };
        if kind != StoreCategory::Events && selectors.len() > 1 {
            return Err(InvalidSelectors::MixedCategories(category.name()));
        }
        found = Some(kind);
    }
    found.ok_or(InvalidSelectors::NoSelectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AdvancedFieldSelector;

    fn of(category: &str, more: &[(&str, &str)]) -> AdvancedEventSelector {
        let field = |name: &str, value: &str| AdvancedFieldSelector {
            field: name.to_owned(),
            equals: Some(vec![value.to_owned()]),
            ..AdvancedFieldSelector::default()
        };
        let mut field_selectors = vec![field("eventCategory", category)];
        field_selectors.extend(more.iter().map(|(name, value)| field(name, value)));
        AdvancedEventSelector { name: None, field_selectors }
    }

    #[test]
    fn events_mix_and_the_others_stand_alone() {
        let data = of("Data", &[("resources.type", "AWS::S3::Object")]);
        let mixed = [of("Management", &[("readOnly", "false")]), data.clone()];
        assert_eq!(check_store(&mixed), Ok(StoreCategory::Events));
        for (name, kind) in [
            ("Insight", StoreCategory::Insight),
            ("ConfigurationItem", StoreCategory::ConfigurationItem),
            ("Evidence", StoreCategory::Evidence),
            ("ActivityAuditLog", StoreCategory::ActivityAuditLog),
        ] {
            assert_eq!(check_store(&[of(name, &[])]), Ok(kind));
            assert_eq!(kind.as_str(), name);
            for other in [&data, &of(name, &[])] {
                let mixed = [other.clone(), of(name, &[])];
                assert_eq!(check_store(&mixed), Err(InvalidSelectors::MixedCategories(name)));
            }
            let filtered = of(name, &[("eventName", "x")]);
            assert!(matches!(check_store(&[filtered]), Err(InvalidSelectors::FieldOfOtherCategory { .. })));
        }
    }

    #[test]
    fn a_store_has_one_to_five_selectors() {
        assert_eq!(check_store(&[]), Err(InvalidSelectors::NoSelectors));
        let many = vec![of("Management", &[]); MAX_STORE_SELECTORS];
        assert_eq!(check_store(&many), Ok(StoreCategory::Events));
        let more = vec![of("Management", &[]); MAX_STORE_SELECTORS + 1];
        assert!(matches!(
            check_store(&more),
            Err(InvalidSelectors::StoreSelectorCount { count: 6, limit: 5 })
        ));
    }
}
