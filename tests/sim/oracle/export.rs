//! Export: who may have a route, and in which form.

use std::net::IpAddr;

use super::attributes::{AS_SEQUENCE, Attributes, OTC};
use super::communities::{BLACKHOLE, Request};
use super::{Accepted, Client, ClientId, Oracle, Who};

const NO_EXPORT: (u16, u16) = (65_535, 65_281);
const NO_ADVERTISE: (u16, u16) = (65_535, 65_282);
const NO_EXPORT_SUBCONFED: (u16, u16) = (65_535, 65_283);
/// RFC 8326.
const GRACEFUL_SHUTDOWN: (u16, u16) = (65_535, 0);

/// The requests that count for one client, in the words of actions.
struct Words<'a> {
    requests: &'a [Request],
    client: &'a Client,
}

impl Words<'_> {
    fn any(&self, action: &str, among: impl Fn(&Request) -> bool) -> bool {
        let mut requests = self.requests.iter();
        requests.any(|request| request.action == action && among(request))
    }

    /// To a peer: AS 0 is nobody.
    fn named(&self, action: &str, among: impl Fn(&Request) -> bool) -> bool {
        let asn = self.client.asn;
        let is_meant = |request: &Request| request.last == Some(asn) && asn != 0;
        self.any(action, |request| is_meant(request) && among(request))
    }

    /// The threshold where it is lower, or higher, than the client's round-trip time is `bound`ed by.
    fn rtt_bounds<'b>(&'b self, action: &'b str) -> impl Iterator<Item = u32> + 'b {
        let above = action.contains("_higher_");
        let requests = self.requests.iter();
        let bounds = requests.filter(move |request| request.action == action);
        bounds.filter_map(move |request| {
            let (ms, rtt_us) = (request.last?, self.client.rtt_us?);
            let is_above = rtt_us > ms * 1_000;
            (is_above == above).then_some(ms)
        })
    }

    fn by_rtt(&self, lower: &str, higher: &str) -> bool {
        self.rtt_bounds(lower)
            .chain(self.rtt_bounds(higher))
            .next()
            .is_some()
    }

    /// "Not to a peer" beats "to a peer".
    fn of_peer(&self, among: impl Fn(&Request) -> bool) -> Option<bool> {
        match () {
            () if self.named("do_not_announce_to_peer", &among) => Some(false),
            () if self.named("announce_to_peer", &among) => Some(true),
            () => None,
        }
    }

    /// "Not to those so far away" beats "to those".
    fn of_distance(&self) -> Option<bool> {
        let not = "do_not_announce_to_peers_with_rtt_lower_than";
        let but = "announce_to_peers_with_rtt_lower_than";
        match () {
            () if self.by_rtt(not, "do_not_announce_to_peers_with_rtt_higher_than") => Some(false),
            () if self.by_rtt(but, "announce_to_peers_with_rtt_higher_than") => Some(true),
            () => None,
        }
    }

    /// "To no one" beats "to all".
    fn of_all(&self, among: impl Fn(&Request) -> bool) -> Option<bool> {
        match () {
            () if self.any("do_not_announce_to_any", &among) => Some(false),
            () if self.any("announce_to_any", &among) => Some(true),
            () => None,
        }
    }

    /// The word for the nearest; with "large_first" large communities go before the others, but for
    /// what concerns distances.
    fn decision(&self, large_first: bool) -> (Option<bool>, &'static str) {
        let (every, large) = (|_: &Request| true, |request: &Request| request.is_large);
        let others = |request: &Request| !request.is_large;
        let distance = || self.of_distance().map(|word| (word, "by distance"));
        let steps: Vec<Option<(bool, &'static str)>> = match large_first {
            false => vec![
                self.of_peer(every).map(|word| (word, "by peer")),
                distance(),
                self.of_all(every).map(|word| (word, "by all")),
            ],
            true if self.of_all(large).is_some() => vec![
                self.of_peer(large).map(|word| (word, "by peer")),
                distance(),
                self.of_all(large).map(|word| (word, "large first")),
            ],
            true => vec![
                self.of_peer(large).map(|word| (word, "large first")),
                self.of_peer(others).map(|word| (word, "by peer")),
                distance(),
                self.of_all(others).map(|word| (word, "by all")),
            ],
        };
        match steps.into_iter().flatten().next() {
            Some((word, by)) => (Some(word), by),
            None => (None, "by none"),
        }
    }

    /// What names the peer, then the farthest it is beyond, then the nearest it is within, then what
    /// is for all; the highest count of equals.
    fn prepends(&self) -> (usize, &'static str) {
        if self.requests.is_empty() {
            return (0, "not prepended");
        }
        let counts = [("thrice", 3), ("twice", 2), ("once", 1)];
        let most = |to: &str, is_it: &dyn Fn(&str) -> bool| {
            let mut counts = counts.iter();
            let found = counts.find(|(word, _)| is_it(&format!("prepend_{word}_to_{to}")));
            found.map(|(_, count)| *count)
        };
        let bounds = |to: &str| -> Vec<(u32, usize)> {
            let of = |(word, count): &(&str, usize)| {
                let action = format!("prepend_{word}_to_{to}");
                let bounds: Vec<u32> = self.rtt_bounds(&action).collect();
                bounds
                    .into_iter()
                    .map(|ms| (ms, *count))
                    .collect::<Vec<_>>()
            };
            counts.iter().flat_map(of).collect()
        };
        let beyond = bounds("peers_with_rtt_higher_than").into_iter().max();
        let within = bounds("peers_with_rtt_lower_than");
        let within = within
            .into_iter()
            .min_by_key(|(ms, count)| (*ms, 3 - count));
        let every = |_: &Request| true;
        let to_peer = most("peer", &|action| self.named(action, every));
        let to_any = most("any", &|action| self.any(action, every));
        match (to_peer, beyond, within, to_any) {
            (Some(count), ..) => (count, "prepended to a peer"),
            (_, Some((_, count)), ..) => (count, "prepended beyond a distance"),
            (_, _, Some((_, count)), _) => (count, "prepended within a distance"),
            (.., Some(count)) => (count, "prepended to all"),
            _ => (0, "not prepended"),
        }
    }

    fn marked(&self, to_any: &str, to_peer: &str) -> bool {
        self.any(to_any, |_| true) || self.named(to_peer, |_| true)
    }
}

impl Who {
    fn is(&self, client: &Client) -> bool {
        match self {
            Who::Asn(asn) => client.asn == *asn,
            Who::Name(name) => client.name == *name,
        }
    }
}

fn names(list: &[Who], client: &Client) -> bool {
    list.iter().any(|who| who.is(client))
}

impl Oracle {
    /// Whether client `to` may have it.
    pub(super) fn is_for(&self, path: &Accepted, to: ClientId) -> bool {
        let (receiver, announcer) = (&self.clients[&to], &self.clients[&path.announcer]);
        let heard = &path.heard;
        let hidden = receiver.hide_own_as && heard.asns().any(|asn| asn == receiver.asn);
        let stays = [NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED];
        let stays = stays
            .iter()
            .any(|community| heard.communities.contains(community));
        let words = Words {
            requests: &path.requests,
            client: receiver,
        };
        let (word, by) = words.decision(self.options.communities.large_first);
        let kept_back = [
            (hidden, "kept back: hide_own_as"),
            (announcer.obeys_rfc1997 && stays, "kept back: rfc1997"),
            (!is_in_matrix(announcer, receiver), "kept back: matrix"),
            (
                path.judgement.is_blackhole && !receiver.takes_blackholes,
                "kept back: blackhole",
            ),
            (
                word == Some(false) && by == "by distance",
                "kept back: by distance",
            ),
            (word == Some(false), "kept back: control communities"),
        ];
        let found = kept_back.into_iter().find(|(is_kept, _)| *is_kept);
        if let Some((_, why)) = found {
            self.note(why);
        } else if word == Some(true) && by == "by distance" {
            self.note("let through: by distance");
        }
        found.is_none()
    }

    /// Without what asks for something, with what the server has to say, and without a link-local
    /// next hop that is not configured where next hops are checked.
    pub(super) fn outgoing(&self, path: &Accepted, to: ClientId) -> Attributes {
        let (receiver, announcer) = (&self.clients[&to], &self.clients[&path.announcer]);
        let mut sent = path.stripped.clone();
        if let Some(allowed) = &announcer.checks.next_hops {
            sent.link_local = sent
                .link_local
                .filter(|address| allowed.contains(&IpAddr::V6(*address)));
        }
        let words = Words {
            requests: &path.requests,
            client: receiver,
        };
        let (prepends, by) = words.prepends();
        self.note(by);
        let prepend = |sent: &mut Attributes, asn, count| {
            if count > 0 {
                sent.as_path.insert(0, (AS_SEQUENCE, vec![asn; count]));
            }
        };
        prepend(&mut sent, announcer.asn, prepends);
        self.mark(path, &words, &mut sent);
        let said = self.options.communities.inform(&path.judgement, &mut sent);
        said.into_iter().for_each(|key| self.note(key));
        if receiver.prepend_rs_as {
            self.note("prepend_rs_as");
            prepend(&mut sent, self.options.server_asn, 1);
        }
        if receiver.role && !sent.has(OTC) {
            self.note("ONLY_TO_CUSTOMER added");
            let value = self.options.server_asn.to_be_bytes().to_vec();
            sent.other.insert(OTC, (0xc0, value));
        }
        sent
    }

    /// Well-known communities, and where packets for a blackhole go.
    fn mark(&self, path: &Accepted, words: &Words<'_>, sent: &mut Attributes) {
        let blackhole = &self.options.blackhole;
        let is_blackhole = path.judgement.is_blackhole;
        let no_export = words.marked("add_noexport_to_any", "add_noexport_to_peer");
        let no_advertise = words.marked("add_noadvertise_to_any", "add_noadvertise_to_peer");
        let added = [
            (no_export, NO_EXPORT, "NO_EXPORT added"),
            (no_advertise, NO_ADVERTISE, "NO_ADVERTISE added"),
            (is_blackhole, BLACKHOLE, "blackhole route sent"),
            (
                is_blackhole && blackhole.add_no_export,
                NO_EXPORT,
                "NO_EXPORT on a blackhole route",
            ),
            (
                self.options.is_draining,
                GRACEFUL_SHUTDOWN,
                "GRACEFUL_SHUTDOWN added",
            ),
        ];
        for (is_added, community, what) in added {
            if is_added {
                self.note(what);
            }
            if is_added && !sent.communities.contains(&community) {
                sent.communities.push(community);
            }
        }
        let next_hop = match sent.next_hop {
            IpAddr::V4(_) => blackhole.next_hops.0.map(IpAddr::V4),
            IpAddr::V6(_) => blackhole.next_hops.1.map(IpAddr::V6),
        };
        if let Some(next_hop) = next_hop.filter(|_| is_blackhole) {
            self.note("next hop of a blackhole route rewritten");
            sent.next_hop = next_hop;
            sent.link_local = None;
        }
    }
}

fn is_in_matrix(announcer: &Client, receiver: &Client) -> bool {
    let (sends, takes) = (&announcer.matrix, &receiver.matrix);
    let is_among =
        |only: &Option<Vec<Who>>, client| only.as_ref().is_none_or(|only| names(only, client));
    is_among(&sends.announce_only_to, receiver)
        && !names(&sends.do_not_announce_to, receiver)
        && is_among(&takes.receive_only_from, announcer)
        && !names(&takes.do_not_receive_from, announcer)
}
