//! Roles of services: nobody's to change, and gone when nothing uses them.

use opentrail_identity::{
    IdentityError, Role, attach, inline, managed_policy,
    role::{self, NewRole},
    service_linked_role,
};

use crate::world::{World, account, allow, noon, policy, trust};

const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
const ROLE: &str = "AWSServiceRoleForCloudTrail";
const POLICY: &str = "arn:aws:iam::aws:policy/aws-service-role/CloudTrailServiceRolePolicy";

#[tokio::test]
async fn a_services_role_is_the_services_alone() {
    let world = World::new().await;
    let role = world
        .change(|tx| service_linked_role::create(tx, account(), CLOUDTRAIL, None, None, noon()))
        .await
        .unwrap();
    assert_eq!(
        (role.path.as_str(), role.name.as_str()),
        ("/aws-service-role/cloudtrail.amazonaws.com/", ROLE)
    );
    assert_eq!(role.permissions.attached, [POLICY]);
    let refused = |refused| matches!(refused, Err(IdentityError::Unmodifiable(name)) if name == ROLE);
    let (document, trust) = (policy(&allow("*")), trust("123456789012").to_string());
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(refused(world.change(|tx| inline::put::<Role>(tx, account(), ROLE, "p", &document)).await));
    assert!(refused(world.change(|tx| attach::attach::<Role>(tx, account(), ROLE, admin)).await));
    assert!(refused(world.change(|tx| attach::detach::<Role>(tx, account(), ROLE, POLICY)).await));
    assert!(refused(world.change(|tx| role::update_trust_policy(tx, account(), ROLE, &trust)).await));
    assert!(refused(world.change(|tx| role::delete(tx, account(), ROLE).map(drop)).await));
    assert!(refused(
        world.change(|tx| role::set_permissions_boundary(tx, account(), ROLE, Some(admin))).await
    ));
    let described = world.change(|tx| role::update(tx, account(), ROLE, Some("ours"), None)).await.unwrap();
    assert_eq!(described.description.as_deref(), Some("ours"));
}

#[tokio::test]
async fn nobody_else_has_its_path_or_its_policy() {
    let world = World::new().await;
    let trust = trust("123456789012").to_string();
    let path = Some("/aws-service-role/cloudtrail.amazonaws.com/");
    let new = NewRole { name: ROLE, path, trust_policy: &trust, ..NewRole::default() };
    let refused = world.change(|tx| role::create(tx, account(), &new, noon())).await;
    assert!(matches!(refused, Err(IdentityError::InvalidInput(_))));
    let new = NewRole { path: None, name: "mine", ..new };
    world.change(|tx| role::create(tx, account(), &new, noon())).await.unwrap();
    let refused = world.change(|tx| attach::attach::<Role>(tx, account(), "mine", POLICY)).await;
    assert!(matches!(refused, Err(IdentityError::NotAttachable)));
    assert_eq!(managed_policy::get(&world.state, account(), POLICY).unwrap().path, "/aws-service-role/");
}

#[tokio::test]
async fn it_is_made_once_and_deleted_with_a_task_to_ask_about() {
    let world = World::new().await;
    let ensure = || world.change(|tx| service_linked_role::ensure(tx, account(), CLOUDTRAIL, noon()));
    assert!(ensure().await.unwrap());
    assert!(!ensure().await.unwrap());
    for (service, suffix) in [(CLOUDTRAIL, None), (CLOUDTRAIL, Some("x")), ("ec2.amazonaws.com", None)] {
        let again = world
            .change(|tx| service_linked_role::create(tx, account(), service, None, suffix, noon()))
            .await;
        assert!(matches!(again, Err(IdentityError::InvalidInput(_))), "{service} {suffix:?}");
    }
    let task = world.change(|tx| service_linked_role::delete(tx, account(), ROLE, noon())).await.unwrap();
    assert!(task.starts_with("task/aws-service-role/cloudtrail.amazonaws.com/AWSServiceRoleForCloudTrail/"));
    let deletion = service_linked_role::deletion(&world.state, account(), &task).unwrap();
    assert!(deletion.usage.is_empty());
    assert!(role::get(&world.state, account(), ROLE).is_err());
    let unknown = service_linked_role::deletion(&world.state, account(), &task.replace("CloudTrail/", "X/"));
    assert!(matches!(unknown, Err(IdentityError::NoSuchEntity(_))));
    let nonsense = service_linked_role::deletion(&world.state, account(), "task/x");
    assert!(matches!(nonsense, Err(IdentityError::InvalidInput(_))));
}
