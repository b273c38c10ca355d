//! Informational communities of another generation: told apart from what is lost, and counted by length.

use rialto::policy::InfoTag;

use super::*;

/// With `irr_not_checked` in these communities, which each route gets that no IRR check concerns.
fn scheme_with(communities: &[&str]) -> Arc<ControlScheme> {
    let communities = communities.iter().map(|it| (*it).to_owned()).collect();
    let options = SchemeOptions {
        tags: vec![(InfoTag::IrrNotChecked, communities)],
        ..SchemeOptions::default()
    };
    Arc::new(ControlScheme::new(Asn(RS), &options).expect("it is sound"))
}

#[test]
fn routes_of_which_nothing_is_rejected_may_come_with_other_communities() {
    /// Large communities of the route: few; so many that the added ones do not fit into 4,096 octets.
    const FEW: u32 = 3;
    const MANY: u32 = 334;
    const NONE: &[&str] = &[];
    const ONE: &[&str] = &["rs_as:2000:1"];
    const OTHER: &[&str] = &["rs_as:2000:2"];
    const TEN: &[&str] = &[
        "rs_as:2000:1",
        "rs_as:2000:2",
        "rs_as:2000:3",
        "rs_as:2000:4",
        "rs_as:2000:5",
        "rs_as:2000:6",
        "rs_as:2000:7",
        "rs_as:2000:8",
        "rs_as:2000:9",
        "rs_as:2000:10",
    ];
    // The second client takes extended messages, the third does not.
    let third = || BTreeMap::from([(ClientSlot(2), 2)]);
    let none = BTreeMap::new;
    type Counts = BTreeMap<ClientSlot, u64>;
    // Of the route, of the two generations, and who would lose and gain how many prefixes.
    type Case<'a> = (&'a str, u32, [&'a [&'a str]; 2], Counts, Counts);
    let cases: [Case<'_>; 6] = [
        ("none come", FEW, [NONE, NONE], none(), none()),
        (
            "one comes, and is only sent",
            FEW,
            [NONE, ONE],
            none(),
            none(),
        ),
        (
            "another comes, and is only sent",
            MANY - 9,
            [ONE, OTHER],
            none(),
            none(),
        ),
        (
            "one makes a route too long for the third",
            MANY,
            [NONE, ONE],
            third(),
            none(),
        ),
        (
            "one that goes lets the third have a route",
            MANY,
            [ONE, NONE],
            none(),
            third(),
        ),
        (
            "ten in place of one are too long",
            MANY - 9,
            [ONE, TEN],
            third(),
            none(),
        ),
    ];
    for (case, large_count, [before, then], lost, gained) in cases {
        let shape = exchange::Exchange {
            clients: CLIENTS,
            med: MedMode::SameAs,
            hide_own_as: 0,
        };
        let with_scheme = |number, communities| {
            let mut exchange = exchange::compile(&shape, number, 1);
            Arc::get_mut(&mut exchange).expect("it is ours").scheme = scheme_with(communities);
            exchange
        };
        let mut world = World::new(with_scheme(1, before));
        (0..3).for_each(|slot| world.up(ClientSlot(slot), false));
        world.make_live((0..3).map(ClientSlot).collect());
        let large: Vec<_> = (0..large_count).map(|number| (3356, number, 1)).collect();
        let set = SetBuilder::new()
            .next_hop(Ipv4Addr::new(10, 77, 1, 1))
            .as_path(&[asn_of(ClientSlot(0)).0])
            .large(&large)
            .build();
        world.announce(ClientSlot(0), set, &[numbered(1), numbered(2)]);
        world.rest();
        let new = with_scheme(2, then);
        let found = world.rehearse(&new, ALL);
        assert_eq!(found.newly_rejected, BTreeMap::new(), "{case}");
        assert_eq!((&found.lost, &found.gained), (&lost, &gained), "{case}");
        // Another one in between is not taken for this one.
        world.rehearse(&with_scheme(2, TEN), ALL);
        assert_eq!(world.rehearse(&new, 1), found, "{case}: again");
        let before = world.state();
        let reach = Reach::of(&world.exchange, &new);
        world.reload(new);
        let done = difference(&before, &world.state(), &reach);
        assert_eq!(found, done, "{case}: what the reload does");
    }
}
