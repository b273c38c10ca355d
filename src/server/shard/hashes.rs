//! Which prefixes "block" may keep of a client, piece by piece. What changes meanwhile is counted, and then
//! the core asks again.

use crate::base::{ClientSlot, Family, PrefixSlot, SessionEpoch};
use crate::rib::Path;
use crate::server::message::ToCore;

use super::Shard;
use super::routes::is_acceptable;

/// Table entries that one turn looks at.
const PIECE_ENTRIES: u32 = 16_384;

/// One question, and what has been found so far.
pub(super) struct Hashes {
    slot: ClientSlot,
    epoch: SessionEpoch,
    family: Family,
    cursor: u32,
    found: Vec<u64>,
}

impl Shard {
    pub(super) fn handle_ask_hashes(
        &mut self,
        slot: ClientSlot,
        epoch: SessionEpoch,
        family: Family,
    ) {
        self.hashes.push_back(Hashes {
            slot,
            epoch,
            family,
            cursor: 0,
            found: Vec::new(),
        });
    }

    pub(super) fn hashes_piece(&mut self) {
        let Some(mut hashes) = self.hashes.pop_front() else {
            return;
        };
        let Some(client) = self.exchange.client(hashes.slot) else {
            return;
        };
        let Hashes { slot, family, .. } = hashes;
        let core = client.core;
        let is_counted = |path: &Path| {
            path.announcer == slot
                && self.is_of_session(path, family)
                && is_acceptable(path.verdict)
        };
        let count = self.table.slot_count();
        let end = hashes.cursor.saturating_add(PIECE_ENTRIES).min(count);
        for at in (hashes.cursor..end).map(PrefixSlot) {
            let entry = self.table.entry(at);
            if entry.family() == family && entry.paths.iter().any(is_counted) {
                hashes.found.push(self.table.prefix(at).shard_hash());
            }
        }
        hashes.cursor = end;
        if end < count {
            return self.hashes.push_front(hashes);
        }
        self.outbox.push(
            core,
            ToCore::Hashes {
                slot,
                epoch: hashes.epoch,
                family,
                hashes: hashes.found,
            },
        );
    }
}
