//! The control socket: a line of JSON asks, a line of JSON answers. Who asked is logged.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tracing::{info, warn};

use crate::config::Difference;

use super::End;
use super::plane::{ChangeError, Plane, Verb};
use super::rehearsal::RehearsalView;
use super::reload::{ReloadOptions, Reloaded, TooMuch};

/// Longest line taken, in octets.
const LINE_MAX: u64 = 64 * 1024;

/// RFC 9003 §2.
const MESSAGE_LEN_MAX: usize = 255;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// The plain one.
    Reload,
    /// A server that does not know the options must not take it for the plain one.
    ReloadWith(ReloadOptions),
    /// The last reload stays.
    ConfirmReload,
    Drain {
        #[serde(default)]
        undo: bool,
    },
    /// A table dump (MRT), into `[mrt] directory`.
    Dump,
    /// As SIGTERM.
    Stop,
    /// As SIGUSR2. A server that does not know it must not take it for the final one.
    StopForRestart,
    Disable {
        client: String,
        #[serde(default)]
        message: String,
    },
    Enable {
        client: String,
    },
    Reset {
        client: String,
        #[serde(default)]
        message: String,
    },
    Refresh {
        client: String,
    },
    Quarantine {
        client: String,
        on: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Response {
    pub ok: bool,
    /// For the operator; several lines where there are several things to say.
    pub text: String,
    /// What a reload changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changes: Option<Difference>,
    /// What is doubtful about the configuration that a reload brought into force.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
    /// What a reload would do, or has begun to do, to the routes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rehearsal: Option<RehearsalView>,
    /// The bounds that it passes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub over: Vec<String>,
    /// It is rolled back after so many seconds, unless it is confirmed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confirm_s: Option<u32>,
}

impl Response {
    fn well(text: String, changes: Option<Difference>) -> Response {
        Response {
            ok: true,
            text,
            changes,
            warnings: Vec::new(),
            rehearsal: None,
            over: Vec::new(),
            confirm_s: None,
        }
    }

    fn refusal(text: String) -> Response {
        Response {
            ok: false,
            ..Response::well(text, None)
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(
        "another server answers at the control socket {0}: end it, or name another one in [control] socket"
    )]
    InUse(PathBuf),
    #[error(
        "cannot open the control socket {file}: {error}; [control] socket names another place, which this user may write to"
    )]
    Open {
        file: PathBuf,
        error: std::io::Error,
    },
}

/// A bound control socket; its file goes with it.
pub struct ControlSocket {
    listener: UnixListener,
    file: PathBuf,
}

impl ControlSocket {
    /// Takes the place of a socket that nobody listens on any more.
    pub fn bind(file: &Path) -> Result<ControlSocket, ControlError> {
        let open = |error| ControlError::Open {
            file: file.to_owned(),
            error,
        };
        if std::os::unix::net::UnixStream::connect(file).is_ok() {
            return Err(ControlError::InUse(file.to_owned()));
        }
        match std::fs::symlink_metadata(file) {
            Ok(metadata) if is_socket(&metadata) => std::fs::remove_file(file).map_err(open)?,
            Ok(_) => {
                return Err(open(std::io::Error::other(
                    "a file that is no socket is in the way: remove it",
                )));
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(file).map_err(open)?;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o660)).map_err(open)?;
        Ok(ControlSocket {
            listener,
            file: file.to_owned(),
        })
    }

    /// To the user that the server becomes, and those in its group.
    pub fn give_to(&self, uid: u32, gid: u32) -> Result<(), ControlError> {
        let given = std::os::unix::fs::chown(&self.file, Some(uid), Some(gid));
        given.map_err(|error| ControlError::Open {
            file: self.file.clone(),
            error,
        })
    }

    /// Serves until it is dropped.
    pub async fn serve(&self, plane: Arc<Plane>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(converse(stream, plane.clone()))),
                Err(error) => {
                    warn!("control socket: {error}; trying again in a second");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // It may have been removed by hand.
        let _ = std::fs::remove_file(&self.file);
    }
}

fn is_socket(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_socket()
}

async fn converse(stream: UnixStream, plane: Arc<Plane>) {
    let asker = asker(&stream);
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        let read = (&mut reader).take(LINE_MAX).read_line(&mut line).await;
        if !matches!(read, Ok(octets) if octets > 0) {
            return;
        }
        let (response, end) = answer(&plane, &line, &asker).await;
        let mut text = serde_json::to_string(&response).unwrap_or_default();
        text.push('\n');
        let written = writer.write_all(text.as_bytes()).await;
        if let Some(end) = end {
            plane.ask_to_end(end);
        }
        if written.is_err() {
            return;
        }
    }
}

/// The process at the other end, as the kernel knows it.
fn asker(stream: &UnixStream) -> String {
    match stream.peer_cred() {
        Ok(peer) => {
            let pid = peer
                .pid()
                .map_or_else(|| "?".to_owned(), |pid| pid.to_string());
            format!("uid {} gid {} pid {pid}", peer.uid(), peer.gid())
        }
        Err(error) => format!("unknown ({error})"),
    }
}

/// And how the server ends after it, if it does.
async fn answer(plane: &Arc<Plane>, line: &str, asker: &str) -> (Response, Option<End>) {
    let request = match serde_json::from_str::<Request>(line) {
        Ok(request) => request,
        Err(error) => {
            return (Response::refusal(format!("not understood: {error}")), None);
        }
    };
    let end = match request {
        Request::Stop => Some(End::Final),
        Request::StopForRestart => Some(End::Restart),
        _ => None,
    };
    info!(asker, ?request, "asked over the control socket");
    let response = match perform(plane, request).await {
        Ok(response) => response,
        Err(error) => {
            let text = error.to_string();
            match error {
                ChangeError::TooMuch(much) => refused(text, *much),
                _ => Response::refusal(text),
            }
        }
    };
    match response.ok {
        true => info!(asker, ok = true, "{}", response.text),
        false => warn!(asker, ok = false, "{}", response.text),
    }
    (response, end)
}

/// A reload that would do too much: what it would do.
fn refused(text: String, much: TooMuch) -> Response {
    Response {
        changes: Some(much.difference),
        warnings: much.warnings,
        rehearsal: Some(much.rehearsal),
        over: much.over,
        ..Response::refusal(text)
    }
}

async fn reload(plane: &Arc<Plane>, options: ReloadOptions) -> Result<Response, ChangeError> {
    if options.dry_run {
        return plane.reload(&options).await.map(would_be);
    }
    super::notify_reloading();
    let result = plane.reload(&options).await;
    super::notify_ready();
    let reloaded = result?;
    let mut text = vec![reloaded.difference.to_string()];
    text.extend(reloaded.warnings.iter().cloned());
    text.extend(
        reloaded.confirm_s.map(|seconds| {
            format!("in force for {seconds} s; to keep it: rialto reload --confirmed")
        }),
    );
    Ok(Response {
        ok: reloaded.difference.problems.is_empty(),
        warnings: reloaded.warnings,
        rehearsal: reloaded.rehearsal,
        confirm_s: reloaded.confirm_s,
        ..Response::well(text.join("\n"), Some(reloaded.difference))
    })
}

/// The answer to a dry run. It is not well where the reload would be refused.
fn would_be(reloaded: Reloaded) -> Response {
    let mut text = vec![reloaded.difference.to_string()];
    text.extend(reloaded.warnings.iter().cloned());
    let over = reloaded.over.iter();
    text.extend(over.map(|why| format!("it would be refused: {why}")));
    text.push("a dry run: nothing was changed".to_owned());
    Response {
        ok: reloaded.over.is_empty(),
        warnings: reloaded.warnings,
        rehearsal: reloaded.rehearsal,
        over: reloaded.over,
        ..Response::well(text.join("\n"), Some(reloaded.difference))
    }
}

/// What the operator is told who ends the server for a restart.
fn restarting(plane: &Plane) -> String {
    let current = plane.current();
    let clients = current.config.clients.iter();
    let times = clients
        .map(|client| client.graceful_restart_s)
        .filter(|time_s| *time_s > 0);
    match times.min() {
        Some(time_s) => format!(
            "ending; clients that speak graceful restart keep our routes if the server is back, and their sessions \
             are, within {time_s} s"
        ),
        None => "ending; no client keeps our routes: graceful_restart_s is 0".to_owned(),
    }
}

async fn perform(plane: &Arc<Plane>, request: Request) -> Result<Response, ChangeError> {
    let (client, verb) = match request {
        Request::Reload => return reload(plane, ReloadOptions::default()).await,
        Request::ReloadWith(options) => return reload(plane, options).await,
        Request::ConfirmReload => return Ok(Response::well(plane.confirm().await?, None)),
        Request::Drain { undo } => return Ok(Response::well(plane.drain(!undo).await?, None)),
        Request::Dump => {
            let dumped = plane.dump_now().await;
            let dumped = dumped.map_err(|error| ChangeError::Refused(error.to_string()))?;
            return Ok(Response::well(dumped.to_string(), None));
        }
        Request::Stop => return Ok(Response::well("ending".to_owned(), None)),
        Request::StopForRestart => return Ok(Response::well(restarting(plane), None)),
        Request::Disable { message, .. } | Request::Reset { message, .. }
            if message.len() > MESSAGE_LEN_MAX =>
        {
            return Err(ChangeError::Refused(format!(
                "the message has {} octets, RFC 9003 allows 255",
                message.len()
            )));
        }
        Request::Disable { client, message } => (client, Verb::Disable(message)),
        Request::Enable { client } => (client, Verb::Enable),
        Request::Reset { client, message } => (client, Verb::Reset(message)),
        Request::Refresh { client } => (client, Verb::Refresh),
        Request::Quarantine { client, on } => (client, Verb::Quarantine(on)),
    };
    let text = plane.change_client(&client, verb).await?;
    Ok(Response::well(text, None))
}
