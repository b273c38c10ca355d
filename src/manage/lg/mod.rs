//! The looking glass: pages that are part of the binary. They ask `/api/v1` and know nothing else.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::plane::Plane;

/// Nothing but what is served here runs, and nothing may show it in a frame.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

macro_rules! files {
    ($(($name:literal, $kind:literal)),* $(,)?) => {
        /// Where it is served, its content type, what it is.
        const FILES: &[(&str, &str, &str)] = &[
            $((concat!("/lg/", $name), $kind, include_str!($name))),*
        ];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const INDEX: &str = include_str!("index.html");

files![
    ("style.css", "text/css; charset=utf-8"),
    ("icon.svg", "image/svg+xml"),
    ("main.js", "text/javascript; charset=utf-8"),
    ("html.js", "text/javascript; charset=utf-8"),
    ("api.js", "text/javascript; charset=utf-8"),
    ("clients.js", "text/javascript; charset=utf-8"),
    ("client.js", "text/javascript; charset=utf-8"),
    ("routes.js", "text/javascript; charset=utf-8"),
    ("search.js", "text/javascript; charset=utf-8"),
    ("explain.js", "text/javascript; charset=utf-8"),
    ("report.js", "text/javascript; charset=utf-8"),
    ("live.js", "text/javascript; charset=utf-8"),
];

pub fn pages() -> Router<Arc<Plane>> {
    let page = |kind: &'static str, text: &'static str| {
        let tag = tag(text);
        get(move |headers: HeaderMap| async move { page(&headers, kind, text, tag) })
    };
    let files = FILES.iter();
    let index = Router::new().route("/", page(HTML, INDEX));
    files.fold(index, |router, (path, kind, text)| {
        router.route(path, page(kind, text))
    })
}

fn page(headers: &HeaderMap, kind: &'static str, text: &'static str, tag: u64) -> Response {
    let tag = format!("W/\"{tag:016x}\"");
    let known = headers.get(header::IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let answer = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => text.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // Asked for again each time, answered with a line while it is the same.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::ETAG,
            HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("W/\"0\"")),
        ),
    ];
    (headers, answer).into_response()
}

/// FNV-1a: another text has another one.
fn tag(text: &str) -> u64 {
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
