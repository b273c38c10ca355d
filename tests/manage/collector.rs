//! A BMP collector, which keeps what it is told.
#![allow(clippy::disallowed_methods, reason = "a collector keeps real time")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bgpkit_parser::models::{BgpElem, ElemType};
use bgpkit_parser::parser::bmp::messages::{
    BmpMessage, BmpMessageBody, StatsData, TerminationTlvValue,
};
use bgpkit_parser::{Elementor, parse_bmp_msg};

pub const SOON: Duration = Duration::from_secs(20);

/// A table by whose it is: "pre 192.0.2.1", "loc-rib".
pub type Tables = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Default, Debug)]
pub struct Told {
    /// All but routes and statistics, in short words.
    pub events: Vec<String>,
    pub tables: Tables,
    /// Tables of which End-of-RIB came, by family.
    pub ended: BTreeSet<String>,
    /// By peer.
    pub statistics: BTreeMap<String, Vec<(u16, u64)>>,
    pub zero_times: usize,
    /// Octets of the longest UPDATE.
    pub longest: usize,
}

pub struct Collector {
    pub listener: TcpListener,
    stream: Option<TcpStream>,
    octets: Vec<u8>,
    pub told: Told,
}

impl Collector {
    pub fn new() -> Collector {
        Collector {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            stream: None,
            octets: Vec::new(),
            told: Told::default(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub fn config(&self, lines: &str) -> String {
        format!("[[bmp]]\ncollector = \"{}\"\n{lines}", self.address())
    }

    pub fn accept(&mut self) {
        self.listener.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + SOON;
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("nobody connects: {error}"),
            }
        };
        self.adopt(stream);
    }

    pub fn adopt(&mut self, stream: TcpStream) {
        stream.set_nonblocking(false).unwrap();
        let patience = Some(Duration::from_millis(100));
        stream.set_read_timeout(patience).unwrap();
        self.stream = Some(stream);
        self.octets.clear();
        self.told = Told::default();
    }

    /// Reads until it has been told that.
    pub fn wait(&mut self, what: &str, is_so: impl Fn(&Told) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(&self.told) {
            assert!(
                Instant::now() < deadline,
                "{what}: not yet: {:#?}",
                self.told
            );
            self.read();
        }
    }

    fn read(&mut self) {
        let mut octets = [0; 65_536];
        let Ok(count) = self.stream.as_mut().unwrap().read(&mut octets) else {
            return;
        };
        if count == 0 {
            if !self.told.has_event("closed") {
                self.told.events.push("closed".to_owned());
            }
            return;
        }
        self.octets.extend_from_slice(&octets[..count]);
        while let Some(head) = self.octets.get(1..5) {
            let len = u32::from_be_bytes(head.try_into().unwrap()) as usize;
            if self.octets.len() < len {
                return;
            }
            let message: Vec<u8> = self.octets.drain(..len).collect();
            self.told.take(&message);
        }
    }
}

impl Told {
    fn take(&mut self, octets: &[u8]) {
        let message = parse_bmp_msg(&mut octets.to_vec().into()).expect("a BMP message");
        let BmpMessage {
            per_peer_header,
            message_body,
            ..
        } = message;
        let Some(peer) = per_peer_header else {
            return self.events.push(match message_body {
                BmpMessageBody::InitiationMessage(_) => "initiation".to_owned(),
                BmpMessageBody::TerminationMessage(end) => match &end.tlvs[0].info_value {
                    TerminationTlvValue::Reason(reason) => format!("termination {reason:?}"),
                    other => panic!("the first is no reason: {other:?}"),
                },
                other => panic!("without a peer: {other:?}"),
            });
        };
        let view = match octets[6..8] {
            [0, flags] => match flags & 0x7f {
                0 => "pre",
                0x40 => "post",
                0x50 => "out",
                other => panic!("flags {other:#x}"),
            },
            [3, 0] => "loc-rib",
            ref other => panic!("peer type and flags {other:?}"),
        };
        let is_loc_rib = view == "loc-rib";
        assert_eq!(octets[7] & 0x80 != 0, !is_loc_rib && peer.peer_ip.is_ipv6());
        let name = match is_loc_rib {
            true => view.to_owned(),
            false => format!("{view} {}", peer.peer_ip),
        };
        let asn = peer.peer_asn.to_u32();
        match message_body {
            BmpMessageBody::PeerUpNotification(up) => {
                let ends = (up.local_addr, up.local_port, up.remote_port);
                let opens = up.sent_open == up.received_open;
                self.events.push(format!(
                    "up {name} AS{asn} {} {ends:?} {opens} tlvs {}",
                    peer.peer_bgp_id,
                    up.tlvs.len()
                ));
            }
            BmpMessageBody::PeerDownNotification(down) => {
                let data = down.data.unwrap_or_default();
                // The marker is not telling.
                let data = data.get(16..).unwrap_or(&data).to_vec();
                self.tables.retain(|table, _| !table.ends_with(&name[3..]));
                self.events
                    .push(format!("down {name} {:?} {data:?}", down.reason));
            }
            BmpMessageBody::RouteMonitoring(routes) if routes.is_end_of_rib() => {
                let family = if octets.len() > 6 + 42 + 23 { 6 } else { 4 };
                self.ended.insert(format!("{name} {family}"));
            }
            BmpMessageBody::RouteMonitoring(routes) => {
                self.zero_times += usize::from(peer.timestamp == 0.0);
                self.longest = self.longest.max(octets.len() - 6 - 42);
                let table = self.tables.entry(name).or_default();
                let elems =
                    Elementor::bgp_to_elems(routes.bgp_message, 0.0, &peer.peer_ip, &peer.peer_asn);
                elems.into_iter().for_each(|elem| apply(table, elem));
            }
            BmpMessageBody::StatsReport(report) => {
                let counter = |counter: &bgpkit_parser::parser::bmp::messages::StatCounter| {
                    let value = match &counter.stat_data {
                        StatsData::Counter(value) => u64::from(*value),
                        StatsData::Gauge(value) => *value,
                        StatsData::AfiSafiGauge(_, _, value) => *value,
                        other => panic!("a figure {other:?}"),
                    };
                    (u16::from(counter.stat_type), value)
                };
                let figures = report.counters.iter().map(counter).collect();
                self.statistics.insert(name, figures);
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn has_event(&self, begin: &str) -> bool {
        self.events.iter().any(|event| event.starts_with(begin))
    }

    pub fn routes(&self, table: &str) -> Vec<String> {
        let routes = self.tables.get(table).into_iter().flatten();
        routes
            .map(|(prefix, path)| format!("{prefix} {path}"))
            .collect()
    }
}

fn apply(table: &mut BTreeMap<String, String>, elem: BgpElem) {
    let path_id = elem.prefix.path_id;
    let path_id = path_id.map_or(String::new(), |id| format!(" #{id}"));
    let prefix = format!("{}{path_id}", elem.prefix);
    match elem.elem_type {
        ElemType::ANNOUNCE => {
            let path = elem.as_path.unwrap().to_string();
            let next_hop = elem.next_hop.unwrap();
            let communities = elem.communities.unwrap_or_default();
            let communities: Vec<_> = communities.iter().map(ToString::to_string).collect();
            let path = format!("{path} via {next_hop} [{}]", communities.join(" "));
            table.insert(prefix, path);
        }
        ElemType::WITHDRAW => drop(table.remove(&prefix)),
    }
}
