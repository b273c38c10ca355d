//! One client's side of a BGP session, as plain values: OPEN, timers, what is still to be said.
//! Knows no socket; the swarm moves the octets.

use std::time::Duration;

use super::attributes::{Fault, fault};
use super::outbox::Outbox;
use super::plan::{Client, Plan, Route};
use super::update::{self, HEADER_LEN, KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH};
use crate::base::{Family, FamilySet, Time};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    Idle,
    Connecting,
    OpenSent,
    OpenConfirm,
    Established,
}

/// What a client does with what the server sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appetite {
    Full,
    /// Leaves everything in the socket.
    Nothing,
    /// Octets a second.
    Slow(usize),
}

/// What went over the session, from the client's side.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counters {
    pub updates_in: u64,
    pub announced_in: u64,
    pub withdrawn_in: u64,
    pub unchanged_in: u64,
    pub octets_in: u64,
    pub updates_out: u64,
    pub routes_out: u64,
    pub ends_of_rib_in: u64,
}

pub struct Session {
    pub state: State,
    pub appetite: Appetite,
    pub counters: Counters,
    /// Octets of a message not yet whole.
    pub inbox: Vec<u8>,
    pub outbox: Outbox,
    pub connecting_since: Option<Time>,
    pub established_at: Option<Time>,
    /// When its table was last made right.
    pub complete_at: Option<Time>,
    pub last_heard: Time,
    last_sent: Time,
    hold_time: Duration,
    /// Where in its routes the announcing is; `None` when done.
    cursor: Option<usize>,
    add_path: bool,
    /// Families for which the server sends several paths.
    pub add_path_in: FamilySet,
    /// As the server's OPEN states it.
    pub server_asn: Option<u32>,
    /// The server ended it with a NOTIFICATION.
    pub is_notified: bool,
}

/// What a message has done to the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Nothing,
    Established,
}

impl Session {
    pub fn new(add_path: bool) -> Session {
        Session {
            state: State::Idle,
            appetite: Appetite::Full,
            counters: Counters::default(),
            inbox: Vec::new(),
            outbox: Outbox::default(),
            connecting_since: None,
            established_at: None,
            complete_at: None,
            last_heard: Time::ZERO,
            last_sent: Time::ZERO,
            hold_time: Duration::ZERO,
            cursor: None,
            add_path,
            add_path_in: FamilySet::EMPTY,
            server_asn: None,
            is_notified: false,
        }
    }

    /// Back to Idle; counters stay.
    pub fn reset(&mut self) {
        let kept = (self.counters, self.appetite);
        *self = Session::new(self.add_path);
        (self.counters, self.appetite) = kept;
    }

    pub fn handle_connected(
        &mut self,
        now: Time,
        client: &Client,
        families: FamilySet,
        hold_time_s: u16,
    ) {
        self.hold_time = Duration::from_secs(hold_time_s.into());
        self.send(now, |out| encode_open(out, client, families, hold_time_s));
        self.state = State::OpenSent;
        self.last_heard = now;
    }

    /// One whole message that is no UPDATE of an established session.
    pub fn handle_message(&mut self, now: Time, kind: u8, body: &[u8]) -> Result<Heard, Fault> {
        self.last_heard = now;
        match (kind, self.state) {
            (KEEPALIVE, State::Established) => {}
            (KEEPALIVE, State::OpenConfirm) => {
                self.state = State::Established;
                self.established_at = Some(now);
                self.cursor = Some(0);
                return Ok(Heard::Established);
            }
            (OPEN, State::OpenSent) => {
                self.handle_open(body)?;
                self.send(now, |out| {
                    let start = update::begin(out, KEEPALIVE);
                    update::finish(out, start);
                });
                self.state = State::OpenConfirm;
            }
            (ROUTE_REFRESH, State::Established) if body.get(2) == Some(&0) => self.cursor = Some(0),
            (ROUTE_REFRESH, State::Established) => {}
            (NOTIFICATION, _) => {
                self.is_notified = true;
                return fault(notification_text(body));
            }
            (kind, state) => return fault(format!("message type {kind} in state {state:?}")),
        }
        Ok(Heard::Nothing)
    }

    fn handle_open(&mut self, body: &[u8]) -> Result<(), Fault> {
        let Some((head, parameters)) = body.split_first_chunk::<10>() else {
            return fault("the OPEN is cut short");
        };
        let hold_time_s = u16::from_be_bytes([head[3], head[4]]);
        self.hold_time = self.hold_time.min(Duration::from_secs(hold_time_s.into()));
        self.server_asn = Some(u16::from_be_bytes([head[1], head[2]]).into());
        for (code, value) in capabilities(parameters, head[9])? {
            if let (FOUR_OCTET_ASN, Some(asn)) = (code, value.first_chunk()) {
                self.server_asn = Some(u32::from_be_bytes(*asn));
            }
            if code == ADD_PATH {
                for entry in value.chunks_exact(4) {
                    let family =
                        Family::from_afi_safi(u16::from_be_bytes([entry[0], entry[1]]), entry[2]);
                    if let Some(family) = family.filter(|_| self.add_path && entry[3] & 2 != 0) {
                        self.add_path_in = self.add_path_in.with(family);
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps the session alive; the fault is an expired hold timer.
    pub fn handle_tick(&mut self, now: Time) -> Result<(), Fault> {
        if self.hold_time.is_zero() || self.state == State::Idle || self.state == State::Connecting
        {
            return Ok(());
        }
        if self.appetite == Appetite::Full && now.since(self.last_heard) > self.hold_time {
            return fault("nothing heard for the hold time");
        }
        let sending = self.state == State::Established || self.state == State::OpenConfirm;
        if sending && self.outbox.is_empty() && now.since(self.last_sent) > self.hold_time / 3 {
            self.send(now, |out| {
                let start = update::begin(out, KEEPALIVE);
                update::finish(out, start);
            });
        }
        Ok(())
    }

    /// Appends announcements to the outbox until it holds `octets_max` or all is said.
    pub fn announce(&mut self, now: Time, plan: &Plan, routes: &[Route], octets_max: usize) {
        self.last_sent = now;
        while let Some(at) = self.cursor.filter(|_| self.outbox.len() < octets_max) {
            let out = self.outbox.end();
            let Some(route) = routes.get(at) else {
                Family::ALL
                    .into_iter()
                    .filter(|&family| plan.families.contains(family))
                    .for_each(|family| update::encode_end_of_rib(out, family));
                self.cursor = None;
                break;
            };
            let same = routes[at..]
                .iter()
                .take_while(|other| other.set == route.set);
            let prefixes = same.map(|route| &plan.prefixes[route.prefix as usize]);
            let count = update::encode_announcement(out, plan.sets.key(route.set), prefixes);
            self.counters.updates_out += 1;
            self.counters.routes_out += count as u64;
            self.cursor = Some(at + count.max(1));
        }
    }

    /// Whether the table of the plan has been said, up to what lies in the outbox.
    pub fn has_announced(&self) -> bool {
        self.state == State::Established && self.cursor.is_none()
    }

    /// It asked for all paths, and the server's OPEN did not offer them.
    pub fn is_refused_add_path(&self) -> bool {
        self.add_path && self.state == State::Established && self.add_path_in == FamilySet::EMPTY
    }

    /// Appends whole messages.
    pub fn send(&mut self, now: Time, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.outbox.end());
        self.last_sent = now;
    }
}

const FOUR_OCTET_ASN: u8 = 65;
const ADD_PATH: u8 = 69;

fn encode_open(out: &mut Vec<u8>, client: &Client, families: FamilySet, hold_time_s: u16) {
    let mut capabilities: Vec<u8> = Vec::new();
    let mut add_path: Vec<u8> = Vec::new();
    for family in Family::ALL
        .into_iter()
        .filter(|&family| families.contains(family))
    {
        capabilities.extend([1, 4, 0, family.afi() as u8, 0, family.safi()]);
        add_path.extend([0, family.afi() as u8, family.safi(), 1]);
    }
    capabilities.extend([2, 0, 6, 0]);
    capabilities.extend([FOUR_OCTET_ASN, 4]);
    capabilities.extend(client.asn.to_be_bytes());
    if client.add_path {
        capabilities.extend([ADD_PATH, add_path.len() as u8]);
        capabilities.extend(add_path);
    }
    let start = update::begin(out, OPEN);
    out.push(4);
    out.extend(u16::try_from(client.asn).unwrap_or(23456).to_be_bytes());
    out.extend(hold_time_s.to_be_bytes());
    out.extend(client.address.octets());
    out.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    out.extend(capabilities);
    update::finish(out, start);
}

/// Code and value of each capability of an OPEN (RFC 5492; long form of RFC 9072).
fn capabilities(mut octets: &[u8], short_len: u8) -> Result<Vec<(u8, &[u8])>, Fault> {
    let cut = || Fault("the OPEN's parameters are cut short".into());
    let long = short_len == 255 && octets.first() == Some(&255);
    if long {
        octets = octets.get(3..).ok_or_else(cut)?;
    }
    let mut found = Vec::new();
    while let Some((&kind, rest)) = octets.split_first() {
        let (len, rest) = match (long, rest) {
            (false, [len, rest @ ..]) => (usize::from(*len), rest),
            (true, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            _ => return Err(cut()),
        };
        let (mut value, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
        octets = rest;
        while let Some((&[code, len], rest)) = value.split_first_chunk().filter(|_| kind == 2) {
            let (content, rest) = rest.split_at_checked(usize::from(len)).ok_or_else(cut)?;
            found.push((code, content));
            value = rest;
        }
    }
    Ok(found)
}

/// A NOTIFICATION in words (RFC 4271 §4.5, RFC 9003).
fn notification_text(body: &[u8]) -> String {
    let (code, subcode) = (
        body.first().copied().unwrap_or(0),
        body.get(1).copied().unwrap_or(0),
    );
    let name = [
        "",
        "Message Header Error",
        "OPEN Message Error",
        "UPDATE Message Error",
        "Hold Timer Expired",
        "Finite State Machine Error",
        "Cease",
        "ROUTE-REFRESH Message Error",
    ];
    let name = name.get(usize::from(code)).unwrap_or(&"?");
    let sub_name = subcode_name(code, subcode).map_or(String::new(), |name| format!(" / {name}"));
    let text = match (code, subcode, body.get(3..)) {
        (6, 2 | 4, Some(text)) => format!(": {}", String::from_utf8_lossy(text)),
        (_, _, _) if body.len() > 2 => format!(", data {:02x?}", &body[2..body.len().min(34)]),
        _ => String::new(),
    };
    format!("the server sent NOTIFICATION {code}/{subcode} {name}{sub_name}{text}")
}

/// Those that a session may meet before it is established, or for reasons of configuration
/// (RFC 4271 §4.5, RFC 4486, RFC 5492, RFC 9234).
fn subcode_name(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (2, 1) => "Unsupported Version Number",
        (2, 2) => "Bad Peer AS",
        (2, 3) => "Bad BGP Identifier",
        (2, 4) => "Unsupported Optional Parameter",
        (2, 6) => "Unacceptable Hold Time",
        (2, 7) => "Unsupported Capability",
        (2, 11) => "Role Mismatch",
        (6, 1) => "Maximum Number of Prefixes Reached",
        (6, 2) => "Administrative Shutdown",
        (6, 3) => "Peer De-configured",
        (6, 4) => "Administrative Reset",
        (6, 5) => "Connection Rejected",
        (6, 6) => "Other Configuration Change",
        (6, 7) => "Connection Collision Resolution",
        (6, 8) => "Out of Resources",
        (6, 9) => "Hard Reset",
        _ => return None,
    })
}

/// Length and type of the message that `octets` begin with, once its header is there.
pub fn read_header(octets: &[u8]) -> Result<Option<(usize, u8)>, Fault> {
    let Some(header) = octets.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
    if header[..16] != [0xff; 16] || len < HEADER_LEN {
        return fault("a message header without marker or of impossible length");
    }
    Ok(Some((len, header[18])))
}
