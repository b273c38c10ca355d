//! What of a client a collector is told, as BMP messages. Knows nothing of queues.

use std::sync::Arc;

use crate::base::{Asn, Family, FamilySet, PathId, Prefix, ShardId};
use crate::manage::census::Census;
use crate::server::exchange::Exchange;
use crate::server::query::SessionUp;
use crate::session::DownReason;
use crate::wire::{
    AttributeSet, BmpEnds, BmpPeer, BmpPeerDown, BmpStatistic, BmpTable, Capabilities,
    CommunityScrub, EXTENDED_MESSAGE_MAX, EncodingClass, HOLD_TIMER_EXPIRED, KeepAll, Notification,
    Open, TimeOfDay, Variant, encode_announcements, encode_attributes, encode_end_of_rib,
    encode_peer_down, encode_peer_up, encode_route_monitoring, encode_statistics,
    encode_withdrawals, fits,
};

/// RFC 4271 §8.1.2.
const MANUAL_STOP_EVENT: u16 = 2;

/// The name of the table that a Loc-RIB without a name has (RFC 9069 §4.4.1).
const GLOBAL: &str = "global";
/// "SendHoldTimer_Expires" (RFC 9687 §4.1).
const SEND_HOLD_TIMER_EVENT: u16 = 29;

/// For UPDATEs within BMP.
const CLASS: EncodingClass = EncodingClass {
    v6_next_hops: true,
    ..EncodingClass::PLAIN
};

/// A client whose session is up.
#[derive(Clone, Debug)]
pub struct Peer {
    pub up: Arc<SessionUp>,
    /// Families whose End-of-RIB the collector has yet to be told.
    pub unfinished: FamilySet,
    /// The same of what it is sent.
    pub unfinished_sent: FamilySet,
    /// Shards that brought it to the present state of their tables, and whose part was told.
    pub sent_by: Vec<ShardId>,
    /// It came up after the collector was told of the others.
    pub is_late: bool,
    /// Families whose End-of-RIB it had sent when it was last looked at.
    pub said: FamilySet,
    pub since: TimeOfDay,
    /// How what is sent to it is encoded.
    class: EncodingClass,
}

/// Routes to be told: prefixes with one set, or gone.
pub struct Routes<'a> {
    pub family: Family,
    pub set: Option<(&'a AttributeSet, Variant)>,
    pub nlri: &'a mut dyn Iterator<Item = (Prefix, Option<PathId>)>,
}

impl Peer {
    pub fn new(up: Arc<SessionUp>, since: TimeOfDay, exchange: &Exchange) -> Peer {
        let client = exchange.client_at(up.remote.ip());
        let settings = client.map(|client| &client.session);
        let server_asn = |wanted: bool| if wanted { exchange.asn } else { Asn(0) };
        Peer {
            unfinished: up.negotiated.families,
            unfinished_sent: up.negotiated.families,
            sent_by: Vec::new(),
            is_late: false,
            said: FamilySet::EMPTY,
            since,
            class: EncodingClass {
                add_path: up.negotiated.add_path_send,
                otc: server_asn(settings.is_some_and(|settings| settings.role.is_some())),
                rs_as: server_asn(settings.is_some_and(|settings| settings.prepend_rs_as)),
                ..CLASS
            },
            up,
        }
    }

    pub fn header(&self, table: BmpTable, at: TimeOfDay) -> BmpPeer {
        BmpPeer {
            table,
            address: self.up.remote.ip().to_canonical(),
            asn: self.up.negotiated.peer_asn,
            router_id: self.up.negotiated.peer_router_id,
            at,
        }
    }

    pub fn push_up(&self, out: &mut Vec<u8>) {
        let ends = BmpEnds {
            local: self.up.local.ip().to_canonical(),
            local_port: self.up.local.port(),
            remote_port: self.up.remote.port(),
        };
        let opens = (&self.up.sent_open[..], &self.up.received_open[..]);
        let header = self.header(BmpTable::PrePolicy, self.since);
        encode_peer_up(out, &header, &ends, opens, None);
    }

    pub fn push_down(&self, out: &mut Vec<u8>, at: TimeOfDay, why: &DownReason) {
        let mut message = Vec::new();
        if let Some(notification) = why.notification() {
            notification.encode(&mut message, EXTENDED_MESSAGE_MAX);
        }
        let why = match why {
            DownReason::Stopped { .. } | DownReason::Fault { .. } => {
                BmpPeerDown::LocalNotification(&message)
            }
            DownReason::HoldTimer { .. } => {
                let expired = Notification::new(HOLD_TIMER_EXPIRED, 0, []);
                expired.encode(&mut message, EXTENDED_MESSAGE_MAX);
                BmpPeerDown::LocalNotification(&message)
            }
            DownReason::PeerNotification(_) => BmpPeerDown::RemoteNotification(&message),
            DownReason::PeerClosed | DownReason::Superseded => BmpPeerDown::RemoteClosed,
            DownReason::SendHoldTimer { .. } | DownReason::OpenTimer { .. } => {
                BmpPeerDown::LocalEvent(SEND_HOLD_TIMER_EVENT)
            }
            DownReason::Restarting => BmpPeerDown::LocalEvent(MANUAL_STOP_EVENT),
        };
        let header = self.header(BmpTable::PrePolicy, at);
        encode_peer_down(out, &header, why);
    }

    /// Of one of its tables. What goes out to it is `scrub`bed as it is on the way.
    pub fn push_routes(
        &self,
        out: &mut Vec<u8>,
        (table, at): (BmpTable, TimeOfDay),
        routes: Routes<'_>,
        scrub: &dyn CommunityScrub,
    ) {
        let header = self.header(table, at);
        match table {
            BmpTable::AdjRibOut => push_routes(out, &header, &self.class, routes, scrub),
            _ => push_routes(out, &header, &CLASS, routes, &KeepAll),
        }
    }

    pub fn push_end_of_rib(&self, out: &mut Vec<u8>, table: BmpTable, family: Family) {
        push_end_of_rib(out, &self.header(table, TimeOfDay::default()), family);
    }

    /// End-of-RIB of what it is sent, where it has yet to be told.
    pub fn push_end_of_sent(&mut self, out: &mut Vec<u8>) {
        for family in std::mem::take(&mut self.unfinished_sent).iter() {
            self.push_end_of_rib(out, BmpTable::AdjRibOut, family);
        }
    }

    pub fn push_statistics(
        &self,
        out: &mut Vec<u8>,
        at: TimeOfDay,
        exchange: &Exchange,
        census: &Census,
    ) {
        let Some(client) = exchange.client_at(self.up.remote.ip()) else {
            return;
        };
        let Some(status) = census.client(client.slot) else {
            return;
        };
        let tally = &status.tally;
        // Where a shard is silent, it is not known.
        let is_whole = census.silent.is_empty();
        let rejected = is_whole.then(|| census.rejected(client.slot));
        let advertised = census.advertised(client.slot);
        // RFC 7854 §4.8: a counter wraps around.
        let counter = |kind, count| BmpStatistic::Counter(kind, count as u32);
        let received = status.received.iter().map(|count| u64::from(*count)).sum();
        let mut statistics = vec![
            counter(0, tally.rejected_prefixes),
            counter(1, tally.duplicate_announcements),
            counter(2, tally.duplicate_withdrawals),
            counter(4, tally.looped_updates),
            BmpStatistic::Gauge(7, received),
            counter(11, status.treat_as_withdraw_count),
            counter(12, tally.treat_as_withdraw_prefixes),
            counter(13, tally.duplicate_updates),
        ];
        // RFC 8671 §6.2, as it was when it was last counted.
        let sent = advertised.map(|counts| BmpStatistic::Gauge(15, counts.iter().sum()));
        statistics.extend(sent);
        for family in self.up.negotiated.families.iter() {
            let index = family.index();
            let of = |counts: [u32; 2]| u64::from(counts[index]);
            let rejected = rejected.as_ref();
            let rejected = rejected.map(|it| it.values().map(|counts| of(*counts)).sum());
            let gauge = |kind, count| BmpStatistic::FamilyGauge(kind, family, count);
            statistics.push(gauge(9, of(status.received)));
            statistics.extend(advertised.map(|counts| gauge(17, counts[index])));
            // RFC 9972: post-policy, and rejected by policy.
            statistics.push(gauge(21, of(status.accepted)));
            statistics.extend(rejected.map(|count| gauge(22, count)));
        }
        encode_statistics(out, &self.header(BmpTable::PrePolicy, at), &statistics);
    }
}

/// The server's own table.
#[derive(Clone, Copy, Debug)]
pub struct LocRib {
    header: BmpPeer,
}

impl LocRib {
    pub fn new(exchange: &Exchange) -> LocRib {
        LocRib {
            header: BmpPeer {
                table: BmpTable::LocRib,
                address: exchange.router_id.into(),
                asn: exchange.asn,
                router_id: exchange.router_id,
                at: TimeOfDay::default(),
            },
        }
    }

    /// Both OPENs are made up, as RFC 9069 §4.4 wants it.
    pub fn push_up(&self, out: &mut Vec<u8>, at: TimeOfDay) {
        let open = Open {
            asn: self.header.asn,
            hold_time_s: 0,
            router_id: self.header.router_id,
            capabilities: Capabilities {
                families: FamilySet::ALL,
                ipv6_next_hops: true,
                extended_messages: true,
                four_octet_asn: Some(self.header.asn),
                ..Capabilities::default()
            },
        };
        let mut message = Vec::new();
        open.encode(&mut message);
        let ends = BmpEnds {
            local: self.header.address,
            local_port: 0,
            remote_port: 0,
        };
        let header = BmpPeer { at, ..self.header };
        encode_peer_up(out, &header, &ends, (&message, &message), Some(GLOBAL));
    }

    pub fn push_routes(&self, out: &mut Vec<u8>, at: TimeOfDay, routes: Routes<'_>) {
        push_routes(
            out,
            &BmpPeer { at, ..self.header },
            &CLASS,
            routes,
            &KeepAll,
        );
    }

    pub fn push_end_of_rib(&self, out: &mut Vec<u8>, family: Family) {
        push_end_of_rib(out, &self.header, family);
    }

    /// Nothing, where a shard is silent: what it has is not known.
    pub fn push_statistics(&self, out: &mut Vec<u8>, at: TimeOfDay, census: &Census) {
        let Some(counts) = census.loc_rib() else {
            return;
        };
        let mut statistics = vec![BmpStatistic::Gauge(8, counts.iter().sum())];
        let families = Family::ALL.into_iter();
        statistics.extend(
            families.map(|family| BmpStatistic::FamilyGauge(10, family, counts[family.index()])),
        );
        encode_statistics(out, &BmpPeer { at, ..self.header }, &statistics);
    }

    pub fn push_down(&self, out: &mut Vec<u8>, at: TimeOfDay) {
        let header = BmpPeer { at, ..self.header };
        encode_peer_down(out, &header, BmpPeerDown::LocRib(GLOBAL));
    }
}

fn push_routes(
    out: &mut Vec<u8>,
    header: &BmpPeer,
    class: &EncodingClass,
    routes: Routes<'_>,
    scrub: &dyn CommunityScrub,
) {
    let mut updates = Vec::new();
    match routes.set {
        None => {
            encode_withdrawals(&mut updates, class, routes.family, routes.nlri);
        }
        Some((set, variant)) => {
            let mut attributes = Vec::new();
            encode_attributes(
                &mut attributes,
                set,
                variant,
                variant.prepend_as,
                class,
                scrub,
            );
            let next_hop = match variant.flags.is_empty() {
                true => set.next_hop(),
                false => scrub.next_hop(variant, set.next_hop()),
            };
            let (family, nlri) = (routes.family, routes.nlri);
            // Attributes from or for a session with two-octet ASNs or long messages may need one here.
            let class = EncodingClass {
                message_max: match fits(class, attributes.len(), next_hop, family) {
                    true => class.message_max,
                    false => EXTENDED_MESSAGE_MAX,
                },
                ..*class
            };
            encode_announcements(&mut updates, &class, &attributes, next_hop, family, nlri);
        }
    }
    encode_route_monitoring(out, header, &updates);
}

fn push_end_of_rib(out: &mut Vec<u8>, header: &BmpPeer, family: Family) {
    let mut update = Vec::new();
    encode_end_of_rib(&mut update, family);
    encode_route_monitoring(out, header, &update);
}
