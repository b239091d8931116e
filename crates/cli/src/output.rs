//! How answers are printed.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write},
    process,
};

use clap::ValueEnum;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::{ProgressBar, ProgressStyle};

/// The form of an answer on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For programs.
    Json,
    /// For people.
    Table,
}

/// A table with these column names.
pub(crate) fn table<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(columns);
    table
}

/// A progress bar on standard error over `total` of something; invisible where nobody watches.
pub(crate) fn progress(total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar
}

/// As `println!`, with an end that a user can read where nobody takes the answer.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::say_line(format_args!($($text)*)) };
}

pub(crate) use say;

/// A line on standard output. A reader that has gone (`| head`) ends the command without a word, a disk that is
/// full with one: an answer that is cut short must not look like a whole one.
pub(crate) fn say_line(line: Arguments<'_>) {
    let mut out = io::stdout().lock();
    let Err(error) = out.write_fmt(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush())
    else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe {
        let _ = writeln!(io::stderr(), "opentrail: the answer can't be written: {error}");
    }
    process::exit(1);
}
