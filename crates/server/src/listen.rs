//! The listener: accepts connections, speaks TLS where asked, and lets go of them gracefully.

use std::{
    io,
    net::SocketAddr,
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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use crate::call::Tls;

/// How long a client may take to send its headers, and TLS to shake hands.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the next bytes of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long running requests may go on once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(20);
/// Connections served at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 4096;
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
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, address, seat)) => {
                tokio::spawn(welcome(stream, address, tls.clone(), router.clone(), graceful.watcher(), seat));
            }
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

/// The next connection, once there is a seat for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let seat = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, address, seat))
}

async fn welcome(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
    seat: OwnedSemaphorePermit,
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

async fn converse<S>(stream: S, peer: Peer, router: Router, watcher: Watcher, seat: OwnedSemaphorePermit)
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
