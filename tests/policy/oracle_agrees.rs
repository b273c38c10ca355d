//! Policy and oracle, written apart, say the same of random routes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use rialto::base::{Asn, ClientSlot, Prefix};
use rialto::policy::{
    ControlScheme, Directory, DirectoryEntry, ImportChecks, ImportPolicy, Outside, Precedence,
    PrefixClass, SchemeOptions, audiences,
};
use rialto::wire::NextHop;
use rialto::wire::testing::SetBuilder;

use crate::oracle::{Attributes, Checks, Client, Net, Options, Oracle, Session};

pub const WIDE_RS: u32 = 4_200_000_500;

pub fn options(server_asn: u32) -> Options {
    Options::new(server_asn, |(address, len)| match address {
        IpAddr::V4(address) => u64::from(address.to_bits()) << 8 | u64::from(*len),
        IpAddr::V6(_) => 0,
    })
}

pub fn address(id: u16) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 1, id as u8)
}

pub fn client(id: u16, asn: u32) -> Client {
    Client::new(asn, address(id).into())
}

pub fn session(id: u16) -> Session {
    Session {
        router_id: address(id),
        families: [true; 2],
        add_path: [false; 2],
        extended: false,
        four_octet: true,
        v6_next_hops: false,
        takes_stale: false,
    }
}

pub fn attributes(id: u16, path: &[u32]) -> Attributes {
    Attributes {
        origin: 0,
        as_path: if path.is_empty() {
            Vec::new()
        } else {
            vec![(2, path.to_vec())]
        },
        next_hop: address(id).into(),
        link_local: None,
        med: None,
        communities: Vec::new(),
        large: Vec::new(),
        extended: Vec::new(),
        other: BTreeMap::new(),
    }
}

pub fn net(text: &str) -> Net {
    let prefix: Prefix = text.parse().unwrap();
    (prefix.address(), prefix.len())
}

fn asn() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1u32..6, 1 => Just(200_000u32)]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1u32..6, 1 => Just(200_000u32), 1 => Just(0u32), 1 => Just(64_500u32), 1 => Just(WIDE_RS)]
}

fn standard() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let high =
        prop_oneof![4 => Just(0u16), 4 => Just(64_500u16), 1 => Just(WIDE_RS as u16), 1 => 1u16..4];
    let low = prop_oneof![4 => 1u16..6, 1 => Just(0u16), 1 => Just(64_500u16)];
    let well_known = (
        Just(65_535u16),
        prop_oneof![Just(0u16), Just(666u16), 65_281u16..65_285],
    );
    prop::collection::vec(prop_oneof![8 => (high, low), 1 => well_known], 0..5)
}

fn large() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    let head = prop_oneof![3 => Just(64_500u32), 3 => Just(WIDE_RS), 1 => Just(3u32)];
    let function = prop_oneof![4 => 0u32..3, 4 => 100u32..105];
    prop::collection::vec((head, function, number()), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn each_client_gets_what_the_oracle_gives_it(
        rs in prop_oneof![Just(64_500u32), Just(WIDE_RS)],
        clients in prop::collection::vec((asn(), any::<bool>()), 1..7),
        path in prop::collection::vec(asn(), 0..4),
        standard in standard(),
        large in large(),
        large_first in any::<bool>(),
        interpret_well_known in any::<bool>(),
    ) {
        let mut said = options(rs);
        said.communities.large_first = large_first;
        let mut oracle = Oracle::new(said);
        for (id, (asn, hide_own_as)) in (0..).zip(&clients) {
            oracle.configure(id, Client {
                hide_own_as: *hide_own_as,
                obeys_rfc1997: interpret_well_known,
                ..client(id, *asn)
            });
            oracle.up(id, session(id));
        }
        let net = net("193.0.0.0/21");
        let heard = Attributes { communities: standard.clone(), large: large.clone(), ..attributes(0, &path) };
        oracle.announce(0, net, heard);

        let directory: Directory = (0..)
            .zip(&clients)
            .map(|(id, (asn, hide))| DirectoryEntry {
                hide_own_as: *hide,
                obeys_well_known: interpret_well_known,
                ..DirectoryEntry::new(ClientSlot(id), Asn(*asn))
            })
            .collect();
        let precedence = if large_first { Precedence::LargeFirst } else { Precedence::Merged };
        let options = SchemeOptions { precedence, ..SchemeOptions::default() };
        let scheme = ControlScheme::new(Asn(rs), &options).unwrap();
        // As the decoder does it: what is scrubbed on import is not there.
        let import = scheme.import_scrub();
        let kept: Vec<_> = standard.iter().copied().filter(|c| !import.removes_standard(*c)).collect();
        let kept_large: Vec<_> = large.iter().copied().filter(|c| !import.removes_large(*c)).collect();
        let set = SetBuilder::new().as_path(&path).communities(&kept).large(&kept_large).build();
        let found = audiences(ClientSlot(0), &scheme.actions(&set, &directory), PrefixClass::ACCEPTED, 0, &directory);

        for id in 0..clients.len() as u16 {
            let owed = oracle.table_of(id).remove(&(net, 0));
            let variant = found.iter().find(|(_, clients)| clients.contains(ClientSlot(id)));
            let prepends = owed.as_ref().map(|sent| sent.as_path.iter().map(|(_, asns)| asns.len()).sum::<usize>() - path.len());
            prop_assert_eq!(variant.map(|(variant, _)| usize::from(variant.prepend)), prepends, "client {}", id);
            if let Some(sent) = owed {
                let export = scheme.export_scrub();
                prop_assert_eq!(kept.iter().copied().filter(|c| !export.removes_standard(*c)).collect::<Vec<_>>(), sent.communities);
                prop_assert_eq!(kept_large.iter().copied().filter(|c| !export.removes_large(*c)).collect::<Vec<_>>(), sent.large);
            }
        }
    }

    #[test]
    fn import_rejects_what_the_oracle_rejects(
        path in prop::collection::vec(prop_oneof![
            6 => Just(10u32),
            2 => 1u32..20,
            1 => prop::sample::select(vec![0, 23_455, 23_456, 64_495, 64_496, 65_535, 131_071, 131_072, 4_199_999_999, 4_200_000_000, u32::MAX]),
        ], 0..36),
        set in prop::collection::vec(1u32..20, 0..3),
        set_first in any::<bool>(),
        next_hop in 1u16..4,
        prefix in (prop::sample::select(vec![
            "193.0.0.0", "10.2.0.0", "11.0.0.0", "100.64.0.0", "100.128.0.0", "192.0.0.0", "192.0.2.0", "223.255.255.0", "224.0.0.0",
            "0.0.0.0", "::", "1000::", "2000::", "2001::", "2001:1::", "2001:db8::", "2a00::", "3ffe::", "3fff::", "4000::", "fe80::",
        ]), 0u8..60),
        switches in any::<[bool; 8]>(),
    ) {
        let [next_hops, leftmost_as, path_max, lengths, prefixes, asns, own_as, quarantined] = switches;
        let allowed: Vec<IpAddr> = vec![address(1).into(), address(2).into()];
        let ip: IpAddr = prefix.0.parse().unwrap();
        let len = if ip.is_ipv4() { prefix.1.min(32) } else { prefix.1 };
        let prefix: Prefix = format!("{ip}/{len}").parse().unwrap();
        let net: Net = (prefix.address(), prefix.len());

        let mut oracle = Oracle::new(options(19));
        let checks = Checks {
            next_hops: next_hops.then(|| allowed.clone()),
            leftmost_as,
            as_path_max: path_max.then_some(32),
            prefix_lengths: if lengths { [Some((8, 24)), Some((12, 48))] } else { [None; 2] },
            bogon_prefixes: prefixes,
            bogon_asns: asns,
            own_as,
            quarantined,
            ..Checks::default()
        };
        oracle.configure(1, Client { checks, ..client(1, 10) });
        oracle.up(1, session(1));
        let mut segments = vec![(2, path.clone()), (1, set.clone())];
        if set_first {
            segments.reverse();
        }
        segments.retain(|(_, asns)| !asns.is_empty());
        oracle.announce(1, net, Attributes { as_path: segments, ..attributes(next_hop, &[]) });

        let full = ImportChecks::exchange(Asn(19), Asn(10), allowed);
        let none = ImportChecks::lab(Asn(19), Asn(10));
        let policy = ImportPolicy::new(ImportChecks {
            next_hops: if next_hops { full.next_hops } else { None },
            leftmost_as,
            as_path_len_max: if path_max { full.as_path_len_max } else { None },
            prefix_lengths: if lengths { full.prefix_lengths } else { [None, None] },
            bogon_prefixes: if prefixes { full.bogon_prefixes } else { None },
            bogon_asns: if asns { full.bogon_asns } else { Vec::new() },
            own_as,
            quarantined,
            ..none
        });
        let builder = SetBuilder::new().next_hop(NextHop::V4(address(next_hop)));
        let set = match set_first {
            true => builder.as_set(&set).as_path(&path).build(),
            false => builder.as_path(&path).as_set(&set).build(),
        };
        let outside = Outside::default();
        let class = policy.judge(&policy.check_attributes(&set, &outside), &prefix, &outside);
        let reason = class.verdict().reason().map(|reason| reason.name());
        prop_assert_eq!(reason, oracle.verdict(1, &net).err());
    }
}
