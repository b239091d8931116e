//! The entrance: who comes while the rooms are still being opened is told so, in their own words, instead of waiting.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;

use crate::{door, health};

/// What stands behind the address: at first nothing but health, later the house.
#[derive(Default)]
pub(crate) struct Entrance {
    house: OnceLock<Router>,
}

impl Entrance {
    /// The router for the listener.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(enter).with_state(self.clone())
    }

    /// Lets everyone in from now on.
    pub(crate) fn open(&self, house: Router) {
        // There is one house; a second could only be the same.
        let _ = self.house.set(house);
    }
}

async fn enter(
    State(entrance): State<Arc<Entrance>>,
    request: Request<Body>,
) -> Result<Response, Infallible> {
    match entrance.house.get() {
        Some(house) => house.clone().oneshot(request).await,
        None => Ok(wait(&request)),
    }
}

/// The answer while the journal is read. Such calls leave no record: there is nothing yet to keep it in.
fn wait(request: &Request<Body>) -> Response {
    match request.uri().path() {
        "/healthz" => health::HEALTHY.into_response(),
        "/readyz" | "/metrics" => {
            (StatusCode::SERVICE_UNAVAILABLE, "the server is starting\n").into_response()
        }
        _ => door::not_yet(request),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, body::Body, http::Request, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::Entrance;

    async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request =
            Request::builder().uri(path).method(if headers.is_empty() { "GET" } else { "POST" });
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("never fails");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn until_the_rooms_are_open_everyone_is_told_so_in_their_own_words() {
        let entrance = Arc::new(Entrance::default());
        let router = entrance.router();
        assert_eq!(ask(&router, "/healthz", &[]).await, (200, "ok\n".to_owned()));
        assert_eq!(ask(&router, "/readyz", &[]).await.0, 503);
        assert_eq!(ask(&router, "/metrics", &[]).await.0, 503);
        let json = [("x-amz-target", "CloudTrail_20131101.ListTrails")];
        let (status, text) = ask(&router, "/", &json).await;
        assert_eq!(status, 503);
        assert!(text.contains("\"__type\":\"ServiceUnavailableException\""), "{text}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let (status, text) = ask(&router, "/", &form).await;
        assert_eq!(status, 503);
        assert!(
            text.contains("<ErrorResponse") && text.contains("<Code>ServiceUnavailable</Code>"),
            "{text}"
        );
        let (status, text) = ask(&router, "/bucket/key", &[]).await;
        assert_eq!(status, 503);
        assert!(text.contains("\n<Error><Code>ServiceUnavailable</Code>"), "{text}");

        entrance.open(Router::new().route("/readyz", get(async || "ready\n")));
        assert_eq!(ask(&router, "/readyz", &[]).await, (200, "ready\n".to_owned()));
    }
}
