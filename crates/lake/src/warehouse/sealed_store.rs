//! An object store whose objects are sealed files of one table, over another that has them as they are stored.

use std::{collections::HashMap, fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, path::Path,
};
use parking_lot::Mutex;

use super::{
    DataKey, KeyRefused, Seal, Sealing,
    sealed_file::{FileId, HEADER, SealedFile, id_in, seal},
};

const NAME: &str = "SealedStore";
/// Objects whose beginnings are known at a time; some 200 bytes each.
const MAX_KNOWN: usize = 4096;
/// Objects larger than this are sealed on a thread that may be kept busy.
const INLINE_BYTES: usize = 1 << 20;

/// What an object is, as its beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// None for an object that is not sealed.
    id: Option<FileId>,
    /// Bytes that are stored.
    stored: u64,
}

/// An object store that seals what is put into it, if the table has a key, and opens what is got out of it. Lengths and
/// ranges are those of the plain bytes; a listing alone has the lengths that are stored.
///
/// What is not offered: objects that come in parts, and copies, since a sealed object opens under its own name only.
pub(super) struct SealedStore {
    inner: Arc<dyn ObjectStore>,
    seal: Arc<dyn Seal>,
    /// Objects are written once, apart from a few that are written again under their name by this process alone; what
    /// is known of those is forgotten then.
    known: Mutex<HashMap<Path, Known>>,
}

fn refused(source: KeyRefused) -> Error {
    Error::Generic { store: NAME, source: Box::new(source) }
}

fn broken(source: opentrail_cipher::CipherFailed) -> Error {
    Error::Generic { store: NAME, source: Box::new(source) }
}

fn damaged(location: &Path) -> Error {
    let reason = format!("{location} is not as it was sealed");
    Error::Generic { store: NAME, source: reason.into() }
}

fn not_built(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: NAME.to_owned() }
}

impl SealedStore {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, seal: Arc<dyn Seal>) -> Self {
        Self { inner, seal, known: Mutex::default() }
    }

    pub(super) fn seals(&self) -> bool {
        self.seal.sealing() != Sealing::None
    }

    async fn key(&self) -> Result<DataKey> {
        self.seal.key().await.map_err(refused)
    }

    fn forget(&self, location: &Path) {
        self.known.lock().remove(location);
    }

    /// What an object is.
    async fn look(&self, location: &Path) -> Result<Known> {
        if let Some(known) = self.known.lock().get(location) {
            return Ok(*known);
        }
        let options = GetOptions { range: Some(GetRange::Bounded(0..HEADER)), ..GetOptions::default() };
        let found = self.inner.get_opts(location, options).await?;
        let stored = found.meta.size;
        let id = id_in(&found.bytes().await?);
        let known = Known { id, stored };
        let mut all = self.known.lock();
        if all.len() >= MAX_KNOWN {
            all.clear();
        }
        all.insert(location.clone(), known);
        Ok(known)
    }

    /// The sealed object of this name, opened; `None` for one of before the table had a key.
    async fn open(&self, location: &Path) -> Result<Option<SealedFile>> {
        // Also for what is not sealed: without its key nothing of the table is to be had.
        let key = self.key().await?;
        let known = self.look(location).await?;
        match known.id {
            Some(id) => {
                let file = SealedFile::new(&key, location, id, known.stored).map_err(broken)?;
                file.map(Some).ok_or_else(|| damaged(location))
            }
            None if self.seal.sealing() == Sealing::All => Err(damaged(location)),
            None => Ok(None),
        }
    }

    async fn sealed(&self, location: &Path, payload: &PutPayload) -> Result<PutPayload> {
        let key = self.key().await?;
        let parts: Vec<Bytes> = payload.iter().cloned().collect();
        let path = location.clone();
        let sealing = move || seal(&key, &path, &parts).map_err(broken);
        let stored = if payload.content_length() <= INLINE_BYTES {
            sealing()?
        } else {
            tokio::task::spawn_blocking(sealing).await??
        };
        Ok(Bytes::from(stored).into())
    }

    async fn ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(file) = self.open(location).await? else {
            return self.plain_ranges(location, ranges).await;
        };
        if let Some(range) = ranges.iter().find(|range| range.end > file.len || range.start > range.end) {
            let reason = format!("{location} has {} bytes, no bytes {range:?}", file.len);
            return Err(Error::Generic { store: NAME, source: reason.into() });
        }
        let spans = spans(ranges.iter().map(|range| file.chunks(range)).collect());
        let stored: Vec<_> = spans.iter().map(|span| file.stored(span)).collect();
        let found = self.inner.get_ranges(location, &stored).await?;
        let mut opened = Vec::with_capacity(spans.len());
        for (span, stored) in spans.iter().zip(&found) {
            let plain = file.open(span.start, stored).ok_or_else(|| damaged(location))?;
            opened.push((file.start(span.start), plain));
        }
        let part = |range: &Range<u64>| {
            if range.is_empty() {
                return Some(Bytes::new());
            }
            opened.iter().rev().find(|(start, _)| *start <= range.start).and_then(|(start, plain)| {
                let from = usize::try_from(range.start - start).ok()?;
                let to = usize::try_from(range.end - start).ok()?;
                (to <= plain.len()).then(|| plain.slice(from..to))
            })
        };
        ranges.iter().map(|range| part(range).ok_or_else(|| damaged(location))).collect()
    }

    /// Ranges of an object that is not sealed, or was not a moment ago: its beginning is read with them.
    async fn plain_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let known = self.look(location).await?;
        let header = std::iter::once(0..HEADER.min(known.stored));
        let all: Vec<Range<u64>> = header.chain(ranges.iter().cloned()).collect();
        let mut found = self.inner.get_ranges(location, &all).await?;
        if id_in(&found.remove(0)).is_some() {
            return Err(damaged(location));
        }
        Ok(found)
    }

    async fn whole(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(file) = self.open(location).await? else {
            let known = self.look(location).await?;
            let found = self.inner.get_opts(location, options).await?;
            return if found.meta.size == known.stored { Ok(found) } else { Err(damaged(location)) };
        };
        let wanted = match &options.range {
            Some(range) => range
                .as_range(file.len)
                .map_err(|error| Error::Generic { store: NAME, source: error.to_string().into() })?,
            None => 0..file.len,
        };
        let chunks = file.chunks(&wanted);
        let stored = if chunks.is_empty() { 0..1 } else { file.stored(&chunks) };
        let inner = GetOptions { range: Some(GetRange::Bounded(stored)), ..options };
        let is_head = inner.head;
        let found = self.inner.get_opts(location, inner).await?;
        let meta = ObjectMeta { size: file.len, ..found.meta.clone() };
        let attributes = found.attributes.clone();
        let sent = if is_head || chunks.is_empty() { 0..0 } else { wanted.clone() };
        let payload = GetResultPayload::Stream(opened(location.clone(), file, found, sent));
        Ok(GetResult { payload, meta, range: wanted, attributes })
    }

    /// Seals what below a folder is not sealed yet, each in one step. Answers how many objects these were.
    pub(super) async fn reseal(&self, folder: &Path) -> Result<usize> {
        if self.seal.sealing() != Sealing::New {
            return Ok(0);
        }
        let listed: Vec<ObjectMeta> = self.inner.list(Some(folder)).try_collect().await?;
        let mut done = 0;
        for ObjectMeta { location, .. } in listed {
            match self.reseal_one(&location).await {
                Ok(was_plain) => done += usize::from(was_plain),
                // Removed since the listing.
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    async fn reseal_one(&self, location: &Path) -> Result<bool> {
        if self.look(location).await?.id.is_some() {
            return Ok(false);
        }
        let plain = self.inner.get(location).await?.bytes().await?;
        if id_in(&plain).is_none() {
            self.put_opts(location, plain.into(), PutMode::Overwrite.into()).await?;
        }
        Ok(true)
    }
}

/// Chunks that are wanted, in order, each once.
fn spans(mut wanted: Vec<Range<u64>>) -> Vec<Range<u64>> {
    wanted.retain(|span| !span.is_empty());
    wanted.sort_unstable_by_key(|span| span.start);
    let mut spans: Vec<Range<u64>> = Vec::with_capacity(wanted.len());
    for span in wanted {
        match spans.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => spans.push(span),
        }
    }
    spans
}

/// A sealed file that is opened as it comes.
struct Opening {
    location: Path,
    file: SealedFile,
    stored: BoxStream<'static, Result<Bytes>>,
    buffer: BytesMut,
    next: u64,
    /// What of the plain file is yet to be given.
    left: Range<u64>,
}

fn opened(
    location: Path,
    file: SealedFile,
    found: GetResult,
    sent: Range<u64>,
) -> BoxStream<'static, Result<Bytes>> {
    let next = file.chunks(&sent).start;
    let opening =
        Opening { location, file, stored: found.into_stream(), buffer: BytesMut::new(), next, left: sent };
    futures::stream::try_unfold(opening, |mut opening| async move {
        if opening.left.is_empty() {
            return Ok(None);
        }
        let place = opening.file.stored(&(opening.next..opening.next + 1));
        let size = usize::try_from(place.end.saturating_sub(place.start)).unwrap_or(usize::MAX);
        while opening.buffer.len() < size {
            match opening.stored.try_next().await? {
                Some(bytes) => opening.buffer.extend_from_slice(&bytes),
                None => return Err(damaged(&opening.location)),
            }
        }
        let chunk = opening.buffer.split_to(size);
        let plain = opening.file.open(opening.next, &chunk).ok_or_else(|| damaged(&opening.location))?;
        let start = opening.file.start(opening.next);
        let end = opening.left.end.min(start + plain.len() as u64);
        let from = usize::try_from(opening.left.start.saturating_sub(start)).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        if from >= to {
            return Err(damaged(&opening.location));
        }
        opening.next += 1;
        opening.left.start = end;
        Ok(Some((plain.slice(from..to), opening)))
    })
    .boxed()
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(NAME).field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Display for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SealedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if self.seal.sealing() == Sealing::None {
            return self.inner.put_opts(location, payload, opts).await;
        }
        let sealed = self.sealed(location, &payload).await?;
        self.forget(location);
        let put = self.inner.put_opts(location, sealed, opts).await;
        // Somebody may have looked between the two.
        self.forget(location);
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.seal.sealing() == Sealing::None {
            return self.inner.put_multipart_opts(location, opts).await;
        }
        Err(not_built("a sealed object that comes in parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.seal.sealing() == Sealing::None {
            return self.inner.get_opts(location, options).await;
        }
        let got = self.whole(location, options.clone()).await;
        if got.is_err() && self.known.lock().remove(location).is_some() {
            // It may have been sealed since it was looked at.
            return self.whole(location, options).await;
        }
        got
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if self.seal.sealing() == Sealing::None {
            return self.inner.get_ranges(location, ranges).await;
        }
        let got = self.ranges(location, ranges).await;
        if got.is_err() && self.known.lock().remove(location).is_some() {
            return self.ranges(location, ranges).await;
        }
        got
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if self.seal.sealing() == Sealing::None {
            return self.inner.copy_opts(from, to, options).await;
        }
        Err(not_built("a copy of a sealed object"))
    }
}
