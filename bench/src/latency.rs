//! How long calls took.

use std::time::Duration;

/// Every call's time, kept exactly.
#[derive(Debug, Default, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that a fraction of the calls did not exceed (nearest rank); zero where there are none.
    pub(crate) fn quantile(&self, fraction: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (fraction * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        let ms = |fraction| format!("{:.1}", self.quantile(fraction).as_secs_f64() * 1e3);
        format!("p50 {} ms, p99 {} ms, worst {} ms", ms(0.5), ms(0.99), ms(1.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.99), Duration::ZERO);
        for ms in (1..=200).rev() {
            latencies.add(Duration::from_millis(ms));
        }
        assert_eq!(latencies.quantile(0.5), Duration::from_millis(100));
        assert_eq!(latencies.quantile(0.99), Duration::from_millis(198));
        assert_eq!(latencies.quantile(1.0), Duration::from_millis(200));
    }
}
