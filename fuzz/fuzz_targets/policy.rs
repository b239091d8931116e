//! Policy documents, and evaluation of those that are some.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentrail_policy::{Context, Policy, PolicyKind, PrincipalRef, Request};

fuzz_target!(|text: &str| {
    for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Trust] {
        if let Ok(policy) = Policy::parse(text, kind) {
            let context = Context::new().with("aws:username", "alice*").with("aws:SourceIp", "203.0.113.7");
            let _ = policy.evaluate(&Request {
                action: "s3:GetObject",
                resource: "arn:aws:s3:::bucket/key",
                principal: PrincipalRef::Anonymous,
                context: &context,
            });
        }
    }
});
