//! Policy documents; evaluation and explanation of those that are some, and where their statements stand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentrail_policy::{Context, Match, Policy, PolicyKind, PrincipalRef, Question, Request};

fuzz_target!(|text: &str| {
    for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
        let Ok(policy) = Policy::parse(text, kind) else { continue };
        let context = Context::new().with("aws:username", "alice*").with("aws:SourceIp", "203.0.113.7");
        let (action, principal) = ("s3:GetObject", PrincipalRef::Anonymous);
        let request = Request { action, resource: "arn:aws:s3:::bucket/key", principal, context: &context };
        let found = policy.evaluate(&request);
        let applicable = policy.applicable(&request, false).len();
        assert_eq!(found == Match::None, applicable == 0);
        for index in 0..policy.statements().len() {
            assert!(policy.position(index).is_some());
        }
        let question = Question {
            action,
            resource: "arn:aws:s3:::bucket/*",
            principal: Some(principal),
            bounded: false,
            context: &context,
            known: &[],
        };
        // What applies to one object may apply to any.
        assert!(policy.explain(&question).len() >= applicable);
    }
});
