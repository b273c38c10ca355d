//! A session core and a shard that only echo: what a client sends goes as a count to a shard, comes
//! back as a count, and is sent to the client as a pattern of as many octets.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use rialto::base::{Asn, ClientSlot, CoreId, FamilySet, Generation, SessionEpoch, ShardId, Time};
use rialto::fanout::Written;
use rialto::runtime::step::{Action, CoreStep, ShardStep};
use rialto::server::exchange::{Client, Exchange, FanoutLimits, Secret, Startup};
use rialto::server::message::{ToCore, ToShard};
use rialto::server::query::{
    CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply, ShardStats,
};
use rialto::session::SessionSettings;

/// Octet `position` of any stream in these tests.
pub fn pattern(position: u64) -> u8 {
    (position % 251) as u8
}

/// This octet alone begins a chain of so many writes that each lead to the next.
pub const CHAIN: u8 = 1;
pub const CHAIN_LEN: u32 = 200;

pub const GOODBYE: &[u8] = b"goodbye";

pub fn address_of(index: u16) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 1 + (index / 200) as u8, 1 + (index % 200) as u8)
}

/// Clients 127.77.x.y, on all session cores in turn; the server is on 127.0.0.1, any port.
pub fn exchange(cores: u16, shards: u16, clients: u16) -> Exchange {
    let clients: Vec<_> = (0..clients)
        .map(|index| Some(Arc::new(client(index, CoreId(index % cores)))))
        .collect();
    let mut exchange = Exchange {
        generation: Generation(1),
        asn: Asn(64500),
        router_id: Ipv4Addr::new(192, 0, 2, 1),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        core_count: cores,
        shard_count: shards,
        med: Default::default(),
        scheme: Default::default(),
        directory: Default::default(),
        lists: Default::default(),
        outside: Default::default(),
        vrp_changes: None,
        clients,
        by_address: HashMap::new(),
        startup: Startup::default(),
        limits: FanoutLimits::default(),
    };
    index_addresses(&mut exchange);
    exchange
}

pub fn index_addresses(exchange: &mut Exchange) {
    exchange.by_address = exchange
        .clients()
        .map(|client| (client.address, client.slot))
        .collect();
}

/// Changes one client of an exchange.
pub fn change(exchange: &mut Exchange, index: usize, how: impl FnOnce(&mut Client)) {
    how(Arc::get_mut(exchange.clients[index].as_mut().unwrap()).unwrap());
}

pub fn client(index: u16, core: CoreId) -> Client {
    let asn = Asn(10_000 + u32::from(index));
    Client {
        slot: ClientSlot(index),
        name: format!("AS{asn}-1"),
        asn,
        address: IpAddr::V4(address_of(index)),
        port: 179,
        core,
        session: SessionSettings {
            local_asn: Asn(64500),
            local_router_id: Ipv4Addr::new(192, 0, 2, 1),
            peer_asn: asn,
            families: FamilySet::ALL,
            hold_time_s: 90,
            passive: true,
            add_path_send: FamilySet::EMPTY,
            extended_messages: false,
            connect_retry_s: 120,
            idle_hold_s: 1,
            idle_hold_max_s: 60,
            send_hold_time_s: None,
            graceful_restart_s: 120,
            graceful_restart_helper_s: 0,
            llgr_max_s: [0; 2],
            role: None,
            prepend_rs_as: false,
            ipv6_next_hops: false,
        },
        import: Default::default(),
        limits: Default::default(),
        attribute_octets_max: None,
        updates_per_s: None,
        min_advertisement: None,
        limit_restart: None,
        discard: Default::default(),
        treat_as_withdraw: Default::default(),
        password: None,
        ttl_security_hops: None,
        congestion_control: None,
        disabled: None,
        quarantined: false,
        is_waiting: false,
    }
}

pub fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.as_bytes()))
}

#[derive(Default)]
struct Echo {
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Octets of the pattern made so far.
    made: u64,
    closing: bool,
}

/// Messages to shards held here before reading stops, octets before deltas wait.
const HELD_MAX: usize = 4;
const QUEUED_MAX: usize = 1 << 20;
const UNDER_WAY_MAX: u64 = 4 << 20;
const PIECE: usize = 8 << 10;

pub struct EchoCore {
    id: CoreId,
    exchange: Arc<Exchange>,
    echoes: HashMap<u32, Echo>,
    by_slot: HashMap<ClientSlot, u32>,
    slots: HashMap<u32, ClientSlot>,
    next: u32,
    next_shard: u16,
    to_shards: Vec<VecDeque<ToShard>>,
    full: Vec<bool>,
    /// Were told that their octets are not wanted.
    paused: RefCell<BTreeSet<u32>>,
    actions: VecDeque<Action<u32>>,
    notices: VecDeque<(CoreId, u32)>,
    stats: CoreStats,
    heard_of_cores: u32,
    connect_failure: String,
    over: bool,
    /// Writes that will each lead to one more octet, by way of a shard.
    chain: u32,
    deadline: Option<Time>,
    timeouts: u64,
}

impl EchoCore {
    fn held(&self) -> usize {
        self.to_shards.iter().map(VecDeque::len).sum()
    }

    /// Shards take whatever comes, so it is what is under way altogether that has to be bounded.
    fn takes_octets(&self) -> bool {
        self.held() < HELD_MAX
            && self.stats.octets_in.saturating_sub(self.stats.octets_out) < UNDER_WAY_MAX
    }

    fn queued(&self) -> usize {
        self.echoes.values().map(|echo| echo.queued).sum()
    }

    fn add(&mut self, slot: ClientSlot) -> u32 {
        self.next += 1;
        self.echoes.insert(self.next, Echo::default());
        self.by_slot.insert(slot, self.next);
        self.slots.insert(self.next, slot);
        self.next
    }

    fn say(&mut self, conn: u32, octets: Bytes) {
        let echo = self.echoes.get_mut(&conn).unwrap();
        echo.queued += octets.len();
        echo.queue.push_back(octets);
        self.actions.push_back(Action::Write { conn });
    }

    fn resume(&mut self) {
        if self.takes_octets() {
            let paused = self.paused.take();
            self.actions
                .extend(paused.into_iter().map(|conn| Action::Read { conn }));
        }
    }
}

impl CoreStep for EchoCore {
    type ConnId = u32;
    type Notice = u32;

    fn new(id: CoreId, exchange: Arc<Exchange>, _seed: u64, now: Time) -> EchoCore {
        let active = exchange
            .clients()
            .filter(|client| client.core == id && !client.session.passive);
        let actions = active.map(|client| Action::Connect {
            slot: client.slot,
            remote: SocketAddr::new(client.address, client.port),
        });
        EchoCore {
            id,
            actions: actions.collect(),
            notices: (0..exchange.core_count)
                .filter(|core| *core != id.0)
                .map(|core| (CoreId(core), 1))
                .collect(),
            to_shards: (0..exchange.shard_count).map(|_| VecDeque::new()).collect(),
            full: vec![false; usize::from(exchange.shard_count)],
            exchange,
            echoes: HashMap::new(),
            by_slot: HashMap::new(),
            slots: HashMap::new(),
            next: 0,
            next_shard: 0,
            paused: RefCell::default(),
            stats: CoreStats {
                core: id,
                ..CoreStats::default()
            },
            heard_of_cores: 0,
            connect_failure: String::new(),
            over: false,
            chain: 0,
            deadline: Some(now + std::time::Duration::from_millis(20)),
            timeouts: 0,
        }
    }

    fn handle_accepted(
        &mut self,
        _now: Time,
        remote: SocketAddr,
        _local: SocketAddr,
    ) -> Option<u32> {
        let slot = self
            .exchange
            .client_at(remote.ip())
            .map(|client| client.slot);
        let slot = slot.filter(|slot| !self.by_slot.contains_key(slot));
        self.stats.refused_connections += u64::from(slot.is_none());
        slot.map(|slot| self.add(slot))
    }

    fn handle_refused(&mut self) {
        self.stats.refused_connections += 1;
    }

    fn handle_connected(&mut self, _now: Time, slot: ClientSlot, local: SocketAddr) -> Option<u32> {
        assert!(local.port() != 0);
        let conn = self.add(slot);
        self.say(conn, Bytes::from_static(b"hello"));
        Some(conn)
    }

    fn handle_connect_failed(&mut self, _now: Time, _slot: ClientSlot, why: &str) {
        self.connect_failure = why.to_owned();
    }

    fn handle_octets(&mut self, _now: Time, conn: u32, octets: &[u8]) {
        assert!(!octets.is_empty());
        if octets == [CHAIN] {
            self.chain = CHAIN_LEN;
        }
        self.stats.octets_in += octets.len() as u64;
        // Any shard: counts may come back in any order.
        let shard = usize::from(self.next_shard % self.exchange.shard_count);
        self.next_shard = self.next_shard.wrapping_add(1);
        let message = ToShard::ClientDown {
            slot: self.slots[&conn],
            epoch: SessionEpoch(octets.len() as u32),
            stale: FamilySet::EMPTY,
        };
        self.to_shards[shard].push_back(message);
    }

    fn handle_closed(&mut self, _now: Time, conn: u32, _why: &str) {
        self.echoes
            .remove(&conn)
            .expect("a connection is closed once");
        let slot = self.slots.remove(&conn).unwrap();
        self.by_slot.remove(&slot);
    }

    fn handle_shard(&mut self, _now: Time, shard: ShardId, message: ToCore) {
        assert!(shard.0 < self.exchange.shard_count);
        let ToCore::Counts { slot, epoch, .. } = message else {
            panic!("an echo shard sends counts")
        };
        let Some(&conn) = self.by_slot.get(&slot) else {
            return;
        };
        let mut left = u64::from(epoch.0);
        while left > 0 {
            let echo = &self.echoes[&conn];
            let count = left.min(PIECE as u64);
            let piece: Vec<u8> = (echo.made..echo.made + count).map(pattern).collect();
            self.echoes.get_mut(&conn).unwrap().made += count;
            self.say(conn, Bytes::from(piece));
            left -= count;
        }
    }

    fn handle_core(&mut self, _now: Time, from: CoreId, notice: u32) {
        assert!(from != self.id);
        self.heard_of_cores += notice;
    }

    fn handle_command(&mut self, _now: Time, command: CoreCommand) -> CoreReply {
        match command {
            CoreCommand::Reload(exchange) => self.exchange = exchange,
            CoreCommand::Stats => {
                let stats = CoreStats {
                    updates_in: u64::from(self.heard_of_cores),
                    updates_out: self.timeouts,
                    ..self.stats.clone()
                };
                return CoreReply::Stats(Box::new(stats));
            }
            CoreCommand::Generation => return CoreReply::Generation(self.exchange.generation),
            CoreCommand::Tap(_) | CoreCommand::Sessions => {
                return CoreReply::Refused("a fake has no sessions".to_owned());
            }
            CoreCommand::Reset { .. } | CoreCommand::Refresh { .. } => {
                return CoreReply::Refused(self.connect_failure.clone());
            }
            CoreCommand::Shutdown { .. } => {
                self.over = true;
                for conn in self.echoes.keys().copied().collect::<Vec<_>>() {
                    self.say(conn, Bytes::from_static(GOODBYE));
                    self.echoes.get_mut(&conn).unwrap().closing = true;
                    self.actions.push_back(Action::Close { conn });
                }
            }
        }
        CoreReply::Done
    }

    fn handle_timeout(&mut self, now: Time) {
        assert!(
            self.deadline.take().is_some_and(|due| due <= now),
            "never early, and only when due"
        );
        self.timeouts += 1;
        if self.timeouts < 3 {
            self.deadline = Some(now + std::time::Duration::from_millis(20));
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.deadline
    }

    fn poll_to_shard(&mut self) -> Option<(ShardId, ToShard)> {
        let shard = (0..self.to_shards.len())
            .find(|&shard| !self.full[shard] && !self.to_shards[shard].is_empty())?;
        let message = self.to_shards[shard].pop_front()?;
        self.resume();
        Some((ShardId(shard as u16), message))
    }

    fn put_back(&mut self, shard: ShardId, message: ToShard) {
        self.full[shard.index()] = true;
        self.to_shards[shard.index()].push_front(message);
    }

    fn handle_shard_room(&mut self, shard: ShardId) {
        assert!(
            std::mem::take(&mut self.full[shard.index()]),
            "room is news only after a refusal"
        );
    }

    fn poll_to_core(&mut self) -> Option<(CoreId, u32)> {
        self.notices.pop_front()
    }

    fn poll_action(&mut self) -> Option<Action<u32>> {
        self.actions.pop_front()
    }

    fn wants_octets(&self, conn: u32) -> bool {
        let wants = self.takes_octets();
        if !wants {
            self.paused.borrow_mut().insert(conn);
        }
        wants
    }

    fn wants_deltas(&self) -> bool {
        self.queued() < QUEUED_MAX
    }

    fn write<E>(
        &mut self,
        _now: Time,
        conn: u32,
        octets_max: usize,
        sink: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<Written, E> {
        let Some(echo) = self.echoes.get_mut(&conn).filter(|echo| echo.queued > 0) else {
            return Ok(Written::default());
        };
        let mut offered = 0;
        let slices = echo.queue.iter().map(|piece| IoSlice::new(piece));
        let slices: Vec<IoSlice<'_>> = slices
            .take_while(|slice| {
                let is_room = offered < octets_max;
                offered += if is_room { slice.len() } else { 0 };
                is_room
            })
            .collect();
        let taken = sink(&slices)?;
        echo.queued -= taken;
        self.stats.octets_out += taken as u64;
        let mut left = taken;
        while left > 0 {
            let piece = &mut echo.queue[0];
            let taken = left.min(piece.len());
            bytes::Buf::advance(piece, taken);
            left -= taken;
            if piece.is_empty() {
                echo.queue.pop_front();
            }
        }
        if self.chain > 0 {
            self.chain -= 1;
            let message = ToShard::ClientDown {
                slot: self.slots[&conn],
                epoch: SessionEpoch(1),
                stale: FamilySet::EMPTY,
            };
            self.to_shards[0].push_back(message);
        }
        self.resume();
        Ok(Written { offered, taken })
    }

    fn is_over(&self) -> bool {
        self.over && self.echoes.is_empty()
    }
}

#[derive(Default)]
pub struct EchoShard {
    id: ShardId,
    exchange: Option<Arc<Exchange>>,
    out: VecDeque<(CoreId, ToCore)>,
    refusing: Vec<CoreId>,
    replies: VecDeque<(u64, ShardReply)>,
    messages: u64,
}

impl ShardStep for EchoShard {
    fn new(id: ShardId, exchange: Arc<Exchange>, _seed: u64) -> EchoShard {
        EchoShard {
            id,
            exchange: Some(exchange),
            ..EchoShard::default()
        }
    }

    fn wants_messages(&self) -> bool {
        true
    }

    fn handle(&mut self, _now: Time, message: ToShard) {
        let exchange = self.exchange.as_ref().unwrap();
        match message {
            ToShard::ClientDown { slot, epoch, .. } => {
                self.messages += 1;
                let core = exchange.client(slot).unwrap().core;
                self.out.push_back((
                    core,
                    ToCore::Counts {
                        slot,
                        epoch,
                        counts: Vec::new(),
                    },
                ));
            }
            ToShard::Reload(exchange) => self.exchange = Some(exchange),
            ToShard::Query {
                id,
                query: ShardQuery::Stats,
            } => {
                let stats = ShardStats {
                    shard: self.id,
                    messages: self.messages,
                    generation: exchange.generation,
                    ..ShardStats::default()
                };
                self.replies
                    .push_back((id, ShardReply::Stats(Box::new(stats))));
            }
            other => panic!("an echo core does not send {other:?}"),
        }
    }

    fn turn(&mut self, _now: Time) -> bool {
        self.refusing.clear();
        false
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn poll_to_core(&mut self) -> Option<(CoreId, ToCore)> {
        let next = self
            .out
            .iter()
            .position(|(core, _)| !self.refusing.contains(core))?;
        self.out.remove(next)
    }

    fn put_back(&mut self, core: CoreId, message: ToCore) {
        self.refusing.push(core);
        self.out.push_front((core, message));
    }

    fn poll_reply(&mut self) -> Option<(u64, ShardReply)> {
        self.replies.pop_front()
    }
}
