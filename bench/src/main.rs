//! `make bench`: measures the server against the design's performance targets.

mod bucket;
mod client;
mod document;
mod error;
mod events;
mod figures;
mod fsck;
mod history;
mod history_events;
mod ids;
mod latency;
mod load;
mod machine;
mod outcome;
mod peer;
mod process;
mod real_events;
mod trail;
mod usage;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{
    document::{Entry, Results},
    error::BenchError,
    figures::{Figure, Setting},
    process::Launcher,
};

/// Measures `opentrail` and checks what it did.
#[derive(Parser)]
#[command(name = "opentrail-bench", max_term_width = 100)]
struct Arguments {
    /// The server's binary
    #[arg(long, env = "OPENTRAIL_BINARY", value_name = "FILE")]
    binary: PathBuf,
    /// Only these figures; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Figure>,
    /// Makes every amount and stretch of time so much larger or smaller
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    scale: f64,
    /// Connections that upload events
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    connections: usize,
    /// Events over which history is searched
    #[arg(long, default_value_t = 10_000_000, value_name = "COUNT")]
    history_events: u64,
    /// Events that event data stores are asked about
    #[arg(long, default_value_t = 10_000_000, value_name = "COUNT")]
    lake_events: u64,
    /// Folder for the servers' data; a new one inside it is made and removed
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the servers' data there when done
    #[arg(long)]
    keep: bool,
    /// Real CloudTrail log files that the load is made of
    #[arg(long, default_value = "../shared/data/trail", value_name = "DIR")]
    records: PathBuf,
    /// The AWS CLI to compare with
    #[arg(long, env = "OPENTRAIL_BENCH_AWS", value_name = "FILE")]
    aws: Option<PathBuf>,
    /// The S3 server `s3s-fs` to compare with
    #[arg(long, env = "OPENTRAIL_BENCH_S3S_FS", value_name = "FILE")]
    s3s_fs: Option<PathBuf>,
    /// A Python with DuckDB, which the lake is compared with
    #[arg(long, env = "OPENTRAIL_BENCH_PYTHON", value_name = "FILE")]
    python: Option<PathBuf>,
    /// Where the last result of every figure is kept
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// The page that is written from them
    #[arg(long, requires = "results", value_name = "FILE")]
    page: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("opentrail-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures; answers whether every figure's run gave a result.
async fn run(arguments: &Arguments) -> Result<bool, BenchError> {
    let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
    let mut folder = tempfile::Builder::new().prefix("opentrail-bench-").tempdir_in(&parent)?;
    folder.disable_cleanup(arguments.keep);
    let machine = machine::look(folder.path())?;
    let mut results = match &arguments.results {
        Some(path) => Results::load(path)?,
        None => Results::default(),
    };
    let wanted = if arguments.only.is_empty() { Figure::ALL.to_vec() } else { arguments.only.clone() };
    let mut whole = true;
    for figure in wanted {
        eprintln!("{}: measuring…", figure.name());
        let own = folder.path().join(figure.name());
        std::fs::create_dir(&own).map_err(BenchError::file(&own))?;
        let setting = Setting {
            launcher: Launcher { binary: arguments.binary.clone() },
            folder: own.clone(),
            scale: arguments.scale,
            connections: arguments.connections,
            history_events: arguments.history_events,
            lake_events: arguments.lake_events,
            records: arguments.records.clone(),
            aws: arguments.aws.clone(),
            s3s_fs: arguments.s3s_fs.clone(),
            python: arguments.python.clone(),
        };
        match figure.measure(&setting).await {
            Ok(outcome) => {
                let entry = Entry {
                    date: chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
                    commit: machine::commit(),
                    scale: arguments.scale,
                    release: arguments.binary.components().any(|part| part.as_os_str() == "release"),
                    machine: machine.clone(),
                    outcome,
                };
                for row in &entry.outcome.rows {
                    eprintln!("  {}: {} {}", row.what, row.unit.show(row.measured), row.verdict());
                }
                for line in entry.outcome.checks.iter().chain(&entry.outcome.notes) {
                    eprintln!("  - {line}");
                }
                results.0.insert(figure.name().to_owned(), entry);
                if let (Some(json), Some(page)) = (&arguments.results, &arguments.page) {
                    results.save(json, page)?;
                }
            }
            Err(error) => {
                eprintln!("  no result: {error}");
                whole = false;
            }
        }
        if arguments.keep {
            eprintln!("  kept: {}", own.display());
        } else {
            std::fs::remove_dir_all(&own).map_err(BenchError::file(&own))?;
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        println!("{}", results.table());
    }
    Ok(whole)
}
