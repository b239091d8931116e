//! Federated users, and those for whom an OpenID Connect provider vouches.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use opentrail_identity::{
    Ask, AssumeRole, AssumeRoleWithWebIdentity, AssumedRole, Caller, CredentialError, GetFederationToken,
    IdentityError, Principal, SessionCredentials, Tag, Verdict,
    federation::{
        TokenRefusal,
        keys::SigningKeys,
        oidc_provider::{self, NewOidcProvider},
    },
    user,
};
use serde_json::{Value, json};

use crate::world::{World, account, allow, noon, other_account, policy};

const ISSUER: &str = "https://idp.example/realms/x";
const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/idp.example/realms/x";
const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// A provider's key.
struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn set(&self) -> SigningKeys {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = (BASE64.encode(&point[..32]), BASE64.encode(&point[32..]));
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y });
        SigningKeys::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    fn sign(&self, claims: &Value) -> String {
        let head = BASE64.encode(json!({ "typ": "JWT", "alg": "ES256", "kid": "k" }).to_string());
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }
}

fn claims(changes: &Value) -> Value {
    let now = noon().timestamp();
    let mut claims = json!({ "iss": ISSUER, "sub": "someone", "aud": "app", "iat": now, "exp": now + 60 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn trusting(condition: &Value) -> Value {
    let actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"];
    let statement = json!({
        "Effect": "Allow", "Principal": { "Federated": PROVIDER }, "Action": actions, "Condition": condition,
    });
    json!({ "Version": "2012-10-17", "Statement": statement })
}

/// A world with the provider and a role that trusts it.
async fn world(condition: &Value) -> World {
    let world = World::new().await;
    let clients = ["app".to_owned()];
    let new = NewOidcProvider { url: ISSUER, client_ids: &clients, ..Default::default() };
    world.change(|tx| oidc_provider::create(tx, account(), &new, noon())).await.unwrap();
    world.role("r", &trusting(condition)).await;
    world
}

fn ask() -> AssumeRoleWithWebIdentity<'static> {
    AssumeRoleWithWebIdentity { role_arn: ROLE, session_name: "session", ..Default::default() }
}

fn assume(world: &World, key: &Key, token: &str) -> Result<AssumedRole, IdentityError> {
    let presented = world.identity.present_web_identity(&ask(), token, noon())?;
    let vouched = presented.verify(&key.set())?;
    world.identity.assume_role_with_web_identity(&vouched, &ask(), noon())
}

fn refusal(world: &World, key: &Key, token: &str) -> TokenRefusal {
    match assume(world, key, token) {
        Err(IdentityError::WebIdentity(refusal)) => refusal,
        other => panic!("{token}: {other:?}"),
    }
}

fn caller_of(world: &World, session: &SessionCredentials) -> Caller {
    world.identity.credential(&session.access_key_id, Some(&session.session_token), noon()).unwrap().caller
}

#[tokio::test]
async fn a_session_knows_who_vouched_for_whom() {
    let (world, key) =
        (world(&json!({ "StringEquals": { "idp.example/realms/x:sub": "someone" } })).await, Key::new());
    let assumed = assume(&world, &key, &key.sign(&claims(&json!({ "amr": ["pwd", "otp"] })))).unwrap();
    let world = world.reopened().await;
    let context = world.identity.context(&caller_of(&world, &assumed.credentials), &Default::default());
    assert_eq!(context.single("aws:FederatedProvider"), Some(PROVIDER));
    assert_eq!(context.single("idp.example/realms/x:sub"), Some("someone"));
    assert_eq!(context.single("idp.example/realms/x:aud"), Some("app"));
    assert_eq!(context.get("idp.example/realms/x:amr").map(<[_]>::len), Some(2));
    assert_eq!(context.single("aws:username"), None);
    let other = key.sign(&claims(&json!({ "sub": "someone-else" })));
    assert!(matches!(assume(&world, &key, &other), Err(IdentityError::NotAuthorized { .. })));
}

#[tokio::test]
async fn a_token_is_for_its_account_its_audience_and_its_time() {
    let (world, key) = (world(&json!({})).await, Key::new());
    let of = |changes: Value| refusal(&world, &key, &key.sign(&claims(&changes)));
    let now = noon().timestamp();
    assert_eq!(of(json!({ "aud": "other" })), TokenRefusal::Audience);
    assert_eq!(of(json!({ "aud": ["other"], "azp": "other" })), TokenRefusal::Audience);
    assert!(matches!(of(json!({ "exp": now })), TokenRefusal::Expired { .. }));
    assert_eq!(of(json!({ "exp": 1e300 })), TokenRefusal::Claim("exp"));
    assert_eq!(of(json!({ "nbf": now + 301 })), TokenRefusal::Claim("nbf"));
    assert_eq!(of(json!({ "iat": now + 301 })), TokenRefusal::Claim("iat"));
    assert_eq!(of(json!({ "sub": "" })), TokenRefusal::Claim("sub"));
    assert_eq!(of(json!({ "sub": "s".repeat(256) })), TokenRefusal::Claim("sub"));
    assert_eq!(of(json!({ "sub": null })), TokenRefusal::MissingClaim("sub"));
    assert_eq!(of(json!({ "exp": null })), TokenRefusal::MissingClaim("exp"));
    assert!(matches!(of(json!({ "iss": "http://idp.example/realms/x" })), TokenRefusal::NoProvider(_)));
    assert!(matches!(of(json!({ "iss": format!("{ISSUER}/") })), TokenRefusal::NoProvider(_)));
    assert_eq!(refusal(&world, &Key::new(), &key.sign(&claims(&json!({})))), TokenRefusal::Signature);
    let presented = key.sign(&claims(&json!({})));
    let presented = world.identity.present_web_identity(&ask(), &presented, noon()).unwrap();
    assert_eq!(presented.verify(&SigningKeys::default()).unwrap_err(), TokenRefusal::NoKey);
    let elsewhere = AssumeRoleWithWebIdentity { role_arn: "arn:aws:iam::210987654321:role/r", ..ask() };
    let token = key.sign(&claims(&json!({})));
    let refused = world.identity.present_web_identity(&elsewhere, &token, noon()).unwrap_err();
    assert!(matches!(refused, IdentityError::WebIdentity(TokenRefusal::NoProvider(_))));
    for junk in ["", "a", "a.b.c", "e30.e30.", &"A".repeat(20_001)] {
        assert_eq!(refusal(&world, &key, junk), TokenRefusal::NotAToken, "{junk:.20}");
    }
}

#[tokio::test]
async fn session_tags_come_from_the_claim() {
    let (world, key) = (world(&json!({})).await, Key::new());
    let with = |tags: Value| key.sign(&claims(&json!({ "https://aws.amazon.com/tags": tags })));
    let tags =
        json!({ "principal_tags": { "team": ["blue"], "cost": "7" }, "transitive_tag_keys": ["team"] });
    let assumed = assume(&world, &key, &with(tags)).unwrap();
    assert!(assumed.packed_policy_size.is_some());
    let context = world.identity.context(&caller_of(&world, &assumed.credentials), &Default::default());
    assert_eq!(context.single("aws:PrincipalTag/team"), Some("blue"));
    assert_eq!(context.single("aws:PrincipalTag/cost"), Some("7"));
    for bad in
        [json!([]), json!({ "principal_tags": { "team": ["a", "b"] } }), json!({ "principal_tags": 1 })]
    {
        let refused = refusal(&world, &key, &with(bad));
        assert_eq!(refused, TokenRefusal::Claim("https://aws.amazon.com/tags"));
    }
    let absent = with(json!({ "transitive_tag_keys": ["team"] }));
    assert!(matches!(assume(&world, &key, &absent), Err(IdentityError::Validation(_))));
}

fn federate(world: &World, caller: &Caller, ask: &GetFederationToken<'_>) -> Caller {
    let session = world.identity.federation_token(caller, ask, noon()).unwrap();
    caller_of(world, &session.credentials)
}

#[tokio::test]
async fn a_federated_user_has_what_is_in_both_policies() {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", allow("s3:*")).await;
    let bob = GetFederationToken { name: "bob", ..Default::default() };
    assert!(matches!(
        world.identity.federation_token(&alice, &bob, noon()),
        Err(IdentityError::AccessDenied(_))
    ));
    world.user_may(account(), "alice", json!([allow("s3:*"), allow("sts:*")])).await;
    let narrowing = policy(&json!([allow("s3:Get*"), allow("iam:*")]));
    let both = federate(&world, &alice, &GetFederationToken { policy: Some(&narrowing), ..bob.clone() });
    assert!(world.may(&both, "s3:GetObject"));
    assert!(!world.may(&both, "s3:PutObject") && !world.may(&both, "iam:ListUsers"));
    assert_eq!(both.principal.arn().unwrap().as_str(), "arn:aws:sts::123456789012:federated-user/bob");
    assert_eq!(both.principal.principal_id().as_deref(), Some("123456789012:bob"));
    let none = federate(&world, &alice, &bob);
    assert!(!world.may(&none, "s3:GetObject"));
    assert!(matches!(
        world.identity.federation_token(&both, &bob, noon()),
        Err(IdentityError::SessionMayNotFederate)
    ));
    assert!(
        world
            .identity
            .assume_role(
                &both,
                &AssumeRole { role_arn: ROLE, session_name: "xx", ..Default::default() },
                noon()
            )
            .is_err()
    );

    // The root's has what the policy lets through, for an hour.
    let root = Caller::root(account());
    let wide = GetFederationToken { name: "bob", policy: Some(&narrowing), ..Default::default() };
    let session = world.identity.federation_token(&root, &wide, noon()).unwrap();
    assert_eq!(session.credentials.expiration, noon() + TimeDelta::hours(1));
    let of_root = caller_of(&world, &session.credentials);
    assert!(world.may(&of_root, "iam:ListUsers") && !world.may(&of_root, "s3:PutObject"));
}

#[tokio::test]
async fn a_resource_names_the_session_or_its_user() {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", allow("sts:*")).await;
    let bob = federate(&world, &alice, &GetFederationToken { name: "bob", ..Default::default() });
    let narrowing = policy(&allow("s3:Get*"));
    let eve = GetFederationToken { name: "eve", policy: Some(&narrowing), ..Default::default() };
    let eve = federate(&world, &alice, &eve);
    let may = |caller: &Caller, principal: &str, action: &str| {
        let statement = json!({ "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "s3:*", "Resource": "*" });
        let policy =
            opentrail_policy::Policy::parse(&policy(&statement), opentrail_policy::PolicyKind::Resource)
                .unwrap();
        let ask =
            Ask { action, resource: "arn:aws:s3:::b/k", resource_policy: Some(&policy), ..Ask::default() };
        world.identity.authorize(caller, &ask).is_allowed()
    };
    let (session, user) =
        ("arn:aws:sts::123456789012:federated-user/bob", "arn:aws:iam::123456789012:user/alice");
    assert!(may(&bob, session, "s3:GetObject") && !may(&eve, session, "s3:GetObject"));
    assert!(!may(&bob, user, "s3:GetObject"), "without a session policy it has nothing of its user's");
    assert!(may(&eve, user, "s3:GetObject") && !may(&eve, user, "s3:PutObject"));
    assert!(!may(&bob, "123456789012", "s3:GetObject"));
}

#[tokio::test]
async fn a_federated_session_ends_with_its_user() {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    world.user_may(account(), "alice", allow("sts:*")).await;
    let tags = [Tag::new("team", "blue")];
    let ask = GetFederationToken { name: "bob", tags: &tags, ..Default::default() };
    let session = world.identity.federation_token(&alice, &ask, noon()).unwrap().credentials;
    let found = |world: &World| {
        world
            .identity
            .credential(&session.access_key_id, Some(&session.session_token), noon())
            .map(|found| found.caller)
    };
    let caller = found(&world).unwrap();
    assert!(matches!(caller.principal, Principal::FederatedUser { .. }));
    let context = world.identity.context(&caller, &Default::default());
    assert_eq!(context.single("aws:PrincipalTag/team"), Some("blue"));
    assert_eq!(context.single("aws:PrincipalType"), Some("FederatedUser"));
    assert_eq!(context.single("aws:username"), None);
    world
        .change(|tx| {
            opentrail_identity::inline::delete::<opentrail_identity::User>(tx, account(), "alice", "p")
        })
        .await
        .unwrap();
    let key = alice.access_key_id.clone().unwrap();
    world
        .change(|tx| {
            opentrail_identity::access_key::delete(
                tx,
                account(),
                opentrail_identity::KeyHolder::User("alice"),
                &key,
            )
        })
        .await
        .unwrap();
    assert!(found(&world).is_ok(), "the key that opened it is not its own");
    world.change(|tx| user::delete(tx, account(), "alice")).await.unwrap();
    world.user("alice").await;
    assert!(matches!(found(&world), Err(IdentityError::Credential(CredentialError::InvalidSessionToken))));
}

#[tokio::test]
async fn why_a_call_was_denied_is_for_the_callers_account_only() {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    let statement = json!({ "Sid": "NoLogs", "Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*" });
    world.user_may(account(), "alice", json!([allow("*"), statement])).await;
    let ask = Ask { action: "cloudtrail:StopLogging", resource: "*", ..Ask::default() };
    let Verdict::Denied(denial) = world.identity.authorize(&alice, &ask) else { panic!("it is denied") };
    let message = world.identity.authorization_message(&alice, &ask, &denial).unwrap();
    assert!(message.len() <= opentrail_identity::limits::GIVEN_MESSAGE_CHARS);
    let text = world.identity.decode_authorization_message(account(), &message).unwrap();
    let decoded: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(decoded["explicitDeny"], true);
    assert_eq!(decoded["matchedStatements"]["items"][0]["statementId"], "NoLogs");
    assert_eq!(decoded["context"]["action"], "cloudtrail:StopLogging");
    let refused = world.identity.decode_authorization_message(other_account(), &message);
    assert!(matches!(refused, Err(IdentityError::AuthorizationMessage)));
    assert_eq!(world.identity.authorization_message(&Caller::anonymous(), &ask, &denial), None);

    let mut large = opentrail_policy::Context::new();
    for n in 0..200 {
        large.set(&format!("aws:RequestTag/{n}"), "v".repeat(200));
    }
    let ask = Ask { context: large, ..ask };
    let message = world.identity.authorization_message(&alice, &ask, &denial).unwrap();
    assert!(message.len() <= opentrail_identity::limits::GIVEN_MESSAGE_CHARS);
    let text = world.identity.decode_authorization_message(account(), &message).unwrap();
    assert!(text.contains("NoLogs") && !text.contains("vvv"));
}
