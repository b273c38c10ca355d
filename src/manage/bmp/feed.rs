//! What one collector is told, in its order: sessions first, then the tables piece by piece, and all that
//! changes in between. Fills a buffer; knows nothing of sockets.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::base::{
    ClientSet, ClientSlot, CoreId, Family, FamilySet, PathId, Prefix, PrefixSlot, ShardId, Time,
};
use crate::config::CollectorConfig;
use crate::manage::calendar::Calendar;
use crate::manage::census::{Census, within};
use crate::manage::data_path::{Unavailable, wrong_answer};
use crate::manage::follow::{News, Subscription, Wants};
use crate::manage::pages::{Page, Rows, page};
use crate::manage::plane::{Current, Plane};
use crate::server::query::{
    CoreCommand, CoreReply, PathRow, TableChange, Tapped, TappedWhat, Which,
};
use crate::wire::{AttributeSet, BmpTable, TimeOfDay, Variant};

use super::End;
use super::messages::{LocRib, Peer, Routes};

/// Table entries that are asked for at a time.
const ENTRIES: u32 = 500;
/// Between two pieces; so little is a shard kept from its work.
const PAUSE: Duration = Duration::from_millis(1);
/// When a client that came up later and sends no End-of-RIB is taken to have sent its routes.
const ALL_SENT: Duration = Duration::from_secs(60);

pub(super) struct Feed<'p> {
    plane: &'p Plane,
    collector: &'p CollectorConfig,
    pub subscription: Subscription,
    /// What was subscribed for was made of this.
    current: Arc<Current>,
    /// Whose Adj-RIB-Out is told.
    named: ClientSet,
    peers: HashMap<ClientSlot, Peer>,
    loc_rib: Option<LocRib>,
    calendar: Calendar,
    cores_begun: Vec<CoreId>,
    shards_begun: Vec<ShardId>,
    /// Parts of tables that are yet to be read.
    todo: VecDeque<Piece>,
    is_first_told: bool,
}

#[derive(Clone, Copy)]
struct Piece {
    shard: ShardId,
    cursor: PrefixSlot,
    /// Whose Adj-RIB-Out; `None`: all paths.
    to: Option<ClientSlot>,
    /// The client was brought to the present state before.
    is_live: bool,
}

/// Paths that go into the same UPDATEs.
type Key = (Option<ClientSlot>, *const AttributeSet, Variant, Family);
type Nlri = Vec<(Prefix, Option<PathId>)>;

impl<'p> Feed<'p> {
    pub fn new(plane: &'p Plane, collector: &'p CollectorConfig) -> Feed<'p> {
        let current = plane.current();
        let named = named(&current, collector);
        let wants = Wants {
            tables: collector.pre_policy || collector.post_policy || collector.loc_rib,
            adj_rib_out: named.clone(),
            sessions: true,
            ..Wants::default()
        };
        let is_wanted = collector.loc_rib;
        Feed {
            subscription: plane.follow().subscribe(wants, collector.queue_octets_max),
            loc_rib: is_wanted.then(|| LocRib::new(&current.exchange)),
            plane,
            collector,
            current,
            named,
            peers: HashMap::new(),
            calendar: Calendar::now(plane.data()),
            cores_begun: Vec::new(),
            shards_begun: Vec::new(),
            todo: VecDeque::new(),
            is_first_told: false,
        }
    }

    pub fn begin(&self, out: &mut Vec<u8>) {
        if let Some(loc_rib) = &self.loc_rib {
            loc_rib.push_up(out, self.now());
        }
    }

    pub fn end(&self, out: &mut Vec<u8>) {
        if let Some(loc_rib) = &self.loc_rib {
            loc_rib.push_down(out, self.now());
        }
    }

    fn now(&self) -> TimeOfDay {
        self.calendar.at(self.plane.data().now())
    }

    /// Whether the configuration still wants what is told.
    pub fn follow_reload(&mut self) -> Result<(), End> {
        self.calendar = Calendar::now(self.plane.data());
        let current = self.plane.current();
        if Arc::ptr_eq(&current, &self.current) {
            return Ok(());
        }
        let is_same = current.config.bmp.contains(self.collector);
        if !is_same || named(&current, self.collector) != self.named {
            return Err(End::Unwanted);
        }
        self.current = current;
        Ok(())
    }

    /// One thing more, if there is one to be told.
    pub async fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, End> {
        if let Some(news) = self.subscription.try_next() {
            self.take(news, out).await?;
            return Ok(true);
        }
        // Without its session a path is not told.
        if self.cores_begun.len() < self.plane.data().core_count().into() {
            return Ok(false);
        }
        let Some(piece) = self.todo.pop_front() else {
            return Ok(self.tell_first_end(out));
        };
        let next = self.read(piece, out).await.map_err(lost)?;
        match next {
            Some(cursor) => self.todo.push_front(Piece { cursor, ..piece }),
            None => self.tell_sent_end(piece, out),
        }
        sleep(PAUSE).await;
        Ok(true)
    }

    pub async fn take(&mut self, news: News, out: &mut Vec<u8>) -> Result<(), End> {
        match news {
            News::Lagged => {
                let octets = self.collector.queue_octets_max;
                let what = format!("it reads too slowly: more than {octets} octets wait for it");
                return Err(End::GivenUp(what));
            }
            News::TableBegins { shard, .. } if self.shards_begun.contains(&shard) => {
                return Err(End::GivenUp(
                    "changes were lost, too many at once".to_owned(),
                ));
            }
            News::SessionsBegin { core, .. } if self.cores_begun.contains(&core) => {
                return Err(End::GivenUp("session changes were lost".to_owned()));
            }
            News::TableBegins { shard, .. } => {
                self.shards_begun.push(shard);
                self.todo.push_back(Piece {
                    shard,
                    cursor: PrefixSlot(0),
                    to: None,
                    is_live: false,
                });
                let named: Vec<ClientSlot> = self.named.iter().collect();
                named
                    .into_iter()
                    .for_each(|slot| self.read_later(shard, slot, false));
            }
            News::SessionsBegin { core, .. } => {
                self.look_up_sessions(core, out).await.map_err(lost)?;
                self.cores_begun.push(core);
            }
            News::Changed { shard, change } => self.tell_change(shard, &change, out),
            News::Tapped { entry, .. } => self.tell_session(&entry, out),
        }
        Ok(())
    }

    fn read_later(&mut self, shard: ShardId, slot: ClientSlot, is_live: bool) {
        self.todo.push_back(Piece {
            shard,
            cursor: PrefixSlot(0),
            to: Some(slot),
            is_live,
        });
    }

    async fn look_up_sessions(
        &mut self,
        core: CoreId,
        out: &mut Vec<u8>,
    ) -> Result<(), Unavailable> {
        let answer = self.plane.data().core_command(core, CoreCommand::Sessions);
        let sessions = match within(answer).await? {
            CoreReply::Sessions(sessions) => sessions,
            other => return Err(wrong_answer(&other)),
        };
        for (slot, up) in sessions {
            let since = self.calendar.at(up.since);
            let peer = Peer::new(up, since, &self.current.exchange);
            peer.push_up(out);
            self.peers.insert(slot, peer);
        }
        Ok(())
    }

    fn tell_session(&mut self, entry: &Tapped, out: &mut Vec<u8>) {
        let at = self.calendar.at(entry.at);
        let known = self.peers.get(&entry.slot);
        // What was looked up may be ahead of what is told.
        let is_ahead = |since: Time| known.is_some_and(|known| known.up.since >= since);
        match &entry.what {
            TappedWhat::Up(up) if !is_ahead(up.since) => {
                let mut peer = Peer::new(up.clone(), at, &self.current.exchange);
                peer.is_late = true;
                peer.push_up(out);
                self.peers.insert(entry.slot, peer);
            }
            TappedWhat::Down(why) if known.is_none_or(|known| known.up.since <= entry.at) => {
                if let Some(peer) = self.peers.remove(&entry.slot) {
                    peer.push_down(out, at, why);
                }
                self.todo.retain(|piece| piece.to != Some(entry.slot));
            }
            _ => {}
        }
    }

    fn tell_change(&mut self, shard: ShardId, change: &TableChange, out: &mut Vec<u8>) {
        let at = self.now();
        let plain = |set| Some((set, Variant::default()));
        match change {
            TableChange::Heard {
                prefix,
                announcer,
                class,
                set,
            } => {
                let accepted = class.is_accepted().then_some(&**set);
                let tables = [
                    (BmpTable::PrePolicy, plain(&**set)),
                    (BmpTable::PostPolicy, accepted.and_then(plain)),
                ];
                for (table, set) in tables {
                    self.tell_one(out, (*announcer, table), at, (*prefix, None), set);
                }
            }
            TableChange::Gone { prefix, announcer } => {
                for table in [BmpTable::PrePolicy, BmpTable::PostPolicy] {
                    self.tell_one(out, (*announcer, table), at, (*prefix, None), None);
                }
            }
            TableChange::Best { prefix, set, .. } => self.tell_best(out, at, *prefix, Some(set)),
            TableChange::NoBest { prefix } => self.tell_best(out, at, *prefix, None),
            TableChange::Sent {
                to,
                prefix,
                path_id,
                set,
                variant,
            } => {
                let nlri = (*prefix, *path_id);
                self.tell_one(
                    out,
                    (*to, BmpTable::AdjRibOut),
                    at,
                    nlri,
                    Some((set, *variant)),
                );
            }
            TableChange::Unsent {
                to,
                prefix,
                path_id,
            } => {
                let nlri = (*prefix, *path_id);
                self.tell_one(out, (*to, BmpTable::AdjRibOut), at, nlri, None);
            }
            TableChange::Live { client } if self.named.contains(*client) => {
                self.read_later(shard, *client, true);
            }
            TableChange::Live { .. } => {}
        }
    }

    fn is_told(&self, table: BmpTable) -> bool {
        match table {
            BmpTable::PrePolicy => self.collector.pre_policy,
            BmpTable::PostPolicy => self.collector.post_policy,
            BmpTable::AdjRibOut => true,
            BmpTable::LocRib => self.collector.loc_rib,
        }
    }

    fn tell_one(
        &self,
        out: &mut Vec<u8>,
        (slot, table): (ClientSlot, BmpTable),
        at: TimeOfDay,
        nlri: (Prefix, Option<PathId>),
        set: Option<(&AttributeSet, Variant)>,
    ) {
        self.tell_many(out, (slot, table), at, &[nlri], set);
    }

    fn tell_many(
        &self,
        out: &mut Vec<u8>,
        (slot, table): (ClientSlot, BmpTable),
        at: TimeOfDay,
        nlri: &[(Prefix, Option<PathId>)],
        set: Option<(&AttributeSet, Variant)>,
    ) {
        let (Some((first, _)), Some(peer)) = (nlri.first(), self.peers.get(&slot)) else {
            return;
        };
        if self.is_told(table) {
            let routes = Routes {
                family: first.family(),
                set,
                nlri: &mut nlri.iter().copied(),
            };
            let scrub = self.current.exchange.scheme.export_scrub();
            peer.push_routes(out, (table, at), routes, scrub);
        }
    }

    fn tell_best(
        &self,
        out: &mut Vec<u8>,
        at: TimeOfDay,
        prefix: Prefix,
        set: Option<&Arc<AttributeSet>>,
    ) {
        if let Some(loc_rib) = &self.loc_rib {
            let routes = Routes {
                family: prefix.family(),
                set: set.map(|set| (&**set, Variant::default())),
                nlri: &mut std::iter::once((prefix, None)),
            };
            loc_rib.push_routes(out, at, routes);
        }
    }

    /// A piece of a table; where it goes on.
    async fn read(
        &mut self,
        piece: Piece,
        out: &mut Vec<u8>,
    ) -> Result<Option<PrefixSlot>, Unavailable> {
        let Piece {
            shard, cursor, to, ..
        } = piece;
        let rows = to.map_or(Rows::All, |to| Rows::OfClient(to, Which::Advertised));
        let Page { rows, next, .. } =
            page(self.plane.data(), rows, (shard, cursor), ENTRIES).await?;
        let Some(to) = to else {
            self.tell_paths(&rows, out);
            return Ok(next);
        };
        let of = |row: &PathRow| (Some(to), row.variant);
        for (set, variant, nlri) in group(rows.iter(), of) {
            let to = (to, BmpTable::AdjRibOut);
            let unknown = TimeOfDay::default();
            self.tell_many(out, to, unknown, &nlri, Some((set, variant)));
        }
        Ok(next)
    }

    /// How long a path has been there is not known.
    fn tell_paths(&self, rows: &[PathRow], out: &mut Vec<u8>) {
        let unknown = TimeOfDay::default();
        let accepted = || rows.iter().filter(|row| row.class.is_accepted());
        let plain = Variant::default();
        let mut announcers: Vec<ClientSlot> = rows.iter().map(|row| row.announcer).collect();
        announcers.sort_unstable();
        announcers.dedup();
        for slot in announcers {
            let is_its = |row: &&PathRow| row.announcer == slot;
            for (set, _, nlri) in group(rows.iter().filter(is_its), |_| (None, plain)) {
                let table = (slot, BmpTable::PrePolicy);
                self.tell_many(out, table, unknown, &nlri, Some((set, plain)));
            }
            for (set, _, nlri) in group(accepted().filter(is_its), |_| (None, plain)) {
                let table = (slot, BmpTable::PostPolicy);
                self.tell_many(out, table, unknown, &nlri, Some((set, plain)));
            }
        }
        let Some(loc_rib) = &self.loc_rib else { return };
        // The first of each prefix is the best.
        let firsts = rows.chunk_by(|a, b| a.prefix == b.prefix);
        let firsts = firsts.filter_map(<[PathRow]>::first);
        let best = firsts.filter(|row| row.class.is_accepted());
        for (set, variant, nlri) in group(best, |_| (None, plain)) {
            let Some((first, _)) = nlri.first() else {
                continue;
            };
            let routes = Routes {
                family: first.family(),
                set: Some((set, variant)),
                nlri: &mut nlri.iter().copied(),
            };
            loc_rib.push_routes(out, unknown, routes);
        }
    }

    /// All tables are read for the first time; whether there was something to tell.
    fn tell_first_end(&mut self, out: &mut Vec<u8>) -> bool {
        let wants_tables = self.loc_rib.is_some()
            || self.collector.pre_policy
            || self.collector.post_policy
            || !self.named.is_empty();
        let shard_count = usize::from(self.plane.data().shard_count());
        if self.is_first_told || (wants_tables && self.shards_begun.len() < shard_count) {
            return false;
        }
        self.is_first_told = true;
        let slots: Vec<ClientSlot> = self.peers.keys().copied().collect();
        for slot in slots {
            let families = match self.peers.get(&slot) {
                Some(peer) if !peer.is_late => peer.unfinished,
                _ => continue,
            };
            self.tell_end(out, slot, families);
            if let Some(peer) = self
                .peers
                .get_mut(&slot)
                .filter(|_| self.named.contains(slot))
            {
                peer.push_end_of_sent(out);
            }
        }
        for family in Family::ALL {
            if let Some(loc_rib) = &self.loc_rib {
                loc_rib.push_end_of_rib(out, family);
            }
        }
        true
    }

    /// A client that came up later has been sent what there was when all shards brought it there.
    fn tell_sent_end(&mut self, piece: Piece, out: &mut Vec<u8>) {
        let shard_count = usize::from(self.plane.data().shard_count());
        let live = piece.to.filter(|_| piece.is_live);
        let Some(peer) = live.and_then(|slot| self.peers.get_mut(&slot)) else {
            return;
        };
        if !peer.sent_by.contains(&piece.shard) {
            peer.sent_by.push(piece.shard);
        }
        if peer.is_late && peer.sent_by.len() == shard_count {
            peer.push_end_of_sent(out);
        }
    }

    fn tell_end(&mut self, out: &mut Vec<u8>, slot: ClientSlot, families: FamilySet) {
        let mut tables = vec![BmpTable::PrePolicy, BmpTable::PostPolicy];
        tables.retain(|table| self.is_told(*table));
        let Some(peer) = self.peers.get_mut(&slot) else {
            return;
        };
        for family in families.iter() {
            peer.unfinished = peer.unfinished.without(family);
            for table in &tables {
                peer.push_end_of_rib(out, *table, family);
            }
        }
    }

    /// Clients that came up later have sent their routes, as far as is known: what they had said when
    /// this was called the last time has been told since.
    pub fn tell_late_ends(&mut self, census: &Census, out: &mut Vec<u8>) {
        let now = self.plane.data().now();
        let mut due = BTreeMap::new();
        for (slot, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.is_late) {
            let is_old = now.since(peer.up.since) > ALL_SENT;
            let is_silent = !peer.up.negotiated.sends_end_of_rib() && is_old;
            let said = match is_silent {
                true => peer.unfinished,
                false => peer.said,
            };
            due.insert(*slot, said.intersection(peer.unfinished));
            let status = census.client(*slot);
            peer.said = status.map_or(FamilySet::EMPTY, |status| status.end_of_rib);
        }
        for (slot, families) in due {
            self.tell_end(out, slot, families);
        }
    }

    pub fn has_late(&self) -> bool {
        let mut peers = self.peers.values();
        peers.any(|peer| peer.is_late && !peer.unfinished.is_empty())
    }

    pub fn tell_statistics(&self, census: &Census, out: &mut Vec<u8>) {
        let at = self.now();
        let mut slots: Vec<&ClientSlot> = self.peers.keys().collect();
        slots.sort_unstable();
        for peer in slots.into_iter().filter_map(|slot| self.peers.get(slot)) {
            peer.push_statistics(out, at, &self.current.exchange, census);
        }
        if let Some(loc_rib) = &self.loc_rib {
            loc_rib.push_statistics(out, at, census);
        }
    }
}

fn named(current: &Current, collector: &CollectorConfig) -> ClientSet {
    let names = collector.adj_rib_out.iter();
    let clients = names.filter_map(|name| current.exchange.client_named(name));
    clients.map(|client| client.slot).collect()
}

fn lost(error: Unavailable) -> End {
    End::GivenUp(error.0)
}

/// By what they have in common, in the order in which that first comes.
fn group<'r>(
    rows: impl Iterator<Item = &'r PathRow>,
    of: impl Fn(&PathRow) -> (Option<ClientSlot>, Variant),
) -> Vec<(&'r AttributeSet, Variant, Nlri)> {
    let mut groups: Vec<(&AttributeSet, Variant, Nlri)> = Vec::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    for row in rows {
        let (slot, variant) = of(row);
        let key = (slot, Arc::as_ptr(&row.set), variant, row.prefix.family());
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((&row.set, variant, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, _, nlri)) = groups.get_mut(place) {
            nlri.push((row.prefix, row.path_id));
        }
    }
    groups
}
