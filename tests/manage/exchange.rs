//! A small exchange for the protocols of other looking glasses, and a client of HTTP for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rialto::policy::RejectReason;
use rialto::wire::code;
use rialto::wire::testing::SetBuilder;

use super::Server;

/// AS10001 has a session of each family, under one name, as IXP Manager has it. AS10002 is quarantined,
/// AS10004 disabled.
pub const CLIENTS: &str = r#"
[communities]
rpki_not_checked = ["rs_as:1000:4"]
[looking_glass]
max_routes = 4
[[client]]
asn = 10001
address = "192.0.2.1"
name = "first"
session_name = "pb_0001_as10001"
limits.ipv4.received_max = 100
[[client]]
asn = 10001
address = "2001:db8::1"
name = "first-v6"
session_name = "pb_0001_as10001"
[[client]]
asn = 10002
address = "192.0.2.2"
quarantine = true
[[client]]
asn = 10003
address = "192.0.2.3"
name = "third"
families = ["ipv4", "ipv6"]
next_hops = ["2001:db8::3"]
[[client]]
asn = 10004
address = "192.0.2.4"
disabled = true
[[client]]
asn = 10005
address = "192.0.2.5"
"#;

pub fn server() -> Server {
    let server = Server::start(CLIENTS);
    let data = &server.data;
    [0, 1, 2, 3, 5].into_iter().for_each(|slot| data.up(slot));
    data.make_live(6);
    let plain = SetBuilder::new()
        .as_path(&[10001])
        .med(5)
        .communities(&[(64_500, 64_500), (9, 9)])
        .large(&[(64_500, 102, 10_003)])
        .build();
    let hidden = SetBuilder::new()
        .as_path(&[10001, 7])
        .large(&[(64_500, 0, 10_003), (9, 8, 7)])
        .extended(&[[0, 2, 0, 9, 0, 0, 0, 8], [0x43, 0, 0, 0, 0, 0, 0, 1]])
        .build();
    let bogon = SetBuilder::new()
        .next_hop("192.0.2.99".parse::<std::net::Ipv4Addr>().unwrap())
        .as_path(&[10001, 7])
        .as_set(&[8, 9])
        .attribute(0x40, code::ATOMIC_AGGREGATE, [])
        .attribute(0xc0, code::AGGREGATOR, [0, 0, 39, 17, 192, 0, 2, 9])
        .build();
    let six = SetBuilder::new()
        .next_hop("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap())
        .as_path(&[10001])
        .attribute(0xc0, code::OTC, [0, 0, 39, 17])
        .build();
    let longer = SetBuilder::new()
        .next_hop("192.0.2.5".parse::<std::net::Ipv4Addr>().unwrap())
        .as_path(&[10005, 11])
        .build();
    let two = SetBuilder::new().as_path(&[10002]).build();
    let announce = |slot, prefix, set: &Arc<_>| data.announce(slot, prefix, set, None);
    announce(0, "203.0.113.0/24", &plain);
    announce(0, "198.51.100.0/24", &hidden);
    data.announce(0, "10.0.0.0/8", &bogon, Some(RejectReason::BogonPrefix));
    announce(1, "2001:db8:1::/48", &six);
    let quarantined = Some(RejectReason::Quarantined);
    data.announce(2, "203.0.113.128/25", &two, quarantined);
    announce(5, "203.0.113.0/24", &longer);
    data.with(|state| {
        state.core.startup_over = true;
        let counts = [
            ([3, 0], [2, 0]),
            ([0, 1], [0, 1]),
            ([1, 0], [0, 0]),
            ([0, 0], [0, 0]),
            ([0, 0], [0, 0]),
            ([1, 0], [1, 0]),
        ];
        for (status, (received, accepted)) in state.core.clients.iter_mut().zip(counts) {
            (status.received, status.accepted) = (received, accepted);
            status.four_octet = true;
        }
        let last = "the client closed the session: Administrative Shutdown";
        state.core.clients[4].last_error = Some(last.to_owned());
    });
    server
}

pub struct Fetched {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
    /// The body ended as it said it would.
    pub is_whole: bool,
}

impl Fetched {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

/// `headers` are lines.
pub fn fetch(server: &Server, path: &str, headers: &str) -> Fetched {
    let mut stream = TcpStream::connect(server.api).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).unwrap();
    let split = octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(octets[..split].to_vec()).unwrap();
    let body = &octets[split + 4..];
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let (body, is_whole) = match is_chunked {
        true => unchunked(body),
        false => (body.to_vec(), true),
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Fetched {
        status,
        head,
        body,
        is_whole,
    }
}

/// With whether the last chunk is there.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let len = std::str::from_utf8(&rest[..end]).unwrap();
        let len = usize::from_str_radix(len, 16).unwrap();
        if len == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + len) else {
            break;
        };
        body.extend(chunk);
        rest = &rest[end + 4 + len..];
    }
    (body, false)
}
