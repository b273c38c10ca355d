//! Paths that pass a filter, a piece of the table at a time: read-only, bounded by what is looked at.

use crate::base::{Prefix, PrefixSlot};
use crate::rib::{Path, SetId};
use crate::server::query::{Found, PathRow};
use crate::server::search::{PrefixMatch, RouteFilter};

use super::Shard;

impl Shard {
    /// `limit` counts prefixes, and paths whose prefix passes; the last prefix is looked at whole.
    pub(super) fn search(
        &self,
        filter: &RouteFilter,
        cursor: PrefixSlot,
        limit: u32,
        rows_max: u32,
    ) -> Found {
        match filter.prefix {
            Some(PrefixMatch::Exact(prefix)) => self.search_known(filter, [prefix].into_iter()),
            Some(PrefixMatch::LessSpecific(prefix)) => self.search_known(filter, prefix.covering()),
            _ => self.search_table(filter, cursor, limit, rows_max),
        }
    }

    /// There are few such prefixes, and the table's index finds each.
    fn search_known(&self, filter: &RouteFilter, prefixes: impl Iterator<Item = Prefix>) -> Found {
        let mut looking = Looking::default();
        for slot in prefixes.filter_map(|prefix| self.table.find(&prefix)) {
            self.look_at(filter, slot, &mut looking);
        }
        looking.found
    }

    fn search_table(
        &self,
        filter: &RouteFilter,
        cursor: PrefixSlot,
        limit: u32,
        rows_max: u32,
    ) -> Found {
        let (mut looking, mut slot, end) = (Looking::default(), cursor.0, self.table.slot_count());
        while slot < end
            && looking.found.looked_at < limit.max(1)
            && looking.found.rows.len() < rows_max.max(1) as usize
        {
            self.look_at(filter, PrefixSlot(slot), &mut looking);
            slot += 1;
        }
        looking.found.next = (slot < end).then_some(PrefixSlot(slot));
        looking.found
    }

    fn look_at(&self, filter: &RouteFilter, slot: PrefixSlot, looking: &mut Looking) {
        looking.found.looked_at += 1;
        let paths = &self.table.entry(slot).paths;
        if paths.is_empty() || !filter.passes_prefix(&self.table.prefix(slot)) {
            return;
        }
        looking.found.looked_at += paths.len() as u32;
        for path in paths.iter() {
            if self.passes(filter, path, &mut looking.last) {
                let row: PathRow = self.row(slot, path);
                looking.found.rows.push(row);
            }
        }
    }

    fn passes(&self, filter: &RouteFilter, path: &Path, last: &mut Option<(SetId, bool)>) -> bool {
        let is_announcer = filter.announcer.is_none_or(|slot| slot == path.announcer);
        let class = || self.eligibilities.eligibility(path.eligibility).class;
        if !is_announcer || (filter.verdict.is_some() && !filter.passes_class(class())) {
            return false;
        }
        match *last {
            _ if !filter.concerns_sets() => true,
            Some((set, passes)) if set == path.set => passes,
            _ => {
                let passes = filter.passes_set(self.sets.set(path.set));
                *last = Some((path.set, passes));
                passes
            }
        }
    }
}

/// A search on its way; prefixes beside each other often share their attribute set.
#[derive(Default)]
struct Looking {
    found: Found,
    last: Option<(SetId, bool)>,
}
