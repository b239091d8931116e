//! The names of condition operators.

/// How values are compared, apart from negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// The side of the policy's value on which the request's must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a multivalued key's values must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// No prefix: any value may match; negated, none may.
    None,
    /// `ForAnyValue:`
    AnyValue,
    /// `ForAllValues:`
    AllValues,
}

/// A condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) quantifier: Quantifier,
    pub(crate) family: Family,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

impl Operator {
    /// Reads an operator as a policy writes it, such as `ForAllValues:StringNotLikeIfExists`, in any case.
    pub(crate) fn parse(written: &str) -> Option<Self> {
        let written = written.to_ascii_lowercase();
        let (quantifier, name) = if let Some(name) = written.strip_prefix("foranyvalue:") {
            (Quantifier::AnyValue, name)
        } else if let Some(name) = written.strip_prefix("forallvalues:") {
            (Quantifier::AllValues, name)
        } else {
            (Quantifier::None, written.as_str())
        };
        let (name, if_exists) = match name.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (family, negated) = family(name)?;
        // "You can add IfExists to the end of any condition operator name except the Null condition."
        if family == Family::Null && (if_exists || quantifier != Quantifier::None) {
            return None;
        }
        Some(Self { quantifier, family, negated, if_exists })
    }
}

/// From a name in lower case.
fn family(name: &str) -> Option<(Family, bool)> {
    Some(match name {
        "stringequals" => (Family::StringEquals, false),
        "stringnotequals" => (Family::StringEquals, true),
        "stringequalsignorecase" => (Family::StringEqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (Family::StringEqualsIgnoreCase, true),
        "stringlike" => (Family::StringLike, false),
        "stringnotlike" => (Family::StringLike, true),
        "numericnotequals" => (Family::Numeric(Order::Equal), true),
        "datenotequals" => (Family::Date(Order::Equal), true),
        "bool" => (Family::Bool, false),
        "binaryequals" => (Family::Binary, false),
        "ipaddress" => (Family::Ip, false),
        "notipaddress" => (Family::Ip, true),
        "arnequals" | "arnlike" => (Family::Arn, false),
        "arnnotequals" | "arnnotlike" => (Family::Arn, true),
        "null" => (Family::Null, false),
        _ => match (name.strip_prefix("numeric"), name.strip_prefix("date")) {
            (Some(rest), _) => (Family::Numeric(order(rest)?), false),
            (_, Some(rest)) => (Family::Date(order(rest)?), false),
            (None, None) => return None,
        },
    })
}

fn order(name: &str) -> Option<Order> {
    Some(match name {
        "equals" => Order::Equal,
        "lessthan" => Order::Less,
        "lessthanequals" => Order::LessOrEqual,
        "greaterthan" => Order::Greater,
        "greaterthanequals" => Order::GreaterOrEqual,
        _ => return None,
    })
}

impl Order {
    pub(crate) fn holds(self, request_to_policy: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => request_to_policy.is_eq(),
            Self::Less => request_to_policy.is_lt(),
            Self::LessOrEqual => request_to_policy.is_le(),
            Self::Greater => request_to_policy.is_gt(),
            Self::GreaterOrEqual => request_to_policy.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Operator;

    #[test]
    fn every_documented_operator_is_known_with_its_prefixes_and_suffix() {
        let names = [
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
            "Bool",
            "BinaryEquals",
            "IpAddress",
            "NotIpAddress",
            "ArnEquals",
            "ArnLike",
            "ArnNotEquals",
            "ArnNotLike",
        ];
        for name in names {
            for prefix in ["", "ForAnyValue:", "ForAllValues:"] {
                for suffix in ["", "IfExists"] {
                    assert!(Operator::parse(&format!("{prefix}{name}{suffix}")).is_some(), "{name}");
                }
            }
        }
        assert!(Operator::parse("Null").is_some());
        assert_eq!(
            Operator::parse("forAnyValue:ipaddressIfExists"),
            Operator::parse("ForAnyValue:IpAddressIfExists")
        );
        for wrong in
            ["", "NullIfExists", "ForAnyValue:", "ForAnyValue::Bool", "NumericLike", "ForAny:Bool", "Dates"]
        {
            assert_eq!(Operator::parse(wrong), None, "{wrong}");
        }
    }
}
