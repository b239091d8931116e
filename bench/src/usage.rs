//! What a process used, as Linux tells it under `/proc`.

use std::time::Duration;

use crate::error::BenchError;

/// Ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every Linux platform that Rust supports.
const TICKS: f64 = 100.0;

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: u64,
    /// The most there ever was.
    pub(crate) peak: u64,
    /// Of what is there now, what is not a file's.
    pub(crate) anonymous: u64,
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory, BenchError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    let bytes = |name: &str| kib(name).map(|kib| kib * 1024).ok_or_else(|| missing(name));
    Ok(Memory { resident: bytes("VmRSS")?, peak: bytes("VmHWM")?, anonymous: bytes("RssAnon")? })
}

/// The processor time that a process has used.
pub(crate) fn processor(pid: u32) -> Result<Duration, BenchError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second member, in parentheses, may hold anything; utime and stime are members 14 and 15.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = rest.split_whitespace().skip(11).map(|word| word.parse::<u64>());
    match (ticks.next(), ticks.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(Duration::from_secs_f64((user + system) as f64 / TICKS)),
        _ => Err(missing("utime")),
    }
}

/// Bytes that a process had written to disks.
pub(crate) fn written(pid: u32) -> Result<u64, BenchError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok()).ok_or_else(|| missing("write_bytes"))
}

/// The processor time that everything on the machine has used, all cores together.
fn machine() -> Result<Duration, BenchError> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).ok_or_else(|| missing("cpu"))?;
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).take(8).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok(Duration::from_secs_f64((ticks.iter().sum::<u64>() - idle) as f64 / TICKS))
}

fn missing(name: &str) -> BenchError {
    BenchError::Missing(format!("/proc does not tell {name}"))
}

/// Processor shares of the server and of this process over a stretch of time.
#[derive(Debug)]
pub(crate) struct Stretch {
    server: u32,
    began: std::time::Instant,
    server_before: Duration,
    own_before: Duration,
    written_before: u64,
    machine_before: Duration,
}

/// What was used in a [`Stretch`], in cores and bytes a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) server_cores: f64,
    pub(crate) generator_cores: f64,
    /// The rest of the machine: the kernel's own work, and whatever else ran.
    pub(crate) other_cores: f64,
    pub(crate) written_per_second: f64,
}

impl Stretch {
    pub(crate) fn begin(server: u32) -> Result<Self, BenchError> {
        Ok(Self {
            server,
            began: std::time::Instant::now(),
            server_before: processor(server)?,
            own_before: processor(std::process::id())?,
            written_before: written(server)?,
            machine_before: machine()?,
        })
    }

    pub(crate) fn end(&self) -> Result<Used, BenchError> {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        let cores = |before: Duration, now: Duration| now.saturating_sub(before).as_secs_f64() / seconds;
        let server_cores = cores(self.server_before, processor(self.server)?);
        let generator_cores = cores(self.own_before, processor(std::process::id())?);
        let all = cores(self.machine_before, machine()?);
        Ok(Used {
            server_cores,
            generator_cores,
            other_cores: (all - server_cores - generator_cores).max(0.0),
            written_per_second: (written(self.server)? - self.written_before) as f64 / seconds,
        })
    }
}

impl Used {
    /// A line for people.
    pub(crate) fn line(&self) -> String {
        format!(
            "server {:.2} cores, generator {:.2} cores, everything else on the machine {:.2} cores, {:.0} MB/s to disk",
            self.server_cores,
            self.generator_cores,
            self.other_cores,
            self.written_per_second / 1e6
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_own_process_can_be_read() {
        let pid = std::process::id();
        let memory = super::memory(pid).expect("status");
        assert!(memory.peak >= memory.resident && memory.resident > 0);
        super::processor(pid).expect("stat");
        super::written(pid).expect("io");
    }
}
