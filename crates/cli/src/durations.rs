//! Durations on the command line: `2s`, `5m`, `1h`, `90d`.

use std::time::Duration;

/// A duration of at least a second.
pub(crate) fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(1) {
        return Err("must be at least 1s".to_owned());
    }
    Ok(duration)
}

/// A day as tests have it: of at least ten milliseconds.
pub(crate) fn short_day(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_millis(10) {
        return Err("must be at least 10ms".to_owned());
    }
    Ok(duration)
}

/// How far back history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) Option<Duration>);

/// A duration, or `unlimited`.
pub(crate) fn retention(text: &str) -> Result<Retention, String> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(Retention(None));
    }
    at_least_a_second(text).map(|duration| Retention(Some(duration)))
}

#[cfg(test)]
mod tests {
    use super::{Retention, at_least_a_second, retention};
    use std::time::Duration;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(at_least_a_second("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(at_least_a_second("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(retention("90d"), Ok(Retention(Some(Duration::from_secs(90 * 86_400)))));
        assert_eq!(retention("unlimited"), Ok(Retention(None)));
    }

    #[test]
    fn nonsense_and_nothing_are_refused() {
        for text in ["", "soon", "0s", "-5m", "10ms"] {
            assert!(at_least_a_second(text).is_err(), "{text}");
        }
    }
}
