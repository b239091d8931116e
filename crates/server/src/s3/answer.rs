//! Answers of S3 calls: the ids on each, and error documents.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use quick_xml::{Reader, events::Event};

use super::{refusal::Refusal, scene::Scene};
use crate::fault::Fault;

/// The largest error document of the protocol layer that is read back.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Bytes of an answer's content, as far as they are known before they are sent.
pub(super) fn length(response: &Response<Body>) -> u64 {
    let announced = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced =
        announced.and_then(|length| length.parse().ok()).filter(|_| !response.body().is_end_stream());
    announced.or_else(|| response.body().size_hint().exact()).unwrap_or(0)
}

/// The answer to a call that worked.
pub(super) fn of_success(scene: &Scene, mut response: Response<Body>) -> Response<Body> {
    identify(scene, &mut response);
    response
}

/// The answer to a call that failed: an error document, except to HEAD and for "not modified".
pub(super) fn of_refusal(scene: &Scene, refusal: &Refusal) -> Response<Body> {
    let fault = &refusal.fault;
    let bare = scene.method == Method::HEAD || fault.status() == StatusCode::NOT_MODIFIED;
    let mut response = if bare {
        Response::new(Body::empty())
    } else {
        let mut response = Response::new(Body::from(document(scene, refusal)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    };
    *response.status_mut() = fault.status();
    for (name, value) in &refusal.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    if fault.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    identify(scene, &mut response);
    response
}

fn identify(scene: &Scene, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in [("x-amz-request-id", &scene.arrival.request_id), ("x-amz-id-2", &scene.host_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if scene.subject().operation.name == "HeadBucket"
        && let Some(bucket) = &scene.subject().found
        && let Ok(region) = HeaderValue::from_str(bucket.region.as_str())
    {
        headers.insert(HeaderName::from_static("x-amz-bucket-region"), region);
    }
}

fn document(scene: &Scene, refusal: &Refusal) -> String {
    let fault = &refusal.fault;
    let details: String = refusal.details.iter().map(|(name, text)| element(name, text)).collect();
    let subject = scene.subject();
    let about = match (fault.code(), &subject.bucket, &subject.key) {
        (
            "NoSuchBucket" | "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "BucketNotEmpty",
            Some(bucket),
            _,
        ) => element("BucketName", bucket),
        ("NoSuchKey" | "NoSuchVersion", _, Some(key)) => element("Key", key),
        _ => String::new(),
    };
    [
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        "\n<Error>",
        &element("Code", fault.code()),
        &element("Message", fault.message()),
        &about,
        &details,
        &element("Resource", &scene.path),
        &element("RequestId", &scene.arrival.request_id),
        &element("HostId", &scene.host_id),
        "</Error>",
    ]
    .concat()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// Text for XML; characters that XML 1.0 can't hold become U+FFFD.
fn escaped(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    let text = if text.contains(forbidden) {
        Cow::Owned(text.replace(forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    };
    match quick_xml::escape::escape(text.as_ref()) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => Cow::Owned(escaped),
    }
}

/// Reads back why the protocol layer refused a call: it says so only in its error document.
pub(super) async fn read_refusal(response: s3s::HttpResponse) -> Refusal {
    let (parts, body) = response.into_parts();
    let text = match Limited::new(body, MAX_ERROR_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => bytes::Bytes::new(),
    };
    let (code, message) = read_document(&text).unwrap_or_default();
    if code.is_empty() || code == "InternalError" {
        tracing::error!(message, "the S3 protocol layer failed");
        let message = standard_message("InternalError");
        return Fault::exact("InternalError", StatusCode::INTERNAL_SERVER_ERROR, message).into();
    }
    let message = message.unwrap_or_else(|| standard_message(&code).to_owned());
    Fault::of_protocol(code, parts.status, message).into()
}

/// Code and message of an error document.
fn read_document(text: &[u8]) -> Option<(String, Option<String>)> {
    let mut reader = Reader::from_reader(text);
    let (mut code, mut message, mut at) = (None, None, Vec::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => at = start.local_name().as_ref().to_vec(),
            Event::End(_) => at.clear(),
            Event::Text(piece) => {
                let piece = piece.decode().ok()?;
                match at.as_slice() {
                    b"Code" => code.get_or_insert_with(String::new).push_str(&piece),
                    b"Message" => message.get_or_insert_with(String::new).push_str(&piece),
                    _ => {}
                }
            }
            Event::GeneralRef(reference) if at == b"Message" => {
                let name = reference.decode().ok()?;
                let text = quick_xml::escape::resolve_xml_entity(&name).unwrap_or("?");
                message.get_or_insert_with(String::new).push_str(text);
            }
            Event::Eof => return Some((code?, message)),
            _ => {}
        }
    }
}

/// S3's message for a code that comes without one (S3 API reference, "Error responses").
fn standard_message(code: &str) -> &'static str {
    match code {
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MissingRequestBodyError" => "Request body is empty.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "InvalidArgument" => "Invalid Argument",
        _ => "The request is not one that S3 takes.",
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, read_document};

    #[test]
    fn error_documents_are_read_back() {
        let text = b"<?xml version=\"1.0\"?><Error><Code>InvalidArgument</Code><Message>a &lt;b&gt;</Message></Error>";
        assert_eq!(read_document(text), Some(("InvalidArgument".to_owned(), Some("a <b>".to_owned()))));
        assert_eq!(read_document(b"nothing"), None);
    }

    #[test]
    fn text_fits_into_xml() {
        assert_eq!(escaped("a<b>&\u{1}"), "a&lt;b&gt;&amp;\u{fffd}");
    }
}
