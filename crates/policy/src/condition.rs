//! Conditions: one operator, one key, the values it is compared with.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::{
    Context, PolicyError,
    arn::ArnPattern,
    cidr::Cidr,
    context::Key,
    operator::{Family, Operator, Order, Quantifier},
    pattern::{Pattern, Syntax},
    scalar::{self, Number},
};

/// One line of a `Condition` block. A statement applies when all of its conditions hold.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    key: Key,
    operator: Operator,
    check: Check,
    written: Written,
}

/// A condition as the document has it.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) operator: Box<str>,
    pub(crate) key: Box<str>,
    pub(crate) values: Vec<String>,
}

/// The policy's values, ready to be compared. A request's value passes if any of them accepts it.
#[derive(Debug, Clone)]
enum Check {
    Equals(Vec<Pattern>),
    EqualsIgnoreCase(Vec<Pattern>),
    Like(Vec<Pattern>),
    Numeric(Order, Vec<Operand<Number>>),
    Date(Order, Vec<Operand<DateTime<Utc>>>),
    Bool(Vec<Operand<bool>>),
    Binary(Vec<Operand<Vec<u8>>>),
    Ip(Vec<Operand<Cidr>>),
    Arn(Vec<ArnPattern>),
    /// `Null`: whether the key must be absent.
    Absent(Vec<Operand<bool>>),
}

/// A value of a type other than text: read once if it is constant, in each request if it has variables.
#[derive(Debug, Clone)]
enum Operand<T> {
    Constant(T),
    Template(Pattern),
}

impl<T: Clone> Operand<T> {
    fn value(&self, context: &Context, parse: fn(&str) -> Option<T>) -> Option<T> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Template(pattern) => parse(&pattern.text(context).ok()?),
        }
    }
}

impl Condition {
    /// Compiles `"written": {"key": values}`.
    pub(crate) fn compile(
        written: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let operator = Operator::parse(written)
            .ok_or_else(|| PolicyError::UnknownOperator { operator: written.to_owned() })?;
        let compiler = Compiler { written, values, variables };
        let check = compiler.check(operator.family)?;
        let written = Written { operator: written.into(), key: key.into(), values: values.to_vec() };
        Ok(Self { key: Key::new(key), operator, check, written })
    }

    /// As the document has it.
    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    /// As [`variables`](Self::variables), as the document has them.
    pub(crate) fn written_variables(&self) -> impl Iterator<Item = &str> {
        self.check.patterns().into_iter().flat_map(Pattern::written_variables)
    }

    /// The key, in lower case.
    pub(crate) fn key(&self) -> &str {
        self.key.name()
    }

    /// The keys, in lower case, whose values the policy's own values take in.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.check.patterns().into_iter().flat_map(Pattern::variables)
    }

    /// Whether the condition holds in this request.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.values(&self.key).unwrap_or_default();
        if let Check::Absent(expected) = &self.check {
            return expected
                .iter()
                .any(|operand| operand.value(context, scalar::parse_bool) == Some(values.is_empty()));
        }
        let Operator { quantifier, negated, if_exists, .. } = self.operator;
        if values.is_empty() {
            return match quantifier {
                Quantifier::AllValues => true,
                Quantifier::AnyValue => if_exists,
                Quantifier::None => if_exists || negated,
            };
        }
        let accepted = |value: &String| self.check.accepts(value, context);
        match quantifier {
            Quantifier::None => values.iter().any(accepted) != negated,
            Quantifier::AnyValue => values.iter().any(|value| accepted(value) != negated),
            Quantifier::AllValues => values.iter().all(|value| accepted(value) != negated),
        }
    }
}

impl Check {
    /// The values that are not constants.
    fn patterns(&self) -> Vec<&Pattern> {
        fn templates<T>(operands: &[Operand<T>]) -> Vec<&Pattern> {
            let templates = operands.iter().filter_map(|operand| match operand {
                Operand::Template(pattern) => Some(pattern),
                Operand::Constant(_) => None,
            });
            templates.collect()
        }
        match self {
            Self::Equals(patterns) | Self::EqualsIgnoreCase(patterns) | Self::Like(patterns) => {
                patterns.iter().collect()
            }
            Self::Arn(patterns) => patterns.iter().flat_map(ArnPattern::patterns).collect(),
            Self::Numeric(_, operands) => templates(operands),
            Self::Date(_, operands) => templates(operands),
            Self::Bool(operands) | Self::Absent(operands) => templates(operands),
            Self::Binary(operands) => templates(operands),
            Self::Ip(operands) => templates(operands),
        }
    }

    /// Whether any of the policy's values matches `value`. A policy's value with a variable that the
    /// request does not have matches nothing.
    fn accepts(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::EqualsIgnoreCase(patterns) => {
                let value = value.to_lowercase();
                patterns
                    .iter()
                    .any(|pattern| pattern.text(context).is_ok_and(|text| text.to_lowercase() == value))
            }
            // The patterns of the first have no wildcards.
            Self::Equals(patterns) | Self::Like(patterns) => {
                patterns.iter().any(|pattern| pattern.matches(value, context) == Ok(true))
            }
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context) == Ok(true)),
            Self::Numeric(order, operands) => {
                any(value, operands, context, Number::parse, Number::parse, |request, policy| {
                    request.compare(*policy).is_some_and(|ordering| order.holds(ordering))
                })
            }
            Self::Date(order, operands) => {
                any(value, operands, context, scalar::parse_date, scalar::parse_date, |request, policy| {
                    order.holds(request.cmp(policy))
                })
            }
            Self::Bool(operands) | Self::Absent(operands) => {
                any(value, operands, context, scalar::parse_bool, scalar::parse_bool, |request, policy| {
                    request == policy
                })
            }
            Self::Binary(operands) => any(
                value,
                operands,
                context,
                scalar::parse_binary,
                scalar::parse_binary,
                |request, policy| request == policy,
            ),
            Self::Ip(operands) => {
                let address = |text: &str| text.parse::<IpAddr>().ok();
                any(value, operands, context, address, Cidr::parse, |request, policy| {
                    policy.contains(*request)
                })
            }
        }
    }
}

/// Whether the request's value, once read, stands in the relation to any of the policy's. A value that
/// cannot be read stands in none.
fn any<R, P: Clone>(
    value: &str,
    operands: &[Operand<P>],
    context: &Context,
    read_request: impl Fn(&str) -> Option<R>,
    read_policy: fn(&str) -> Option<P>,
    relation: impl Fn(&R, &P) -> bool,
) -> bool {
    let Some(request) = read_request(value) else { return false };
    operands
        .iter()
        .any(|operand| operand.value(context, read_policy).is_some_and(|policy| relation(&request, &policy)))
}

struct Compiler<'a> {
    written: &'a str,
    values: &'a [String],
    variables: bool,
}

impl Compiler<'_> {
    fn check(&self, family: Family) -> Result<Check, PolicyError> {
        Ok(match family {
            Family::StringEquals => Check::Equals(self.patterns(false)?),
            Family::StringEqualsIgnoreCase => Check::EqualsIgnoreCase(self.patterns(false)?),
            Family::StringLike => Check::Like(self.patterns(true)?),
            Family::Numeric(order) => Check::Numeric(order, self.operands(Number::parse)?),
            Family::Date(order) => Check::Date(order, self.operands(scalar::parse_date)?),
            Family::Bool => Check::Bool(self.operands(scalar::parse_bool)?),
            Family::Binary => Check::Binary(self.operands(scalar::parse_binary)?),
            Family::Ip => Check::Ip(self.operands(Cidr::parse)?),
            Family::Null => Check::Absent(self.operands(scalar::parse_bool)?),
            Family::Arn => Check::Arn(
                self.values
                    .iter()
                    .map(|value| {
                        ArnPattern::compile(value, self.variables)
                            .map_err(|_| PolicyError::InvalidVariable { value: value.clone() })
                    })
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    fn pattern(&self, value: &str, wildcards: bool) -> Result<Pattern, PolicyError> {
        Pattern::compile(value, Syntax { wildcards, variables: self.variables })
            .map_err(|_| PolicyError::InvalidVariable { value: value.to_owned() })
    }

    fn patterns(&self, wildcards: bool) -> Result<Vec<Pattern>, PolicyError> {
        self.values.iter().map(|value| self.pattern(value, wildcards)).collect()
    }

    fn operands<T>(&self, parse: fn(&str) -> Option<T>) -> Result<Vec<Operand<T>>, PolicyError> {
        self.values
            .iter()
            .map(|value| {
                if let Some(constant) = parse(value) {
                    return Ok(Operand::Constant(constant));
                }
                let pattern = self.pattern(value, false)?;
                if pattern.is_constant() {
                    let operator = self.written.to_owned();
                    return Err(PolicyError::InvalidConditionValue { operator, value: value.clone() });
                }
                Ok(Operand::Template(pattern))
            })
            .collect()
    }
}
