//! Each option of import reaches the routes: a configuration is compiled and a route judged by it.

use std::net::IpAddr;
use std::sync::Arc;

use rialto::base::{Asn, Prefix};
use rialto::config::{Config, Inputs, IrrSources, Overrides, compile};
use rialto::policy::{Aspa, IrrSet, Outside, PrefixClass, PrefixSet, RejectReason, Vrp, VrpSet};
use rialto::server::exchange::Exchange;
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, NextHop, code};

use super::good;

use RejectReason::*;

/// The route that is judged; one that passes, but for what is changed.
pub struct Route {
    pub path: &'static [u32],
    pub as_set: &'static [u32],
    pub communities: &'static [(u16, u16)],
    pub large: &'static [(u32, u32, u32)],
    pub otc: bool,
    pub prefix: &'static str,
}

pub const ROUTE: Route = Route {
    path: &[10_000, 3333],
    as_set: &[],
    communities: &[],
    large: &[],
    otc: false,
    prefix: "193.0.0.0/21",
};

impl Route {
    pub fn set(&self) -> Arc<AttributeSet> {
        let builder = SetBuilder::new()
            .next_hop(NextHop::V4([192, 0, 2, 1].into()))
            .as_path(self.path)
            .as_set(self.as_set)
            .communities(self.communities)
            .large(self.large);
        match self.otc {
            true => builder.attribute(0xc0, code::OTC, 1u32.to_be_bytes()),
            false => builder,
        }
        .build()
    }
}

/// The client at 192.0.2.1, and two others.
pub fn config(sections: &str, client: &str) -> Config {
    good(&format!(
        "{sections}\n[[client]]\nasn = 10000\naddress = \"192.0.2.1\"\n{client}\n\
         [[client]]\nasn = 20\naddress = \"192.0.2.2\"\nrtt_ms = 5\n[[client]]\nasn = 30\naddress = \"192.0.2.3\"\n"
    ))
}

/// VRP and ASPA of AS 3333, which say that the route is good; its client's AS-SET has it.
fn inputs(config: &Config) -> Inputs {
    let prefix: Prefix = "193.0.0.0/21".parse().unwrap();
    let vrp = Vrp {
        prefix,
        max_len: 22,
        asn: Asn(3333),
    };
    let aspa = Aspa {
        customer: Asn(3333),
        providers: vec![Asn(10_000)],
    };
    let sources = &config.clients[0].irr.sources;
    let irr = IrrSet::new(
        sources.prefixes.iter().copied().collect(),
        sources.origins.clone(),
    );
    Inputs {
        irr: [(sources.clone(), Arc::new(irr))].into(),
        outside: Outside {
            vrps: Some(Arc::new(VrpSet::new(vec![vrp]))),
            aspas: Some(Arc::new([aspa].into_iter().collect())),
        },
        ..Inputs::default()
    }
}

pub fn exchange(config: &Config) -> Exchange {
    compile(config, &Overrides::default(), &inputs(config), None)
}

pub fn class(exchange: &Exchange, route: &Route) -> PrefixClass {
    let client = exchange.client_at(IpAddr::from([192, 0, 2, 1])).unwrap();
    let of_set = client
        .import
        .check_attributes(&route.set(), &exchange.outside);
    let prefix = route.prefix.parse().unwrap();
    client.import.judge(&of_set, &prefix, &exchange.outside)
}

/// A case: its name, sections, keys of the client, and what becomes of the route.
type Case<'a> = (
    &'a str,
    &'a str,
    &'a str,
    Route,
    Result<Option<RejectReason>, RejectReason>,
);

fn check(cases: &[Case<'_>]) {
    for (case, sections, client, route, expected) in cases {
        let class = class(&exchange(&config(sections, client)), route);
        let found = match class.verdict().reason() {
            Some(reason) => Err(reason),
            None => Ok(class.reason()),
        };
        assert_eq!(found, *expected, "{case}");
    }
}

#[test]
fn lists_and_own_prefixes() {
    let bogon = Route {
        prefix: "11.0.0.0/16",
        ..ROUTE
    };
    let usual_bogon = || Route {
        prefix: "10.0.0.0/16",
        ..ROUTE
    };
    let via = |path| Route { path, ..ROUTE };
    check(&[
        ("an ordinary route passes", "", "", ROUTE, Ok(None)),
        (
            "server.lan",
            "lan = [\"193.0.0.0/16\"]",
            "",
            ROUTE,
            Err(OwnPrefix),
        ),
        (
            "import.own_prefixes",
            "lan = [\"193.0.0.0/16\"]",
            "import.own_prefixes = false",
            ROUTE,
            Ok(None),
        ),
        (
            "lists.bogon_prefixes",
            "[lists]\nbogon_prefixes = [\"11.0.0.0/8+\"]",
            "",
            bogon,
            Err(BogonPrefix),
        ),
        (
            "which replace the usual ones",
            "[lists]\nbogon_prefixes = []",
            "",
            usual_bogon(),
            Ok(None),
        ),
        ("the usual ones", "", "", usual_bogon(), Err(BogonPrefix)),
        (
            "lists.bogon_asns",
            "[lists]\nbogon_asns = [\"3000-3999\"]",
            "",
            ROUTE,
            Err(BogonAsn),
        ),
        (
            "lists.black_list",
            "[lists]\nblack_list = [\"193.0.0.0/21\"]",
            "",
            ROUTE,
            Err(BlackList),
        ),
        (
            "import.black_list",
            "[lists]\nblack_list = [\"193.0.0.0/21\"]",
            "import.black_list = false",
            ROUTE,
            Ok(None),
        ),
        (
            "import.black_list_prefixes",
            "",
            "import.black_list_prefixes = [\"193.0.0.0/16+\"]",
            ROUTE,
            Err(ClientBlackList),
        ),
        (
            "which do not hang on import.black_list",
            "",
            "import = { black_list = false, black_list_prefixes = [\"193.0.0.0/16+\"] }",
            ROUTE,
            Err(ClientBlackList),
        ),
        (
            "the usual transit-free ones",
            "",
            "",
            via(&[10_000, 3356]),
            Err(TransitFree),
        ),
        (
            "lists.transit_free_asns",
            "[lists]\ntransit_free_asns = [3356, 3333, 9]",
            "",
            ROUTE,
            Err(TransitFree),
        ),
        (
            "import.transit_free",
            "",
            "import.transit_free = false",
            via(&[10_000, 3356]),
            Ok(None),
        ),
        (
            "lists.never_via_route_servers_asns",
            "[lists]\nnever_via_route_servers_asns = [4000, 3333, 5]",
            "",
            ROUTE,
            Err(NeverViaRouteServers),
        ),
        (
            "import.never_via_route_servers",
            "[lists]\nnever_via_route_servers_asns = [3333]",
            "import.never_via_route_servers = false",
            ROUTE,
            Ok(None),
        ),
    ]);
}

#[test]
fn attributes() {
    let with_set = || Route {
        path: &[10_000],
        as_set: &[3333],
        ..ROUTE
    };
    let with_otc = || Route { otc: true, ..ROUTE };
    let with_two = || Route {
        communities: &[(7, 7), (7, 8)],
        ..ROUTE
    };
    check(&[
        ("an AS_SET", "", "", with_set(), Err(AsSet)),
        (
            "import.as_set",
            "",
            "import.as_set = false",
            with_set(),
            Ok(None),
        ),
        (
            "import.communities_max",
            "",
            "import.communities_max = 1",
            with_two(),
            Err(TooManyCommunities),
        ),
        (
            "as it is by default",
            "",
            "",
            Route {
                communities: &[(7, 7); 101],
                ..ROUTE
            },
            Err(TooManyCommunities),
        ),
        (
            "or none",
            "",
            "import.communities_max = \"none\"",
            Route {
                communities: &[(7, 7); 101],
                ..ROUTE
            },
            Ok(None),
        ),
        ("OTC without a role", "", "", with_otc(), Ok(None)),
        ("role", "", "role = true", with_otc(), Err(RouteLeak)),
        (
            "a strict role",
            "[defaults]\nrole = \"strict\"",
            "",
            with_otc(),
            Err(RouteLeak),
        ),
        (
            "a client without",
            "[defaults]\nrole = true",
            "role = false",
            with_otc(),
            Ok(None),
        ),
        (
            "import.tag",
            "",
            "role = true\nimport.tag = [\"route_leak\", \"as_set\"]",
            with_otc(),
            Ok(Some(RouteLeak)),
        ),
        (
            "quarantine is no remark",
            "",
            "quarantine = true\nimport.tag = [\"as_set\"]",
            with_set(),
            Err(Quarantined),
        ),
    ]);
}

const RPKI: &str = "[rpki]\nvrp_files = [\"vrps.json\"]";

#[test]
fn data_of_rpki() {
    let other = || Route {
        path: &[10_000, 3334],
        ..ROUTE
    };
    let unknown = || Route {
        prefix: "193.0.8.0/21",
        ..ROUTE
    };
    let leak = || Route {
        path: &[10_000, 20, 3333],
        ..ROUTE
    };
    check(&[
        ("RPKI Valid", RPKI, "", ROUTE, Ok(None)),
        ("RPKI Invalid", RPKI, "", other(), Err(RpkiInvalid)),
        ("without [rpki]", "", "", other(), Ok(None)),
        (
            "import.rpki_invalid",
            RPKI,
            "import.rpki_invalid = false",
            other(),
            Ok(None),
        ),
        ("RPKI NotFound", RPKI, "", unknown(), Ok(None)),
        (
            "import.rpki_unknown",
            RPKI,
            "import.rpki_unknown = true",
            unknown(),
            Err(RpkiUnknown),
        ),
        (
            "a remark",
            RPKI,
            "import.tag = [\"rpki_invalid\"]",
            other(),
            Ok(Some(RpkiInvalid)),
        ),
        ("ASPA Invalid", RPKI, "", leak(), Err(AspaInvalid)),
        ("without [rpki], ASPA neither", "", "", leak(), Ok(None)),
        (
            "import.aspa_invalid",
            RPKI,
            "import.aspa_invalid = false",
            leak(),
            Ok(None),
        ),
        (
            "the preset lab checks neither",
            RPKI,
            "import.preset = \"lab\"",
            other(),
            Ok(None),
        ),
    ]);
}

#[test]
fn data_of_irr() {
    const ROUTES: &str = "prefixes = [\"193.0.0.0/21\"]";
    const BOTH: &str = "irr = { prefixes = [\"193.0.0.0/21\"], origins = [3333] }";
    let longer = || Route {
        prefix: "193.0.4.0/22",
        ..ROUTE
    };
    let other = || Route {
        path: &[10_000, 3334],
        ..ROUTE
    };
    let irr = |more: &str| format!("irr = {{ {ROUTES}, origins = [3333], {more} }}");
    let of = |more: &str, route, expected| {
        let client = irr(more);
        check(&[(more, "", &client, route, expected)]);
    };
    check(&[
        ("registered", "", BOTH, ROUTE, Ok(None)),
        ("not registered", "", BOTH, longer(), Err(IrrPrefix)),
        ("another origin", "", BOTH, other(), Err(IrrOrigin)),
        (
            "import.irr_prefix",
            "[defaults.import]\nirr_prefix = false",
            BOTH,
            longer(),
            Ok(None),
        ),
        (
            "import.irr_origin",
            "[defaults.import]\nirr_origin = false",
            BOTH,
            other(),
            Ok(None),
        ),
        ("nothing is said of the client", "", "", other(), Ok(None)),
        (
            "defaults are inherited",
            "[defaults.irr]\nprefixes = [\"193.0.0.0/21\"]\norigins = [3333]",
            "",
            longer(),
            Err(IrrPrefix),
        ),
    ]);
    of("allow_longer_prefixes = true", longer(), Ok(None));
    of(
        "white_list_prefixes = [\"193.0.0.0/21{22,24}\"]",
        longer(),
        Ok(None),
    );
    of("white_list_origins = [9, 3334]", other(), Ok(None));
    of(
        "white_list_routes = [\"193.0.0.0/21 3334\"]",
        other(),
        Ok(None),
    );
    of(
        "white_list_routes = [\"193.0.0.0/21 AS3335\"]",
        other(),
        Err(IrrOrigin),
    );
    of("rpki_roas_as_route_objects = true", longer(), Ok(None));
    of(
        "rpki_roas_as_route_objects = false",
        longer(),
        Err(IrrPrefix),
    );
}

#[test]
fn without_its_as_set_a_client_announces_nothing() {
    let config = config(
        "",
        "irr.as_sets = [\"AS-EXAMPLE\", \"RIPE::AS-A\", \"AS-EXAMPLE\"]",
    );
    let sources = IrrSources {
        as_sets: vec!["AS-EXAMPLE".to_owned(), "RIPE::AS-A".to_owned()],
        ..IrrSources::default()
    };
    assert_eq!(config.clients[0].irr.sources, sources, "each once");
    let judged = |inputs: &Inputs| {
        let exchange = compile(&config, &Overrides::default(), inputs, None);
        class(&exchange, &ROUTE).verdict().reason()
    };
    assert_eq!(judged(&Inputs::default()), Some(IrrMissing));
    let prefixes: PrefixSet = ["193.0.0.0/21".parse().unwrap()].into_iter().collect();
    let set = Arc::new(IrrSet::new(prefixes, vec![Asn(3333)]));
    let come = Inputs {
        irr: [(sources, set)].into(),
        ..Inputs::default()
    };
    assert_eq!(judged(&come), None);
}

#[test]
fn blackhole_routes() {
    const ON: &str = "[blackhole]\nipv4 = \"propagate_unchanged\"";
    let one = || Route {
        communities: &[(65_535, 666)],
        prefix: "193.0.0.7/32",
        ..ROUTE
    };
    check(&[
        ("off", "", "", one(), Err(PrefixTooLong)),
        ("the client may not ask", ON, "", one(), Err(PrefixTooLong)),
        (
            "it may",
            ON,
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            one(),
            Ok(None),
        ),
        (
            "of the other family",
            "[blackhole]\nipv6 = \"propagate_unchanged\"",
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            one(),
            Err(PrefixTooLong),
        ),
        (
            "by a community of the exchange's own",
            "[blackhole]\nipv4 = \"propagate_unchanged\"\n[communities]\nblackholing = [\"rs_as:666:0\"]",
            "import.blackhole = true\nirr.prefixes = [\"0.0.0.0/0{0,32}\"]",
            Route {
                large: &[(64_500, 666, 0)],
                ..one()
            },
            Ok(None),
        ),
    ]);
}
