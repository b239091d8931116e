//! Copies what buckets replicate, until it is done.
//!
//! What is to be copied stands in the index, so that a start finds what a crash left, and a copy has its version's own
//! id, so that doing it again makes no second one. Each bucket and destination is worked on by itself: a destination that
//! is away holds up no other. What can't be done now is done later: where the destination is away, versions stay
//! `PENDING`; where it says no, they are `FAILED`, and tried again all the same, since what is missing may be given (S3
//! leaves that to S3 Batch Replication, which there is none of here).

mod pass;
mod permit;
mod record;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use opentrail_vault::replication::Pair;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use self::pass::Summary;
use crate::rooms::Rooms;

pub(crate) use permit::acting;

/// Who acts.
pub(crate) const S3: &str = "s3.amazonaws.com";
/// How often it is looked for what is to be copied.
const LOOK: Duration = Duration::from_millis(250);
/// Buckets and destinations that are worked on at the same time, at most.
const PASSES: usize = 16;
/// The first pause before a destination that is away is tried again, and the longest.
const AWAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The same for what was refused.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// The same where nothing can be done, because what waits is behind something that was refused.
const BEHIND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// A bucket, by its name, and a destination.
type Lane = (String, String);

/// When something may be tried again.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Pause {
    /// The pause after this one, which was in vain.
    fn after(before: Option<Self>, (first, longest): (Duration, Duration)) -> Self {
        let length = before.map_or(first, |pause| (pause.length * 2).min(longest));
        Self { until: Instant::now() + length, length }
    }

    fn is_over(pause: Option<&Self>) -> bool {
        pause.is_none_or(|pause| pause.until <= Instant::now())
    }
}

/// What is being done, and what rests.
#[derive(Default)]
struct Desk {
    /// Each with whether it is about what was refused.
    running: HashMap<Id, (Lane, bool)>,
    away: HashMap<Lane, Pause>,
    refused: HashMap<Lane, Pause>,
    behind: HashMap<Lane, Pause>,
    /// How often it was looked: where to begin when there is more to do than [`PASSES`].
    turn: usize,
}

/// Works until `stop`, first at the start.
pub(crate) async fn run(rooms: Arc<Rooms>, stop: CancellationToken) {
    let (mut desk, mut passes) = (Desk::default(), JoinSet::new());
    loop {
        match rooms.vault.replication_pairs().await {
            Ok(mut pairs) => {
                desk.forget(&pairs);
                desk.turn = desk.turn.wrapping_add(1);
                let first = desk.turn % pairs.len().max(1);
                pairs.rotate_left(first);
                for pair in pairs {
                    desk.take_up(&rooms, pair, &mut passes, &stop);
                }
            }
            Err(error) => tracing::warn!(%error, "replication waits"),
        }
        tell_backlog(&rooms);
        tokio::select! {
            Some(ended) = passes.join_next_with_id() => desk.note(ended),
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => break,
        }
    }
    // A pass sees the stop between two versions.
    while passes.join_next().await.is_some() {}
}

impl Desk {
    fn take_up(
        &mut self,
        rooms: &Arc<Rooms>,
        pair: Pair,
        passes: &mut JoinSet<Summary>,
        stop: &CancellationToken,
    ) {
        let lane = (pair.bucket.name.clone(), pair.destination.clone());
        let is_running = self.running.values().any(|(running, _)| *running == lane);
        if is_running || self.running.len() >= PASSES || !Pause::is_over(self.away.get(&lane)) {
            return;
        }
        let retries = pair.has_failed && Pause::is_over(self.refused.get(&lane));
        let starts = pair.has_pending && Pause::is_over(self.behind.get(&lane));
        if !starts && !retries {
            return;
        }
        // What was refused has a turn of its own, and rests after it.
        let failed = retries;
        let (rooms, stop) = (rooms.clone(), stop.clone());
        let work = async move { pass::run(&rooms, &pair, failed, &stop).await };
        self.running.insert(passes.spawn(work).id(), (lane, failed));
    }

    fn note(&mut self, ended: Result<(Id, Summary), tokio::task::JoinError>) {
        let (id, summary) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "replication ended badly; it is tried again");
                metrics::counter!("opentrail_worker_panics_total", "worker" => "replication").increment(1);
                (error.id(), Summary { away: Some(String::new()), ..Summary::default() })
            }
        };
        let Some((lane, failed)) = self.running.remove(&id) else { return };
        match &summary.away {
            Some(reason) => {
                let pause = Pause::after(self.away.get(&lane).copied(), AWAY);
                tracing::warn!(bucket = lane.0, destination = lane.1, reason, ?pause.length, "replication waits");
                self.away.insert(lane.clone(), pause);
            }
            None => drop(self.away.remove(&lane)),
        }
        self.rest(lane, failed, &summary);
    }

    /// Lets rest what a pass could not do. What was refused rests however much else there is to copy.
    fn rest(&mut self, lane: Lane, failed: bool, summary: &Summary) {
        if summary.done > 0 || summary.refused > 0 {
            self.behind.remove(&lane);
        } else if summary.away.is_none() && !failed {
            let pause = Pause::after(self.behind.get(&lane).copied(), BEHIND);
            self.behind.insert(lane.clone(), pause);
        }
        let before = self.refused.get(&lane).copied();
        if failed {
            let before = before.filter(|_| summary.done == 0);
            self.refused.insert(lane, Pause::after(before, REFUSED));
        } else if summary.refused > 0 && before.is_none() {
            self.refused.insert(lane, Pause::after(None, REFUSED));
        }
    }

    /// Forgets the pauses of what has nothing left to do.
    fn forget(&mut self, pairs: &[Pair]) {
        let is_there =
            |lane: &Lane| pairs.iter().any(|pair| pair.bucket.name == lane.0 && pair.destination == lane.1);
        self.away.retain(|lane, _| is_there(lane));
        self.refused.retain(|lane, _| is_there(lane));
        self.behind.retain(|lane, _| is_there(lane));
    }
}

fn tell_backlog(rooms: &Rooms) {
    if let Ok((copies, bytes)) = rooms.vault.replication_backlog() {
        // Numbers of this size are exact in a float.
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let (copies, bytes) = (copies as f64, bytes as f64);
        metrics::gauge!("opentrail_replication_pending_operations").set(copies);
        metrics::gauge!("opentrail_replication_pending_bytes").set(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AWAY, Desk, Lane, Pause, REFUSED, Summary};

    #[test]
    fn pauses_grow_to_the_longest() {
        let mut pause = None;
        let mut lengths = Vec::new();
        for _ in 0..9 {
            let next = Pause::after(pause, AWAY);
            lengths.push(next.length.as_secs());
            pause = Some(next);
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(!Pause::is_over(pause.as_ref()) && Pause::is_over(None));
        let over = Pause { until: std::time::Instant::now(), length: Duration::ZERO };
        assert!(Pause::is_over(Some(&over)));
    }

    #[test]
    fn what_can_not_be_done_rests_whatever_else_is_copied() {
        let mut desk = Desk::default();
        let lane: Lane = ("logs".to_owned(), "copies".to_owned());
        let summary = |done, refused| Summary { done, refused, away: None };
        desk.rest(lane.clone(), false, &summary(0, 0));
        assert!(!Pause::is_over(desk.behind.get(&lane)));
        desk.rest(lane.clone(), false, &summary(3, 1));
        assert!(Pause::is_over(desk.behind.get(&lane)));
        for _ in 0..3 {
            desk.rest(lane.clone(), true, &summary(0, 1));
            desk.rest(lane.clone(), false, &summary(3, 1));
        }
        assert_eq!(desk.refused[&lane].length, REFUSED.0 * 8);
        desk.rest(lane.clone(), true, &summary(1, 1));
        assert_eq!(desk.refused[&lane].length, REFUSED.0);
    }
}
