//! Each way a signature can be wrong, and AWS's code for it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, request::Parts};
use opentrail_wire::sigv4::{
    AuthorizationFault, Credentials, Family, PayloadKind, QueryFault, SignError, SignatureError,
    SignedRequest, UNSIGNED_PAYLOAD, presign, sign,
};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DATE: &str = "20240102T030405Z";
const CREDENTIAL: &str = "Credential=AKIAEXAMPLE/20240102/us-east-1/s3/aws4_request";

fn now() -> DateTime<Utc> {
    "2024-01-02T03:04:05Z".parse().unwrap()
}

fn credentials() -> Credentials {
    Credentials { access_key_id: "AKIAEXAMPLE".to_owned(), secret: "secret".to_owned(), session_token: None }
}

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(uri).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn signed(service: &str) -> Parts {
    let mut parts = parts("/bucket/key?a=1", &[]);
    sign(&mut parts, &credentials(), "us-east-1", service, HASH, now()).unwrap();
    parts
}

fn presigned(service: &str) -> Parts {
    let mut parts = parts("/bucket/key?a=1", &[]);
    presign(&mut parts, &credentials(), "us-east-1", service, 60, now()).unwrap();
    parts
}

/// The error of reading an `Authorization` header in an S3 request.
fn authorization(text: &str) -> SignatureError {
    let headers = [("authorization", text), ("x-amz-date", DATE), ("x-amz-content-sha256", HASH)];
    SignedRequest::read(&parts("/", &headers)).expect_err(text)
}

fn read_and_verify(parts: &Parts, at: DateTime<Utc>) -> Result<(), SignatureError> {
    SignedRequest::read(parts)?.unwrap().verify(parts, "secret", at, None).map(drop)
}

fn codes(error: &SignatureError) -> [(&'static str, u16); 3] {
    [Family::S3, Family::Query, Family::Json].map(|family| error.code(family))
}

const INCOMPLETE: [(&str, u16); 2] = [("IncompleteSignature", 400), ("IncompleteSignatureException", 400)];
const WRONG: [(&str, u16); 2] = [("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400)];

#[test]
fn no_credentials_is_anonymous() {
    assert!(SignedRequest::read(&parts("/?a=1", &[])).unwrap().is_none());
    assert_eq!(
        codes(&SignatureError::MissingCredentials),
        [
            ("AccessDenied", 403),
            ("MissingAuthenticationToken", 403),
            ("MissingAuthenticationTokenException", 400)
        ]
    );
}

#[test]
fn other_schemes_and_versions_are_refused() {
    assert_eq!(authorization("Bearer x"), SignatureError::UnsupportedAuthorization);
    assert_eq!(authorization(""), SignatureError::UnsupportedAuthorization);
    assert_eq!(authorization("AWS AKIA:sig="), SignatureError::UnsupportedAlgorithm);
    assert_eq!(authorization("AWS4-ECDSA-P256-SHA256 Credential=x"), SignatureError::UnsupportedAlgorithm);
    let v2 = parts("/?AWSAccessKeyId=AKIA&Signature=x&Expires=1", &[]);
    assert_eq!(SignedRequest::read(&v2).unwrap_err(), SignatureError::UnsupportedAlgorithm);
    assert_eq!(SignatureError::UnsupportedAlgorithm.code(Family::S3), ("InvalidRequest", 400));
}

#[test]
fn header_and_query_together_are_refused() {
    let mut both = presigned("s3");
    both.headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=x".parse().unwrap());
    let error = SignedRequest::read(&both).unwrap_err();
    assert_eq!(error, SignatureError::BothHeaderAndQuery);
    assert_eq!(error.code(Family::S3), ("InvalidArgument", 400));
}

#[test]
fn malformed_authorization_headers_are_refused() {
    for (text, fault) in [
        ("AWS4-HMAC-SHA256 nonsense", AuthorizationFault::NotKeyValue("nonsense".to_owned())),
        ("AWS4-HMAC-SHA256 Credential=a, Credential=b", AuthorizationFault::Repeated("Credential")),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
            AuthorizationFault::Credential,
        ),
        (
            &format!("AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=, Signature=00"),
            AuthorizationFault::SignedHeaders,
        ),
    ] {
        let error = authorization(text);
        assert_eq!(error, SignatureError::MalformedAuthorization(fault), "{text}");
        assert_eq!(error.code(Family::S3), ("AuthorizationHeaderMalformed", 400));
        assert_eq!(codes(&error)[1..], INCOMPLETE);
    }
    let mut twice = signed("s3");
    twice.headers.append("authorization", "AWS4-HMAC-SHA256".parse().unwrap());
    assert_eq!(
        SignedRequest::read(&twice).unwrap_err(),
        SignatureError::MalformedAuthorization(AuthorizationFault::NotOneLine)
    );
}

#[test]
fn absent_parts_are_all_named() {
    let undated = parts("/", &[("authorization", "AWS4-HMAC-SHA256 SignedHeaders=host")]);
    let error = SignedRequest::read(&undated).unwrap_err();
    assert_eq!(
        error,
        SignatureError::IncompleteSignature { missing: vec!["Credential", "Signature", "X-Amz-Date"] }
    );
    assert_eq!(
        error.message(Family::Query),
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    );
    assert_eq!(codes(&error)[1..], INCOMPLETE);
}

#[test]
fn scopes_of_another_day_or_terminator_are_refused() {
    let rest = "SignedHeaders=host, Signature=00";
    let error = authorization(&format!("AWS4-HMAC-SHA256 Credential=AK/20240103/r/s3/aws4_request, {rest}"));
    assert_eq!(error, SignatureError::ScopeDate { scope: "20240103".into(), date: "20240102".into() });
    assert_eq!(codes(&error)[1..], WRONG);
    let error = authorization(&format!("AWS4-HMAC-SHA256 Credential=AK/20240102/r/s3/aws5_request, {rest}"));
    assert_eq!(error, SignatureError::WrongTerminator { got: "aws5_request".into() });
    assert_eq!(error.code(Family::S3), ("AuthorizationHeaderMalformed", 400));
}

#[test]
fn unreadable_dates_are_refused() {
    let mut parts = signed("s3");
    parts.headers.insert("x-amz-date", "yesterday".parse().unwrap());
    assert_eq!(SignedRequest::read(&parts).unwrap_err(), SignatureError::MalformedDate);
}

#[test]
fn s3_wants_to_know_about_the_body() {
    let mut parts = signed("s3");
    parts.headers.insert("x-amz-content-sha256", "nonsense".parse().unwrap());
    assert_eq!(SignedRequest::read(&parts).unwrap_err(), SignatureError::InvalidContentSha256);
    parts.headers.remove("x-amz-content-sha256");
    assert_eq!(SignedRequest::read(&parts).unwrap_err(), SignatureError::MissingContentSha256);
}

#[test]
fn headers_that_must_be_signed_are() {
    let mut s3 = signed("s3");
    s3.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    s3.headers.insert("x-other", "1".parse().unwrap());
    let error = read_and_verify(&s3, now()).unwrap_err();
    assert_eq!(error, SignatureError::HeaderNotSigned { names: vec!["x-amz-acl".into()] });
    assert_eq!(error.code(Family::S3), ("AccessDenied", 403));

    let mut json = signed("cloudtrail");
    json.headers.insert("x-amz-target", "CloudTrail_20131101.StopLogging".parse().unwrap());
    let error = read_and_verify(&json, now()).unwrap_err();
    assert_eq!(error, SignatureError::HeaderNotSigned { names: vec!["x-amz-target".into()] });
    assert_eq!(error.code(Family::Json), ("InvalidSignatureException", 400));

    let mut unhosted = signed("s3");
    let value =
        unhosted.headers["authorization"].to_str().unwrap().replace("SignedHeaders=host;", "SignedHeaders=");
    unhosted.headers.insert("authorization", value.parse().unwrap());
    let error = read_and_verify(&unhosted, now()).unwrap_err();
    assert_eq!(error, SignatureError::HeaderNotSigned { names: vec!["host".into()] });
}

#[test]
fn the_clock_window_is_fifteen_minutes_either_way() {
    let parts = signed("s3");
    for minutes in [-15, 15] {
        read_and_verify(&parts, now() + TimeDelta::minutes(minutes)).unwrap();
        let beyond =
            now() + TimeDelta::minutes(minutes) + TimeDelta::seconds(i64::from(minutes.signum() as i32));
        let error = read_and_verify(&parts, beyond).unwrap_err();
        assert_eq!(error, SignatureError::RequestTimeTooSkewed { request_time: now(), server_time: beyond });
        assert_eq!(error.code(Family::S3), ("RequestTimeTooSkewed", 403));
        assert_eq!(codes(&error)[1..], WRONG);
    }
    let late = read_and_verify(&parts, now() + TimeDelta::hours(1)).unwrap_err();
    assert_eq!(
        late.message(Family::Query),
        "Signature expired: 20240102T030405Z is now earlier than 20240102T034905Z (20240102T040405Z - 15 min.)"
    );
}

#[test]
fn presigned_urls_begin_and_end() {
    let parts = presigned("s3");
    read_and_verify(&parts, now() + TimeDelta::seconds(60)).unwrap();
    let error = read_and_verify(&parts, now() + TimeDelta::seconds(61)).unwrap_err();
    assert!(matches!(error, SignatureError::PresignedExpired { .. }), "{error:?}");
    assert_eq!(
        (error.code(Family::S3), error.to_string()),
        (("AccessDenied", 403), "Request has expired".into())
    );
    let error = read_and_verify(&parts, now() - TimeDelta::minutes(16)).unwrap_err();
    assert!(matches!(error, SignatureError::PresignedNotYetValid { .. }), "{error:?}");
}

#[test]
fn malformed_presigned_parameters_are_refused() {
    let uri = presigned("s3").uri.to_string();
    for (from, to, fault) in [
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", QueryFault::Missing("X-Amz-Algorithm")),
        ("X-Amz-Expires=60&", "", QueryFault::Missing("X-Amz-Expires")),
        ("X-Amz-Date=20240102T030405Z&", "", QueryFault::Missing("X-Amz-Date")),
        ("&X-Amz-SignedHeaders=host", "", QueryFault::Missing("X-Amz-SignedHeaders")),
        ("X-Amz-Signature=", "Y=", QueryFault::Missing("X-Amz-Signature")),
        ("X-Amz-Expires=60", "X-Amz-Expires=0", QueryFault::ExpiresNotPositive),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", QueryFault::ExpiresNotPositive),
        ("X-Amz-Expires=60", "X-Amz-Expires=1x", QueryFault::ExpiresNotNumber),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", QueryFault::ExpiresTooLong),
        ("X-Amz-Expires=60", "X-Amz-Expires=99999999999999999999", QueryFault::ExpiresTooLong),
        ("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60", QueryFault::Repeated("X-Amz-Expires")),
        ("X-Amz-Date=20240102T030405Z", "X-Amz-Date=now", QueryFault::Date),
        ("X-Amz-Credential=AKIAEXAMPLE", "X-Amz-Credential=", QueryFault::Credential),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=", QueryFault::SignedHeaders),
    ] {
        assert!(uri.contains(from), "{uri}");
        let error = SignedRequest::read(&parts(&uri.replace(from, to), &[])).expect_err(to);
        assert_eq!(error, SignatureError::MalformedQueryAuth(fault));
        assert_eq!(error.code(Family::S3), ("AuthorizationQueryParametersError", 400));
    }
    let other = uri.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512");
    assert_eq!(SignedRequest::read(&parts(&other, &[])).unwrap_err(), SignatureError::UnsupportedAlgorithm);
}

#[test]
fn a_mismatch_shows_what_the_server_signed() {
    let mut parts = signed("s3");
    parts.uri = "/bucket/other%20key?a=1".parse().unwrap();
    let error = read_and_verify(&parts, now()).unwrap_err();
    assert_eq!(codes(&error), [("SignatureDoesNotMatch", 403), WRONG[0], WRONG[1]]);
    let SignatureError::SignatureMismatch { canonical_request, string_to_sign } = error else {
        panic!("{error:?}");
    };
    assert!(
        canonical_request.starts_with("GET\n/bucket/other%20key\na=1\nhost:localhost\n"),
        "{canonical_request}"
    );
    assert!(
        string_to_sign
            .starts_with("AWS4-HMAC-SHA256\n20240102T030405Z\n20240102/us-east-1/s3/aws4_request\n")
    );
}

#[test]
fn a_read_body_must_have_the_declared_hash() {
    let parts = signed("s3");
    let signed = SignedRequest::read(&parts).unwrap().unwrap();
    let error = signed.verify(&parts, "secret", now(), Some([0; 32])).unwrap_err();
    assert_eq!(error, SignatureError::PayloadMismatch { declared: HASH.into(), actual: "00".repeat(32) });
    assert_eq!(codes(&error), [("XAmzContentSHA256Mismatch", 400), WRONG[0], WRONG[1]]);
}

#[test]
fn an_undeclared_body_is_signed_by_its_hash() {
    let parts = signed("cloudtrail");
    let signed = SignedRequest::read(&parts).unwrap().unwrap();
    assert_eq!(signed.payload(), PayloadKind::Absent);
    let verified = signed.verify(&parts, "secret", now(), None).unwrap();
    assert!(matches!(verified.payload(), PayloadKind::Hash(_)), "the caller learns what the body must be");
    let error = signed.verify(&parts, "secret", now(), Some([0; 32])).unwrap_err();
    assert!(matches!(error, SignatureError::SignatureMismatch { .. }));
}

#[test]
fn http2_signs_the_authority_as_host() {
    let mut parts = Request::builder().uri("http://localhost:4566/").body(()).unwrap().into_parts().0;
    sign(&mut parts, &credentials(), "us-east-1", "s3", UNSIGNED_PAYLOAD, now()).unwrap();
    parts.headers.remove("host");
    read_and_verify(&parts, now()).unwrap();
}

#[test]
fn the_signer_refuses_what_cannot_be_signed() {
    let mut nowhere = Request::builder().uri("/").body(()).unwrap().into_parts().0;
    let result = sign(&mut nowhere, &credentials(), "us-east-1", "s3", HASH, now());
    assert!(matches!(result, Err(SignError::NoHost)));
    for expires in [0, 604_801] {
        let result = presign(&mut parts("/", &[]), &credentials(), "us-east-1", "s3", expires, now());
        assert!(matches!(result, Err(SignError::Expires(_))));
    }
    let mut garbled = credentials();
    garbled.session_token = Some("a\nb".to_owned());
    assert!(matches!(
        sign(&mut parts("/", &[]), &garbled, "us-east-1", "s3", HASH, now()),
        Err(SignError::Header(_))
    ));
}
