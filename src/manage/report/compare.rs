//! What a client announces against what it registered and what ROAs say (RFC 7948 §4.3). Pure.

use crate::base::{Asn, Prefix};
use crate::policy::{
    Cover, IrrOriginClass, IrrPrefixClass, IrrSet, PrefixClass, PrefixRange, RejectReason,
    RovState, Vrp, VrpSet,
};

/// VRPs that are named for one route.
const VRPS_MAX: usize = 8;

/// One path of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    pub prefix: Prefix,
    pub origin: Option<Asn>,
    pub class: PrefixClass,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Section {
    NotRegistered,
    RoaMismatch,
    NotAnnounced,
}

impl Section {
    pub const fn name(self) -> &'static str {
        match self {
            Section::NotRegistered => "not_registered",
            Section::RoaMismatch => "roa_mismatch",
            Section::NotAnnounced => "not_announced",
        }
    }
}

/// One thing that does not match.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    pub section: Section,
    /// What is announced, exactly; or what is registered.
    pub range: PrefixRange,
    pub origin: Option<Asn>,
    pub reject: Option<RejectReason>,
    pub near: Vec<Near>,
    pub vrps: Vec<(Vrp, Wrong)>,
}

/// What may have been meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Near {
    MoreSpecificAnnounced(Prefix),
    LessSpecificAnnounced(Prefix),
    MoreSpecificRegistered(PrefixRange),
    LessSpecificRegistered(PrefixRange),
    /// The prefix may be registered, this origin is not.
    OtherOrigin,
}

/// Why a VRP does not make a route valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    Origin,
    Length,
    OriginAndLength,
    /// Nobody may announce it.
    As0,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub announced: u64,
    pub registered: u64,
    pub not_announced: u64,
    pub not_registered: u64,
    pub roa_mismatch: u64,
    pub near_miss: u64,
}

/// What does not match: by section, in each by prefix, at most so many of each; all are counted.
pub fn compare(
    heard: &mut [Heard],
    irr: Option<&IrrSet>,
    vrps: Option<&VrpSet>,
    items_max: usize,
) -> (Vec<Item>, Counts) {
    heard.sort_unstable_by_key(|path| path.prefix);
    let announced = Cover::of_sorted(heard.iter().map(|path| path.prefix));
    let registered: Vec<PrefixRange> =
        irr.map_or_else(Vec::new, |irr| irr.prefixes.iter().collect());
    let mut found = Found {
        items: Vec::new(),
        items_max,
        of_section: 0,
        counts: Counts {
            announced: heard.len() as u64,
            registered: registered.len() as u64,
            ..Counts::default()
        },
    };
    for path in heard.iter().filter(|path| is_unregistered(path.class)) {
        let near = near_registered(path, irr, &registered);
        found.counts.not_registered += 1;
        found.push(item(Section::NotRegistered, path, near, Vec::new()));
    }
    found.of_section = 0;
    for path in heard.iter() {
        if let Some(vrps) = vrps
            && let Some(wrong) = mismatch(path, vrps)
        {
            found.counts.roa_mismatch += 1;
            found.push(item(Section::RoaMismatch, path, Vec::new(), wrong));
        }
    }
    found.of_section = 0;
    for range in &registered {
        let within = announced_within(heard, &range.prefix());
        if within.iter().any(|path| range.contains(&path.prefix)) {
            continue;
        }
        found.counts.not_announced += 1;
        let longer = within
            .first()
            .map(|path| Near::MoreSpecificAnnounced(path.prefix));
        let covering = announced.covering(&range.prefix());
        let mut around = covering.map(|entry| announced.prefix(entry.position));
        let shorter = around.find(|prefix| prefix.len() < range.prefix().len());
        let near = longer
            .into_iter()
            .chain(shorter.map(Near::LessSpecificAnnounced));
        found.push(Item {
            section: Section::NotAnnounced,
            range: *range,
            origin: None,
            reject: None,
            near: near.collect(),
            vrps: Vec::new(),
        });
    }
    (found.items, found.counts)
}

struct Found {
    items: Vec<Item>,
    items_max: usize,
    /// Items of the present section.
    of_section: usize,
    counts: Counts,
}

impl Found {
    fn push(&mut self, item: Item) {
        self.counts.near_miss += u64::from(!item.near.is_empty());
        if self.of_section < self.items_max {
            self.of_section += 1;
            self.items.push(item);
        }
    }
}

fn item(section: Section, path: &Heard, near: Vec<Near>, vrps: Vec<(Vrp, Wrong)>) -> Item {
    Item {
        section,
        range: PrefixRange::exact(path.prefix),
        origin: path.origin,
        reject: path.class.reason().filter(|_| !path.class.is_accepted()),
        near,
        vrps,
    }
}

/// As the checks of its client found it, whether they reject for it or leave a remark.
fn is_unregistered(class: PrefixClass) -> bool {
    class.irr_prefix() == IrrPrefixClass::NotPresent
        || class.irr_origin() == IrrOriginClass::NotPresent
}

fn near_registered(path: &Heard, irr: Option<&IrrSet>, registered: &[PrefixRange]) -> Vec<Near> {
    let Some(irr) = irr else { return Vec::new() };
    let mut near = Vec::new();
    if path.class.irr_origin() == IrrOriginClass::NotPresent {
        near.push(Near::OtherOrigin);
    }
    let is_prefix_known = irr.prefixes.contains(&path.prefix).is_some();
    if !is_prefix_known {
        let around = irr.prefixes.covering(&path.prefix).next();
        near.extend(around.map(Near::LessSpecificRegistered));
        let first = registered.partition_point(|range| range.prefix() <= path.prefix);
        let inside = registered
            .get(first)
            .filter(|range| path.prefix.covers(&range.prefix()));
        near.extend(inside.map(|range| Near::MoreSpecificRegistered(*range)));
    }
    // An origin alone that nobody knows, of a prefix that nobody knows, is near to nothing.
    let is_origin_alone = near == [Near::OtherOrigin] && !is_prefix_known;
    if is_origin_alone && !irr.prefixes.is_empty() {
        near.clear();
    }
    near
}

/// `None`: it is valid, or no VRP covers it.
fn mismatch(path: &Heard, vrps: &VrpSet) -> Option<Vec<(Vrp, Wrong)>> {
    let state = match path.class.is_blackhole() {
        true => vrps.validate_blackhole(&path.prefix, path.origin),
        false => vrps.validate(&path.prefix, path.origin),
    };
    if state != RovState::Invalid {
        return None;
    }
    let wrong = |vrp: Vrp| {
        let is_other = Some(vrp.asn) != path.origin;
        let is_long = path.prefix.len() > vrp.max_len && !path.class.is_blackhole();
        let wrong = match (is_other, is_long) {
            _ if vrp.asn == Asn(0) => Wrong::As0,
            (true, true) => Wrong::OriginAndLength,
            (true, false) => Wrong::Origin,
            (false, _) => Wrong::Length,
        };
        (vrp, wrong)
    };
    let covering = vrps.covering(&path.prefix);
    Some(covering.take(VRPS_MAX).map(wrong).collect())
}

/// All that lies in a prefix, itself first.
fn announced_within<'h>(heard: &'h [Heard], prefix: &Prefix) -> &'h [Heard] {
    let start = heard.partition_point(|path| path.prefix < *prefix);
    let rest = &heard[start..];
    let len = rest.partition_point(|path| prefix.covers(&path.prefix));
    &rest[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[&str], origins: &[u32]) -> IrrSet {
        let prefixes = ranges
            .iter()
            .map(|range| range.parse::<PrefixRange>().unwrap());
        IrrSet::new(
            prefixes.collect(),
            origins.iter().map(|asn| Asn(*asn)).collect(),
        )
    }

    fn heard(prefix: &str, origin: u32, class: PrefixClass) -> Heard {
        Heard {
            prefix: prefix.parse().unwrap(),
            origin: Some(Asn(origin)),
            class,
        }
    }

    fn unregistered() -> PrefixClass {
        PrefixClass::rejected(RejectReason::IrrPrefix)
            .with_irr_prefix(IrrPrefixClass::NotPresent)
            .with_irr_origin(IrrOriginClass::Present)
    }

    fn near(prefix: &str, origin: u32, class: PrefixClass) -> Vec<Near> {
        let irr = set(
            &["192.0.2.0/24", "198.51.100.0/22{23,24}", "2001:db8:1::/48"],
            &[1],
        );
        let mut all = vec![heard(prefix, origin, class)];
        let (items, counts) = compare(&mut all, Some(&irr), None, 10);
        assert_eq!(counts.not_registered, 1);
        items[0].near.clone()
    }

    #[test]
    fn what_is_registered_and_not_announced_is_told_with_what_is_announced_instead() {
        let irr = set(
            &[
                "10.0.0.0/16",
                "10.1.0.0/16+",
                "10.2.0.0/16{24,24}",
                "10.3.0.0/24",
                "10.4.0.0/24",
            ],
            &[],
        );
        let ok = PrefixClass::ACCEPTED;
        let mut all = vec![
            heard("10.3.0.0/16", 1, ok),
            heard("10.0.7.0/24", 1, ok),
            heard("10.1.9.0/24", 1, ok),
            heard("10.2.3.0/24", 1, ok),
        ];
        let (items, counts) = compare(&mut all, Some(&irr), None, 10);
        let told: Vec<_> = items
            .iter()
            .map(|it| (it.range.to_string(), it.near.clone()))
            .collect();
        let prefix = |text: &str| text.parse().unwrap();
        let expected = vec![
            (
                "10.0.0.0/16".to_owned(),
                vec![Near::MoreSpecificAnnounced(prefix("10.0.7.0/24"))],
            ),
            (
                "10.3.0.0/24".to_owned(),
                vec![Near::LessSpecificAnnounced(prefix("10.3.0.0/16"))],
            ),
            ("10.4.0.0/24".to_owned(), vec![]),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (counts.not_announced, counts.near_miss, counts.registered),
            (3, 2, 5)
        );
    }

    #[test]
    fn what_is_announced_and_not_registered_is_told_with_what_is_registered_instead() {
        let range = |text: &str| text.parse().unwrap();
        let cases: [(&str, &str, Vec<Near>); 5] = [
            ("far from all", "203.0.113.0/24", vec![]),
            (
                "longer",
                "192.0.2.128/25",
                vec![Near::LessSpecificRegistered(range("192.0.2.0/24"))],
            ),
            (
                "of a length that is not meant",
                "198.51.100.0/22",
                vec![Near::LessSpecificRegistered(range(
                    "198.51.100.0/22{23,24}",
                ))],
            ),
            (
                "shorter",
                "192.0.0.0/20",
                vec![Near::MoreSpecificRegistered(range("192.0.2.0/24"))],
            ),
            (
                "shorter, IPv6",
                "2001:db8::/32",
                vec![Near::MoreSpecificRegistered(range("2001:db8:1::/48"))],
            ),
        ];
        for (case, prefix, expected) in cases {
            assert_eq!(near(prefix, 1, unregistered()), expected, "{case}");
        }
        let other = PrefixClass::rejected(RejectReason::IrrOrigin)
            .with_irr_origin(IrrOriginClass::NotPresent);
        assert_eq!(near("192.0.2.0/24", 2, other), [Near::OtherOrigin]);
        assert_eq!(near("203.0.113.0/24", 2, other), []);
    }

    #[test]
    fn a_route_that_no_roa_allows_is_told_with_what_each_says() {
        let vrp = |prefix: &str, max_len, asn| Vrp {
            prefix: prefix.parse().unwrap(),
            max_len,
            asn: Asn(asn),
        };
        let vrps = VrpSet::new(vec![
            vrp("192.0.2.0/24", 24, 1),
            vrp("192.0.0.0/16", 24, 2),
            vrp("198.51.100.0/24", 24, 0),
            vrp("203.0.113.0/24", 24, 1),
        ]);
        let ok = PrefixClass::ACCEPTED;
        let mut all = vec![
            heard("192.0.2.0/25", 1, ok),
            heard("192.0.2.128/25", 3, ok),
            heard("192.0.9.0/24", 1, ok),
            heard("198.51.100.0/24", 1, ok),
            heard("203.0.113.0/24", 1, ok),
            heard("10.0.0.0/8", 1, ok),
        ];
        let (items, counts) = compare(&mut all, None, Some(&vrps), 10);
        let told: Vec<(String, Vec<Wrong>)> = items
            .iter()
            .map(|it| {
                (
                    it.range.to_string(),
                    it.vrps.iter().map(|(_, wrong)| *wrong).collect(),
                )
            })
            .collect();
        use Wrong::*;
        let expected = [
            ("192.0.2.0/25", vec![Length, OriginAndLength]),
            ("192.0.2.128/25", vec![OriginAndLength, OriginAndLength]),
            ("192.0.9.0/24", vec![Origin]),
            ("198.51.100.0/24", vec![As0]),
        ];
        assert_eq!(
            told,
            expected.map(|(prefix, wrong)| (prefix.to_owned(), wrong))
        );
        assert_eq!(counts.roa_mismatch, 4);
    }

    #[test]
    fn of_each_section_so_many_are_kept_and_all_are_counted() {
        let ranges: Vec<String> = (0..9).map(|at| format!("10.0.{at}.0/24")).collect();
        let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
        let irr = set(&ranges, &[]);
        let mut all: Vec<Heard> = (0..7)
            .map(|at| heard(&format!("10.1.{at}.0/24"), 1, unregistered()))
            .collect();
        let (items, counts) = compare(&mut all, Some(&irr), None, 3);
        let of = |section| items.iter().filter(|it| it.section == section).count();
        assert_eq!(
            [Section::NotRegistered, Section::NotAnnounced].map(of),
            [3, 3]
        );
        assert_eq!((counts.not_registered, counts.not_announced), (7, 9));
    }
}
