//! What is counted of a client's UPDATEs: rejected, said again, withdrawn in vain, at fault.

use std::sync::Arc;

use rialto::base::*;
use rialto::policy::{ImportChecks, ImportPolicy, PrefixList, PrefixRange};
use rialto::server::query::Tally;
use rialto::wire::TypeCodes;
use rialto::wire::testing::SetBuilder;

use crate::peer::{address_of, prefixes};
use crate::world::{RS, World, asn_of, exchange, with_client};

/// Prefixes 0 to 9 are on a black list, attribute 99 makes an announcement a withdrawal.
fn world(shard_count: u16) -> World {
    let mut exchange = exchange(2, shard_count);
    with_client(&mut exchange, 0, |client| {
        let black: PrefixList = prefixes(0..10).map(PrefixRange::exact).collect();
        client.import = Arc::new(ImportPolicy::new(ImportChecks {
            own_as: true,
            black_list: Some(Arc::new(black)),
            ..ImportChecks::lab(RS, asn_of(ClientSlot(0)))
        }));
        client.treat_as_withdraw = TypeCodes::from_iter([99]);
    });
    let mut world = World::new(exchange);
    world.connect_all();
    world.run();
    world
}

fn own() -> SetBuilder {
    SetBuilder::new().next_hop(address_of(ClientSlot(0)))
}

#[test]
fn what_a_client_says_in_vain_is_counted_on_any_number_of_shards() {
    for shard_count in [1, 3] {
        let mut world = world(shard_count);
        let mut due = Tally::default();
        let check = |world: &mut World, what: &str, due: Tally| {
            world.run();
            assert_eq!(world.stats().clients[0].tally, due, "{what}, {shard_count}");
        };

        world.peer(0).announce(1, prefixes(5..30));
        due.rejected_prefixes += 5;
        check(&mut world, "five are rejected", due);

        world.peer(0).announce(1, prefixes(8..40));
        due.rejected_prefixes += 2;
        due.duplicate_announcements += 22;
        check(&mut world, "22 are there already", due);

        world.peer(0).announce(1, prefixes(10..40));
        due.duplicate_announcements += 30;
        due.duplicate_updates += 1;
        check(&mut world, "nothing else is said", due);

        world.peer(0).announce(2, prefixes(10..40));
        check(&mut world, "the attributes are others", due);

        world.peer(0).withdraw(prefixes(35..45));
        due.duplicate_withdrawals += 5;
        check(&mut world, "five are not there", due);

        world.peer(0).withdraw(prefixes(35..45));
        due.duplicate_withdrawals += 10;
        due.duplicate_updates += 1;
        check(&mut world, "none is", due);

        let looped = own().as_path(&[asn_of(ClientSlot(0)).0, RS.0]).build();
        world.peer(0).announce_set(&looped, prefixes(50..53));
        due.rejected_prefixes += 3;
        due.looped_updates += 1;
        check(&mut world, "the AS_PATH is a loop", due);

        let at_fault = own().as_path(&[asn_of(ClientSlot(0)).0]);
        let at_fault = at_fault.attribute(0xc0, 99, vec![1]).build();
        world.peer(0).announce_set(&at_fault, prefixes(30..50));
        due.treat_as_withdraw_prefixes += 20;
        check(&mut world, "it is treated as a withdrawal", due);
        assert_eq!(world.stats().clients[0].treat_as_withdraw_count, 1);

        // What was said is counted on, but no session begins with duplicates.
        world.hang_up(0);
        world.run();
        world.connect(0);
        world.run();
        world.peer(0).announce(2, prefixes(10..30));
        check(&mut world, "a new session", due);
    }
}
