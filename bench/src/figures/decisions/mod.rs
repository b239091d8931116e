//! Decisions of the policy engine: ten policies, one core, nothing else of the server.

mod peer;
mod typical;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use self::{
    peer::Peer,
    typical::{Asked, Typical},
};
use super::Setting;
use crate::{
    error::BenchError,
    outcome::{Outcome, Target, Unit},
};

/// What issue 4 asks for.
const DECISIONS_PER_SECOND: f64 = 1e6;
/// How often it is measured; the middle counts.
const RUNS: usize = 5;

pub(super) fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let typical = Typical::new();
    let asks = typical.asks();
    let wrong = |what: &str| BenchError::Wrong(format!("{what} is decided wrongly"));
    for (asked, expected) in &asks {
        if typical.decide(asked).is_allow() != *expected {
            return Err(wrong(asked.action));
        }
    }
    let peer = Peer::new(asks.iter().map(|(asked, _)| asked));
    let agreed = peer.decide_all();
    for ((asked, _), by_peer) in asks.iter().zip(&agreed) {
        if typical.decide_by_identity(asked).is_allow() != *by_peer {
            return Err(wrong(asked.action));
        }
    }
    let each = |decide: &dyn Fn(&Asked)| asks.iter().for_each(|(asked, _)| decide(black_box(asked)));
    let stretch = setting.stretch(2.0);
    let count = asks.len();
    let all = rate(stretch, count, || each(&|asked| drop(black_box(typical.decide(asked)))));
    let own = rate(stretch, count, || each(&|asked| drop(black_box(typical.decide_by_identity(asked)))));
    let theirs = rate(stretch, count, || drop(black_box(peer.decide_all())));

    let mut outcome = Outcome::default();
    let target = Target::AtLeast(DECISIONS_PER_SECOND);
    outcome.aims("decisions over ten policies, one core", all, Unit::DecisionsPerSecond, target);
    outcome.tells("… over the role's own six alone", own, Unit::DecisionsPerSecond);
    outcome.tells("… iam-rs 0.7, over the same six", theirs, Unit::DecisionsPerSecond);
    outcome.work.push(format!(
        "{count} questions in turn, of which two thirds are allowed, over six identity policies (one with 60 actions), a \
         boundary, a session policy, a service control policy and a bucket policy, 22 statements with conditions on \
         MFA, addresses, tags, regions, TLS and the organization; 20 condition keys; in this process, one thread, \
         {RUNS} runs of {stretch:?}, the middle counts"
    ));
    outcome.checks.push("every question was answered as it should be".to_owned());
    outcome.checks.push("iam-rs gave the same answers over the six policies".to_owned());
    outcome.notes.push(format!("{:.0} ns for a decision over ten policies", 1e9 / all));
    Ok(outcome)
}

/// How many decisions a second `round` takes, which makes `count` of them.
fn rate(stretch: Duration, count: usize, mut round: impl FnMut()) -> f64 {
    let mut rates: Vec<f64> = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let (start, mut rounds) = (Instant::now(), 0_u32);
        while start.elapsed() < stretch {
            round();
            rounds += 1;
        }
        rates.push(f64::from(rounds) * count as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    rates[RUNS / 2]
}
