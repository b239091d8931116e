//! Argon2id, a few at once.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::SaltString,
};
use rand::RngCore;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use zeroize::Zeroizing;

use crate::{error::IdentityError, limits};

/// Bytes of a salt (RFC 9106, section 3.1, recommends 16).
const SALT_BYTES: usize = 16;

/// Bounds how many hashes are made at a time, and so their memory:
/// [`limits::PASSWORD_HASHES_AT_ONCE`] times [`limits::ARGON2_MEMORY_KIB`].
pub(crate) struct Hasher {
    running: Arc<Semaphore>,
    present: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let (running, waiting) = (limits::PASSWORD_HASHES_AT_ONCE, limits::PASSWORD_HASHES_WAITING);
        Self {
            running: Arc::new(Semaphore::new(running)),
            present: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Busy` if too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, IdentityError> {
        let present = Arc::clone(&self.present).try_acquire_owned().map_err(|_| IdentityError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| IdentityError::Busy)?;
        Ok(Turn { _present: present, _running: running })
    }
}

/// The right to hash, until it is used.
pub(super) struct Turn {
    _present: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Turn {
    /// Works on a thread of its own. Should nobody wait for it any more, the turn still lasts until it is done.
    pub(super) async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let done = spawn_blocking(move || {
            let done = work();
            drop(self);
            done
        });
        done.await.map_err(|_| IdentityError::PasswordHash)
    }
}

/// The hash of a password, as text that says how it was made.
pub(super) fn hash(password: &str) -> Result<Zeroizing<String>, IdentityError> {
    let mut salt = [0_u8; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).map_err(|_| IdentityError::PasswordHash)?;
    let (memory, passes, lanes) = (limits::ARGON2_MEMORY_KIB, limits::ARGON2_PASSES, limits::ARGON2_LANES);
    let params = Params::new(memory, passes, lanes, None).map_err(|_| IdentityError::PasswordHash)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes(), &salt).map_err(|_| IdentityError::PasswordHash)?;
    Ok(Zeroizing::new(hash.to_string()))
}

/// Whether a hash is of this password.
pub(super) fn is_of(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{hash, is_of};

    #[test]
    fn a_hash_is_of_its_password_alone_and_says_what_it_cost() {
        let one = hash("correct horse").unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", *one);
        assert!(is_of(&one, "correct horse"));
        assert!(!is_of(&one, "Correct horse"));
        assert_ne!(*one, *hash("correct horse").unwrap(), "a salt of its own");
        assert!(!is_of("no hash", "correct horse"));
    }
}
