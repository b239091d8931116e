//! The categories of events.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of event a record is of: its `eventCategory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Category {
    /// Management of resources: the control plane.
    Management,
    /// Work on or in a resource: the data plane.
    Data,
    /// Unusual activity that Insights found.
    Insight,
    /// Calls through a VPC endpoint.
    NetworkActivity,
    /// Any category that is none of these.
    Other,
}

impl Category {
    /// The category that an `eventCategory` names, compared as AWS writes it.
    pub fn of(name: &str) -> Self {
        match name {
            "Management" => Self::Management,
            "Data" => Self::Data,
            "Insight" => Self::Insight,
            "NetworkActivity" => Self::NetworkActivity,
            _ => Self::Other,
        }
    }

    /// The category of a record. Before version 1.07 records had no `eventCategory`, only
    /// `managementEvent`, and before 1.06 not even that: then only management events were written so.
    pub fn of_record(category: Option<&str>, management_event: Option<bool>) -> Self {
        match (category, management_event) {
            (Some(name), _) => Self::of(name),
            (None, Some(false)) => Self::Data,
            (None, _) => Self::Management,
        }
    }

    /// The name as a record has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Management => "Management",
            Self::Data => "Data",
            Self::Insight => "Insight",
            Self::NetworkActivity => "NetworkActivity",
            Self::Other => "Other",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Category> for String {
    fn from(category: Category) -> Self {
        category.as_str().to_owned()
    }
}

impl From<String> for Category {
    fn from(name: String) -> Self {
        Self::of(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::Category;

    #[test]
    fn an_old_record_has_the_category_that_management_event_says() {
        assert_eq!(Category::of_record(None, Some(false)), Category::Data);
        assert_eq!(Category::of_record(None, Some(true)), Category::Management);
        assert_eq!(Category::of_record(None, None), Category::Management);
        assert_eq!(Category::of_record(Some("NetworkActivity"), Some(false)), Category::NetworkActivity);
        assert_eq!(Category::of_record(Some("Weather"), Some(true)), Category::Other);
    }
}
