//! The statements that a log bucket's policy should have, and their way into the one that it has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::policy::Trail;

/// How the names of our statements begin; those of anyone else's are left alone.
const WRITE: &str = "OpentrailCloudTrailWrite";
const ACL_CHECK: &str = "OpentrailCloudTrailAclCheck";
const OTHER_TRAILS: &str = "OpentrailDenyOtherTrails";
const DENY_DELETE: &str = "OpentrailDenyDelete";
const DENY_INSECURE: &str = "OpentrailDenyInsecureTransport";
const ACCESS_LOGS: &str = "OpentrailAccessLogs";

/// Lets CloudTrail deliver for a trail.
pub(super) fn grant(bucket: &str, trail: &Trail) -> Vec<Value> {
    let service = json!({"Service": "cloudtrail.amazonaws.com"});
    let arn = format!("arn:aws:s3:::{bucket}");
    let resources: Vec<String> =
        trail.beginnings().iter().map(|beginning| format!("{arn}/{beginning}*")).collect();
    vec![
        json!({
            "Sid": ACL_CHECK, "Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl",
            "Resource": arn, "Condition": {"StringEquals": {"aws:SourceArn": trail.arn}},
        }),
        json!({
            "Sid": WRITE, "Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": resources,
            "Condition": {"StringEquals": {
                "s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": trail.arn,
            }},
        }),
    ]
}

/// Keeps CloudTrail from writing for any trail but these, whatever grants there are.
pub(super) fn deny_other_trails(bucket: &str, trails: &BTreeSet<String>) -> Value {
    json!({
        "Sid": OTHER_TRAILS, "Effect": "Deny", "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
        "Condition": {"StringNotEquals": {"aws:SourceArn": trails}},
    })
}

/// Denies deletion to everyone but these roles.
pub(super) fn deny_delete(bucket: &str, except: &[String]) -> Value {
    let arn = format!("arn:aws:s3:::{bucket}");
    let mut statement = json!({
        "Sid": DENY_DELETE, "Effect": "Deny", "Principal": "*",
        "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:DeleteBucket"],
        "Resource": [arn, format!("{arn}/*")],
    });
    if !except.is_empty() {
        statement["Condition"] = json!({"ArnNotEquals": {"aws:PrincipalArn": except}});
    }
    statement
}

/// Denies everything without TLS.
pub(super) fn deny_insecure(bucket: &str) -> Value {
    let arn = format!("arn:aws:s3:::{bucket}");
    json!({
        "Sid": DENY_INSECURE, "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")], "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}

/// Lets S3 write another bucket's access logs.
pub(super) fn access_logs(target: &str, source: &str) -> Value {
    json!({
        "Sid": ACCESS_LOGS, "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{target}/{source}/*"),
        "Condition": {"ArnLike": {"aws:SourceArn": format!("arn:aws:s3:::{source}")}},
    })
}

/// A policy with these statements added. A statement of ours that denies takes the place of the one of its name;
/// all others stay as they are.
pub(super) fn merge(text: Option<&str>, added: Vec<Value>) -> String {
    let mut document: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    if !document.is_object() {
        document = json!({"Version": "2012-10-17", "Statement": []});
    }
    let mut statements = match document["Statement"].take() {
        Value::Array(many) => many,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    for mut statement in added {
        let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
        let place = statements.iter().position(|known| known["Sid"] == sid.as_str());
        match place {
            Some(_) if statements.contains(&statement) => {}
            Some(place) if statement["Effect"] == "Deny" => statements[place] = statement,
            Some(_) => {
                let taken = |name: &String| statements.iter().any(|known| known["Sid"] == name.as_str());
                let free = (2..).map(|number| format!("{sid}{number}")).find(|name| !taken(name));
                statement["Sid"] = json!(free);
                statements.push(statement);
            }
            None => statements.push(statement),
        }
    }
    document["Statement"] = Value::Array(statements);
    document.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{deny_delete, grant, merge};
    use crate::protect::policy::Trail;

    fn trail(name: &str) -> Trail {
        Trail {
            arn: format!("arn:aws:cloudtrail:us-east-1:123456789012:trail/{name}"),
            account: "123456789012".to_owned(),
            prefix: String::new(),
            organization: None,
        }
    }

    fn sids(text: &str) -> Vec<String> {
        let document: Value = serde_json::from_str(text).unwrap();
        let statements = document["Statement"].as_array().unwrap().iter();
        statements.map(|statement| statement["Sid"].as_str().unwrap_or("-").to_owned()).collect()
    }

    #[test]
    fn what_is_there_stays() {
        let theirs = json!({"Version": "2008-10-17", "Id": "x", "Statement": {"Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": "arn:aws:s3:::b/secret"}});
        let merged = merge(Some(&theirs.to_string()), grant("b", &trail("one")));
        assert_eq!(sids(&merged), ["-", "OpentrailCloudTrailAclCheck", "OpentrailCloudTrailWrite"]);
        assert!(merged.starts_with(r#"{"Version":"2008-10-17","Id":"x","#));
        let twice = merge(Some(&merged), grant("b", &trail("one")));
        assert_eq!(twice, merged);
        let more = merge(Some(&merged), grant("b", &trail("two")));
        assert_eq!(sids(&more)[3..], ["OpentrailCloudTrailAclCheck2", "OpentrailCloudTrailWrite2"]);
    }

    #[test]
    fn a_denial_of_ours_is_renewed() {
        let first = merge(None, vec![deny_delete("b", &[])]);
        let role = "arn:aws:iam::123456789012:role/Admin".to_owned();
        let second = merge(Some(&first), vec![deny_delete("b", &[role])]);
        assert_eq!(sids(&second), ["OpentrailDenyDelete"]);
        assert!(second.contains("role/Admin"));
    }
}
