//! What of the table another generation touches: what its reload judges again, and what it leaves alone.

use std::sync::Arc;

use crate::base::{ClientSet, ClientSlot};
use crate::policy::{ImportPolicy, PrefixBlocks};

use super::exchange::Exchange;

/// From one generation to another.
#[derive(Debug, Default)]
pub struct Reach {
    /// Everybody's audiences may be others.
    pub audiences: bool,
    /// Clients whose routes are judged again.
    pub judge_again: ClientSet,
    /// Where VRPs changed, and the clients whose routes are judged by them.
    pub rov: Option<(Arc<PrefixBlocks>, ClientSet)>,
    /// Clients that are there no more, or whose slot means somebody else.
    pub removed: ClientSet,
    /// Clients that are kept down and were not.
    pub kept_down: ClientSet,
}

impl Reach {
    pub fn of(old: &Exchange, new: &Exchange) -> Reach {
        let scheme_changed = old.scheme != new.scheme;
        let mut reach = Reach {
            audiences: scheme_changed || old.directory != new.directory,
            ..Reach::default()
        };
        for client in new.clients() {
            let known = old.client(client.slot);
            let is_as_before = known.is_some_and(|known| {
                Arc::ptr_eq(&known.import, &client.import)
                    && known.discard == client.discard
                    && known.treat_as_withdraw == client.treat_as_withdraw
            });
            if !is_as_before || scheme_changed {
                reach.judge_again.insert(client.slot);
            }
        }
        for client in old.clients() {
            match new
                .client(client.slot)
                .filter(|new| new.is_same_peer(client))
            {
                None => reach.removed.insert(client.slot),
                Some(new) if client.may_be_up() && !new.may_be_up() => {
                    reach.kept_down.insert(client.slot);
                }
                Some(_) => {}
            }
        }
        reach.note_outside(old, new);
        reach
    }

    /// Data from outside: routes are judged again where it changed.
    fn note_outside(&mut self, old: &Exchange, new: &Exchange) {
        let (old, since) = (&old.outside, old.generation);
        let users = |uses: fn(&ImportPolicy) -> bool| {
            let clients = new.clients().filter(move |client| uses(&client.import));
            clients.map(|client| client.slot).collect::<ClientSet>()
        };
        if !is_same(&old.aspas, &new.outside.aspas) {
            self.judge_again
                .union_with(&users(ImportPolicy::uses_aspas));
        }
        if is_same(&old.vrps, &new.outside.vrps) {
            return;
        }
        let users = users(ImportPolicy::uses_vrps);
        let changes = new.vrp_changes.as_ref();
        match changes.filter(|changes| changes.since == since) {
            Some(changes) if changes.blocks.is_empty() || users.is_empty() => {}
            Some(changes) => self.rov = Some((changes.blocks.clone(), users)),
            None => self.judge_again.union_with(&users),
        }
    }

    /// Neither a path nor an audience changes.
    pub fn is_empty(&self) -> bool {
        let sets = [&self.judge_again, &self.removed, &self.kept_down];
        !self.audiences && self.rov.is_none() && sets.iter().all(|clients| clients.is_empty())
    }

    /// Whose session does not go on.
    pub fn is_gone(&self, slot: ClientSlot) -> bool {
        self.removed.contains(slot) || self.kept_down.contains(slot)
    }
}

/// Whether it is the very same value: data is compared where it comes in.
fn is_same<T>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
