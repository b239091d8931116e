//! Lifecycle: rules that move objects to colder storage classes and remove them when their time has come
//! (S3 user guide, "Managing the lifecycle of objects").
//!
//! [`configuration`] says what rules are and which S3 takes, [`decide`] what they mean for one version, [`walk`]
//! looks through a bucket in bounded steps, and [`act`] does what is due, each deed as one journal entry with its
//! record. Whether something is due is asked again once nobody else can write the key, so a rule never meets an
//! object that was written meanwhile; and removals go through the door that everyone's deletions go through,
//! which refuses what a lock holds.

mod act;
mod calendar;
mod configuration;
mod decide;
mod invalid;
mod restore;
mod rule;
mod walk;

pub use act::Performed;
pub use calendar::Calendar;
pub use configuration::{Lifecycle, TransitionMinimum};
pub use decide::{Expiry, LifecycleAction};
pub use invalid::InvalidLifecycle;
pub use restore::{RestoreTier, Restored};
pub use rule::{
    Expiration, FilterForm, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, RuleFilter,
    Transition, When,
};
pub use walk::{Due, LifecycleWalk};
