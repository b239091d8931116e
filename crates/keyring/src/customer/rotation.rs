//! Rotation: new material for a key, with the old kept for what it encrypted.

use chrono::{DateTime, Duration, Utc};
use opentrail_state::Transaction;

use super::{Key, KeyRefusal, MaterialOrigin, NewMaterial, Rotation, limits};
use crate::{error::KeyringError, keyring::Keyring};

impl Rotation {
    /// The rotation after one at this time.
    pub(crate) fn after(period_days: u32, at: DateTime<Utc>) -> Self {
        Self { period_days, next: at + Duration::days(i64::from(period_days)) }
    }
}

impl Key {
    /// Whether it has rotations at all.
    ///
    /// # Errors
    /// [`KeyRefusal::Unsupported`].
    pub fn check_rotates(&self) -> Result<(), KeyRefusal> {
        if self.spec.is_symmetric() {
            return Ok(());
        }
        Err(KeyRefusal::Unsupported(
            "You cannot perform this operation on an asymmetric or HMAC key.".to_owned(),
        ))
    }

    /// How many rotations somebody asked for.
    pub fn on_demand_rotations(&self) -> usize {
        self.materials.iter().filter(|material| material.origin == MaterialOrigin::OnDemand).count()
    }
}

impl Keyring {
    /// Stages that a key rotates by itself, every `period_days`.
    ///
    /// # Errors
    /// [`KeyRefusal::Unsupported`], [`KeyRefusal::Disabled`], [`KeyRefusal::InvalidState`],
    /// [`KeyRefusal::AwsManaged`]; [`KeyRefusal::Validation`] for days outside of [`limits::ROTATION_PERIOD_DAYS`].
    pub fn enable_rotation(
        &self,
        tx: &mut Transaction,
        key: &Key,
        period_days: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        let days = period_days.unwrap_or(limits::DEFAULT_ROTATION_PERIOD_DAYS);
        if !limits::ROTATION_PERIOD_DAYS.contains(&days) {
            let message = "RotationPeriodInDays must be between 90 and 2560, inclusive.".to_owned();
            return Err(KeyRefusal::Validation(message).into());
        }
        check_changes_rotation(key)?;
        let unchanged = key.rotation.filter(|rotation| period_days.is_none() || rotation.period_days == days);
        let rotation = unchanged.unwrap_or_else(|| Rotation::after(days, now));
        Self::change(tx, key, |key| key.rotation = Some(rotation));
        Ok(())
    }

    /// Stages that a key does not rotate by itself.
    ///
    /// # Errors
    /// As [`enable_rotation`](Self::enable_rotation).
    pub fn disable_rotation(&self, tx: &mut Transaction, key: &Key) -> Result<(), KeyringError> {
        check_changes_rotation(key)?;
        Self::change(tx, key, |key| key.rotation = None);
        Ok(())
    }

    /// Stages that a key has new material from now on.
    ///
    /// # Errors
    /// As [`enable_rotation`](Self::enable_rotation); [`KeyRefusal::LimitExceeded`] after
    /// [`limits::MAX_ON_DEMAND_ROTATIONS`].
    pub fn rotate_on_demand(
        &self,
        tx: &mut Transaction,
        key: &Key,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        check_changes_rotation(key)?;
        if key.on_demand_rotations() >= limits::MAX_ON_DEMAND_ROTATIONS {
            let most = limits::MAX_ON_DEMAND_ROTATIONS;
            let message = format!("The key was rotated on demand {most} times, the most it can be.");
            return Err(KeyRefusal::LimitExceeded(message).into());
        }
        self.rotate(tx, key, MaterialOrigin::OnDemand, now)
    }

    pub(crate) fn rotate(
        &self,
        tx: &mut Transaction,
        key: &Key,
        origin: MaterialOrigin,
        now: DateTime<Utc>,
    ) -> Result<(), KeyringError> {
        let version = key.material().version + 1;
        let material = NewMaterial::generate(key.spec)?.version(self, &key.arn, version, origin, now);
        Self::change(tx, key, |key| {
            key.materials.push(material);
            if origin == MaterialOrigin::Automatic {
                key.rotation = key.rotation.map(|rotation| Rotation::after(rotation.period_days, now));
            }
        });
        Ok(())
    }
}

fn check_changes_rotation(key: &Key) -> Result<(), KeyRefusal> {
    key.check_rotates()?;
    key.check_usable()?;
    key.check_customers()
}
