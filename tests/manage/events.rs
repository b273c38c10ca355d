//! Server-sent events: what happens, in order, to those who listen.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rialto::base::ClientSlot;
use rialto::policy::RejectReason;
use rialto::server::query::{Tapped, TappedWhat};
use rialto::session::DownReason;
use rialto::wire::AttributeSet;
use rialto::wire::testing::SetBuilder;
use serde_json::{Value, json};

use super::fake::NOW;
use super::{Server, THREE, openapi};

struct Listener(BufReader<TcpStream>);

impl Listener {
    fn open(server: &Server, query: &str) -> Listener {
        let mut stream = TcpStream::connect(server.api).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(
            stream,
            "GET /api/v1/events?{query} HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        .unwrap();
        let mut listener = Listener(BufReader::new(stream));
        let head = listener.line();
        assert!(head.contains(" 200 "), "{head}");
        while listener.line() != ": events begin" {}
        listener
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn next(&mut self) -> Value {
        let mut name = None;
        loop {
            let line = self.line();
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                let value: Value = serde_json::from_str(data).unwrap();
                openapi::validate(&json!({"$ref": "#/components/schemas/Event"}), &value, data);
                assert_eq!(value["event"].as_str(), name.as_deref());
                return value;
            }
        }
    }

    /// Event, client, prefix.
    fn short(&mut self) -> String {
        let event = self.next();
        let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("event"), text("client"), text("prefix"))
    }
}

fn set(asn: u32) -> Arc<AttributeSet> {
    let set = SetBuilder::new().next_hop(Ipv4Addr::new(192, 0, 2, 1));
    set.as_path(&[asn, 7]).build()
}

fn server() -> Server {
    let server = Server::start(THREE);
    (0..3).for_each(|slot| server.data.up(slot));
    server.data.make_live(3);
    server
}

/// The reader has asked every thread, so that nothing from here on is before the beginning.
fn until_it_is_read(server: &Server) {
    let questions = || server.data.with(|state| state.questions);
    let before = questions();
    while questions() < before + 6 {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn down(server: &Server, slot: u16) {
    let slot = ClientSlot(slot);
    let what = TappedWhat::Down(DownReason::PeerClosed);
    server.data.with(|state| {
        state.tapped.push(Tapped {
            at: NOW,
            slot,
            what,
        })
    });
}

#[test]
fn those_who_listen_are_told_what_happens_to_sessions_and_routes() {
    let server = server();
    let mut all = Listener::open(&server, "kinds=sessions,routes,best");
    let mut second = Listener::open(&server, "client=AS10002-1");
    let mut third = Listener::open(&server, "client=third&kinds=advertised");
    until_it_is_read(&server);

    server.data.announce(0, "8.8.8.0/24", &set(10001), None);
    let heard = all.next();
    assert_eq!(
        (&heard["event"], &heard["client"], &heard["accepted"]),
        (&json!("announced"), &json!("AS10001-1"), &json!(true))
    );
    assert_eq!(heard["attributes"]["as_path"], "10001 7");
    assert_eq!(all.short(), "best AS10001-1 8.8.8.0/24");
    let sent = third.next();
    assert_eq!(
        (&sent["event"], &sent["client"]),
        (&json!("sent"), &json!("third"))
    );
    assert_eq!(sent["attributes"]["as_path"], "10001 7");

    let bogon = Some(RejectReason::BogonPrefix);
    server.data.announce(1, "10.0.0.0/8", &set(10002), bogon);
    let rejected = second.next();
    assert_eq!(
        (&rejected["accepted"], &rejected["reason"]),
        (&json!(false), &json!("bogon_prefix")),
        "the first client's is not told to who asked for the second's"
    );
    assert_eq!(all.short(), "announced AS10002-1 10.0.0.0/8");

    server.data.withdraw(0, "8.8.8.0/24");
    assert_eq!(all.short(), "withdrawn AS10001-1 8.8.8.0/24");
    assert_eq!(all.short(), "no_best - 8.8.8.0/24");
    assert_eq!(third.short(), "unsent third 8.8.8.0/24");

    down(&server, 0);
    down(&server, 1);
    assert_eq!(all.short(), "down AS10001-1 -");
    assert_eq!(all.short(), "down AS10002-1 -");
    let down = second.next();
    assert_eq!(
        (&down["event"], &down["client"]),
        (&json!("down"), &json!("AS10002-1"))
    );
    assert!(!down["text"].as_str().unwrap().is_empty());
}

#[test]
fn whoever_is_too_slow_is_told_so_and_hears_what_comes_after() {
    let server = server();
    let mut slow = Listener::open(&server, "kinds=sessions");
    until_it_is_read(&server);
    // More than sockets and the queue hold.
    for _ in 0..60_000 {
        down(&server, 0);
    }
    until_it_is_read(&server);
    let mut told = 0;
    while slow.next()["event"] != "missed" {
        told += 1;
        assert!(told < 60_000, "nothing was missed");
    }
    until_it_is_read(&server);
    down(&server, 2);
    while slow.next()["client"] != "third" {}
}

#[test]
fn what_cannot_be_listened_to_is_refused_with_the_reason() {
    let server = server();
    let cases = [
        (
            "kinds=nonsense",
            400,
            "none of sessions, routes, best, advertised",
        ),
        ("kinds=advertised", 400, "add client=NAME"),
        ("client=fourth", 404, "there is no client 'fourth'"),
        ("kind=routes", 400, "unknown field"),
    ];
    for (query, wanted, words) in cases {
        let (status, body) = server.get(&format!("/api/v1/events?{query}"));
        assert!(
            status == wanted && body.contains(words),
            "{query}: {status} {body}"
        );
    }
    let listeners = (0..32).map(|_| Listener::open(&server, "kinds=sessions"));
    let listeners = listeners.collect::<Vec<_>>();
    let (status, body) = server.get("/api/v1/events");
    assert!(
        status == 503 && body.contains("too many listen"),
        "{status} {body}"
    );
    drop(listeners);
    // Those who went away are noticed with the next event, or the next comment.
    let mut asked = 0;
    while server.ask_head("/api/v1/events") != 200 {
        down(&server, 0);
        asked += 1;
        assert!(asked < 1_000, "places do not become free");
        std::thread::sleep(Duration::from_millis(10));
    }
}
