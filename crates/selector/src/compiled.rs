//! Selectors in the form in which each event asks them.

use std::borrow::Cow;

use opentrail_event::{Category, Event};

use crate::{
    Selectors,
    advanced::{AdvancedEventSelector, Field, SelectorCategory},
    basic::{self, EventSelector, ReadWriteType, Service},
};

/// The compiled selectors of a trail. Selectors that are not valid (they cannot come from
/// [`Selectors::check`]ed input) select nothing.
#[derive(Debug, Clone)]
pub struct Selection {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
enum Rule {
    BasicManagement {
        reads: bool,
        writes: bool,
        without: Vec<String>,
    },
    BasicData {
        reads: bool,
        writes: bool,
        resources: Vec<(Service, String)>,
    },
    Advanced {
        category: Category,
        resource: Vec<Condition>,
        fields: Vec<Condition>,
    },
    /// Records whose `eventCategory` is this: a category that is no kind of CloudTrail event.
    Named(&'static str),
}

#[derive(Debug, Clone)]
struct Condition {
    field: Field,
    any_of: Vec<Test>,
    none_of: Vec<Test>,
}

#[derive(Debug, Clone)]
enum Test {
    Is(String),
    Starts(String),
    Ends(String),
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(text) => value == text,
            Self::Starts(text) => value.starts_with(text.as_str()),
            Self::Ends(text) => value.ends_with(text.as_str()),
        }
    }
}

impl Condition {
    /// An absent value matches no positive operator and no negative one: it is not what is asked for, and it
    /// is none of what is excluded.
    fn holds(&self, value: Option<&str>) -> bool {
        let wanted = self.any_of.is_empty() || value.is_some_and(|v| self.any_of.iter().any(|t| t.holds(v)));
        wanted && !value.is_some_and(|v| self.none_of.iter().any(|t| t.holds(v)))
    }
}

impl Selection {
    /// Compiles selectors.
    pub fn compile(selectors: &Selectors) -> Self {
        let rules = match selectors {
            Selectors::Basic(list) => list.iter().flat_map(basic_rules).collect(),
            Selectors::Advanced(list) => list.iter().filter_map(advanced_rule).collect(),
        };
        Self { rules }
    }

    /// Compiles the selectors of an event data store.
    pub fn of_store(selectors: &[AdvancedEventSelector]) -> Self {
        Self { rules: selectors.iter().filter_map(advanced_rule).collect() }
    }

    /// Whether the selectors take the event: one of them does.
    ///
    /// Insights events and events of categories that trails do not know are taken by selectors of event data stores
    /// only, and those of the category ActivityAuditLog never: they come through channels.
    pub fn selects(&self, event: &Event) -> bool {
        self.rules.iter().any(|rule| rule.takes(event))
    }

    /// Whether some event other than a management event can be taken.
    pub fn has_data_events(&self) -> bool {
        self.rules.iter().any(|rule| match rule {
            Rule::BasicManagement { .. } => false,
            Rule::BasicData { .. } | Rule::Named(_) => true,
            Rule::Advanced { category, .. } => *category != Category::Management,
        })
    }
}

impl Rule {
    fn takes(&self, event: &Event) -> bool {
        match self {
            Self::BasicManagement { reads, writes, without } => {
                event.category() == Category::Management
                    && read_or_write(event, *reads, *writes)
                    && !without.iter().any(|source| source == event.source())
            }
            Self::BasicData { reads, writes, resources } => {
                event.category() == Category::Data
                    && read_or_write(event, *reads, *writes)
                    && touches(event, resources)
            }
            Self::Named(category) => {
                event.category() == Category::Other
                    && event.value_at(&["eventCategory"]).as_deref() == Some(*category)
            }
            Self::Advanced { category, resource, fields } => {
                event.category() == *category
                    && fields.iter().all(|condition| holds(condition, event))
                    && one_resource_holds(resource, event)
            }
        }
    }
}

fn basic_rules(selector: &EventSelector) -> Vec<Rule> {
    let reads = selector.read_write_type != ReadWriteType::WriteOnly;
    let writes = selector.read_write_type != ReadWriteType::ReadOnly;
    let mut rules = Vec::new();
    if selector.include_management_events {
        let without = selector.exclude_management_event_sources.clone();
        rules.push(Rule::BasicManagement { reads, writes, without });
    }
    let resources: Vec<_> = selector
        .data_resources
        .iter()
        .filter_map(|resource| Some((Service::of(&resource.kind)?, &resource.values)))
        .flat_map(|(service, values)| values.iter().map(move |value| (service, value.clone())))
        .collect();
    if !resources.is_empty() {
        rules.push(Rule::BasicData { reads, writes, resources });
    }
    rules
}

fn advanced_rule(selector: &AdvancedEventSelector) -> Option<Rule> {
    let mut category = None;
    let (mut resource, mut fields) = (Vec::new(), Vec::new());
    for asked in &selector.field_selectors {
        let field = Field::of(&asked.field)?;
        let tests = |values: &Option<Vec<String>>, make: fn(String) -> Test| -> Vec<Test> {
            values.iter().flatten().cloned().map(make).collect()
        };
        let mut any_of = tests(&asked.equals, Test::Is);
        any_of.extend(tests(&asked.starts_with, Test::Starts));
        any_of.extend(tests(&asked.ends_with, Test::Ends));
        let mut none_of = tests(&asked.not_equals, Test::Is);
        none_of.extend(tests(&asked.not_starts_with, Test::Starts));
        none_of.extend(tests(&asked.not_ends_with, Test::Ends));
        let condition = Condition { field, any_of, none_of };
        match field {
            Field::EventCategory => category = SelectorCategory::of(asked.equals.as_ref()?.first()?),
            Field::ResourceType | Field::ResourceArn => resource.push(condition),
            _ => fields.push(condition),
        }
    }
    let category = match category? {
        SelectorCategory::Management => Category::Management,
        SelectorCategory::Data => Category::Data,
        SelectorCategory::NetworkActivity => Category::NetworkActivity,
        SelectorCategory::Insight => Category::Insight,
        other @ (SelectorCategory::ConfigurationItem | SelectorCategory::Evidence) => {
            return Some(Rule::Named(other.name()));
        }
        // These events come through channels, to the stores that a channel names, and no other way.
        SelectorCategory::ActivityAuditLog => return None,
    };
    Some(Rule::Advanced { category, resource, fields })
}

/// A record that does not say whether it reads counts as writing, so that a trail for writes misses nothing.
fn read_or_write(event: &Event, reads: bool, writes: bool) -> bool {
    if event.read_only().unwrap_or(false) { reads } else { writes }
}

fn touches(event: &Event, wanted: &[(Service, String)]) -> bool {
    event.raw_resources().iter().any(|resource| {
        let (Some(kind), Some(arn)) = (resource.kind.as_deref(), resource.arn.as_deref()) else {
            return false;
        };
        Service::of(kind).is_some_and(|service| {
            wanted.iter().any(|(of, value)| *of == service && basic::value_matches(service, value, arn))
        })
    })
}

/// The conditions on `resources.type` and `resources.ARN` are about one and the same resource.
fn one_resource_holds(conditions: &[Condition], event: &Event) -> bool {
    conditions.is_empty()
        || event.raw_resources().iter().any(|resource| {
            conditions.iter().all(|condition| {
                let value = match condition.field {
                    Field::ResourceType => resource.kind.as_deref(),
                    _ => resource.arn.as_deref(),
                };
                condition.holds(value)
            })
        })
}

fn holds(condition: &Condition, event: &Event) -> bool {
    let value: Option<Cow<'_, str>> = match condition.field {
        Field::ReadOnly => Some(if event.read_only().unwrap_or(false) { "true" } else { "false" }.into()),
        Field::EventName => Some(event.name().into()),
        Field::EventSource => Some(event.source().into()),
        Field::EventType => event.event_type().map(Into::into),
        // The record has this member only where it is true.
        Field::SessionCredentialFromConsole => {
            Some(event.session_credential_from_console().unwrap_or("false").into())
        }
        Field::UserIdentityArn => event.user_identity_arn().map(Into::into),
        Field::ErrorCode => event.error_code().map(Into::into),
        Field::VpcEndpointId => event.vpc_endpoint_id().map(Into::into),
        Field::EventCategory | Field::ResourceType | Field::ResourceArn => None,
    };
    condition.holds(value.as_deref())
}
