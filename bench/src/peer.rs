//! The S3 server that objects are compared with: `s3s-fs`, which keeps them as files of a folder.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use opentrail_wire::sigv4::Credentials;

use crate::{client::Access, error::BenchError};

const KEY: &str = "AKIABENCHPEER0000001";
const SECRET: &str = "peer-secret/only+for-measuring-0123456789";
/// Longest wait for its start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A running peer; killed when dropped.
pub(crate) struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts it over `folder/peer`, a folder that exists.
    pub(crate) fn start(binary: &Path, folder: &Path) -> Result<Self, BenchError> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log_path = folder.join("peer.log");
        let log = File::create(&log_path).map_err(BenchError::file(&log_path))?;
        let child = Command::new(binary)
            .args(["--access-key", KEY, "--secret-key", SECRET, "--host", "127.0.0.1"])
            .args(["--port", &address.port().to_string()])
            .arg(folder.join("peer"))
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(BenchError::file(binary))?;
        let peer = Self { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > START_LIMIT {
                return Err(BenchError::TooLate { what: "the peer's start", limit: START_LIMIT });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(peer)
    }

    pub(crate) fn access(&self) -> Access {
        let credentials =
            Credentials { access_key_id: KEY.to_owned(), secret: SECRET.to_owned(), session_token: None };
        Access { address: self.address, credentials }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Where it has ended already there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
