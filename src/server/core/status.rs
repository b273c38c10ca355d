//! What a session core says of itself and its clients.

use std::sync::Arc;

use crate::base::{ClientSlot, FamilySet};
use crate::server::query::{ClientStatus, CoreStats, SessionUp, StaleStatus};

use super::SessionCore;
use super::clients::{ClientState, Up};
use super::helper::Stale;

impl SessionCore {
    pub(super) fn statistics(&self) -> CoreStats {
        let packed = self.output.packer.stats();
        CoreStats {
            core: self.core,
            clients: self
                .clients
                .iter()
                .map(|state| self.status(state))
                .collect(),
            octets_in: self.stats.octets_in,
            octets_out: self.stats.octets_out,
            updates_in: self.stats.updates_in,
            updates_encoded: packed.updates,
            nlri_encoded: packed.nlri,
            updates_out: self.stats.updates_out,
            nlri_out: self.stats.nlri_out,
            octets_retained: self.output.gauge.retained() as u64,
            octets_retained_max: self.stats.octets_retained_max,
            refused_connections: self.stats.refused_connections,
            hijacks: self.hijacks.kept(),
            whole_resyncs: self.stats.whole_resyncs,
            window_us: self.output.window().as_micros() as u64,
            window_prefixes: self.output.gather.prefix_count() as u64,
            until_queued: self.stats.until_queued,
            until_written: self.stats.until_written,
            startup_over: self.startup.is_over(),
            startup_wait_ms: self
                .startup
                .waited()
                .map_or(0, |waited| waited.as_millis() as u64),
            generation: self.exchange.generation,
        }
    }

    pub(super) fn sessions(&self) -> Vec<(ClientSlot, Arc<SessionUp>)> {
        let up = |state: &ClientState| Some((state.slot(), state.up.as_ref()?.session.clone()));
        self.clients.iter().filter_map(up).collect()
    }

    fn status(&self, state: &ClientState) -> ClientStatus {
        let up = state.up.as_ref();
        let negotiated = up.map(|up| &up.session.negotiated);
        let connection = up.and_then(|up| self.connections.get(up.conn));
        let counts = |counts: [i64; 2]| counts.map(|count| count.max(0) as u32);
        ClientStatus {
            slot: state.slot(),
            state: state.state.name(),
            since_us: state.since.as_micros(),
            remote: connection.map(|connection| connection.remote),
            router_id: negotiated.map(|n| n.peer_router_id),
            hold_time_s: negotiated.map_or(0, |n| n.hold_time_s),
            families: negotiated.map(|n| n.families).unwrap_or_default(),
            add_path: negotiated.map(|n| n.add_path_send).unwrap_or_default(),
            four_octet: negotiated.is_some_and(|n| n.four_octet),
            extended_messages: negotiated.is_some_and(|n| n.extended_messages),
            keeps_routes: negotiated.is_some_and(|n| n.keeps_routes),
            hard_resets: negotiated.is_some_and(|n| n.hard_resets),
            peer_restart: negotiated.and_then(|n| n.peer_restart),
            received: up.map_or([0; 2], |up| counts(up.counts.received)),
            accepted: up.map_or([0; 2], |up| counts(up.counts.accepted)),
            rejecting: up.map(Up::rejecting).unwrap_or_default(),
            updates_in: state.history.updates_in,
            updates_out: state.history.updates_out,
            nlri_out: state.history.nlri_out,
            octets_in: state.history.octets_in,
            octets_out: state.history.octets_out,
            queue_octets: connection.map_or(0, |connection| connection.out.octets() as u64),
            dirty_prefixes: up.map_or(0, |up| up.dirty.count() as u64),
            stalled: up.is_some_and(|up| up.is_stalled),
            end_of_rib: up.map(|up| up.end_of_rib).unwrap_or_default(),
            stale: (state.stale.as_ref())
                .map_or([None; 2], Stale::kept)
                .map(|kept| {
                    kept.map(|kept| StaleStatus {
                        until_us: kept.until.as_micros(),
                        is_long_lived: kept.is_long_lived,
                    })
                }),
            flaps: state.history.flaps,
            treat_as_withdraw_count: state.history.treat_as_withdraw_count,
            attribute_discard_count: state.history.attribute_discard_count,
            tally: state.history.tally,
            hijack_count: state.history.hijacks.count,
            last_error: state.history.last_error.clone(),
            last_family_refused: None,
        }
    }
}

impl Up {
    fn rejecting(&self) -> FamilySet {
        let families = FamilySet::ALL.iter();
        families
            .filter(|family| self.blocks[family.index()].rejection.is_on())
            .collect()
    }
}
