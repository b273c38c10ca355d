//! What of the table a reload looks at: no less than changed, and where it matters no more.

use std::sync::Arc;

use rialto::base::{Asn, ClientSet, ClientSlot, Generation};
use rialto::policy::{
    Aspa, AspaSet, ControlScheme, Directory, DirectoryEntry, ImportChecks, ImportPolicy, IrrChecks,
    Precedence, PrefixBlocks, SchemeOptions, VrpSet,
};
use rialto::rib::MedMode;
use rialto::server::exchange::{Exchange, VrpChanges};
use rialto::server::reach::Reach;

use crate::RS;
use crate::bench::{prefix, with_client};
use crate::exchange::{self, asn_of};

/// By whose checks a client's routes are judged.
const BY_VRPS: u16 = 0;
const BY_ROUTE_OBJECTS: u16 = 1;
const BY_ASPAS: u16 = 2;
const BY_NOTHING: u16 = 3;

/// The fourth and the fifth generation of an exchange in which nothing changes.
fn generations() -> (Exchange, Exchange) {
    let shape = exchange::Exchange {
        clients: 4,
        med: MedMode::SameAs,
        hide_own_as: 0,
    };
    let imports = [BY_VRPS, BY_ROUTE_OBJECTS, BY_ASPAS, BY_NOTHING]
        .map(|slot| Arc::new(ImportPolicy::new(checks(slot))));
    let compiled = |number| {
        let exchange = exchange::compile(&shape, number, 1);
        let mut exchange = Arc::into_inner(exchange).expect("it is ours");
        for (slot, import) in (0..).zip(&imports) {
            with_client(&mut exchange, slot, |client| client.import = import.clone());
        }
        exchange
    };
    let (old, mut new) = (compiled(4), compiled(5));
    new.scheme = old.scheme.clone();
    (old, new)
}

fn checks(slot: u16) -> ImportChecks {
    ImportChecks {
        rpki_invalid: slot == BY_VRPS,
        irr: (slot == BY_ROUTE_OBJECTS).then(|| IrrChecks {
            prefix: true,
            roas_as_route_objects: true,
            ..IrrChecks::default()
        }),
        aspa_invalid: slot == BY_ASPAS,
        ..ImportChecks::lab(Asn(RS), asn_of(ClientSlot(slot)))
    }
}

fn vrps() -> Option<Arc<VrpSet>> {
    Some(Arc::default())
}

fn aspas() -> Option<Arc<AspaSet>> {
    let aspa = Aspa {
        customer: Asn(64496),
        providers: vec![Asn(64497)],
    };
    Some(Arc::new([aspa].into_iter().collect()))
}

fn blocks(count: u32) -> Arc<PrefixBlocks> {
    Arc::new((0..count).map(prefix).collect())
}

fn clients(slots: &[u16]) -> ClientSet {
    slots.iter().copied().map(ClientSlot).collect()
}

fn changes(since: u32, count: u32) -> Option<VrpChanges> {
    Some(VrpChanges {
        since: Generation(since),
        blocks: blocks(count),
    })
}

struct Case {
    name: &'static str,
    change: fn(&mut Exchange, &mut Exchange),
    judge_again: &'static [u16],
    rov: Option<(u32, &'static [u16])>,
    audiences: bool,
    gone: &'static [u16],
}

const NOTHING: Case = Case {
    name: "nothing changes",
    change: |_, _| {},
    judge_again: &[],
    rov: None,
    audiences: false,
    gone: &[],
};

const CASES: [Case; 16] = [
    NOTHING,
    Case {
        name: "VRPs come for the first time",
        change: |_, new| new.outside.vrps = vrps(),
        judge_again: &[BY_VRPS, BY_ROUTE_OBJECTS],
        ..NOTHING
    },
    Case {
        name: "all VRPs are gone",
        change: |old, _| old.outside.vrps = vrps(),
        judge_again: &[BY_VRPS, BY_ROUTE_OBJECTS],
        ..NOTHING
    },
    Case {
        name: "the same VRPs stay",
        change: |old, new| {
            old.outside.vrps = vrps();
            new.outside.vrps = old.outside.vrps.clone();
        },
        ..NOTHING
    },
    Case {
        name: "other VRPs, and where they differ from the last ones",
        change: |old, new| {
            (old.outside.vrps, new.outside.vrps) = (vrps(), vrps());
            new.vrp_changes = changes(4, 3);
        },
        rov: Some((3, &[BY_VRPS, BY_ROUTE_OBJECTS])),
        ..NOTHING
    },
    Case {
        name: "other VRPs, and where they differ from those before the last",
        change: |old, new| {
            (old.outside.vrps, new.outside.vrps) = (vrps(), vrps());
            new.vrp_changes = changes(3, 3);
        },
        judge_again: &[BY_VRPS, BY_ROUTE_OBJECTS],
        ..NOTHING
    },
    Case {
        name: "other VRPs, which differ nowhere",
        change: |old, new| {
            (old.outside.vrps, new.outside.vrps) = (vrps(), vrps());
            new.vrp_changes = changes(4, 0);
        },
        ..NOTHING
    },
    Case {
        name: "ASPAs come for the first time",
        change: |_, new| new.outside.aspas = aspas(),
        judge_again: &[BY_ASPAS],
        ..NOTHING
    },
    Case {
        name: "all ASPAs are gone",
        change: |old, _| old.outside.aspas = aspas(),
        judge_again: &[BY_ASPAS],
        ..NOTHING
    },
    Case {
        name: "other ASPAs",
        change: |old, new| (old.outside.aspas, new.outside.aspas) = (aspas(), aspas()),
        judge_again: &[BY_ASPAS],
        ..NOTHING
    },
    Case {
        name: "a client's checks change",
        change: |_, new| {
            with_client(new, BY_NOTHING, |client| {
                client.import = Arc::new(ImportPolicy::new(checks(BY_ASPAS)));
            });
        },
        judge_again: &[BY_NOTHING],
        ..NOTHING
    },
    Case {
        name: "an attribute of a client is discarded",
        change: |_, new| {
            with_client(new, BY_NOTHING, |client| {
                client.discard = [32].into_iter().collect()
            });
        },
        judge_again: &[BY_NOTHING],
        ..NOTHING
    },
    Case {
        name: "a client does not want another's routes",
        change: |_, new| new.directory = directory(new, BY_ASPAS),
        audiences: true,
        ..NOTHING
    },
    Case {
        name: "another scheme",
        change: |_, new| {
            let options = SchemeOptions {
                precedence: Precedence::LargeFirst,
                ..SchemeOptions::default()
            };
            let scheme = ControlScheme::new(Asn(RS), &options);
            new.scheme = Arc::new(scheme.expect("it is sound"));
        },
        judge_again: &[BY_VRPS, BY_ROUTE_OBJECTS, BY_ASPAS, BY_NOTHING],
        audiences: true,
        ..NOTHING
    },
    Case {
        name: "a client is removed",
        change: |_, new| new.clients[usize::from(BY_VRPS)] = None,
        gone: &[BY_VRPS],
        ..NOTHING
    },
    Case {
        name: "a client is kept down",
        change: |_, new| {
            with_client(new, BY_VRPS, |client| client.disabled = Some(String::new()));
        },
        gone: &[BY_VRPS],
        ..NOTHING
    },
];

fn directory(exchange: &Exchange, unwanted: u16) -> Directory {
    let entry = |slot: u16| DirectoryEntry {
        receivers: (slot == unwanted).then(|| clients(&[BY_VRPS, BY_ROUTE_OBJECTS])),
        ..DirectoryEntry::new(ClientSlot(slot), asn_of(ClientSlot(slot)))
    };
    (0..exchange.clients.len() as u16).map(entry).collect()
}

#[test]
fn what_a_reload_looks_at() {
    for case in CASES {
        let (mut old, mut new) = generations();
        (case.change)(&mut old, &mut new);
        let reach = Reach::of(&old, &new);
        let name = case.name;
        assert_eq!(reach.judge_again, clients(case.judge_again), "{name}");
        let rov = case
            .rov
            .map(|(count, users)| (blocks(count), clients(users)));
        assert_eq!(reach.rov, rov, "{name}");
        assert_eq!(reach.audiences, case.audiences, "{name}");
        for slot in [BY_VRPS, BY_ROUTE_OBJECTS, BY_ASPAS, BY_NOTHING] {
            let is_gone = reach.is_gone(ClientSlot(slot));
            assert_eq!(is_gone, case.gone.contains(&slot), "{name}: client {slot}");
        }
    }
}
