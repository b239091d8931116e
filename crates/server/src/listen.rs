//! The listener: accepts connections, speaks TLS where asked, and lets go of them gracefully.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use crate::{call::Tls, source};

/// How long a client may take to send its headers, and TLS to shake hands.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the next bytes of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long running requests may go on once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(20);
/// Connections served at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 4096;
/// Connections of one source, so that it can't take every seat. Not fewer: behind a proxy all are of one.
const MAX_OF_A_SOURCE: usize = MAX_CONNECTIONS / 2;
/// Bytes of a connection that are read ahead, and of answers that wait to be sent. Headers must fit: AWS takes at most
/// 16 KB of them. hyper's own limit of 400 KB would let silent connections take 1.7 GB.
const CONNECTION_BYTES: usize = 64 << 10;
/// The same for what is sent on one stream of an HTTP/2 connection.
const STREAM_SEND_BYTES: usize = 64 << 10;
/// Bytes of bodies that an HTTP/2 client may send ahead of their being read: on one stream, and on all of a connection.
const H2_WINDOW_BYTES: u32 = 256 << 10;
/// Calls at once on one HTTP/2 connection; SDKs open further connections.
const H2_STREAMS: u32 = 64;
/// The pause after the operating system refused a connection (out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the listener knows of a connection; a request extension.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Tls>,
}

/// Serves until `stop`, then finishes what runs (at most [`GRACE`]).
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let seats = Seats::new(MAX_CONNECTIONS, MAX_OF_A_SOURCE);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &seats) => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, address, Some(seat))) => {
                tokio::spawn(welcome(stream, address, tls.clone(), router.clone(), graceful.watcher(), seat));
            }
            Ok((_, address, None)) => tracing::debug!(%address, "a source has too many connections"),
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    Ok(())
}

/// The next connection, once there is room; without a seat where its source has too many.
async fn accept(listener: &TcpListener, seats: &Seats) -> io::Result<(TcpStream, SocketAddr, Option<Seat>)> {
    let room = seats.room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, seats.take(room, address.ip())))
}

/// The connections that are served.
struct Seats {
    room: Arc<Semaphore>,
    of_a_source: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of them, until it is dropped.
struct Seat {
    source: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _room: OwnedSemaphorePermit,
}

impl Seats {
    fn new(all: usize, of_a_source: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(all)), of_a_source, taken: Arc::default() }
    }

    fn take(&self, room: OwnedSemaphorePermit, address: IpAddr) -> Option<Seat> {
        let source = source::of(address);
        let mut taken = self.taken.lock();
        let count = taken.entry(source).or_default();
        if *count >= self.of_a_source {
            return None;
        }
        *count += 1;
        Some(Seat { source, taken: self.taken.clone(), _room: room })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(count) = taken.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

async fn welcome(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
    seat: Seat,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else {
        return converse(stream, Peer { address, tls: None }, router, watcher, seat).await;
    };
    match tokio::time::timeout(HEADER_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let agreed = agreed(stream.get_ref().1);
            converse(stream, Peer { address, tls: agreed }, router, watcher, seat).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
        Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
    }
}

async fn converse<S>(stream: S, peer: Peer, router: Router, watcher: Watcher, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.map(|body| axum::body::Body::new(Patient::new(body)))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(CONNECTION_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT)
        .max_header_list_size(CONNECTION_BYTES as u32)
        .max_concurrent_streams(H2_STREAMS)
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .max_send_buf_size(STREAM_SEND_BYTES);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended badly");
    }
    drop(seat);
}

/// A body whose next bytes are waited for only so long, and that still tells its length.
struct Patient {
    body: Pin<Box<TimeoutBody<Incoming>>>,
    /// Bytes still to come, where the request says it.
    left: Option<u64>,
}

impl Patient {
    fn new(body: Incoming) -> Self {
        let left = body.size_hint().exact();
        Self { body: Box::pin(TimeoutBody::new(IDLE_TIMEOUT, body)), left }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = tower::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        if let (Some(left), Some(Ok(frame))) = (&mut self.left, &frame) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn agreed(connection: &tokio_rustls::rustls::ServerConnection) -> Option<Tls> {
    let version = match connection.protocol_version()? {
        tokio_rustls::rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = connection.negotiated_cipher_suite()?.suite();
    let cipher_suite = suite.as_str()?.replace("TLS13_", "TLS_");
    Some(Tls { version: version.to_owned(), cipher_suite })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Seats;

    #[tokio::test]
    async fn one_source_never_has_every_seat() {
        let seats = Seats::new(4, 2);
        let take = async |address: &str| {
            let room = seats.room.clone().acquire_owned().await.expect("never closed");
            seats.take(room, address.parse::<IpAddr>().expect("an address"))
        };
        let first = take("2001:db8::1").await;
        let second = take("2001:db8::2").await;
        assert!(first.is_some() && second.is_some());
        assert!(take("2001:db8::3").await.is_none(), "a third of the same network");
        let other = take("192.0.2.1").await;
        assert!(other.is_some());
        drop(first);
        assert!(take("2001:db8::3").await.is_some());
        drop((second, other));
        assert!(seats.taken.lock().is_empty(), "nobody is remembered who left");
        assert_eq!(seats.room.available_permits(), 4);
    }
}
