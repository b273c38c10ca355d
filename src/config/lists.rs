//! `[lists]` and `server.lan`: what the import checks of all clients look up.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::base::{Asn, Prefix};
use crate::policy::{BOGON_ASNS, PrefixList, PrefixRange, TRANSIT_FREE_ASNS};

use super::reader::{Entry, Reader};

/// `[lists]`
#[derive(Clone, PartialEq, Debug)]
pub struct Lists {
    pub bogon_prefixes: Arc<PrefixList>,
    pub bogon_asns: Vec<RangeInclusive<Asn>>,
    pub black_list: Arc<PrefixList>,
    /// Sorted, as the next.
    pub transit_free_asns: Arc<[Asn]>,
    pub never_via_route_servers_asns: Arc<[Asn]>,
}

impl Default for Lists {
    fn default() -> Lists {
        Lists {
            bogon_prefixes: PrefixList::bogons(),
            bogon_asns: BOGON_ASNS.to_vec(),
            black_list: Arc::default(),
            transit_free_asns: TRANSIT_FREE_ASNS.into(),
            never_via_route_servers_asns: [].into(),
        }
    }
}

impl Lists {
    pub fn read(reader: Option<Reader<'_>>) -> Lists {
        let usual = Lists::default();
        let Some(reader) = reader else { return usual };
        let prefixes = |key| prefix_ranges(&reader, key).map(|ranges| list_of(&ranges));
        let asns = |key| {
            let asns = reader.list(key, |entry| entry.integer(0..=u32::MAX).map(Asn));
            asns.map(|mut asns| {
                asns.sort_unstable();
                asns.dedup();
                Arc::from(asns)
            })
        };
        let lists = Lists {
            bogon_prefixes: prefixes("bogon_prefixes").unwrap_or(usual.bogon_prefixes),
            bogon_asns: reader
                .list("bogon_asns", asn_range)
                .unwrap_or(usual.bogon_asns),
            black_list: prefixes("black_list").unwrap_or(usual.black_list),
            transit_free_asns: asns("transit_free_asns").unwrap_or(usual.transit_free_asns),
            never_via_route_servers_asns: asns("never_via_route_servers_asns")
                .unwrap_or(usual.never_via_route_servers_asns),
        };
        reader.finish();
        lists
    }
}

/// The exchange's own prefixes, with all that lies in them.
pub fn own_prefixes(prefixes: &[Prefix]) -> Arc<PrefixList> {
    let ranges = prefixes
        .iter()
        .map(|prefix| PrefixRange::or_longer(*prefix));
    list_of(&ranges.collect::<Vec<_>>())
}

pub fn list_of(ranges: &[PrefixRange]) -> Arc<PrefixList> {
    Arc::new(ranges.iter().copied().collect())
}

/// `"192.0.2.0/24"`, `"192.0.2.0/24+"` or `"192.0.2.0/24{25,26}"`.
pub fn prefix_range(entry: &Entry<'_>) -> Option<PrefixRange> {
    let text = entry.value().as_str().filter(|text| text.contains('/'));
    let range = text.and_then(|text| text.parse().ok());
    if range.is_some() && has_host_bits(entry, text.unwrap_or_default()) {
        return None;
    }
    range.or_else(|| {
        entry.expected(
            "a prefix such as \"192.0.2.0/24\", with all longer ones \"192.0.2.0/24+\" or some \
             \"192.0.2.0/24{25,26}\"",
        )
    })
}

/// One of the two, the address or the length, is not what was meant; told as an error.
pub fn has_host_bits(entry: &Entry<'_>, text: &str) -> bool {
    let Some((block, meant)) = host_bits(text) else {
        return false;
    };
    let what = format!("{block} has address bits behind its length");
    entry.error(what, &format!("did you mean {meant}, or a longer one?"));
    true
}

/// An address block with bits behind its length, and the one without.
fn host_bits(text: &str) -> Option<(&str, Prefix)> {
    let block = text.split(['+', '{', ' ', '\t']).next()?;
    let (address, _) = block.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix: Prefix = block.parse().ok()?;
    (prefix.address() != address).then_some((block, prefix))
}

pub fn prefix_ranges(reader: &Reader<'_>, key: &'static str) -> Option<Vec<PrefixRange>> {
    reader.list(key, prefix_range)
}

pub fn prefix(entry: &Entry<'_>) -> Option<Prefix> {
    let text = entry.value().as_str().filter(|text| text.contains('/'));
    let prefix = text.and_then(|text| text.parse().ok());
    // The server's address with the length of the LAN is no mistake.
    if let Some((block, meant)) = text.and_then(host_bits) {
        entry.warning(
            format!("{block} has address bits behind its length"),
            &format!("{meant} is taken"),
        );
    }
    prefix.or_else(|| entry.expected("a prefix such as \"192.0.2.0/24\""))
}

/// `64496` or `"64496-64511"`.
fn asn_range(entry: &Entry<'_>) -> Option<RangeInclusive<Asn>> {
    let Some(text) = entry.value().as_str() else {
        return entry.integer(0..=u32::MAX).map(|asn| Asn(asn)..=Asn(asn));
    };
    let range = text.split_once('-').and_then(|(first, last)| {
        let asn = |text: &str| text.trim().parse().ok().map(Asn);
        Some((asn(first)?, asn(last)?))
    });
    match range {
        Some((first, last)) if first <= last => Some(first..=last),
        _ => entry.expected("an ASN, or a range such as \"64496-64511\""),
    }
}
