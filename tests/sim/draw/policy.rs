//! What the operator may have configured, theme by theme.

use super::{ASNS, Draw, Theme};
use crate::exchange::{Import, Member, Plan, Registration, SERVER_ASN, SWITCHES};
use crate::oracle::{
    Aspa, Communities, Irr, Lists, Matrix, Net, REASONS, Range, Vrp, Who, shortened,
};
use crate::rng::Rng;

/// Forms beside those of the contract's scheme.
pub const FORMS: [(&str, &[&str]); 10] = [
    (
        "do_not_announce_to_peer",
        &["0:peer_as", "rs_as:0:peer_as", "rs_as:77:peer_as"],
    ),
    (
        "do_not_announce_to_any",
        &["0:rs_as", "rs_as:0:0", "3356:1:2"],
    ),
    ("prepend_once_to_peer", &[]),
    (
        "announce_to_peer",
        &["rs_as:peer_as", "rs_as:1:peer_as", "rt:rs_as:peer_as"],
    ),
    (
        "prepend_twice_to_peer",
        &["rs_as:102:peer_as", "ro:rs_as:peer_as", "65502:peer_as"],
    ),
    ("add_noexport_to_any", &["rs_as:501:0", "65281:1"]),
    (
        "add_noexport_to_peer",
        &["65281:peer_as", "rs_as:502:peer_as"],
    ),
    ("add_noadvertise_to_any", &["rs_as:503:0"]),
    ("add_noadvertise_to_peer", &["rs_as:504:peer_as"]),
    ("blackholing", &["65535:666", "rs_as:666:0", "65500:666"]),
];

const BY_DISTANCE: [(&str, &[&str]); 10] = [
    (
        "do_not_announce_to_peers_with_rtt_lower_than",
        &["rs_as:901:rtt"],
    ),
    (
        "do_not_announce_to_peers_with_rtt_higher_than",
        &["rs_as:902:rtt", "65510:rtt"],
    ),
    ("announce_to_peers_with_rtt_lower_than", &["rs_as:903:rtt"]),
    (
        "announce_to_peers_with_rtt_higher_than",
        &["rs_as:904:rtt", "3356:904:rtt"],
    ),
    (
        "prepend_once_to_peers_with_rtt_lower_than",
        &["rs_as:905:rtt"],
    ),
    (
        "prepend_twice_to_peers_with_rtt_lower_than",
        &["rs_as:906:rtt"],
    ),
    (
        "prepend_thrice_to_peers_with_rtt_lower_than",
        &["rs_as:907:rtt"],
    ),
    (
        "prepend_once_to_peers_with_rtt_higher_than",
        &["rs_as:908:rtt"],
    ),
    (
        "prepend_twice_to_peers_with_rtt_higher_than",
        &["rs_as:909:rtt"],
    ),
    (
        "prepend_thrice_to_peers_with_rtt_higher_than",
        &["rs_as:910:rtt", "rt:64512:rtt"],
    ),
];

/// Some are under the server's ASN, some are not; one community has two meanings.
const TAGS: [(&str, &[&str]); 13] = [
    ("rpki_valid", &["rs_as:1000:1"]),
    ("rpki_unknown", &["rs_as:1000:2", "65300:2"]),
    ("rpki_invalid", &["rs_as:1000:4"]),
    ("rpki_not_checked", &["rs_as:1000:3"]),
    ("irr_valid", &["rs_as:1001:1"]),
    ("irr_more_specific", &["rs_as:1001:3", "rt:64511:3"]),
    ("irr_not_checked", &["rs_as:1001:2"]),
    ("prefix_present_in_as_set", &["65300:11"]),
    ("prefix_not_present_in_as_set", &["65300:12"]),
    ("origin_present_in_as_set", &["3356:1002:13"]),
    ("origin_not_present_in_as_set", &["ro:64511:14"]),
    ("prefix_validated_via_rpki_roas", &["rs_as:1001:1"]),
    ("route_validated_via_white_list", &["rs_as:1001:16"]),
];

const CAUSES: [&[&str]; 5] = [
    &["rs_as:1101:reason"],
    &["rs_as:1101:reason", "65520:reason"],
    &["3356:1101:reason"],
    &["rt:64511:reason"],
    &[],
];

pub const AS_SETS: [&str; 3] = ["AS-ONE", "RADB::AS-TWO", "AS-THREE:AS-ALL"];

/// Milliseconds with a distance to each side.
pub const THRESHOLDS_MS: [u32; 4] = [5, 20, 100, 200];

impl Draw {
    pub fn communities(&self, rng: &mut Rng, large_first: bool) -> Communities {
        let mut communities = Communities::new(SERVER_ASN);
        communities.large_first = large_first;
        let mut some = |on: bool, from: &[(&'static str, &'static [&'static str])], share| {
            for (action, texts) in from.iter().filter(|_| on) {
                if rng.percent(share) {
                    communities.set(action, texts);
                }
            }
        };
        some(self.has(Theme::Forms), &FORMS, 60);
        some(self.has(Theme::Distances), &BY_DISTANCE, 60);
        if self.has(Theme::Forms) && rng.percent(60) {
            communities.peer_as_aliases = [(65_001, 200_001), (65_002, 4_199_999_999)].into();
        }
        if self.has(Theme::Distances) && rng.percent(40) {
            communities.rtt_thresholds_ms = rng.some(&[5, 20, 100, 200, 300], 4);
        }
        if self.has(Theme::Told) {
            for (key, texts) in TAGS {
                if rng.percent(80) {
                    let forms = communities.read(texts);
                    communities.tags.insert(key, forms);
                }
            }
            let causes = *rng.pick(&CAUSES);
            communities.reject_cause = communities.read(causes);
            communities.arouteserver_numbers = rng.percent(40);
        }
        communities
    }

    pub fn lists(&self, rng: &mut Rng) -> Lists {
        let mut lists = Lists::default();
        if rng.percent(30) {
            lists.bogon_prefixes = self.ranges(rng, 2, 3);
            lists.bogon_asns = vec![(0, 0), (10_004, 10_005), (64_512, 64_512)];
        }
        if rng.percent(30) {
            lists.transit_free_asns = rng.some(&ASNS, 2);
        }
        if rng.percent(60) {
            lists.never_via_route_servers_asns = rng.some(&ASNS, 1);
        }
        if rng.percent(60) {
            lists.black_list = self.ranges(rng, 4, 4);
        }
        if rng.percent(60) {
            lists.lan = [0, 1].map(|family| self.net(rng, family, 4)).into();
        }
        lists
    }

    /// One of the nets, or what is a few bits shorter.
    fn net(&self, rng: &mut Rng, family: usize, shorter_max: u8) -> Net {
        let net = *rng.pick(&self.nets[family]);
        shortened(&net, rng.below(usize::from(shorter_max) + 1) as u8)
    }

    pub fn ranges(&self, rng: &mut Rng, count_max: usize, shorter_max: u8) -> Vec<Range> {
        let count = rng.between(0, count_max);
        let range = |_| {
            let family = rng.below(2);
            let net = self.net(rng, family, shorter_max);
            let most = if net.0.is_ipv4() { 32 } else { 128 };
            let shortest = (net.1 + rng.below(4) as u8).min(most);
            match rng.below(4) {
                0 | 1 => Range::or_longer(net),
                2 => Range::exact(net),
                _ => Range {
                    net,
                    shortest,
                    longest: (shortest + rng.below(9) as u8).min(most),
                },
            }
        };
        let ranges = (0..count).map(range);
        ranges.filter(|range| range.net.1 > 0).collect()
    }

    pub fn import(&self, rng: &mut Rng, is_lab: bool) -> Import {
        let mut import = Import {
            is_lab,
            ..Import::default()
        };
        if self.has(Theme::Checks) {
            for (key, _) in SWITCHES {
                if rng.percent(15) {
                    import.switches.insert(key, rng.percent(50));
                }
            }
            let modes = [None, None, Some("strict"), Some("same_as"), Some("off")];
            import.next_hop = *rng.pick(&modes);
            import.as_path_max = *rng.pick(&[None, None, Some(None), Some(Some(3))]);
            import.communities_max = *rng.pick(&[None, None, Some(None), Some(Some(2))]);
            let lengths = [
                [None, None],
                [Some((20, 24)), Some((33, 48))],
                [Some((25, 32)), Some((32, 32))],
                [Some((0, 32)), None],
            ];
            import.prefix_length = rng.percent(25).then(|| *rng.pick(&lengths));
        }
        if self.has(Theme::Blackholes) && rng.percent(70) {
            import.switches.insert("blackhole", true);
        }
        if self.has(Theme::Rpki) && rng.percent(20) {
            import.switches.insert("rpki_unknown", true);
        }
        if self.has(Theme::Lists) && rng.percent(30) {
            import.black_list_prefixes = self.ranges(rng, 2, 4);
        }
        if self.has(Theme::Tags) && rng.percent(80) {
            import.tag = self.tag(rng);
        }
        import
    }

    pub fn tag(&self, rng: &mut Rng) -> Vec<&'static str> {
        let reasons: Vec<&'static str> = (REASONS.iter())
            .map(|(reason, _)| *reason)
            .filter(|reason| !["accepted_limit", "quarantined"].contains(reason))
            .collect();
        let count = *rng.pick(&[0, 2, 6, 12, 24, 24, 24]);
        let mut tag = rng.some(&reasons, count);
        let of_themes = [(Theme::Irr, "irr_"), (Theme::Rpki, "rpki_")];
        for (theme, start) in of_themes {
            let own = reasons.iter().filter(|reason| reason.starts_with(start));
            if self.has(theme) && rng.percent(30) {
                tag.extend(own);
            }
        }
        tag
    }

    pub fn registration(&self, rng: &mut Rng, asn: u32) -> Registration {
        let mut registration = Registration {
            as_sets: rng.some(&AS_SETS, 3),
            ..Registration::default()
        };
        let count = rng.below(3);
        registration.as_sets.truncate(count);
        if rng.percent(60) {
            registration.prefixes = self.registered(rng);
        }
        if self.has(Theme::Blackholes) && rng.percent(50) {
            (registration.prefixes)
                .extend(self.nets.iter().flatten().map(|net| Range::exact(*net)));
        }
        if rng.percent(60) {
            registration.origins = rng.some(&ASNS, 5);
            registration.origins.push(asn);
        }
        let white_lists = rng.percent(60);
        registration.rules = Irr {
            allow_longer_prefixes: rng.percent(40),
            rpki_roas_as_route_objects: rng.percent(60),
            white_list_prefixes: self.ranges(rng, if white_lists { 4 } else { 0 }, 3),
            white_list_origins: rng.some(&ASNS, if white_lists { 2 } else { 0 }),
            white_list_routes: self
                .ranges(rng, if white_lists { 4 } else { 0 }, 2)
                .into_iter()
                .map(|range| (range, rng.percent(60).then(|| *rng.pick(&ASNS))))
                .collect(),
            ..Irr::default()
        };
        registration
    }

    /// Route objects for some of the nets, or for what they lie in.
    pub fn registered(&self, rng: &mut Rng) -> Vec<Range> {
        let mut ranges = self.ranges(rng, 6, 6);
        for nets in &self.nets {
            let count = (nets.len() / 2).min(*rng.pick(&[0, 20, 40]));
            ranges.extend(rng.some(nets, count).into_iter().map(Range::exact));
        }
        ranges
    }

    /// Data of AS-SETs has come, or not.
    pub fn as_sets(&self, rng: &mut Rng, plan: &mut Plan) {
        for name in AS_SETS {
            match rng.percent(75) {
                true => {
                    let set = (self.registered(rng), rng.some(&ASNS, 5));
                    plan.as_sets.insert(name, set);
                }
                false => drop(plan.as_sets.remove(name)),
            }
        }
    }

    pub fn vrps(&self, rng: &mut Rng) -> Vec<Vrp> {
        let count = *rng.pick(&[0, 10, 20, 60]);
        (0..count).flat_map(|_| self.roa(rng)).collect()
    }

    /// One prefix with its origins.
    pub fn roa(&self, rng: &mut Rng) -> Vec<Vrp> {
        let family = rng.below(2);
        let shorter_max = *rng.pick(&[0, 0, 0, 2, 5]);
        let net = self.net(rng, family, shorter_max);
        let most = if net.0.is_ipv4() { 32 } else { 128 };
        let longest = (net.1 + *rng.pick(&[0, 0, 1, 4])).min(most);
        let count = *rng.pick(&[1, 2, 5]);
        let origins = match rng.percent(4) {
            true => vec![0],
            false => rng.some(&ASNS, count),
        };
        origins.into_iter().map(|asn| (net, longest, asn)).collect()
    }

    pub fn aspas(&self, rng: &mut Rng) -> Vec<Aspa> {
        let customers = rng.some(&ASNS, 3);
        let mut aspas: Vec<Aspa> = (customers.into_iter())
            .map(|customer| (customer, rng.some(&ASNS, 4)))
            .collect();
        if rng.percent(20) {
            aspas.push((*rng.pick(&ASNS), vec![0]));
        }
        aspas
    }

    pub fn blackhole_modes(&self, rng: &mut Rng) -> [&'static str; 2] {
        let (unchanged, rewritten) = ("propagate_unchanged", "rewrite_next_hop");
        let modes = ["off", unchanged, rewritten, rewritten];
        [*rng.pick(&modes), *rng.pick(&modes)]
    }

    pub fn matrix(&self, rng: &mut Rng, plan: &Plan) -> Matrix {
        let mut list = |count_max| -> Vec<Who> {
            let who = |_| {
                let member = rng.pick(&plan.members);
                let (asn, name) = (member.asn, member.name.clone());
                if rng.percent(50) {
                    Who::Asn(asn)
                } else {
                    Who::Name(name)
                }
            };
            (0..count_max).map(who).collect()
        };
        let (only, but) = (list(6), list(2));
        let mut matrix = Matrix::default();
        match rng.below(4) {
            0 => matrix.announce_only_to = Some(only),
            1 => matrix.receive_only_from = Some(only),
            2 => matrix.do_not_announce_to = but,
            _ => matrix.do_not_receive_from = but,
        }
        matrix
    }

    /// At a threshold, or beside one.
    pub fn rtt_us(&self, rng: &mut Rng) -> u32 {
        let ms = *rng.pick(&THRESHOLDS_MS);
        ms * 1_000 + *rng.pick(&[0, 1, 700]) - *rng.pick(&[0, 1, 800])
    }

    /// A client that says all it has may be over its budget for a few seconds.
    pub fn pace(&self, rng: &mut Rng, member: &mut Member) {
        let per_s = self.nets[0].len() as u32 / 8;
        member.min_advertisement_ms = *rng.pick(&[0, 0, 50, 700]);
        member.updates_per_s = *rng.pick(&[None, None, Some(per_s), Some(3 * per_s)]);
    }

    pub fn role(&self, rng: &mut Rng, has_role: bool) -> &'static str {
        match has_role {
            true => rng.pick::<&str>(&["true", "\"strict\"", "false"]),
            false => rng.pick::<&str>(&["true", "false"]),
        }
    }
}
