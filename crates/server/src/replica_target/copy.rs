//! Making a copy at an endpoint, and telling it what changed.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use md5::{Digest, Md5};
use opentrail_vault::{
    ObjectMeta, ObjectReader, VaultError, limits::MAX_SINGLE_PUT_BYTES, replication::ReplicationDestination,
};
use quick_xml::escape::escape;

use super::{
    SOURCE_VERSION, Target, TargetError,
    call::{Content, Question},
};

/// Objects up to this size are sent from memory, with their digest signed.
const WHOLE_BYTES: u64 = 4 << 20;
/// The type of documents.
const XML: &str = "application/xml";

/// What is copied where.
pub(crate) struct Errand<'a> {
    pub(crate) destination: &'a ReplicationDestination,
    pub(crate) key: &'a str,
}

/// A copy that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteCopy {
    /// Its version id there.
    pub(crate) version_id: Option<String>,
}

fn unreadable(error: &VaultError) -> TargetError {
    TargetError::Refused(format!("the version can't be read: {error}"))
}

impl Target {
    /// Copies an object; one that is there already is not copied again.
    pub(crate) async fn put(
        &self,
        errand: &Errand<'_>,
        reader: &ObjectReader,
        now: DateTime<Utc>,
    ) -> Result<RemoteCopy, TargetError> {
        let (meta, to) = (reader.meta(), errand.destination);
        if self.doubts(meta.last_modified)
            && let Some(id) = self.find(&to.bucket, errand.key, &meta.version_id, to.account).await?
        {
            self.tell(errand, meta, Some(&id), now).await?;
            return Ok(RemoteCopy { version_id: Some(id) });
        }
        if meta.size > MAX_SINGLE_PUT_BYTES {
            let reason =
                format!("objects of more than {MAX_SINGLE_PUT_BYTES} bytes are not sent to other endpoints");
            return Err(TargetError::Refused(reason));
        }
        let (body, md5) = content(reader).await?;
        let mut headers = headers(meta, to, now);
        set(&mut headers, "content-md5", &BASE64_STANDARD.encode(md5));
        let question = Question::new(Method::PUT, &to.bucket, Some(errand.key)).of_account(to.account);
        headers.extend(question.headers);
        let question = Question { headers, body, ..Question::new(Method::PUT, &to.bucket, Some(errand.key)) };
        let put = self.demand(question).await.inspect_err(|_| self.doubt_from_now_on())?;
        Ok(RemoteCopy { version_id: put.header("x-amz-version-id").map(str::to_owned) })
    }

    /// Gives a copy the tags and locks that its version has now; `None` if the copy is not there (any more).
    pub(crate) async fn update(
        &self,
        errand: &Errand<'_>,
        meta: &ObjectMeta,
        version_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<RemoteCopy>, TargetError> {
        let to = errand.destination;
        let found = match version_id {
            Some(id) => Some(id.to_owned()),
            None => self.find(&to.bucket, errand.key, &meta.version_id, to.account).await?,
        };
        let Some(id) = found else { return Ok(None) };
        self.tell(errand, meta, Some(&id), now).await?;
        Ok(Some(RemoteCopy { version_id: Some(id) }))
    }

    async fn tell(
        &self,
        errand: &Errand<'_>,
        meta: &ObjectMeta,
        version_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), TargetError> {
        let mut tags = String::from("<Tagging><TagSet>");
        for (key, value) in &meta.object.tags {
            let _ = write!(tags, "<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value));
        }
        tags.push_str("</TagSet></Tagging>");
        self.put_part_of(errand, "tagging", version_id, tags).await?;
        if let Some(retention) = meta.lock().retention.filter(|retention| retention.until > now) {
            let document = format!(
                "<Retention><Mode>{}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
                retention.mode.name(),
                date(retention.until)
            );
            self.put_part_of(errand, "retention", version_id, document).await?;
        }
        if let Some(held) = meta.lock().legal_hold {
            let document = format!("<LegalHold><Status>{}</Status></LegalHold>", on_or_off(held));
            self.put_part_of(errand, "legal-hold", version_id, document).await?;
        }
        Ok(())
    }

    async fn put_part_of(
        &self,
        errand: &Errand<'_>,
        part: &str,
        version_id: Option<&str>,
        document: String,
    ) -> Result<(), TargetError> {
        let to = errand.destination;
        let query: Vec<(&str, &str)> =
            [(part, "")].into_iter().chain(version_id.map(|id| ("versionId", id))).collect();
        let mut question = Question::new(Method::PUT, &to.bucket, Some(errand.key)).of_account(to.account);
        set(&mut question.headers, "content-type", XML);
        set(&mut question.headers, "content-md5", &BASE64_STANDARD.encode(Md5::digest(document.as_bytes())));
        if part == "retention" {
            set(&mut question.headers, "x-amz-bypass-governance-retention", "true");
        }
        let body = Content::Whole(Bytes::from(document));
        self.demand(Question { query: &query, body, ..question }).await.map(drop)
    }

    /// Copies a delete marker that was made then. Where it may have been sent already, a key that is deleted is not
    /// deleted again.
    pub(crate) async fn delete(
        &self,
        errand: &Errand<'_>,
        made: DateTime<Utc>,
    ) -> Result<RemoteCopy, TargetError> {
        let to = errand.destination;
        if self.doubts(made) && self.is_deleted(&to.bucket, errand.key, to.account).await? {
            return Ok(RemoteCopy { version_id: None });
        }
        let question = Question::new(Method::DELETE, &to.bucket, Some(errand.key)).of_account(to.account);
        let deleted = self.demand(question).await.inspect_err(|_| self.doubt_from_now_on())?;
        Ok(RemoteCopy { version_id: deleted.header("x-amz-version-id").map(str::to_owned) })
    }
}

/// The bytes to send and their MD5, which every endpoint can hold them against.
async fn content(reader: &ObjectReader) -> Result<(Content, [u8; 16]), TargetError> {
    let size = reader.meta().size;
    if size <= WHOLE_BYTES {
        let bytes = reader.bytes(0..size).await.map_err(|error| unreadable(&error))?;
        let md5 = Md5::digest(&bytes).into();
        return Ok((Content::Whole(bytes), md5));
    }
    let mut md5 = Md5::new();
    let mut pieces = Box::pin(reader.stream(0..size));
    while let Some(piece) = pieces.next().await {
        md5.update(piece.map_err(|error| unreadable(&error))?);
    }
    let stream = reader.stream(0..size).map_err(|error| std::io::Error::other(error.to_string()));
    Ok((Content::Stream(stream.boxed(), size), md5.finalize().into()))
}

/// What the copy is put with.
fn headers(meta: &ObjectMeta, to: &ReplicationDestination, now: DateTime<Utc>) -> HeaderMap {
    let (kept, mut headers) = (&meta.object.headers, HeaderMap::new());
    for (name, value) in [
        ("content-type", &kept.content_type),
        ("content-encoding", &kept.content_encoding),
        ("content-disposition", &kept.content_disposition),
        ("content-language", &kept.content_language),
        ("cache-control", &kept.cache_control),
        ("expires", &kept.expires),
        ("x-amz-website-redirect-location", &kept.website_redirect_location),
        ("x-amz-server-side-encryption-aws-kms-key-id", &kms_key(meta, to)),
    ] {
        if let Some(value) = value {
            set(&mut headers, name, value);
        }
    }
    if kms_key(meta, to).is_some() {
        set(&mut headers, "x-amz-server-side-encryption", "aws:kms");
    }
    for (name, value) in &kept.metadata {
        set(&mut headers, &format!("x-amz-meta-{name}"), value);
    }
    set(&mut headers, &format!("x-amz-meta-{SOURCE_VERSION}"), &meta.version_id);
    let class = to.storage_class.map_or(&*meta.object.storage_class, |class| class.name());
    if class != "STANDARD" {
        set(&mut headers, "x-amz-storage-class", class);
    }
    if let Ok(tags) = serde_urlencoded::to_string(&meta.object.tags)
        && !tags.is_empty()
    {
        set(&mut headers, "x-amz-tagging", &tags);
    }
    if let Some(retention) = meta.lock().retention.filter(|retention| retention.until > now) {
        set(&mut headers, "x-amz-object-lock-mode", retention.mode.name());
        set(&mut headers, "x-amz-object-lock-retain-until-date", &date(retention.until));
    }
    if let Some(held) = meta.lock().legal_hold {
        set(&mut headers, "x-amz-object-lock-legal-hold", on_or_off(held));
    }
    headers
}

/// The key of a copy of an object that has one.
fn kms_key(meta: &ObjectMeta, to: &ReplicationDestination) -> Option<String> {
    meta.encryption().and_then(opentrail_vault::Encryption::kms_key).and(to.kms_key.clone())
}

/// Sets a header; text that none can have goes as RFC 2047 has it, which S3 reads.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return };
    let encoded = || format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(value));
    let text = if value.is_ascii() { value.to_owned() } else { encoded() };
    if let Ok(text) = HeaderValue::from_str(&text).or_else(|_| HeaderValue::from_str(&encoded())) {
        headers.insert(name, text);
    }
}

fn date(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn on_or_off(held: bool) -> &'static str {
    if held { "ON" } else { "OFF" }
}
