//! What a figure's run gave, and whether that is what the design asks for.

use serde::{Deserialize, Serialize};

/// In what a value is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    EventsPerSecond,
    CallsPerSecond,
    DecisionsPerSecond,
    Milliseconds,
    Megabytes,
    MegabytesPerSecond,
    Seconds,
    Times,
    /// A part of something, 1 being all of it.
    Parts,
}

/// What the design asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Target {
    AtLeast(f64),
    Below(f64),
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) unit: Unit,
    /// None where the design has no target and the value is told for the picture.
    pub(crate) target: Option<Target>,
}

/// What one figure's run gave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    /// How the run was made.
    pub(crate) work: Vec<String>,
    /// What was found right about its output.
    pub(crate) checks: Vec<String>,
    /// What it took.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// A value that the design has a target for.
    pub(crate) fn aims(&mut self, what: impl Into<String>, measured: f64, unit: Unit, target: Target) {
        self.rows.push(Row { what: what.into(), measured, unit, target: Some(target) });
    }

    /// A value for the picture.
    pub(crate) fn tells(&mut self, what: impl Into<String>, measured: f64, unit: Unit) {
        self.rows.push(Row { what: what.into(), measured, unit, target: None });
    }
}

impl Unit {
    /// A value for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::EventsPerSecond => format!("{} events/s", grouped(value)),
            Self::CallsPerSecond => format!("{} calls/s", grouped(value)),
            Self::DecisionsPerSecond => format!("{} decisions/s", grouped(value)),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Megabytes => format!("{value:.0} MB"),
            Self::MegabytesPerSecond => format!("{value:.0} MB/s"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Times => format!("{value:.1} ×"),
            Self::Parts => format!("{value:.2}"),
        }
    }
}

impl Row {
    pub(crate) fn target_text(&self) -> String {
        match self.target {
            Some(Target::AtLeast(least)) => format!("≥ {}", self.unit.show(least)),
            Some(Target::Below(limit)) => format!("< {}", self.unit.show(limit)),
            None => "–".to_owned(),
        }
    }

    pub(crate) fn verdict(&self) -> String {
        let missed = match self.target {
            None => return String::new(),
            Some(Target::AtLeast(least)) => (self.measured < least).then(|| (least - self.measured) / least),
            Some(Target::Below(limit)) => (self.measured >= limit).then(|| (self.measured - limit) / limit),
        };
        match missed {
            None => "met".to_owned(),
            Some(part) => format!("missed by {:.1} %", part * 100.0),
        }
    }
}

/// A whole number with commas.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, Target, Unit};

    #[test]
    fn verdicts_say_how_far_off() {
        let row =
            |measured, target| Row { what: String::new(), measured, unit: Unit::EventsPerSecond, target };
        assert_eq!(row(100_000.0, Some(Target::AtLeast(1e5))).verdict(), "met");
        assert_eq!(row(75_000.0, Some(Target::AtLeast(1e5))).verdict(), "missed by 25.0 %");
        assert_eq!(row(30.0, Some(Target::Below(20.0))).verdict(), "missed by 50.0 %");
        assert_eq!(row(19.9, Some(Target::Below(20.0))).verdict(), "met");
        assert_eq!(row(75_000.0, Some(Target::AtLeast(1e5))).target_text(), "≥ 100,000 events/s");
    }
}
