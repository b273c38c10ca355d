//! Listening and session sockets: bound, keyed and set up before anything runs on them.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::server::exchange::{Client, Exchange, Secret};

use super::RuntimeError;
use super::sys;

const BACKLOG: i32 = 4096;
const BIND_RETRIES: u32 = 100;
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// The listening sockets and the TCP MD5 keys that are on them.
pub struct Listeners {
    sockets: Vec<(SocketAddr, TcpListener)>,
    keys: HashMap<IpAddr, Secret>,
    unkeyed: Arc<Unkeyed>,
}

/// Clients whose TCP MD5 key is configured but not on every listener, with why. Their connections
/// are refused: a listener without the key, or with the one before, takes what is not signed as
/// the operator says.
pub type Unkeyed = HashMap<IpAddr, String>;

impl Listeners {
    /// Binds all of `exchange.listen` and sets the keys of all clients.
    pub fn bind(exchange: &Exchange) -> Result<Listeners, RuntimeError> {
        let mut sockets = Vec::with_capacity(exchange.listen.len());
        for &address in &exchange.listen {
            let socket =
                listen_patiently(address).map_err(|error| RuntimeError::Bind { address, error })?;
            sockets.push((socket.local_addr().unwrap_or(address), socket));
        }
        let mut listeners = Listeners {
            sockets,
            keys: HashMap::new(),
            unkeyed: Arc::default(),
        };
        match listeners.update(exchange).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(listeners),
        }
    }

    /// Where they listen; ports that were 0 are known by now.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    /// Further descriptors of the same sockets, for the executor that accepts.
    pub fn duplicate(&self) -> io::Result<Vec<TcpListener>> {
        self.sockets
            .iter()
            .map(|(_, socket)| socket.try_clone())
            .collect()
    }

    /// Whose connections are to be refused, as of the last update.
    pub fn unkeyed(&self) -> Arc<Unkeyed> {
        Arc::clone(&self.unkeyed)
    }

    /// Brings keys and TTL to what `exchange` says; goes on after an error.
    pub fn update(&mut self, exchange: &Exchange) -> Vec<RuntimeError> {
        let wanted: HashMap<IpAddr, Secret> = exchange
            .clients()
            .filter_map(|client| Some((client.address, client.password.clone()?)))
            .collect();
        // Of those without all their keys, some listeners may have one.
        let gone: Vec<IpAddr> = (self.keys.keys().chain(self.unkeyed.keys()))
            .filter(|peer| !wanted.contains_key(peer))
            .copied()
            .collect();
        for peer in gone {
            self.keys.remove(&peer);
            self.of_family(peer)
                .for_each(|(_, socket)| drop(sys::set_md5_key(socket, peer, &[])));
        }
        let mut errors = Vec::new();
        let mut unkeyed = Unkeyed::new();
        let wanted_count = wanted.len();
        for (peer, key) in wanted {
            if self.keys.get(&peer) != Some(&key) {
                match self.set_key(peer, &key, wanted_count) {
                    Ok(()) => drop(self.keys.insert(peer, key)),
                    Err(error) => {
                        unkeyed.insert(peer, error.to_string());
                        errors.push(error);
                    }
                }
            }
        }
        self.unkeyed = Arc::new(unkeyed);
        self.update_ttl(exchange);
        errors
    }

    fn set_key(&self, peer: IpAddr, key: &Secret, wanted_count: usize) -> Result<(), RuntimeError> {
        for (listener, socket) in self.of_family(peer) {
            sys::set_md5_key(socket, peer, key.expose()).map_err(|error| {
                let set_count = self
                    .keys
                    .keys()
                    .filter(|other| other.is_ipv4() == peer.is_ipv4())
                    .count();
                RuntimeError::Md5Key {
                    peer,
                    listener: *listener,
                    set_count,
                    wanted_count,
                    error,
                }
            })?;
        }
        Ok(())
    }

    fn of_family(&self, peer: IpAddr) -> impl Iterator<Item = &(SocketAddr, TcpListener)> {
        self.sockets
            .iter()
            .filter(move |(address, _)| address.is_ipv4() == peer.is_ipv4())
    }

    /// SYN/ACKs to clients with TTL security need the full TTL. Where all clients of a family have
    /// it, their listeners drop what comes from afar, and accepted sockets begin with that; where
    /// not all have, it holds for those who do from just after they are accepted.
    fn update_ttl(&self, exchange: &Exchange) {
        for (address, socket) in &self.sockets {
            let ipv6 = address.is_ipv6();
            let clients = || {
                exchange
                    .clients()
                    .filter(|client| client.address.is_ipv6() == ipv6)
            };
            let result = match clients()
                .filter_map(|client| client.ttl_security_hops)
                .max()
            {
                None => sys::set_least_ttl(socket, ipv6, 0),
                Some(hops) => {
                    let all = clients().all(|client| client.ttl_security_hops.is_some());
                    let least = if all { least_ttl(hops) } else { 0 };
                    sys::set_ttl_255(socket, ipv6)
                        .and_then(|()| sys::set_least_ttl(socket, ipv6, least))
                }
            };
            if let Err(error) = result {
                tracing::warn!(%address, %error, "cannot set TTL security on a listener");
            }
        }
    }
}

/// Of what comes from at most so many hops away (RFC 5082 §3); a neighbour is one hop away.
fn least_ttl(hops: u8) -> u8 {
    255 - hops.saturating_sub(1)
}

/// The sockets of a server that was killed outlive it until the kernel has taken down its rings; the
/// one that is started in its place waits for that.
fn listen_patiently(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 0..BIND_RETRIES {
        match listen(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                std::thread::sleep(BIND_PAUSE)
            }
            other => return other,
        }
    }
    listen(address)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Starts to connect to a client, from the address that the server listens on. The result becomes
/// writable when the connection stands or has failed.
pub fn connect(exchange: &Exchange, client: &Client, remote: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    if let Some(key) = &client.password {
        sys::set_md5_key(&socket, remote.ip(), key.expose())?;
    }
    if !set_session_options(&socket, client) {
        return Err(io::Error::other(
            "TTL security is configured and cannot be set",
        ));
    }
    let own = exchange
        .listen
        .iter()
        .find(|own| own.is_ipv4() == remote.is_ipv4() && !own.ip().is_unspecified());
    if let Some(own) = own {
        socket.bind(&SocketAddr::new(own.ip(), 0).into())?;
    }
    match socket.connect(&remote.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// Nagle off, GTSM and congestion control as the client is configured. What the kernel refuses is
/// logged. `false`: GTSM was refused, and the session must not run without it.
#[must_use]
pub fn set_session_options(socket: &impl AsRawFd, client: &Client) -> bool {
    let fd = sys::borrow(socket);
    let options = SockRef::from(&fd);
    let refused = |what: &str, error: io::Error| tracing::warn!(client = client.name.as_str(), %error, "cannot set {what}");
    if let Err(error) = options.set_tcp_nodelay(true) {
        refused("TCP_NODELAY", error);
    }
    if let Some(name) = &client.congestion_control
        && let Err(error) = options.set_tcp_congestion(name.as_bytes())
    {
        refused("the congestion control", error);
    }
    if let Some(hops) = client.ttl_security_hops
        && let Err(error) = set_ttl_security(socket, client.address.is_ipv6(), hops)
    {
        refused("TTL security", error);
        return false;
    }
    true
}

fn set_ttl_security(socket: &impl AsRawFd, ipv6: bool, hops: u8) -> io::Result<()> {
    sys::set_ttl_255(socket, ipv6)?;
    sys::set_least_ttl(socket, ipv6, least_ttl(hops))
}
