//! The other end of a session: a socket, a thread that reads and remembers, and a writer that says
//! whatever a test wants.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rialto::base::Prefix;
use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;
use super::octets::*;

/// What came over a connection so far.
#[derive(Default, Debug)]
pub struct Heard {
    pub table: Table,
    /// Prefixes that were ever withdrawn.
    pub withdrawn: BTreeSet<Prefix>,
    pub has_open: bool,
    pub keepalives: u32,
    pub ends_of_rib: u32,
    pub refreshes: u32,
    pub notification: Option<(u8, u8, Vec<u8>)>,
    /// The connection is over.
    pub is_closed: bool,
    /// Nothing is read meanwhile.
    is_paused: bool,
}

pub struct Speaker {
    stream: TcpStream,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

/// A socket with that source address.
pub fn connect(from: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket_of(from)?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    Ok(socket.into())
}

fn socket_of(from: Ipv4Addr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

impl Speaker {
    /// Connects and says nothing.
    pub fn connect(from: Ipv4Addr, server: SocketAddr) -> Speaker {
        Speaker::over(connect(from, server).expect("the server accepts"))
    }

    /// One whose kernel keeps little of what it does not read.
    pub fn connect_small(from: Ipv4Addr, server: SocketAddr) -> Speaker {
        let socket = socket_of(from).unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        socket.connect_timeout(&server.into(), PATIENCE).unwrap();
        Speaker::over(socket.into())
    }

    fn over(stream: TcpStream) -> Speaker {
        let heard = Arc::new((Mutex::default(), Condvar::new()));
        let (of_reader, reads) = (Arc::clone(&heard), stream.try_clone().unwrap());
        std::thread::spawn(move || read_all(reads, &of_reader));
        Speaker { stream, heard }
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Best effort: the server may have ended the connection already.
    pub fn say(&mut self, octets: &[u8]) -> bool {
        self.stream.write_all(octets).is_ok()
    }

    /// One segment for each octet.
    pub fn say_slowly(&mut self, octets: &[u8]) {
        octets
            .iter()
            .for_each(|octet| self.stream.write_all(&[*octet]).unwrap());
    }

    /// Waits until what was heard is so; false: it never was.
    pub fn until(&self, so: impl Fn(&Heard) -> bool) -> bool {
        let since = Instant::now();
        let mut heard = self.heard();
        while !so(&heard) {
            let Some(left) = PATIENCE.checked_sub(since.elapsed()) else {
                return false;
            };
            let waited = self.heard.1.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub fn confirm(&mut self, asn: u16, router_id: Ipv4Addr) {
        self.confirm_with(&open(asn, router_id.octets()));
    }

    fn confirm_with(&mut self, open: &[u8]) {
        self.say(open);
        let answered = self.until(|heard| heard.has_open && heard.keepalives > 0);
        assert!(answered, "OPEN is answered: {:?}", self.heard());
    }

    pub fn establish(&mut self, asn: u16, router_id: Ipv4Addr) {
        self.confirm(asn, router_id);
        self.say(&keepalive());
    }

    /// With RFC 8654.
    pub fn establish_extended(&mut self, asn: u16, router_id: Ipv4Addr) {
        self.confirm_with(&open_extended(asn, router_id.octets()));
        self.say(&keepalive());
    }

    /// With RFC 4724.
    pub fn establish_graceful(&mut self, asn: u16, router_id: Ipv4Addr) {
        self.confirm_with(&open_graceful(asn, router_id.octets()));
        self.say(&keepalive());
    }

    pub fn pause(&self, is_paused: bool) {
        self.heard().is_paused = is_paused;
        self.heard.1.notify_all();
    }

    pub fn close(self) {
        // It may be closed by the other side.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// Ends with a TCP reset.
    pub fn reset(self) {
        let options = SockRef::from(&self.stream);
        options.set_linger(Some(Duration::ZERO)).unwrap();
        // The reader lets go of its end.
        let _ = self.stream.shutdown(std::net::Shutdown::Read);
    }
}

fn read_all(mut stream: TcpStream, heard: &(Mutex<Heard>, Condvar)) {
    let mut octets = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let paused = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(heard.1.wait_while(paused, |heard| heard.is_paused));
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        octets.extend_from_slice(&buffer[..count]);
        let mut heard_now = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = hear_whole(&octets, &mut heard_now);
        heard_now.is_closed = count == 0;
        drop(heard_now);
        heard.1.notify_all();
        octets.drain(..taken);
        if count == 0 {
            return;
        }
    }
}

/// Takes the whole messages; how many octets they had.
fn hear_whole(octets: &[u8], heard: &mut Heard) -> usize {
    let mut taken = 0;
    while let Some(head) = octets.get(taken..taken + 19) {
        assert_eq!(head[..16], [0xff; 16], "the server's messages have markers");
        let len = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let Some(body) = octets.get(taken + 19..taken + len) else {
            break;
        };
        hear(head[18], body, heard);
        taken += len;
    }
    taken
}

fn hear(kind: u8, body: &[u8], heard: &mut Heard) {
    match kind {
        OPEN => heard.has_open = true,
        KEEPALIVE => heard.keepalives += 1,
        ROUTE_REFRESH => heard.refreshes += 1,
        NOTIFICATION => heard.notification = Some((body[0], body[1], body[2..].to_vec())),
        UPDATE => {
            let (withdrawn, attributes, announced) = read_update(body);
            heard.ends_of_rib +=
                u32::from(withdrawn.is_empty() && announced.is_empty() && attributes.is_empty());
            for prefix in withdrawn {
                heard.table.remove(&prefix);
                heard.withdrawn.insert(prefix);
            }
            for prefix in announced {
                heard.table.insert(prefix, attributes.to_vec());
            }
        }
        kind => panic!("the server sent a message of type {kind}"),
    }
}
