//! The keys of OpenID Connect issuers: asked for when a token needs them, kept for a while, and bounded in everything,
//! since whoever sends a token can make the server ask.
//!
//! Only issuers that some account has as a provider are asked; an issuer is asked once at a time and not again for a
//! while, whatever came of it.

mod fetch;
mod reach;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use opentrail_identity::federation::{TokenRefusal, keys::SigningKeys};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use self::fetch::Fetch;
pub use self::reach::IssuerReach;

/// How long keys are used before they are asked for again. AWS says nothing; issuers announce new keys days ahead.
const FRESH: Duration = Duration::from_secs(3600);
/// How long keys are used while their issuer does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The pause before an issuer is asked again, be it for a key that it did not have or because it did not answer.
const PAUSE: Duration = Duration::from_secs(10);
/// Issuers whose keys are kept; beyond, the one that was asked least lately leaves.
const MOST_ISSUERS: usize = 1_000;
/// Issuers that are asked at the same time; further tokens wait as long as one call takes.
const AT_ONCE: usize = 8;

/// The keys of issuers.
pub(crate) struct Issuers {
    fetch: Fetch,
    at_once: Semaphore,
    kept: Mutex<HashMap<String, Arc<AsyncMutex<Kept>>>>,
}

/// What is known of one issuer.
struct Kept {
    keys: Option<(Arc<SigningKeys>, Instant)>,
    /// When it was asked last, and why there was no answer.
    asked: Option<(Instant, Option<String>)>,
}

impl Issuers {
    /// Keys of no issuer yet, asked for as far as the operator lets them be.
    pub(crate) fn new(reach: IssuerReach) -> Self {
        Self { fetch: Fetch::new(reach), at_once: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    /// Whether issuers of this machine may be providers.
    pub(crate) fn may_be_loopback(&self) -> bool {
        self.fetch.reach() == IssuerReach::Loopback
    }

    /// The issuer's keys, asked for anew where there are none with this id among those that are kept.
    pub(crate) async fn keys(&self, url: &str, kid: Option<&str>) -> Result<Arc<SigningKeys>, TokenRefusal> {
        let kept = self.entry(url);
        let mut kept = kept.lock().await;
        let now = Instant::now();
        if let Some(keys) = kept.within(FRESH, now).filter(|keys| keys.has(kid)) {
            return Ok(keys);
        }
        if kept.asked.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= PAUSE) {
            let answer = self.ask(url).await;
            kept.learn(answer, Instant::now());
        }
        kept.within(STALE, now).ok_or_else(|| {
            let reason = kept.asked.as_ref().and_then(|(_, reason)| reason.clone());
            TokenRefusal::Unreachable(reason.unwrap_or_else(|| "it gave no keys".to_owned()))
        })
    }

    async fn ask(&self, url: &str) -> Result<SigningKeys, String> {
        let permit = tokio::time::timeout(fetch::TIMEOUT, self.at_once.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err("too many others are asked".to_owned()) };
        let answer = self.fetch.keys(url).await;
        match &answer {
            Ok(_) => tracing::debug!(url, "the keys of an OpenID Connect issuer are here"),
            Err(reason) => tracing::info!(url, reason, "an OpenID Connect issuer gave no keys"),
        }
        answer
    }

    fn entry(&self, url: &str) -> Arc<AsyncMutex<Kept>> {
        let mut all = self.kept.lock();
        if !all.contains_key(url) && all.len() >= MOST_ISSUERS {
            // One that is being asked is locked, and counts as asked just now.
            let asked = |kept: &Arc<AsyncMutex<Kept>>| kept.try_lock().ok().map(|kept| kept.asked_at());
            let oldest = all.iter().filter_map(|(url, kept)| Some((asked(kept)?, url.clone()))).min();
            if let Some((_, url)) = oldest {
                all.remove(&url);
            }
        }
        let none = || Arc::new(AsyncMutex::new(Kept { keys: None, asked: None }));
        Arc::clone(all.entry(url.to_owned()).or_insert_with(none))
    }
}

impl Kept {
    fn within(&self, age: Duration, now: Instant) -> Option<Arc<SigningKeys>> {
        let (keys, since) = self.keys.as_ref()?;
        (now.saturating_duration_since(*since) < age).then(|| Arc::clone(keys))
    }

    fn learn(&mut self, answer: Result<SigningKeys, String>, now: Instant) {
        self.asked = Some((now, answer.as_ref().err().cloned()));
        if let Ok(keys) = answer {
            self.keys = Some((Arc::new(keys), now));
        }
    }

    fn asked_at(&self) -> Option<Instant> {
        self.asked.as_ref().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use opentrail_identity::federation::keys::SigningKeys;

    use super::{FRESH, IssuerReach, Issuers, Kept, MOST_ISSUERS, STALE};

    #[test]
    fn keys_outlive_an_issuer_that_is_away_but_not_for_ever() {
        let start = Instant::now();
        let mut kept = Kept { keys: None, asked: None };
        kept.learn(Ok(SigningKeys::default()), start);
        assert!(
            kept.within(FRESH, start + FRESH / 2).is_some() && kept.within(FRESH, start + FRESH).is_none()
        );
        kept.learn(Err("away".to_owned()), start + FRESH);
        assert!(kept.within(STALE, start + FRESH).is_some());
        assert!(kept.within(STALE, start + STALE + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let issuers = Issuers::new(IssuerReach::Public);
        for n in 0..2 * MOST_ISSUERS {
            issuers.entry(&format!("https://{n}.example"));
        }
        assert_eq!(issuers.kept.lock().len(), MOST_ISSUERS);
    }

    #[tokio::test]
    async fn an_issuer_that_may_not_be_asked_is_not() {
        let issuers = Issuers::new(IssuerReach::Public);
        let refused = issuers.keys("https://127.0.0.1:9", None).await.unwrap_err().to_string();
        assert!(refused.contains("may not be asked"), "{refused}");
    }
}
