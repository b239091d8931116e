//! Values to try for a condition key: enough that every combination of what conditions on it can say occurs.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use chrono::{SecondsFormat, TimeDelta};

use crate::{
    Context,
    arn::ArnPattern,
    condition::Condition,
    operator::{Family, Operator, Quantifier},
    pattern::{Pattern, Syntax},
    scalar::{self, Number},
    witness::{Glob, witnesses},
};

/// Of how many single values every combination is tried, for keys with several.
const COMBINED: usize = 5;

/// What was found to try.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Each is the values of the key in one request; that it has none is not among them.
    pub(crate) values: Vec<Vec<String>>,
    /// Whether everything that conditions can say of the key occurs.
    pub(crate) complete: bool,
}

/// A condition, and whether its document has policy variables.
pub(crate) type Asked<'a> = (&'a Condition, bool);

/// The values to try for the key on which these conditions are, given what is known of the others. `more` are values
/// that are of interest for other reasons.
pub(crate) fn probe(asked: &[Asked<'_>], more: &BTreeSet<String>, context: &Context) -> Probe {
    let mut gathered = Gathered { context, globs: Vec::new(), values: BTreeSet::new(), several: false };
    for (condition, variables) in asked {
        gathered.add(condition, *variables);
    }
    let found = witnesses(None, &gathered.globs);
    let mut single: BTreeSet<String> = gathered.values;
    single.extend(more.iter().filter(|value| !value.is_empty()).cloned());
    single.extend(found.texts.into_iter().filter(|text| !text.is_empty()));
    let mut values: Vec<Vec<String>> = single.iter().map(|value| vec![value.clone()]).collect();
    let mut complete = found.complete;
    if gathered.several {
        complete &= single.len() <= COMBINED;
        values.extend(combinations(&single));
    }
    let tells = |values: &Vec<String>| tells(asked, values, context);
    let mut seen = BTreeSet::new();
    // What other conditions take the key's value for is told by no condition on the key itself.
    values.retain(|value| seen.insert(tells(value)) || value.iter().any(|value| more.contains(value)));
    Probe { values, complete }
}

/// What each condition says of these values, where that can be known.
fn tells(asked: &[Asked<'_>], values: &[String], context: &Context) -> Vec<bool> {
    let says = |(condition, _): &Asked<'_>| {
        let mut context = context.clone();
        match values {
            [one] => context.set(condition.key(), one.as_str()),
            many => context.set_many(condition.key(), many.iter().cloned()),
        };
        condition.holds(&context)
    };
    asked.iter().map(says).collect()
}

/// Sets of two values and more.
fn combinations(single: &BTreeSet<String>) -> Vec<Vec<String>> {
    let values: Vec<&String> = single.iter().collect();
    if values.len() > COMBINED {
        return vec![single.iter().cloned().collect()];
    }
    let sets = (0_usize..1 << values.len()).filter(|set| set.count_ones() > 1);
    let members = |set: usize| {
        values.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, value)| (*value).clone())
    };
    sets.map(|set| members(set).collect()).collect()
}

struct Gathered<'a> {
    context: &'a Context,
    globs: Vec<Glob>,
    values: BTreeSet<String>,
    /// Whether a condition looks at several values.
    several: bool,
}

impl Gathered<'_> {
    fn add(&mut self, condition: &Condition, variables: bool) {
        let written = condition.written();
        let Some(operator) = Operator::parse(&written.operator) else { return };
        self.several |= operator.quantifier != Quantifier::None;
        for value in &written.values {
            match operator.family {
                Family::StringEquals => self.text(value, false, variables, false),
                Family::StringEqualsIgnoreCase => self.text(value, false, variables, true),
                Family::StringLike => self.text(value, true, variables, false),
                Family::Arn => self.arn(value, variables),
                family => {
                    if let Some(value) = self.resolved(value, variables) {
                        self.scalar(family, &value);
                    }
                }
            }
        }
    }

    fn text(&mut self, value: &str, wildcards: bool, variables: bool, folds: bool) {
        let Ok(pattern) = Pattern::compile(value, Syntax { wildcards, variables }) else { return };
        self.push(Glob::of(&pattern, self.context, folds));
    }

    fn arn(&mut self, value: &str, variables: bool) {
        let Ok(compiled) = ArnPattern::compile(value, variables) else { return };
        // Only what is an ARN fits any.
        self.push(Some(Glob::wild("arn:*:*:*:*:*")));
        match compiled.patterns() {
            [whole] => self.push(Glob::of(whole, self.context, false)),
            [] => {}
            parts => self.push(Glob::of_parts(parts, self.context)),
        }
    }

    fn push(&mut self, glob: Option<Glob>) {
        if let Some(glob) = glob
            && !self.globs.contains(&glob)
        {
            self.globs.push(glob);
        }
    }

    fn resolved(&self, value: &str, variables: bool) -> Option<String> {
        let pattern = Pattern::compile(value, Syntax { wildcards: false, variables }).ok()?;
        pattern.text(self.context).ok().map(Into::into)
    }

    fn scalar(&mut self, family: Family, value: &str) {
        match family {
            Family::Numeric(_) => self.number(value),
            Family::Date(_) => self.date(value),
            Family::Bool => self.values.extend(["true", "false"].map(str::to_owned)),
            Family::Ip => self.addresses(value),
            Family::Binary => self.values.extend([value.to_owned(), "eA==".to_owned(), "eXk=".to_owned()]),
            Family::Null
            | Family::StringEquals
            | Family::StringEqualsIgnoreCase
            | Family::StringLike
            | Family::Arn => {}
        }
    }

    /// A number, and what lies next to it on both sides.
    fn number(&mut self, value: &str) {
        match Number::parse(value) {
            Some(Number::Integer(number)) => {
                let around = [number.saturating_sub(1), number, number.saturating_add(1)];
                self.values.extend(around.map(|number| number.to_string()));
            }
            Some(Number::Fraction(number)) => {
                let step = number.abs().max(1.0) * 1e-9;
                self.values.extend([number - step, number, number + step].map(|number| number.to_string()));
            }
            None => {}
        }
    }

    fn date(&mut self, value: &str) {
        let Some(moment) = scalar::parse_date(value) else { return };
        for seconds in [-1, 0, 1] {
            if let Some(moment) = moment.checked_add_signed(TimeDelta::seconds(seconds)) {
                self.values.insert(moment.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            }
        }
    }

    /// The ends of a range and what lies next to them: every difference between ranges begins at one of these.
    fn addresses(&mut self, range: &str) {
        let (address, prefix) = range.split_once('/').unwrap_or((range, ""));
        let Ok(address) = address.parse::<IpAddr>() else { return };
        let found = match address {
            IpAddr::V4(address) => {
                let bits = prefix.parse::<u32>().unwrap_or(32).min(32);
                let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
                let first = address.to_bits() & !hosts;
                let around =
                    [Some(first), first.checked_sub(1), Some(first | hosts), (first | hosts).checked_add(1)];
                around.map(|bits| bits.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))))
            }
            IpAddr::V6(address) => {
                let bits = prefix.parse::<u32>().unwrap_or(128).min(128);
                let hosts = u128::MAX.checked_shr(bits).unwrap_or(0);
                let first = address.to_bits() & !hosts;
                let around =
                    [Some(first), first.checked_sub(1), Some(first | hosts), (first | hosts).checked_add(1)];
                around.map(|bits| bits.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))))
            }
        };
        self.values.extend(found.into_iter().flatten().map(|address| address.to_string()));
        // A range has no address of the other family.
        self.values.extend(["203.0.113.1", "2001:db8::1"].map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::probe;
    use crate::{Context, condition::Condition};

    fn values(conditions: &[(&str, &[&str])]) -> Vec<Vec<String>> {
        let compiled: Vec<Condition> = conditions
            .iter()
            .map(|(operator, values)| {
                let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
                Condition::compile(operator, "k", &values, true).expect("a condition")
            })
            .collect();
        let asked: Vec<(&Condition, bool)> = compiled.iter().map(|condition| (condition, true)).collect();
        let found = probe(&asked, &BTreeSet::new(), &Context::new().with("name", "bob"));
        assert!(found.complete);
        found.values
    }

    #[test]
    fn each_value_differs_from_the_others_in_what_conditions_say() {
        assert_eq!(values(&[("StringEquals", &["a", "b"])]).len(), 2);
        assert_eq!(values(&[("StringLike", &["a*"]), ("StringNotLike", &["*b"])]).len(), 4);
        assert_eq!(values(&[("NumericLessThan", &["5"]), ("NumericGreaterThan", &["5"])]).len(), 3);
        assert_eq!(values(&[("IpAddress", &["10.0.0.0/8"]), ("NotIpAddress", &["10.1.0.0/16"])]).len(), 3);
        assert_eq!(values(&[("DateLessThan", &["2026-01-01T00:00:00Z"])]).len(), 2);
        assert_eq!(values(&[("Bool", &["true"])]).len(), 2);
        assert_eq!(
            values(&[("ArnLike", &["arn:aws:iam::*:role/a"]), ("StringEquals", &["${name}"])]).len(),
            3
        );
        assert_eq!(
            values(&[("ForAllValues:StringEquals", &["a"]), ("ForAnyValue:StringEquals", &["a"])]).len(),
            3
        );
    }
}
