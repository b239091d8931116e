//! The form, and the tree it stands for.

use std::collections::BTreeMap;

use serde_json::Value;

/// Parameters in one call; far above what any operation takes.
const MAX_PARAMETERS: usize = 2_000;
/// Names joined by dots in one parameter.
const MAX_DEPTH: usize = 16;
/// The highest `member.N`.
const MAX_INDEX: usize = 1_000;

/// What keeps a form from being a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The text is not `application/x-www-form-urlencoded`.
    #[error("the request is not a well-formed form")]
    NotAForm,
    /// No `Action`.
    #[error("the request has no Action")]
    NoAction,
    /// More parameters than any operation takes.
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooManyParameters,
    /// A name nested deeper than any operation's input.
    #[error("the parameter {0:?} is nested too deeply")]
    TooDeep(String),
    /// The same name twice, or as a value and as a structure.
    #[error("the parameter {0:?} is given more than once")]
    Repeated(String),
    /// A list index that is no number from 1, or too high.
    #[error("the list index in {0:?} is not a number from 1 to {MAX_INDEX}")]
    BadIndex(String),
}

/// A call as awsQuery sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The operation.
    pub action: String,
    /// The API version asked for, if any.
    pub version: Option<String>,
    /// The other parameters: strings, lists and structures.
    pub parameters: Value,
}

impl Form {
    /// Reads a form (a body, or a query string).
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_bytes(form).map_err(|_| FormError::NotAForm)?;
        if pairs.len() > MAX_PARAMETERS {
            return Err(FormError::TooManyParameters);
        }
        let (mut action, mut version) = (None, None);
        let mut root = Node::default();
        for (name, value) in pairs {
            match name.as_str() {
                "Action" => action = Some(value),
                "Version" => version = Some(value),
                // The parameters of a presigned call belong to the signature.
                _ if name.starts_with("X-Amz-") => {}
                _ => root.insert(&name, value)?,
            }
        }
        let parameters = match root.into_value("")? {
            structure @ Value::Object(_) => structure,
            _ => Value::Object(serde_json::Map::new()),
        };
        Ok(Self { action: action.filter(|a| !a.is_empty()).ok_or(FormError::NoAction)?, version, parameters })
    }
}

#[derive(Default)]
struct Node {
    value: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Result<(), FormError> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth == MAX_DEPTH {
                return Err(FormError::TooDeep(name.to_owned()));
            }
            node = node.members.entry(part.to_owned()).or_default();
        }
        match node.value.replace(value) {
            None => Ok(()),
            Some(_) => Err(FormError::Repeated(name.to_owned())),
        }
    }

    fn into_value(mut self, path: &str) -> Result<Value, FormError> {
        match (self.value, self.members.len()) {
            (Some(text), 0) => Ok(Value::String(text)),
            (Some(_), _) => Err(FormError::Repeated(path.to_owned())),
            (None, 1) if self.members.contains_key("member") => {
                let list = self.members.remove("member").unwrap_or_default();
                list.into_list(path)
            }
            (None, _) => {
                let members = self.members.into_iter().map(|(name, node)| {
                    let value = node.into_value(&format!("{path}.{name}"))?;
                    Ok((name, value))
                });
                members.collect::<Result<serde_json::Map<_, _>, _>>().map(Value::Object)
            }
        }
    }

    /// Members named by number, in the order of the numbers; gaps are closed, as AWS does.
    fn into_list(self, path: &str) -> Result<Value, FormError> {
        if self.value.is_some() {
            return Err(FormError::BadIndex(path.to_owned()));
        }
        let mut items = Vec::with_capacity(self.members.len());
        for (index, node) in self.members {
            let index = index
                .parse::<usize>()
                .ok()
                .filter(|index| (1..=MAX_INDEX).contains(index))
                .ok_or_else(|| FormError::BadIndex(format!("{path}.member.{index}")))?;
            items.push((index, node));
        }
        items.sort_by_key(|(index, _)| *index);
        let values =
            items.into_iter().map(|(index, node)| node.into_value(&format!("{path}.member.{index}")));
        values.collect::<Result<Vec<_>, _>>().map(Value::Array)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Form, FormError};

    #[test]
    fn a_form_is_a_tree() {
        let form = Form::parse(
            b"Action=CreateUser&Version=2010-05-08&UserName=al+ice&Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.1.Value=%26",
        )
        .unwrap();
        assert_eq!(form.action, "CreateUser");
        assert_eq!(form.version.as_deref(), Some("2010-05-08"));
        assert_eq!(
            form.parameters,
            json!({"UserName": "al ice", "Tags": [{"Key": "a", "Value": "&"}, {"Key": "b"}]})
        );
    }

    #[test]
    fn what_is_no_call_says_why() {
        assert_eq!(Form::parse(b"UserName=x"), Err(FormError::NoAction));
        assert_eq!(Form::parse(b"Action=A&X=1&X=2"), Err(FormError::Repeated("X".into())));
        assert_eq!(Form::parse(b"Action=A&X=1&X.Y=2"), Err(FormError::Repeated(".X".into())));
        assert!(matches!(Form::parse(b"Action=A&X.member.0=1"), Err(FormError::BadIndex(_))));
        assert!(matches!(Form::parse(b"Action=A&X.member.y=1"), Err(FormError::BadIndex(_))));
        let deep = format!("Action=A&{}=1", vec!["x"; 40].join("."));
        assert!(matches!(Form::parse(deep.as_bytes()), Err(FormError::TooDeep(_))));
        let many = format!("Action=A{}", "&x=1".repeat(3_000));
        assert_eq!(Form::parse(many.as_bytes()), Err(FormError::TooManyParameters));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Form::parse(&bytes);
        }
    }
}
