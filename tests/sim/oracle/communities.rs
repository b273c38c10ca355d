//! What communities mean: forms as the configuration writes them, looked up one by one.

use std::collections::BTreeMap;

use super::attributes::Attributes;
use super::checks::Judgement;

/// (action, its forms in the contract's scheme).
const CONTRACT: [(&str, &[&str]); 11] = [
    ("do_not_announce_to_any", &["0:rs_as", "rs_as:0:0"]),
    ("do_not_announce_to_peer", &["0:peer_as", "rs_as:0:peer_as"]),
    ("announce_to_peer", &["rs_as:peer_as", "rs_as:1:peer_as"]),
    ("announce_to_any", &["rs_as:rs_as", "rs_as:1:0"]),
    ("prepend_once_to_any", &["rs_as:101:0"]),
    ("prepend_twice_to_any", &["rs_as:102:0"]),
    ("prepend_thrice_to_any", &["rs_as:103:0"]),
    ("prepend_once_to_peer", &["rs_as:101:peer_as"]),
    ("prepend_twice_to_peer", &["rs_as:102:peer_as"]),
    ("prepend_thrice_to_peer", &["rs_as:103:peer_as"]),
    ("blackholing", &["65535:666"]),
];

/// RFC 7999: the one control community that is passed on.
pub const BLACKHOLE: (u16, u16) = (65_535, 666);

/// `[communities]`
#[derive(Clone, Debug)]
pub struct Communities {
    pub server_asn: u32,
    /// By action. What is not there has no form.
    pub forms: BTreeMap<&'static str, Vec<Form>>,
    /// Informational communities by their key.
    pub tags: BTreeMap<&'static str, Vec<Form>>,
    pub reject_cause: Vec<Form>,
    /// `reject_numbers = "arouteserver"`.
    pub arouteserver_numbers: bool,
    pub rtt_thresholds_ms: Vec<u32>,
    pub peer_as_aliases: BTreeMap<u16, u32>,
    /// `precedence = "large_first"`.
    pub large_first: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Standard,
    Large,
    /// Route target (2) or origin (3).
    Extended(u8),
}

/// A community, or all that differ in their last number only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Form {
    /// As the configuration has it.
    pub text: &'static str,
    kind: Kind,
    head: Vec<u32>,
    last: Option<u32>,
}

/// A community as its kind and numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Numbers(Kind, Vec<u32>);

/// What one community asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pub action: &'static str,
    /// Where it varies.
    pub last: Option<u32>,
    pub is_large: bool,
}

impl Form {
    /// `None`: the server's ASN does not fit.
    pub fn read(text: &'static str, server_asn: u32) -> Option<Form> {
        let (kind, numbers) = match text.split_once(':').unwrap() {
            ("rt", rest) => (Kind::Extended(2), rest),
            ("ro", rest) => (Kind::Extended(3), rest),
            _ if text.split(':').count() == 2 => (Kind::Standard, text),
            _ => (Kind::Large, text),
        };
        let mut head = Vec::new();
        let mut last = None;
        for word in numbers.split(':') {
            head.extend(last.take());
            last = match word {
                "rs_as" => Some(server_asn),
                "peer_as" | "rtt" | "reason" => None,
                digits => Some(digits.parse().unwrap()),
            };
        }
        let too_long = |number: &u32| kind == Kind::Standard && *number > 0xffff;
        let form = Form {
            text,
            kind,
            last,
            head,
        };
        (!form.head.iter().chain(&form.last).any(too_long)).then_some(form)
    }

    fn is_head_of(&self, Numbers(kind, numbers): &Numbers) -> bool {
        self.kind == *kind && numbers[..numbers.len() - 1] == self.head[..]
    }

    /// Its last number may be anything where it varies.
    fn may_be(&self, community: &Numbers) -> bool {
        let last = community.1.last();
        self.is_head_of(community) && (self.last.is_none() || self.last.as_ref() == last)
    }

    /// Whether its numbers have 16 bits.
    pub fn is_short(&self) -> bool {
        self.kind == Kind::Standard
    }

    /// Adds the community; `last` where its last number varies.
    pub fn push(&self, last: u32, sent: &mut Attributes) {
        let last = self.last.unwrap_or(last);
        match (self.kind, &self.head[..]) {
            (Kind::Standard, [high]) => push(&mut sent.communities, (*high as u16, last as u16)),
            (Kind::Large, [a, b]) => push(&mut sent.large, (*a, *b, last)),
            (Kind::Extended(subtype), [asn]) => {
                push(&mut sent.extended, extended(subtype, *asn, last));
            }
            (kind, head) => panic!("{kind:?} with {head:?}"),
        }
    }
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// Of a two-octet AS (RFC 4360 §3.1).
pub fn extended(subtype: u8, asn: u32, last: u32) -> [u8; 8] {
    let ([a, b], [c, d, e, f]) = ((asn as u16).to_be_bytes(), last.to_be_bytes());
    [0, subtype, a, b, c, d, e, f]
}

fn of_standard((high, low): (u16, u16)) -> Numbers {
    Numbers(Kind::Standard, vec![high.into(), low.into()])
}

fn of_large((a, b, c): (u32, u32, u32)) -> Numbers {
    Numbers(Kind::Large, vec![a, b, c])
}

/// `None`: neither route target nor route origin of a two-octet AS.
fn of_extended([kind, subtype, a, b, rest @ ..]: [u8; 8]) -> Option<Numbers> {
    let is_known = kind == 0 && matches!(subtype, 2 | 3);
    let asn = u16::from_be_bytes([a, b]).into();
    is_known.then(|| Numbers(Kind::Extended(subtype), vec![asn, u32::from_be_bytes(rest)]))
}

impl Communities {
    /// The contract's scheme.
    pub fn new(server_asn: u32) -> Communities {
        let mut communities = Communities {
            server_asn,
            forms: BTreeMap::new(),
            tags: BTreeMap::new(),
            reject_cause: Vec::new(),
            arouteserver_numbers: false,
            rtt_thresholds_ms: vec![5, 10, 15, 20, 30, 50, 100, 200, 500],
            peer_as_aliases: BTreeMap::new(),
            large_first: false,
        };
        for (action, texts) in CONTRACT {
            communities.set(action, texts);
        }
        communities.reject_cause = communities.read(&["rs_as:1101:reason"]);
        communities
    }

    pub fn set(&mut self, action: &'static str, texts: &[&'static str]) {
        self.forms.insert(action, self.read(texts));
    }

    pub fn read(&self, texts: &[&'static str]) -> Vec<Form> {
        let texts = texts.iter();
        let read = texts.filter_map(|text| Form::read(text, self.server_asn));
        read.collect()
    }

    /// A form in which nothing varies goes first.
    fn request(&self, community: &Numbers) -> Option<(&'static str, Option<u32>)> {
        let mut varying = None;
        for (action, forms) in &self.forms {
            for form in forms.iter().filter(|form| form.may_be(community)) {
                if form.last.is_some() {
                    return Some((action, None));
                }
                varying = Some((*action, community.1.last().copied()));
            }
        }
        let (action, last) = varying?;
        let is_threshold = self.rtt_thresholds_ms.iter().any(|ms| Some(*ms) == last);
        if action.contains("_rtt_") && !is_threshold {
            return None;
        }
        let has_aliases = community.0 != Kind::Large && action.ends_with("_to_peer");
        let short = last.and_then(|last| u16::try_from(last).ok());
        let alias = short.filter(|_| has_aliases);
        let alias = alias.and_then(|short| self.peer_as_aliases.get(&short).copied());
        Some((action, alias.or(last)))
    }

    pub fn requests(&self, heard: &Attributes) -> Vec<Request> {
        let small = heard.communities.iter().map(|c| of_standard(*c));
        let small = small.chain(heard.extended.iter().filter_map(|c| of_extended(*c)));
        let all = small.chain(heard.large.iter().map(|c| of_large(*c)));
        let request = |community: Numbers| {
            let (action, last) = self.request(&community)?;
            let is_large = community.0 == Kind::Large;
            Some(Request {
                action,
                last,
                is_large,
            })
        };
        all.filter_map(request).collect()
    }

    pub fn asks_for_blackhole(&self, heard: &Attributes) -> bool {
        let requests = self.requests(heard);
        requests
            .iter()
            .any(|request| request.action == "blackholing")
    }

    /// Informational communities are the server's own: whoever sends them forges them.
    fn is_tag(&self, community: &Numbers) -> bool {
        let (mut tags, mut causes) = (self.tags.values().flatten(), self.reject_cause.iter());
        tags.any(|form| form.may_be(community)) || causes.any(|form| form.is_head_of(community))
    }

    /// What stays of a client's communities on import: what is under the server's ASN has to be a
    /// control community.
    pub fn scrubbed(&self, heard: &Attributes) -> Attributes {
        let goes = |community: &Numbers, is_own_space: bool| {
            let is_own = is_own_space && community.1[0] == self.server_asn;
            is_own && self.request(community).is_none() || self.is_tag(community)
        };
        let has_extended = self.uses_extended();
        let goes_extended =
            |c: &[u8; 8]| of_extended(*c).is_some_and(|community| goes(&community, has_extended));
        let mut heard = heard.clone();
        (heard.communities).retain(|c| !goes(&of_standard(*c), true));
        heard.large.retain(|c| !goes(&of_large(*c), true));
        heard.extended.retain(|c| !goes_extended(c));
        heard
    }

    /// Only then extended communities under the server's ASN are its own.
    fn uses_extended(&self) -> bool {
        let forms = self.forms.values().chain(self.tags.values()).flatten();
        let mut forms = forms.chain(&self.reject_cause);
        forms.any(|form| matches!(form.kind, Kind::Extended(_)))
    }

    /// Control communities are not for those that get the route, and BLACKHOLE is where the server has
    /// such routes for those alone.
    pub fn stripped(&self, heard: &Attributes, has_blackholes: bool) -> Attributes {
        let mut sent = heard.clone();
        let asks = |community: Numbers| self.request(&community).is_some();
        (sent.communities).retain(|c| match *c == BLACKHOLE {
            true => !has_blackholes,
            false => !asks(of_standard(*c)),
        });
        sent.large.retain(|c| !asks(of_large(*c)));
        sent.extended.retain(|c| !of_extended(*c).is_some_and(asks));
        sent
    }

    /// Adds what the server says of the route; the keys of what it said.
    pub fn inform(&self, judgement: &Judgement, sent: &mut Attributes) -> Vec<&'static str> {
        let mut said = Vec::new();
        for (key, forms) in &self.tags {
            if says(key, judgement) {
                forms.iter().for_each(|form| form.push(0, sent));
                said.push(*key);
            }
        }
        if let Some(remark) = judgement.remark {
            let (_, numbers) = REASONS.iter().find(|(name, _)| *name == remark).unwrap();
            let number = numbers[usize::from(self.arouteserver_numbers)];
            (self.reject_cause.iter()).for_each(|form| form.push(number, sent));
            said.push("reject_cause");
        }
        said
    }
}

/// Whether an informational community is true of a route.
fn says(key: &str, judgement: &Judgement) -> bool {
    let Judgement {
        rov,
        irr_prefix: prefix,
        irr_origin: origin,
        ..
    } = *judgement;
    match key {
        "rpki_valid" => rov == "valid",
        "rpki_unknown" => rov == "not_found",
        "rpki_invalid" => rov == "invalid",
        "rpki_not_checked" => rov == "not_checked",
        "irr_valid" => matches!(prefix, "exact" | "roa" | "white_list"),
        "irr_more_specific" => prefix == "more_specific",
        "irr_not_checked" => prefix == "not_checked",
        "prefix_present_in_as_set" => matches!(prefix, "exact" | "more_specific"),
        "prefix_not_present_in_as_set" => matches!(prefix, "not_present" | "roa"),
        "origin_present_in_as_set" => origin == "present",
        "origin_not_present_in_as_set" => origin == "not_present",
        "prefix_validated_via_rpki_roas" => prefix == "roa",
        "route_validated_via_white_list" => prefix == "white_list",
        other => panic!("no informational community {other}"),
    }
}

/// Reasons with the numbers of IXP Manager and arouteserver.
pub const REASONS: [(&str, [u32; 2]); 26] = [
    ("prefix_too_long", [1, 13]),
    ("bogon_prefix", [3, 2]),
    ("as_path_too_long", [5, 1]),
    ("bogon_asn", [4, 7]),
    ("leftmost_as", [7, 6]),
    ("next_hop", [8, 5]),
    ("own_as", [107, 7]),
    ("accepted_limit", [108, 65_535]),
    ("quarantined", [109, 65_535]),
    ("empty_as_path", [6, 1]),
    ("prefix_too_short", [2, 13]),
    ("black_list", [112, 3]),
    ("client_black_list", [113, 11]),
    ("own_prefix", [114, 3]),
    ("irr_prefix", [9, 12]),
    ("irr_origin", [10, 9]),
    ("irr_data_missing", [117, 65_535]),
    ("rpki_invalid", [13, 14]),
    ("rpki_unknown", [12, 65_535]),
    ("rpki_data_missing", [120, 65_535]),
    ("aspa_invalid", [121, 65_535]),
    ("transit_free_asn", [14, 8]),
    ("never_via_route_servers", [123, 15]),
    ("too_many_communities", [15, 65_535]),
    ("as_set", [125, 7]),
    ("route_leak", [126, 65_535]),
];
