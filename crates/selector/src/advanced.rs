//! Advanced event selectors.
//!
//! The rules are those of AWS's AdvancedFieldSelector page. In one place more is allowed than AWS allows for
//! trails: a Management selector takes every field that AWS allows for event data stores, with every operator.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::InvalidSelectors;

/// Most values over all conditions of all advanced selectors of a trail (AWS: PutEventSelectors).
pub const MAX_VALUES: usize = 500;
/// Longest name of a selector in characters (AWS: SelectorName).
pub const MAX_NAME: usize = 1000;
/// Longest value in characters (AWS: OperatorValue).
pub const MAX_VALUE: usize = 2048;

/// One advanced selector: an event is taken when all its fields match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedEventSelector {
    /// What the selector is for, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The conditions.
    pub field_selectors: Vec<AdvancedFieldSelector>,
}

/// The conditions on one field. The positive operators are alternatives: one value that matches is enough.
/// The negative ones exclude: one value that matches is too much.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedFieldSelector {
    /// The field's name.
    pub field: String,
    /// The field is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Vec<String>>,
    /// The field starts with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<Vec<String>>,
    /// The field ends with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<Vec<String>>,
    /// The field is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Vec<String>>,
    /// The field starts with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_starts_with: Option<Vec<String>>,
    /// The field ends with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ends_with: Option<Vec<String>>,
}

impl AdvancedFieldSelector {
    /// The operators that were given, with their names.
    pub(super) fn operators(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [
            ("Equals", &self.equals),
            ("StartsWith", &self.starts_with),
            ("EndsWith", &self.ends_with),
            ("NotEquals", &self.not_equals),
            ("NotStartsWith", &self.not_starts_with),
            ("NotEndsWith", &self.not_ends_with),
        ]
        .into_iter()
        .filter_map(|(name, values)| values.as_deref().map(|values| (name, values)))
    }
}

/// A field of an event that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    EventCategory,
    ReadOnly,
    EventName,
    EventSource,
    EventType,
    ResourceType,
    ResourceArn,
    SessionCredentialFromConsole,
    UserIdentityArn,
    ErrorCode,
    VpcEndpointId,
}

impl Field {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "eventCategory" => Self::EventCategory,
            "readOnly" => Self::ReadOnly,
            "eventName" => Self::EventName,
            "eventSource" => Self::EventSource,
            "eventType" => Self::EventType,
            "resources.type" => Self::ResourceType,
            "resources.ARN" => Self::ResourceArn,
            "sessionCredentialFromConsole" => Self::SessionCredentialFromConsole,
            "userIdentity.arn" => Self::UserIdentityArn,
            "errorCode" => Self::ErrorCode,
            "vpcEndpointId" => Self::VpcEndpointId,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::EventCategory => "eventCategory",
            Self::ReadOnly => "readOnly",
            Self::EventName => "eventName",
            Self::EventSource => "eventSource",
            Self::EventType => "eventType",
            Self::ResourceType => "resources.type",
            Self::ResourceArn => "resources.ARN",
            Self::SessionCredentialFromConsole => "sessionCredentialFromConsole",
            Self::UserIdentityArn => "userIdentity.arn",
            Self::ErrorCode => "errorCode",
            Self::VpcEndpointId => "vpcEndpointId",
        }
    }

    /// Fields that take `Equals` only.
    fn is_exact(self) -> bool {
        matches!(
            self,
            Self::EventCategory | Self::ReadOnly | Self::ResourceType | Self::SessionCredentialFromConsole
        )
    }

    fn is_for(self, category: SelectorCategory) -> bool {
        use SelectorCategory::{Data, Management, NetworkActivity};
        match self {
            Self::EventCategory => true,
            Self::EventName | Self::EventSource => {
                matches!(category, Management | Data | NetworkActivity)
            }
            Self::ReadOnly | Self::EventType | Self::SessionCredentialFromConsole | Self::UserIdentityArn => {
                matches!(category, Management | Data)
            }
            Self::ResourceType | Self::ResourceArn => category == Data,
            Self::ErrorCode | Self::VpcEndpointId => category == NetworkActivity,
        }
    }
}

/// The categories of events that a trail can take, which are the first three, or an event data store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SelectorCategory {
    Management,
    Data,
    NetworkActivity,
    Insight,
    ConfigurationItem,
    Evidence,
    ActivityAuditLog,
}

impl SelectorCategory {
    pub(super) fn of(text: &str) -> Option<Self> {
        match text {
            "Management" => Some(Self::Management),
            "Data" => Some(Self::Data),
            "NetworkActivity" => Some(Self::NetworkActivity),
            "Insight" => Some(Self::Insight),
            "ConfigurationItem" => Some(Self::ConfigurationItem),
            "Evidence" => Some(Self::Evidence),
            "ActivityAuditLog" => Some(Self::ActivityAuditLog),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Management => "Management",
            Self::Data => "Data",
            Self::NetworkActivity => "NetworkActivity",
            Self::Insight => "Insight",
            Self::ConfigurationItem => "ConfigurationItem",
            Self::Evidence => "Evidence",
            Self::ActivityAuditLog => "ActivityAuditLog",
        }
    }

    /// Whether trails take events of the category.
    fn is_for_trails(self) -> bool {
        matches!(self, Self::Management | Self::Data | Self::NetworkActivity)
    }

    fn required(self) -> &'static [Field] {
        match self {
            Self::Data => &[Field::ResourceType],
            Self::NetworkActivity => &[Field::EventSource],
            _ => &[],
        }
    }
}

/// Checks how many selectors and values there are.
pub(super) fn check_size(selectors: &[AdvancedEventSelector]) -> Result<(), InvalidSelectors> {
    if selectors.is_empty() {
        return Err(InvalidSelectors::NoSelectors);
    }
    let fields = selectors.iter().flat_map(|selector| &selector.field_selectors);
    let count = fields.flat_map(AdvancedFieldSelector::operators).map(|(_, values)| values.len()).sum();
    if count > MAX_VALUES {
        return Err(InvalidSelectors::ValueCount { count, limit: MAX_VALUES });
    }
    Ok(())
}

/// Checks the selectors of a trail.
pub(super) fn check(selectors: &[AdvancedEventSelector]) -> Result<(), InvalidSelectors> {
    check_size(selectors)?;
    for selector in selectors {
        let category = check_one(selector)?;
        if !category.is_for_trails() {
            let value = category.name().to_owned();
            return Err(InvalidSelectors::Value { field: Field::EventCategory.name(), value });
        }
    }
    Ok(())
}

/// Checks one selector of a trail or an event data store, and says of which category it is.
pub(super) fn check_one(selector: &AdvancedEventSelector) -> Result<SelectorCategory, InvalidSelectors> {
    if selector.name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(InvalidSelectors::NameTooLong(MAX_NAME));
    }
    if selector.field_selectors.is_empty() {
        return Err(InvalidSelectors::NoFields);
    }
    let mut seen = BTreeSet::new();
    let mut category = None;
    for condition in &selector.field_selectors {
        let field = Field::of(&condition.field)
            .ok_or_else(|| InvalidSelectors::UnknownField(condition.field.chars().take(256).collect()))?;
        if !seen.insert(field) {
            return Err(InvalidSelectors::DuplicateField(field.name()));
        }
        check_condition(field, condition)?;
        if field == Field::EventCategory {
            category =
                condition.equals.as_ref().and_then(|v| v.first()).and_then(|v| SelectorCategory::of(v));
        }
    }
    let category = category.ok_or(InvalidSelectors::NoCategory)?;
    if let Some(field) = seen.iter().find(|field| !field.is_for(category)) {
        return Err(InvalidSelectors::FieldOfOtherCategory {
            field: field.name(),
            category: category.name(),
        });
    }
    if let Some(field) = category.required().iter().find(|field| !seen.contains(field)) {
        return Err(InvalidSelectors::MissingField { field: field.name(), category: category.name() });
    }
    if category == SelectorCategory::NetworkActivity {
        check_network_activity(selector)?;
    }
    Ok(category)
}

fn check_condition(field: Field, condition: &AdvancedFieldSelector) -> Result<(), InvalidSelectors> {
    if condition.operators().next().is_none() {
        return Err(InvalidSelectors::NoOperator(field.name()));
    }
    for (operator, values) in condition.operators() {
        if field.is_exact() && operator != "Equals" {
            return Err(InvalidSelectors::Operator { field: field.name(), operator, allowed: "Equals" });
        }
        if values.is_empty() {
            return Err(InvalidSelectors::NoValues { field: field.name(), operator });
        }
        if field.is_exact() && values.len() != 1 {
            return Err(InvalidSelectors::OneValue(field.name()));
        }
        for value in values {
            if !(1..=MAX_VALUE).contains(&value.chars().count()) {
                return Err(InvalidSelectors::ValueLength(field.name()));
            }
            if !is_valid_value(field, operator, value) {
                let value = value.chars().take(256).collect();
                return Err(InvalidSelectors::Value { field: field.name(), value });
            }
        }
    }
    Ok(())
}

fn is_valid_value(field: Field, operator: &str, value: &str) -> bool {
    match field {
        Field::EventCategory => SelectorCategory::of(value).is_some(),
        Field::ReadOnly | Field::SessionCredentialFromConsole => matches!(value, "true" | "false"),
        Field::ResourceType => {
            let parts: Vec<&str> = value.split("::").collect();
            parts.len() == 3 && parts.iter().all(|part| !part.is_empty())
        }
        Field::ResourceArn => operator.ends_with("EndsWith") || value.starts_with("arn:"),
        _ => true,
    }
}

/// Network activity: one event source, and of error codes only the one that endpoints' policies cause.
fn check_network_activity(selector: &AdvancedEventSelector) -> Result<(), InvalidSelectors> {
    for condition in &selector.field_selectors {
        let Some(field @ (Field::EventSource | Field::ErrorCode)) = Field::of(&condition.field) else {
            continue;
        };
        if let Some((operator, _)) = condition.operators().find(|(operator, _)| *operator != "Equals") {
            return Err(InvalidSelectors::Operator { field: field.name(), operator, allowed: "Equals" });
        }
        let values = condition.equals.as_deref().unwrap_or_default();
        if values.len() != 1 {
            return Err(InvalidSelectors::OneValue(field.name()));
        }
        if field == Field::ErrorCode && values[0] != "VpceAccessDenied" {
            let value = values[0].chars().take(256).collect();
            return Err(InvalidSelectors::Value { field: field.name(), value });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(field: &str, values: &[&str]) -> AdvancedFieldSelector {
        AdvancedFieldSelector {
            field: field.into(),
            equals: Some(values.iter().map(|v| (*v).to_owned()).collect()),
            ..AdvancedFieldSelector::default()
        }
    }

    fn checked(fields: Vec<AdvancedFieldSelector>) -> Result<(), InvalidSelectors> {
        check(&[AdvancedEventSelector { name: None, field_selectors: fields }])
    }

    #[test]
    fn the_category_is_required_and_exact() {
        assert_eq!(checked(vec![equals("readOnly", &["true"])]), Err(InvalidSelectors::NoCategory));
        assert_eq!(checked(vec![equals("eventCategory", &["Management"])]), Ok(()));
        assert!(checked(vec![equals("eventCategory", &["Insight"])]).is_err());
        assert_eq!(
            checked(vec![equals("eventCategory", &["Management", "Data"])]),
            Err(InvalidSelectors::OneValue("eventCategory"))
        );
        let starts = AdvancedFieldSelector {
            field: "eventCategory".into(),
            starts_with: Some(vec!["Man".into()]),
            ..AdvancedFieldSelector::default()
        };
        assert!(matches!(checked(vec![starts]), Err(InvalidSelectors::Operator { .. })));
    }

    #[test]
    fn data_needs_a_resource_type_and_management_takes_none() {
        let data = equals("eventCategory", &["Data"]);
        let kind = equals("resources.type", &["AWS::S3::Object"]);
        assert!(matches!(
            checked(vec![data.clone()]),
            Err(InvalidSelectors::MissingField { field: "resources.type", .. })
        ));
        assert_eq!(checked(vec![data.clone(), kind.clone()]), Ok(()));
        assert!(checked(vec![data.clone(), kind.clone(), equals("resources.ARN", &["b/k"])]).is_err());
        assert!(matches!(
            checked(vec![equals("eventCategory", &["Management"]), kind]),
            Err(InvalidSelectors::FieldOfOtherCategory { .. })
        ));
        assert!(checked(vec![data, equals("resources.type", &["Object"])]).is_err());
    }

    #[test]
    fn network_activity_names_one_source_and_one_error() {
        let network = equals("eventCategory", &["NetworkActivity"]);
        let source = equals("eventSource", &["ec2.amazonaws.com"]);
        assert!(checked(vec![network.clone()]).is_err());
        assert_eq!(checked(vec![network.clone(), source.clone()]), Ok(()));
        let error = |code| equals("errorCode", &[code]);
        assert_eq!(checked(vec![network.clone(), source.clone(), error("VpceAccessDenied")]), Ok(()));
        assert!(checked(vec![network.clone(), source, error("AccessDenied")]).is_err());
        assert!(checked(vec![network, equals("eventSource", &["a.com", "b.com"])]).is_err());
    }

    #[test]
    fn broken_forms_are_named() {
        let management = equals("eventCategory", &["Management"]);
        let bare = AdvancedFieldSelector { field: "eventName".into(), ..AdvancedFieldSelector::default() };
        assert_eq!(checked(vec![management.clone(), bare]), Err(InvalidSelectors::NoOperator("eventName")));
        assert!(matches!(
            checked(vec![management.clone(), equals("eventName", &[])]),
            Err(InvalidSelectors::NoValues { .. })
        ));
        assert!(matches!(
            checked(vec![management.clone(), equals("eventNames", &["x"])]),
            Err(InvalidSelectors::UnknownField(_))
        ));
        assert_eq!(
            checked(vec![management.clone(), management.clone()]),
            Err(InvalidSelectors::DuplicateField("eventCategory"))
        );
        assert!(checked(vec![management.clone(), equals("readOnly", &["yes"])]).is_err());
        assert_eq!(checked(vec![]), Err(InvalidSelectors::NoFields));
        let many: Vec<String> = (0..500).map(|i| format!("n{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(
            checked(vec![management, equals("eventName", &many)]),
            Err(InvalidSelectors::ValueCount { count: 501, .. })
        ));
    }
}
