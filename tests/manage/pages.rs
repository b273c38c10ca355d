//! The looking glass as it goes out: headers, compression, what is known already. What it does, a
//! browser says (`tests/browser`).

use std::io::Read;

use flate2::read::GzDecoder;

use super::{Server, THREE};

#[test]
fn pages_allow_nothing_from_elsewhere_and_are_not_sent_twice() {
    let server = Server::start(THREE);
    for path in ["/", "/lg/style.css", "/lg/main.js", "/lg/icon.svg"] {
        let (status, head, body) = server.ask_with(path, "");
        assert_eq!(status, 200, "{path}");
        assert!(
            head.contains("content-security-policy: default-src 'none';"),
            "{head}"
        );
        assert!(!head.contains("unsafe-"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        let text = String::from_utf8(body).unwrap();
        assert!(
            !text.contains("https://") && !text.contains("style=\""),
            "{path}"
        );
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: w/"));
        let known = format!("If-None-Match: W/{}\r\n", tag.unwrap());
        let (status, _, body) = server.ask_with(path, &known);
        assert_eq!((status, body.len()), (304, 0), "{path}");
    }
    assert_eq!(server.ask_with("/lg/../rialto.toml", "").0, 404);
    assert_eq!(server.ask_with("/lg/nothing.js", "").0, 404);
}

#[test]
fn what_is_long_is_compressed_for_those_who_take_that() {
    let server = Server::start(THREE);
    let accept = "Accept-Encoding: br, gzip\r\n";
    for path in ["/lg/main.js", "/api/v1/clients"] {
        let (_, _, plain) = server.ask_with(path, "");
        let (status, head, packed) = server.ask_with(path, accept);
        assert_eq!(status, 200);
        assert!(head.contains("content-encoding: gzip"), "{head}");
        assert!(packed.len() * 2 < plain.len(), "{path}");
        let mut text = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, plain, "{path}");
    }
    let (_, head, _) = server.ask_with("/api/v1/rates", accept);
    assert!(!head.contains("content-encoding"), "it is short: {head}");
}
