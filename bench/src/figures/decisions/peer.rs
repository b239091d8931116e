//! The policy engine that ours is compared with: `iam-rs`, which evaluates IAM's language too. It knows neither
//! boundaries nor levels of service control policies, so that it is asked about identity policies alone.

use iam_rs::{Arn, Context, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId};

use super::typical::{Asked, IDENTITY, SESSION};

/// Stands for no resource: the peer takes ARNs only.
const ANY_TRAIL: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/any";
/// Keys that the policies ask for, as they spell them: the peer compares names with their case.
const SPELLED: [&str; 9] = [
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalTag/project",
    "aws:PrincipalTag/team",
    "aws:ResourceTag/project",
    "aws:SourceIp",
    "aws:TagKeys",
    "aws:ViaAWSService",
    "iam:PassedToService",
    "s3:prefix",
];

/// The peer with the policies, and what it is asked.
pub(super) struct Peer {
    evaluator: PolicyEvaluator,
    requests: Vec<IAMRequest>,
}

impl Peer {
    pub(super) fn new<'a>(asks: impl Iterator<Item = &'a Asked>) -> Self {
        let read = |text: &&str| IAMPolicy::from_json(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let evaluator = PolicyEvaluator::with_policies(IDENTITY.iter().map(read).collect());
        Self { evaluator, requests: asks.map(request).collect() }
    }

    /// Whether each of the requests is allowed.
    pub(super) fn decide_all(&self) -> Vec<bool> {
        let decide =
            |request| self.evaluator.evaluate(request).is_ok_and(|found| found.decision == Decision::Allow);
        self.requests.iter().map(decide).collect()
    }
}

fn request(asked: &Asked) -> IAMRequest {
    let mut context = Context::new();
    for (name, values) in asked.context.iter() {
        let name = SPELLED
            .iter()
            .find(|spelled| spelled.eq_ignore_ascii_case(name))
            .map_or(name, |spelled| *spelled);
        context = match values {
            [value] if value == "true" || value == "false" => context.with_boolean(name, value == "true"),
            [value] => context.with_string(name, value.as_str()),
            _ => context,
        };
    }
    let arn = if asked.resource == "*" { ANY_TRAIL } else { asked.resource };
    let arn = Arn::parse(arn).unwrap_or_else(|error| panic!("{error}: {arn}"));
    let principal = Principal::Aws(PrincipalId::String(SESSION.to_owned()));
    IAMRequest::new_with_context(principal, asked.action, arn, context)
}
