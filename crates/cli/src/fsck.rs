//! `opentrail fsck`: whether everything on the disk agrees with itself.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use opentrail_server::fsck::{FsckError, FsckReport, fsck};

use crate::{
    master_key::MasterKeyArguments,
    output::{Output, say, table},
};

/// The exit code for a folder in which something is damaged.
const DAMAGED: u8 = 3;

#[derive(Args)]
#[command(after_help = "Reads everything and changes nothing; the server must not be running.\n\
    Exit codes: 0 sound, 1 could not run, 2 wrong usage, 3 damaged")]
pub(crate) struct FsckArguments {
    /// The server's folder
    #[arg(long, env = "OPENTRAIL_DATA", default_value = "./opentrail-data", value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    master_key: MasterKeyArguments,
    /// How the report is printed
    #[arg(long, default_value = "table")]
    output: Output,
}

/// Checks and prints what was found.
pub(crate) async fn run(arguments: FsckArguments) -> Result<ExitCode, FsckError> {
    let report = fsck(&arguments.data, arguments.master_key.into_source()).await?;
    print(&report, arguments.output);
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn print(report: &FsckReport, output: Output) {
    if output == Output::Json {
        match serde_json::to_value(report) {
            Ok(mut json) => {
                json["Sound"] = report.is_sound().into();
                say!("{json}");
            }
            Err(error) => eprintln!("opentrail: {error}"),
        }
        return;
    }
    let mut rows = table(["Room", "Checked", "Verdict"]);
    for room in &report.rooms {
        let checked: Vec<String> =
            room.checked.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let verdict = match room.problems.len() {
            0 => "sound".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        rows.add_row([room.room.to_owned(), checked.join(", "), verdict]);
    }
    say!("{rows}");
    for room in &report.rooms {
        room.notes.iter().for_each(|note| say!("{}: note: {note}", room.room));
        room.problems.iter().for_each(|problem| say!("{}: {problem}", room.room));
    }
    say!("{}", if report.is_sound() { "sound" } else { "DAMAGED" });
}
