//! The runtime on loopback sockets, with a session core and a shard that echo.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests are the world outside, which has a clock"
)]

mod fakes;
mod keys;
mod life;
mod reload;
mod traffic;
mod whole;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rialto::runtime::{Runtime, RuntimeError, RuntimeOptions};
use rialto::server::exchange::Exchange;
use socket2::{Domain, Socket, Type};

use fakes::{EchoCore, EchoShard, pattern};

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn options() -> RuntimeOptions {
    RuntimeOptions {
        pin: false,
        // The machine may be busy with much else.
        goodbye_max: PATIENCE,
        end_max: PATIENCE,
        ..RuntimeOptions::new(7)
    }
}

fn try_start(exchange: Exchange, options: RuntimeOptions) -> Result<Runtime, RuntimeError> {
    Runtime::start_steps::<EchoCore, EchoShard>(Arc::new(exchange), options)
}

fn start(exchange: Exchange) -> (Runtime, SocketAddr) {
    start_with(exchange, options())
}

fn start_with(exchange: Exchange, options: RuntimeOptions) -> (Runtime, SocketAddr) {
    let runtime = try_start(exchange, options).expect("the runtime starts");
    let address = runtime.handle().listen_addresses()[0];
    (runtime, address)
}

/// What the management plane runs on.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn shut_down(runtime: Runtime) {
    assert!(
        wait_for(runtime.shutdown("test over", false)),
        "sessions and threads end in time"
    );
}

/// A socket of client `index`, not connected yet.
fn socket(index: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::new(IpAddr::V4(fakes::address_of(index)), 0).into())
        .unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn connect(index: u16, server: SocketAddr) -> TcpStream {
    let socket = socket(index);
    socket.connect_timeout(&server.into(), PATIENCE).unwrap();
    socket.into()
}

/// Sends octets and waits for as many of the pattern, from `position` on.
fn echo(stream: &mut TcpStream, position: u64, count: usize) -> io::Result<()> {
    stream.write_all(&vec![0; count])?;
    expect_pattern(stream, position, count)
}

fn expect_pattern(stream: &mut impl Read, position: u64, count: usize) -> io::Result<()> {
    let mut octets = vec![0; count];
    stream.read_exact(&mut octets)?;
    let wrong = octets
        .iter()
        .zip(position..)
        .find(|(octet, position)| **octet != pattern(*position));
    assert_eq!(wrong, None, "the stream is whole and in order");
    Ok(())
}
