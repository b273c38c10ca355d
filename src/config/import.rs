//! `import`: the checks that a client's routes go through.

use crate::base::Family;
use crate::policy::{COMMUNITIES_MAX, PrefixRange, RejectReason};

use super::lists::prefix_ranges;
use super::reader::{Entry, Limit, Reader};

/// `[client.import]` with what it inherits.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportConfig {
    pub next_hop: NextHopMode,
    pub leftmost_as: bool,
    pub as_path_max: Option<u16>,
    /// Accepted prefix lengths by [`Family::index`]; `None`: all.
    pub prefix_length: [Option<(u8, u8)>; 2],
    pub bogon_prefixes: bool,
    pub bogon_asns: bool,
    pub own_as: bool,
    pub black_list: bool,
    /// For this client, beside the server's.
    pub black_list_prefixes: Vec<PrefixRange>,
    pub own_prefixes: bool,
    pub as_set: bool,
    pub transit_free: bool,
    pub never_via_route_servers: bool,
    pub communities_max: Option<u16>,
    pub blackhole: bool,
    pub irr_prefix: bool,
    pub irr_origin: bool,
    pub rpki_invalid: bool,
    pub rpki_unknown: bool,
    pub aspa_invalid: bool,
    /// Reasons that do not reject.
    pub tag: Vec<RejectReason>,
}

/// Whose address a next hop may be (RFC 7948 §4.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHopMode {
    Off,
    /// The client's own.
    Strict,
    /// That of any session of the same ASN.
    SameAs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    Exchange,
    Lab,
}

/// `import`: the preset gives what is not said.
#[derive(Debug, Default)]
pub struct ImportOptions {
    pub preset: Option<Preset>,
    next_hop: Option<NextHopMode>,
    as_path_max: Option<Limit>,
    communities_max: Option<Limit>,
    prefix_length: [Option<Option<(u8, u8)>>; 2],
    black_list_prefixes: Option<Vec<PrefixRange>>,
    tag: Option<Vec<RejectReason>>,
    /// In the order of [`SWITCHES`].
    switches: [Option<bool>; SWITCHES.len()],
}

/// A check that is on or off.
struct Switch {
    key: &'static str,
    field: fn(&mut ImportConfig) -> &mut bool,
}

macro_rules! switch {
    ($name:ident) => {
        Switch {
            key: stringify!($name),
            field: |config| &mut config.$name,
        }
    };
}

const SWITCHES: [Switch; 15] = [
    switch!(leftmost_as),
    switch!(bogon_prefixes),
    switch!(bogon_asns),
    switch!(own_as),
    switch!(black_list),
    switch!(own_prefixes),
    switch!(as_set),
    switch!(transit_free),
    switch!(never_via_route_servers),
    switch!(blackhole),
    switch!(irr_prefix),
    switch!(irr_origin),
    switch!(rpki_invalid),
    switch!(rpki_unknown),
    switch!(aspa_invalid),
];

impl NextHopMode {
    pub const fn name(self) -> &'static str {
        match self {
            NextHopMode::Off => "off",
            NextHopMode::Strict => "strict",
            NextHopMode::SameAs => "same_as",
        }
    }
}

impl ImportConfig {
    /// Every check; those that need outside data are on where it is configured.
    pub fn exchange() -> ImportConfig {
        ImportConfig {
            next_hop: NextHopMode::Strict,
            leftmost_as: true,
            as_path_max: Some(32),
            prefix_length: [Some((8, 24)), Some((12, 48))],
            bogon_prefixes: true,
            bogon_asns: true,
            own_as: true,
            black_list: true,
            own_prefixes: true,
            as_set: true,
            transit_free: true,
            never_via_route_servers: true,
            communities_max: Some(COMMUNITIES_MAX),
            irr_prefix: true,
            irr_origin: true,
            rpki_invalid: true,
            aspa_invalid: true,
            ..ImportConfig::lab()
        }
    }

    /// None.
    pub fn lab() -> ImportConfig {
        ImportConfig {
            next_hop: NextHopMode::Off,
            leftmost_as: false,
            as_path_max: None,
            prefix_length: [None, None],
            bogon_prefixes: false,
            bogon_asns: false,
            own_as: false,
            black_list: false,
            black_list_prefixes: Vec::new(),
            own_prefixes: false,
            as_set: false,
            transit_free: false,
            never_via_route_servers: false,
            communities_max: None,
            blackhole: false,
            irr_prefix: false,
            irr_origin: false,
            rpki_invalid: false,
            rpki_unknown: false,
            aspa_invalid: false,
            tag: Vec::new(),
        }
    }

    /// The checks that are on or off, by their keys.
    pub fn switches(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let mut config = self.clone();
        SWITCHES
            .iter()
            .map(move |switch| (switch.key, *(switch.field)(&mut config)))
    }
}

impl ImportOptions {
    pub fn read(reader: Reader<'_>) -> ImportOptions {
        let modes = [
            ("strict", NextHopMode::Strict),
            ("same_as", NextHopMode::SameAs),
            ("off", NextHopMode::Off),
        ];
        let options = ImportOptions {
            preset: reader.one_of(
                "preset",
                &[("exchange", Preset::Exchange), ("lab", Preset::Lab)],
            ),
            next_hop: reader.one_of("next_hop", &modes),
            as_path_max: reader.limit("as_path_max", 1..=1000),
            communities_max: reader.limit("communities_max", 1..=10_000),
            prefix_length: prefix_lengths(&reader),
            black_list_prefixes: prefix_ranges(&reader, "black_list_prefixes"),
            tag: reader.list("tag", reason),
            switches: SWITCHES.map(|switch| reader.bool(switch.key)),
        };
        reader.finish();
        options
    }

    /// A preset said nearer to the client replaces all that was said farther away.
    pub fn resolve(&self, defaults: &ImportOptions) -> ImportConfig {
        let base = match self.preset.or(defaults.preset) {
            Some(Preset::Lab) => ImportConfig::lab(),
            Some(Preset::Exchange) | None => ImportConfig::exchange(),
        };
        let inherited = if self.preset.is_some() {
            base
        } else {
            defaults.over(base)
        };
        self.over(inherited)
    }

    fn over(&self, base: ImportConfig) -> ImportConfig {
        let [v4, v6] = self.prefix_length;
        let [base_v4, base_v6] = base.prefix_length;
        let limit = |own: Option<Limit>, base: Option<u16>| {
            own.map_or(base, |limit| limit.max().map(|max| max as u16))
        };
        let list = |own: &Option<Vec<PrefixRange>>, base| own.clone().unwrap_or(base);
        let mut config = ImportConfig {
            next_hop: self.next_hop.unwrap_or(base.next_hop),
            as_path_max: limit(self.as_path_max, base.as_path_max),
            communities_max: limit(self.communities_max, base.communities_max),
            prefix_length: [v4.unwrap_or(base_v4), v6.unwrap_or(base_v6)],
            black_list_prefixes: list(&self.black_list_prefixes, base.black_list_prefixes),
            tag: self.tag.clone().unwrap_or(base.tag),
            ..base
        };
        for (switch, value) in SWITCHES.iter().zip(self.switches) {
            let field = (switch.field)(&mut config);
            *field = value.unwrap_or(*field);
        }
        config
    }
}

/// A reject reason by its name. What belongs to no check cannot be let pass.
fn reason(entry: &Entry<'_>) -> Option<RejectReason> {
    let may_be = |reason: &RejectReason| {
        !matches!(
            reason,
            RejectReason::Quarantined | RejectReason::AcceptedLimit
        )
    };
    let text = entry.value().as_str();
    let found = text.and_then(RejectReason::from_name).filter(may_be);
    if found.is_none() {
        let names: Vec<_> = RejectReason::ALL
            .into_iter()
            .filter(may_be)
            .map(RejectReason::name)
            .collect();
        return entry.expected(&format!("a reject reason ({})", names.join(", ")));
    }
    found
}

/// `prefix_length = { ipv4 = [8, 24], ipv6 = [12, 48] }`, either of them `"any"`, or `"any"` as a whole.
fn prefix_lengths(reader: &Reader<'_>) -> [Option<Option<(u8, u8)>>; 2] {
    let Some(entry) = reader.entry("prefix_length") else {
        return [None, None];
    };
    if entry.value().as_str() == Some("any") {
        return [Some(None), Some(None)];
    }
    let Some(table) = reader.table("prefix_length") else {
        return [None, None];
    };
    let lengths = [
        range(&table, "ipv4", Family::Ipv4),
        range(&table, "ipv6", Family::Ipv6),
    ];
    table.finish();
    lengths
}

fn range(reader: &Reader<'_>, key: &'static str, family: Family) -> Option<Option<(u8, u8)>> {
    let entry = reader.entry(key)?;
    if entry.value().as_str() == Some("any") {
        return Some(None);
    }
    let bounds = reader.list(key, |item| item.integer(0..=family.max_len()))?;
    match bounds[..] {
        [min, max] if min <= max => Some(Some((min, max))),
        _ => entry.expected("\"any\" or [shortest, longest]"),
    }
}
