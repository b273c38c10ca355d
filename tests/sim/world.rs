//! The machine that the exchange runs on, simulated: session cores, shards, bounded mailboxes,
//! connections and a clock. Whoever has something to do may come first; a seed decides.

mod lines;
mod mirror;
mod restart;
mod tap;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::{ClientSlot, CoreId, ShardId, Time};
use rialto::server::exchange::Exchange;
use rialto::server::message::{CoreNotice, ToCore, ToShard};
use rialto::server::query::{
    CoreCommand, CoreReply, CoreStats, PathRow, ShardQuery, ShardReply, Which,
};
use rialto::server::{ConnId, CoreAction, SessionCore, Shard};

use self::mirror::Mirror;
use self::tap::Tap;
use super::rng::Rng;
use super::speaker::{Speaker, State};

pub struct World {
    pub now: Time,
    rng: Rng,
    cores: Vec<Core>,
    shards: Vec<ShardHost>,
    pub clients: Vec<ClientHost>,
    pub exchange: Arc<Exchange>,
    /// Generations on their way: what is still to be posted, in this order.
    posts: VecDeque<Post>,
    pub answers: HashMap<u64, ShardReply>,
    /// By actor: rounds that it sits out, as a thread does that the kernel does not run.
    naps: Vec<usize>,
    /// Counts whatever moved, keepalives left out.
    moves: u64,
    /// Clients that connected anew before their session had ended.
    pub news: u64,
    pub replies: Vec<CoreReply>,
}

enum Post {
    Shard(usize, ToShard),
    Core(usize, CoreCommand),
}

struct Core {
    core: SessionCore,
    /// From shards: one bounded mailbox.
    mail: VecDeque<(ShardId, ToCore)>,
    mail_max: usize,
    notices: VecDeque<(CoreId, CoreNotice)>,
    commands: VecDeque<CoreCommand>,
    /// Shards that refused a message.
    refused_by: Vec<bool>,
    conns: HashMap<ConnId, usize>,
    tap: Tap,
}

struct ShardHost {
    shard: Shard,
    mail: VecDeque<ToShard>,
    mail_max: usize,
    wants_turn: bool,
    mirror: Mirror,
}

/// A client's machine: its speaker and its end of the connection.
pub struct ClientHost {
    pub speaker: Speaker,
    pub address: IpAddr,
    /// It wants to be connected.
    pub is_on: bool,
    retry_at: Time,
    conn: Option<Conn>,
    /// It reads nothing until then.
    pub deaf_until: Time,
    /// Octets that its side of the network holds.
    window: usize,
}

struct Conn {
    core: usize,
    id: ConnId,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    may_write: bool,
    server_closes: bool,
    /// The server has been told that it is over.
    server_done: bool,
    client_done: bool,
}

/// Virtual time without anything that moves before the exchange counts as quiet.
const QUIET: Duration = Duration::from_millis(2_500);
/// The same while something is still due.
const LONG_QUIET: Duration = Duration::from_secs(60);

impl World {
    pub fn new(exchange: Arc<Exchange>, mut rng: Rng) -> World {
        let now = Time::from_millis(1);
        let server_seed = rng.next();
        let (cores, shards) = restart::hosts(&exchange, &mut rng, server_seed, now);
        World {
            now,
            rng,
            cores,
            shards,
            clients: Vec::new(),
            exchange,
            posts: VecDeque::new(),
            answers: HashMap::new(),
            naps: Vec::new(),
            moves: 0,
            news: 0,
            replies: Vec::new(),
        }
    }

    pub fn add_client(&mut self, address: IpAddr, speaker: Speaker) {
        let window = *self.rng.pick(&[300, 5_000, 70_000]);
        self.clients.push(ClientHost {
            speaker,
            address,
            is_on: true,
            retry_at: Time::ZERO,
            conn: None,
            deaf_until: Time::ZERO,
            window,
        });
    }

    /// Posts a generation as the management plane does: shards first, then session cores.
    pub fn reload(&mut self, exchange: Arc<Exchange>) {
        for shard in 0..self.shards.len() {
            self.posts
                .push_back(Post::Shard(shard, ToShard::Reload(exchange.clone())));
        }
        for core in 0..self.cores.len() {
            self.posts
                .push_back(Post::Core(core, CoreCommand::Reload(exchange.clone())));
        }
        self.exchange = exchange;
    }

    /// The client reads nothing for a while, and its network holds next to nothing.
    pub fn deafen(&mut self, client: usize, pause: Duration) {
        self.clients[client].deaf_until = self.now + pause;
        self.clients[client].window = 300;
    }

    /// Times that a client was brought up to date as a whole.
    pub fn whole_resyncs(&mut self) -> u64 {
        let cores = 0..self.cores.len();
        cores.map(|core| self.core_stats(core).whole_resyncs).sum()
    }

    pub fn command(&mut self, core: CoreId, command: CoreCommand) {
        self.posts.push_back(Post::Core(core.index(), command));
    }

    /// What every shard answers, between two of its turns.
    pub fn ask_shards(&mut self, query: &ShardQuery) -> Vec<ShardReply> {
        let now = self.now;
        let ask = |host: &mut ShardHost| {
            let query = query.clone();
            host.shard.handle(now, ToShard::Query { id: 0, query });
            let (_, reply) = host.shard.poll_reply().expect("it answers at once");
            reply
        };
        self.shards.iter_mut().map(ask).collect()
    }

    pub fn routes(&mut self, slot: ClientSlot, which: Which) -> Vec<PathRow> {
        let now = self.now;
        let of_shard = |host: &mut ShardHost| mirror::rows(now, &mut host.shard, slot, which);
        self.shards
            .iter_mut()
            .filter_map(of_shard)
            .flatten()
            .collect()
    }

    /// Whoever was told of changes knows the tables; how many changes that took.
    pub fn check_mirrors(&mut self) -> Result<u64, String> {
        let now = self.now;
        let mut count = 0;
        for (number, host) in self.shards.iter_mut().enumerate() {
            let told = host.mirror.check(now, &mut host.shard);
            count += told.map_err(|fault| format!("mirror of shard {number}: {fault}"))?;
        }
        Ok(count)
    }

    /// Whoever was told of sessions knows which are up, and every message that went out; how many.
    pub fn check_taps(&mut self) -> Result<u64, String> {
        let (now, mut sum) = (self.now, 0);
        for number in 0..self.cores.len() {
            let host = &mut self.cores[number];
            let told = host.tap.counts(now, &mut host.core);
            self.drain_core(number);
            let told = told.map_err(|fault| format!("tap of core {number}: {fault}"))?;
            for (slot, [_, sent]) in told {
                let configured = self.exchange.client(slot).ok_or("it is up")?;
                let is_it = |host: &&ClientHost| host.address == configured.address;
                let client = self.clients.iter().find(is_it).ok_or("it is up")?;
                let heard = client.speaker.heard_in_session;
                if sent != heard {
                    return Err(format!("{slot}: {sent} UPDATEs sent, {heard} heard"));
                }
                sum += sent;
            }
        }
        Ok(sum)
    }

    pub fn core_stats(&mut self, core: usize) -> CoreStats {
        match self.cores[core]
            .core
            .handle_command(self.now, CoreCommand::Stats)
        {
            CoreReply::Stats(stats) => *stats,
            other => panic!("Stats was answered with {other:?}"),
        }
    }

    fn pause(&mut self, client: usize) {
        let pause = Duration::from_millis(self.rng.between(1, 1_500) as u64);
        self.clients[client].retry_at = self.now + pause;
    }

    /// A few rounds, in the middle of whatever is going on.
    pub fn run_for_rounds(&mut self, rounds: usize) -> Result<(), String> {
        for _ in 0..rounds {
            self.round(70)?;
            self.now = self.now + Duration::from_micros(self.rng.between(1, 400) as u64);
        }
        Ok(())
    }

    /// Until nothing moves any more for a while.
    pub fn run_until_quiet(&mut self) -> Result<(), String> {
        let (mut last_move, mut last_wait) = (self.now, self.now);
        let give_up = self.now + Duration::from_secs(3_600);
        loop {
            let before = self.moves;
            let progressed = self.round(75)?;
            if self.moves != before {
                last_move = self.now;
            }
            if self.is_waiting_for_client() {
                last_wait = self.now;
            }
            let is_long = self.now.since(last_move) > LONG_QUIET;
            if is_long || self.now.since(last_move.max(last_wait)) > QUIET {
                return Ok(());
            }
            if self.now > give_up {
                return Err(format!("no quiet within an hour\n{}", self.describe()));
            }
            self.now = self.now + Duration::from_micros(self.rng.between(1, 400) as u64);
            if !progressed {
                // One in which everyone had a turn.
                if !self.round(100)? {
                    self.now = self.next_deadline().max(self.now);
                }
            }
        }
    }

    /// A client that wants to be up and is not, that lacks its End-of-RIB, or that reads nothing.
    fn is_waiting_for_client(&self) -> bool {
        self.clients.iter().any(|client| {
            let is_allowed = self
                .exchange
                .client_at(client.address)
                .is_some_and(|configured| configured.may_be_up());
            let speaker = &client.speaker;
            let lacks =
                |family: usize| speaker.agreed.families[family] && !speaker.end_of_rib[family];
            let is_coming = client.is_on && is_allowed && speaker.state != State::Established;
            is_coming
                || !speaker.restarts.kept.is_empty()
                || (speaker.left.as_ref()).is_some_and(|left| left.is_brief(self.now))
                || lacks(0)
                || lacks(1)
                || (client.conn.is_some() && client.deaf_until > self.now)
        })
    }

    fn next_deadline(&self) -> Time {
        let cores = self
            .cores
            .iter()
            .filter_map(|core| core.core.poll_timeout());
        let shards = self
            .shards
            .iter()
            .filter_map(|shard| shard.shard.poll_timeout());
        let clients = self.clients.iter().flat_map(|client| {
            let retry = if client.conn.is_none() && client.is_on {
                client.retry_at
            } else {
                Time::NEVER
            };
            let hears = if client.deaf_until > self.now {
                client.deaf_until
            } else {
                Time::NEVER
            };
            [retry, hears, client.speaker.poll_timeout()]
        });
        let latest = self.now + Duration::from_millis(500);
        cores
            .chain(shards)
            .chain(clients)
            .min()
            .map_or(latest, |due| due.min(latest))
    }

    /// Everyone in a random order, each with this chance; whether anything was done.
    fn round(&mut self, chance: usize) -> Result<bool, String> {
        let (cores, shards, clients) = (self.cores.len(), self.shards.len(), self.clients.len());
        let mut order: Vec<usize> = (0..cores + shards + clients).collect();
        self.rng.shuffle(&mut order);
        let mut progressed = self.post();
        self.naps.resize(order.len(), 0);
        for actor in order {
            if chance < 100 && !self.is_awake(actor, chance) {
                // Time goes on for the others while it naps.
                progressed |= self.naps[actor] > 0;
                continue;
            }
            progressed |= match actor {
                core if core < cores => self.step_core(core),
                shard if shard < cores + shards => self.step_shard(shard - cores),
                client => {
                    let client = client - cores - shards;
                    self.step_client(client)
                        .map_err(|fault| format!("client {client}: {fault}"))?
                }
            };
        }
        Ok(progressed)
    }

    fn is_awake(&mut self, actor: usize, chance: usize) -> bool {
        if self.naps[actor] > 0 {
            self.naps[actor] -= 1;
            return false;
        }
        if self.rng.below(400) == 0 {
            self.naps[actor] = *self.rng.pick(&[5, 30, 200]);
        }
        self.rng.percent(chance)
    }

    /// The management plane waits where a mailbox is full.
    fn post(&mut self) -> bool {
        let Some(post) = self.posts.pop_front() else {
            return false;
        };
        self.moves += 1;
        match post {
            Post::Shard(shard, message)
                if self.shards[shard].mail.len() < self.shards[shard].mail_max =>
            {
                self.shards[shard].mail.push_back(message);
            }
            Post::Core(core, command) => self.cores[core].commands.push_back(command),
            waits => self.posts.push_front(waits),
        }
        true
    }

    fn step_core(&mut self, index: usize) -> bool {
        let now = self.now;
        let mut progressed = false;
        if self.rng.below(30) == 0 {
            let host = &mut self.cores[index];
            host.tap.step(now, &mut host.core, 50);
            self.drain_core(index);
        }
        for shard in 0..self.shards.len() {
            let has_room = self.shards[shard].mail.len() < self.shards[shard].mail_max;
            if has_room && std::mem::take(&mut self.cores[index].refused_by[shard]) {
                self.cores[index]
                    .core
                    .handle_shard_room(ShardId(shard as u16));
                progressed = true;
                self.drain_core(index);
            }
        }
        if let Some(command) = self.cores[index].commands.pop_front() {
            trace(|| format!("{now:?} core {index} takes {command:.60?}"));
            let reply = self.cores[index].core.handle_command(now, command);
            self.replies.push(reply);
            self.drain_core(index);
            self.moves += 1;
        }
        while let Some((from, notice)) = self.cores[index].notices.pop_front() {
            self.cores[index].core.handle_core(now, from, notice);
            self.drain_core(index);
            progressed = true;
        }
        for _ in 0..self.rng.between(1, 20) {
            if !self.cores[index].core.wants_deltas() {
                break;
            }
            let Some((shard, message)) = self.cores[index].mail.pop_front() else {
                break;
            };
            self.cores[index].core.handle_shard(now, shard, message);
            self.drain_core(index);
            self.moves += 1;
            progressed = true;
        }
        if self.cores[index]
            .core
            .poll_timeout()
            .is_some_and(|due| due <= now)
        {
            self.cores[index].core.handle_timeout(now);
            self.drain_core(index);
            progressed = true;
        }
        progressed
    }

    /// Takes all that a core has to say.
    fn drain_core(&mut self, index: usize) {
        while let Some((shard, message)) = self.cores[index].core.poll_to_shard() {
            let host = &mut self.shards[shard.index()];
            if host.mail.len() < host.mail_max {
                trace(|| format!("{:?} core {index} -> {shard:?}: {message:.300?}", self.now));
                host.mail.push_back(message);
                self.moves += 1;
            } else {
                self.cores[index].core.put_back(shard, message);
                self.cores[index].refused_by[shard.index()] = true;
            }
        }
        while let Some((to, notice)) = self.cores[index].core.poll_to_core() {
            self.cores[to.index()]
                .notices
                .push_back((CoreId(index as u16), notice));
        }
        while let Some(action) = self.cores[index].core.poll_action() {
            let (conn, closes) = match action {
                CoreAction::Write { conn } => (conn, false),
                CoreAction::Close { conn } => (conn, true),
                CoreAction::Read { .. } => continue,
                CoreAction::Connect { slot, .. } => {
                    let now = self.now;
                    let core = &mut self.cores[index].core;
                    core.handle_connect_failed(now, slot, "clients connect");
                    continue;
                }
            };
            let Some(client) = self.cores[index].conns.get(&conn) else {
                continue;
            };
            let host = &mut self.clients[*client];
            let conn = host
                .conn
                .as_mut()
                .filter(|own| own.id == conn && own.core == index);
            if let Some(conn) = conn {
                conn.may_write |= !closes;
                conn.server_closes |= closes;
            }
        }
    }

    fn step_shard(&mut self, index: usize) -> bool {
        let now = self.now;
        let take = self.rng.between(1, 40);
        let watches = self.rng.below(12) == 0;
        let forgets = watches && self.rng.below(30) == 0;
        let host = &mut self.shards[index];
        if forgets {
            host.mirror.forget();
        }
        if watches {
            host.mirror.step(now, &mut host.shard);
        }
        let mut taken = 0;
        while taken < take && host.shard.wants_messages() {
            let Some(message) = host.mail.pop_front() else {
                break;
            };
            host.shard.handle(now, message);
            taken += 1;
        }
        let is_due = host.shard.poll_timeout().is_some_and(|due| due <= now);
        if taken == 0 && !is_due && !host.wants_turn {
            return false;
        }
        let before = self.moves;
        self.moves += taken as u64;
        host.wants_turn = host.shard.turn(now);
        let mut refused = false;
        while let Some((core, message)) = host.shard.poll_to_core() {
            let mailbox = &mut self.cores[core.index()];
            if mailbox.mail.len() < mailbox.mail_max {
                trace(|| format!("{now:?} shard {index} -> {core:?}: {message:.300?}"));
                mailbox.mail.push_back((ShardId(index as u16), message));
                self.moves += 1;
            } else {
                host.shard.put_back(core, message);
                refused = true;
            }
        }
        while let Some((id, reply)) = host.shard.poll_reply() {
            self.answers.insert(id, reply);
            self.moves += 1;
        }
        host.wants_turn |= refused;
        self.moves != before || is_due
    }

    pub fn describe(&mut self) -> String {
        let mut lines = vec![format!("at {:?}", self.now)];
        for (index, client) in self.clients.iter().enumerate() {
            let queued = client
                .conn
                .as_ref()
                .map(|conn| (conn.to_server.len(), conn.to_client.len()));
            lines.push(format!(
                "client {index} {} on {} {:?}, octets queued {queued:?}, notified {:?}",
                client.address, client.is_on, client.speaker.state, client.speaker.notified
            ));
        }
        for index in 0..self.cores.len() {
            let stats = self.core_stats(index);
            let core = &self.cores[index];
            lines.push(format!(
                "core {index}: mail {} of {}, wants deltas {}, start-up over {}, octets retained {}",
                core.mail.len(),
                core.mail_max,
                core.core.wants_deltas(),
                stats.startup_over,
                stats.octets_retained
            ));
            let dirty = stats
                .clients
                .iter()
                .filter(|client| client.dirty_prefixes + client.queue_octets > 0);
            for client in dirty {
                lines.push(format!(
                    "  {}: dirty {}, queued {}",
                    client.slot, client.dirty_prefixes, client.queue_octets
                ));
            }
        }
        for (index, shard) in self.shards.iter().enumerate() {
            lines.push(format!(
                "shard {index}: mail {} of {}",
                shard.mail.len(),
                shard.mail_max
            ));
        }
        lines.join("\n")
    }
}

/// `RIALTO_TRACE=1` shows the messages between cores and shards.
fn trace(line: impl FnOnce() -> String) {
    static ON: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("RIALTO_TRACE").is_some());
    if *ON {
        let mut line = line();
        line.truncate(400);
        eprintln!("{line}");
    }
}
