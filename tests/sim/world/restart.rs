//! The server ends, for good or to be back, and another process begins where it was.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rialto::base::{CoreId, ShardId, Time};
use rialto::server::exchange::Exchange;
use rialto::server::query::CoreCommand;
use rialto::server::{SessionCore, Shard};

use super::mirror::Mirror;
use super::tap::Tap;
use super::{Core, Post, ShardHost, World};
use crate::rng::Rng;
use crate::speaker::State;

/// Rounds that a goodbye may take; who has not taken it then is cut off.
const GOODBYE_ROUNDS: usize = 4_000;

pub(super) fn hosts(
    exchange: &Arc<Exchange>,
    rng: &mut Rng,
    server_seed: u64,
    now: Time,
) -> (Vec<Core>, Vec<ShardHost>) {
    let cores = (0..exchange.core_count)
        .map(|number| Core {
            core: SessionCore::new(CoreId(number), exchange.clone(), server_seed, now),
            mail: VecDeque::new(),
            mail_max: *rng.pick(&[1, 2, 8, 64, 1024]),
            notices: VecDeque::new(),
            commands: VecDeque::new(),
            refused_by: vec![false; usize::from(exchange.shard_count)],
            conns: HashMap::new(),
            tap: Tap::default(),
        })
        .collect();
    let shards = (0..exchange.shard_count)
        .map(|number| ShardHost {
            shard: Shard::new(ShardId(number), exchange.clone(), server_seed),
            mail: VecDeque::new(),
            mail_max: *rng.pick(&[1, 2, 8, 64, 1024]),
            wants_turn: true,
            mirror: Mirror::default(),
        })
        .collect();
    (cores, shards)
}

impl World {
    /// Ends the server; each client must have been told what was meant. `exchange` is of the next process.
    pub fn restart(&mut self, exchange: Arc<Exchange>, is_graceful: bool) -> Result<(), String> {
        // The management plane does one thing after another.
        while !self.posts.is_empty() {
            self.run_for_rounds(1)?;
        }
        for host in &mut self.clients {
            host.speaker.restarts.kept_at_end = None;
            host.speaker.restarts.is_server_restarting = is_graceful;
        }
        let is_up = |host: &super::ClientHost| host.speaker.state == State::Established;
        let were_up: Vec<bool> = self.clients.iter().map(is_up).collect();
        for core in 0..self.cores.len() {
            let shutdown = CoreCommand::Shutdown {
                message: "a restart".to_owned(),
                restart: is_graceful,
            };
            self.posts.push_back(Post::Core(core, shutdown));
            // A core may be late.
            let rounds = *self.rng.pick(&[0, 3, 400]);
            self.run_for_rounds(rounds)?;
        }
        for _ in 0..GOODBYE_ROUNDS {
            let are_all_gone = self.clients.iter().all(|host| host.conn.is_none());
            if self.posts.is_empty() && are_all_gone {
                break;
            }
            self.run_for_rounds(1)?;
        }
        for (index, was_up) in were_up.into_iter().enumerate() {
            self.judge(index, was_up, is_graceful)
                .map_err(|fault| format!("client {index}, a server that ends: {fault}"))?;
        }
        self.begin_anew(exchange);
        Ok(())
    }

    fn judge(&mut self, index: usize, was_up: bool, is_graceful: bool) -> Result<(), String> {
        let now = self.now;
        let host = &mut self.clients[index];
        if host.conn.take().is_some() {
            host.speaker.handle_ended(now);
            return Ok(());
        }
        let restarts = &host.speaker.restarts;
        let word = restarts.last_word;
        // Others were ended for something else at the same moment, or did not hear the last word.
        let is_by_end = match is_graceful {
            true => matches!(word, None | Some((6, 4))),
            false => matches!(word, Some((6, 2 | 9))),
        };
        match restarts.kept_at_end.filter(|_| was_up && is_by_end) {
            Some((_, true)) if !is_graceful => Err(format!("kept routes after {word:?}")),
            Some((true, false)) if is_graceful => Err(format!("kept no routes after {word:?}")),
            _ => Ok(()),
        }
    }

    fn begin_anew(&mut self, exchange: Arc<Exchange>) {
        let server_seed = self.rng.next();
        (self.cores, self.shards) = hosts(&exchange, &mut self.rng, server_seed, self.now);
        self.exchange = exchange;
        self.posts.clear();
        for index in 0..self.clients.len() {
            self.clients[index].speaker.restarts.is_server_restarting = false;
            self.clients[index].speaker.left = None;
            self.pause(index);
        }
        self.now = self.now + Duration::from_millis(1);
        self.moves += 1;
    }
}
