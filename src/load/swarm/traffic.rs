//! Octets between one client's socket and its session, and received prefixes into the tables.

use std::io::{ErrorKind, Read, Write};

use super::refusal::Stage;
use super::{OUTBOX_MAX, Swarm, TURN_OCTETS};
use crate::base::Time;
use crate::load::attributes::Fault;
use crate::load::forms::NOTHING;
use crate::load::memory::Stretch;
use crate::load::session::{Appetite, Heard, State, read_header};
use crate::load::update::{HEADER_LEN, UPDATE};

impl Swarm {
    pub(super) fn write(&mut self, client: usize) {
        let now = self.now();
        let Some(socket) = &mut self.links[client].socket else {
            return;
        };
        let session = &mut self.sessions[client];
        if session.state == State::Connecting {
            match socket
                .take_error()
                .and_then(|error| error.map_or(Ok(()), Err))
                .and_then(|()| socket.peer_addr())
            {
                Ok(_) => {
                    let plan = &self.plan;
                    session.handle_connected(
                        now,
                        &plan.clients[client],
                        plan.families,
                        self.settings.hold_time_s,
                    );
                    let since = session.connecting_since.unwrap_or(now);
                    self.queue.note_connected(since, now);
                }
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(error) => {
                    return self.connect_failed(client, Stage::NotConnected, &error.to_string());
                }
            }
        }
        let mut written = 0;
        let result = loop {
            if !session.has_announced() && session.state == State::Established {
                session.announce(
                    now,
                    &self.plan,
                    &self.plan.clients[client].routes,
                    OUTBOX_MAX,
                );
                self.last_change = now;
            }
            let head = session.outbox.head();
            if head.is_empty() || written > TURN_OCTETS {
                break Ok(!head.is_empty());
            }
            match socket.write(head) {
                Ok(count) => {
                    session.outbox.advance(count);
                    written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.links[client].writable = false;
                    break Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        match result {
            Ok(true) => self.queue_write(client),
            Ok(false) => {}
            // What the server said last may still lie unread.
            Err(_) if self.links[client].readable => self.queue_read(client),
            Err(error) => self.lose(client, error.to_string()),
        }
    }

    pub(super) fn read(&mut self, client: usize) {
        let limit = match self.sessions[client].appetite {
            Appetite::Full => TURN_OCTETS,
            Appetite::Nothing if self.sessions[client].state == State::Established => return,
            Appetite::Nothing => TURN_OCTETS,
            Appetite::Slow(_) => std::mem::take(&mut self.links[client].allowance).min(TURN_OCTETS),
        };
        let Some(socket) = self.links[client].socket.as_mut().filter(|_| limit > 0) else {
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let inbox = &mut self.sessions[client].inbox;
        let left = inbox.len();
        scratch[..left].copy_from_slice(inbox);
        inbox.clear();
        let result = socket.read(&mut scratch[left..left + limit]);
        let now = self.now();
        match result {
            Ok(0) => self.lose(client, "the server closed the connection".into()),
            Ok(count) => {
                self.sessions[client].counters.octets_in += count as u64;
                match self.take_octets(now, client, &scratch[..left + count]) {
                    Ok(used) => {
                        self.sessions[client]
                            .inbox
                            .extend(&scratch[used..left + count]);
                        // Fewer octets than asked for: more will be told by an event (edge-triggered).
                        let link = &mut self.links[client];
                        link.readable = link.readable && (count == limit || link.closed);
                        self.queue_read(client);
                    }
                    Err(Fault(why)) => self.lose(client, why),
                }
            }
            Err(error) => {
                self.sessions[client].inbox.extend(&scratch[..left]);
                match error.kind() {
                    ErrorKind::WouldBlock => self.links[client].readable = false,
                    ErrorKind::Interrupted => self.queue_read(client),
                    _ => self.lose(client, error.to_string()),
                }
            }
        }
        self.scratch = scratch;
    }

    /// Takes the whole messages out of `octets`; returns how many octets those were.
    fn take_octets(&mut self, now: Time, client: usize, octets: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        loop {
            let session = &self.sessions[client];
            let add_path = !session.add_path_in.is_empty();
            if session.state == State::Established {
                let known = self.reader.follow(client, add_path, &octets[at..]);
                if let Some(stretch) = known {
                    at += stretch.octets_len;
                    self.take_stretch(now, client, stretch);
                    continue;
                }
            }
            let Some((len, kind)) = read_header(&octets[at..])? else {
                break;
            };
            let Some(message) = octets.get(at..at + len) else {
                break;
            };
            at += len;
            let session = &mut self.sessions[client];
            if kind == UPDATE && session.state == State::Established {
                let forms = &mut self.model.forms;
                let stretch = self.reader.read(client, add_path, message, forms)?;
                self.take_stretch(now, client, stretch);
                continue;
            }
            if session.handle_message(now, kind, &message[HEADER_LEN..])? == Heard::Established {
                self.note_established(now, client);
            }
            self.queue_write(client);
            if matches!(self.sessions[client].appetite, Appetite::Nothing)
                && self.sessions[client].state == State::Established
            {
                break;
            }
        }
        Ok(at)
    }

    /// UPDATEs in a row that all came with one read.
    fn take_stretch(&mut self, now: Time, client: usize, stretch: Stretch) {
        let session = &mut self.sessions[client];
        session.last_heard = now;
        let memory = self.reader.memory(!session.add_path_in.is_empty());
        let changes = memory.changes(stretch.changes);
        let counters = &mut session.counters;
        counters.updates_in += stretch.message_count as u64;
        counters.withdrawn_in += stretch.withdrawn_count as u64;
        counters.announced_in += (changes.len() - stretch.withdrawn_count) as u64;
        let (tables, model) = (&mut self.tables, &self.model);
        let is_timed = session.appetite == Appetite::Full
            && (!self.awaited.is_empty() || self.flips.are_watched)
            && self.joiner != Some(client);
        let effect = if !is_timed {
            tables.receive(model, client, changes, |_| {})
        } else {
            let latency = match self.is_joining {
                true => &mut self.latency_joining,
                false => &mut self.latency,
            };
            let (awaited, gaps, flips) = (&mut self.awaited, &mut self.gaps, &mut self.flips);
            tables.receive(model, client, changes, |prefix| {
                let Some(since) = awaited.arrived(prefix) else {
                    return flips.note(now);
                };
                latency.saturating_record(now.0.saturating_sub(since.0));
                gaps.note(client, now);
            })
        };
        counters.unchanged_in += effect.unchanged_count as u64;
        let mut changed = effect.changed;
        if memory.is_special(stretch.last) {
            counters.ends_of_rib_in += u64::from(memory.is_end_of_rib(stretch.last));
            for &(prefix, form) in memory.foreign(stretch.last) {
                let count = match form {
                    NOTHING => &mut counters.withdrawn_in,
                    _ => &mut counters.announced_in,
                };
                *count += 1;
                changed = true;
                self.tables.receive_foreign(client, prefix, form);
            }
        }
        if changed {
            self.last_change = now;
            self.first_change.get_or_insert(now);
            if self.tables.wrong_count(client) == 0 {
                self.sessions[client].complete_at = Some(now);
            }
        }
    }
}
