//! Informational communities of another generation: told apart from what is lost, and counted by length.

use rialto::policy::{ControlAction, InfoTag};

use super::*;

type Counts = BTreeMap<ClientSlot, u64>;

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
    let third = || BTreeMap::from([(ClientSlot(2), 2)]);
    let none = BTreeMap::new;
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
    for (case, large_count, communities, lost, gained) in cases {
        let large: Vec<_> = (0..large_count).map(|number| (3356, number, 1)).collect();
        let set = SetBuilder::new().large(&large);
        check(case, set, communities.map(scheme_with), (lost, gained));
    }
}

/// 1,100 communities, with which a route is too long for the third where they are not taken off.
#[test]
fn routes_are_measured_with_what_the_other_scheme_leaves_of_them() {
    const STANDARD: &str = "0:peer_as";
    const LARGE: &str = "rs_as:0:peer_as";
    let third = || BTreeMap::from([(ClientSlot(2), 2)]);
    let none = BTreeMap::new;
    let cases: [(&str, [&str; 2], Counts, Counts); 3] = [
        ("as before", [STANDARD, STANDARD], none(), none()),
        ("they stay", [STANDARD, LARGE], third(), none()),
        ("they are taken off", [LARGE, STANDARD], none(), third()),
    ];
    for (case, forms, lost, gained) in cases {
        let schemes = forms.map(|form| {
            let options = SchemeOptions {
                forms: vec![(ControlAction::DoNotAnnounceToPeer, vec![form.to_owned()])],
                ..SchemeOptions::default()
            };
            Arc::new(ControlScheme::new(Asn(RS), &options).expect("it is sound"))
        });
        let to_nobody_here: Vec<_> = (20_000..21_100).map(|number| (0, number)).collect();
        let set = SetBuilder::new().communities(&to_nobody_here);
        check(case, set, schemes, (lost, gained));
    }
}

/// Two routes of the first client; the second takes extended messages, the third does not.
fn check(
    case: &str,
    set: SetBuilder,
    [before, then]: [Arc<ControlScheme>; 2],
    expected: (Counts, Counts),
) {
    let shape = exchange::Exchange {
        clients: CLIENTS,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let with_scheme = |number, scheme| {
        let mut exchange = exchange::compile(&shape, number, 1);
        Arc::get_mut(&mut exchange).expect("it is ours").scheme = scheme;
        exchange
    };
    let mut world = World::new(with_scheme(1, before));
    (0..3).for_each(|slot| world.up(ClientSlot(slot), false));
    world.make_live((0..3).map(ClientSlot).collect());
    let set = set
        .next_hop(Ipv4Addr::new(10, 77, 1, 1))
        .as_path(&[asn_of(ClientSlot(0)).0])
        .build();
    world.announce(ClientSlot(0), set, &[numbered(1), numbered(2)]);
    world.rest();
    let new = with_scheme(2, then);
    let found = world.rehearse(&new, ALL);
    assert_eq!(found.newly_rejected, BTreeMap::new(), "{case}");
    assert_eq!(
        (&found.lost, &found.gained),
        (&expected.0, &expected.1),
        "{case}"
    );
    // Another one in between is not taken for this one.
    world.rehearse(&with_scheme(2, scheme_with(TEN)), ALL);
    assert_eq!(world.rehearse(&new, 1), found, "{case}: again");
    let before = world.state();
    let reach = Reach::of(&world.exchange, &new);
    world.reload(new);
    let done = difference(&before, &world.state(), &reach);
    assert_eq!(found, done, "{case}: what the reload does");
}
