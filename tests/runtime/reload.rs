//! Reloads of a server that runs: looked at before, taken back, and what its clients hear of it.

use std::net::Shutdown;
use std::path::Path;

use rialto::config::{self, Inputs, Overrides};
use rialto::manage::{Plane, ReloadOptions};
use rialto::runtime::Runtime;
use tempfile::TempDir;

use super::*;

const CLIENTS: &str = "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\nlisten = [\"127.0.0.1:179\"]\n\
                       [cores]\nsessions = 2\nshards = 2\n[startup]\nwait = false\n[defaults.import]\npreset = \"lab\"\n\
                       [[client]]\nasn = 10000\naddress = \"127.77.1.1\"\n\
                       [[client]]\nasn = 10001\naddress = \"127.77.1.2\"\n";

/// Its black list is nobody's concern but that of the first client.
const BLACK: &str = "[client.import]\nblack_list_prefixes = [\"203.0.113.0/24\"]\n";

fn write(file: &Path, first: &str) {
    let second = CLIENTS.rfind("[[client]]").unwrap();
    let (head, tail) = CLIENTS.split_at(second);
    std::fs::write(file, format!("{head}{first}{tail}")).unwrap();
}

/// OPEN of client `index`: AS 10000 + index, four-octet ASNs, IPv4 unicast.
fn open(index: u8) -> Vec<u8> {
    let asn = 0x10 + index;
    let body = [
        &[4, 0x27, asn, 0, 90, 127, 77, 1, 1 + index, 16, 2, 14][..],
        &[1, 4, 0, 1, 0, 1, 65, 4, 0, 0, 0x27, asn, 2, 0],
    ];
    message_of(1, &body.concat())
}

/// 203.0.113.0/24 by client 0.
fn announcement() -> Vec<u8> {
    let attributes = [
        &[0x40, 1, 1, 0][..],
        &[0x40, 2, 6, 2, 1, 0, 0, 0x27, 0x10],
        &[0x40, 3, 4, 127, 77, 1, 1],
    ]
    .concat();
    let len = attributes.len() as u8;
    message_of(
        2,
        &[&[0, 0, 0, len][..], &attributes, &[24, 203, 0, 113]].concat(),
    )
}

fn message_of(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = 19 + body.len() as u16;
    [&[0xff; 16][..], &len.to_be_bytes(), &[kind], body].concat()
}

/// An established session.
fn establish(index: u8, server: SocketAddr) -> TcpStream {
    let mut stream = connect(index.into(), server);
    stream.write_all(&open(index)).unwrap();
    stream.write_all(&message_of(4, &[])).unwrap();
    stream
}

/// Returns when the server knows of it: until then it would refuse the same client.
fn hang_up(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// The body of the next UPDATE but End-of-RIB.
fn update(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 19];
        stream.read_exact(&mut head).unwrap();
        let len = usize::from(u16::from_be_bytes([head[16], head[17]])) - 19;
        let mut body = vec![0; len];
        stream.read_exact(&mut body).unwrap();
        if head[18] == 2 && body != [0; 4] {
            return body;
        }
    }
}

fn announced(body: &[u8]) -> bool {
    body.ends_with(&[24, 203, 0, 113]) && body[..2] == [0, 0]
}

fn start_plane(file: &Path) -> (Runtime, Arc<Plane>, SocketAddr) {
    let config = config::load(file).expect("the configuration is right");
    let compiled = config::compile(&config, &Overrides::default(), &Inputs::default(), None);
    let mut exchange = compiled;
    exchange.listen = vec!["127.0.0.1:0".parse().unwrap()];
    let exchange = Arc::new(exchange);
    let runtime = Runtime::start(exchange.clone(), options()).expect("the runtime starts");
    let server = runtime.handle().listen_addresses()[0];
    let data = Arc::new(runtime.handle().clone());
    (
        runtime,
        Arc::new(Plane::new(config, exchange, data)),
        server,
    )
}

#[test]
fn a_dry_run_sees_what_is_announced_and_a_reload_without_confirmation_comes_and_goes() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("rialto.toml");
    write(&file, "");
    let (runtime, plane, server) = start_plane(&file);
    let mut first = establish(0, server);
    let mut second = establish(1, server);
    first.write_all(&announcement()).unwrap();
    assert!(announced(&update(&mut second)));

    write(&file, BLACK);
    let dry = ReloadOptions {
        dry_run: true,
        ..ReloadOptions::default()
    };
    let reloaded = wait_for(plane.reload(&dry)).expect("it can be looked at");
    let found = reloaded.rehearsal.expect("it was asked for");
    assert_eq!(
        (
            found.accepted,
            found.served,
            found.newly_rejected,
            found.lost
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(found.announcers[0].client, "AS10000-1");
    assert_eq!(found.announcers[0].why[0].reason, "client_black_list");
    assert_eq!(found.receivers[0].client, "AS10001-1");

    let for_a_while = ReloadOptions {
        confirm_s: Some(1),
        ..ReloadOptions::default()
    };
    wait_for(async {
        let reloaded = plane.reload(&for_a_while).await.expect("it can be done");
        assert_eq!(reloaded.confirm_s, Some(1));
        while plane.confirmation_left().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let withdrawal = [0, 4, 24, 203, 0, 113, 0, 0];
    assert_eq!(update(&mut second), withdrawal);
    assert!(announced(&update(&mut second)), "it is back");
    shut_down(runtime);
}

#[test]
fn a_dry_run_does_not_take_its_vrp_files_into_use() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("rialto.toml");
    write(&file, "");
    let (runtime, plane, server) = start_plane(&file);
    let mut first = establish(0, server);
    let mut second = establish(1, server);
    first.write_all(&announcement()).unwrap();
    assert!(announced(&update(&mut second)));
    let roas = "{\"roas\": [{\"prefix\": \"203.0.0.0/16\", \"maxLength\": 24, \"asn\": 7}]}";
    std::fs::write(dir.path().join("vrps.json"), roas).unwrap();
    let checked = CLIENTS.replace(
        "preset = \"lab\"",
        "preset = \"lab\"\nrpki_invalid = true\n[rpki]\nvrp_files = [\"vrps.json\"]",
    );
    std::fs::write(&file, checked).unwrap();
    let mut options = ReloadOptions {
        dry_run: true,
        ..ReloadOptions::default()
    };
    let reloaded = wait_for(plane.reload(&options)).expect("it can be looked at");
    let found = reloaded.rehearsal.expect("it was asked for");
    assert_eq!(found.announcers[0].why[0].reason, "rpki_invalid");
    assert!(plane.feeds().files().is_empty());
    options.dry_run = false;
    wait_for(plane.reload(&options)).expect("it can be done");
    assert_eq!(plane.feeds().files().len(), 1);
    shut_down(runtime);
}

#[test]
fn what_a_draining_server_sends_has_graceful_shutdown() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("rialto.toml");
    write(&file, "");
    let (runtime, plane, server) = start_plane(&file);
    let mut first = establish(0, server);
    let mut second = establish(1, server);
    first.write_all(&announcement()).unwrap();
    let before = update(&mut second);
    let community = [0xc0, 8, 4, 0xff, 0xff, 0, 0];
    let has_it = |body: &[u8]| body.windows(community.len()).any(|part| part == community);
    assert!(announced(&before) && !has_it(&before));
    wait_for(plane.drain(true)).expect("it can drain");
    let after = update(&mut second);
    assert!(announced(&after) && has_it(&after), "{after:02x?}");
    hang_up(second);
    let mut second = establish(1, server);
    let anew = update(&mut second);
    assert!(announced(&anew) && has_it(&anew), "a new session too");
    wait_for(plane.drain(false)).expect("it can be undone");
    assert_eq!(update(&mut second), before);
    shut_down(runtime);
}
