//! What every answer over HTTP gets on its way out.

use std::io::Write;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

/// Shorter ones are hardly shorter when compressed.
const COMPRESSED_MIN: u64 = 1_024;

/// Says that types are what they say they are, and compresses what is there as a whole: a list of 900
/// clients is most of a megabyte otherwise. What comes bit by bit goes as it is.
pub async fn finish(request: Request, next: Next) -> Response {
    let takes = request.headers().get(header::ACCEPT_ENCODING);
    let takes_gzip = takes.is_some_and(takes_gzip);
    let mut response = next.run(request).await;
    let nosniff = HeaderValue::from_static("nosniff");
    (response.headers_mut()).insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let is_long = (response.body().size_hint().exact()).is_some_and(|len| len >= COMPRESSED_MIN);
    let is_encoded = response.headers().contains_key(header::CONTENT_ENCODING);
    if !is_long || is_encoded {
        return response;
    }
    let vary = HeaderValue::from_static("accept-encoding");
    response.headers_mut().append(header::VARY, vary);
    if !takes_gzip {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(whole) = body.collect().await else {
        return Response::from_parts(head, Body::empty());
    };
    let whole = whole.to_bytes();
    match compressed(&whole) {
        Ok(octets) => {
            head.headers.remove(header::CONTENT_LENGTH);
            let gzip = HeaderValue::from_static("gzip");
            head.headers.insert(header::CONTENT_ENCODING, gzip);
            Response::from_parts(head, Body::from(octets))
        }
        Err(_) => Response::from_parts(head, Body::from(whole)),
    }
}

fn compressed(octets: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(octets)?;
    encoder.finish()
}

/// RFC 9110 §12.5.3, as far as browsers and collectors use it: named, and not with a weight of 0.
fn takes_gzip(value: &HeaderValue) -> bool {
    let codings = value.to_str().unwrap_or_default().split(',');
    let mut parts = codings.map(|coding| coding.split(';').map(str::trim));
    parts.any(|mut coding| {
        coding.next() == Some("gzip")
            && coding.all(|weight| !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named() {
        let cases = [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ];
        for (text, takes) in cases {
            assert_eq!(takes_gzip(&HeaderValue::from_static(text)), takes, "{text}");
        }
    }
}
