//! A server process of one's own, over a data folder that a figure keeps.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use opentrail_wire::sigv4::Credentials;

use crate::{client::Access, error::BenchError};

/// The account of every run.
pub(crate) const ACCOUNT: &str = "123456789012";
const KEY: &str = "AKIABENCHOPENTRAIL01";
const SECRET: &str = "bench-secret/only+for-measuring-0123456789";
/// Longest wait for a start; a restart over millions of events is measured, not refused.
const START_LIMIT: Duration = Duration::from_secs(300);
/// Longest wait for a graceful end.
const STOP_LIMIT: Duration = Duration::from_secs(120);
/// Between two looks at whether the server is ready.
const LOOK: Duration = Duration::from_millis(2);

/// How servers are started.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    /// The `opentrail` binary.
    pub(crate) binary: PathBuf,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// From the process's start until `/readyz` said 200.
    pub(crate) started_in: Duration,
}

impl Launcher {
    /// Starts a server over `folder/data` and waits until it is ready.
    pub(crate) fn start(&self, folder: &Path, flags: &[&str]) -> Result<Server, BenchError> {
        let address = free_address()?;
        let log_path = folder.join("server.log");
        let log =
            File::options().create(true).append(true).open(&log_path).map_err(BenchError::file(&log_path))?;
        let began = Instant::now();
        let child = Command::new(&self.binary)
            .arg("serve")
            .arg("--data")
            .arg(folder.join("data"))
            .args(["--listen", &address.to_string(), "--account-id", ACCOUNT, "--region", "us-east-1"])
            .args(flags)
            .env("OPENTRAIL_ROOT_ACCESS_KEY_ID", KEY)
            .env("OPENTRAIL_ROOT_SECRET_ACCESS_KEY", SECRET)
            .env("OPENTRAIL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(BenchError::file(&self.binary))?;
        let mut server = Server { child, address, folder: folder.to_owned(), started_in: Duration::ZERO };
        while !server.is_ready() {
            if let Some(status) = server.child.try_wait()? {
                return Err(server.ended(status));
            }
            if began.elapsed() > START_LIMIT {
                return Err(BenchError::TooLate { what: "the server's start", limit: START_LIMIT });
            }
            std::thread::sleep(LOOK);
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    /// Runs another command of the binary as the servers' root; answers its standard output.
    pub(crate) fn run(&self, server: Option<&Server>, arguments: &[&str]) -> Result<String, BenchError> {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        if let Some(server) = server {
            command.envs(server.client_environment());
        }
        output(command)
    }
}

/// Runs a command to its end; answers its standard output where it succeeded.
pub(crate) fn output(mut command: Command) -> Result<String, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().map_err(BenchError::file(Path::new(&program)))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(text);
    }
    let output = format!("{text}{}", String::from_utf8_lossy(&done.stderr));
    Err(BenchError::Ended { program, status: done.status, output })
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The root's access to it.
    pub(crate) fn access(&self) -> Access {
        let credentials =
            Credentials { access_key_id: KEY.to_owned(), secret: SECRET.to_owned(), session_token: None };
        Access { address: self.address, credentials }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the AWS CLI and `opentrail`'s commands need to speak to it.
    pub(crate) fn client_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
        ]
    }

    /// The access key and its secret.
    pub(crate) fn credentials(&self) -> (String, String) {
        (KEY.to_owned(), SECRET.to_owned())
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
            let mut head = [0; 12];
            stream.read_exact(&mut head)?;
            Ok(&head[9..] == b"200")
        };
        ask().unwrap_or(false)
    }

    /// Asks it to end, and expects it to end well.
    pub(crate) fn stop(mut self) -> Result<(), BenchError> {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &self.pid().to_string()]);
        output(kill)?;
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended(status)),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(BenchError::TooLate { what: "the server's end", limit: STOP_LIMIT })
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<(), BenchError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn ended(&self, status: std::process::ExitStatus) -> BenchError {
        let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        let output = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        BenchError::Ended { program: "opentrail serve".to_owned(), status, output }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where it has ended already there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
fn free_address() -> Result<SocketAddr, BenchError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
