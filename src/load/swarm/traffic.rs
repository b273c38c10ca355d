//! Octets between one client's socket and its session, and received prefixes into the tables.

use std::io::{ErrorKind, Read, Write};

use super::refusal::Stage;
use super::{OUTBOX_MAX, Swarm, TURN_OCTETS};
use crate::base::Time;
use crate::load::attributes::Fault;
use crate::load::model::NOTHING;
use crate::load::session::{Appetite, Heard, State, read_header};
use crate::load::table::Effect;
use crate::load::update::HEADER_LEN;

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
            let (head, _) = session.outbox.as_slices();
            if head.is_empty() || written > TURN_OCTETS {
                break Ok(!head.is_empty());
            }
            match socket.write(head) {
                Ok(count) => {
                    session.outbox.drain(..count);
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
        match socket.read(&mut scratch[left..left + limit]) {
            Ok(0) => self.lose(client, "the server closed the connection".into()),
            Ok(count) => {
                self.sessions[client].counters.octets_in += count as u64;
                match self.take_octets(client, &scratch[..left + count]) {
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
    fn take_octets(&mut self, client: usize, octets: &[u8]) -> Result<usize, Fault> {
        let now = self.now();
        let mut at = 0;
        while let Some((len, kind)) = read_header(&octets[at..])? {
            let Some(body) = octets.get(at + HEADER_LEN..at + len) else {
                break;
            };
            at += len;
            let heard = self.sessions[client].handle_message(now, kind, body)?;
            match heard {
                Heard::Update(body) => self.take_update(now, client, body)?,
                Heard::Established => {
                    self.last_change = now;
                    self.was_ever_up = true;
                    self.refusals[client] = None;
                    self.server_asn_heard = self.sessions[client].server_asn;
                }
                Heard::Nothing => {}
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

    fn take_update(&mut self, now: Time, client: usize, body: &[u8]) -> Result<(), Fault> {
        let session = &mut self.sessions[client];
        let add_path = !session.add_path_in.is_empty();
        let decoded = self.reader.read(body, add_path, &mut self.model.forms)?;
        let counters = &mut session.counters;
        counters.updates_in += 1;
        counters.ends_of_rib_in += u64::from(decoded.end_of_rib.is_some());
        counters.withdrawn_in += decoded.withdrawn_count as u64;
        counters.announced_in +=
            (decoded.changes.len() + decoded.foreign.len() - decoded.withdrawn_count) as u64;
        let mut changed = !decoded.foreign.is_empty();
        for change in &decoded.changes {
            match self.tables.receive(
                &self.model,
                client,
                change.prefix,
                change.path_id,
                change.form,
            ) {
                Effect::None => counters.unchanged_in += u64::from(change.form != NOTHING),
                Effect::Changed => changed = true,
                Effect::CameRight => {
                    changed = true;
                    if !self.awaited.is_empty()
                        && let Some((since, awaited)) = self.awaited.get_mut(&change.prefix)
                    {
                        self.latency.saturating_record(now.0 - since.0);
                        *awaited -= 1;
                        if *awaited == 0 {
                            self.awaited.remove(&change.prefix);
                        }
                    }
                }
            }
        }
        for &(prefix, form) in &decoded.foreign {
            self.tables.receive_foreign(client, prefix, form);
        }
        if changed {
            self.last_change = now;
            self.first_change.get_or_insert(now);
            if self.tables.wrong_count(client) == 0 {
                session.complete_at = Some(now);
            }
        }
        Ok(())
    }
}
