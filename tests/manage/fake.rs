//! A data path in one thread: real shards, stepped at once; session cores that say what they are told.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rialto::base::{
    Asn, ClientSet, ClientSlot, CoreId, FamilySet, Prefix, SessionEpoch, ShardId, Time, WalkId,
    shard_of,
};
use rialto::manage::{Answer, DataPath, Unavailable};
use rialto::policy::{PrefixClass, RejectReason};
use rialto::runtime::ThreadRow;
use rialto::server::Shard;
use rialto::server::exchange::Exchange;
use rialto::server::message::{ClientUp, RouteBatch, RouteUpdate, ToShard};
use rialto::server::query::{
    ClientStatus, CoreCommand, CoreReply, CoreStats, SessionUp, ShardQuery, ShardReply,
    StaleStatus, TapAnswer, TapQuestion, Tapped, TappedWhat,
};
use rialto::session::Negotiated;
use rialto::wire::{AttributeSet, Capabilities, EncodingClass, GracefulRestart, Open};

pub const NOW: Time = Time::from_secs(1000);

pub struct Fake(Mutex<State>);

pub struct State {
    pub exchange: Arc<Exchange>,
    shards: Vec<Shard>,
    pub core: CoreStats,
    /// Commands but for Stats and Reload.
    pub commands: Vec<CoreCommand>,
    pub reload_count: usize,
    /// The answer to a reload.
    pub complaints: Vec<String>,
    /// How often a shard was asked for its statistics,
    pub stats_count: usize,
    /// and for a piece of its table.
    pub pieces_count: usize,
    /// The answer to the next command.
    pub refusal: Option<String>,
    pub is_silent: bool,
    /// What the clock says.
    pub now: Time,
    /// What happened to sessions, oldest first; as if nothing were ever forgotten.
    pub tapped: Vec<Tapped>,
    is_tapped: bool,
    of_shards: Time,
    /// Questions for what happens, to shards and to the session core.
    pub questions: usize,
    pub sessions: Vec<(ClientSlot, Arc<SessionUp>)>,
}

impl Fake {
    pub fn new(exchange: Arc<Exchange>) -> Fake {
        let shard = |index| Shard::new(ShardId(index), exchange.clone(), 1);
        let status = |client: &Arc<rialto::server::exchange::Client>| ClientStatus {
            slot: client.slot,
            state: "Active",
            since_us: Time::from_secs(900).as_micros(),
            ..ClientStatus::default()
        };
        let core = CoreStats {
            clients: exchange.clients().map(status).collect(),
            generation: exchange.generation,
            ..CoreStats::default()
        };
        Fake(Mutex::new(State {
            shards: (0..exchange.shard_count).map(shard).collect(),
            core,
            exchange,
            commands: Vec::new(),
            reload_count: 0,
            complaints: Vec::new(),
            stats_count: 0,
            pieces_count: 0,
            refusal: None,
            is_silent: false,
            now: NOW,
            tapped: Vec::new(),
            is_tapped: false,
            of_shards: NOW,
            questions: 0,
            sessions: Vec::new(),
        }))
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// A client comes up.
    pub fn up(&self, slot: u16) {
        self.up_as(slot, EncodingClass::PLAIN);
    }

    pub fn up_as(&self, slot: u16, class: EncodingClass) {
        self.with(|state| {
            let families = FamilySet::ALL;
            let up = ClientUp {
                slot: ClientSlot(slot),
                epoch: SessionEpoch(1),
                families,
                class,
                router_id: Ipv4Addr::from(0xc000_0201 + u32::from(slot)),
                stale: FamilySet::EMPTY,
                takes_stale: false,
            };
            (0..state.shards.len())
                .for_each(|shard| state.step(shard, ToShard::ClientUp(up.clone())));
            let status = state
                .core
                .clients
                .iter_mut()
                .find(|status| status.slot == up.slot)
                .unwrap();
            *status = ClientStatus {
                state: "Established",
                router_id: Some(up.router_id),
                families,
                received: [7, 3],
                accepted: [6, 3],
                hold_time_s: 90,
                ..status.clone()
            };
        });
    }

    /// A client's session ends, and its routes are kept for so long.
    pub fn leave(&self, slot: u16, is_long_lived: bool, seconds: u64) {
        self.with(|state| {
            let stale = FamilySet::ALL;
            let long_lived = if is_long_lived {
                stale
            } else {
                FamilySet::EMPTY
            };
            for shard in 0..state.shards.len() {
                let down = ToShard::ClientDown {
                    slot: ClientSlot(slot),
                    epoch: SessionEpoch(1),
                    stale: stale.difference(long_lived),
                    long_lived,
                };
                state.step(shard, down);
            }
            let until_us = (state.now + Duration::from_secs(seconds)).as_micros();
            let of_slot = |status: &&mut ClientStatus| status.slot == ClientSlot(slot);
            let status = state.core.clients.iter_mut().find(of_slot).unwrap();
            *status = ClientStatus {
                slot: status.slot,
                state: "Active",
                stale: [Some(StaleStatus {
                    until_us,
                    is_long_lived,
                }); 2],
                ..ClientStatus::default()
            };
        });
    }

    /// A client that is up has a session, of which somebody who asks is told.
    pub fn session(&self, slot: u16) -> Arc<SessionUp> {
        self.session_as(slot, EncodingClass::PLAIN)
    }

    pub fn session_of(&self, slot: u16, four_octet: bool) -> Arc<SessionUp> {
        let class = EncodingClass {
            four_octet,
            ..EncodingClass::PLAIN
        };
        self.session_as(slot, class)
    }

    pub fn session_as(&self, slot: u16, class: EncodingClass) -> Arc<SessionUp> {
        let EncodingClass {
            four_octet,
            add_path,
            message_max,
            ..
        } = class;
        let client = self.with(|state| state.exchange.client(ClientSlot(slot)).unwrap().clone());
        let negotiated = Negotiated {
            families: FamilySet::ALL,
            add_path_send: add_path,
            ipv6_next_hops: false,
            four_octet,
            extended_messages: message_max > EncodingClass::PLAIN.message_max,
            enhanced_refresh: true,
            route_refresh: true,
            peer_restart: Some(GracefulRestart::default()),
            peer_long_lived: None,
            keeps_routes: true,
            hard_resets: false,
            hold_time_s: 90,
            peer_router_id: Ipv4Addr::new(192, 0, 2, slot as u8 + 1),
            peer_asn: client.asn,
            peer_role: None,
        };
        let open = |asn, router_id| {
            let capabilities = Capabilities {
                families: FamilySet::ALL,
                four_octet_asn: Some(asn),
                add_path_receive: add_path,
                add_path_send: add_path,
                ..Capabilities::default()
            };
            let open = Open {
                asn,
                hold_time_s: 90,
                router_id,
                capabilities,
            };
            let mut octets = Vec::new();
            open.encode(&mut octets);
            octets.into()
        };
        let up = Arc::new(SessionUp {
            since: NOW,
            local: "192.0.2.254:179".parse().unwrap(),
            remote: (client.address, 40_000 + slot).into(),
            negotiated,
            sent_open: open(Asn(64500), Ipv4Addr::new(192, 0, 2, 254)),
            received_open: open(client.asn, negotiated.peer_router_id),
        });
        self.with(|state| state.sessions.push((client.slot, up.clone())));
        up
    }

    pub fn tap(&self, slot: u16, what: TappedWhat) {
        let slot = ClientSlot(slot);
        self.with(|state| {
            let at = state.now;
            state.tapped.push(Tapped { at, slot, what });
        });
    }

    /// The first so many clients, which are up, get what changes.
    pub fn make_live(&self, count: u16) {
        self.with(|state| {
            let (core, walk) = (CoreId(0), WalkId(1));
            let clients: Arc<ClientSet> = Arc::new((0..count).map(ClientSlot).collect());
            for shard in 0..state.shards.len() {
                let clients = clients.clone();
                let families = FamilySet::ALL;
                let joint = false;
                state.step(
                    shard,
                    ToShard::Walk {
                        core,
                        walk,
                        clients,
                        families,
                        joint,
                    },
                );
                state.step(shard, ToShard::Promote { core, walk });
            }
        });
    }

    /// A client announces a prefix no more.
    pub fn withdraw(&self, slot: u16, prefix: &str) {
        self.hear(slot, prefix, None, PrefixClass::ACCEPTED);
    }

    /// A client announces a prefix, and import says this of it.
    pub fn announce(
        &self,
        slot: u16,
        prefix: &str,
        set: &Arc<AttributeSet>,
        rejected: Option<RejectReason>,
    ) {
        let class = rejected.map_or(PrefixClass::ACCEPTED, PrefixClass::rejected);
        self.hear(slot, prefix, Some(set), class);
    }

    /// As it was judged; no set: withdrawn.
    pub fn hear(
        &self,
        slot: u16,
        prefix: &str,
        set: Option<&Arc<AttributeSet>>,
        class: PrefixClass,
    ) {
        let prefix: Prefix = prefix.parse().unwrap();
        self.with(|state| {
            let batch = RouteBatch {
                slot: ClientSlot(slot),
                epoch: SessionEpoch(1),
                generation: state.exchange.generation,
                heard: NOW,
                updates: vec![RouteUpdate {
                    seq: 1,
                    set: set.cloned(),
                    prefixes: 0..1,
                }],
                prefixes: vec![(prefix, class)],
            };
            let shard = shard_of(&prefix, state.exchange.shard_count).index();
            state.step(shard, ToShard::Routes(batch));
        });
    }
}

impl State {
    fn step(&mut self, shard: usize, message: ToShard) {
        let shard = &mut self.shards[shard];
        // Flushes are some time apart.
        self.of_shards = self.of_shards + Duration::from_micros(20);
        let now = self.of_shards;
        shard.handle(now, message);
        while shard.turn(now) {
            while shard.poll_to_core().is_some() {}
        }
        while shard.poll_to_core().is_some() {}
    }

    fn query(&mut self, shard: ShardId, query: ShardQuery) -> ShardReply {
        self.stats_count += usize::from(matches!(query, ShardQuery::Stats));
        let is_piece = matches!(query, ShardQuery::Routes { .. } | ShardQuery::Paths { .. });
        self.pieces_count += usize::from(is_piece);
        self.questions += usize::from(matches!(query, ShardQuery::Watch(_)));
        self.step(shard.index(), ToShard::Query { id: 1, query });
        self.shards[shard.index()]
            .poll_reply()
            .expect("a shard answers at once")
            .1
    }

    fn command(&mut self, command: CoreCommand) -> CoreReply {
        match command {
            CoreCommand::Stats => return CoreReply::Stats(Box::new(self.core.clone())),
            CoreCommand::Generation => return CoreReply::Generation(self.core.generation),
            CoreCommand::Tap(question) => return CoreReply::Tapped(self.tap(&question)),
            CoreCommand::Sessions => return CoreReply::Sessions(self.sessions.clone()),
            other => self.commands.push(other),
        }
        self.refusal
            .take()
            .map_or(CoreReply::Done, CoreReply::Refused)
    }

    fn tap(&mut self, question: &TapQuestion) -> TapAnswer {
        self.questions += 1;
        let is_wanted = |entry: &&Tapped| match entry.what {
            TappedWhat::Received(_) | TappedWhat::ReceivedOther(_) => {
                question.received.contains(entry.slot)
            }
            TappedWhat::Sent(_) => question.sent.contains(entry.slot),
            _ => true,
        };
        let after = question.after as usize;
        let rest = self.tapped.iter().skip(after).filter(is_wanted);
        let has_missed = !std::mem::replace(&mut self.is_tapped, true);
        TapAnswer {
            entries: rest.cloned().collect(),
            last: self.tapped.len() as u64,
            has_missed,
            has_more: false,
        }
    }

    fn reload(&mut self, exchange: Arc<Exchange>) {
        self.reload_count += 1;
        (0..self.shards.len())
            .for_each(|shard| self.step(shard, ToShard::Reload(exchange.clone())));
        self.core.generation = exchange.generation;
        self.exchange = exchange;
    }
}

impl DataPath for Fake {
    fn core_count(&self) -> u16 {
        1
    }

    fn shard_count(&self) -> u16 {
        self.with(|state| state.exchange.shard_count)
    }

    fn now(&self) -> Time {
        self.with(|state| state.now)
    }

    fn shard_query(&self, shard: ShardId, query: ShardQuery) -> Answer<ShardReply> {
        let answer = self.with(|state| {
            if state.is_silent {
                Err(Unavailable("gone".to_owned()))
            } else {
                Ok(state.query(shard, query))
            }
        });
        Box::pin(async move { answer })
    }

    fn core_command(&self, core: CoreId, command: CoreCommand) -> Answer<CoreReply> {
        assert_eq!(core, CoreId(0));
        let answer = self.with(|state| state.command(command));
        Box::pin(async move { Ok(answer) })
    }

    fn reload(&self, exchange: Arc<Exchange>) -> Answer<Vec<String>> {
        let complaints = self.with(|state| {
            state.reload(exchange);
            state.complaints.clone()
        });
        Box::pin(async { Ok(complaints) })
    }

    fn threads(&self) -> Vec<ThreadRow> {
        let row = |name: &str| ThreadRow {
            name: name.to_owned(),
            cpu: Some(1),
            cpu_time: Duration::from_millis(1500),
            queued: 4,
        };
        ["core-0", "shard-0", "shard-1"].map(row).to_vec()
    }
}
