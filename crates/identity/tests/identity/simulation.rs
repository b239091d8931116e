//! The policy simulator: how much it takes.

use opentrail_identity::{
    IdentityError, limits,
    simulate::{Ask, World as Simulation},
};
use serde_json::json;

use crate::world::{World, account, allow, noon, policy};

#[tokio::test]
async fn policies_that_are_too_long_together_are_refused() {
    let world = World::new().await;
    let simulate = |policies: &[String]| {
        Simulation::new(&world.state, account(), &Ask { policies, ..Ask::default() }, noon()).map(drop)
    };
    let long = policy(&json!(vec![allow("s3:GetObject"); 1_000]));
    assert!(long.len() < limits::SIMULATED_BYTES);
    assert!(simulate(std::slice::from_ref(&long)).is_ok());
    let most = limits::SIMULATED_BYTES / long.len();
    assert!(simulate(&vec![long.clone(); most]).is_ok());
    let refused = simulate(&vec![long; most + 1]);
    assert!(matches!(refused, Err(IdentityError::InvalidInput(_))), "{refused:?}");
}

#[tokio::test]
async fn the_weight_is_of_statements_and_the_keys_in_them() {
    let world = World::new().await;
    let mut conditional = allow("s3:GetObject");
    conditional["Condition"] =
        json!({ "StringEquals": { "aws:username": "${aws:userid}", "aws:RequestedRegion": "x" } });
    let policies = [policy(&json!([conditional, allow("s3:*")]))];
    let simulation =
        Simulation::new(&world.state, account(), &Ask { policies: &policies, ..Ask::default() }, noon())
            .unwrap();
    assert_eq!(simulation.weight(), 2 + 3);
    let mut found = simulation.simulate("s3:GetObject", "*");
    found.missing.sort();
    assert_eq!(found.missing, ["aws:RequestedRegion", "aws:userid", "aws:username"]);
    let starts: Vec<usize> = found.matched.iter().map(|statement| statement.start.line).collect();
    assert_eq!(starts, [1]);
}
