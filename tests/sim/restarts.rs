//! What a client keeps of the server's while that restarts (RFC 4724, RFC 8538).

use std::collections::BTreeSet;

use rialto::base::Time;

use super::oracle::{Net, Table};

#[derive(Default)]
pub struct Restarts {
    /// Routes of the session before that were not announced again.
    pub kept: BTreeSet<(Net, u32)>,
    pub until: Time,
    /// Of this session: (code, subcode).
    pub last_word: Option<(u8, u8)>,
    /// When the last session ended: whether routes were to be kept over a restart, and whether they were.
    pub kept_at_end: Option<(bool, bool)>,
    /// The world has the server restart gracefully.
    pub is_server_restarting: bool,
    /// Prefixes that it has to have without a break.
    pub must_have: BTreeSet<Net>,
    /// Those that it had not, at some moment.
    pub lost: BTreeSet<Net>,
    pub hard_resets: u64,
    pub kept_count: u64,
}

impl Restarts {
    pub fn begin_session(&mut self) {
        self.last_word = None;
    }

    pub fn keep(&mut self, keys: BTreeSet<(Net, u32)>, until: Time) {
        self.kept_count += keys.len() as u64;
        (self.kept, self.until) = (keys, until);
    }

    /// Notes what is missing now.
    pub fn note_lost(&mut self, table: &Table) {
        let lost = self.must_have.extract_if(.., |net| !has(table, net));
        self.lost.extend(lost);
    }

    /// What was missing once and is there in the end, it should have had all the time.
    pub fn check(&self, table: &Table) -> Result<(), String> {
        match self.lost.iter().find(|net| has(table, net)) {
            None => Ok(()),
            Some(net) => Err(format!("{net:?} was not there for a while")),
        }
    }
}

fn has(table: &Table, net: &Net) -> bool {
    table.range((*net, 0)..=(*net, u32::MAX)).next().is_some()
}
