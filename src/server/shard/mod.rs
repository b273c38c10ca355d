//! A shard: its prefixes' Adj-RIB-In, decision and per-client Loc-RIBs, as a plain value.
//!
//! Owns every table entry of its share of the prefixes. Knows no socket, session or octet queue: it
//! is told by [`ToShard`] and answers with [`ToCore`].

mod alike;
mod flush;
mod hashes;
mod outbox;
mod query;
mod refresh;
mod rehearse;
mod routes;
mod search;
mod served;
mod stale;
mod sweep;
mod walk;
mod watch;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::base::{ClientSet, ClientSlot, CoreId, Family, FamilySet, PrefixSlot, ShardId, Time};
use crate::policy::{ControlScheme, PrefixClass};
use crate::rib::{
    AnnouncerOrder, Capacities, Decision, EligibilityTable, Marks, MedMode, PathList, Scope,
    SetTable, Stamp, Table, Versions,
};

use super::exchange::Exchange;
use super::message::{ClientUp, ToCore, ToShard};
use super::query::{ShardReply, ShardStats};
use hashes::Hashes;
use outbox::Outbox;
use refresh::Phases;
use stale::Stale;
use sweep::Sweep;
use walk::{Part, Walks};
use watch::Watch;

/// One shard. All shards and session cores of a server share one `seed`.
pub struct Shard {
    shard: ShardId,
    seed: u64,
    exchange: Arc<Exchange>,
    versions: Versions,
    /// By the last bit of the scheme's version: the present one and the one before.
    schemes: [Arc<ControlScheme>; 2],
    /// What of a class is shown in communities, under the present scheme.
    tags: FxHashMap<PrefixClass, u16>,
    table: Table,
    sets: SetTable,
    eligibilities: EligibilityTable,
    /// By client slot.
    announcers: Vec<Announcer>,
    orders: Vec<AnnouncerOrder>,
    capacities: Capacities,
    /// Clients that changes reach, by family.
    live: [Scope; 2],
    /// MED modes of entries without and with [`Marks::SECOND_MODE`].
    med_modes: [MedMode; 2],
    /// New entries, and entries that the sweep has passed, carry this mark.
    med_second: bool,
    pending: Vec<PreImage>,
    /// When the oldest UPDATE behind them had come.
    heard: Time,
    last_flush: Time,
    flush_window: Duration,
    flush_count: u32,
    emptied: Vec<PrefixSlot>,
    reclaim: Reclaim,
    sweep: Sweep,
    /// Pieces of rehearsals so far.
    rehearsed_count: u32,
    walks: Walks,
    /// Questions of cores that are yet to be answered.
    hashes: VecDeque<Hashes>,
    watch: Watch,
    outbox: Outbox,
    replies: VecDeque<(u64, ShardReply)>,
    stats: ShardStats,
}

/// A client as the one that announces.
#[derive(Default)]
struct Announcer {
    /// The present or last session.
    epoch: u32,
    up: Option<ClientUp>,
    /// Of the present session, by family.
    phases: [Phases; 2],
    /// Of sessions before, by family.
    stale: [Option<Stale>; 2],
    /// Paths in the table, of whatever epoch.
    path_count: u32,
    /// `accepted_max` with action "block" or "reject": paths from this hash on are rejected.
    block_from: [Option<u64>; 2],
    /// Its core was told, in this session.
    is_over_budget: bool,
    /// It is over its budget by paths that are swept.
    is_shedding: bool,
}

/// What a prefix's paths were when its clients were last told.
struct PreImage {
    slot: PrefixSlot,
    second_mode: bool,
    paths: PathList,
}

/// Freed slots on their way to reuse.
#[derive(Default)]
struct Reclaim {
    batch: u32,
    slots: Option<Arc<[PrefixSlot]>>,
    /// Cores that have yet to answer.
    awaited: Vec<CoreId>,
    /// What they were told last.
    patience: Option<Duration>,
}

const NOBODY: AnnouncerOrder = AnnouncerOrder {
    router_id: Ipv4Addr::UNSPECIFIED,
    address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
};

/// So many emptied prefixes start a round of reclaiming.
const RECLAIM_COUNT: usize = 1_024;
/// And so many are in one: cores look each of them up in every dirty record, again and again.
const RECLAIM_MAX: usize = 65_536;

impl Shard {
    pub fn new(shard: ShardId, exchange: Arc<Exchange>, seed: u64) -> Shard {
        let mut new = Shard {
            shard,
            seed,
            versions: Versions {
                eligibility: 1,
                scheme: 1,
            },
            schemes: [exchange.scheme.clone(), exchange.scheme.clone()],
            tags: FxHashMap::default(),
            table: Table::default(),
            sets: SetTable::default(),
            eligibilities: EligibilityTable::default(),
            announcers: Vec::new(),
            orders: Vec::new(),
            capacities: Capacities::default(),
            live: Default::default(),
            med_modes: [exchange.med; 2],
            med_second: false,
            pending: Vec::new(),
            heard: Time::NEVER,
            last_flush: Time::ZERO,
            flush_window: Duration::ZERO,
            flush_count: 0,
            emptied: Vec::new(),
            reclaim: Reclaim::default(),
            sweep: Sweep::default(),
            rehearsed_count: 0,
            walks: Walks::default(),
            hashes: VecDeque::new(),
            watch: Watch::default(),
            outbox: Outbox::new(exchange.core_count),
            replies: VecDeque::new(),
            stats: ShardStats::default(),
            exchange,
        };
        new.fit_slots();
        new
    }

    /// Takes one message. The work it makes is done in [`Self::turn`].
    pub fn handle(&mut self, now: Time, message: ToShard) {
        self.stats.messages += 1;
        match message {
            ToShard::Routes(batch) => self.handle_routes(batch),
            ToShard::ClientUp(up) => self.handle_client_up(up),
            ToShard::ClientDown {
                slot,
                epoch,
                stale,
                long_lived,
            } => self.handle_client_down(slot, epoch.0, [stale, long_lived]),
            ToShard::LongLived { slot, families } => self.make_long_lived(slot, families),
            ToShard::StaleOver { slot, families } => self.drop_stale(slot, families),
            ToShard::Refresh(mark) => self.handle_refresh_mark(&mark),
            ToShard::Walk {
                core,
                walk,
                clients,
                families,
                joint,
            } => {
                let part = Part {
                    core,
                    walk,
                    clients: (*clients).clone(),
                };
                match joint {
                    true => (self.walks).join(part, families, self.exchange.core_count),
                    false => self.walks.queue(part, families),
                }
            }
            ToShard::Promote { core, walk } => self.handle_promote(core, walk),
            ToShard::Resync { slot, epoch, dirty } => self.handle_resync(slot, epoch.0, &dirty),
            ToShard::BlockFrom {
                slot,
                epoch,
                family,
                hash,
            } => self.handle_block_from(slot, epoch.0, family, hash),
            ToShard::AskHashes {
                slot,
                epoch,
                family,
            } => self.handle_ask_hashes(slot, epoch, family),
            ToShard::Reload(exchange) => self.handle_reload(exchange),
            ToShard::Reclaimed { core, batch } => self.handle_reclaimed(core, batch),
            ToShard::Query { id, query } => {
                let reply = self.answer(now, &query);
                self.replies.push_back((id, reply));
            }
        }
    }

    /// False: leave the mailbox alone until the session cores have taken what waits for them. A core
    /// that takes nothing waits for its sockets, never for a shard, so this ends.
    pub fn wants_messages(&self) -> bool {
        !self.outbox.is_choked()
    }

    /// Does a bounded piece of work; true says that there is more to do right away.
    pub fn turn(&mut self, now: Time) -> bool {
        self.outbox.unblock();
        self.watch.let_go(now);
        self.sweep_piece();
        if self.outbox.is_full() {
            return self.has_work(now);
        }
        self.tell_reloaded();
        self.hashes_piece();
        self.flush_if_due(now);
        self.walk_piece();
        self.start_reclaim();
        self.has_work(now)
    }

    /// When [`Self::turn`] is due although nothing arrives.
    pub fn poll_timeout(&self) -> Option<Time> {
        (!self.pending.is_empty()).then(|| self.last_flush + self.flush_window)
    }

    pub fn poll_to_core(&mut self) -> Option<(CoreId, ToCore)> {
        self.outbox.poll()
    }

    /// The core's mailbox was full; the message comes again first, after the next turn.
    pub fn put_back(&mut self, core: CoreId, message: ToCore) {
        self.outbox.put_back(core, message);
    }

    /// Answers for the management plane.
    pub fn poll_reply(&mut self) -> Option<(u64, ShardReply)> {
        self.replies.pop_front()
    }

    fn has_work(&self, now: Time) -> bool {
        self.sweep.is_active()
            || self.sweep.is_untold()
            || self.walks.has_work()
            || !self.hashes.is_empty()
            || (!self.pending.is_empty() && self.is_flush_due(now))
    }

    /// Makes room for every slot of the configuration.
    fn fit_slots(&mut self) {
        let count = self.exchange.clients.len().max(self.announcers.len());
        self.announcers.resize_with(count, Announcer::default);
        self.orders.resize(count, NOBODY);
        let exchange = &self.exchange;
        for client in exchange.clients() {
            self.orders[client.slot.index()].address = client.address.to_canonical();
        }
    }

    fn handle_client_up(&mut self, up: ClientUp) {
        let slot = up.slot;
        if slot.index() >= self.announcers.len() {
            // The core has a newer generation; its Reload is on its way here.
            self.announcers
                .resize_with(slot.index() + 1, Announcer::default);
            self.orders.resize(slot.index() + 1, NOBODY);
        }
        let wraps = up.epoch.0.is_multiple_of(Stamp::EPOCHS / 2);
        let is_another = self.orders[slot.index()].router_id != up.router_id;
        self.drop_stale(slot, FamilySet::ALL.difference(up.stale));
        self.drop_stale_before(slot, up.epoch.0);
        self.sweep_doomed(slot);
        if is_another || wraps {
            // Path lists, those of pre-images too, are sorted by router id: the old session's paths
            // go before it changes. They go now and then anyway, as few epochs are told apart.
            self.sweep_all();
            self.flush();
        }
        self.orders[slot.index()].router_id = up.router_id;
        self.remove_receiver(slot);
        self.capacities.insert(slot, up.class, up.takes_stale);
        let announcer = &mut self.announcers[slot.index()];
        announcer.epoch = up.epoch.0;
        announcer.phases = Default::default();
        self.sweep.forget_counts(slot);
        announcer.block_from = [None; 2];
        announcer.is_over_budget = false;
        announcer.is_shedding = false;
        announcer.up = Some(up);
    }

    fn handle_client_down(&mut self, slot: ClientSlot, epoch: u32, stale: [FamilySet; 2]) {
        let Some(announcer) = self.announcers.get_mut(slot.index()) else {
            return;
        };
        if announcer.epoch != epoch || announcer.up.is_none() {
            return;
        }
        announcer.up = None;
        self.keep_stale(slot, epoch, stale);
        let announcer = &mut self.announcers[slot.index()];
        announcer.phases = Default::default();
        self.sweep.forget_counts(slot);
        if announcer.path_count > announcer.stale_count() {
            self.sweep.request(self.table.slot_count());
        }
        self.remove_receiver(slot);
    }

    fn remove_receiver(&mut self, slot: ClientSlot) {
        for scope in &mut self.live {
            scope.best.remove(slot);
            scope.all.remove(slot);
        }
        self.walks.remove_client(slot);
        self.capacities.remove(slot);
    }

    /// Which of `clients` negotiated the family, by how they want their paths.
    fn scope_of(&self, clients: &ClientSet, family: Family) -> Scope {
        let mut scope = Scope::default();
        for slot in clients.iter() {
            let up = self
                .announcers
                .get(slot.index())
                .and_then(|announcer| announcer.up.as_ref());
            match up {
                Some(up) if up.families.contains(family) && up.class.add_path.contains(family) => {
                    scope.all.insert(slot)
                }
                Some(up) if up.families.contains(family) => scope.best.insert(slot),
                _ => {}
            }
        }
        scope
    }

    fn med_mode(&self, second: bool) -> MedMode {
        self.med_modes[usize::from(second)]
    }

    fn entry_med(&self, slot: PrefixSlot) -> MedMode {
        self.med_mode(self.table.entry(slot).marks.contains(Marks::SECOND_MODE))
    }

    fn decision(&self, med: MedMode) -> Decision<'_> {
        Decision {
            med,
            sets: &self.sets,
            announcers: &self.orders,
        }
    }
}

/// The tables of a shard that assignments are computed from, borrowed apart from the prefixes.
macro_rules! tables {
    ($shard:expr) => {
        $crate::rib::Tables {
            sets: &mut $shard.sets,
            eligibilities: &$shard.eligibilities,
            announcers: &$shard.orders,
            capacities: &$shard.capacities,
            scrubs: $shard
                .schemes
                .each_ref()
                .map(|scheme| scheme.export_scrub()),
        }
    };
}
use tables;
