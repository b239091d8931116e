//! `opentrail`: the server and the tools around it, in one binary.

mod client;
mod durations;
mod endpoint;
mod follow;
mod fsck;
mod import;
mod lookup;
mod master_key;
mod output;
mod protect;
mod query;
mod query_memory;
mod serve;
mod validate;
mod verify_results;
mod who_can;

use std::{fmt::Display, process::ExitCode};

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

use self::output::say;

/// Uploads are large, short-lived buffers handed between threads; the system's allocator keeps much of them. How it
/// is set stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

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
    /// Bring in records from files, folders and buckets
    Import(Box<import::ImportArguments>),
    /// Keep importing what a bucket receives into an event data store
    Follow(Box<follow::FollowArguments>),
    /// Search event history: several attributes, substrings, all regions
    Lookup(lookup::LookupArguments),
    /// Ask event data stores in SQL
    Query(query::QueryArguments),
    /// Prove that log files are as they were delivered
    Validate(Box<validate::ValidateArguments>),
    /// Prove that delivered results of a query are as they were delivered
    VerifyQueryResults(verify_results::VerifyArguments),
    /// Set, or only look at, what protects a bucket for logs; at any S3 endpoint
    Protect(Box<protect::ProtectArguments>),
    /// Say who can do something: principals, statements, conditions, detours
    WhoCan(who_can::WhoCanArguments),
    /// Check everything on the disk against itself
    Fsck(fsck::FsckArguments),
    /// Print the version
    Version,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Import(arguments) => finish(import::run(*arguments)),
        Command::Follow(arguments) => finish(follow::run(*arguments)),
        Command::Lookup(arguments) => finish(lookup::run(arguments)),
        Command::Query(arguments) => finish(query::run(arguments)),
        Command::VerifyQueryResults(arguments) => finish(verify_results::run(arguments)),
        Command::Validate(arguments) => finish(validate::run(*arguments)),
        Command::Protect(arguments) => finish(protect::run(*arguments)),
        Command::WhoCan(arguments) => finish(who_can::run(arguments)),
        Command::Fsck(arguments) => finish(fsck::run(arguments)),
        Command::Version => {
            say!("opentrail {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

/// Runs a command to its end; what goes wrong is told on standard error.
fn finish<E: Display>(command: impl Future<Output = Result<ExitCode, E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("opentrail: can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("opentrail: {error}");
            ExitCode::FAILURE
        }
    }
}
