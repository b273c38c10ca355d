//! The final table of each client as octets: every message once, in one arena, and for each client
//! the ranges of it that are its own. Prefixes are put together by (audience, attributes), audience
//! by audience, so that what one audience gets is one run. For `perf/blaster`, which writes nothing
//! else; no sockets here.

use std::net::Ipv4Addr;
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::args::LoadArgs;
use super::attributes::{MP_REACH, put, split_key};
use super::forms::FormId;
use super::model::{Check, Model};
use super::plan::{Client, Plan};
use super::update::{self, HEADER_LEN, MESSAGE_MAX, UPDATE};
use super::{LoadError, make_plan};
use crate::base::{Family, FamilySet, Prefix};

/// A set of clients, a bit each.
type Members = Box<[u64]>;

pub struct Owed {
    pub server_asn: u32,
    pub families: FamilySet,
    pub receivers: Vec<Receiver>,
    octets: Vec<u8>,
}

pub struct Receiver {
    pub asn: u32,
    pub address: Ipv4Addr,
    /// It asks for all paths (RFC 7911).
    pub add_path: bool,
    /// Ascending, and none begins where another ends. End-of-RIB comes last.
    ranges: Vec<Range<usize>>,
}

impl Owed {
    /// For the clients of `rialto load` with the same words.
    pub fn prepare(args: &LoadArgs) -> Result<Owed, LoadError> {
        Ok(Owed::of(&make_plan(args)?))
    }

    /// What each client is owed once all have announced.
    pub(super) fn of(plan: &Plan) -> Owed {
        let model = announced(plan);
        let mut owed = Owed {
            server_asn: plan.server_asn,
            families: plan.families,
            receivers: receivers(plan),
            octets: Vec::new(),
        };
        for add_path in [false, true] {
            for (members, forms) in audiences(plan, &model, add_path) {
                owed.append(&members, |octets| {
                    encode_run(octets, plan, &model, &forms, add_path);
                });
            }
        }
        let everybody = members((0..plan.clients.len()).collect(), plan.clients.len());
        owed.append(&everybody, |octets| {
            each_family(plan.families).for_each(|family| update::encode_end_of_rib(octets, family));
        });
        owed
    }

    /// The table of one client from piece `first` on, in as few pieces as it lies in.
    pub fn pieces(&self, client: usize, first: usize) -> impl Iterator<Item = &[u8]> {
        let ranges = self.receivers[client].ranges.get(first..);
        let octets = |range: &Range<usize>| &self.octets[range.clone()];
        ranges.unwrap_or_default().iter().map(octets)
    }

    /// Octets of all messages, each counted once.
    pub fn distinct_len(&self) -> usize {
        self.octets.len()
    }

    /// Octets of the table of one client.
    pub fn table_len(&self, client: usize) -> usize {
        self.pieces(client, 0).map(<[u8]>::len).sum()
    }

    fn append(&mut self, members: &Members, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.octets.len();
        write(&mut self.octets);
        let end = self.octets.len();
        for client in each_member(members) {
            let ranges = &mut self.receivers[client].ranges;
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
    }
}

/// What each client of `rialto load` with the same words announces, End-of-RIB included.
pub fn announcements(args: &LoadArgs) -> Result<Vec<Vec<u8>>, LoadError> {
    let plan = make_plan(args)?;
    let clients = plan.clients.iter();
    Ok(clients.map(|client| announcement(&plan, client)).collect())
}

fn announcement(plan: &Plan, client: &Client) -> Vec<u8> {
    let mut octets = Vec::new();
    for routes in client.routes.chunk_by(|a, b| a.set == b.set) {
        let key = plan.sets.key(routes[0].set);
        let prefixes: Vec<u32> = routes.iter().map(|route| route.prefix).collect();
        encode_messages(&mut octets, plan, key, None, &prefixes);
    }
    each_family(plan.families).for_each(|family| update::encode_end_of_rib(&mut octets, family));
    octets
}

fn announced(plan: &Plan) -> Model {
    let mut model = Model::new(plan, Check::Exact);
    for (client, announcer) in plan.clients.iter().enumerate() {
        for route in &announcer.routes {
            model.announce(client as u16, route.prefix, route.set);
        }
    }
    model
}

fn receivers(plan: &Plan) -> Vec<Receiver> {
    let receiver = |client: &Client| Receiver {
        asn: client.asn,
        address: client.address,
        add_path: client.add_path,
        ranges: Vec::new(),
    };
    plan.clients.iter().map(receiver).collect()
}

fn each_family(families: FamilySet) -> impl Iterator<Item = Family> {
    Family::ALL
        .into_iter()
        .filter(move |&family| families.contains(family))
}

fn members(clients: Vec<usize>, client_count: usize) -> Members {
    let mut members = vec![0; client_count.div_ceil(64)].into_boxed_slice();
    for client in clients {
        members[client / 64] |= 1 << (client % 64);
    }
    members
}

fn each_member(members: &Members) -> impl Iterator<Item = usize> {
    let bits = |word: u64| (0..64).filter(move |bit| word & (1 << bit) != 0);
    members
        .iter()
        .enumerate()
        .flat_map(move |(index, &word)| bits(word).map(move |bit| index * 64 + bit))
}

/// The prefixes that go out with each form.
type Forms = Vec<(FormId, Vec<u32>)>;

/// Each audience among the clients with or without ADD-PATH, and all that it gets. The largest
/// come first: as most lack one client only, what a client gets then lies in few pieces.
fn audiences(plan: &Plan, model: &Model, add_path: bool) -> Vec<(Members, Forms)> {
    let receivers: Vec<usize> = (0..plan.clients.len())
        .filter(|&client| plan.clients[client].add_path == add_path)
        .collect();
    let mut numbers: HashMap<Members, usize, FixedState> = HashMap::default();
    let mut prefixes_of: HashMap<(usize, FormId), Vec<u32>, FixedState> = HashMap::default();
    let mut keys: Vec<(usize, FormId)> = Vec::new();
    for prefixes in alike(plan) {
        for (form, clients) in split(model, &receivers, prefixes[0]) {
            let next = numbers.len();
            let audience = *numbers
                .entry(members(clients, plan.clients.len()))
                .or_insert(next);
            let key = (audience, form);
            prefixes_of
                .entry(key)
                .or_insert_with(|| {
                    keys.push(key);
                    Vec::new()
                })
                .extend(&prefixes);
        }
    }
    let mut audiences: Vec<(usize, Members, Forms)> = numbers
        .into_iter()
        .map(|(members, number)| (number, members, Forms::new()))
        .collect();
    audiences.sort_unstable_by_key(|audience| audience.0);
    for key in keys {
        let prefixes = prefixes_of.remove(&key).unwrap_or_default();
        audiences[key.0].2.push((key.1, prefixes));
    }
    let size = |members: &Members| members.iter().map(|word| word.count_ones()).sum::<u32>();
    audiences.sort_by_key(|(_, members, _)| std::cmp::Reverse(size(members)));
    audiences
        .into_iter()
        .map(|(_, members, forms)| (members, forms))
        .collect()
}

/// Prefixes that the same clients announce with the same sets: everybody is owed the same of them.
fn alike(plan: &Plan) -> Vec<Vec<u32>> {
    let mut sets_of: Vec<Vec<u32>> = vec![Vec::new(); plan.prefixes.len()];
    for client in &plan.clients {
        for route in &client.routes {
            sets_of[route.prefix as usize].push(route.set);
        }
    }
    let mut numbers: HashMap<Vec<u32>, usize, FixedState> = HashMap::default();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (prefix, sets) in (0..).zip(sets_of) {
        let number = *numbers.entry(sets).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Vec::new());
        }
        groups[number].push(prefix);
    }
    groups
}

/// Who is owed which form of a prefix; in the order in which the first client comes that is.
fn split(model: &Model, receivers: &[usize], prefix: u32) -> Vec<(FormId, Vec<usize>)> {
    let mut split: Vec<(FormId, Vec<usize>)> = Vec::new();
    for &client in receivers {
        for form in model.owed(client as u16, prefix) {
            match split.iter_mut().find(|(other, _)| *other == form) {
                Some((_, clients)) => clients.push(client),
                None => split.push((form, vec![client])),
            }
        }
    }
    split
}

/// All messages of one audience.
fn encode_run(octets: &mut Vec<u8>, plan: &Plan, model: &Model, forms: &Forms, add_path: bool) {
    for (form, prefixes) in forms {
        // A form is one announcer's, so its number tells the paths of a prefix apart.
        let path_id = add_path.then_some(*form);
        encode_messages(octets, plan, model.forms.key(*form), path_id, prefixes);
    }
}

/// As many UPDATEs as it takes.
fn encode_messages(
    octets: &mut Vec<u8>,
    plan: &Plan,
    key: &[u8],
    path_id: Option<u32>,
    prefixes: &[u32],
) {
    let mut rest = prefixes;
    while !rest.is_empty() {
        let nlri = rest.iter().map(|&prefix| &plan.prefixes[prefix as usize]);
        let count = encode_message(octets, key, path_id, nlri);
        assert!(count > 0, "attributes leave room for a prefix");
        rest = &rest[count..];
    }
}

/// One UPDATE with as many of `prefixes` as fit; returns how many.
fn encode_message<'a>(
    out: &mut Vec<u8>,
    key: &[u8],
    path_id: Option<u32>,
    prefixes: impl Iterator<Item = &'a Prefix>,
) -> usize {
    let start = update::begin(out, UPDATE);
    out.extend([0; 4]);
    let (family, next_hop, attributes) = split_key(key);
    out.extend(attributes);
    let mut reach = Vec::new();
    if family == Family::Ipv6 {
        reach.extend([0, 2, 1, next_hop.len() as u8]);
        reach.extend(next_hop);
        reach.push(0);
    }
    // An attribute's own head is up to four octets long.
    let head_len = if reach.is_empty() { 0 } else { reach.len() + 4 };
    let room = MESSAGE_MAX.saturating_sub(out.len() - start + head_len);
    let (nlri, count) = fill(room, path_id, prefixes);
    if !reach.is_empty() {
        reach.extend(&nlri);
        put(out, 0x80, MP_REACH, &reach);
    }
    let at = start + HEADER_LEN;
    let len = (out.len() - at - 4) as u16;
    out[at + 2..at + 4].copy_from_slice(&len.to_be_bytes());
    if reach.is_empty() {
        out.extend(&nlri);
    }
    update::finish(out, start);
    count
}

/// NLRI of no more than `room` octets, and how many they are.
fn fill<'a>(
    room: usize,
    path_id: Option<u32>,
    prefixes: impl Iterator<Item = &'a Prefix>,
) -> (Vec<u8>, usize) {
    let (mut nlri, mut count) = (Vec::new(), 0);
    for prefix in prefixes {
        let before = nlri.len();
        nlri.extend(path_id.iter().flat_map(|id| id.to_be_bytes()));
        update::encode_prefix(&mut nlri, prefix);
        if nlri.len() > room {
            nlri.truncate(before);
            break;
        }
        count += 1;
    }
    (nlri, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::args::Families;
    use crate::load::session::read_header;

    const CLIENTS: usize = 70;

    fn plan(control_share: f64) -> Plan {
        let args = LoadArgs {
            clients: CLIENTS as u16,
            add_path_clients: 5,
            prefixes: Some(3000),
            paths_per_prefix: 2.5,
            control_share: Some(control_share),
            family: Some(Families::Both),
            ..LoadArgs::defaults()
        };
        make_plan(&args).unwrap()
    }

    /// What a client holds that reads its octets: by prefix, the forms, sorted.
    fn held(owed: &Owed, plan: &Plan, model: &mut Model, client: usize) -> Vec<Vec<FormId>> {
        let octets: Vec<u8> = owed.pieces(client, 0).flatten().copied().collect();
        assert_eq!(octets.len(), owed.table_len(client));
        let index: HashMap<&Prefix, usize> = plan.prefixes.iter().zip(0..).collect();
        let mut held = vec![Vec::new(); plan.prefixes.len()];
        let (mut at, mut ends) = (0, 0);
        while let Some((len, kind)) = read_header(&octets[at..]).unwrap() {
            assert!(kind == UPDATE && len <= MESSAGE_MAX);
            let parts = update::read_update(&octets[at + HEADER_LEN..at + len]).unwrap();
            ends += usize::from(parts.end_of_rib.is_some());
            let add_path = owed.receivers[client].add_path;
            for block in &parts.announced {
                let mut key = Vec::new();
                block.key(&mut key).unwrap();
                let form = model.forms.read_key(&key).unwrap();
                update::read_nlri(block.family, block.nlri, add_path, |_, prefix| {
                    held[index[&prefix]].push(form);
                })
                .unwrap();
            }
            at += len;
        }
        assert_eq!((at, ends), (octets.len(), 2));
        held.iter_mut().for_each(|forms| forms.sort_unstable());
        held
    }

    #[test]
    fn octets_decode_to_what_the_model_says_each_client_is_owed() {
        for control_share in [0.0, 0.4] {
            let plan = plan(control_share);
            let owed = Owed::of(&plan);
            let mut model = announced(&plan);
            for client in 0..CLIENTS {
                let held = held(&owed, &plan, &mut model, client);
                for (prefix, forms) in (0..).zip(&held) {
                    assert_eq!(forms[..], model.owed(client as u16, prefix)[..]);
                }
            }
        }
    }

    #[test]
    fn without_tags_an_audience_is_all_but_one_or_one() {
        let plan = plan(0.0);
        for (members, _) in audiences(&plan, &announced(&plan), false) {
            let count = each_member(&members).count();
            assert!([1, CLIENTS - 5, CLIENTS - 6].contains(&count), "{count}");
        }
    }

    #[test]
    fn a_table_lies_in_few_pieces_and_messages_are_shared() {
        let plan = plan(0.0);
        let owed = Owed::of(&plan);
        let all: usize = (0..CLIENTS).map(|client| owed.table_len(client)).sum();
        assert!(owed.distinct_len() < all / 10);
        for client in 0..CLIENTS - 5 {
            assert!(owed.pieces(client, 0).count() < 8);
        }
    }
}
