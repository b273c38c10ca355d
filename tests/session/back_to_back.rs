//! Two sessions wired to each other over slow, jittery TCP: whatever the delays, they come up on
//! one and the same connection.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::time::Duration;

use rialto::base::{Asn, Time};
use rialto::session::{Session, SessionAction, SessionSettings, Way};

use super::script::{LOCAL_ID, PEER_ID, active};

/// What TCP does to a side.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Arrival {
    Syn,
    Connected,
    Octets(Vec<u8>),
    Closed,
}

/// When, its number, on which TCP connection, at which side, what.
type Due = (Time, u64, usize, usize, Arrival);

struct World {
    sides: [Session; 2],
    /// The TCP connection that each side has in each place.
    places: [[Option<usize>; 2]; 2],
    /// Initiator of each TCP connection.
    initiators: Vec<usize>,
    /// When the latest arrival at each side of a connection is due: TCP keeps the order.
    latest: Vec<[Time; 2]>,
    due: BinaryHeap<Reverse<Due>>,
    count: u64,
    random: u64,
    delay_max_ms: u64,
    now: Time,
}

impl World {
    fn new(settings: [SessionSettings; 2], seed: u64, delay_max_ms: u64) -> World {
        let [a, b] = settings;
        World {
            sides: [Session::new(a, seed * 2), Session::new(b, seed * 2 + 1)],
            places: [[None; 2]; 2],
            initiators: vec![],
            latest: vec![],
            due: BinaryHeap::new(),
            count: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            delay_max_ms,
            now: Time::ZERO,
        }
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn way(&self, side: usize, tcp: usize) -> Way {
        if self.initiators[tcp] == side {
            Way::Connected
        } else {
            Way::Accepted
        }
    }

    fn send(&mut self, tcp: usize, to: usize, arrival: Arrival) {
        let delay = Duration::from_micros(self.draw() % (self.delay_max_ms * 1000) + 1);
        let at = (self.now + delay).max(self.latest[tcp][to]);
        self.latest[tcp][to] = at;
        self.count += 1;
        self.due.push(Reverse((at, self.count, tcp, to, arrival)));
    }

    /// One arrival or timeout; false when nothing will ever happen again.
    fn step(&mut self) -> bool {
        let timeout = |side: &Session| side.poll_timeout().unwrap_or(Time::NEVER);
        let (a, b) = (timeout(&self.sides[0]), timeout(&self.sides[1]));
        let arrival = self.due.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at);
        let next = arrival.min(a).min(b);
        if next == Time::NEVER {
            return false;
        }
        self.now = self.now.max(next);
        if arrival == next {
            let Some(Reverse((_, _, tcp, to, arrival))) = self.due.pop() else {
                return false;
            };
            self.arrive(tcp, to, arrival);
        } else {
            let side = usize::from(b < a);
            self.sides[side].handle_timeout(self.now);
            self.drain(side);
        }
        true
    }

    fn arrive(&mut self, tcp: usize, to: usize, arrival: Arrival) {
        let (now, way) = (self.now, self.way(to, tcp));
        match arrival {
            Arrival::Syn => {
                self.send(tcp, 1 - to, Arrival::Connected);
                if self.sides[to].handle_accepted(now) {
                    self.places[to][way as usize] = Some(tcp);
                } else {
                    self.send(tcp, 1 - to, Arrival::Closed);
                }
            }
            Arrival::Connected => {
                self.places[to][way as usize] = Some(tcp);
                self.sides[to].handle_connected(now);
            }
            _ if self.places[to][way as usize] != Some(tcp) => {}
            Arrival::Octets(octets) => {
                let cut = self.draw() as usize % octets.len();
                self.sides[to].handle_octets(now, way, &octets[..cut]);
                self.sides[to].handle_octets(now, way, &octets[cut..]);
            }
            Arrival::Closed => {
                self.places[to][way as usize] = None;
                self.sides[to].handle_closed(now, way);
            }
        }
        self.drain(to);
    }

    fn drain(&mut self, side: usize) {
        while self.sides[side].poll_message(self.now).is_some() {}
        while self.sides[side].poll_event().is_some() {}
        while let Some((way, octets)) = self.sides[side].poll_transmit() {
            let tcp =
                self.places[side][way as usize].expect("a session sends on connections it has");
            self.sides[side].handle_written(self.now, way, false);
            self.send(tcp, 1 - side, Arrival::Octets(octets));
        }
        while let Some(action) = self.sides[side].poll_action() {
            match action {
                SessionAction::Connect => {
                    let tcp = self.initiators.len();
                    self.initiators.push(side);
                    self.latest.push([Time::ZERO; 2]);
                    self.send(tcp, 1 - side, Arrival::Syn);
                }
                SessionAction::Close(way) => {
                    if let Some(tcp) = self.places[side][way as usize].take() {
                        self.send(tcp, 1 - side, Arrival::Closed);
                    }
                }
            }
        }
    }

    /// The one TCP connection on which both are established.
    fn common(&self) -> Option<usize> {
        let tcp = |side: usize| self.places[side][self.sides[side].established_way()? as usize];
        tcp(0).filter(|_| tcp(0) == tcp(1))
    }
}

/// Runs until both have been up together for a minute; how long it took to come up.
fn run(settings: [SessionSettings; 2], seed: u64, delay_max_ms: u64) -> Duration {
    let mut world = World::new(settings, seed, delay_max_ms);
    for side in 0..2 {
        world.now = world.now + Duration::from_millis(world.draw() % 3000);
        world.sides[side].handle_start(world.now);
        world.drain(side);
    }
    let mut since = None;
    while world.now < Time::from_secs(3600) && world.step() {
        since = world
            .common()
            .map(|tcp| (tcp, since.map_or(world.now, |(_, at)| at)));
        if let Some((_, at)) =
            since.filter(|(_, at)| world.now.since(*at) > Duration::from_secs(60))
        {
            return at.since(Time::ZERO);
        }
    }
    panic!(
        "seed {seed}: never up; {:?} and {:?}",
        world.sides[0].state(),
        world.sides[1].state()
    );
}

fn other_side(of: &SessionSettings, asn: u32, router_id: Ipv4Addr) -> SessionSettings {
    SessionSettings {
        local_asn: Asn(asn),
        local_router_id: router_id,
        peer_asn: of.local_asn,
        ..of.clone()
    }
}

#[test]
fn an_active_and_a_passive_session_come_up_at_the_first_attempt() {
    for seed in 0..100 {
        let ours = SessionSettings {
            passive: true,
            ..active()
        };
        let theirs = SessionSettings {
            passive: false,
            ..other_side(&ours, 10000, PEER_ID)
        };
        // The passive side may start three seconds after the attempt, which then fails once.
        let took = run([ours, theirs], seed, 200);
        assert!(took < Duration::from_secs(10), "seed {seed}: {took:?}");
    }
}

#[test]
fn two_active_sessions_come_up_on_the_same_connection() {
    for (delay_max_ms, router_id, asn) in [
        (1, PEER_ID, 10000),
        (500, PEER_ID, 10000),
        (3000, PEER_ID, 10000),
        (1500, LOCAL_ID, 10000),
    ] {
        for seed in 0..150 {
            let ours = SessionSettings {
                peer_asn: Asn(asn),
                ..active()
            };
            let theirs = other_side(&ours, asn, router_id);
            let took = run([ours, theirs], seed, delay_max_ms);
            assert!(
                took < Duration::from_secs(300),
                "seed {seed}, delay {delay_max_ms} ms: {took:?}"
            );
        }
    }
}
