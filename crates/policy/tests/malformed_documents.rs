//! What is not a policy is refused, with AWS's words first.

use opentrail_policy::{Context, Policy, PolicyError, PolicyKind, PrincipalRef, Request, limits};
use proptest::prelude::*;
use serde_json::{Value, json};

use PolicyKind::{Identity, Resource, Trust};

fn refusal(kind: PolicyKind, document: &str) -> String {
    match Policy::parse(document, kind) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("accepted: {document}"),
    }
}

/// A document of one statement, each `change` setting or (with null) removing one of its elements.
fn one_statement(kind: PolicyKind, changes: &[(&str, Value)]) -> String {
    let mut statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    match kind {
        Identity => {}
        Resource => statement["Principal"] = json!("*"),
        Trust => {
            statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
                               "Principal": {"Service": "cloudtrail.amazonaws.com"}});
        }
    }
    for (name, value) in changes {
        if value.is_null() {
            statement.as_object_mut().expect("an object").remove(*name);
        } else {
            statement[*name] = value.clone();
        }
    }
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

#[test]
fn the_plain_statement_of_each_kind_is_accepted() {
    for kind in [Identity, Resource, Trust] {
        Policy::parse(&one_statement(kind, &[]), kind).expect("a policy");
    }
}

#[test]
fn what_is_not_a_document_at_all() {
    for text in
        ["", "This is not a json document", "[]", "{", "{}{}", "\"{}\"", "{\"Version\": \"2012-10-17\",}"]
    {
        assert!(refusal(Identity, text).starts_with("Syntax errors in policy."), "{text}");
        let first = "Policies must be valid JSON and the first byte must be '{'";
        assert!(refusal(Resource, text).starts_with(first), "{text}");
    }
    let long = format!("{{\"Id\": \"{}\"}}", "x".repeat(limits::MAX_DOCUMENT_BYTES));
    assert_eq!(Policy::parse(&long, Identity), Err(PolicyError::TooLarge { bytes: long.len() }));
}

/// Kind, changes to its plain statement, the whole message.
type RefusedStatement<'a> = (PolicyKind, &'a [(&'a str, Value)], &'a str);

#[test]
fn statements_that_each_kind_refuses() {
    let principal = json!({"AWS": "*"});
    let cases: &[RefusedStatement<'_>] = &[
        (Identity, &[("Principal", principal.clone())], "Policy document should not specify a principal."),
        (Identity, &[("NotPrincipal", principal.clone())], "Policy document should not specify a principal."),
        (Identity, &[("Resource", Value::Null)], "Policy statement must contain resources."),
        (Identity, &[("Resource", json!([]))], "Policy statement must contain resources."),
        (Identity, &[("Action", Value::Null)], "Policy statement must contain actions."),
        (Identity, &[("Action", json!([]))], "Policy statement must contain actions."),
        (Identity, &[("Effect", Value::Null)], "Syntax errors in policy. Missing required field Effect"),
        (Resource, &[("Principal", Value::Null)], "Missing required field Principal"),
        (Resource, &[("Principal", json!({}))], "Missing required field Principal"),
        (Resource, &[("Resource", Value::Null)], "Missing required field Resource"),
        (Resource, &[("Action", Value::Null)], "Missing required field Action"),
        (Resource, &[("Effect", Value::Null)], "Missing required field Effect"),
        (Trust, &[("Principal", Value::Null)], "Missing required field Principal"),
        (Trust, &[("Resource", json!("*"))], "Has prohibited field Resource"),
        (
            Trust,
            &[("Action", json!("s3:GetObject"))],
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (Trust, &[("Action", json!("*"))], "AssumeRole policy may only specify STS AssumeRole actions."),
        (
            Trust,
            &[("Principal", Value::Null), ("NotPrincipal", principal.clone())],
            "Has prohibited field NotPrincipal",
        ),
        (
            Resource,
            &[("Principal", Value::Null), ("NotPrincipal", principal)],
            "Invalid principal in policy: NotPrincipal must be used with Effect Deny.",
        ),
    ];
    for (kind, changes, expected) in cases {
        assert_eq!(refusal(*kind, &one_statement(*kind, changes)), *expected, "{changes:?}");
    }
}

#[test]
fn elements_of_the_wrong_form() {
    let vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
    let cases: &[(&str, Value, &str)] = &[
        ("Extra", json!("x"), "Syntax errors in policy. Unknown field Extra"),
        ("effect", json!("Allow"), "Syntax errors in policy. Unknown field effect"),
        ("Effect", json!("allow"), "Syntax errors in policy. Invalid effect: allow"),
        ("Effect", json!(["Allow"]), "Syntax errors in policy. Effect must be a string."),
        ("Sid", json!({}), "Syntax errors in policy. Sid must be a string."),
        ("Sid", json!("not alphanumeric"), "Statement IDs (SID) must be alpha-numeric."),
        ("Action", json!("invalid"), vendor),
        ("Action", json!(""), vendor),
        ("Action", json!(["s3:GetObject", "*Object"]), vendor),
        ("Action", json!("s3:List:Bucket"), "Actions/Condition can contain only one colon."),
        ("Action", json!("a a:ListBucket"), "Vendor a a is not valid"),
        ("Action", json!("s3*:ListBucket"), "Vendor s3* is not valid"),
        ("Action", json!([[]]), "Syntax errors in policy. Action must be a string or a list of strings."),
        (
            "NotAction",
            json!("s3:*"),
            "Syntax errors in policy. A statement has either Action or NotAction, not both.",
        ),
        (
            "NotResource",
            json!("*"),
            "Syntax errors in policy. A statement has either Resource or NotResource",
        ),
        ("Resource", json!("bucket"), "Resource bucket must be in ARN format or \"*\"."),
        ("Resource", json!(""), "Resource  must be in ARN format or \"*\"."),
        ("Resource", json!("arn:aws:s3::bucket"), "Resource arn:aws:s3::bucket must be in ARN format"),
        (
            "Resource",
            json!("arn:error:s3:::b"),
            "Partition \"error\" is not valid for resource \"arn:error:s3:::b\".",
        ),
        (
            "Resource",
            json!("arn:aws:s3:::${aws:username"),
            "Syntax errors in policy. \"arn:aws:s3:::${aws:username\"",
        ),
        ("Condition", json!([]), "Syntax errors in policy. Condition must be an object."),
        (
            "Condition",
            json!({"StringEquals": "x"}),
            "Syntax errors in policy. StringEquals must be an object.",
        ),
        ("Condition", json!({"x": {"a": "1"}}), "Syntax errors in policy. Invalid Condition type : x"),
        (
            "Condition",
            json!({"StringEquals": {"a": {}}}),
            "Syntax errors in policy. a must be a string, a number",
        ),
        (
            "Condition",
            json!({"StringEquals": {"a": null}}),
            "Syntax errors in policy. a must be a string, a number",
        ),
        ("Condition", json!({"DateLessThan": {"a": "soon"}}), "The policy failed legacy parsing"),
        ("Condition", json!({"NumericEquals": {"a": "ten"}}), "The policy failed legacy parsing"),
        ("Condition", json!({"IpAddress": {"a": "10.0.0.0/33"}}), "The policy failed legacy parsing"),
        ("Condition", json!({"Null": {"a": "perhaps"}}), "The policy failed legacy parsing"),
        ("Condition", json!({"StringLike": {"a": "${x, y}"}}), "Syntax errors in policy. \"${x, y}\""),
    ];
    for (element, value, expected) in cases {
        let found = refusal(Identity, &one_statement(Identity, &[(element, value.clone())]));
        assert!(found.starts_with(expected), "{element} {value}: {found}");
    }
}

#[test]
fn principals_of_no_documented_form() {
    for value in [
        "alice",
        "",
        "12345678901",
        "arn:aws:iam::AccountB-ID:root",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam::123456789012:group/admins",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:root/x",
        "arn:aws:iam:us-east-1:123456789012:user/alice",
        "arn:aws:s3:::bucket",
        "arn:other:iam::123456789012:root",
        "*/x",
    ] {
        let document = one_statement(Resource, &[("Principal", json!({"AWS": ["*", value]}))]);
        let expected = PolicyError::InvalidPrincipal { principal: value.to_owned() };
        assert_eq!(Policy::parse(&document, Resource), Err(expected));
    }
    let bare = one_statement(Resource, &[("Principal", json!("123456789012"))]);
    assert!(refusal(Resource, &bare).starts_with("Invalid principal in policy"));
    let unknown = one_statement(Resource, &[("Principal", json!({"Group": []}))]);
    assert_eq!(refusal(Resource, &unknown), "Syntax errors in policy. Unknown field Group");
}

#[test]
fn documents_as_a_whole() {
    let statement = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
    let cases: &[(String, &str)] = &[
        (r#"{"Version": "2012-10-17"}"#.into(), "Syntax errors in policy. Missing required field Statement"),
        (
            r#"{"Statement": []}"#.into(),
            "Syntax errors in policy. Statement must be an object or a non-empty list",
        ),
        (
            r#"{"Statement": ["x"]}"#.into(),
            "Syntax errors in policy. Statement must be an object or a non-empty list",
        ),
        (
            format!(r#"{{"Version": "2013-10-17", "Statement": {statement}}}"#),
            "Syntax errors in policy. The policy must contain a valid version string",
        ),
        (
            format!(r#"{{"Id": {{}}, "Statement": {statement}}}"#),
            "Syntax errors in policy. Id must be a string.",
        ),
        (
            format!(r#"{{"Comment": "", "Statement": {statement}}}"#),
            "Syntax errors in policy. Unknown field Comment",
        ),
        (
            format!(r#"{{"Statement": {statement}, "Statement": {statement}}}"#),
            "Syntax errors in policy. Duplicate key \"Statement\".",
        ),
        (
            r#"{"Statement": [{"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
                              {"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"}]}"#
                .into(),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ];
    for (document, expected) in cases {
        let found = refusal(Identity, document);
        assert!(found.starts_with(expected), "{document}: {found}");
    }
}

#[test]
fn an_old_document_is_read_but_not_current() {
    for version in [r#""Version": "2008-10-17","#, ""] {
        let text =
            format!(r#"{{{version} "Statement": {{"Effect": "Allow", "Action": "*", "Resource": "*"}}}}"#);
        let policy = Policy::parse(&text, Identity).expect("a policy");
        assert_eq!(policy.source(), text);
        let refused = policy.require_current_version().map_err(|error| error.to_string());
        assert_eq!(refused, Err("Policy document must be version 2012-10-17 or greater.".to_owned()));
    }
    let current = Policy::parse(&one_statement(Identity, &[]), Identity).expect("a policy");
    assert_eq!(current.require_current_version(), Ok(()));
}

#[test]
fn what_aws_takes_is_taken() {
    for (element, value) in [
        ("Sid", json!("")),
        ("Action", json!("s3.s-x:ListBucket")),
        ("Action", json!("*:*")),
        ("Resource", json!(["arn:aws:s3:::b", "*", "arn:aws:ec2:*", "arn:*:iam::*:role/r"])),
        ("Condition", json!({})),
        ("Condition", json!({"x": {}, "DateGreaterThan": {}})),
        ("Condition", json!({"StringEquals": {"a": []}})),
        ("Condition", json!({"Bool": {"a": true}, "NumericLessThan": {"a": 10}, "DateLessThan": {"a": -1}})),
        ("Condition", json!({"DateLessThanEquals": {"a": "2016-12-13T21:20:37.593194+00:00"}})),
    ] {
        let document = one_statement(Identity, &[(element, value)]);
        Policy::parse(&document, Identity).unwrap_or_else(|error| panic!("{document}: {error}"));
    }
}

/// JSON that is nearly a policy: the language's own words in any place.
fn nearly_a_policy() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "Version",
        "2012-10-17",
        "2008-10-17",
        "Id",
        "Statement",
        "Sid",
        "Effect",
        "Allow",
        "Deny",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
        "AWS",
        "Service",
        "StringLike",
        "ForAllValues:ArnNotLike",
        "IpAddress",
        "DateLessThan",
        "Null",
        "*",
        "s3:Get*",
        "sts:*",
        "arn:aws:s3:::b/${aws:username}",
        "arn:aws:iam::123456789012:root",
        "${*}",
        "${",
        "${a, 'b'}",
        "10.0.0.0/8",
        "2020-01-01",
        "true",
        "é",
    ]);
    let leaf = prop_oneof![
        8 => word.clone().prop_map(|word| json!(word)),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

/// A whole document whose condition, resource and principal are anything.
fn with_any_elements() -> impl Strategy<Value = Value> {
    (nearly_a_policy(), nearly_a_policy(), nearly_a_policy()).prop_map(|(resource, principal, condition)| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": "s3:*",
               "Resource": resource, "Principal": principal, "Condition": condition}})
    })
}

fn parse_and_ask(text: &str) {
    let context = Context::new().with("aws:username", "é*").with("*", "2020-01-01").with("AWS", "10.0.0.1");
    for kind in [Identity, Resource, Trust] {
        if let Ok(policy) = Policy::parse(text, kind) {
            let principal = PrincipalRef::Root { account: "123456789012" };
            policy.evaluate(&Request {
                action: "s3:GetObject",
                resource: "arn:aws:s3:::b/é",
                principal,
                context: &context,
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_bytes_make_parsing_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_and_ask(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_json_makes_parsing_or_evaluating_panic(document in nearly_a_policy()) {
        parse_and_ask(&document.to_string());
    }

    #[test]
    fn no_element_makes_parsing_or_evaluating_panic(document in with_any_elements()) {
        parse_and_ask(&document.to_string());
    }

    #[test]
    fn no_text_of_a_value_makes_parsing_or_evaluating_panic(text in "[a:*?$\\{\\}', /é0-9]{0,24}", operator in "(String|Arn)Like") {
        parse_and_ask(&one_statement(Identity, &[
            ("Resource", json!(format!("arn:aws:s3:::{text}"))),
            ("Action", json!(format!("s3:{text}"))),
            ("Condition", json!({operator: {"aws:username": text}})),
        ]));
    }
}
