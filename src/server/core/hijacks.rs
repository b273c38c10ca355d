//! Routes whose next hop is the address of another client (RFC 7948 §4.8): traffic would go to somebody
//! who never asked for it. Each pair of client and next hop is kept once, with the last of its routes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::{ClientSlot, Prefix, Time};
use crate::server::exchange::{Client, Exchange};
use crate::server::query::Hijack;
use crate::wire::{AttributeSet, NextHop, Nlri};

use super::log_lines::LogLines;

/// Pairs that are kept, of all clients and of one.
const KEPT_MAX: usize = 128;
const KEPT_OF_ONE_MAX: usize = 16;
/// A line for each client in this time.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// The last ones; the least recent goes first.
pub(super) struct Hijacks {
    kept: Vec<Hijack>,
    owners: Owners,
}

/// Whose next hops addresses are. Looked up for each such announcement: a client may send many.
type Owners = HashMap<IpAddr, SmallVec<[ClientSlot; 2]>>;

/// What a client did so far.
#[derive(Default)]
pub(super) struct HijackHistory {
    /// Prefixes, each time that they came.
    pub count: u64,
    next_line: Time,
    unsaid: u64,
}

impl Hijacks {
    pub fn new(exchange: &Exchange) -> Hijacks {
        Hijacks {
            kept: Vec::new(),
            owners: owners(exchange),
        }
    }

    /// A client announced these with a next hop that is none of its own.
    pub fn note(
        &mut self,
        now: Time,
        exchange: &Exchange,
        client: &Client,
        (history, lines): (&mut HijackHistory, &mut LogLines),
        (set, nlri): (&Arc<AttributeSet>, &Nlri<'_>),
    ) {
        let (Some((next_hop, owner)), Some(prefix)) =
            (self.victim(exchange, client, set), nlri.iter().last())
        else {
            return;
        };
        let prefixes = nlri.count() as u64;
        history.count += prefixes;
        history.say(now, lines, (client, owner), (prefix, prefixes, next_hop));
        self.keep(Hijack {
            slot: client.slot,
            next_hop,
            of: owner.slot,
            first: now,
            last: now,
            prefixes,
            prefix,
            set: set.clone(),
        });
    }

    /// Most recent last.
    pub fn kept(&self) -> Vec<Hijack> {
        self.kept.clone()
    }

    /// Forgets those of slots that mean somebody else in a new generation.
    pub fn handle_reload(&mut self, old: &Exchange, new: &Exchange) {
        self.owners = owners(new);
        let is_same = |slot: ClientSlot| match (old.client(slot), new.client(slot)) {
            (Some(before), Some(after)) => before.is_same_peer(after),
            _ => false,
        };
        self.kept
            .retain(|hijack| is_same(hijack.slot) && is_same(hijack.of));
    }

    /// The address, and the client of another ASN that it belongs to.
    fn victim<'e>(
        &self,
        exchange: &'e Exchange,
        client: &Client,
        set: &AttributeSet,
    ) -> Option<(IpAddr, &'e Arc<Client>)> {
        let addresses: [Option<IpAddr>; 2] = match set.next_hop() {
            NextHop::V4(address) => [Some(address.into()), None],
            NextHop::V6(address) => [Some(address.into()), None],
            NextHop::V6LinkLocal(address, link_local) => {
                [Some(address.into()), Some(link_local.into())]
            }
        };
        let is_other = |other: &&Arc<Client>| other.asn != client.asn;
        addresses.into_iter().flatten().find_map(|address| {
            let by_session = exchange.client_at(address).filter(is_other);
            let listed = self.owners.get(&address).into_iter().flatten();
            let mut listed = listed.filter_map(|slot| exchange.client(*slot));
            Some((address, by_session.or_else(|| listed.find(is_other))?))
        })
    }

    fn keep(&mut self, mut new: Hijack) {
        let is_same = |kept: &Hijack| (kept.slot, kept.next_hop) == (new.slot, new.next_hop);
        if let Some(at) = self.kept.iter().position(is_same) {
            let before = self.kept.remove(at);
            new.first = before.first;
            new.prefixes += before.prefixes;
        }
        let is_of_one = |kept: &Hijack| kept.slot == new.slot;
        let of_one = self.kept.iter().filter(|kept| is_of_one(kept)).count();
        if of_one >= KEPT_OF_ONE_MAX {
            let first = self.kept.iter().position(is_of_one);
            first.map(|at| self.kept.remove(at));
        } else if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push(new);
    }
}

impl HijackHistory {
    fn say(
        &mut self,
        now: Time,
        lines: &mut LogLines,
        (client, owner): (&Client, &Client),
        (prefix, prefixes, next_hop): (Prefix, u64, IpAddr),
    ) {
        if now < self.next_line {
            self.unsaid += prefixes;
            return;
        }
        self.next_line = now + LOG_EVERY;
        let unsaid = std::mem::take(&mut self.unsaid);
        if let Some(left_out) = lines.take(now) {
            tracing::warn!(
                client = client.name.as_str(),
                asn = client.asn.0,
                left_out,
                %prefix,
                prefixes,
                %next_hop,
                of = owner.name.as_str(),
                of_asn = owner.asn.0,
                prefixes_unsaid_before = unsaid,
                "next hop of another client: traffic would go to {}",
                owner.name
            );
        }
    }
}

fn owners(exchange: &Exchange) -> Owners {
    let mut owners = Owners::default();
    for client in exchange.clients() {
        for address in client.import.next_hops() {
            owners.entry(*address).or_default().push(client.slot);
        }
    }
    owners
}
