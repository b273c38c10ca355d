//! What paths are searched for: a filter that each of them passes or not. Knows no table.

use std::str::FromStr;

use crate::base::{Asn, ClientSlot, Prefix};
use crate::policy::{PrefixClass, RejectReason};
use crate::wire::AttributeSet;

/// Paths that are looked for: those that all of these hold for. Without any, all paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteFilter {
    pub prefix: Option<PrefixMatch>,
    pub announcer: Option<ClientSlot>,
    pub verdict: Option<VerdictMatch>,
    /// Anywhere in AS_PATH.
    pub asn: Option<Asn>,
    /// As RFC 6811 §2 has it.
    pub origin: Option<Asn>,
    pub community: Option<CommunityMatch>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixMatch {
    Exact(Prefix),
    /// It, and those it lies in.
    LessSpecific(Prefix),
    /// It, and those that lie in it.
    MoreSpecific(Prefix),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerdictMatch {
    /// With what quarantine alone holds back.
    Accepted,
    Rejected,
    RejectedFor(RejectReason),
}

/// A community; `None` stands for any number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommunityMatch {
    Standard(Option<u16>, Option<u16>),
    Large(Option<u32>, Option<u32>, Option<u32>),
    Extended([u8; 8]),
    /// RFC 4360 §4 and 5: the sub-type, of an ASN with two octets or four.
    OfAs(u8, Option<u32>, Option<u32>),
}

impl RouteFilter {
    /// Whether the attributes are looked at.
    pub fn concerns_sets(&self) -> bool {
        self.asn.is_some() || self.origin.is_some() || self.community.is_some()
    }

    pub fn passes_prefix(&self, prefix: &Prefix) -> bool {
        match &self.prefix {
            None => true,
            Some(PrefixMatch::Exact(wanted)) => wanted == prefix,
            Some(PrefixMatch::LessSpecific(wanted)) => prefix.covers(wanted),
            Some(PrefixMatch::MoreSpecific(wanted)) => wanted.covers(prefix),
        }
    }

    pub fn passes_class(&self, class: PrefixClass) -> bool {
        let verdict = class.verdict();
        match self.verdict {
            None => true,
            Some(VerdictMatch::Accepted) => verdict.passes_import(),
            Some(VerdictMatch::Rejected) => !verdict.passes_import(),
            Some(VerdictMatch::RejectedFor(wanted)) => verdict.reason() == Some(wanted),
        }
    }

    pub fn passes_set(&self, set: &AttributeSet) -> bool {
        let has = |asn: Asn| {
            set.as_path_segments()
                .any(|(_, mut asns)| asns.any(|other| other == asn))
        };
        self.asn.is_none_or(has)
            && self
                .origin
                .is_none_or(|origin| set.origin_as() == Some(origin))
            && self.community.is_none_or(|community| community.is_in(set))
    }
}

impl CommunityMatch {
    pub const ROUTE_TARGET: u8 = 2;
    pub const ROUTE_ORIGIN: u8 = 3;

    fn is_in(self, set: &AttributeSet) -> bool {
        fn is<T: PartialEq>(wanted: Option<T>, found: T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        match self {
            CommunityMatch::Standard(a, b) => set.communities().any(|(x, y)| is(a, x) && is(b, y)),
            CommunityMatch::Large(a, b, c) => set
                .large_communities()
                .any(|(x, y, z)| is(a, x) && is(b, y) && is(c, z)),
            CommunityMatch::Extended(wanted) => {
                set.extended_communities().any(|found| found == wanted)
            }
            CommunityMatch::OfAs(sub_type, a, b) => set
                .extended_communities()
                .filter_map(of_as)
                .any(|(found, x, y)| found == sub_type && is(a, x) && is(b, y)),
        }
    }
}

/// Sub-type and numbers of an extended community that names an ASN (RFC 4360 §3.1, RFC 5668 §2).
fn of_as(community: [u8; 8]) -> Option<(u8, u32, u32)> {
    let [kind, sub_type, a, b, c, d, e, f] = community;
    match kind {
        0x00 => Some((
            sub_type,
            u16::from_be_bytes([a, b]).into(),
            u32::from_be_bytes([c, d, e, f]),
        )),
        0x02 => Some((
            sub_type,
            u32::from_be_bytes([a, b, c, d]),
            u16::from_be_bytes([e, f]).into(),
        )),
        _ => None,
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "'{0}' is no community: a:b or a:b:c (* for any number), rt:a:b, ro:a:b, or an extended one as 16 hexadecimal digits"
)]
pub struct NoCommunity(pub String);

impl FromStr for CommunityMatch {
    type Err = NoCommunity;

    fn from_str(text: &str) -> Result<CommunityMatch, NoCommunity> {
        read(text).ok_or_else(|| NoCommunity(text.to_owned()))
    }
}

fn read(text: &str) -> Option<CommunityMatch> {
    let parts = text.split(':').collect::<Vec<_>>();
    Some(match parts[..] {
        [whole] => CommunityMatch::Extended(octets(whole)?),
        ["rt", a, b] => CommunityMatch::OfAs(CommunityMatch::ROUTE_TARGET, number(a)?, number(b)?),
        ["ro" | "soo", a, b] => {
            CommunityMatch::OfAs(CommunityMatch::ROUTE_ORIGIN, number(a)?, number(b)?)
        }
        [a, b] => CommunityMatch::Standard(number(a)?, number(b)?),
        [a, b, c] => CommunityMatch::Large(number(a)?, number(b)?, number(c)?),
        _ => return None,
    })
}

/// Outside: whether it can be read. Inside: `*` is any number.
fn number<T: FromStr>(text: &str) -> Option<Option<T>> {
    match text {
        "*" => Some(None),
        _ if text.starts_with('+') => None,
        _ => text.parse().ok().map(Some),
    }
}

fn octets(text: &str) -> Option<[u8; 8]> {
    let is_hexadecimal = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let value = u64::from_str_radix(text, 16).ok();
    value.filter(|_| is_hexadecimal).map(u64::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::SetBuilder;

    #[test]
    fn communities_are_read_as_they_are_written() {
        use CommunityMatch::*;
        let cases = [
            ("64500:1", Some(Standard(Some(64500), Some(1)))),
            ("64500:*", Some(Standard(Some(64500), None))),
            (
                "4200000000:0:7",
                Some(Large(Some(4_200_000_000), Some(0), Some(7))),
            ),
            ("1:*:*", Some(Large(Some(1), None, None))),
            ("rt:64500:7", Some(OfAs(2, Some(64500), Some(7)))),
            ("soo:64500:*", Some(OfAs(3, Some(64500), None))),
            (
                "0002fbf400000007",
                Some(Extended([0, 2, 0xfb, 0xf4, 0, 0, 0, 7])),
            ),
            ("70000:1", None),
            ("+1:1", None),
            ("1", None),
            ("1:2:3:4", None),
            ("a:b", None),
            ("", None),
            ("+002fbf400000007", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse().ok(), wanted, "{text}");
        }
    }

    #[test]
    fn attributes_pass_where_all_that_is_asked_holds() {
        let set = SetBuilder::new()
            .as_path(&[10001, 10002])
            .as_set(&[10009])
            .communities(&[(1, 2)])
            .large(&[(1, 2, 3)])
            .extended(&[[0, 2, 0, 5, 0, 0, 0, 6], [2, 3, 0, 1, 0, 0, 0, 9]])
            .build();
        let plain = SetBuilder::new().as_path(&[10001, 10002]).build();
        let asn = |asn| RouteFilter {
            asn: Some(Asn(asn)),
            ..RouteFilter::default()
        };
        let origin = |asn| RouteFilter {
            origin: Some(Asn(asn)),
            ..RouteFilter::default()
        };
        let community = |text: &str| RouteFilter {
            community: Some(text.parse().unwrap()),
            ..RouteFilter::default()
        };
        let cases = [
            ("an ASN in the path", asn(10001), true, true),
            ("an ASN in an AS_SET", asn(10009), true, false),
            ("another ASN", asn(10003), false, false),
            (
                "the last one, where there is no AS_SET",
                origin(10002),
                false,
                true,
            ),
            ("not the last one", origin(10001), false, false),
            ("a standard community", community("1:2"), true, false),
            ("any value", community("1:*"), true, false),
            ("another value", community("1:3"), false, false),
            ("a large community", community("1:*:3"), true, false),
            ("another", community("1:2:4"), false, false),
            (
                "a route target of two octets",
                community("rt:5:6"),
                true,
                false,
            ),
            (
                "a route origin of four octets",
                community("ro:65536:9"),
                true,
                false,
            ),
            (
                "a route target is no route origin",
                community("ro:5:6"),
                false,
                false,
            ),
            (
                "an extended one, whole",
                community("0002000500000006"),
                true,
                false,
            ),
            (
                "all of two",
                RouteFilter {
                    asn: Some(Asn(10001)),
                    ..community("1:2")
                },
                true,
                false,
            ),
            (
                "one of two",
                RouteFilter {
                    asn: Some(Asn(7)),
                    ..community("1:2")
                },
                false,
                false,
            ),
        ];
        for (name, filter, in_set, in_plain) in cases {
            assert_eq!(filter.passes_set(&set), in_set, "{name}");
            assert_eq!(filter.passes_set(&plain), in_plain, "{name}");
        }
    }

    #[test]
    fn what_quarantine_alone_holds_back_passes_as_accepted() {
        use RejectReason::{BogonPrefix, Quarantined};
        let accepted = PrefixClass::ACCEPTED;
        let cases = [
            (VerdictMatch::Accepted, [true, true, false]),
            (VerdictMatch::Rejected, [false, false, true]),
            (VerdictMatch::RejectedFor(BogonPrefix), [false, false, true]),
            (VerdictMatch::RejectedFor(Quarantined), [false, true, false]),
        ];
        let classes = [
            accepted,
            PrefixClass::rejected(Quarantined),
            PrefixClass::rejected(BogonPrefix),
        ];
        for (verdict, wanted) in cases {
            let filter = RouteFilter {
                verdict: Some(verdict),
                ..RouteFilter::default()
            };
            let passes = classes.map(|class| filter.passes_class(class));
            assert_eq!(passes, wanted, "{verdict:?}");
            let remark = filter.passes_class(accepted.with_remark(BogonPrefix));
            assert_eq!(
                remark,
                verdict == VerdictMatch::Accepted,
                "a remark rejects nothing"
            );
        }
    }
}
