//! DuckDB beside the lake: a process that writes its own Parquet and answers questions over it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::BenchError;

/// What it runs.
const PROGRAM: &str = include_str!("duckdb.py");

/// A running DuckDB; killed when dropped.
pub(super) struct DuckDb {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What it answered, and how long that took it.
#[derive(Deserialize)]
pub(super) struct Answered {
    pub(super) seconds: f64,
    #[serde(default)]
    pub(super) rows: Vec<Vec<String>>,
    #[serde(default)]
    pub(super) bytes: u64,
    #[serde(default)]
    version: String,
}

impl DuckDb {
    pub(super) fn start(python: &Path) -> Result<Self, BenchError> {
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::file(python))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::Missing("DuckDB has no pipes".to_owned()));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    pub(super) fn version(&mut self) -> Result<String, BenchError> {
        Ok(format!("DuckDB {}", self.call(&json!({"do": "version"}))?.version))
    }

    /// Reads log files and writes them as Parquet into a folder that does not exist yet.
    pub(super) fn write(&mut self, logs: &Path, parquet: &Path) -> Result<Answered, BenchError> {
        self.call(&json!({"do": "write", "logs": logs, "parquet": parquet}))
    }

    /// Answers a question over the table `trail`.
    pub(super) fn ask(&mut self, question: &str) -> Result<Answered, BenchError> {
        self.call(&json!({"do": "ask", "question": question}))
    }

    fn call(&mut self, wanted: &Value) -> Result<Answered, BenchError> {
        writeln!(self.input, "{wanted}")?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(BenchError::Ended { program: "DuckDB".to_owned(), status, output: String::new() });
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // Where it has ended already there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
