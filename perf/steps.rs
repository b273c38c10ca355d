//! The work of each session core and shard on one input, as counts: the plain values of `server` are
//! stepped on one thread under a virtual clock, with clients that say their tables and take whatever
//! comes. For callgrind, which counts the instructions of `step_core` and `step_shard`; `perf/cores`
//! runs it. Words as for `rialto load`; prints JSON.

#[path = "blaster/octets.rs"]
#[allow(dead_code)] // it is shared with the blaster
mod octets;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::error::Error;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use rialto::base::{CoreId, ShardId, Time};
use rialto::config::{self, Inputs, Overrides};
use rialto::fanout::Written;
use rialto::load::args::LoadArgs;
use rialto::load::owed::{self, Owed};
use rialto::manage::Feeds;
use rialto::server::exchange::Exchange;
use rialto::server::message::{CoreNotice, ToCore, ToShard};
use rialto::server::query::{CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply};
use rialto::server::{ConnId, CoreAction, SessionCore, Shard};
use serde_json::json;

/// Virtual time without an octet, after which it is over.
const QUIET: Duration = Duration::from_secs(3);
const READ_MAX: usize = 64 << 10;
const SEND_OCTETS: usize = 256 << 10;

/// Counts the work of each session core and shard on one input
#[derive(Parser)]
struct Words {
    #[arg(long, default_value_t = 1)]
    cores: u16,
    #[arg(long, default_value_t = 1)]
    shards: u16,
    /// Configuration in place of the one that suits the load
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    load: LoadArgs,
}

struct Client {
    conn: ConnId,
    said: Vec<u8>,
    at: usize,
}

struct Core {
    core: SessionCore,
    clients: Vec<usize>,
    by_conn: HashMap<ConnId, usize>,
    mail: VecDeque<(ShardId, ToCore)>,
    notices: VecDeque<(CoreId, CoreNotice)>,
    messages_in: u64,
    octets_out: u64,
}

struct ShardHost {
    shard: Shard,
    mail: VecDeque<ToShard>,
    messages_in: u64,
    replies: Vec<ShardReply>,
}

struct Machine {
    now: Time,
    cores: Vec<Core>,
    shards: Vec<ShardHost>,
    clients: Vec<Client>,
    to_shards: Vec<(ShardId, ToShard)>,
    notices: Vec<(CoreId, CoreId, CoreNotice)>,
}

fn main() -> ExitCode {
    match run(&Words::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("steps: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &Words) -> Result<(), Box<dyn Error>> {
    let exchange = Arc::new(exchange(words)?);
    let mut machine = Machine::new(&exchange);
    machine.connect(&exchange, words)?;
    machine.run_until_quiet();
    println!("{}", serde_json::to_string(&machine.report())?);
    Ok(())
}

fn exchange(words: &Words) -> Result<Exchange, Box<dyn Error>> {
    let text = match &words.config {
        Some(file) => std::fs::read_to_string(file)?,
        None => usual_config(&words.load)?,
    };
    let (cores, shards) = (words.cores, words.shards);
    let text = format!("{text}\n[cores]\nsessions = {cores}\nshards = {shards}\n");
    let config = config::from_text("steps.toml".as_ref(), &text)?;
    let feeds = Feeds::default();
    let irr = feeds.read_irr(&config);
    feeds.read_files(&config.rpki);
    let inputs = Inputs {
        irr: irr.sets,
        outside: feeds.at_start(&config.rpki),
        ..Inputs::default()
    };
    Ok(config::compile(
        &config,
        &Overrides::default(),
        &inputs,
        None,
    ))
}

fn usual_config(load: &LoadArgs) -> Result<String, Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("rialto-steps-{}.toml", std::process::id()));
    let mut load = load.clone();
    load.write_config = Some(file.clone());
    rialto::load::run(&load)?;
    let text = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    Ok(text)
}

impl Machine {
    fn new(exchange: &Arc<Exchange>) -> Machine {
        let now = Time::from_millis(1);
        let core = |number| Core {
            core: SessionCore::new(CoreId(number), exchange.clone(), 1, now),
            clients: Vec::new(),
            by_conn: HashMap::new(),
            mail: VecDeque::new(),
            notices: VecDeque::new(),
            messages_in: 0,
            octets_out: 0,
        };
        let shard = |number| ShardHost {
            shard: Shard::new(ShardId(number), exchange.clone(), 1),
            mail: VecDeque::new(),
            messages_in: 0,
            replies: Vec::new(),
        };
        Machine {
            now,
            cores: (0..exchange.core_count).map(core).collect(),
            shards: (0..exchange.shard_count).map(shard).collect(),
            clients: Vec::new(),
            to_shards: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn connect(&mut self, exchange: &Exchange, words: &Words) -> Result<(), Box<dyn Error>> {
        let owed = Owed::prepare(&words.load)?;
        let announcements = owed::announcements(&words.load)?;
        for (receiver, announcement) in owed.receivers.iter().zip(announcements) {
            let configured = exchange.client_at(receiver.address.into());
            let core = configured
                .ok_or("a client without configuration")?
                .core
                .index();
            let add_path = receiver.add_path.then_some(octets::AddPath::Receive);
            let mut said = octets::open(receiver.asn, receiver.address, owed.families, add_path);
            said.extend(octets::message(octets::KEEPALIVE, &[]));
            said.extend(announcement);
            let remote = SocketAddr::new(receiver.address.into(), 40_000);
            let accepted =
                self.cores[core]
                    .core
                    .handle_accepted(self.now, remote, words.load.target);
            let conn = accepted.ok_or("a connection was refused")?;
            let client = self.clients.len();
            self.cores[core].clients.push(client);
            self.cores[core].by_conn.insert(conn, client);
            self.clients.push(Client { conn, said, at: 0 });
        }
        Ok(())
    }

    fn run_until_quiet(&mut self) {
        let mut last_move = self.now;
        loop {
            let mut moved = false;
            for core in 0..self.cores.len() {
                moved |= self.step_core(core);
                self.carry();
            }
            for shard in 0..self.shards.len() {
                moved |= self.step_shard(shard);
            }
            if moved {
                last_move = self.now;
                continue;
            }
            self.now = self
                .next_deadline()
                .max(self.now + Duration::from_micros(1));
            if self.now.since(last_move) > QUIET {
                return;
            }
        }
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
        let latest = self.now + QUIET;
        cores
            .chain(shards)
            .min()
            .map_or(latest, |due| due.min(latest))
    }

    /// Whether anything but time passed.
    #[inline(never)]
    fn step_core(&mut self, index: usize) -> bool {
        let (now, host) = (self.now, &mut self.cores[index]);
        let mut moved = false;
        for &client in &host.clients {
            let client = &mut self.clients[client];
            let rest = &client.said[client.at..];
            if !rest.is_empty() && host.core.wants_octets(client.conn) {
                let count = rest.len().min(READ_MAX);
                host.core.handle_octets(now, client.conn, &rest[..count]);
                client.at += count;
                moved = true;
            }
        }
        while let Some((from, notice)) = host.notices.pop_front() {
            host.core.handle_core(now, from, notice);
            moved = true;
        }
        while host.core.wants_deltas() {
            let Some((shard, message)) = host.mail.pop_front() else {
                break;
            };
            host.core.handle_shard(now, shard, message);
            host.messages_in += 1;
            moved = true;
        }
        if host.core.poll_timeout().is_some_and(|due| due <= now) {
            host.core.handle_timeout(now);
        }
        while let Some(message) = host.core.poll_to_shard() {
            self.to_shards.push(message);
        }
        while let Some((to, notice)) = host.core.poll_to_core() {
            self.notices.push((CoreId(index as u16), to, notice));
        }
        while let Some(action) = host.core.poll_action() {
            if let CoreAction::Write { conn } = action {
                moved |= write(host, now, conn);
            }
        }
        moved
    }

    /// Messages of session cores to whom they are for.
    fn carry(&mut self) {
        for (shard, message) in self.to_shards.drain(..) {
            self.shards[shard.index()].mail.push_back(message);
        }
        for (from, to, notice) in self.notices.drain(..) {
            self.cores[to.index()].notices.push_back((from, notice));
        }
    }

    #[inline(never)]
    fn step_shard(&mut self, index: usize) -> bool {
        let (now, host) = (self.now, &mut self.shards[index]);
        let mut moved = false;
        while host.shard.wants_messages() {
            let Some(message) = host.mail.pop_front() else {
                break;
            };
            host.shard.handle(now, message);
            host.messages_in += 1;
            moved = true;
        }
        moved |= host.shard.turn(now);
        while let Some((core, message)) = host.shard.poll_to_core() {
            self.cores[core.index()]
                .mail
                .push_back((ShardId(index as u16), message));
            moved = true;
        }
        while let Some((_, reply)) = host.shard.poll_reply() {
            host.replies.push(reply);
        }
        moved
    }

    fn report(&mut self) -> serde_json::Value {
        let now = self.now;
        let said = self.clients.iter().map(|client| client.at).sum::<usize>();
        let all_said = self
            .clients
            .iter()
            .all(|client| client.at == client.said.len());
        let cores: Vec<_> = self
            .cores
            .iter_mut()
            .map(|host| report_core(host, now))
            .collect();
        let shards: Vec<_> = self
            .shards
            .iter_mut()
            .map(|host| report_shard(host, now))
            .collect();
        json!({ "all_said": all_said, "octets_in": said, "cores": cores, "shards": shards })
    }
}

fn write(host: &mut Core, now: Time, conn: ConnId) -> bool {
    let mut moved = false;
    loop {
        let count = |slices: &[IoSlice<'_>]| slices.iter().map(|slice| slice.len()).sum();
        let written = host
            .core
            .write(now, conn, SEND_OCTETS, |slices| Ok(count(slices)));
        let Ok::<_, Infallible>(Written { taken, .. }) = written;
        if taken == 0 {
            return moved;
        }
        host.octets_out += taken as u64;
        // KEEPALIVEs go on for ever.
        moved |= taken > octets::HEADER_LEN;
    }
}

fn report_core(host: &mut Core, now: Time) -> serde_json::Value {
    let CoreReply::Stats(stats) = host.core.handle_command(now, CoreCommand::Stats) else {
        unreachable!("Stats is answered with Stats")
    };
    let CoreStats {
        updates_in,
        updates_encoded,
        nlri_encoded,
        updates_out,
        nlri_out,
        ..
    } = *stats;
    json!({
        "clients": host.clients.len(), "messages_in": host.messages_in, "octets_out": host.octets_out,
        "updates_in": updates_in, "updates_encoded": updates_encoded, "nlri_encoded": nlri_encoded,
        "updates_out": updates_out, "nlri_out": nlri_out,
    })
}

fn report_shard(host: &mut ShardHost, now: Time) -> serde_json::Value {
    host.shard.handle(
        now,
        ToShard::Query {
            id: 1,
            query: ShardQuery::Stats,
        },
    );
    host.shard.turn(now);
    while let Some((_, reply)) = host.shard.poll_reply() {
        host.replies.push(reply);
    }
    let Some(ShardReply::Stats(stats)) = host.replies.pop() else {
        unreachable!("Stats is answered with Stats")
    };
    json!({
        "messages_in": host.messages_in, "routes_in": stats.routes_in, "prefixes": stats.prefixes,
        "attribute_sets": stats.attribute_sets, "deltas_out": stats.deltas_out,
    })
}
