//! Import: what is wrong with a route, and what data from outside says of it.

use std::net::IpAddr;

use super::attributes::{Attributes, OTC};
use super::lists::{Net, Range, covers, family};
use super::{Client, Options};

/// One client's import checks.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    pub next_hops: Option<Vec<IpAddr>>,
    pub leftmost_as: bool,
    pub as_path_max: Option<usize>,
    /// Shortest and longest: IPv4, IPv6.
    pub prefix_lengths: [Option<(u8, u8)>; 2],
    pub bogon_prefixes: bool,
    pub bogon_asns: bool,
    pub own_as: bool,
    pub own_prefixes: bool,
    pub black_list: bool,
    /// For this client alone.
    pub black_list_prefixes: Vec<Range>,
    pub as_set: bool,
    pub transit_free: bool,
    pub never_via_route_servers: bool,
    pub communities_max: Option<usize>,
    /// `None`: nothing is known of what the client registered.
    pub irr: Option<Irr>,
    pub irr_prefix: bool,
    pub irr_origin: bool,
    pub rpki_invalid: bool,
    pub rpki_unknown: bool,
    pub aspa_invalid: bool,
    pub blackhole: bool,
    /// Reasons that do not reject.
    pub tag: Vec<&'static str>,
    pub quarantined: bool,
}

/// `[client.irr]`
#[derive(Clone, Debug, Default)]
pub struct Irr {
    /// Prefixes and origins; `None`: they have not come yet.
    pub set: Option<(Vec<Range>, Vec<u32>)>,
    /// Whether it is said where prefixes, and origins, are to be found.
    pub names: [bool; 2],
    pub allow_longer_prefixes: bool,
    pub rpki_roas_as_route_objects: bool,
    pub white_list_prefixes: Vec<Range>,
    pub white_list_origins: Vec<u32>,
    /// Of an origin, or of any.
    pub white_list_routes: Vec<(Range, Option<u32>)>,
}

/// (prefix, longest length, origin).
pub type Vrp = (Net, u8, u32);
/// (customer, providers); AS 0 stands for none.
pub type Aspa = (u32, Vec<u32>);

/// `None`: nothing has come.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub vrps: Option<Vec<Vrp>>,
    pub aspas: Option<Vec<Aspa>>,
}

/// What import makes of a route. The words are those of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    pub rejected: Option<&'static str>,
    /// The first of those that do not reject.
    pub remark: Option<&'static str>,
    pub rov: &'static str,
    pub irr_prefix: &'static str,
    pub irr_origin: &'static str,
    pub is_blackhole: bool,
}

/// Looks for what is wrong, in the order in which it counts.
struct Judge<'a> {
    checks: &'a Checks,
    judgement: Judgement,
}

impl Judge<'_> {
    fn note(&mut self, is_wrong: bool, reason: &'static str) {
        if !is_wrong || self.judgement.rejected.is_some() {
            return;
        }
        match self.checks.tag.contains(&reason) {
            true => {
                self.judgement.remark.get_or_insert(reason);
            }
            false => self.judgement.rejected = Some(reason),
        }
    }
}

/// `heard` is without what is scrubbed on import.
pub fn judge(options: &Options, client: &Client, net: &Net, heard: &Attributes) -> Judgement {
    let checks = &client.checks;
    let blackhole = checks.blackhole
        && options.blackhole.modes[family(net)] != "off"
        && net.0.is_ipv4() == heard.next_hop.is_ipv4()
        && options.communities.asks_for_blackhole(heard);
    let mut judge = Judge {
        checks,
        judgement: Judgement {
            rejected: None,
            remark: None,
            rov: "not_checked",
            irr_prefix: "not_checked",
            irr_origin: "not_checked",
            is_blackhole: blackhole,
        },
    };
    note_attributes(&mut judge, options, client, heard);
    note_prefix(&mut judge, options, net);
    note_irr(&mut judge, options, net, heard);
    note_rov(&mut judge, options, net, heard);
    let said = &judge.judgement;
    let is_theirs = ["exact", "more_specific", "roa", "white_list"].contains(&said.irr_prefix)
        || said.rov == "valid"
            && (heard.origin_as() == Some(client.asn) || said.irr_origin == "present");
    if said.rejected.is_none() && blackhole && !is_theirs {
        judge.judgement.is_blackhole = false;
        let (_, longest) = checks.prefix_lengths[family(net)].unwrap_or((0, 128));
        judge.note(net.1 > longest, "prefix_too_long");
        if judge.judgement.rejected.is_none() {
            note_rov(&mut judge, options, net, heard);
        }
    }
    judge.note(checks.quarantined, "quarantined");
    judge.judgement
}

fn note_attributes(judge: &mut Judge<'_>, options: &Options, client: &Client, heard: &Attributes) {
    let (checks, lists) = (judge.checks, &options.lists);
    let path: Vec<u32> = heard.asns().collect();
    let is_bogon = |asn: &u32| {
        let mut ranges = lists.bogon_asns.iter();
        ranges.any(|(first, last)| (first..=last).contains(&asn))
    };
    let has_one_of =
        |list: &[u32]| (path.iter()).any(|asn| *asn != client.asn && list.contains(asn));
    let next_hop_is_fine = |allowed: &Vec<IpAddr>| allowed.contains(&heard.next_hop);
    let (len, count) = (heard.as_path_len(), heard.community_count());
    let wrong = [
        (checks.leftmost_as && path.is_empty(), "empty_as_path"),
        (
            checks.leftmost_as && !path.is_empty() && heard.leftmost() != Some(client.asn),
            "leftmost_as",
        ),
        (
            checks.as_path_max.is_some_and(|max| len > max),
            "as_path_too_long",
        ),
        (
            checks.own_as && path.contains(&options.server_asn),
            "own_as",
        ),
        (checks.bogon_asns && path.iter().any(is_bogon), "bogon_asn"),
        (
            checks.transit_free && has_one_of(&lists.transit_free_asns),
            "transit_free_asn",
        ),
        (
            checks.never_via_route_servers && has_one_of(&lists.never_via_route_servers_asns),
            "never_via_route_servers",
        ),
        (checks.as_set && heard.has_as_set(), "as_set"),
        (
            !checks.next_hops.as_ref().is_none_or(next_hop_is_fine),
            "next_hop",
        ),
        (
            checks.communities_max.is_some_and(|max| count > max),
            "too_many_communities",
        ),
        (client.role && heard.has(OTC), "route_leak"),
        (
            checks.aspa_invalid && is_aspa_invalid(options, heard),
            "aspa_invalid",
        ),
    ];
    (wrong.into_iter()).for_each(|(is_wrong, reason)| judge.note(is_wrong, reason));
}

/// The upstream path verification of the ASPA draft: each AS to the left has to be a provider of
/// the next.
fn is_aspa_invalid(options: &Options, heard: &Attributes) -> bool {
    let Some(aspas) = &options.outside.aspas else {
        return false;
    };
    let mut path: Vec<u32> = heard.asns().collect();
    path.dedup();
    let denies = |pair: &[u32]| {
        let (provider, customer) = (pair[0], pair[1]);
        let own: Vec<&Aspa> = aspas.iter().filter(|(asn, _)| *asn == customer).collect();
        let names = |(_, providers): &&Aspa| provider != 0 && providers.contains(&provider);
        !own.is_empty() && !own.iter().any(names)
    };
    path.is_empty() || heard.has_as_set() || path.windows(2).any(denies)
}

fn note_prefix(judge: &mut Judge<'_>, options: &Options, net: &Net) {
    let (checks, lists) = (judge.checks, &options.lists);
    let is_in = |list: &[Range]| list.iter().any(|range| range.contains(net));
    let is_own = || lists.lan.iter().any(|own| covers(own, net));
    let (shortest, longest) = checks.prefix_lengths[family(net)].unwrap_or((0, 128));
    let may_be_longer = judge.judgement.is_blackhole;
    let wrong = [
        (
            checks.bogon_prefixes && is_in(&lists.bogon_prefixes),
            "bogon_prefix",
        ),
        (checks.own_prefixes && is_own(), "own_prefix"),
        (checks.black_list && is_in(&lists.black_list), "black_list"),
        (is_in(&checks.black_list_prefixes), "client_black_list"),
        (net.1 < shortest, "prefix_too_short"),
        (net.1 > longest && !may_be_longer, "prefix_too_long"),
    ];
    (wrong.into_iter()).for_each(|(is_wrong, reason)| judge.note(is_wrong, reason));
}

impl Checks {
    /// Whether the prefix is checked, and whether the origin is.
    pub fn checks_irr(&self) -> [bool; 2] {
        let Some(irr) = &self.irr else {
            return [false; 2];
        };
        let [prefixes, origins] = irr.names;
        let has_prefixes = prefixes || irr.rpki_roas_as_route_objects;
        [self.irr_prefix && has_prefixes, self.irr_origin && origins]
    }

    /// Whether what the IRR checks need has not come.
    pub fn lacks_irr(&self) -> bool {
        let ([of_prefix, of_origin], Some(irr)) = (self.checks_irr(), &self.irr) else {
            return false;
        };
        match &irr.set {
            None => of_prefix || of_origin,
            Some((prefixes, origins)) => {
                of_prefix && !irr.rpki_roas_as_route_objects && prefixes.is_empty()
                    || of_origin && origins.is_empty()
            }
        }
    }
}

fn note_irr(judge: &mut Judge<'_>, options: &Options, net: &Net, heard: &Attributes) {
    let checks = judge.checks;
    let [of_prefix, of_origin] = checks.checks_irr();
    let Some(irr) = checks.irr.as_ref().filter(|_| of_prefix || of_origin) else {
        return;
    };
    let origin = heard.origin_as();
    let is_meant =
        |(range, of): &(Range, Option<u32>)| range.contains(net) && (of.is_none() || *of == origin);
    if irr.white_list_routes.iter().any(is_meant) {
        judge.judgement.irr_prefix = "white_list";
        return;
    }
    judge.note(checks.lacks_irr(), "irr_data_missing");
    let Some((prefixes, origins)) = &irr.set else {
        return;
    };
    let knows = |asn: u32| origins.contains(&asn) || irr.white_list_origins.contains(&asn);
    if of_origin {
        let is_present = origin.is_some_and(knows);
        judge.judgement.irr_origin = if is_present { "present" } else { "not_present" };
        judge.note(!is_present, "irr_origin");
    }
    if !of_prefix {
        return;
    }
    let means = |range: &&Range| range.contains(net);
    let is_longer = |range: &Range| covers(&range.net, net) && range.shortest <= net.1;
    let may_be_longer = irr.allow_longer_prefixes || judge.judgement.is_blackhole;
    let has_roa = || {
        let origin = origin.filter(|asn| knows(*asn));
        let rov = options
            .outside
            .rov(net, origin, judge.judgement.is_blackhole);
        irr.rpki_roas_as_route_objects && origin.is_some() && rov == Some("valid")
    };
    let state = match () {
        () if prefixes.iter().filter(means).any(|range| range.net == *net) => "exact",
        () if prefixes.iter().any(|range| range.contains(net)) => "more_specific",
        () if may_be_longer && prefixes.iter().any(is_longer) => "more_specific",
        () if irr
            .white_list_prefixes
            .iter()
            .any(|range| range.contains(net)) =>
        {
            "white_list"
        }
        () if has_roa() => "roa",
        () => "not_present",
    };
    judge.judgement.irr_prefix = state;
    judge.note(state == "not_present", "irr_prefix");
}

fn note_rov(judge: &mut Judge<'_>, options: &Options, net: &Net, heard: &Attributes) {
    let checks = judge.checks;
    if !checks.rpki_invalid && !checks.rpki_unknown {
        return;
    }
    let any_len = judge.judgement.is_blackhole;
    let Some(rov) = options.outside.rov(net, heard.origin_as(), any_len) else {
        return judge.note(true, "rpki_data_missing");
    };
    judge.judgement.rov = rov;
    judge.note(checks.rpki_invalid && rov == "invalid", "rpki_invalid");
    judge.note(checks.rpki_unknown && rov == "not_found", "rpki_unknown");
}

impl Outside {
    /// RFC 6811 §2, unless there is nothing to validate with.
    fn rov(&self, net: &Net, origin: Option<u32>, any_len: bool) -> Option<&'static str> {
        let vrps = self.vrps.as_ref()?;
        let covering: Vec<&Vrp> = (vrps.iter()).filter(|vrp| covers(&vrp.0, net)).collect();
        let matches = |(_, longest, asn): &&Vrp| {
            *asn != 0 && Some(*asn) == origin && (any_len || net.1 <= *longest)
        };
        Some(match () {
            () if covering.is_empty() => "not_found",
            () if covering.iter().any(matches) => "valid",
            () => "invalid",
        })
    }
}
