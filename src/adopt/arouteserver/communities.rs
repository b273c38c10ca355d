//! `communities` and `custom_communities`: which communities mean what.

use crate::adopt::document::{Document, Table};
use crate::adopt::notes::NoteKind;
use crate::adopt::section::{Field, Section};

/// What the last number of a community may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Last {
    Plain,
    PeerAs,
    Reason,
    Rtt,
}

/// Rialto has others by default: what arouteserver has not must be switched off.
const WITH_DEFAULT: [(&str, Last); 9] = [
    ("do_not_announce_to_any", Last::Plain),
    ("do_not_announce_to_peer", Last::PeerAs),
    ("announce_to_peer", Last::PeerAs),
    ("prepend_once_to_any", Last::Plain),
    ("prepend_twice_to_any", Last::Plain),
    ("prepend_thrice_to_any", Last::Plain),
    ("prepend_once_to_peer", Last::PeerAs),
    ("prepend_twice_to_peer", Last::PeerAs),
    ("prepend_thrice_to_peer", Last::PeerAs),
];

const OTHERS: [(&str, Last); 4] = [
    ("add_noexport_to_any", Last::Plain),
    ("add_noadvertise_to_any", Last::Plain),
    ("add_noexport_to_peer", Last::PeerAs),
    ("add_noadvertise_to_peer", Last::PeerAs),
];

const BY_RTT: [(&str, Last); 10] = [
    ("do_not_announce_to_peers_with_rtt_lower_than", Last::Rtt),
    ("do_not_announce_to_peers_with_rtt_higher_than", Last::Rtt),
    ("announce_to_peers_with_rtt_lower_than", Last::Rtt),
    ("announce_to_peers_with_rtt_higher_than", Last::Rtt),
    ("prepend_once_to_peers_with_rtt_lower_than", Last::Rtt),
    ("prepend_twice_to_peers_with_rtt_lower_than", Last::Rtt),
    ("prepend_thrice_to_peers_with_rtt_lower_than", Last::Rtt),
    ("prepend_once_to_peers_with_rtt_higher_than", Last::Rtt),
    ("prepend_twice_to_peers_with_rtt_higher_than", Last::Rtt),
    ("prepend_thrice_to_peers_with_rtt_higher_than", Last::Rtt),
];

/// Set with `irrdb.tag_as_set` only.
const OF_AS_SETS: [&str; 6] = [
    "prefix_present_in_as_set",
    "prefix_not_present_in_as_set",
    "origin_present_in_as_set",
    "origin_not_present_in_as_set",
    "prefix_validated_via_rpki_roas",
    "route_validated_via_white_list",
];

/// arouteserver's names, and Rialto's; whether clients are shown them by both.
const OF_RPKI: [(&str, &str, bool); 4] = [
    ("rpki_bgp_origin_validation_valid", "rpki_valid", false),
    ("rpki_bgp_origin_validation_unknown", "rpki_unknown", false),
    ("rpki_bgp_origin_validation_invalid", "rpki_invalid", false),
    (
        "rpki_bgp_origin_validation_not_performed",
        "rpki_not_checked",
        true,
    ),
];

const MISSING: [(&str, &str); 3] = [
    (
        "prefix_validated_via_arin_whois_db_dump",
        "ARIN's whois data are not looked at",
    ),
    (
        "prefix_validated_via_registrobr_whois_db_dump",
        "Registro.br's data are not looked at",
    ),
    (
        "rejected_route_announced_by",
        "rejected routes are shown with who announced them instead (rialto show routes --rejected)",
    ),
];

/// RFC 7999; always meant.
const BLACKHOLE: &str = "65535:666";

/// Rialto's key, and its forms.
type Keyed = (&'static str, Vec<String>);

#[derive(Default)]
pub struct Communities {
    keyed: Vec<Keyed>,
    of_as_sets: Vec<Keyed>,
    pub by_rtt: bool,
    rtt_thresholds_ms: Vec<u32>,
}

impl Communities {
    pub fn read(cfg: &Section<'_>) -> Communities {
        let section = cfg.child("communities");
        let mut communities = Communities {
            rtt_thresholds_ms: cfg
                .field("rtt_thresholds")
                .map(|field| field.numbers("a number of milliseconds"))
                .unwrap_or_default(),
            ..Communities::default()
        };
        for (key, last) in WITH_DEFAULT {
            let forms = forms(&section, key, last);
            communities.keyed.push((key, forms));
        }
        communities.keyed.insert(3, ("announce_to_any", Vec::new()));
        for (key, last) in OTHERS {
            communities.add(key, forms(&section, key, last));
        }
        for (key, last) in BY_RTT {
            let forms = forms(&section, key, last);
            communities.by_rtt |= !forms.is_empty();
            communities.add(key, forms);
        }
        let blackholing = forms(&section, "blackholing", Last::Plain);
        if !blackholing.is_empty() {
            let all = std::iter::once(BLACKHOLE.to_owned()).chain(blackholing);
            communities.add("blackholing", all.collect());
        }
        communities.read_informational(&section);
        section.finish();
        note_custom(cfg);
        communities
    }

    fn read_informational(&mut self, section: &Section<'_>) {
        for (theirs, ours, is_shown) in OF_RPKI {
            let forms = forms(section, theirs, Last::Plain);
            if !forms.is_empty() && !is_shown {
                let why = format!(
                    "arouteserver keeps it to itself; here clients see it (communities.{ours})"
                );
                note(section, theirs, NoteKind::Differs, &why);
            }
            self.add(ours, forms);
        }
        for key in OF_AS_SETS {
            let forms = forms(section, key, Last::Plain);
            if !forms.is_empty() {
                self.of_as_sets.push((key, forms));
            }
        }
        let reject_cause = forms(section, "reject_cause", Last::Reason);
        self.add("reject_cause", reject_cause);
        for (key, why) in MISSING {
            let last = match key {
                "rejected_route_announced_by" => Last::Reason,
                _ => Last::Plain,
            };
            if !forms(section, key, last).is_empty() {
                note(section, key, NoteKind::Missing, why);
            }
        }
        let map = section.child("reject_cause_map");
        for (_, field) in map.fields() {
            let why = "reasons have the one form of communities.reject_cause; reject_numbers = \
                       \"ixp_manager\" gives the numbers of IXP Manager";
            field.note(NoteKind::Missing, why);
        }
    }

    fn add(&mut self, key: &'static str, forms: Vec<String>) {
        if !forms.is_empty() {
            self.keyed.push((key, forms));
        }
    }

    /// Whether routes are tagged with what the IRR says.
    pub fn tags_as_sets(&self) -> bool {
        !self.of_as_sets.is_empty()
    }

    pub fn write(&self, tag_as_set: bool, document: &mut Document) {
        let table = document.section("communities");
        write_all(&self.keyed, table);
        if tag_as_set {
            write_all(&self.of_as_sets, table);
        }
        if self.keyed.iter().any(|(key, _)| *key == "reject_cause") {
            table.set("reject_numbers", "arouteserver");
        }
        if !self.rtt_thresholds_ms.is_empty() {
            table.set("rtt_thresholds_ms", self.rtt_thresholds_ms.clone());
        }
    }
}

fn write_all(keyed: &[Keyed], table: &mut Table) {
    for (key, forms) in keyed {
        table.set(key, forms.clone());
    }
}

fn note(section: &Section<'_>, key: &'static str, kind: NoteKind, why: &str) {
    let field = section.field(key);
    if let Some(field) = field {
        field.note(kind, why);
    }
}

/// The forms of one function: standard, large, extended.
fn forms(section: &Section<'_>, key: &'static str, last: Last) -> Vec<String> {
    let section = section.child(key);
    let kinds = [("std", 2), ("lrg", 3), ("ext", 3)];
    let forms = kinds.map(|(kind, len)| {
        let field = section.field(kind)?;
        form(&field, kind, len, last)
    });
    section.finish();
    forms.into_iter().flatten().collect()
}

fn form(field: &Field<'_>, kind: &str, len: usize, last: Last) -> Option<String> {
    let parts = field.text()?.split(':').map(str::trim);
    let mut parts = parts.map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let number_max: u32 = if kind == "std" { 0xffff } else { u32::MAX };
    let is_number = |part: &String| part.parse::<u32>().is_ok_and(|number| number <= number_max);
    let is_kind = kind != "ext" || matches!(parts.first().map(String::as_str), Some("rt" | "ro"));
    let skip = usize::from(kind == "ext");
    let (tail, macros) = (parts.last().cloned().unwrap_or_default(), last.macros());
    let heads = parts.iter().skip(skip).rev().skip(1);
    let are_numbers = heads.clone().all(|part| part == "rs_as" || is_number(part));
    let is_tail = match macros {
        Some((theirs, _)) => tail == theirs,
        None => tail == "rs_as" || is_number(&tail),
    };
    if parts.len() != len || !is_kind || !are_numbers || !is_tail {
        return field.refuse(&format!("a community such as {}", last.example(kind)));
    }
    if let (Some((_, ours)), Some(part)) = (macros, parts.last_mut()) {
        *part = ours.to_owned();
    }
    Some(parts.join(":"))
}

impl Last {
    /// arouteserver's word, and Rialto's.
    const fn macros(self) -> Option<(&'static str, &'static str)> {
        match self {
            Last::Plain => None,
            Last::PeerAs => Some(("peer_as", "peer_as")),
            Last::Reason => Some(("dyn_val", "reason")),
            Last::Rtt => Some(("dyn_val", "rtt")),
        }
    }

    fn example(self, kind: &str) -> String {
        let last = self.macros().map_or("1", |(theirs, _)| theirs);
        match kind {
            "std" => format!("0:{last}"),
            "lrg" => format!("rs_as:0:{last}"),
            _ => format!("rt:0:{last}"),
        }
    }
}

fn note_custom(cfg: &Section<'_>) {
    let section = cfg.child("custom_communities");
    for (_, field) in section.fields() {
        let why = "communities cannot be added by client";
        field.note(NoteKind::Missing, why);
    }
}
