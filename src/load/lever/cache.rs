//! An RTR cache (RFC 8210, and as 8210bis has it) that says what it is told to, and when it had said it.
//! A thread for each connection; it holds the last change, and asks for a reset by whoever is behind that.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::base::Time;
use crate::load::clock::Clock;
use crate::load::outside::Vrp;

const SESSION: u16 = 0x7a11;
/// Refresh, retry and expire (RFC 8210 §6), seconds.
const INTERVALS_S: [u32; 3] = [3600, 600, 7200];
const SERIAL_NOTIFY: u8 = 0;
const SERIAL_QUERY: u8 = 1;
const RESET_QUERY: u8 = 2;
const CACHE_RESPONSE: u8 = 3;
const END_OF_DATA: u8 = 7;
const CACHE_RESET: u8 = 8;
/// Enough of a query, and of an Error Report.
const PDU_LEN_MAX: usize = 64 << 10;

pub struct Cache {
    shared: Arc<Shared>,
    /// By whether routes are rejected; the first is in force until a turn.
    states: [Arc<[Vrp]>; 2],
    address: SocketAddr,
}

struct Shared {
    held: Mutex<Held>,
    connections: Mutex<Vec<Arc<Mutex<Connection>>>>,
    is_over: AtomicBool,
    clock: Clock,
}

struct Held {
    serial: u32,
    vrps: Arc<[Vrp]>,
    /// Since the serial before.
    change: Arc<Change>,
    /// When somebody had been told all of this serial.
    said_at: Option<Time>,
}

#[derive(Default)]
struct Change {
    gone: Vec<Vrp>,
    new: Vec<Vrp>,
}

struct Connection {
    stream: TcpStream,
    /// Of its queries, once there was one.
    version: Option<u8>,
}

impl Cache {
    /// Serves `first` until something else is prepared.
    pub fn start(address: SocketAddr, clock: Clock, first: Vec<Vrp>) -> io::Result<Cache> {
        let listener = TcpListener::bind(address).map_err(|error| {
            let why = format!("the RTR cache cannot listen on {address}: {error}; see --rtr-cache");
            io::Error::new(error.kind(), why)
        })?;
        let address = listener.local_addr()?;
        let first: Arc<[Vrp]> = first.into();
        let shared = Arc::new(Shared {
            held: Mutex::new(Held {
                serial: 1,
                vrps: first.clone(),
                change: Arc::default(),
                said_at: None,
            }),
            connections: Mutex::default(),
            is_over: AtomicBool::new(false),
            clock,
        });
        let serving = shared.clone();
        thread::spawn(move || accept(&listener, &serving));
        Ok(Cache {
            shared,
            states: [first.clone(), first],
            address,
        })
    }

    /// What is in force where nothing is rejected, and where something is.
    pub fn set_states(&mut self, accepts: Vec<Vrp>, rejects: Vec<Vrp>) {
        self.states = [accepts.into(), rejects.into()];
    }

    /// Holds this from now on; nobody is told yet. Returns how many VRPs have gone or come.
    pub fn prepare(&mut self, rejects: bool) -> usize {
        let next = self.states[usize::from(rejects)].clone();
        let before = lock(&self.shared.held).vrps.clone();
        let change = Change::between(&before, &next);
        let count = change.gone.len() + change.new.len();
        let mut held = lock(&self.shared.held);
        held.serial += 1;
        held.vrps = next;
        held.change = Arc::new(change);
        held.said_at = None;
        count
    }

    /// A Serial Notify to each who is connected.
    pub fn notify(&self) {
        let serial = lock(&self.shared.held).serial;
        for connection in lock(&self.shared.connections).iter() {
            let mut connection = lock(connection);
            if let Some(version) = connection.version {
                let notify = pdu(version, SERIAL_NOTIFY, SESSION, &[serial]);
                // One that has gone will be noticed by its own thread.
                let _ = connection.stream.write_all(&notify);
            }
        }
    }

    /// When the last PDU of what is held now had been written to whoever asked first.
    pub fn said_at(&self) -> Option<Time> {
        lock(&self.shared.held).said_at
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for connection in lock(&self.shared.connections).drain(..) {
            let _ = lock(&connection).stream.shutdown(std::net::Shutdown::Both);
        }
        // Wakes whoever waits for the next one.
        let _ = TcpStream::connect(self.address);
    }
}

impl Change {
    /// Both ascending.
    fn between(before: &[Vrp], now: &[Vrp]) -> Change {
        let missing = |from: &[Vrp], of: &[Vrp]| {
            let all = from.iter().filter(|vrp| of.binary_search(vrp).is_err());
            all.copied().collect()
        };
        Change {
            gone: missing(before, now),
            new: missing(now, before),
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        thread::spawn(move || {
            let _ = converse(stream, &shared);
        });
    }
}

/// Until either side has had enough.
fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = Arc::new(Mutex::new(Connection {
        stream: stream.try_clone()?,
        version: None,
    }));
    lock(&shared.connections).push(connection.clone());
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let [version, kind, _, _, a, b, c, d] = header;
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(header.len()..=PDU_LEN_MAX).contains(&len) {
            return Ok(());
        }
        let mut body = vec![0; len - header.len()];
        stream.read_exact(&mut body)?;
        let since = match (kind, body.first_chunk()) {
            (SERIAL_QUERY, Some(serial)) => Some(u32::from_be_bytes(*serial)),
            (RESET_QUERY, _) => None,
            _ => return Ok(()),
        };
        let mut connection = lock(&connection);
        connection.version = Some(version);
        answer(&mut connection.stream, shared, version, since)?;
    }
}

fn answer(
    stream: &mut TcpStream,
    shared: &Shared,
    version: u8,
    since: Option<u32>,
) -> io::Result<()> {
    let (serial, vrps, change) = {
        let held = lock(&shared.held);
        (held.serial, held.vrps.clone(), held.change.clone())
    };
    let mut out = pdu(version, CACHE_RESPONSE, SESSION, &[]);
    match since {
        Some(since) if since == serial => {}
        Some(since) if since + 1 == serial => {
            change
                .gone
                .iter()
                .for_each(|vrp| vrp.pdu(version, false, &mut out));
            change
                .new
                .iter()
                .for_each(|vrp| vrp.pdu(version, true, &mut out));
        }
        Some(_) => return stream.write_all(&pdu(version, CACHE_RESET, 0, &[])),
        None => vrps.iter().for_each(|vrp| vrp.pdu(version, true, &mut out)),
    }
    let [refresh, retry, expire] = INTERVALS_S;
    let end = match version {
        0 => pdu(version, END_OF_DATA, SESSION, &[serial]),
        _ => pdu(
            version,
            END_OF_DATA,
            SESSION,
            &[serial, refresh, retry, expire],
        ),
    };
    stream.write_all(&out)?;
    // Before, as what follows from it may happen before this thread runs again.
    let mut held = lock(&shared.held);
    if held.serial == serial {
        held.said_at.get_or_insert(shared.clock.now());
    }
    drop(held);
    stream.write_all(&end)
}

fn pdu(version: u8, kind: u8, field: u16, words: &[u32]) -> Vec<u8> {
    let mut octets = vec![version, kind];
    octets.extend(field.to_be_bytes());
    octets.extend((8 + 4 * words.len() as u32).to_be_bytes());
    octets.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    octets
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vrp(third: u8) -> Vrp {
        Vrp {
            prefix: format!("20.1.{third}.0/24").parse().unwrap(),
            max_len: 24,
            asn: 64496,
        }
    }

    fn vrps(thirds: std::ops::Range<u8>) -> Vec<Vrp> {
        thirds.map(vrp).collect()
    }

    /// Kind, first flag octet and third octet of the prefix of each PDU, up to the end of data or what
    /// is sent in its place.
    fn hear(stream: &mut TcpStream) -> Vec<(u8, u8, u8)> {
        let mut heard = Vec::new();
        loop {
            let mut header = [0; 8];
            stream.read_exact(&mut header).unwrap();
            let len = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
            let mut body = vec![0; len - 8];
            stream.read_exact(&mut body).unwrap();
            let octet = |at: usize| body.get(at).copied().filter(|_| header[1] == 4);
            heard.push((header[1], octet(0).unwrap_or(0), octet(6).unwrap_or(0)));
            if [SERIAL_NOTIFY, END_OF_DATA, CACHE_RESET].contains(&header[1]) {
                return heard;
            }
        }
    }

    #[test]
    fn a_router_gets_everything_then_what_changed_and_a_reset_when_it_is_behind() {
        let nowhere = "127.0.0.1:0".parse().unwrap();
        let mut cache = Cache::start(nowhere, Clock::start(), vrps(0..1)).unwrap();
        cache.set_states(vrps(1..4), vrps(2..5));
        let mut router = TcpStream::connect(cache.address).unwrap();
        let mut ask = |query: &[u8]| {
            router.write_all(query).unwrap();
            hear(&mut router)
        };
        let serial = |serial: u32| pdu(1, SERIAL_QUERY, SESSION, &[serial]);
        let start = (CACHE_RESPONSE, 0, 0);
        let end = (END_OF_DATA, 0, 0);
        let all = ask(&pdu(1, RESET_QUERY, 0, &[]));
        assert_eq!(all, [start, (4, 1, 0), end]);
        assert!(cache.said_at().is_some());
        assert_eq!(cache.prepare(false), 4, "one goes, three come");
        assert_eq!(cache.said_at(), None);
        let change = [(4, 0, 0), (4, 1, 1), (4, 1, 2), (4, 1, 3)];
        assert_eq!(ask(&serial(1)), [&[start], &change[..], &[end]].concat());
        assert!(cache.said_at().is_some());
        assert_eq!(cache.prepare(true), 2);
        assert_eq!(ask(&serial(1)), [(CACHE_RESET, 0, 0)]);
        assert_eq!(ask(&serial(3)), [start, end]);
        cache.notify();
        assert_eq!(hear(&mut router), [(SERIAL_NOTIFY, 0, 0)]);
    }
}
