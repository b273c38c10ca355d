//! What changes in the table, told to the management plane when it asks (BMP, the stream of events).
//! While nobody asks, nothing is kept.

use crate::base::{ClientSet, ClientSlot, Prefix, PrefixSlot, Time};
use crate::rib::{Changes, Form, Path};
use crate::server::query::{TableChange, WatchAnswer, WatchQuestion};
use crate::server::ring::{Ring, Weighed};

use super::{PreImage, Shard};

#[derive(Default)]
pub(super) struct Watch {
    kept: Option<Kept>,
}

struct Kept {
    /// Whose Adj-RIB-Out is asked for.
    named: ClientSet,
    changes: Ring<TableChange>,
}

impl Watch {
    pub fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// Forgets everything when nobody has asked for a while.
    pub fn let_go(&mut self, now: Time) {
        drop(self.kept.take_if(|kept| kept.changes.is_left(now)));
    }

    pub fn answer(&mut self, now: Time, question: &WatchQuestion) -> WatchAnswer {
        let is_new = self.kept.is_none();
        let kept = self.kept.get_or_insert_with(|| Kept {
            named: (*question.named).clone(),
            changes: Ring::new(now, question.after),
        });
        if kept.named != *question.named {
            // Of those who are new only the table says what there is.
            for client in question.named.difference(&kept.named).iter() {
                kept.changes.push(TableChange::Live { client });
            }
            kept.named = (*question.named).clone();
        }
        let piece = kept.changes.take(now, question.after, question.limit);
        WatchAnswer {
            changes: piece.entries,
            last: piece.last,
            has_missed: piece.has_missed || is_new,
            has_more: piece.has_more,
        }
    }
}

impl Weighed for TableChange {
    fn octets(&self) -> usize {
        TableChange::octets(self)
    }
}

impl Shard {
    /// What became of the paths of prefixes since their pre-images.
    pub(super) fn watch_paths(&mut self, pending: &[PreImage]) {
        let Some(mut kept) = self.watch.kept.take() else {
            return;
        };
        for pre_image in pending {
            let prefix = self.table.prefix(pre_image.slot);
            let paths = &self.table.entry(pre_image.slot).paths;
            for old in pre_image.paths.iter() {
                let is_there = |path: &Path| path.announcer == old.announcer;
                if !paths.iter().any(is_there) {
                    kept.changes.push(TableChange::Gone {
                        prefix,
                        announcer: old.announcer,
                    });
                }
            }
            // What a new session heard again is told again.
            let is_told =
                |old: &Path, new: &Path| is_same(old, new) && old.stamp.is_beside(new.stamp);
            let is_new = |new: &&Path| !pre_image.paths.iter().any(|old| is_told(old, new));
            for path in paths.iter().filter(is_new) {
                kept.changes.push(self.heard(prefix, path));
            }
            let (old, new) = (best(&pre_image.paths), best(paths));
            match new {
                Some(new) if !old.is_some_and(|old| is_same(old, new)) => {
                    kept.changes.push(TableChange::Best {
                        prefix,
                        announcer: new.announcer,
                        set: self.sets.set(new.set).clone(),
                    });
                }
                None if old.is_some() => kept.changes.push(TableChange::NoBest { prefix }),
                _ => {}
            }
        }
        self.watch.kept = Some(kept);
    }

    /// A new session has the path of the one before.
    pub(super) fn watch_again(&mut self, slot: PrefixSlot, path: &Path) {
        let change = self.heard(self.table.prefix(slot), path);
        if let Some(kept) = &mut self.watch.kept {
            kept.changes.push(change);
        }
    }

    fn heard(&self, prefix: Prefix, path: &Path) -> TableChange {
        TableChange::Heard {
            prefix,
            announcer: path.announcer,
            class: self.eligibilities.eligibility(path.eligibility).class,
            set: self.sets.set(path.set).clone(),
        }
    }

    /// What goes out to clients whose Adj-RIB-Out is watched.
    pub(super) fn watch_sent(&mut self, changes: &Changes) {
        let Some(kept) = self.watch.kept.as_mut() else {
            return;
        };
        let named = kept.named.clone();
        if named.is_empty() {
            return;
        }
        for record in changes.records() {
            let group = changes.group(record.group);
            let audience = changes.audience(group.audience);
            let form = Form::unpacked(group.form);
            for to in named.iter().filter(|to| audience.contains(*to)) {
                let prefix = self.table.prefix(record.slot);
                let path_id = form.path_id;
                let set = group.set.map(|set| self.sets.set(set).clone());
                kept.changes.push(match set {
                    Some(set) => TableChange::Sent {
                        to,
                        prefix,
                        path_id,
                        set,
                        variant: form.variant,
                    },
                    None => TableChange::Unsent {
                        to,
                        prefix,
                        path_id,
                    },
                });
            }
        }
    }

    /// A walk has brought clients what there was: it was not told one by one.
    pub(super) fn watch_live(&mut self, clients: &ClientSet) {
        let Some(kept) = self.watch.kept.as_mut() else {
            return;
        };
        let live: Vec<ClientSlot> = (kept.named.iter())
            .filter(|slot| clients.contains(*slot))
            .collect();
        for client in live {
            kept.changes.push(TableChange::Live { client });
        }
    }
}

/// Nobody who looks at it would see a difference.
fn is_same(a: &Path, b: &Path) -> bool {
    (a.announcer, a.set, a.eligibility) == (b.announcer, b.set, b.eligibility)
}

/// What is preferred before anybody's wishes are looked at.
fn best(paths: &[Path]) -> Option<&Path> {
    paths.first().filter(|path| path.verdict.is_accepted())
}
