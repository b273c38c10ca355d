//! How the commands reach a running server: GET over its API, lines of JSON over its control socket.

use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::manage::view::ErrorView;
use crate::manage::{Request, Response};

/// For one page; a server that takes longer is not well.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A reload of a large configuration takes a moment.
const CONTROL_ANSWER_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "no server answers at {api}: {why}; is it running, and is this its [api] listen? (--api ADDR:PORT)"
    )]
    Unreachable { api: String, why: String },
    #[error("{0}")]
    Refused(String),
    #[error("what answers at {api} is no Rialto: {why}")]
    Foreign { api: String, why: String },
    /// As [`FetchError::Unreachable`], by a command that asks there for the control socket only.
    #[error(
        "no server answers at {api}: {why}; is it running? Where its API is off or elsewhere, name its socket with --control SOCKET or its configuration with --config FILE"
    )]
    SocketUnknown { api: String, why: String },
    #[error("no server answers at the control socket {socket}: {why}; {remedy}")]
    Control {
        socket: String,
        why: String,
        remedy: String,
    },
}

/// What to do where the control socket does not answer.
fn remedy(socket: &Path, error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "is the server running, and is this its [control] socket? (--control SOCKET or --config FILE)"
                .to_owned()
        }
        ErrorKind::PermissionDenied => match std::fs::metadata(socket) {
            Ok(metadata) => format!(
                "run as uid {} or as a member of group {}, whose it is",
                metadata.uid(),
                metadata.gid()
            ),
            Err(_) => "run as a user who may enter its folder and write to it".to_owned(),
        },
        ErrorKind::ConnectionRefused => {
            "a server that ended without a word has left it: start one".to_owned()
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
            "it has not answered for {} s: see its log, and rialto show cores",
            CONTROL_ANSWER_MAX.as_secs()
        ),
        _ => "see the server's log".to_owned(),
    }
}

/// The JSON at `path`, which has its query with it.
pub fn get<T: DeserializeOwned>(api: &str, path: &str) -> Result<T, FetchError> {
    get_within(api, path, ANSWER_MAX)
}

/// As [`get`], where a server may take longer.
pub fn get_within<T: DeserializeOwned>(
    api: &str,
    path: &str,
    answer_max: Duration,
) -> Result<T, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| FetchError::Unreachable {
        api: api.to_owned(),
        why: error.to_string(),
    })?;
    runtime.block_on(ask_api_within(api, path, answer_max))
}

/// As [`get`], within tokio.
pub async fn ask_api<T: DeserializeOwned>(api: &str, path: &str) -> Result<T, FetchError> {
    ask_api_within(api, path, ANSWER_MAX).await
}

async fn ask_api_within<T: DeserializeOwned>(
    api: &str,
    path: &str,
    answer_max: Duration,
) -> Result<T, FetchError> {
    let unreachable = |why: String| FetchError::Unreachable {
        api: api.to_owned(),
        why,
    };
    let answer = tokio::time::timeout(answer_max, request(api, path)).await;
    let late = |_| unreachable(format!("no answer within {} s", answer_max.as_secs()));
    let (is_good, body) = answer
        .map_err(late)?
        .map_err(|error| unreachable(error.to_string()))?;
    if !is_good {
        return Err(refusal(api, &body));
    }
    serde_json::from_slice(&body).map_err(|error| FetchError::Foreign {
        api: api.to_owned(),
        why: error.to_string(),
    })
}

/// Each line of the text at `path`, as it comes, until it ends.
pub fn lines(
    api: &str,
    path: &str,
    mut take: impl FnMut(&str) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    let unreachable = |why: String| FetchError::Unreachable {
        api: api.to_owned(),
        why,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| unreachable(error.to_string()))?;
    runtime.block_on(async {
        let response = tokio::time::timeout(ANSWER_MAX, response(api, path)).await;
        let response = response
            .map_err(|_| unreachable(format!("no answer within {} s", ANSWER_MAX.as_secs())))?;
        let (is_good, mut body) = response.map_err(|error| unreachable(error.to_string()))?;
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unreachable(error.to_string()))?;
            octets.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while is_good && let Some(end) = octets.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = octets.drain(..=end).collect();
                take(String::from_utf8_lossy(&line).trim_end())?;
            }
        }
        match is_good {
            true => Ok(()),
            false => Err(refusal(api, &octets)),
        }
    })
}

/// What the server says of a question that it does not answer.
fn refusal(api: &str, body: &[u8]) -> FetchError {
    match serde_json::from_slice::<ErrorView>(body) {
        Ok(told) => FetchError::Refused(told.error),
        Err(error) => FetchError::Foreign {
            api: api.to_owned(),
            why: error.to_string(),
        },
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the status is one of success, and the body.
async fn request(api: &str, path: &str) -> Result<(bool, Bytes), AnyError> {
    let (is_good, body) = response(api, path).await?;
    Ok((is_good, body.collect().await?.to_bytes()))
}

/// Whether the status is one of success, and the body as it comes.
async fn response(api: &str, path: &str) -> Result<(bool, Incoming), AnyError> {
    let stream = TcpStream::connect(api).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(HOST, api)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let is_good = response.status().is_success();
    Ok((is_good, response.into_body()))
}

/// Text as part of an address (RFC 3986 §2.1).
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(octet.into())
            }
            _ => escaped += &format!("%{octet:02X}"),
        }
    }
    escaped
}

/// Asks for one change.
pub fn ask(socket: &Path, request: &Request) -> Result<Response, FetchError> {
    let failed = |error: Error| FetchError::Control {
        socket: socket.display().to_string(),
        why: error.to_string(),
        remedy: remedy(socket, &error),
    };
    let converse = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(CONTROL_ANSWER_MAX))?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = converse().map_err(failed)?;
    let nonsense = |error| failed(Error::other(format!("its answer makes no sense: {error}")));
    serde_json::from_str(&answer).map_err(nonsense)
}
