//! A reload that changes which link-local next hops a client may have.

use std::sync::Arc;

use rialto::base::{Asn, FamilySet, Generation};
use rialto::policy::{ImportChecks, ImportPolicy};
use rialto::server::exchange::Exchange;
use rialto::wire::RefreshSubtype;

use crate::peer::Heard;
use crate::world::{World, exchange, with_client};

/// Clients 0 and 1 speak IPv6 too; all may have these next hops, or any.
fn exchange_with(generation: u32, next_hops: Option<&[&str]>) -> Exchange {
    let mut exchange = exchange(3, 1);
    exchange.generation = Generation(generation);
    for slot in 0..3 {
        with_client(&mut exchange, slot, |client| {
            if slot < 2 {
                client.session.families = FamilySet::ALL;
            }
            let addresses = next_hops.map(|list| list.iter().map(|text| text.parse().unwrap()));
            client.import = Arc::new(ImportPolicy::new(ImportChecks {
                next_hops: addresses.map(Iterator::collect),
                ..ImportChecks::lab(Asn(1), Asn(2))
            }));
        });
    }
    exchange
}

#[test]
fn a_client_is_asked_again_for_what_was_decoded_under_other_rules() {
    let mut world = World::new(exchange_with(1, None));
    for peer in &mut world.peers[..2] {
        peer.capabilities.families = FamilySet::ALL;
    }
    world.peer(1).capabilities.route_refresh = false;
    world.peer(1).capabilities.enhanced_refresh = false;
    world.connect_all();
    let reloads: [(&str, Option<&[&str]>, usize); 5] = [
        ("checks begin", Some(&["2001:db8::1"]), 0),
        ("another global address", Some(&["2001:db8::2"]), 0),
        ("a link-local one", Some(&["2001:db8::2", "fe80::1"]), 1),
        ("in another order", Some(&["fe80::1", "2001:db8::2"]), 0),
        ("checks end", None, 1),
    ];
    for ((case, next_hops, expected), generation) in reloads.into_iter().zip(2..) {
        world.peers.iter_mut().for_each(|peer| peer.heard.clear());
        world.reload(exchange_with(generation, next_hops));
        let asked = [0, 1, 2].map(|slot| {
            let is_request = |heard: &Heard| *heard == Heard::Refresh(RefreshSubtype::Request);
            world.peer(slot).count(is_request)
        });
        // Client 1 cannot be asked, and client 2 has no IPv6.
        assert_eq!(asked, [expected, 0, 0], "{case}");
        assert!(world.peers.iter().all(|peer| peer.is_up), "{case}");
    }
}
