//! Somebody who is told what happens to the sessions of a core, now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rialto::base::{ClientSet, ClientSlot, Time};
use rialto::server::SessionCore;
use rialto::server::query::{CoreCommand, CoreReply, TapAnswer, TapQuestion, TappedWhat};

/// Whose messages are asked for.
const NAMED: [ClientSlot; 3] = [ClientSlot(1), ClientSlot(2), ClientSlot(5)];

#[derive(Default)]
pub struct Tap {
    after: u64,
    /// As the entries say.
    up: BTreeSet<ClientSlot>,
    /// UPDATEs of the present sessions.
    received: BTreeMap<ClientSlot, u64>,
    sent: BTreeMap<ClientSlot, u64>,
    has_begun: bool,
}

impl Tap {
    pub fn step(&mut self, now: Time, core: &mut SessionCore, limit: u32) -> bool {
        let named: Arc<ClientSet> = Arc::new(NAMED.into_iter().collect());
        let question = TapQuestion {
            after: self.after,
            limit,
            received: named.clone(),
            sent: named,
        };
        let CoreReply::Tapped(answer) = core.handle_command(now, CoreCommand::Tap(question)) else {
            panic!("Tap was answered with something else");
        };
        let TapAnswer {
            entries,
            last,
            has_missed,
            has_more,
        } = answer;
        if has_missed {
            *self = Tap {
                up: sessions(now, core),
                ..Tap::default()
            };
        }
        self.has_begun = true;
        self.after = last;
        for entry in entries {
            match entry.what {
                TappedWhat::Up(_) => {
                    self.up.insert(entry.slot);
                    self.received.insert(entry.slot, 0);
                    self.sent.insert(entry.slot, 0);
                }
                TappedWhat::Down(_) => drop(self.up.remove(&entry.slot)),
                TappedWhat::Failed(_) | TappedWhat::ReceivedOther(_) => {}
                TappedWhat::Received(_) => {
                    self.received
                        .entry(entry.slot)
                        .and_modify(|count| *count += 1);
                }
                TappedWhat::Sent(message) => {
                    let is_update = message[18] == 2;
                    let count = self.sent.entry(entry.slot);
                    count.and_modify(|count| *count += u64::from(is_update));
                }
            }
        }
        has_more
    }

    /// Of sessions that came up meanwhile: UPDATEs that it was told of, received and sent.
    pub fn counts(&mut self, now: Time, core: &mut SessionCore) -> Result<Counts, String> {
        if !self.has_begun {
            return Ok(Counts::new());
        }
        while self.step(now, core, 7) {}
        let truth = sessions(now, core);
        if self.up != truth {
            return Err(format!("told of {:?}, up are {truth:?}", self.up));
        }
        let is_up = |slot: &&ClientSlot| self.up.contains(*slot);
        let count = |slot: &ClientSlot| (*slot, [self.received[slot], self.sent[slot]]);
        let named = NAMED.iter().filter(|slot| self.received.contains_key(slot));
        Ok(named.filter(is_up).map(count).collect())
    }
}

/// UPDATEs received and sent.
pub type Counts = BTreeMap<ClientSlot, [u64; 2]>;

fn sessions(now: Time, core: &mut SessionCore) -> BTreeSet<ClientSlot> {
    match core.handle_command(now, CoreCommand::Sessions) {
        CoreReply::Sessions(all) => all.into_iter().map(|(slot, _)| slot).collect(),
        other => panic!("Sessions was answered with {other:?}"),
    }
}
