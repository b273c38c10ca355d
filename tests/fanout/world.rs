//! A session core with its shards and clients, stepped under a virtual clock.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rialto::base::*;
use rialto::policy::{ControlScheme, ImportPolicy};
use rialto::rib::MedMode;
use rialto::server::exchange::*;
use rialto::server::message::{CoreNotice, ToCore, ToShard};
use rialto::server::query::{
    CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply, ShardStats,
};
use rialto::server::{ConnId, CoreAction, SessionCore, Shard};
use rialto::session::SessionSettings;
use rialto::wire::testing::HASH_SEED;
use rialto::wire::{TypeCodes, encode_keepalive};

use crate::peer::{Peer, address_of};

pub const RS: Asn = Asn(64_500);

pub fn asn_of(slot: ClientSlot) -> Asn {
    Asn(1000 + u32::from(slot.0))
}

pub struct World {
    pub now: Time,
    pub exchange: Arc<Exchange>,
    pub cores: Vec<SessionCore>,
    shards: Vec<Shard>,
    to_shard: Vec<VecDeque<ToShard>>,
    /// By core, then by shard.
    to_core: Vec<Vec<VecDeque<ToCore>>>,
    notices: VecDeque<(CoreId, CoreId, CoreNotice)>,
    /// Messages that a mailbox holds.
    pub mailbox_max: usize,
    /// Shards do nothing meanwhile.
    pub are_shards_asleep: bool,
    /// What this shard says stays in its mailboxes.
    pub unheard: Option<usize>,
    pub peers: Vec<Peer>,
    /// Messages reach some shards a turn later than others.
    pub cores_disagree: bool,
    late: Vec<(ShardId, ToShard)>,
    pub reads_asked: Vec<ConnId>,
    /// What the cores sent to shards, for a test to look at.
    pub sent: Vec<String>,
}

pub fn exchange(client_count: u16, shard_count: u16) -> Exchange {
    exchange_of_cores(client_count, shard_count, 1)
}

/// The clients take turns among the cores.
pub fn exchange_of_cores(client_count: u16, shard_count: u16, core_count: u16) -> Exchange {
    let client_of = |slot: u16| Client {
        core: CoreId(slot % core_count),
        ..client(ClientSlot(slot))
    };
    let clients: Vec<_> = (0..client_count)
        .map(|slot| Some(Arc::new(client_of(slot))))
        .collect();
    let directory = clients
        .iter()
        .flatten()
        .map(|client| rialto::policy::DirectoryEntry::new(client.slot, client.asn));
    Exchange {
        generation: Generation(1),
        asn: RS,
        router_id: Ipv4Addr::new(10, 77, 255, 254),
        listen: Vec::new(),
        core_count,
        shard_count,
        med: MedMode::default(),
        scheme: Arc::new(ControlScheme::standard(RS)),
        directory: directory.collect(),
        by_address: clients
            .iter()
            .flatten()
            .map(|client| (client.address, client.slot))
            .collect(),
        lists: Default::default(),
        outside: Default::default(),
        vrp_changes: None,
        clients,
        startup: Startup {
            wait: false,
            ..Startup::default()
        },
        limits: FanoutLimits::default(),
    }
}

pub fn client(slot: ClientSlot) -> Client {
    Client {
        slot,
        name: format!("client-{slot}"),
        asn: asn_of(slot),
        address: address_of(slot),
        port: 179,
        core: CoreId(0),
        session: SessionSettings {
            local_asn: RS,
            local_router_id: Ipv4Addr::new(10, 77, 255, 254),
            peer_asn: asn_of(slot),
            families: FamilySet::only(Family::Ipv4),
            hold_time_s: 90,
            passive: true,
            add_path_send: FamilySet::EMPTY,
            extended_messages: false,
            connect_retry_s: 30,
            idle_hold_s: 5,
            idle_hold_max_s: 60,
            send_hold_time_s: None,
            graceful_restart_s: 120,
            graceful_restart_helper_s: 0,
            llgr_max_s: [0; 2],
            role: None,
            prepend_rs_as: false,
            ipv6_next_hops: false,
        },
        import: Arc::new(ImportPolicy::default()),
        limits: [PrefixLimits::default(); 2],
        attribute_octets_max: None,
        updates_per_s: None,
        min_advertisement: None,
        limit_restart: None,
        discard: TypeCodes::default(),
        treat_as_withdraw: TypeCodes::default(),
        password: None,
        ttl_security_hops: None,
        congestion_control: None,
        disabled: None,
        quarantined: false,
        is_waiting: false,
    }
}

/// Changes one client of an exchange.
pub fn with_client(exchange: &mut Exchange, slot: u16, change: impl FnOnce(&mut Client)) {
    let place = &mut exchange.clients[usize::from(slot)];
    let mut client = client(ClientSlot(slot));
    if let Some(before) = place {
        client.limits = before.limits;
        client.limit_restart = before.limit_restart;
        client.attribute_octets_max = before.attribute_octets_max;
        client.disabled.clone_from(&before.disabled);
    }
    change(&mut client);
    *place = Some(Arc::new(client));
}

impl World {
    pub fn new(exchange: Exchange) -> World {
        let exchange = Arc::new(exchange);
        let shards: Vec<_> = (0..exchange.shard_count)
            .map(|shard| Shard::new(ShardId(shard), exchange.clone(), HASH_SEED))
            .collect();
        let cores: Vec<_> = (0..exchange.core_count)
            .map(|core| SessionCore::new(CoreId(core), exchange.clone(), HASH_SEED, Time::ZERO))
            .collect();
        let peers = exchange
            .clients()
            .map(|client| Peer::new(client.slot))
            .collect();
        World {
            now: Time::ZERO,
            to_shard: shards.iter().map(|_| VecDeque::new()).collect(),
            to_core: cores
                .iter()
                .map(|_| shards.iter().map(|_| VecDeque::new()).collect())
                .collect(),
            cores,
            notices: VecDeque::new(),
            shards,
            mailbox_max: 16,
            are_shards_asleep: false,
            unheard: None,
            cores_disagree: false,
            late: Vec::new(),
            peers,
            reads_asked: Vec::new(),
            sent: Vec::new(),
            exchange,
        }
    }

    pub fn connect(&mut self, slot: u16) {
        let remote = SocketAddr::new(address_of(ClientSlot(slot)), 40_000);
        let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 179);
        let now = self.now;
        let conn = self.core_of(slot).handle_accepted(now, remote, local);
        self.peers[usize::from(slot)].reset(conn);
    }

    pub fn connect_all(&mut self) {
        (0..self.peers.len() as u16).for_each(|slot| self.connect(slot));
        self.run();
        assert!(
            self.peers.iter().all(|peer| peer.is_up),
            "every session is up"
        );
    }

    pub fn hang_up(&mut self, slot: u16) {
        if let Some(conn) = self.peers[usize::from(slot)].conn.take() {
            let now = self.now;
            self.core_of(slot).handle_closed(now, conn, "gone");
        }
    }

    pub fn core_of(&mut self, slot: u16) -> &mut SessionCore {
        let index = usize::from(slot) % self.cores.len();
        &mut self.cores[index]
    }

    pub fn peer(&mut self, slot: u16) -> &mut Peer {
        &mut self.peers[usize::from(slot)]
    }

    pub fn reload(&mut self, exchange: Exchange) {
        self.exchange = Arc::new(exchange);
        for core in &mut self.cores {
            core.handle_command(self.now, CoreCommand::Reload(self.exchange.clone()));
        }
        for queue in &mut self.to_shard {
            queue.push_back(ToShard::Reload(self.exchange.clone()));
        }
        self.run();
    }

    pub fn shard_stats(&mut self, shard: usize) -> ShardStats {
        let query = ShardQuery::Stats;
        self.shards[shard].handle(self.now, ToShard::Query { id: 0, query });
        match self.shards[shard].poll_reply() {
            Some((0, ShardReply::Stats(stats))) => *stats,
            other => panic!("no statistics but {other:?}"),
        }
    }

    pub fn stats(&mut self) -> CoreStats {
        match self.cores[0].handle_command(self.now, CoreCommand::Stats) {
            CoreReply::Stats(stats) => *stats,
            other => panic!("no statistics but {other:?}"),
        }
    }

    /// Until nothing moves any more without much time passing.
    pub fn run(&mut self) {
        self.run_for(Duration::from_millis(900));
    }

    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            while self.step() {}
            let shards = self
                .shards
                .iter()
                .filter_map(Shard::poll_timeout)
                .filter(|_| !self.are_shards_asleep);
            let cores = self.cores.iter().filter_map(SessionCore::poll_timeout);
            let next = shards.chain(cores).min();
            match next.filter(|next| *next <= until) {
                Some(next) => self.now = self.now.max(next) + Duration::from_micros(1),
                None => break,
            }
            for core in &mut self.cores {
                if core.poll_timeout().is_some_and(|due| due <= self.now) {
                    core.handle_timeout(self.now);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// Everybody's turn once; false: nobody had anything to do.
    pub fn step(&mut self) -> bool {
        let mut is_busy = false;
        for index in 0..self.cores.len() {
            is_busy |= self.step_core(index);
        }
        while let Some((from, to, notice)) = self.notices.pop_front() {
            self.cores[to.index()].handle_core(self.now, from, notice);
        }
        for index in 0..self.shards.len() {
            is_busy |= !self.are_shards_asleep && self.step_shard(index);
        }
        for index in 0..self.cores.len() {
            is_busy |= self.deliver(index);
        }
        for index in 0..self.peers.len() {
            is_busy |= self.step_peer(index);
        }
        is_busy
    }

    fn step_core(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        // Each core begins with another shard: nothing orders the mailboxes among themselves.
        let mut held = Vec::new();
        let core = &mut self.cores[index];
        while let Some((shard, message)) = core.poll_to_shard() {
            if self.to_shard[shard.index()].len() >= self.mailbox_max {
                core.put_back(shard, message);
                continue;
            }
            is_busy = true;
            let text = format!("{message:?}");
            self.sent.push(text.chars().take(120).collect());
            if (index + shard.index()) % 2 == 1 && self.cores_disagree {
                held.push((shard, message));
            } else {
                self.to_shard[shard.index()].push_back(message);
            }
        }
        self.late.extend(held);
        while let Some((to, notice)) = self.cores[index].poll_to_core() {
            self.notices.push_back((CoreId(index as u16), to, notice));
        }
        while let Some(action) = self.cores[index].poll_action() {
            is_busy = true;
            match action {
                CoreAction::Close { conn } => self.close(index, conn),
                CoreAction::Read { conn } => self.reads_asked.push(conn),
                _ => {}
            }
        }
        is_busy
    }

    fn close(&mut self, core: usize, conn: ConnId) {
        self.write(core, conn, usize::MAX);
        self.cores[core].handle_closed(self.now, conn, "closed here");
        let core_count = self.cores.len();
        let is_closed =
            |peer: &&mut Peer| peer.slot.index() % core_count == core && peer.conn == Some(conn);
        for peer in self.peers.iter_mut().filter(is_closed) {
            peer.read();
            peer.conn = None;
        }
    }

    fn step_shard(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        while let Some(message) = self.to_shard[index].pop_front() {
            is_busy = true;
            self.shards[index].handle(self.now, message);
        }
        for (shard, message) in self
            .late
            .extract_if(.., |(shard, _)| shard.index() == index)
        {
            is_busy = true;
            self.to_shard[shard.index()].push_back(message);
        }
        for core in &mut self.cores {
            core.handle_shard_room(ShardId(index as u16));
        }
        is_busy |= self.shards[index].turn(self.now);
        while let Some((core, message)) = self.shards[index].poll_to_core() {
            let mailbox = &mut self.to_core[core.index()][index];
            if mailbox.len() >= self.mailbox_max {
                self.shards[index].put_back(core, message);
                continue;
            }
            is_busy = true;
            mailbox.push_back(message);
        }
        is_busy
    }

    fn deliver(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        for (shard, mailbox) in self.to_core[index].iter_mut().enumerate() {
            while self.unheard != Some(shard) && self.cores[index].wants_deltas() {
                let Some(message) = mailbox.pop_front() else {
                    break;
                };
                is_busy = true;
                self.cores[index].handle_shard(self.now, ShardId(shard as u16), message);
            }
        }
        is_busy
    }

    /// A minute in which everybody says that it is there: what ends after that is no flap.
    pub fn grow_old(&mut self) {
        self.wait(60);
    }

    /// Lets time pass in which nobody is silent for too long.
    pub fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while self.now < until {
            for peer in self.peers.iter_mut().filter(|peer| peer.is_up) {
                encode_keepalive(&mut peer.says);
            }
            let left = until.since(self.now);
            self.run_for(left.min(Duration::from_secs(30)));
        }
    }

    fn step_peer(&mut self, index: usize) -> bool {
        let mut is_busy = false;
        let Some(conn) = self.peers[index].conn else {
            return false;
        };
        let core = index % self.cores.len();
        if !self.peers[index].says.is_empty() && self.cores[core].wants_octets(conn) {
            is_busy = true;
            let mut said = std::mem::take(&mut self.peers[index].says);
            let rest = said.split_off(said.len().min(16 << 10));
            self.peers[index].says = rest;
            self.cores[core].handle_octets(self.now, conn, &said);
        }
        let room = self.peers[index].room();
        is_busy |= self.write(core, conn, room);
        if self.peers[index].has_unread() {
            is_busy = true;
            self.peers[index].read();
        }
        is_busy
    }

    fn write(&mut self, core: usize, conn: ConnId, room: usize) -> bool {
        if room == 0 {
            return false;
        }
        let mut octets = Vec::new();
        let written = self.cores[core].write(self.now, conn, room, |slices| {
            octets.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
            Ok::<_, Infallible>(octets.len())
        });
        let Ok(written) = written;
        if written.taken == 0 {
            return false;
        }
        let core_count = self.cores.len();
        let is_it =
            |peer: &&mut Peer| peer.slot.index() % core_count == core && peer.conn == Some(conn);
        if let Some(peer) = self.peers.iter_mut().find(is_it) {
            peer.hear(&octets);
        }
        true
    }
}
