//! Why selectors are refused (`InvalidEventSelectorsException`).

/// The rule that a set of selectors breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelectors {
    /// Neither kind of selectors was given.
    #[error("Specify event selectors or advanced event selectors.")]
    NoSelectors,
    /// Both kinds were given.
    #[error("Specify either event selectors or advanced event selectors, not both.")]
    BothKinds,
    /// Fewer than one or more than five basic selectors.
    #[error("Specify a valid number of event selectors (1 to {limit}) for your trail; there are {count}.")]
    SelectorCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Too many data resources over all basic selectors.
    #[error("Specify a valid number of data resources (1 to {limit}) for your trail; there are {count}.")]
    DataResourceCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A read-write type other than the three.
    #[error("Value {0} for EventSelectors.ReadWriteType is invalid: use All, ReadOnly or WriteOnly.")]
    ReadWriteType(String),
    /// A type of data resource that basic selectors do not know.
    #[error("The resource type {0} for EventSelectors.DataResources.Type is invalid.")]
    DataResourceType(String),
    /// A value that is no ARN or prefix of an ARN of its type.
    #[error("Value {value} for DataResources.Values is invalid for the type {kind}.")]
    DataResourceValue {
        /// The resource type.
        kind: String,
        /// The value.
        value: String,
    },
    /// A source that cannot be excluded.
    #[error(
        "Value {0} for ExcludeManagementEventSources is invalid: use kms.amazonaws.com or \
         rdsdata.amazonaws.com."
    )]
    ExcludedSource(String),
    /// Sources are excluded from management events that are not included.
    #[error("ExcludeManagementEventSources cannot be used when IncludeManagementEvents is false.")]
    ExcludedWithoutManagement,
    /// More values than a trail's advanced selectors may have.
    #[error(
        "Specify up to {limit} values for all conditions in all advanced event selectors; there are {count}."
    )]
    ValueCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The name of a selector is too long.
    #[error("The name of an advanced event selector must have at most {0} characters.")]
    NameTooLong(usize),
    /// A selector has no fields.
    #[error("Specify at least one field selector for the advanced event selector.")]
    NoFields,
    /// A field that does not exist.
    #[error("{0} is not a valid field for an advanced event selector.")]
    UnknownField(String),
    /// A field twice in one selector.
    #[error("The field {0} is used more than once in an advanced event selector.")]
    DuplicateField(&'static str),
    /// A field without an operator.
    #[error("Specify at least one operator for the field {0}.")]
    NoOperator(&'static str),
    /// An operator with an empty list.
    #[error("Specify at least one value for the operator {operator} of the field {field}.")]
    NoValues {
        /// The field.
        field: &'static str,
        /// The operator.
        operator: &'static str,
    },
    /// A value that is empty or longer than 2048 characters.
    #[error("A value of the field {0} must have 1 to 2048 characters.")]
    ValueLength(&'static str),
    /// An operator that the field does not take.
    #[error("The field {field} takes only the operator {allowed}, not {operator}.")]
    Operator {
        /// The field.
        field: &'static str,
        /// The operator.
        operator: &'static str,
        /// The only one that is allowed.
        allowed: &'static str,
    },
    /// A field that takes one value has several.
    #[error("The field {0} takes exactly one value.")]
    OneValue(&'static str),
    /// A value that the field cannot have.
    #[error("Value {value} for the field {field} is invalid.")]
    Value {
        /// The field.
        field: &'static str,
        /// The value.
        value: String,
    },
    /// A field that is required is absent.
    #[error("The field {field} is required for advanced event selectors of the category {category}.")]
    MissingField {
        /// The field.
        field: &'static str,
        /// The selector's category.
        category: &'static str,
    },
    /// No category.
    #[error("The field eventCategory is required in each advanced event selector.")]
    NoCategory,
    /// A field that events of the category do not have.
    #[error("The field {field} is not valid for advanced event selectors of the category {category}.")]
    FieldOfOtherCategory {
        /// The field.
        field: &'static str,
        /// The selector's category.
        category: &'static str,
    },
    /// More selectors than an event data store may have.
    #[error("Specify up to {limit} advanced event selectors for an event data store; there are {count}.")]
    StoreSelectorCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Categories that one event data store can't have together.
    #[error(
        "An event data store for events of the category {0} can have one advanced event selector, and none of \
         another category."
    )]
    MixedCategories(&'static str),
}
