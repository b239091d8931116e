//! The machine that a figure comes from.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{error::BenchError, latency::Latencies, process::output};

/// Small durable writes that are timed.
const SYNCS: usize = 300;
/// Bytes of each.
const SYNC_BYTES: usize = 4096;
/// Large durable writes that are timed, and the bytes of each.
const STREAMED: (usize, usize) = (128, 4 << 20);

/// The machine, and what its disk can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) disk: Disk,
}

/// Measured right before the figures, in the folder that the servers' data is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disk {
    /// Half of the appends of 4 KiB with fdatasync took no longer, in milliseconds.
    pub(crate) sync_p50_ms: f64,
    /// 99 of 100 took no longer.
    pub(crate) sync_p99_ms: f64,
    /// Appends of 4 MiB, each with fdatasync, in bytes a second.
    pub(crate) stream_bytes_per_second: f64,
}

/// Looks at the machine.
pub(crate) fn look(folder: &Path) -> Result<Machine, BenchError> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let member = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let kib = member(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(Machine {
        cores: std::thread::available_parallelism()?.get(),
        processor: member(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        memory_bytes: kib.unwrap_or_default() * 1024,
        kernel: format!("Linux {}", release.trim()),
        disk: disk(folder)?,
    })
}

fn disk(folder: &Path) -> Result<Disk, BenchError> {
    let path = folder.join("disk-probe");
    let mut file = File::create(&path).map_err(BenchError::file(&path))?;
    let mut syncs = Latencies::default();
    for _ in 0..SYNCS {
        syncs.add(append(&mut file, &[7; SYNC_BYTES])?);
    }
    let (count, size) = STREAMED;
    let block = vec![7; size];
    let began = Instant::now();
    for _ in 0..count {
        append(&mut file, &block)?;
    }
    let stream = (count * size) as f64 / began.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(&path).map_err(BenchError::file(&path))?;
    let ms = |fraction| syncs.quantile(fraction).as_secs_f64() * 1e3;
    Ok(Disk { sync_p50_ms: ms(0.5), sync_p99_ms: ms(0.99), stream_bytes_per_second: stream })
}

fn append(file: &mut File, bytes: &[u8]) -> Result<Duration, BenchError> {
    let began = Instant::now();
    file.write_all(bytes)?;
    file.sync_data()?;
    Ok(began.elapsed())
}

/// The commit that is measured, with a plus where files differ from it.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments);
        output(command).ok()
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = git(&["status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.lock"]);
    match head {
        Some(head) => {
            let plus = if changed.is_some_and(|files| !files.trim().is_empty()) { "+" } else { "" };
            format!("{}{plus}", head.trim())
        }
        None => "unknown".to_owned(),
    }
}

impl Machine {
    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![
            format!("{} cores of {}", self.cores, self.processor),
            format!("{:.0} GiB of memory", self.memory_bytes as f64 / f64::from(1 << 30)),
            self.kernel.clone(),
            format!(
                "disk: an append of 4 KiB with fdatasync takes {:.2} ms (p50), {:.2} ms (p99); 4 MiB at a time it \
                 takes {:.0} MB/s",
                self.disk.sync_p50_ms,
                self.disk.sync_p99_ms,
                self.disk.stream_bytes_per_second / 1e6
            ),
        ]
    }
}
