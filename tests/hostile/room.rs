//! Octets in the smallest and the largest pieces, a client that does not read, one that announces
//! far too much: who pays for them.

use std::net::Ipv4Addr;

use rialto::base::Prefix;

use super::log;
use super::octets::*;
use super::speaker::Speaker;
use super::tables::{BYSTANDERS, Lan, address_of, asn_of, prefix_of, until};

/// The first hostile client.
const INDEX: u16 = BYSTANDERS;

#[test]
fn segments_of_one_octet_make_a_session_like_any_other() {
    let mut lan = Lan::start("crumbs", 1, "");
    let mut speaker = lan.connect(INDEX);
    speaker.say_slowly(&open(asn_of(INDEX), address_of(INDEX).octets()));
    speaker.say_slowly(&keepalive());
    let mut routes = Table::new();
    for number in 0..60 {
        let attributes = [mandatory(asn_of(INDEX)), med(number.into())].concat();
        let prefix = prefix_of(INDEX, number);
        speaker.say_slowly(&announce(&attributes, &[prefix]));
        routes.insert(prefix, attributes);
    }
    speaker.say_slowly(&withdraw(&[prefix_of(INDEX, 0)]));
    routes.remove(&prefix_of(INDEX, 0));
    lan.only_also(&routes, "a table in segments of one octet");
    let owed = lan.table_without(None);
    assert!(speaker.until(|heard| heard.table == owed && heard.ends_of_rib == 1));
    speaker.close();
    lan.end();
}

#[test]
fn a_burst_of_a_million_octets_ends_in_the_right_table() {
    let mut lan = Lan::start("burst", 1, "");
    let mut speaker = lan.establish(INDEX);
    let prefixes: Vec<Prefix> = (0..10).map(|number| prefix_of(INDEX, number)).collect();
    let (mut burst, mut routes, mut round) = (Vec::new(), Table::new(), 0);
    while burst.len() < 1_000_000 {
        round += 1;
        let attributes = [mandatory(asn_of(INDEX)), med(round)].concat();
        burst.extend(announce(&attributes, &prefixes));
        routes.extend(prefixes.iter().map(|prefix| (*prefix, attributes.clone())));
        let gone = prefixes[round as usize % prefixes.len()];
        burst.extend(withdraw(&[gone]));
        routes.remove(&gone);
    }
    assert!(speaker.say(&burst), "the session stays");
    lan.only_also(&routes, "after the burst");
    assert!(!speaker.heard().is_closed);
    speaker.close();
    lan.end();
}

#[test]
fn what_is_too_long_for_most_reaches_only_who_can_take_it() {
    let mut lan = Lan::start("long", 2, "");
    let [mut long, mut other] = [INDEX, INDEX + 1].map(|index| {
        let mut speaker = lan.connect(index);
        speaker.establish_extended(asn_of(index), address_of(index));
        speaker
    });
    let (prefix, short) = (prefix_of(INDEX, 1), mandatory(asn_of(INDEX)));
    long.say(&announce(&short, &[prefix]));
    let routes = Table::from([(prefix, short.clone())]);
    lan.only_also(&routes, "while it is short");
    // Whether attributes fit is judged with the longest of prefixes, a /32: one octet more.
    for len in [4097, 65_534] {
        let case = format!("while it takes {len} octets");
        let ballast = vec![9; len - announce(&short, &[prefix]).len() - 4];
        let attributes = [short.clone(), attribute(0xd0, 250, &ballast)].concat();
        let message = announce(&attributes, &[prefix]);
        assert_eq!(message.len(), len);
        long.say(&message);
        lan.nobody_else(&case);
        let is_taken = other.until(|heard| heard.table.get(&prefix) == Some(&attributes));
        assert!(is_taken, "{case}, one that can take it has it");
    }
    long.say(&announce(&short, &[prefix]));
    lan.only_also(&routes, "when it is short again");
    long.say(&with_len(KEEPALIVE, 65_535, &vec![0; 65_516]));
    assert!(long.until(|heard| heard.is_closed));
    let notification = long.heard().notification.clone();
    assert_eq!(
        notification,
        Some((1, 2, vec![0xff, 0xff])),
        "a KEEPALIVE is never long"
    );
    other.say(&message(NOTIFICATION, &[6, 2]));
    assert!(other.until(|heard| heard.is_closed));
    lan.end();
}

#[test]
fn a_client_that_never_reads_costs_bounded_memory_and_catches_up() {
    const PREFIXES: u16 = 2000;
    const OCTETS_MAX: u64 = 2 << 20;
    let keys = format!(
        "[fanout]\nstalled_octets_max = 131072\nstall_ms = 200\ncore_octets_max = {OCTETS_MAX}\n"
    );
    let mut lan = Lan::start_with("deaf", 2, "", &keys);
    let mut deaf = Speaker::connect_small(address_of(INDEX), lan.server);
    deaf.establish(asn_of(INDEX), address_of(INDEX));
    assert!(deaf.until(|heard| heard.ends_of_rib == 1));
    deaf.pause(true);
    let mut busy = lan.establish(INDEX + 1);
    let mut routes = Table::new();
    for change in 0..5 * PREFIXES {
        let [high, low] = (change % PREFIXES).to_be_bytes();
        let [third, index] = (INDEX + 1).to_be_bytes();
        let prefix = Prefix::v4(Ipv4Addr::new(100 + third, index, high, low), 32);
        let mut ballast = change.to_be_bytes().to_vec();
        ballast.resize(1000, 7);
        let attributes = [mandatory(asn_of(INDEX + 1)), attribute(0xd0, 250, &ballast)].concat();
        busy.say(&announce(&attributes, &[prefix]));
        routes.insert(prefix, attributes);
    }
    let gone: Vec<Prefix> = routes.keys().copied().step_by(7).collect();
    busy.say(&withdraw(&gone));
    gone.iter().for_each(|prefix| drop(routes.remove(prefix)));
    lan.only_also(&routes, "while one client does not read");
    until("its queue becomes a dirty record", || {
        lan.status(INDEX).dirty_prefixes > 0
    });
    let status = lan.status(INDEX);
    assert_eq!(status.state, "Established");
    assert!(status.queue_octets < OCTETS_MAX, "{status:?}");
    let retained = lan.retained_max();
    assert!(retained < 2 * OCTETS_MAX, "{retained} octets were retained");
    deaf.pause(false);
    let mut owed = lan.table_without(None);
    owed.extend(routes.clone());
    assert!(
        deaf.until(|heard| heard.table == owed),
        "it catches up when it reads again"
    );
    assert!(!deaf.heard().is_closed);
    assert_eq!(lan.status(INDEX).dirty_prefixes, 0);
    log::expect(&lan.client_name(INDEX), "reads slowly").unwrap();
    deaf.close();
    lan.only_also(&routes, "after it has gone");
    busy.close();
    lan.end();
}

#[test]
fn three_hundred_thousand_prefixes_end_the_session_that_may_have_a_thousand() {
    let mut lan = Lan::start("flood", 1, "limits.ipv4.received_max = 1000\n");
    let before: u64 = lan.shard_stats().iter().map(|stats| stats.paths).sum();
    let mut speaker = lan.establish(INDEX);
    let attributes = mandatory(asn_of(INDEX));
    let prefix = |number: u32| Prefix::v4(Ipv4Addr::from((150 << 24) + number), 32);
    let numbers: Vec<u32> = (0..300_000).collect();
    let octets: Vec<u8> = numbers
        .chunks(700)
        .flat_map(|chunk| {
            let prefixes: Vec<Prefix> = chunk.iter().map(|number| prefix(*number)).collect();
            announce(&attributes, &prefixes)
        })
        .collect();
    // The server may end it before all is said.
    speaker.say(&octets);
    assert!(speaker.until(|heard| heard.is_closed), "the session ends");
    let notification = speaker.heard().notification.clone();
    let told = notification.map(|(code, subcode, _)| (code, subcode));
    assert_eq!(
        told,
        Some((6, 1)),
        "Cease / Maximum Number of Prefixes Reached"
    );
    log::expect(
        &lan.client_name(INDEX),
        "Maximum Number of Prefixes Reached",
    )
    .unwrap();
    log::expect(&lan.client_name(INDEX), "prefix limit passed").unwrap();
    lan.nobody_else("after the limit ended it");
    until("its paths are gone", || {
        lan.shard_stats()
            .iter()
            .map(|stats| stats.paths)
            .sum::<u64>()
            == before
    });
    let again = lan.connect(INDEX);
    assert!(again.until(|heard| heard.is_closed), "it stays down");
    assert!(!again.heard().has_open);
    lan.end();
}

#[test]
fn a_refresh_that_begins_before_end_of_rib_purges_nothing() {
    let mut lan = Lan::start("early", 2, "");
    for (index, is_graceful) in [(INDEX, true), (INDEX + 1, false)] {
        let (asn, address) = (asn_of(index), address_of(index));
        let mut speaker = lan.connect(index);
        if is_graceful {
            speaker.establish_graceful(asn, address);
        } else {
            speaker.establish(asn, address);
        }
        let attributes = mandatory(asn);
        let prefixes = [1, 2, 3].map(|number| prefix_of(index, number));
        let mark = |subtype| message(ROUTE_REFRESH, &[0, 1, subtype, 1]);
        // The first is not announced again; the last is the sign that all was read.
        let refresh = |kept: &[Prefix]| [mark(1), announce(&attributes, kept), mark(2)].concat();
        speaker.say(&announce(&attributes, &prefixes[..2]));
        speaker.say(&refresh(&prefixes[1..2]));
        speaker.say(&announce(&attributes, &prefixes[2..]));
        // RFC 7313 §4: of a client that announced Graceful Restart it is ignored.
        let left = if is_graceful { 0 } else { 1 };
        let table = |from: usize| {
            let left = prefixes[from..].iter();
            left.map(|prefix| (*prefix, attributes.clone())).collect()
        };
        lan.only_also(&table(left), "a refresh before End-of-RIB");
        speaker.say(&end_of_rib());
        speaker.say(&refresh(&prefixes[1..]));
        lan.only_also(&table(1), "a refresh after it");
        speaker.say(&message(NOTIFICATION, &[6, 2]));
        assert!(speaker.until(|heard| heard.is_closed));
        lan.nobody_else("afterwards");
    }
    lan.end();
}
