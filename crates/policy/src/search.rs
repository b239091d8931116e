//! Whether any request of a kind is allowed, and whether any is denied, with an example of each.
//!
//! [`possible`] says `Sometimes` where conditions that exclude each other stand in two policies.
//! Here the keys on which it hangs are given values one after the other, those that tell the conditions on them apart,
//! until the answer is certain. So what is found is an example that the evaluation itself allows or denies, and that
//! nothing is found means that there is none, unless the search had to stop.

use std::{cell::Cell, collections::BTreeSet};

use crate::{
    Context, Identity, Need, Policies, Policy, Possibility, Question, Statement, Version,
    explain::possible,
    probe::{self, Asked},
    witness::{Glob, witnesses},
};

/// Most keys that one request is given, far more than policies that somebody wrote hang on. Each is a step deeper, in
/// which all those before it are kept.
const MOST_KEYS: usize = 100;

/// What is known of a request's keys beyond their values.
pub trait World {
    /// The values that this key can have in one request, alone or together with the keys that depend on it; each
    /// with `None` where the request does not have the key. `tried` gives the values that tell the conditions on a
    /// key apart. The key is in lower case.
    fn cases(&self, key: &str, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case>;
}

/// What some keys are in one request.
pub type Case = Vec<(String, Option<Vec<String>>)>;

/// Any key can be absent or have any value.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnyWorld;

impl World for AnyWorld {
    fn cases(&self, key: &str, tried: &dyn Fn(&str) -> Vec<Vec<String>>) -> Vec<Case> {
        std::iter::once(None)
            .chain(tried(key).into_iter().map(Some))
            .map(|values| vec![(key.to_owned(), values)])
            .collect()
    }
}

/// A request that was found, as far as it matters: the keys that are not named may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its resource; with wildcards where it does not matter which.
    pub resource: String,
    /// Its keys; `None` for those it must not have.
    pub keys: Case,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// A request that is allowed.
    pub allowed: Option<Example>,
    /// A request that is denied.
    pub denied: Option<Example>,
    /// Whether the search came to its end: only then does the absence of an example mean that there is none.
    pub complete: bool,
}

/// Looks for a request that is allowed and one that is denied among those that the question may mean, in at most
/// `steps` evaluations.
pub fn search(question: &Question<'_>, policies: &Policies<'_>, world: &dyn World, steps: usize) -> Found {
    let search = Search {
        policies: every(policies),
        all: policies,
        world,
        left: Cell::new(steps),
        whole: Cell::new(true),
    };
    let mut found = Found::default();
    let known: Vec<String> = question.known.iter().map(|&known| known.to_owned()).collect();
    let state = State {
        resource: question.resource.to_owned(),
        context: question.context.clone(),
        known,
        keys: Vec::new(),
    };
    search.visit(question, &state, &mut found);
    let both = found.allowed.is_some() && found.denied.is_some();
    found.complete = both || (search.whole.get() && search.left.get() > 0);
    found
}

/// All policies that there are.
fn every<'a>(policies: &Policies<'a>) -> Vec<&'a Policy> {
    let identity: &[&Policy] = match policies.identity {
        Identity::Policies(own) => own,
        _ => &[],
    };
    let levels = policies.service_control.iter().flatten();
    let own = identity.iter().chain(policies.session).chain(levels).copied();
    own.chain(policies.boundary).chain(policies.resource).collect()
}

struct Search<'a> {
    policies: Vec<&'a Policy>,
    all: &'a Policies<'a>,
    world: &'a dyn World,
    left: Cell<usize>,
    /// Whether everything that matters was tried.
    whole: Cell<bool>,
}

/// What was decided so far.
#[derive(Clone)]
struct State {
    resource: String,
    context: Context,
    known: Vec<String>,
    keys: Case,
}

impl Search<'_> {
    fn visit(&self, asked: &Question<'_>, state: &State, found: &mut Found) {
        if self.left.get() == 0 || (found.allowed.is_some() && found.denied.is_some()) {
            return;
        }
        self.left.set(self.left.get() - 1);
        let known: Vec<&str> = state.known.iter().map(String::as_str).collect();
        let question =
            Question { resource: &state.resource, context: &state.context, known: &known, ..*asked };
        let example = || Example { resource: state.resource.clone(), keys: state.keys.clone() };
        match possible(&question, self.all) {
            Possibility::Always => drop(found.allowed.get_or_insert_with(example)),
            Possibility::Never(_) => drop(found.denied.get_or_insert_with(example)),
            Possibility::Sometimes if state.keys.len() >= MOST_KEYS => self.whole.set(false),
            Possibility::Sometimes => {
                for next in self.split(&question, state) {
                    self.visit(asked, &next, found);
                }
            }
        }
    }

    /// What may be the case about one thing that is not decided yet.
    fn split(&self, question: &Question<'_>, state: &State) -> Vec<State> {
        let undecided: Vec<(&Statement, bool, Vec<Need>)> = self
            .policies
            .iter()
            .flat_map(|policy| {
                let variables = policy.version() == Version::V2012;
                policy.explain(question).into_iter().map(move |explained| (explained, variables))
            })
            .map(|(explained, variables)| (explained.statement, variables, explained.needs))
            .collect();
        let needs = || undecided.iter().flat_map(|(.., needs)| needs);
        if needs().any(|need| matches!(need, Need::Resource(_) | Need::NotResource(_))) {
            if let Some(variable) = self.open_variable(question, &undecided) {
                return self.assign(&variable, question, state, &undecided);
            }
            return self.resources(question, state, &undecided);
        }
        let variable = self.open_variable(question, &undecided);
        let key = variable.or_else(|| {
            needs().find_map(|need| match need {
                Need::Condition { key, .. } => Some(key.to_lowercase()),
                _ => None,
            })
        });
        match key {
            Some(key) => self.assign(&key, question, state, &undecided),
            // Sessions are told apart by whoever asks.
            None => {
                self.whole.set(false);
                Vec::new()
            }
        }
    }

    /// A variable of a statement that is not decided, whose value is not known.
    fn open_variable(
        &self,
        question: &Question<'_>,
        undecided: &[(&Statement, bool, Vec<Need>)],
    ) -> Option<String> {
        let of_statement = |statement: &Statement| {
            let mut variables = statement.conditions.iter().flat_map(|condition| condition.variables());
            let mut in_resources = statement.patterns().into_iter().flat_map(|pattern| pattern.variables());
            let open = |key: &&str| !is_decided(key, question);
            variables.find(open).or_else(|| in_resources.find(open)).map(str::to_owned)
        };
        undecided
            .iter()
            .filter(|(.., needs)| !needs.is_empty())
            .find_map(|(statement, ..)| of_statement(statement))
    }

    /// A resource for each set of patterns that fits one.
    fn resources(
        &self,
        question: &Question<'_>,
        state: &State,
        undecided: &[(&Statement, bool, Vec<Need>)],
    ) -> Vec<State> {
        let patterns = undecided.iter().flat_map(|(statement, ..)| statement.patterns());
        let mut globs: Vec<Glob> = Vec::new();
        for glob in patterns.filter_map(|pattern| Glob::of(pattern, question.context, false)) {
            if !globs.contains(&glob) {
                globs.push(glob);
            }
        }
        let found = witnesses(Some(&Glob::wild(&nonempty(question.resource))), &globs);
        self.whole.set(self.whole.get() && found.complete);
        found.texts.into_iter().map(|resource| State { resource, ..state.clone() }).collect()
    }

    fn assign(
        &self,
        key: &str,
        question: &Question<'_>,
        state: &State,
        undecided: &[(&Statement, bool, Vec<Need>)],
    ) -> Vec<State> {
        let tried = |key: &str| {
            let conditions = undecided.iter().flat_map(|(statement, variables, _)| {
                statement.conditions.iter().map(move |condition| (condition, *variables))
            });
            let asked: Vec<Asked<'_>> = conditions.filter(|(condition, _)| condition.key() == key).collect();
            let more = compared(key, question, undecided);
            let found = probe::probe(&asked, &more, question.context);
            self.whole.set(self.whole.get() && found.complete);
            found.values
        };
        let cases = self.world.cases(key, &tried);
        cases.into_iter().map(|case| state.with(case)).collect()
    }
}

impl State {
    fn with(&self, case: Case) -> Self {
        let mut next = self.clone();
        for (key, values) in case {
            match &values {
                None => next.known.push(key.clone()),
                Some(values) => match values.as_slice() {
                    [one] => drop(next.context.set(&key, one.as_str())),
                    many => drop(next.context.set_many(&key, many.iter().cloned())),
                },
            }
            next.keys.push((key, values));
        }
        next
    }
}

impl Statement {
    /// What its `Resource` or `NotResource` has.
    fn patterns(&self) -> Vec<&crate::pattern::Pattern> {
        self.resources.iter().flat_map(|clause| &clause.patterns).map(|(_, pattern)| pattern).collect()
    }
}

fn is_decided(key: &str, question: &Question<'_>) -> bool {
    question.context.get(key).is_some()
        || question.known.iter().any(|beginning| key.starts_with(&beginning.to_lowercase()))
}

/// An object's key is never empty: `bucket/*` is `bucket/?*`.
fn nonempty(resource: &str) -> String {
    match resource.strip_suffix("/*") {
        Some(beginning) => format!("{beginning}/?*"),
        None => resource.to_owned(),
    }
}

/// What a key's value is compared with where it stands as a variable: the values of other keys, the resource, and
/// their parts.
fn compared(
    key: &str,
    question: &Question<'_>,
    undecided: &[(&Statement, bool, Vec<Need>)],
) -> BTreeSet<String> {
    let mut texts: Vec<String> = Vec::new();
    for (statement, ..) in undecided {
        if statement.patterns().iter().any(|pattern| pattern.variables().any(|variable| variable == key)) {
            texts.push(question.resource.to_owned());
        }
        for condition in &statement.conditions {
            if condition.variables().any(|variable| variable == key) {
                texts.extend(question.context.get(condition.key()).unwrap_or_default().iter().cloned());
                // Whatever it is, another value may be equal to it.
                texts.push("x".to_owned());
            }
        }
    }
    let parts =
        texts.iter().flat_map(|text| text.split(['/', ':'])).filter(|part| !part.contains(['*', '?']));
    let mut values: BTreeSet<String> = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    values.extend(texts.iter().filter(|text| !text.contains(['*', '?'])).cloned());
    values
}

#[cfg(test)]
mod tests {
    use super::{AnyWorld, Found, search};
    use crate::{Context, Identity, Policies, Policy, PolicyKind, PrincipalRef, Question};

    const USER: PrincipalRef<'_> = PrincipalRef::User {
        arn: "arn:aws:iam::111122223333:user/a",
        account: "111122223333",
        id: "AIDAEXAMPLEEXAMPLE",
    };

    fn find(statements: &str) -> Found {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let policy = Policy::parse(&text, PolicyKind::Identity).expect("a policy");
        let own = [&policy];
        let policies =
            Policies { identity: Identity::Policies(&own), same_account: true, ..Policies::default() };
        let context = Context::new().with("aws:username", "a");
        let question = Question {
            action: "s3:DeleteObject",
            resource: "arn:aws:s3:::b/*",
            principal: Some(USER),
            bounded: false,
            context: &context,
            known: &["aws:PrincipalTag/"],
        };
        let found = search(&question, &policies, &AnyWorld, 10_000);
        assert!(found.complete);
        found
    }

    fn allow(condition: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{{condition}}}}}"#)
    }

    fn both(found: &Found) -> (bool, bool) {
        (found.allowed.is_some(), found.denied.is_some())
    }

    #[test]
    fn conditions_without_end_are_left_undecided() {
        let conditions: Vec<String> = (0..1_500).map(|n| format!(r#""aws:k{n}":"v""#)).collect();
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            allow(&format!(r#""StringEquals":{{{}}}"#, conditions.join(",")))
        );
        let policy = Policy::parse(&policy, PolicyKind::Identity).expect("a policy");
        let own = [&policy];
        let policies =
            Policies { identity: Identity::Policies(&own), same_account: true, ..Policies::default() };
        let question = Question {
            action: "s3:DeleteObject",
            resource: "arn:aws:s3:::b/k",
            principal: Some(USER),
            bounded: false,
            context: &Context::new(),
            known: &[],
        };
        let found = search(&question, &policies, &AnyWorld, 10_000);
        assert!(found.denied.is_some() && found.allowed.is_none() && !found.complete);
    }

    #[test]
    fn conditions_that_exclude_each_other_allow_nothing() {
        let tls = r#""Bool":{"aws:SecureTransport":"true"}"#;
        let deny = allow(tls).replace("Allow", "Deny");
        assert_eq!(both(&find(&allow(tls))), (true, true));
        assert_eq!(both(&find(&format!("{},{deny}", allow(tls)))), (false, true));
        let near = r#""IpAddress":{"aws:SourceIp":"10.1.0.0/16"}"#;
        let far = allow(r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#).replace("Allow", "Deny");
        assert_eq!(both(&find(&format!("{},{far}", allow(near)))), (false, true));
    }

    #[test]
    fn conditions_that_complete_each_other_allow_everything() {
        let has = allow(r#""Null":{"s3:VersionId":"false"}"#);
        let has_not = allow(r#""Null":{"s3:VersionId":"true"}"#);
        assert_eq!(both(&find(&format!("{has},{has_not}"))), (true, false));
        assert_eq!((both(&find(&has)), both(&find(&has_not))), ((true, true), (true, true)));
    }

    #[test]
    fn a_part_of_a_bucket_is_told_from_the_rest() {
        let part = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/AWSLogs/*"}"#;
        let found = find(part);
        assert_eq!(both(&found), (true, true));
        assert_eq!(found.allowed.map(|example| example.resource).as_deref(), Some("arn:aws:s3:::b/AWSLogs/"));
        let rest = part.replace("Resource", "NotResource");
        assert_eq!(both(&find(&format!("{part},{rest}"))), (true, false));
    }

    #[test]
    fn a_variable_has_the_values_that_it_is_compared_with() {
        let own = allow(r#""StringEquals":{"aws:username":"${aws:RequestTag/owner}"}"#);
        let found = find(&own);
        assert_eq!(both(&found), (true, true));
        let keys = found.allowed.map(|example| example.keys).unwrap_or_default();
        assert_eq!(keys, [("aws:requesttag/owner".to_owned(), Some(vec!["a".to_owned()]))]);
        let unknown = allow(r#""StringEquals":{"aws:PrincipalTag/x":"${aws:PrincipalTag/x}"}"#);
        assert_eq!(both(&find(&unknown)), (false, true));
    }
}
