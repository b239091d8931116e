//! The principals that a resource's policy names, whether they are known here or not.

use std::collections::BTreeSet;

use opentrail_policy::Policy;
use serde_json::Value;

/// Whom a policy's `Principal` elements name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// `*`, or an exception from everyone.
    pub(super) everyone: bool,
    /// Accounts, as twelve digits: named whole, or one of their principals is.
    pub(super) accounts: BTreeSet<String>,
    pub(super) services: BTreeSet<String>,
    /// Identity providers.
    pub(super) providers: BTreeSet<String>,
}

impl Named {
    pub(super) fn of(policy: &Policy) -> Self {
        let document: Value = serde_json::from_str(policy.source()).unwrap_or_default();
        let mut named = Self::default();
        for statement in list(document.get("Statement")) {
            if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
                continue;
            }
            match statement.get("Principal") {
                Some(Value::String(_)) => named.everyone = true,
                Some(Value::Object(kinds)) => kinds.iter().for_each(|(kind, values)| named.add(kind, values)),
                _ => {}
            }
        }
        named
    }

    fn add(&mut self, kind: &str, values: &Value) {
        for value in list(Some(values)).into_iter().filter_map(Value::as_str) {
            match kind {
                "AWS" if value == "*" => self.everyone = true,
                "AWS" => {
                    let account =
                        if value.starts_with("arn:") { value.split(':').nth(4) } else { Some(value) };
                    let digits = |text: &&str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
                    self.accounts.extend(account.filter(digits).map(str::to_owned));
                }
                "Service" => drop(self.services.insert(value.to_owned())),
                "Federated" => drop(self.providers.insert(value.to_owned())),
                _ => {}
            }
        }
    }
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(many)) => many.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use opentrail_policy::{Policy, PolicyKind};

    use super::Named;

    #[test]
    fn every_form_of_a_principal_is_found() {
        let text = r#"{"Statement":[
            {"Effect":"Allow","Principal":{"AWS":["111122223333","arn:aws:iam::444455556666:role/r"]},"Action":"*","Resource":"*"},
            {"Effect":"Allow","Principal":{"Service":"a.amazonaws.com","Federated":["p"]},"Action":"*","Resource":"*"},
            {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;
        let named = Named::of(&Policy::parse(text, PolicyKind::Resource).unwrap());
        assert!(!named.everyone);
        assert_eq!(Vec::from_iter(named.accounts), ["111122223333", "444455556666"]);
        assert_eq!(Vec::from_iter(named.services), ["a.amazonaws.com"]);
        assert_eq!(Vec::from_iter(named.providers), ["p"]);
        let all = text.replace("Deny", "Allow");
        assert!(Named::of(&Policy::parse(&all, PolicyKind::Resource).unwrap()).everyone);
    }
}
