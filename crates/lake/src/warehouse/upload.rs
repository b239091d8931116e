//! Objects that come in parts.

use std::{io, path::PathBuf, sync::mpsc};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart, path::Path};
use opentrail_journal::disk::DiskFile;
use tokio::sync::oneshot;

use super::{
    disk_store::{DiskStore, Inner, failed},
    write::Put,
};

#[derive(Debug)]
enum Step {
    Part(PutPayload, oneshot::Sender<Result<()>>),
    Complete(oneshot::Sender<Result<PutResult>>),
}

/// An object that is being put in parts. They are written one after the other, in the order in which they were
/// given, because an encrypted file can only grow at its end. Dropped before it is complete, it leaves nothing.
#[derive(Debug)]
pub(super) struct DiskUpload {
    steps: Option<mpsc::Sender<Step>>,
}

impl DiskUpload {
    pub(super) fn start(store: DiskStore, location: Path) -> Self {
        let (steps, received) = mpsc::channel();
        tokio::task::spawn_blocking(move || write_steps(&store.inner, &location, &received));
        Self { steps: Some(steps) }
    }

    fn send<T>(&self, step: impl FnOnce(oneshot::Sender<Result<T>>) -> Step) -> oneshot::Receiver<Result<T>> {
        let (answer, answered) = oneshot::channel();
        if let Some(steps) = &self.steps {
            // Where nobody listens any more, the answer's sender is dropped, and that is an error below.
            let _ = steps.send(step(answer));
        }
        answered
    }
}

fn ended() -> Error {
    Error::Generic { store: "DiskStore", source: "the upload has ended".into() }
}

fn write_steps(inner: &Inner, location: &Path, steps: &mpsc::Receiver<Step>) {
    let mut staged: Option<(PathBuf, Box<dyn DiskFile>)> = None;
    let mut offset = 0;
    let mut broken = None;
    while let Ok(step) = steps.recv() {
        if staged.is_none() && broken.is_none() {
            match inner.stage() {
                Ok(new) => staged = Some(new),
                Err(error) => broken = Some(error.kind()),
            }
        }
        match step {
            Step::Part(payload, answer) => {
                let written = match (&staged, broken) {
                    (Some((_, file)), None) => write_part(file.as_ref(), &payload, &mut offset),
                    (_, kind) => Err(kind.unwrap_or(io::ErrorKind::Other).into()),
                };
                broken = broken.or(written.as_ref().err().map(io::Error::kind));
                let _ = answer.send(written.map_err(|error| failed(location, error)));
            }
            Step::Complete(answer) => {
                let result = match staged.take() {
                    Some((path, file)) => {
                        let written = broken.map_or(Ok(file), |kind| Err(kind.into()));
                        inner.name(location, &path, written, Put { replaces: true, synced: true })
                    }
                    None => Err(failed(location, broken.unwrap_or(io::ErrorKind::Other).into())),
                };
                let _ = answer.send(result);
                return;
            }
        }
    }
    if let Some((path, _)) = staged {
        inner.unstage(&path);
    }
}

fn write_part(file: &dyn DiskFile, payload: &PutPayload, offset: &mut u64) -> io::Result<()> {
    for bytes in payload {
        file.write_all_at(bytes, *offset)?;
        *offset += bytes.len() as u64;
    }
    Ok(())
}

#[async_trait]
impl MultipartUpload for DiskUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let answered = self.send(|answer| Step::Part(data, answer));
        async move { answered.await.unwrap_or_else(|_| Err(ended())) }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let answered = self.send(Step::Complete);
        self.steps = None;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn abort(&mut self) -> Result<()> {
        self.steps = None;
        Ok(())
    }
}
