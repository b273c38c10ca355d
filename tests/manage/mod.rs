//! The management plane over a data path whose shards are real and whose session cores are told what
//! to say: the API, the control socket, and the commands that use them.

mod advertised;
mod api;
mod bmp;
mod bmp_forms;
mod changes;
mod collector;
mod counts;
mod diff;
mod events;
mod exchange;
mod fake;
mod follow;
mod glass;
mod golden;
mod monitoring;
mod mrt;
mod openapi;
mod pages;
mod refused;
mod reloads;
mod report;
mod search;
mod shrink;
mod taken_back;
mod terminal;
mod trace;
mod vrp_files;
mod watchdog;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rialto::config::{Inputs, Overrides, compile, load};
use rialto::manage::{Doors, Plane, start_servers};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use fake::Fake;

/// A management plane in a thread of its own, over its configuration in a folder of its own.
pub struct Server {
    pub data: Arc<Fake>,
    pub api: SocketAddr,
    pub folder: TempDir,
    plane: Weak<Plane>,
    tokio: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub const HEAD: &str = "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\nlisten = [\"192.0.2.254:179\"]\n\
                        [cores]\nsessions = 1\nshards = 2\n[api]\nlisten = \"127.0.0.1:0\"\n";

pub const THREE: &str = "[[client]]\nasn = 10001\naddress = \"192.0.2.1\"\n[[client]]\nasn = 10002\naddress = \"192.0.2.2\"\n\
                         [[client]]\nasn = 10003\naddress = \"192.0.2.3\"\nname = \"third\"\n";

impl Server {
    pub fn start(clients: &str) -> Server {
        Server::start_as(HEAD, clients)
    }

    pub fn start_as(head: &str, clients: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rialto.toml");
        std::fs::write(&file, format!("{head}{clients}")).unwrap();
        let config = load(&file).unwrap();
        let exchange = Arc::new(compile(
            &config,
            &Overrides::default(),
            &Inputs::default(),
            None,
        ));
        let data = Arc::new(Fake::new(exchange.clone()));
        let (end, ended) = oneshot::channel();
        let (report, started) = std::sync::mpsc::channel();
        let path: Arc<Fake> = data.clone();
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            tokio.block_on(async {
                let doors = Doors::open(&config).await.unwrap();
                let api = doors.api_addresses()[0];
                let plane = Arc::new(Plane::new(config, exchange, path));
                let weak = Arc::downgrade(&plane);
                report.send((api, weak, Handle::current())).unwrap();
                let _servers = start_servers(&plane, doors);
                let _ = ended.await;
            });
        });
        let (api, plane, tokio) = started.recv().unwrap();
        Server {
            data,
            api,
            folder,
            plane,
            tokio,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// What `[irr] watch_s` does now and then; it is over when this returns.
    pub fn look_at_files(&self) {
        let plane = self.plane.upgrade().unwrap();
        let (done, is_done) = std::sync::mpsc::channel();
        self.tokio.spawn(async move {
            plane.take_files().await;
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("rialto.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("rialto.sock")
    }

    pub fn write_clients(&self, clients: &str) {
        std::fs::write(self.file(), format!("{HEAD}{clients}")).unwrap();
    }

    /// Status and body, which must be what the OpenAPI document says.
    pub fn get(&self, path: &str) -> (u16, String) {
        let (status, head, body) = self.ask_with(path, "");
        let body = String::from_utf8(body).unwrap();
        openapi::check(path, status, &head, &body);
        (status, body)
    }

    /// The status alone, for answers that do not end.
    pub fn ask_head(&self, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.api).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        String::from_utf8_lossy(&start[9..]).parse().unwrap()
    }

    /// Status, head in lower case, body. `fields` are lines of the request's head.
    pub fn ask_with(&self, path: &str, fields: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.api).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n"
        )
        .unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
        let body = octets.split_off(end.unwrap() + 4);
        let head = String::from_utf8(octets).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_chunked = head.contains("transfer-encoding: chunked");
        (
            status,
            head,
            if is_chunked { unchunked(&body) } else { body },
        )
    }

    /// Head and body; `headers` are whole lines.
    pub fn get_with(&self, path: &str, headers: &str) -> (String, String) {
        get(self.api, path, headers).unwrap()
    }

    /// A connection on which an answer has begun to come.
    pub fn begin(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.api).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A command that reads, or that finds the control socket over the API.
    pub fn rialto(&self, words: &[&str]) -> Output {
        let api = self.api.to_string();
        crate::cli::rialto(&[words, &["--api", &api]].concat())
    }

    /// Exit status, standard output and standard error of a command.
    pub fn says(&self, words: &[&str]) -> (i32, String) {
        let output = self.rialto(words);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }
}

/// Head and body of what is at an address.
pub fn get(from: SocketAddr, path: &str, headers: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(from)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    Ok((head.to_owned(), body.to_owned()))
}

/// RFC 9112 §7.1.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let len = std::str::from_utf8(&rest[..end]).unwrap();
        let len = usize::from_str_radix(len, 16).unwrap();
        body.extend(&rest[end + 2..][..len]);
        rest = &rest[end + 2 + len + 2..];
    }
    body
}

impl Server {
    /// Ends it, and looks at what it leaves.
    pub fn stop(mut self, look: impl FnOnce()) {
        self.end();
        look();
    }

    fn end(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            assert!(
                thread.join().is_ok() || std::thread::panicking(),
                "the management plane panicked"
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
