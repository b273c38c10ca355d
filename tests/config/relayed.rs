//! Each option of export reaches the routes: a configuration is compiled, and who gets a route asked.

use std::fs;
use std::net::IpAddr;

use rialto::base::ClientSlot;
use rialto::config::{Inputs, Overrides, compile, load};
use rialto::policy::audiences;
use rialto::server::exchange::Exchange;
use rialto::wire::{NextHop, Variant, VariantFlags};

use super::judged::{ROUTE, Route, class, config, exchange};

/// Who gets the route of the client at 192.0.2.1, by the last octet of the address, and with which
/// prepends and flags.
fn receivers(exchange: &Exchange, route: &Route) -> Vec<(u8, u8, VariantFlags)> {
    let announcer = exchange
        .client_at(IpAddr::from([192, 0, 2, 1]))
        .unwrap()
        .slot;
    let actions = exchange.scheme.actions(&route.set(), &exchange.directory);
    let class = class(exchange, route);
    assert!(class.is_accepted(), "{class:?}");
    let address = |slot: ClientSlot| match exchange.client(slot).unwrap().address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    };
    let tags = exchange.scheme.tags_of(class);
    let audiences = audiences(announcer, &actions, class, tags, &exchange.directory);
    let mut all: Vec<(u8, u8, VariantFlags)> = audiences
        .iter()
        .flat_map(|(variant, clients)| {
            clients
                .iter()
                .map(|slot| (address(slot), variant.prepend, variant.flags))
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn the_peering_matrix() {
    // (case, keys of the client, keys of all, who gets its routes)
    let cases: [(&str, &str, &str, &[u8]); 12] = [
        ("all", "", "", &[2, 3]),
        ("announce_only_to", "announce_only_to = [20]", "", &[2]),
        ("by name", "announce_only_to = [\"AS30-1\"]", "", &[3]),
        (
            "by both",
            "announce_only_to = [20, \"AS30-1\"]",
            "",
            &[2, 3],
        ),
        ("to no one", "announce_only_to = []", "", &[]),
        (
            "do_not_announce_to",
            "do_not_announce_to = [\"AS30-1\"]",
            "",
            &[2],
        ),
        (
            "both",
            "announce_only_to = [20, 30]\ndo_not_announce_to = [20]",
            "",
            &[3],
        ),
        ("receive_only_from", "", "receive_only_from = [20]", &[]),
        (
            "the announcer",
            "",
            "receive_only_from = [10000, 20]",
            &[2, 3],
        ),
        (
            "do_not_receive_from",
            "",
            "do_not_receive_from = [\"AS10000-1\"]",
            &[],
        ),
        ("another", "", "do_not_receive_from = [20]", &[2, 3]),
        (
            "a client's own word",
            "announce_only_to = [20, 30]",
            "announce_only_to = [30]",
            &[2, 3],
        ),
    ];
    for (case, client, all, expected) in cases {
        let exchange = exchange(&config(&format!("[defaults]\n{all}"), client));
        let found = receivers(&exchange, &ROUTE);
        let found: Vec<u8> = found.into_iter().map(|(last, ..)| last).collect();
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn what_is_done_to_routes() {
    const NONE: VariantFlags = VariantFlags::from_bits(0);
    const BLACKHOLE: VariantFlags = VariantFlags::BLACKHOLE;
    let stays = BLACKHOLE.with(VariantFlags::NO_EXPORT);
    let rtt = "[communities]\ndo_not_announce_to_peers_with_rtt_lower_than = [\"rs_as:400:rtt\"]\n\
               prepend_twice_to_peers_with_rtt_higher_than = [\"rs_as:432:rtt\"]\nrtt_thresholds_ms = [4, 5]";
    let asks = |large| Route { large, ..ROUTE };
    let no_export = || Route {
        communities: &[(65_535, 65_281)],
        ..ROUTE
    };
    let blackhole = || Route {
        communities: &[(65_535, 666)],
        ..ROUTE
    };
    let on = "[blackhole]\nipv4 = \"propagate_unchanged\"\n";
    let on_without = "[blackhole]\nipv4 = \"propagate_unchanged\"\nadd_no_export = false\n";
    let both = |flags| vec![(2, 0, flags), (3, 0, flags)];
    // (case, sections, keys of the client, route, receivers)
    let cases = [
        (
            "rtt_ms, within",
            rtt.to_owned(),
            "",
            asks(&[(64_500, 400, 5)]),
            vec![(3, 0, NONE)],
        ),
        (
            "rtt_ms, beyond",
            rtt.to_owned(),
            "",
            asks(&[(64_500, 432, 4)]),
            vec![(2, 2, NONE), (3, 0, NONE)],
        ),
        (
            "a threshold that is none",
            rtt.to_owned(),
            "",
            asks(&[(64_500, 400, 10)]),
            both(NONE),
        ),
        (
            "peer_as_aliases",
            "[communities]\npeer_as_aliases = { 65001 = 30 }".to_owned(),
            "",
            Route {
                communities: &[(0, 65_001)],
                ..ROUTE
            },
            vec![(2, 0, NONE)],
        ),
        (
            "add_noexport_to_peer",
            "[communities]\nadd_noexport_to_peer = [\"rs_as:301:peer_as\"]".to_owned(),
            "",
            asks(&[(64_500, 301, 30)]),
            vec![(2, 0, NONE), (3, 0, VariantFlags::NO_EXPORT)],
        ),
        (
            "NO_EXPORT passes",
            String::new(),
            "",
            no_export(),
            both(NONE),
        ),
        (
            "rfc1997",
            String::new(),
            "rfc1997 = \"obey\"",
            no_export(),
            vec![],
        ),
        (
            "communities.interpret_well_known is inherited",
            "[communities]\ninterpret_well_known = true".to_owned(),
            "",
            no_export(),
            vec![],
        ),
        (
            "and overridden",
            "[communities]\ninterpret_well_known = true".to_owned(),
            "rfc1997 = \"pass\"",
            no_export(),
            both(NONE),
        ),
        (
            "blackholing",
            on.to_owned(),
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            blackhole(),
            both(stays),
        ),
        (
            "blackhole.add_no_export",
            on_without.to_owned(),
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            blackhole(),
            both(BLACKHOLE),
        ),
        (
            "blackhole",
            format!("{on}[defaults]\nblackhole = false"),
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            blackhole(),
            vec![],
        ),
        ("no blackholing", on.to_owned(), "", blackhole(), both(NONE)),
    ];
    for (case, sections, client, route, expected) in cases {
        let exchange = exchange(&config(&sections, client));
        assert_eq!(receivers(&exchange, &route), expected, "{case}");
    }
}

#[test]
fn a_server_about_to_stop_tells_all() {
    let config = config("", "");
    let inputs = Inputs {
        is_draining: true,
        ..Inputs::default()
    };
    let exchange = compile(&config, &Overrides::default(), &inputs, None);
    let flags = VariantFlags::GRACEFUL_SHUTDOWN;
    assert_eq!(receivers(&exchange, &ROUTE), [(2, 0, flags), (3, 0, flags)]);
}

#[test]
fn informational_communities_and_next_hops() {
    let sections = "[rpki]\nvrp_files = [\"vrps.json\"]\n\
         [communities]\nrpki_valid = [\"rs_as:1000:1\"]\nreject_cause = [\"65520:reason\"]\nreject_numbers = \"arouteserver\"\n\
         [blackhole]\nipv4 = \"rewrite_next_hop\"\nnext_hop_ipv4 = \"192.0.2.66\"\nipv6 = \"propagate_unchanged\"\n\
         next_hop_ipv6 = \"2001:db8::66\"";
    let exchange = exchange(&config(
        sections,
        "import.tag = [\"as_set\", \"aspa_invalid\"]",
    ));
    let export = exchange.scheme.export_scrub();
    let added = |route: &Route| {
        let tags = exchange.scheme.tags_of(class(&exchange, route));
        export.additions(Variant {
            tags,
            ..Variant::default()
        })
    };
    let valid = added(&ROUTE);
    assert_eq!(
        (&valid.large[..], &valid.standard[..]),
        (&[(64_500, 1000, 1)][..], &[][..])
    );
    let remarked = added(&Route {
        as_set: &[9],
        prefix: "193.0.8.0/21",
        ..ROUTE
    });
    assert!(remarked.large.is_empty(), "it is not RPKI Valid");
    assert_eq!(remarked.standard[..], [(65_520, 7)]);
    assert!(exchange.scheme.import_scrub().removes_standard((65_520, 7)));
    let blackhole = Variant {
        flags: VariantFlags::BLACKHOLE,
        ..Variant::default()
    };
    let (v4, v6) = (
        NextHop::V4([192, 0, 2, 1].into()),
        NextHop::V6("2001:db8::1".parse().unwrap()),
    );
    assert_eq!(
        export.next_hop(blackhole, v4),
        NextHop::V4([192, 0, 2, 66].into())
    );
    assert_eq!(export.next_hop(blackhole, v6), v6, "propagate_unchanged");
}

#[test]
fn round_trip_times_and_limits_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "rtt.json",
        "{\"192.0.2.1\": 5.3, \"::ffff:192.0.2.2\": 7, \"192.0.2.9\": 1}",
    );
    write(
        "net.json",
        "[{\"asn\": 1, \"info_prefixes4\": 1000, \"info_prefixes6\": null}, {\"asn\": 2, \"info_prefixes4\": 0, \"info_prefixes6\": 50}]",
    );
    write(
        "rialto.toml",
        "[server]\nasn = 64500\nrouter_id = \"192.0.2.254\"\n[rtt]\nfile = \"rtt.json\"\n\
         [peeringdb]\nfile = \"net.json\"\nincrement = 10\nfactor = 2\n\
         [defaults]\nlimits.ipv4.received_max = 7\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.1\"\n\
         [[client]]\nasn = 2\naddress = \"192.0.2.2\"\nrtt_ms = 0.5\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.3\"\nlimits.ipv4.received_max = 5\n\
         [[client]]\nasn = 1\naddress = \"192.0.2.4\"\nlimits.ipv4.received_max = \"none\"\n",
    );
    let config = load(&folder.path().join("rialto.toml")).unwrap();
    let clients = config.clients.iter();
    let found: Vec<_> = clients
        .map(|client| {
            (
                client.rtt_us,
                client.limits.map(|limits| limits.received_max),
            )
        })
        .collect();
    let expected = [
        (Some(5_300), [Some(2_020), Some(200_000)]),
        (Some(500), [Some(7), Some(120)]),
        (None, [Some(5), Some(200_000)]),
        (None, [None, Some(200_000)]),
    ];
    assert_eq!(found, expected);
}
