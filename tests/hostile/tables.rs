//! A server with a few clients that exchange tables and must not notice what the others do.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto::base::{CoreId, Prefix, ShardId};
use rialto::config::{Inputs, Overrides, compile, from_text};
use rialto::runtime::{Runtime, RuntimeOptions};
use rialto::server::query::{
    ClientStatus, CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply, ShardStats,
};

use super::octets::*;
use super::speaker::Speaker;
use super::{PATIENCE, log};

/// Clients 0 to 4; the others are up to mischief.
pub const BYSTANDERS: u16 = 5;
/// Routes of each of them, beside one that changes.
const ROUTES_EACH: u16 = 40;
const CORES: u16 = 2;
const SHARDS: u16 = 2;

pub struct Lan {
    runtime: Runtime,
    pub server: SocketAddr,
    name: &'static str,
    pub bystanders: Vec<Speaker>,
    /// What each bystander announces now.
    announced: Vec<Table>,
    rounds: u32,
}

pub fn asn_of(index: u16) -> u16 {
    10_000 + index
}

pub fn address_of(index: u16) -> Ipv4Addr {
    Ipv4Addr::new(127, 88, 1 + (index / 200) as u8, 1 + (index % 200) as u8)
}

/// Prefix `number` of client `index`: 256 of them at most.
pub fn prefix_of(index: u16, number: u16) -> Prefix {
    let [high, low] = index.to_be_bytes();
    Prefix::v4(Ipv4Addr::new(100 + high, low, number as u8, 0), 24)
}

/// Who announced a prefix.
fn owner_of(prefix: &Prefix) -> u16 {
    let octets = prefix.octets();
    u16::from_be_bytes([octets[0] - 100, octets[1]])
}

fn configuration(name: &str, hostile: u16, keys: &str, sections: &str) -> String {
    let mut text = format!(
        "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\nlisten = [\"127.0.0.1:1\"]\n\
         [cores]\nsessions = {CORES}\nshards = {SHARDS}\n[startup]\nwait = false\n\
         {sections}[defaults]\nhold_time = 600\nimport.preset = \"lab\"\n"
    );
    for index in 0..BYSTANDERS + hostile {
        let (asn, address) = (asn_of(index), address_of(index));
        text += &format!(
            "[[client]]\nname = \"{name}-{index}\"\nasn = {asn}\naddress = \"{address}\"\n"
        );
        text += if index < BYSTANDERS { "" } else { keys };
    }
    text
}

/// What the management plane runs on.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_current_thread();
    { tokio }.enable_all().build().unwrap().block_on(future)
}

impl Lan {
    /// `hostile` clients beside the bystanders, with these keys of the configuration; `name` is part
    /// of theirs and of no other test's.
    pub fn start(name: &'static str, hostile: u16, keys: &str) -> Lan {
        Lan::start_with(name, hostile, keys, "")
    }

    /// With these sections of the configuration too.
    pub fn start_with(name: &'static str, hostile: u16, keys: &str, sections: &str) -> Lan {
        log::keep();
        let text = configuration(name, hostile, keys, sections);
        let config = from_text(Path::new("rialto.toml"), &text).expect("a good configuration");
        let mut exchange = compile(&config, &Overrides::default(), &Inputs::default(), None);
        exchange.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let options = RuntimeOptions {
            pin: false,
            goodbye_max: PATIENCE,
            end_max: PATIENCE,
            ..RuntimeOptions::new(7)
        };
        let runtime = Runtime::start(Arc::new(exchange), options).expect("the runtime starts");
        let server = runtime.handle().listen_addresses()[0];
        let mut lan = Lan {
            runtime,
            server,
            name,
            bystanders: Vec::new(),
            announced: Vec::new(),
            rounds: 0,
        };
        (0..BYSTANDERS).for_each(|index| lan.add_bystander(index));
        lan.nobody_else("at the start");
        lan
    }

    fn add_bystander(&mut self, index: u16) {
        let mut speaker = self.connect(index);
        speaker.establish(asn_of(index), address_of(index));
        let mut table = Table::new();
        for number in 0..ROUTES_EACH {
            let attributes = [mandatory(asn_of(index)), med(number.into())].concat();
            let prefix = prefix_of(index, number);
            speaker.say(&announce(&attributes, &[prefix]));
            table.insert(prefix, attributes);
        }
        speaker.say(&end_of_rib());
        self.announced.push(table);
        self.bystanders.push(speaker);
    }

    pub fn connect(&self, index: u16) -> Speaker {
        Speaker::connect(address_of(index), self.server)
    }

    /// An established session of a hostile client.
    pub fn establish(&self, index: u16) -> Speaker {
        let mut speaker = self.connect(index);
        speaker.establish(asn_of(index), address_of(index));
        speaker
    }

    pub fn client_name(&self, index: u16) -> String {
        format!("{}-{index}", self.name)
    }

    /// Routes that everybody but bystander `index` should have of the others.
    pub fn table_without(&self, index: Option<u16>) -> Table {
        let others = self.announced.iter().enumerate();
        others
            .filter(|(other, _)| Some(*other as u16) != index)
            .flat_map(|(_, table)| table.clone())
            .collect()
    }

    /// All bystanders have each other's tables, a change made just now among them, and nothing else.
    pub fn nobody_else(&mut self, case: &str) {
        self.only_also(&Table::new(), case);
    }

    /// The same, and these routes of others. Never was a route of a bystander withdrawn.
    pub fn only_also(&mut self, also: &Table, case: &str) {
        self.change_routes();
        for index in 0..BYSTANDERS {
            let mut expected = self.table_without(Some(index));
            expected.extend(also.clone());
            let speaker = &self.bystanders[usize::from(index)];
            if !speaker.until(|heard| heard.table == expected || heard.is_closed) {
                let table = &speaker.heard().table;
                let missing = expected
                    .iter()
                    .find(|(prefix, attributes)| table.get(prefix) != Some(attributes));
                let extra = table.keys().find(|prefix| !expected.contains_key(prefix));
                panic!(
                    "{case}: bystander {index}: of {} routes {missing:?} is missing, {extra:?} is too much",
                    expected.len()
                );
            }
            self.check_unharmed(index, case);
        }
    }

    fn change_routes(&mut self) {
        self.rounds += 1;
        for index in 0..BYSTANDERS {
            let prefix = prefix_of(index, ROUTES_EACH);
            let attributes = [mandatory(asn_of(index)), med(1000 + self.rounds)].concat();
            let place = usize::from(index);
            assert!(self.bystanders[place].say(&announce(&attributes, &[prefix])));
            self.announced[place].insert(prefix, attributes);
        }
    }

    fn check_unharmed(&self, index: u16, case: &str) {
        let heard = self.bystanders[usize::from(index)].heard();
        assert!(
            !heard.is_closed && heard.notification.is_none(),
            "{case}: bystander {index} lost its session: {:?}",
            heard.notification
        );
        let lost = heard
            .withdrawn
            .iter()
            .find(|prefix| owner_of(prefix) < BYSTANDERS && owner_of(prefix) != index);
        assert_eq!(
            lost, None,
            "{case}: bystander {index} lost a route for a while"
        );
    }

    pub fn core_stats(&self) -> Vec<CoreStats> {
        let handle = self.runtime.handle();
        let ask = |core| wait_for(handle.core_command(CoreId(core), CoreCommand::Stats));
        (0..CORES)
            .map(|core| match ask(core) {
                Ok(CoreReply::Stats(stats)) => *stats,
                other => panic!("statistics were asked for: {other:?}"),
            })
            .collect()
    }

    /// The largest of what each core ever retained, in octets.
    pub fn retained_max(&self) -> u64 {
        let stats = self.core_stats();
        stats
            .iter()
            .map(|stats| stats.octets_retained_max)
            .max()
            .unwrap()
    }

    pub fn refused(&self) -> u64 {
        self.core_stats()
            .iter()
            .map(|stats| stats.refused_connections)
            .sum()
    }

    pub fn status(&self, index: u16) -> ClientStatus {
        let clients = self
            .core_stats()
            .into_iter()
            .flat_map(|stats| stats.clients);
        { clients }
            .find(|status| status.slot.0 == index)
            .expect("each client has a status")
    }

    pub fn states(&self) -> Vec<&'static str> {
        let clients = self
            .core_stats()
            .into_iter()
            .flat_map(|stats| stats.clients);
        clients.map(|status| status.state).collect()
    }

    pub fn shard_stats(&self) -> Vec<ShardStats> {
        let handle = self.runtime.handle();
        let ask = |shard| wait_for(handle.shard_query(ShardId(shard), ShardQuery::Stats));
        (0..SHARDS)
            .map(|shard| match ask(shard) {
                Ok(ShardReply::Stats(stats)) => *stats,
                other => panic!("statistics were asked for: {other:?}"),
            })
            .collect()
    }

    /// The bystanders never noticed a thing, and the server ends in good order.
    pub fn end(mut self) {
        self.nobody_else("at the end");
        for index in 0..BYSTANDERS {
            assert_eq!(
                self.status(index).flaps,
                0,
                "sessions of bystanders stay up"
            );
        }
        assert!(
            wait_for(self.runtime.shutdown("test over", false)),
            "sessions and threads end in time"
        );
    }
}

/// Waits until it is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
