//! Times as records have them.

use chrono::{Datelike, NaiveDate};

use super::Misfit;

/// Days from the year 1, which chrono counts from, to 1970.
const EPOCH: i64 = 719_163;

/// `2021-07-29T23:53:37Z`, the only form of times that is written; microseconds since 1970.
pub(super) fn written(micros: i64) -> Result<[u8; 20], Misfit> {
    if micros % 1_000_000 != 0 {
        return Err(Misfit);
    }
    let seconds = micros / 1_000_000;
    let days = i32::try_from(seconds.div_euclid(86_400) + EPOCH).map_err(|_| Misfit)?;
    let date = NaiveDate::from_num_days_from_ce_opt(days).ok_or(Misfit)?;
    let year = u32::try_from(date.year()).ok().filter(|year| *year <= 9999).ok_or(Misfit)?;
    // Less than a day of seconds.
    let second = seconds.rem_euclid(86_400) as u32;
    let mut text = *b"0000-00-00T00:00:00Z";
    let numbers = [
        (0, year / 100),
        (2, year % 100),
        (5, date.month()),
        (8, date.day()),
        (11, second / 3600),
        (14, second / 60 % 60),
        (17, second % 60),
    ];
    for (at, number) in numbers {
        if let Some(digits) = text.get_mut(at..at + 2) {
            // They are below a hundred, all of them.
            digits.copy_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        }
    }
    Ok(text)
}
