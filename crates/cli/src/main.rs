//! `opentrail`: the server and the tools around it, in one binary.

mod durations;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// CloudTrail that anyone can run.
///
/// Records every API call made to it or sent to it, proves that the record was not changed, and
/// answers questions about it. Unmodified AWS clients work against it.
#[derive(Parser)]
#[command(name = "opentrail", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::ServeArguments>),
    /// Print the version
    Version,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Version => {
            println!("opentrail {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}
