//! Assuming roles.

use chrono::TimeDelta;
use opentrail_identity::{
    AssumeRole, AssumedRole, Caller, CredentialError, IdentityError, Principal, Role, SessionCredentials,
    Tag, attach, inline, role, user,
};
use serde_json::{Value, json};

use crate::world::{World, account, allow, deny, noon, other_account, policy, trust};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const ALICE: &str = "arn:aws:iam::123456789012:user/alice";

fn ask() -> AssumeRole<'static> {
    AssumeRole { role_arn: ROLE, session_name: "session", ..Default::default() }
}

async fn role_may(world: &World, statement: Value) {
    let document = policy(&statement);
    world.change(|tx| inline::put::<Role>(tx, account(), "r", "p", &document)).await.unwrap();
}

/// Alice, and a role that trusts her and may read.
async fn world_with_role() -> (World, Caller) {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    world.role("r", &trust(ALICE)).await;
    role_may(&world, allow("s3:Get*")).await;
    (world, alice)
}

fn assume(world: &World, caller: &Caller, ask: &AssumeRole<'_>) -> Result<AssumedRole, IdentityError> {
    world.identity.assume_role(caller, ask, noon())
}

fn caller_of(world: &World, session: &SessionCredentials) -> Caller {
    world.identity.credential(&session.access_key_id, Some(&session.session_token), noon()).unwrap().caller
}

fn trusting(principal: &Value, actions: &Value, condition: &Value) -> Value {
    let statement =
        json!({ "Effect": "Allow", "Principal": principal, "Action": actions, "Condition": condition });
    json!({ "Version": "2012-10-17", "Statement": statement })
}

async fn trust_anew(world: &World, document: &Value) {
    let document = document.to_string();
    world.change(|tx| role::update_trust_policy(tx, account(), "r", &document)).await.unwrap();
}

#[tokio::test]
async fn a_session_has_the_roles_permissions_and_name() {
    let (world, alice) = world_with_role().await;
    let assumed = assume(&world, &alice, &ask()).unwrap();
    assert_eq!(assumed.arn.as_str(), "arn:aws:sts::123456789012:assumed-role/r/session");
    assert!(assumed.assumed_role_id.ends_with(":session"));
    assert_eq!(assumed.credentials.expiration, noon() + TimeDelta::hours(1));
    assert_eq!(assumed.packed_policy_size, None);
    assert!(assumed.credentials.access_key_id.starts_with("ASIA"));
    let world = world.reopened().await;
    let caller = caller_of(&world, &assumed.credentials);
    assert!(world.may(&caller, "s3:GetObject") && !world.may(&caller, "s3:PutObject"));
    assert!(!world.may(&alice, "s3:GetObject"));

    let shown = serde_json::to_value(caller.user_identity(account())).unwrap();
    assert_eq!(shown["type"], "AssumedRole");
    assert_eq!(shown["principalId"], assumed.assumed_role_id);
    assert_eq!(shown["sessionContext"]["sessionIssuer"]["arn"], ROLE);
    assert_eq!(shown["sessionContext"]["sessionIssuer"]["userName"], "r");
    assert_eq!(shown["sessionContext"]["attributes"]["creationDate"], "2026-11-21T12:00:00Z");
    assert_eq!(shown["sessionContext"]["attributes"]["mfaAuthenticated"], "false");
}

#[tokio::test]
async fn who_is_not_trusted_is_refused() {
    let (world, _) = world_with_role().await;
    let bob = world.caller(account(), "bob").await;
    world.user_may(account(), "bob", allow("*")).await;
    let refused = assume(&world, &bob, &ask()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::123456789012:role/r because no role trust policy allows the sts:AssumeRole action"
    );
    let missing = AssumeRole { role_arn: "arn:aws:iam::123456789012:role/none", ..ask() };
    assert!(matches!(assume(&world, &bob, &missing), Err(IdentityError::AccessDenied(_))));
    assert!(matches!(
        assume(&world, &Caller::root(account()), &ask()),
        Err(IdentityError::RootMayNotAssumeRole)
    ));
    assert!(matches!(assume(&world, &Caller::anonymous(), &ask()), Err(IdentityError::NotAnIdentity)));
}

#[tokio::test]
async fn trust_in_an_account_needs_the_callers_own_policy_too() {
    let (world, alice) = world_with_role().await;
    trust_anew(&world, &trust("123456789012")).await;
    let refused = assume(&world, &alice, &ask()).unwrap_err();
    assert!(
        refused.to_string().ends_with("because no identity-based policy allows the sts:AssumeRole action")
    );
    world.user_may(account(), "alice", allow("sts:AssumeRole")).await;
    assume(&world, &alice, &ask()).unwrap();
    world.user_may(account(), "alice", json!([allow("*"), deny("sts:AssumeRole")])).await;
    assert!(assume(&world, &alice, &ask()).is_err());
}

#[tokio::test]
async fn a_caller_of_another_account_needs_both_sides_whoever_is_named() {
    let world = World::new().await;
    let eve = world.caller(other_account(), "eve").await;
    world.role("r", &trust("arn:aws:iam::210987654321:user/eve")).await;
    let refused = assume(&world, &eve, &ask()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "User: arn:aws:iam::210987654321:user/eve is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::123456789012:role/r"
    );
    world.user_may(other_account(), "eve", allow("sts:AssumeRole")).await;
    let assumed = assume(&world, &eve, &ask()).unwrap();
    assert_eq!((assumed.account, assumed.role_arn.as_str()), (account(), ROLE));
}

#[tokio::test]
async fn a_user_created_anew_under_a_trusted_name_is_not_trusted() {
    let world = World::new().await;
    world.user("alice").await;
    world.role("r", &trust(ALICE)).await;
    world.change(|tx| user::delete(tx, account(), "alice")).await.unwrap();
    let impostor = world.caller(account(), "alice").await;
    assert!(matches!(assume(&world, &impostor, &ask()), Err(IdentityError::AccessDenied(_))));
    trust_anew(&world, &trust(ALICE)).await;
    assume(&world, &impostor, &ask()).unwrap();
}

#[tokio::test]
async fn sessions_end_with_their_role() {
    let (world, alice) = world_with_role().await;
    let assumed = assume(&world, &alice, &ask()).unwrap();
    world.change(|tx| inline::delete::<Role>(tx, account(), "r", "p")).await.unwrap();
    world.change(|tx| role::delete(tx, account(), "r")).await.unwrap();
    world.role("r", &trust(ALICE)).await;
    let credentials = &assumed.credentials;
    let found =
        world.identity.credential(&credentials.access_key_id, Some(&credentials.session_token), noon());
    assert!(matches!(found, Err(IdentityError::Credential(CredentialError::InvalidSessionToken))));
}

#[tokio::test]
async fn session_policies_narrow() {
    let (world, alice) = world_with_role().await;
    role_may(&world, allow("s3:*")).await;
    let narrowing = policy(&allow("s3:Put*"));
    let assumed = assume(&world, &alice, &AssumeRole { policy: Some(&narrowing), ..ask() }).unwrap();
    assert!(assumed.packed_policy_size.is_some_and(|percent| (1..=100).contains(&percent)));
    let caller = caller_of(&world, &assumed.credentials);
    assert!(world.may(&caller, "s3:PutObject") && !world.may(&caller, "s3:GetObject"));

    let arns = ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()];
    let by_arn = assume(&world, &alice, &AssumeRole { policy_arns: &arns, ..ask() }).unwrap();
    let caller = caller_of(&world, &by_arn.credentials);
    assert!(!world.may(&caller, "s3:PutObject") && world.may(&caller, "s3:GetObject"));
    // It cannot widen.
    let wide = policy(&allow("*"));
    let assumed = assume(&world, &alice, &AssumeRole { policy: Some(&wide), ..ask() }).unwrap();
    assert!(!world.may(&caller_of(&world, &assumed.credentials), "iam:CreateUser"));

    let malformed = AssumeRole { policy: Some("{}"), ..ask() };
    assert!(matches!(assume(&world, &alice, &malformed), Err(IdentityError::MalformedPolicy(_))));
    let long = policy(&allow(&format!("s3:{}", "x".repeat(2_048))));
    let too_long = AssumeRole { policy: Some(&long), ..ask() };
    assert!(matches!(assume(&world, &alice, &too_long), Err(IdentityError::Validation(_))));
    let missing = ["arn:aws:iam::123456789012:policy/none".to_owned()];
    assert!(assume(&world, &alice, &AssumeRole { policy_arns: &missing, ..ask() }).is_err());
}

#[tokio::test]
async fn a_session_lasts_as_long_as_the_role_allows() {
    let (world, alice) = world_with_role().await;
    let lasting = |seconds| AssumeRole { duration_seconds: Some(seconds), ..ask() };
    for (seconds, message) in [
        (
            899,
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            43_201,
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
        ),
        (3_601, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    ] {
        assert_eq!(assume(&world, &alice, &lasting(seconds)).unwrap_err().to_string(), message);
    }
    assert_eq!(
        assume(&world, &alice, &lasting(900)).unwrap().credentials.expiration,
        noon() + TimeDelta::minutes(15)
    );
    world.change(|tx| role::update(tx, account(), "r", None, Some(43_200))).await.unwrap();
    assume(&world, &alice, &lasting(43_200)).unwrap();
    // A role's session that assumes a role has an hour at most.
    let chained = caller_of(&world, &assume(&world, &alice, &ask()).unwrap().credentials);
    trust_anew(&world, &trust(ROLE)).await;
    assume(&world, &chained, &lasting(3_600)).unwrap();
    assert!(assume(&world, &chained, &lasting(3_601)).unwrap_err().to_string().contains("role chaining"));
}

#[tokio::test]
async fn an_external_id_is_held_against_the_trust_policy() {
    let (world, alice) = world_with_role().await;
    let condition = json!({ "StringEquals": { "sts:ExternalId": "customer-7" } });
    trust_anew(&world, &trusting(&json!({ "AWS": ALICE }), &json!("sts:AssumeRole"), &condition)).await;
    assert!(assume(&world, &alice, &ask()).is_err());
    assert!(assume(&world, &alice, &AssumeRole { external_id: Some("customer-8"), ..ask() }).is_err());
    assume(&world, &alice, &AssumeRole { external_id: Some("customer-7"), ..ask() }).unwrap();
    let refused = assume(&world, &alice, &AssumeRole { external_id: Some("a b"), ..ask() }).unwrap_err();
    assert!(matches!(refused, IdentityError::Validation(_)));
}

#[tokio::test]
async fn a_trust_policy_sees_the_tags_of_request_and_role() {
    let (world, alice) = world_with_role().await;
    world.change(|tx| role::tag(tx, account(), "r", &[Tag::new("tier", "prod")])).await.unwrap();
    let condition = json!({ "StringEquals": { "aws:RequestTag/team": "blue", "iam:ResourceTag/tier": "prod" },
                            "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } });
    let actions = json!(["sts:AssumeRole", "sts:TagSession"]);
    trust_anew(&world, &trusting(&json!({ "AWS": ALICE }), &actions, &condition)).await;
    let (blue, red) = ([Tag::new("team", "blue")], [Tag::new("team", "red")]);
    assume(&world, &alice, &AssumeRole { tags: &blue, ..ask() }).unwrap();
    assert!(assume(&world, &alice, &AssumeRole { tags: &red, ..ask() }).is_err());
    assert!(assume(&world, &alice, &ask()).is_err());
}

#[tokio::test]
async fn tags_and_source_identity_need_leave_and_go_along() {
    let (world, alice) = world_with_role().await;
    let (tags, keys) = ([Tag::new("team", "blue"), Tag::new("cost", "7")], ["team".to_owned()]);
    let tagged =
        AssumeRole { tags: &tags, transitive_tag_keys: &keys, source_identity: Some("Alice"), ..ask() };
    let refused = assume(&world, &alice, &tagged).unwrap_err();
    assert!(refused.to_string().contains("sts:TagSession"), "{refused}");
    let actions = json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    let principals = json!({ "AWS": [ALICE, ROLE] });
    trust_anew(&world, &trusting(&principals, &actions, &json!({}))).await;
    let assumed = assume(&world, &alice, &tagged).unwrap();
    assert_eq!(assumed.source_identity.as_deref(), Some("Alice"));
    let first = caller_of(&world, &assumed.credentials);
    let context = world.identity.context(&first, &Default::default());
    assert_eq!(context.single("aws:PrincipalTag/team"), Some("blue"));
    assert_eq!(context.single("aws:SourceIdentity"), Some("Alice"));

    role_may(&world, allow("*")).await;
    let chained = assume(&world, &first, &ask()).unwrap();
    assert_eq!(chained.source_identity.as_deref(), Some("Alice"));
    let second = world.identity.context(&caller_of(&world, &chained.credentials), &Default::default());
    assert_eq!(second.single("aws:PrincipalTag/team"), Some("blue"));
    assert_eq!(second.single("aws:PrincipalTag/cost"), None);
    let other_name = AssumeRole { source_identity: Some("Mallory"), ..ask() };
    assert!(matches!(assume(&world, &first, &other_name), Err(IdentityError::AccessDenied(_))));
    let other_team = [Tag::new("Team", "red")];
    let overriding = assume(&world, &first, &AssumeRole { tags: &other_team, ..ask() }).unwrap_err();
    assert!(matches!(overriding, IdentityError::Validation(_)), "{overriding}");
}

#[tokio::test]
async fn what_is_of_wrong_form_or_too_much_is_refused() {
    let (world, alice) = world_with_role().await;
    for bad in [
        AssumeRole { session_name: "x", ..ask() },
        AssumeRole { session_name: "a b", ..ask() },
        AssumeRole { role_arn: "nonsense", ..ask() },
        AssumeRole { role_arn: ALICE, ..ask() },
        AssumeRole { source_identity: Some("a b"), ..ask() },
        AssumeRole { transitive_tag_keys: &["none".to_owned()], ..ask() },
    ] {
        let refused = assume(&world, &alice, &bad).unwrap_err();
        assert!(matches!(refused, IdentityError::Validation(_)), "{bad:?}: {refused}");
    }
    let actions = json!(["sts:AssumeRole", "sts:TagSession"]);
    trust_anew(&world, &trusting(&json!({ "AWS": ALICE }), &actions, &json!({}))).await;
    let large: Vec<_> = (0..50).map(|i| Tag::new(format!("k{i}"), "v".repeat(200))).collect();
    let refused = assume(&world, &alice, &AssumeRole { tags: &large, ..ask() }).unwrap_err();
    assert!(matches!(refused, IdentityError::PackedPolicyTooLarge { percent: 101.. }), "{refused}");
}

#[tokio::test]
async fn a_largest_session_fits_its_token() {
    let (world, alice) = world_with_role().await;
    let actions = json!(["sts:AssumeRole", "sts:TagSession"]);
    trust_anew(&world, &trusting(&json!({ "AWS": ALICE }), &actions, &json!({}))).await;
    let tags: Vec<_> = (0..50).map(|i| Tag::new(format!("k{i}"), "v".repeat(80))).collect();
    let narrowing = policy(&allow(&format!("s3:{}", "x".repeat(1_500))));
    let assumed =
        assume(&world, &alice, &AssumeRole { tags: &tags, policy: Some(&narrowing), ..ask() }).unwrap();
    assert!(assumed.credentials.session_token.len() < opentrail_identity::limits::SESSION_TOKEN_CHARS);
    caller_of(&world, &assumed.credentials);
}

#[tokio::test]
async fn a_session_of_ones_own_may_what_one_may() {
    let world = World::new().await;
    let alice = world.caller(account(), "alice").await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world
        .change(|tx| attach::attach::<opentrail_identity::User>(tx, account(), "alice", admin))
        .await
        .unwrap();
    let own = world.identity.session_token(&alice, None, None, noon()).unwrap();
    assert_eq!(own.expiration, noon() + TimeDelta::hours(12));
    let caller = caller_of(&world, &own);
    assert!(world.may(&caller, "s3:GetObject"));
    let context = world.identity.context(&caller, &Default::default());
    assert_eq!(context.single("aws:MultiFactorAuthPresent"), Some("false"));
    assert_eq!(context.single("aws:TokenIssueTime"), Some("2026-11-21T12:00:00Z"));
    let shown = serde_json::to_value(caller.user_identity(account())).unwrap();
    assert_eq!((&shown["type"], shown["sessionContext"].is_object()), (&json!("IAMUser"), true));
    let again = world.identity.session_token(&caller, None, None, noon());
    assert!(matches!(again, Err(IdentityError::SessionMayNotGetSession)));

    let root = world.identity.session_token(&Caller::root(account()), None, None, noon()).unwrap();
    assert_eq!(root.expiration, noon() + TimeDelta::hours(1));
    assert_eq!(caller_of(&world, &root).principal, Principal::Root { account: account() });
    assert!(world.identity.session_token(&alice, Some(129_601), None, noon()).is_err());
    assert!(matches!(
        world.identity.session_token(&Caller::anonymous(), None, None, noon()),
        Err(IdentityError::NotAnIdentity)
    ));
}
