//! A path as other looking glasses show it: numbers and words, in no particular form.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::{Asn, ClientSlot};
use crate::policy::PrefixClass;
use crate::server::exchange::Exchange;
use crate::server::query::PathRow;
use crate::wire::{AttributeSet, NextHop, Origin, Variant, code, segment};

use super::Moment;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    pub network: String,
    /// The name of its announcer's session, with its address and since when it is up.
    pub from: Arc<str>,
    pub address: IpAddr,
    pub since: Arc<str>,
    pub is_primary: bool,
    pub next_hop: IpAddr,
    pub origin: &'static str,
    /// ASNs; an AS_SET in braces, which stand beside its first and last ones.
    pub as_path: Vec<String>,
    pub med: Option<u32>,
    pub communities: Vec<[u16; 2]>,
    pub large_communities: Vec<[u32; 3]>,
    pub extended_communities: Vec<[String; 3]>,
    /// Address and ASN.
    pub aggregator: Option<String>,
    pub is_atomic: bool,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub otc: Option<Asn>,
}

/// What is added to the communities of a path.
#[derive(Clone, Default)]
struct Added {
    standard: Vec<[u16; 2]>,
    large: Vec<[u32; 3]>,
    extended: Vec<[u8; 8]>,
}

struct Announcer {
    name: Arc<str>,
    address: IpAddr,
    since: Arc<str>,
}

pub struct Lens {
    exchange: Arc<Exchange>,
    announcers: HashMap<ClientSlot, Announcer>,
    /// There are few classes.
    said: HashMap<u16, Added>,
    /// As routes go out, where it is not as they were heard.
    is_sent: bool,
}

impl Lens {
    /// `date` gives dates their form.
    pub fn new(moment: &Moment, is_sent: bool, date: fn(SystemTime) -> String) -> Lens {
        let announcers = moment.sessions.iter().map(|session| {
            let announcer = Announcer {
                name: session.name.as_str().into(),
                address: session.address(),
                since: date(moment.calendar.date(session.since)).into(),
            };
            (session.client.slot, announcer)
        });
        Lens {
            exchange: moment.current.exchange.clone(),
            announcers: announcers.collect(),
            said: HashMap::new(),
            is_sent,
        }
    }

    /// `None` for a path of a client that is none any more.
    pub fn shown(&mut self, row: &PathRow, is_primary: bool) -> Option<Shown> {
        let added = match self.is_sent {
            true => self.added_on_the_way(row.variant),
            false => self.said_of(row.class),
        };
        let announcer = self.announcers.get(&row.announcer)?;
        let (set, variant) = (&*row.set, row.variant);
        let scrub = self.is_sent.then(|| self.exchange.scheme.export_scrub());
        let next_hop = match scrub {
            Some(scrub) => scrub.next_hop(variant, set.next_hop()),
            None => set.next_hop(),
        };
        let standard = set.communities();
        let standard = standard.filter(|c| !scrub.is_some_and(|s| s.removes_standard(*c)));
        let large = set.large_communities();
        let large = large.filter(|c| !scrub.is_some_and(|s| s.removes_large(*c)));
        let extended = set.extended_communities();
        let extended = extended.filter(|c| !scrub.is_some_and(|s| s.removes_extended(*c)));
        let prepended = match self.is_sent {
            true => vec![variant.prepend_as.to_string(); variant.prepend.into()],
            false => Vec::new(),
        };
        let both = with(extended, added.extended);
        Some(Shown {
            network: row.prefix.to_string(),
            from: announcer.name.clone(),
            address: announcer.address,
            since: announcer.since.clone(),
            is_primary,
            next_hop: match next_hop {
                NextHop::V4(address) => address.into(),
                NextHop::V6(address) | NextHop::V6LinkLocal(address, _) => address.into(),
            },
            origin: match set.facts().origin {
                Origin::Igp => "IGP",
                Origin::Egp => "EGP",
                Origin::Incomplete => "Incomplete",
            },
            as_path: prepended.into_iter().chain(as_path(set)).collect(),
            med: set.med(),
            communities: with(standard.map(|(a, b)| [a, b]), added.standard),
            large_communities: with(large.map(|(a, b, c)| [a, b, c]), added.large),
            extended_communities: both.into_iter().map(extended_words).collect(),
            aggregator: aggregator(set),
            is_atomic: set.attribute(code::ATOMIC_AGGREGATE).is_some(),
            otc: set.otc(),
        })
    }

    fn added_on_the_way(&self, variant: Variant) -> Added {
        let additions = self.exchange.scheme.export_scrub().additions(variant);
        let flags = variant.flags.communities();
        let standard = additions.standard.iter().copied().chain(flags);
        Added {
            standard: standard.map(|(a, b)| [a, b]).collect(),
            large: additions
                .large
                .iter()
                .map(|(a, b, c)| [*a, *b, *c])
                .collect(),
            extended: additions.extended.to_vec(),
        }
    }

    /// What stands for the outcome of the checks: informational communities, and the reason of one
    /// that is rejected.
    fn said_of(&mut self, class: PrefixClass) -> Added {
        if let Some(said) = self.said.get(&class.bits()) {
            return said.clone();
        }
        let scheme = &self.exchange.scheme;
        let plain = match class.is_accepted() {
            true => class,
            false => class.without_reason(),
        };
        let tags = scheme.tags_of(plain);
        let mut said = self.added_on_the_way(Variant {
            tags,
            ..Variant::default()
        });
        let reason = class.reason().filter(|_| !class.is_accepted());
        for cause in reason.map_or(Vec::new(), |reason| scheme.reject_causes(reason)) {
            said.add(&cause);
        }
        self.said.insert(class.bits(), said.clone());
        said
    }
}

impl Added {
    /// `a:b`, `a:b:c`, or `rt:a:b` and `ro:a:b`.
    fn add(&mut self, text: &str) {
        let words: Vec<&str> = text.split(':').collect();
        match words[..] {
            [a, b] => {
                let pair = a.parse().ok().zip(b.parse().ok());
                self.standard.extend(pair.map(|(a, b)| [a, b]));
            }
            [kind @ ("rt" | "ro"), asn, last] => {
                let octets = extended_octets(kind, asn, last);
                self.extended.extend(octets);
            }
            [a, b, c] => {
                let read = |word: &str| word.parse().ok();
                let all = read(a).zip(read(b)).zip(read(c));
                self.large.extend(all.map(|((a, b), c)| [a, b, c]));
            }
            _ => {}
        }
    }
}

fn extended_octets(kind: &str, asn: &str, last: &str) -> Option<[u8; 8]> {
    let subtype = if kind == "rt" { 2u64 } else { 3 };
    let (asn, last): (u32, u32) = (asn.parse().ok()?, last.parse().ok()?);
    let octets = match (u16::try_from(asn), u16::try_from(last)) {
        (Ok(asn), _) => (subtype << 48) | (u64::from(asn) << 32) | u64::from(last),
        (Err(_), Ok(last)) => {
            (2 << 56) | (subtype << 48) | (u64::from(asn) << 16) | u64::from(last)
        }
        _ => return None,
    };
    Some(octets.to_be_bytes())
}

/// What is added goes behind, unless it is there.
fn with<T: PartialEq>(stays: impl Iterator<Item = T>, added: Vec<T>) -> Vec<T> {
    let mut all: Vec<T> = stays.collect();
    for one in added {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// Words with spaces between them would be what BIRD prints.
fn as_path(set: &AttributeSet) -> Vec<String> {
    let mut words = Vec::new();
    for (kind, asns) in set.as_path_segments() {
        let first = words.len();
        words.extend(asns.map(|asn| asn.to_string()));
        if segment::is_set(kind)
            && let Some([begin, ..]) = words.get_mut(first..)
        {
            begin.insert(0, '{');
            if let Some(end) = words.last_mut() {
                end.push('}');
            }
        }
    }
    words
}

fn aggregator(set: &AttributeSet) -> Option<String> {
    let value = set.attribute(code::AGGREGATOR)?.value;
    let (asn, address) = value.split_first_chunk::<4>()?;
    let address: [u8; 4] = address.try_into().ok()?;
    let asn = u32::from_be_bytes(*asn);
    Some(format!("{} AS{asn}", Ipv4Addr::from(address)))
}

/// Kind, administrator, number, in BIRD's words.
fn extended_words(octets: [u8; 8]) -> [String; 3] {
    let [kind, subtype, a, b, c, d, e, f] = octets;
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([e, f]));
    let word = match (kind & 0xf0, subtype) {
        (0 | 0x40, 2) => "rt".to_owned(),
        (0 | 0x40, 3) => "ro".to_owned(),
        _ => format!("unknown 0x{:x}", u16::from_be_bytes([kind, subtype])),
    };
    let whole = |octets: [u8; 4]| u32::from_be_bytes(octets);
    match kind {
        0 | 0x40 => [word, high.to_string(), whole([c, d, e, f]).to_string()],
        1 | 0x41 => [
            word,
            Ipv4Addr::from([a, b, c, d]).to_string(),
            low.to_string(),
        ],
        2 | 0x42 => [word, whole([a, b, c, d]).to_string(), low.to_string()],
        _ => [
            "generic".to_owned(),
            format!("0x{:x}", whole([kind, subtype, a, b])),
            format!("0x{:x}", whole([c, d, e, f])),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::SetBuilder;

    #[test]
    fn extended_communities_are_told_in_birds_words() {
        let cases: [(&str, [u8; 8], [&str; 3]); 6] = [
            (
                "route target",
                [0, 2, 0xfb, 0xf4, 0, 0, 0, 5],
                ["rt", "64500", "5"],
            ),
            (
                "route origin",
                [0, 3, 0, 1, 0, 1, 0, 0],
                ["ro", "1", "65536"],
            ),
            (
                "of a four-octet ASN",
                [2, 2, 0, 3, 0x0d, 0x40, 0, 7],
                ["rt", "200000", "7"],
            ),
            (
                "of an address",
                [1, 2, 192, 0, 2, 1, 0, 9],
                ["rt", "192.0.2.1", "9"],
            ),
            (
                "another kind of two-octet ASN",
                [0x40, 4, 0, 1, 0, 0, 0, 2],
                ["unknown 0x4004", "1", "2"],
            ),
            (
                "origin validation state",
                [0x43, 0, 0, 0, 0, 0, 0, 1],
                ["generic", "0x43000000", "0x1"],
            ),
        ];
        for (name, octets, words) in cases {
            assert_eq!(extended_words(octets), words.map(str::to_owned), "{name}");
        }
        let octets = |text: [&str; 3]| extended_octets(text[0], text[1], text[2]);
        assert_eq!(
            octets(["rt", "64500", "5"]),
            Some([0, 2, 0xfb, 0xf4, 0, 0, 0, 5])
        );
        assert_eq!(
            octets(["rt", "200000", "7"]),
            Some([2, 2, 0, 3, 0x0d, 0x40, 0, 7])
        );
    }

    #[test]
    fn an_as_set_stands_in_braces() {
        let set = SetBuilder::new().as_path(&[1, 2]).as_set(&[3, 4]).build();
        assert_eq!(as_path(&set), ["1", "2", "{3", "4}"]);
        let one = SetBuilder::new().as_path(&[1]).as_set(&[3]).build();
        assert_eq!(as_path(&one), ["1", "{3}"]);
    }
}
