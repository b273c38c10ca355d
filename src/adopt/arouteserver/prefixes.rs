//! Entries of arouteserver's prefix lists, as `192.0.2.0/24`, `…/24+` and `…/22{22,24}`.

use std::net::IpAddr;

use crate::adopt::document::Value;
use crate::adopt::notes::NoteKind;
use crate::adopt::section::{Field, Section};
use crate::base::{Family, Prefix};

/// A list, each entry with its comment. What is no entry is noted.
pub fn rules(list: &Field<'_>) -> Vec<(Value, Option<String>)> {
    let entries = list.list();
    entries
        .iter()
        .filter_map(|entry| rule(entry, |rule, _| rule))
        .collect()
}

/// Entries with an `asn` that the origin must be.
pub fn routes(list: &Field<'_>) -> Vec<(Value, Option<String>)> {
    let with_origin = |rule: String, section: &Section<'_>| match section.number("asn") {
        Some(asn) => format!("{rule} {asn}"),
        None => rule,
    };
    let entries = list.list();
    entries
        .iter()
        .filter_map(|entry| rule(entry, with_origin))
        .collect()
}

fn rule(
    entry: &Field<'_>,
    complete: impl FnOnce(String, &Section<'_>) -> String,
) -> Option<(Value, Option<String>)> {
    if !entry.is_map() {
        return entry.refuse("a prefix and its length");
    }
    let section = entry.section();
    section.pass("max_length");
    let comment = section.field("comment").and_then(|comment| comment.text());
    let read = Range::read(&section).map(|range| complete(range.to_string(), &section));
    section.finish();
    match read {
        Ok(rule) => Some((rule.into(), comment.map(str::to_owned))),
        Err(why) => {
            entry.note(NoteKind::NotUnderstood, why);
            None
        }
    }
}

/// A prefix and the lengths that are meant.
struct Range {
    prefix: Prefix,
    /// Only itself: none.
    lengths: Option<(u8, u8)>,
}

impl Range {
    /// All more specific prefixes are meant, but for `exact`, `ge` and `le`.
    fn read(section: &Section<'_>) -> Result<Range, String> {
        let address = section.field("prefix").and_then(|field| field.address());
        let address = address.ok_or("it has no prefix, such as \"192.0.2.0\"")?;
        let length = section.number("length").ok_or("it has no length")?;
        let [exact, ge, le] = ["exact", "ge", "le"].map(|key| section.field(key));
        let exact = exact.and_then(|exact| exact.bool()).unwrap_or(false);
        let bound = |field: Option<Field<'_>>| field.and_then(|field| field.number());
        let (ge, le) = (
            bound(ge).filter(|ge| *ge > 0),
            bound(le).filter(|le| *le > 0),
        );
        let (prefix, longest) = prefix(address, length)?;
        let length = prefix.len();
        if exact {
            let lengths = None;
            return Ok(Range { prefix, lengths });
        }
        let lengths = (
            ge.map_or(Ok(length), u8::try_from),
            le.map_or(Ok(longest), u8::try_from),
        );
        match lengths {
            (Ok(ge), Ok(le)) if length <= ge && ge <= le && le <= longest => Ok(Range {
                prefix,
                lengths: Some((ge, le)),
            }),
            _ => Err(format!(
                "ge and le must lie between {length} and {longest}, ge first"
            )),
        }
    }
}

fn prefix(address: IpAddr, length: u64) -> Result<(Prefix, u8), String> {
    let (family, octets) = match address {
        IpAddr::V4(address) => (Family::Ipv4, address.octets().to_vec()),
        IpAddr::V6(address) => (Family::Ipv6, address.octets().to_vec()),
    };
    let prefix = u8::try_from(length)
        .ok()
        .and_then(|length| Prefix::new(family, &octets, length).ok());
    match prefix {
        Some(prefix) => Ok((prefix, family.max_len())),
        None => Err(format!("a length of {length} is too long for {address}")),
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Range { prefix, lengths } = self;
        match *lengths {
            None => write!(f, "{prefix}"),
            Some((ge, le)) if ge == prefix.len() && le == prefix.family().max_len() => {
                write!(f, "{prefix}+")
            }
            Some((ge, le)) => write!(f, "{prefix}{{{ge},{le}}}"),
        }
    }
}
