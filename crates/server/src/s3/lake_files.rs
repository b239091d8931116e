//! The files of event data stores' tables, to be read by other engines: GetObject and HeadObject below a bucket that
//! is no bucket of the vault. The catalog (`glue`) tells of them.
//!
//! Who may read a file is asked as S3 asks it, for `arn:aws:s3:::opentrail-lake/STORE/…`; only the account of the store
//! may, only while its federation is on, and nobody whom the store's own policy denies its events.

use std::{ops::Range, sync::Arc};

use axum::body::Body;
use futures::TryStreamExt;
use http::{HeaderValue, Method, Response, StatusCode, header};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use opentrail_lake::{
    store::{EventDataStore, StoreId},
    warehouse::DOOR_BUCKET,
};
use opentrail_vault::VaultError;

use super::{access, catalog, headers, refusal::Refusal, scene::Scene};
use crate::{cloudtrail::keeps_out, glue};

/// The key in the lake's bucket that a path names; `None` for a path of anything else.
pub(super) fn key_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?.strip_prefix(DOOR_BUCKET)?;
    let key = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
    percent_encoding::percent_decode_str(key).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Performs a call on the lake's bucket.
pub(super) async fn perform(scene: &Arc<Scene>, key: &str) -> Result<Response<Body>, Refusal> {
    let is_plain = scene.query.iter().all(|(name, _)| name == "x-id" || name.starts_with("X-Amz-"));
    let name = match scene.method {
        Method::GET if is_plain && !key.is_empty() => "GetObject",
        Method::HEAD if is_plain && !key.is_empty() => "HeadObject",
        _ => "",
    };
    let operation = catalog::named(name).unwrap_or(&catalog::UNKNOWN);
    scene.is_about(operation, Some(DOOR_BUCKET), (!key.is_empty()).then_some(key));
    access::admit_sender(scene)?;
    if name.is_empty() {
        let message = "The files of event data stores can be read with GetObject and HeadObject only.";
        return Err(Refusal::of("MethodNotAllowed", message));
    }
    let store = may_read(scene, key)?;
    let live = scene.rooms.lake.table_of(&store);
    let store = live.warehouse().store();
    let path = Path::parse(key).map_err(|_| not_there(scene, key))?;
    let meta = store.head(&path).await.map_err(|error| unread(scene, key, error))?;
    let range = headers::range(scene).map(|range| range.within(meta.size)).transpose()?;
    if scene.method == Method::HEAD {
        return Ok(answer(&meta, range, Body::empty()));
    }
    let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
    let content = store.get_opts(&path, options).await.map_err(|error| unread(scene, key, error))?;
    let content = content.into_stream().map_err(std::io::Error::other);
    Ok(answer(&meta, range, Body::from_stream(content)))
}

/// The caller's policies, that the store is its account's and open to other engines, and the store's own policy.
fn may_read(scene: &Scene, key: &str) -> Result<Arc<EventDataStore>, Refusal> {
    scene.may("s3:GetObject")?;
    let id: Option<StoreId> = key.split('/').next().and_then(|id| id.parse().ok());
    let stores = scene.rooms.event_data_stores.all();
    let is_open = |store: &EventDataStore| {
        let keys = scene.arrival.context(&store.region);
        Some(store.account) == scene.account()
            && glue::is_readable(store)
            && !keeps_out(&scene.rooms, &scene.caller(), &keys, store)
            && may_decrypt(scene, store)
    };
    let store = stores.into_iter().find(|store| Some(store.id) == id).filter(|store| is_open(store));
    let is_here = scene.rooms.lake.warehouse().is_behind_door();
    store.filter(|_| is_here).ok_or_else(Refusal::access_denied)
}

/// Whether the caller may decrypt with the store's key, if it has one.
fn may_decrypt(scene: &Scene, store: &EventDataStore) -> bool {
    let Some(kms_key) = &store.kms_key else { return true };
    let Ok(key) = scene.rooms.lake_keys.usable(store, kms_key) else { return false };
    let (caller, ask) = (scene.caller(), scene.arrival.context(&store.region));
    let keys = &scene.rooms.lake_keys;
    keys.lets_caller((&caller, ask), "kms:Decrypt", (&key, &key.arn), (&store.arn(), "s3")).is_ok()
}

fn not_there(scene: &Scene, key: &str) -> Refusal {
    scene.not_there(VaultError::NoSuchKey { key: key.to_owned(), delete_marker: None })
}

fn unread(scene: &Scene, key: &str, error: object_store::Error) -> Refusal {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return not_there(scene, key);
    }
    tracing::error!(%error, key, "a file of an event data store can't be read");
    Refusal::of("InternalError", "We encountered an internal error. Please try again.")
}

fn answer(meta: &ObjectMeta, range: Option<Range<u64>>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let length = range.as_ref().map_or(meta.size, |range| range.end - range.start);
    let mut fields = vec![
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::LAST_MODIFIED, meta.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        // A file of a table is written once, so its size and name tell it from every other.
        (header::ETAG, meta.e_tag.clone().unwrap_or_else(|| format!("\"{:x}\"", meta.size))),
    ];
    if let Some(Range { start, end }) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        fields
            .push((header::CONTENT_RANGE, format!("bytes {start}-{}/{}", end.saturating_sub(1), meta.size)));
    }
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::key_of;

    #[test]
    fn only_paths_of_the_bucket_have_a_key() {
        assert_eq!(key_of("/opentrail-lake/a/b%20c").as_deref(), Some("a/b c"));
        assert_eq!(key_of("/opentrail-lake").as_deref(), Some(""));
        assert_eq!(key_of("/opentrail-lake2/a"), None);
        assert_eq!(key_of("/other/opentrail-lake/a"), None);
    }
}
