//! Auditors read and cannot write: AWS's read-only policies, held against every operation that is served.

use std::sync::Arc;

use opentrail_identity::{Documents, managed_policy};
use opentrail_policy::{Context, Match, Policy, PolicyKind, PrincipalRef, Request};
use opentrail_state::Resource;

use crate::{cloudtrail_data, events, operation::Operation, service};

pub(crate) const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
pub(crate) const SECURITY_AUDIT: &str = "arn:aws:iam::aws:policy/SecurityAudit";

/// An account with nothing in it.
struct Nothing;

impl Documents for Nothing {
    fn document<T: Resource>(&self, _: &str) -> Option<Arc<T>> {
        None
    }

    fn documents<T: Resource>(&self, _: &str) -> Vec<(String, Arc<T>)> {
        Vec::new()
    }
}

/// Whether one of AWS's policies allows an action.
pub(crate) fn allows(policy: &str, action: &str) -> bool {
    let account = "123456789012".parse().expect("twelve digits");
    let version = managed_policy::get_version(&Nothing, account, policy, "v1").expect("the policy is there");
    let policy = Policy::parse(&version.document, PolicyKind::Identity).expect("it is a policy");
    let (context, principal) = (Context::new(), PrincipalRef::Anonymous);
    let request = Request { action, resource: "arn:aws:x:::y", principal, context: &context };
    matches!(policy.evaluate(&request), Match::Allow { .. })
}

/// Operations whose records say `readOnly` though they are for more than looking: they use a key, give credentials, or
/// decrypt.
fn is_for_use(operation: &Operation) -> bool {
    let looks = ["Get", "List", "Describe", "Lookup", "Simulate", "WhoCan"];
    let gives = ["GetSessionToken", "GetFederationToken", "GetParametersForImport"];
    !looks.iter().any(|prefix| operation.name.starts_with(prefix)) || gives.contains(&operation.name)
}

/// What a security audit leaves out of what can be read.
const NOT_AUDITED: &[&str] = &["kms:GetPublicKey"];

#[test]
fn auditors_can_read_everything_and_write_nothing() {
    let services = service::SERVICES.iter().copied().chain([&events::SERVICE, &cloudtrail_data::SERVICE]);
    let operations = services.flat_map(|service| service.operations.iter().map(move |o| (service.name, o)));
    let (mut reads, mut others) = (0, 0);
    for (service, operation) in operations {
        let action = format!("{service}:{}", operation.name);
        if operation.read_only && !is_for_use(operation) {
            reads += 1;
            assert!(allows(READ_ONLY, &action), "ReadOnlyAccess must allow {action}");
            let audited = !NOT_AUDITED.contains(&action.as_str()) && action != "sts:GetCallerIdentity";
            assert_eq!(allows(SECURITY_AUDIT, &action), audited, "SecurityAudit and {action}");
        } else if operation.name.starts_with("GenerateCredentialReport") || action == "sts:GetSessionToken" {
            assert!(allows(READ_ONLY, &action), "ReadOnlyAccess must allow {action}");
        } else {
            others += 1;
            assert!(!allows(READ_ONLY, &action), "ReadOnlyAccess must not allow {action}");
            assert!(!allows(SECURITY_AUDIT, &action), "SecurityAudit must not allow {action}");
        }
    }
    assert!(reads > 80 && others > 80, "{reads} and {others}: the tables were looked at");
}
