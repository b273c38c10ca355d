//! The server's control socket, from outside: asks it to read its configuration again, and looks now
//! and then whether it has answered. Knows what goes over the socket, nothing of what comes of it.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

const RELOAD: &[u8] = b"{\"do\":\"reload\"}\n";

/// A reload that has been asked for.
pub struct Asked {
    socket: UnixStream,
    answer: Vec<u8>,
}

#[derive(serde::Deserialize)]
struct Answer {
    ok: bool,
    text: String,
}

impl Asked {
    pub fn reload(socket: &Path) -> io::Result<Asked> {
        let unreachable = |error: io::Error| {
            let why = format!(
                "cannot ask for a reload at {}: {error}; --control names the server's control socket",
                socket.display()
            );
            io::Error::new(error.kind(), why)
        };
        let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
        stream.write_all(RELOAD).map_err(unreachable)?;
        stream.set_nonblocking(true)?;
        Ok(Asked {
            socket: stream,
            answer: Vec::new(),
        })
    }

    /// Whether it is done; a server that says no is an error. Never waits.
    pub fn is_answered(&mut self) -> io::Result<bool> {
        let mut octets = [0; 4096];
        while !self.answer.ends_with(b"\n") {
            match self.socket.read(&mut octets) {
                Ok(0) => return Err(io::Error::other("the server ended the control session")),
                Ok(count) => self.answer.extend_from_slice(&octets[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let answer: Answer = serde_json::from_slice(&self.answer).map_err(io::Error::other)?;
        match answer.ok {
            true => Ok(true),
            false => Err(io::Error::other(format!(
                "the server refused the reload: {}",
                answer.text
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn asked(answer: &str) -> io::Result<bool> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let mut asked = Asked::reload(&path)?;
        assert!(!asked.is_answered()?, "nobody has answered yet");
        let (mut server, _) = listener.accept()?;
        let mut line = String::new();
        BufReader::new(server.try_clone()?).read_line(&mut line)?;
        assert_eq!(line.as_bytes(), RELOAD);
        for part in answer.as_bytes().chunks(7) {
            server.write_all(part)?;
        }
        drop(server);
        asked.is_answered()
    }

    #[test]
    fn an_answer_is_yes_or_an_error_that_says_why() {
        let cases = [
            ("{\"ok\":true,\"text\":\"2 clients changed\"}\n", None),
            (
                "{\"ok\":false,\"text\":\"rialto.toml:3: no such key\"}\n",
                Some("refused the reload: rialto.toml:3: no such key"),
            ),
            ("{\"ok\":true", Some("ended the control session")),
        ];
        for (answer, error) in cases {
            match (asked(answer), error) {
                (Ok(is_answered), None) => assert!(is_answered),
                (Err(said), Some(part)) => assert!(said.to_string().contains(part), "{said}"),
                (result, _) => panic!("{answer}: {result:?}"),
            }
        }
    }

    #[test]
    fn a_socket_that_is_not_there_is_named_with_the_remedy() {
        let error = Asked::reload(Path::new("/nowhere/rialto.sock"))
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(
            text.contains("/nowhere/rialto.sock") && text.contains("--control"),
            "{text}"
        );
    }
}
