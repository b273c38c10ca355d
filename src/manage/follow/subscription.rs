//! One who is told, and what waits to be taken by them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::{CoreId, ShardId};
use crate::server::query::{TableChange, Tapped};

use super::{News, Wants};

/// What an entry counts beside what hangs on it.
const ENTRY_OCTETS: usize = 64;

/// The reader's end.
pub(super) struct Subscriber {
    octets_max: usize,
    state: Mutex<State>,
    ready: Notify,
}

struct State {
    wants: Wants,
    /// How often that changed.
    version: u64,
    /// With what each counts.
    waiting: VecDeque<(usize, News)>,
    octets: usize,
    /// By shard and core: whether `TableBegins`, `SessionsBegin` were told.
    tables_begun: Vec<bool>,
    sessions_begun: Vec<bool>,
}

/// The subscriber's end.
pub struct Subscription {
    subscriber: Arc<Subscriber>,
}

impl Subscription {
    pub(super) fn new(subscriber: Arc<Subscriber>) -> Subscription {
        Subscription { subscriber }
    }

    /// Waits for what comes next. May be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.try_next() {
                return news;
            }
            self.subscriber.ready.notified().await;
        }
    }

    pub fn try_next(&mut self) -> Option<News> {
        let mut state = self.subscriber.state();
        let (octets, news) = state.waiting.pop_front()?;
        state.octets -= octets;
        Some(news)
    }

    /// Wants something else from now on. Where that is more of tables or of sessions, these begin anew.
    pub fn want(&self, wants: Wants) {
        let mut state = self.subscriber.state();
        let is_more = |before: bool, now: bool| now && !before;
        let named_more = !wants.adj_rib_out.is_subset(&state.wants.adj_rib_out);
        if is_more(state.wants.tables, wants.tables) || named_more {
            state.tables_begun.fill(false);
        }
        if is_more(state.wants.sessions, wants.sessions) {
            state.sessions_begun.fill(false);
        }
        state.wants = wants;
        state.version += 1;
    }
}

impl Subscriber {
    pub fn new(wants: Wants, octets_max: usize, shard_count: u16, core_count: u16) -> Subscriber {
        Subscriber {
            octets_max,
            state: Mutex::new(State {
                wants,
                version: 0,
                waiting: VecDeque::new(),
                octets: 0,
                tables_begun: vec![false; shard_count.into()],
                sessions_begun: vec![false; core_count.into()],
            }),
            ready: Notify::new(),
        }
    }

    /// With how often they changed.
    pub fn wants(&self) -> (Wants, u64) {
        let state = self.state();
        (state.wants.clone(), state.version)
    }

    /// A shard has answered what was asked for wishes of that version: these changes, oldest first,
    /// after what may have been lost.
    pub fn tell_changes(
        &self,
        shard: ShardId,
        has_missed: bool,
        changes: &[Arc<TableChange>],
        version: u64,
    ) {
        let mut state = self.state();
        let has_begun = state.tables_begun.get(shard.index()) == Some(&true);
        if !state.wants.of_shards() || (!has_begun && state.version != version) {
            return;
        }
        if has_missed || !has_begun {
            let has_missed = has_begun;
            self.push(&mut state, 0, News::TableBegins { shard, has_missed });
            set(&mut state.tables_begun, shard.index());
        }
        for change in changes {
            if state.wants.includes_change(change) {
                let (octets, change) = (change.octets(), change.clone());
                if !self.push(&mut state, octets, News::Changed { shard, change }) {
                    break;
                }
            }
        }
        drop(state);
        self.ready.notify_one();
    }

    /// A session core has answered, likewise.
    pub fn tell_entries(
        &self,
        core: CoreId,
        has_missed: bool,
        entries: &[Arc<Tapped>],
        version: u64,
    ) {
        let mut state = self.state();
        let has_begun = state.sessions_begun.get(core.index()) == Some(&true);
        if !state.wants.of_cores() || (!has_begun && state.version != version) {
            return;
        }
        if has_missed || !has_begun {
            let has_missed = has_begun;
            self.push(&mut state, 0, News::SessionsBegin { core, has_missed });
            set(&mut state.sessions_begun, core.index());
        }
        for entry in entries {
            if state.wants.includes_entry(entry) {
                let (octets, entry) = (entry.octets(), entry.clone());
                if !self.push(&mut state, octets, News::Tapped { core, entry }) {
                    break;
                }
            }
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Whether it had room; else all is forgotten and begins anew with the next answers.
    fn push(&self, state: &mut State, octets: usize, news: News) -> bool {
        let octets = ENTRY_OCTETS + octets;
        if state.octets + octets > self.octets_max && !state.waiting.is_empty() {
            state.waiting.clear();
            state.waiting.push_back((ENTRY_OCTETS, News::Lagged));
            state.octets = ENTRY_OCTETS;
            state.tables_begun.fill(false);
            state.sessions_begun.fill(false);
            return false;
        }
        state.octets += octets;
        state.waiting.push_back((octets, news));
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(all: &mut [bool], index: usize) {
    if let Some(one) = all.get_mut(index) {
        *one = true;
    }
}
