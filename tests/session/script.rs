//! A session under a script: the test plays peer, TCP and clock, and reads what came out as lines.

use std::net::Ipv4Addr;
use std::time::Duration;

use rialto::base::{Asn, Family, FamilySet, Time};
use rialto::session::{Message, Session, SessionAction, SessionEvent, SessionSettings, Way};
use rialto::wire::{
    Capabilities, EXTENDED_MESSAGE_MAX, HEADER_LEN, MessageType, Notification, Open, decode_header,
    encode_keepalive,
};

pub const LOCAL_ID: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 254);
pub const PEER_ID: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);

/// A passive session of AS 64500 with AS 10000, both families.
pub fn settings() -> SessionSettings {
    SessionSettings {
        local_asn: Asn(64500),
        local_router_id: LOCAL_ID,
        peer_asn: Asn(10000),
        families: FamilySet::ALL,
        hold_time_s: 90,
        passive: true,
        add_path_send: FamilySet::EMPTY,
        extended_messages: true,
        connect_retry_s: 120,
        idle_hold_s: 5,
        idle_hold_max_s: 60,
        send_hold_time_s: None,
        graceful_restart_s: 120,
        graceful_restart_helper_s: 0,
        llgr_max_s: [0; 2],
        role: None,
        prepend_rs_as: false,
        ipv6_next_hops: false,
    }
}

pub fn active() -> SessionSettings {
    SessionSettings {
        passive: false,
        ..settings()
    }
}

/// The OPEN of a plain peer that fits [`settings`].
pub fn peer_open() -> Open {
    Open {
        asn: Asn(10000),
        hold_time_s: 90,
        router_id: PEER_ID,
        capabilities: Capabilities {
            families: FamilySet::ALL,
            route_refresh: true,
            enhanced_refresh: true,
            four_octet_asn: Some(Asn(10000)),
            ..Capabilities::default()
        },
    }
}

pub fn open_octets(open: &Open) -> Vec<u8> {
    let mut octets = Vec::new();
    open.encode(&mut octets);
    octets
}

pub fn open() -> Vec<u8> {
    open_octets(&peer_open())
}

pub fn keepalive() -> Vec<u8> {
    let mut octets = Vec::new();
    encode_keepalive(&mut octets);
    octets
}

pub fn notification(code: u8, subcode: u8, data: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    Notification::new(code, subcode, data).encode(&mut octets, EXTENDED_MESSAGE_MAX);
    octets
}

/// Any message, right or wrong; the length is what the body makes it.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    with_len(kind, (HEADER_LEN + body.len()) as u16, body)
}

pub fn with_len(kind: u8, len: u16, body: &[u8]) -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend_from_slice(&len.to_be_bytes());
    octets.push(kind);
    octets.extend_from_slice(body);
    octets
}

/// An UPDATE with `len` octets of body.
pub fn update(len: usize) -> Vec<u8> {
    message(2, &vec![0; len])
}

/// What came out, by door.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Said {
    pub transmits: Vec<(Way, Vec<u8>)>,
    pub messages: Vec<String>,
    pub events: Vec<SessionEvent>,
    pub actions: Vec<SessionAction>,
    /// All of it in the order in which it was polled, in words.
    pub lines: Vec<String>,
}

pub struct Script {
    pub session: Session,
    pub now: Time,
    pub said: Said,
    /// The peer reads nothing: what is sent stays unwritten.
    pub blocked: bool,
}

impl Script {
    pub fn new(settings: SessionSettings) -> Script {
        let session = Session::new(settings, 7);
        Script {
            session,
            now: Time::from_secs(1000),
            said: Said::default(),
            blocked: false,
        }
    }

    /// Started, and nothing more.
    pub fn started(settings: SessionSettings) -> Script {
        let mut script = Script::new(settings);
        script.step(|session, now| session.handle_start(now));
        script
    }

    /// With the peer's TCP connection.
    pub fn open_sent() -> Script {
        let mut script = Script::started(settings());
        script.accept();
        script
    }

    pub fn open_confirm() -> Script {
        let mut script = Script::open_sent();
        script.hear(Way::Accepted, &open());
        script
    }

    pub fn established() -> Script {
        Script::established_with(settings(), &peer_open())
    }

    pub fn established_with(settings: SessionSettings, peer: &Open) -> Script {
        let mut script = Script::started(settings);
        script.accept();
        script.hear(Way::Accepted, &open_octets(peer));
        script.hear(Way::Accepted, &keepalive());
        assert_eq!(script.session.state().name(), "Established");
        script.said = Said::default();
        script
    }

    pub fn step<T>(&mut self, act: impl FnOnce(&mut Session, Time) -> T) -> T {
        let outcome = act(&mut self.session, self.now);
        self.drain();
        outcome
    }

    pub fn accept(&mut self) {
        assert!(
            self.step(|session, now| session.handle_accepted(now)),
            "a connection is wanted"
        );
    }

    pub fn hear(&mut self, way: Way, octets: &[u8]) {
        self.step(|session, now| session.handle_octets(now, way, octets));
    }

    pub fn close(&mut self, way: Way) {
        self.step(|session, now| session.handle_closed(now, way));
    }

    /// Lets time pass, with every timeout on the way.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.step(|session, now| session.handle_timeout(now));
        }
        self.now = end;
    }

    pub fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said).lines
    }

    /// The last NOTIFICATION sent.
    pub fn sent_notification(&self) -> Option<Notification> {
        let (_, octets) = self
            .said
            .transmits
            .iter()
            .rev()
            .find(|(_, octets)| octets[18] == 3)?;
        Some(Notification::decode(&octets[HEADER_LEN..]))
    }

    /// Events before messages, for Established comes first; and after them, for a message may end it.
    fn drain(&mut self) {
        self.drain_events();
        while let Some(message) = self.session.poll_message(self.now) {
            let line = match message {
                Message::Update(body) => format!("UPDATE of {} octets", body.len()),
                Message::RouteRefresh { family, subtype } => {
                    format!("refresh {family} {subtype:?}")
                }
            };
            self.said.lines.push(line.clone());
            self.said.messages.push(line);
        }
        self.drain_events();
        while let Some((way, octets)) = self.session.poll_transmit() {
            self.said
                .lines
                .push(format!("{way:?} sends {}", describe(&octets)));
            self.said.transmits.push((way, octets));
            if !self.blocked {
                self.session.handle_written(self.now, way, false);
            }
        }
        while let Some(action) = self.session.poll_action() {
            self.said.lines.push(format!("{action:?}"));
            self.said.actions.push(action);
        }
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.said.lines.push(describe_event(&event));
            self.said.events.push(event);
        }
    }
}

fn describe_event(event: &SessionEvent) -> String {
    match event {
        SessionEvent::Established(_) => "established".to_owned(),
        SessionEvent::Down { reason } => format!("down: {reason}"),
        SessionEvent::Failed { reason } => format!("failed: {reason}"),
    }
}

/// What we send must be well-formed and one message.
fn describe(octets: &[u8]) -> String {
    let (header, body) = octets.split_first_chunk().expect("a whole header");
    let header = decode_header(header, EXTENDED_MESSAGE_MAX).expect("a valid header");
    assert_eq!(header.body_len(), body.len());
    match header.kind {
        MessageType::Open => {
            let open = Open::decode(body).expect("a valid OPEN");
            assert_eq!(open_octets(&open), octets);
            "OPEN".to_owned()
        }
        MessageType::Notification => Notification::decode(body).to_string(),
        kind => kind.name().to_owned(),
    }
}

pub fn only(family: Family) -> FamilySet {
    FamilySet::only(family)
}
