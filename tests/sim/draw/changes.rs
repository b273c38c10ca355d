//! What a reload may change.

use super::policy::{AS_SETS, FORMS};
use super::{ASNS, Draw, Theme};
use crate::exchange::{Member, Plan, Registration, SERVER_ASN, VrpNews};
use crate::oracle::{Communities, Matrix, Med, OTC};
use crate::rng::Rng;

type Change = fn(&Draw, &mut Rng, &mut Plan, usize);

/// In every seed.
const USUAL: [Change; 13] = [
    |_, _, plan, client| {
        let member = &mut plan.members[client];
        member.hide_own_as = !member.hide_own_as;
        member.lists_link_local = !member.lists_link_local;
    },
    |_, _, plan, client| flip(&mut plan.members[client].quarantined),
    |_, _, plan, client| flip(&mut plan.members[client].import.is_lab),
    |_, _, plan, client| flip(&mut plan.members[client].disabled),
    |_, _, plan, client| flip(&mut plan.members[client].is_absent),
    |_, _, plan, client| flip(&mut plan.members[client].add_path),
    |_, rng, plan, client| {
        let limit = &mut plan.members[client].limit;
        *limit = match limit.is_some() && rng.percent(60) {
            true => None,
            false => Some((rng.between(1, 20), rng.percent(40))),
        };
    },
    |_, rng, plan, _| plan.med = *rng.pick(&[Med::SameAs, Med::Always, Med::Ignore]),
    |_, rng, plan, client| {
        let code = *rng.pick(&[4, 6, OTC, 200, 201]);
        toggle(&mut plan.members[client].discard, code);
    },
    |_, rng, plan, client| {
        let code = *rng.pick(&[6, 201, 250]);
        toggle(&mut plan.members[client].treat_as_withdraw, code);
    },
    |_, _, plan, _| flip(&mut plan.communities.large_first),
    |_, rng, plan, client| {
        plan.members[client].obeys_rfc1997 = *rng.pick(&[None, Some(true), Some(false)]);
    },
    |_, _, plan, _| flip(&mut plan.interpret_well_known),
];

fn flip(switch: &mut bool) {
    *switch = !*switch;
}

/// Puts it in, or takes it out.
fn toggle(codes: &mut Vec<u8>, code: u8) {
    let before = codes.len();
    codes.retain(|known| *known != code);
    if codes.len() == before {
        codes.push(code);
    }
}

impl Draw {
    pub fn change(&self, rng: &mut Rng, plan: &mut Plan, client: usize) {
        if plan.is_waiting {
            return self.end_wait(rng, plan);
        }
        let mut changes: Vec<Change> = USUAL.to_vec();
        let of_themes = THEMES.iter().filter(|(theme, _)| self.has(*theme));
        of_themes.for_each(|(_, of_theme)| changes.extend(*of_theme));
        let change = *rng.pick(&changes);
        change(self, rng, plan, client);
    }

    /// All data comes, or is waited for no longer.
    fn end_wait(&self, rng: &mut Rng, plan: &mut Plan) {
        plan.is_waiting = rng.percent(50);
        if plan.is_waiting {
            for name in AS_SETS {
                let set = (self.registered(rng), ASNS[..6].to_vec());
                plan.as_sets.entry(name).or_insert(set);
            }
            if plan.outside.vrps.is_none() {
                plan.take_vrps(Some(self.vrps(rng)));
            }
        }
    }

    fn change_vrps(&self, rng: &mut Rng, plan: &mut Plan) {
        plan.vrp_news = *rng.pick(&[
            VrpNews::Difference,
            VrpNews::Difference,
            VrpNews::Difference,
            VrpNews::Nothing,
            VrpNews::Outdated,
        ]);
        let vrps = match plan.outside.vrps.clone() {
            Some(mut vrps) if rng.percent(85) => {
                rng.shuffle(&mut vrps);
                let gone = rng.below(4).min(vrps.len());
                vrps.truncate(vrps.len() - gone);
                vrps.extend((0..rng.below(4)).flat_map(|_| self.roa(rng)));
                Some(vrps)
            }
            Some(_) => rng.percent(50).then(Vec::new),
            None => Some(self.vrps(rng)),
        };
        plan.take_vrps(vrps);
    }

    fn change_import(&self, rng: &mut Rng, member: &mut Member) {
        let drawn = self.import(rng, member.import.is_lab);
        match rng.below(3) {
            0 => member.import = drawn,
            _ => member.import.switches = drawn.switches,
        }
    }
}

/// In seeds that have the theme.
const THEMES: [(Theme, &[Change]); 15] = [
    (
        Theme::Checks,
        &[
            |draw, rng, plan, client| draw.change_import(rng, &mut plan.members[client]),
            |draw, rng, plan, client| draw.change_import(rng, &mut plan.members[client]),
        ],
    ),
    (
        Theme::Lists,
        &[
            |draw, rng, plan, _| plan.lists = draw.lists(rng),
            |draw, rng, plan, client| {
                plan.members[client].import.black_list_prefixes = draw.ranges(rng, 3, 3);
            },
        ],
    ),
    (
        Theme::Irr,
        &[
            |draw, rng, plan, _| draw.as_sets(rng, plan),
            |draw, rng, plan, client| {
                let member = &mut plan.members[client];
                member.irr = match rng.percent(70) {
                    true => draw.registration(rng, member.asn),
                    false => Registration::default(),
                };
            },
            |draw, rng, plan, client| {
                let member = &mut plan.members[client];
                member.irr.rules = draw.registration(rng, member.asn).rules;
            },
        ],
    ),
    (
        Theme::Rpki,
        &[
            |draw, rng, plan, _| draw.change_vrps(rng, plan),
            |draw, rng, plan, _| draw.change_vrps(rng, plan),
            |draw, rng, plan, _| {
                let aspas = rng.percent(80).then(|| draw.aspas(rng));
                plan.take_aspas(aspas);
            },
            |_, rng, plan, _| plan.set_rpki(rng.percent(70)),
        ],
    ),
    (
        Theme::Tags,
        &[
            |draw, rng, plan, client| plan.members[client].import.tag = draw.tag(rng),
            |draw, rng, plan, client| plan.members[client].import.tag = draw.tag(rng),
        ],
    ),
    (
        Theme::Forms,
        &[
            CHANGE_COMMUNITIES,
            |_, rng, plan, _| {
                plan.communities.peer_as_aliases = match rng.percent(50) {
                    true => [(65_001, 10_001), (65_002, 200_001)].into(),
                    false => Default::default(),
                };
            },
            |_, rng, plan, _| {
                let (action, texts) = *rng.pick(&FORMS);
                let usual = Communities::new(SERVER_ASN).forms.remove(action);
                match rng.percent(50) {
                    true => plan.communities.set(action, texts),
                    false => drop(
                        plan.communities
                            .forms
                            .insert(action, usual.unwrap_or_default()),
                    ),
                }
            },
        ],
    ),
    (
        Theme::Distances,
        &[
            CHANGE_COMMUNITIES,
            |draw, rng, plan, client| {
                plan.members[client].rtt_us = rng.percent(80).then(|| draw.rtt_us(rng));
            },
            |_, rng, plan, _| {
                plan.communities.rtt_thresholds_ms = rng.some(&[5, 20, 100, 200], 2);
            },
        ],
    ),
    (
        Theme::Told,
        &[CHANGE_COMMUNITIES, |_, rng, plan, _| {
            let tags = &mut plan.communities.tags;
            let keys: Vec<&str> = tags.keys().copied().collect();
            if !keys.is_empty() {
                tags.remove(*rng.pick(&keys));
            }
            flip(&mut plan.communities.arouteserver_numbers);
        }],
    ),
    (
        Theme::Matrix,
        &[|draw, rng, plan, client| {
            plan.members[client].matrix = match rng.percent(60) {
                true => draw.matrix(rng, plan),
                false => Matrix::default(),
            };
        }],
    ),
    (
        Theme::Blackholes,
        &[
            |draw, rng, plan, _| plan.blackhole_modes = draw.blackhole_modes(rng),
            |_, rng, plan, _| plan.blackhole_add_no_export = rng.percent(50),
            |_, _, plan, client| flip(&mut plan.members[client].takes_blackholes),
            |_, rng, plan, client| {
                let switches = &mut plan.members[client].import.switches;
                switches.insert("blackhole", rng.percent(60));
            },
        ],
    ),
    (
        Theme::Roles,
        &[
            |draw, rng, plan, client| {
                let member = &mut plan.members[client];
                member.role = draw.role(rng, member.hello.has_role);
            },
            |_, _, plan, client| flip(&mut plan.members[client].prepend_rs_as),
        ],
    ),
    (
        Theme::NextHops,
        &[
            |_, _, plan, client| flip(&mut plan.members[client].ipv6_next_hops),
            |_, _, plan, client| flip(&mut plan.members[client].lists_link_local),
        ],
    ),
    (
        Theme::Pace,
        &[|draw, rng, plan, client| {
            draw.pace(rng, &mut plan.members[client]);
        }],
    ),
    (
        Theme::Draining,
        &[|_, _, plan, _| flip(&mut plan.is_draining)],
    ),
    (
        Theme::Helper,
        &[|draw, rng, plan, _| plan.helper = draw.helper(rng)],
    ),
];

const CHANGE_COMMUNITIES: Change = |draw, rng, plan, _| {
    plan.communities = draw.communities(rng, plan.communities.large_first);
};
