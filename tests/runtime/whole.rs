//! The real session core and shard on the runtime, and synthetic clients that check what they get.

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use rialto::config::{self, Inputs, Overrides};
use rialto::load;
use rialto::load::args::LoadArgs;
use rialto::runtime::Runtime;
use tempfile::TempDir;

use super::*;

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    load: LoadArgs,
}

/// Runs `rialto load` with `words` against a server of so many cores and shards.
fn converges(cores: u16, shards: u16, words: &[&str]) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("rialto.toml");
    let mut words: Vec<&str> = ["load", "--settle", "300", "--timeout", "60"]
        .iter()
        .chain(words)
        .copied()
        .collect();
    let mut load = Words::parse_from(&words).load;
    load.write_config = Some(file.clone());
    assert!(load::run(&load).unwrap());
    let (runtime, server) = start_server(&file, cores, shards);
    let target = server.to_string();
    words.extend(["--target", &target]);
    assert!(
        load::run(&Words::parse_from(&words).load).unwrap(),
        "every client has what it is owed"
    );
    shut_down(runtime);
}

fn start_server(file: &Path, cores: u16, shards: u16) -> (Runtime, SocketAddr) {
    let mut config = config::load(file).expect("the configuration is right");
    (config.cores.sessions, config.cores.shards) = (cores, shards);
    let mut exchange = config::compile(&config, &Overrides::default(), &Inputs::default(), None);
    exchange.listen = vec!["127.0.0.1:0".parse().unwrap()];
    let runtime = Runtime::start(Arc::new(exchange), options()).expect("the runtime starts");
    let server = runtime.handle().listen_addresses()[0];
    (runtime, server)
}

#[test]
fn one_core_and_one_shard_converge() {
    converges(1, 1, &["--clients", "20", "--prefixes", "2000"]);
}

#[test]
fn three_cores_and_two_shards_converge_in_both_families() {
    converges(
        3,
        2,
        &[
            "--clients",
            "21",
            "--prefixes",
            "2000",
            "--family",
            "both",
            "--add-path-clients",
            "4",
        ],
    );
}

#[test]
fn clients_that_flap_and_clients_that_do_not_read_harm_nobody() {
    let common = ["--clients", "12", "--prefixes", "3000", "--affected", "3"];
    converges(2, 2, &[&common[..], &["--scenario", "flap"]].concat());
    converges(
        2,
        2,
        &[&common[..], &["--scenario", "slow", "--duration", "3"]].concat(),
    );
}

/// OPEN of client 0: AS 10000, hold time 90 s, no capability but four-octet ASNs and IPv4 unicast.
const OPEN: [u8; 45] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0, 45, 1, 4, 0x27, 0x10, 0, 90, 127, 77, 1, 1, 16, 2, 14, 1, 4, 0, 1, 0, 1, 65, 4, 0, 0, 0x27,
    0x10, 2, 0,
];

#[test]
fn an_established_session_ends_with_administrative_shutdown_and_its_words() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("rialto.toml");
    let mut load = Words::parse_from(["load", "--clients", "2"]).load;
    load.write_config = Some(file.clone());
    assert!(load::run(&load).unwrap());
    let (runtime, server) = start_server(&file, 1, 1);
    let mut stream = connect(0, server);
    stream.write_all(&OPEN).unwrap();
    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    stream.write_all(&keepalive).unwrap();
    // The answer: OPEN, KEEPALIVE.
    assert_eq!([message(&mut stream)[0], message(&mut stream)[0]], [1, 4]);
    assert!(wait_for(runtime.shutdown("back at six", false)));
    let last = std::iter::repeat_with(|| message(&mut stream))
        .find(|message| message[0] == 3)
        .unwrap();
    assert_eq!(
        last[..3],
        [3, 6, 2],
        "NOTIFICATION, Cease, Administrative Shutdown"
    );
    assert_eq!(&last[4..], b"back at six");
    assert_eq!(
        stream.read(&mut [0]).unwrap(),
        0,
        "and the connection ends, without a reset"
    );
}

/// Type and body of the next message.
fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 18];
    stream.read_exact(&mut head).unwrap();
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[16], head[17]])) - 18];
    stream.read_exact(&mut rest).unwrap();
    rest
}
