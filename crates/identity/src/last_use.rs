//! When access keys and roles were used last.
//!
//! Kept in memory only: after a restart IAM's answer is that nothing is known.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    cache::Cache,
    limits,
    principal::{Caller, Principal},
};

/// The last use of an access key or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: DateTime<Utc>,
    /// With which service: its name in ARNs, such as `iam`.
    pub service: Arc<str>,
    /// In which region.
    pub region: Arc<str>,
}

pub(crate) struct LastUses(Cache<String, LastUse>);

impl LastUses {
    pub(crate) fn new() -> Self {
        Self(Cache::new(limits::REMEMBERED_USES))
    }

    /// Notes a call: of a role if it is a role's session, else of the key.
    pub(crate) fn note(&self, caller: &Caller, service: &str, region: &str, at: DateTime<Utc>) {
        let key = match (&caller.principal, &caller.access_key_id) {
            (Principal::AssumedRole { role_id, .. }, _) => role_id.to_string(),
            (_, Some(key)) if caller.session.is_none() => key.clone(),
            _ => return,
        };
        self.0.insert(key, LastUse { at, service: Arc::from(service), region: Arc::from(region) });
    }

    pub(crate) fn of(&self, key_or_role_id: &str) -> Option<LastUse> {
        self.0.get(key_or_role_id)
    }
}
