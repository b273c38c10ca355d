//! Many connections: half open, in storms, and sessions that come and go.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use rialto::base::Prefix;

use super::octets::*;
use super::speaker::connect;
use super::tables::{BYSTANDERS, Lan, address_of, asn_of, prefix_of, until};
use super::{PATIENCE, log};

/// An address that no client has.
fn stranger(number: u16) -> Ipv4Addr {
    Ipv4Addr::new(127, 89, 1 + (number / 200) as u8, 1 + (number % 200) as u8)
}

#[test]
fn five_hundred_half_open_connections_change_nothing() {
    const CLIENTS: u16 = 300;
    let mut lan = Lan::start("half", CLIENTS, "");
    let half_open = |index: u16| {
        let mut stream = connect(address_of(index), lan.server).unwrap();
        let octets = open(asn_of(index), address_of(index).octets());
        // Every third says nothing, every third half an OPEN, every third all but the KEEPALIVE.
        let count = [0, octets.len() / 2, octets.len()][usize::from(index % 3)];
        stream.write_all(&octets[..count]).unwrap();
        stream
    };
    let held: Vec<TcpStream> = (BYSTANDERS..BYSTANDERS + CLIENTS).map(half_open).collect();
    let strangers: Vec<_> = (0..200)
        .map(|number| connect(stranger(number), lan.server))
        .collect();
    until("each client waits in the middle of its handshake", || {
        let states = lan.states();
        let count = |name| states.iter().filter(|state| **state == name).count();
        (
            count("OpenSent"),
            count("OpenConfirm"),
            count("Established"),
        ) == (200, 100, 5)
    });
    until("strangers are refused and counted", || lan.refused() == 200);
    for stream in strangers.into_iter().flatten() {
        assert_nothing_comes(stream);
    }
    assert!(
        !log::lines(&["refused a connection: no client has the address 127.89."]).is_empty(),
        "refusals are logged"
    );
    lan.nobody_else("while 300 connections are half open");
    drop(held);
    lan.nobody_else("after they are gone");
    until("all are back where they were", || {
        lan.states()
            .iter()
            .filter(|state| **state == "Active")
            .count()
            == usize::from(CLIENTS)
    });
    let mut speaker = lan.establish(BYSTANDERS + 7);
    let owed = lan.table_without(None);
    assert!(
        speaker.until(|heard| heard.table == owed),
        "a client that was half open can come"
    );
    speaker.say(&message(NOTIFICATION, &[6, 3]));
    lan.end();
}

/// The server ends a connection that it does not want without a word.
fn assert_nothing_comes(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut octets = [0; 64];
    match stream.read(&mut octets) {
        Ok(count) => assert_eq!(count, 0, "nothing is said to strangers"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn a_storm_of_connections_changes_nothing() {
    const ROUNDS: u16 = 500;
    let mut lan = Lan::start("storm", 2, "");
    let index = BYSTANDERS;
    for round in 0..ROUNDS {
        let from = [
            stranger(round % 400),
            address_of(0),
            address_of(index),
            address_of(index + 1),
        ];
        for address in from {
            let mut stream = connect(address, lan.server).unwrap();
            if round % 2 == 0 {
                // Whether it is read at all is up to the server.
                let _ = stream.write_all(&open(asn_of(index), address_of(index).octets()));
            }
            if round % 3 == 0 {
                let reset = Some(std::time::Duration::ZERO);
                socket2::SockRef::from(&stream).set_linger(reset).unwrap();
            }
        }
        if round % 100 == 0 {
            lan.nobody_else("in the middle of the storm");
        }
    }
    lan.nobody_else("after the storm");
    until("the other client is ready again", || {
        lan.status(index).state == "Active"
    });
    let speaker = lan.establish(index);
    let owed = lan.table_without(None);
    assert!(
        speaker.until(|heard| heard.table == owed),
        "its real session comes up"
    );
    speaker.close();
    lan.end();
}

#[test]
fn a_client_that_flaps_is_held_off_and_leaves_nothing_behind() {
    const FLAPS: u16 = 16;
    let mut lan = Lan::start("flap", 1, "idle_hold = 1\nidle_hold_max = 1\n");
    let index = BYSTANDERS;
    let before = held_by_shards(&lan);
    let prefixes: Vec<Prefix> = (0..100).map(|number| prefix_of(index, number)).collect();
    for flap in 0..FLAPS {
        until("it may come", || lan.status(index).state == "Active");
        let mut speaker = lan.establish(index);
        let attributes = [mandatory(asn_of(index)), med(flap.into())].concat();
        speaker.say(&announce(&attributes, &prefixes));
        if flap % 5 == 0 {
            let routes = prefixes
                .iter()
                .map(|prefix| (*prefix, attributes.clone()))
                .collect();
            lan.only_also(&routes, "while it is up");
        }
        match flap % 4 {
            0 => speaker.close(),
            1 => speaker.reset(),
            2 => {
                speaker.say(&message(NOTIFICATION, &[6, 4]));
                speaker.close();
            }
            _ => {
                // In the middle of a message.
                speaker.say(&announce(&attributes, &prefixes)[..100]);
                speaker.close();
            }
        }
        until("its end is noticed", || {
            lan.status(index).flaps == u32::from(flap) + 1
        });
        let is_held = lan.status(index).state == "Idle";
        assert_eq!(is_held, flap >= 3, "after flap {flap}");
    }
    lan.nobody_else("after all the flaps");
    until("shards hold what they held before", || {
        held_by_shards(&lan) == before
    });
    lan.end();
}

/// Prefixes, paths and attribute sets of all shards, but for the sets of routes that change.
fn held_by_shards(lan: &Lan) -> [u64; 3] {
    let stats = lan.shard_stats();
    let sum = |of: fn(&rialto::server::query::ShardStats) -> u64| stats.iter().map(of).sum();
    [
        sum(|s| s.prefixes),
        sum(|s| s.paths),
        sum(|s| s.attribute_sets),
    ]
}
