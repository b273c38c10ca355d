//! The stream of UPDATEs and session changes, cut into files by time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use crate::base::{Asn, ClientSet, ClientSlot, CoreId, Family};
use crate::config::MrtConfig;
use crate::manage::calendar::Calendar;
use crate::manage::census::within;
use crate::manage::follow::{News, Subscription, Wants};
use crate::manage::plane::{Current, Plane};
use crate::server::query::{CoreCommand, CoreReply, SessionUp, Tapped, TappedWhat};
use crate::wire::{MessageForm, MrtSession, encode_mrt_message, encode_state_change};

use super::file::MrtFile;
use super::now_s;

/// What may wait to be written.
const OCTETS_MAX: usize = 32 << 20;
/// How often what has come is written, and the configuration looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Between complaints.
const QUIET_S: u64 = 60;

/// States of RFC 4271 §8.2.2, by number.
const IDLE: u16 = 1;
const OPEN_CONFIRM: u16 = 5;
const ESTABLISHED: u16 = 6;

/// Writes while the configuration wants it, for ever.
pub(in crate::manage) async fn write_updates(plane: Arc<Plane>) {
    loop {
        let mrt = plane.current().config.mrt.clone();
        match mrt
            .as_ref()
            .and_then(|mrt| Some((mrt, mrt.updates_interval?)))
        {
            Some((mrt, interval)) => Stream::new(&plane, mrt, interval).run().await,
            None => sleep(LOOK).await,
        }
    }
}

struct Stream<'p> {
    plane: &'p Plane,
    config: MrtConfig,
    interval_s: u64,
    /// What the wishes were made of.
    current: Arc<Current>,
    subscription: Subscription,
    sessions: HashMap<ClientSlot, Arc<SessionUp>>,
    calendar: Calendar,
    file: Option<MrtFile>,
    /// The interval of the file, or of the last one that could not be.
    period: Option<u64>,
    complained_s: u64,
}

fn wants(current: &Current, mrt: &MrtConfig) -> Wants {
    let exchange = &current.exchange;
    let named = mrt.sent_to.iter();
    let sent = named.filter_map(|name| exchange.client_named(name));
    Wants {
        sessions: true,
        received: exchange.clients().map(|client| client.slot).collect(),
        sent: sent.map(|client| client.slot).collect::<ClientSet>(),
        ..Wants::default()
    }
}

impl<'p> Stream<'p> {
    fn new(plane: &'p Plane, mrt: &MrtConfig, interval: Duration) -> Stream<'p> {
        let current = plane.current();
        let wants = wants(&current, mrt);
        info!(
            interval_s = interval.as_secs(),
            "UPDATEs are written to {}",
            mrt.directory.display()
        );
        Stream {
            plane,
            config: mrt.clone(),
            interval_s: interval.as_secs().max(1),
            subscription: plane.follow().subscribe(wants, OCTETS_MAX),
            current,
            sessions: HashMap::new(),
            calendar: Calendar::now(plane.data()),
            file: None,
            period: None,
            complained_s: 0,
        }
    }

    /// Until the configuration wants something else.
    async fn run(mut self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = self.subscription.next() => self.take(news).await,
                _ = look.tick() => {
                    self.calendar = Calendar::now(self.plane.data());
                    self.turn_over().await;
                    if let Some(file) = &mut self.file {
                        let written = file.write().await;
                        self.check(written);
                    }
                    if !self.is_wanted() {
                        return self.close().await;
                    }
                }
            }
        }
    }

    /// Follows a reload.
    fn is_wanted(&mut self) -> bool {
        let current = self.plane.current();
        if Arc::ptr_eq(&current, &self.current) {
            return true;
        }
        if current.config.mrt.as_ref() != Some(&self.config) {
            return false;
        }
        self.subscription.want(wants(&current, &self.config));
        self.current = current;
        true
    }

    async fn take(&mut self, news: News) {
        match news {
            News::Tapped { entry, .. } => self.push(&entry).await,
            News::SessionsBegin { core, has_missed } => {
                if has_missed {
                    self.complain(
                        "MRT: some UPDATEs or session changes are lost: too many at once",
                    );
                }
                self.look_up_sessions(core).await;
            }
            News::Lagged => self.complain("MRT: UPDATEs are lost: the disk is too slow for them"),
            News::TableBegins { .. } | News::Changed { .. } => {}
        }
    }

    /// Those that were there before.
    async fn look_up_sessions(&mut self, core: CoreId) {
        let answer = self.plane.data().core_command(core, CoreCommand::Sessions);
        if let Ok(CoreReply::Sessions(sessions)) = within(answer).await {
            self.sessions.extend(sessions);
        }
    }

    async fn push(&mut self, entry: &Tapped) {
        if let TappedWhat::Up(up) = &entry.what {
            self.sessions.insert(entry.slot, up.clone());
        }
        let Some(up) = self.sessions.get(&entry.slot).cloned() else {
            return;
        };
        let at = self.calendar.at(entry.at);
        let session = MrtSession {
            peer_asn: up.negotiated.peer_asn,
            local_asn: self.local_asn(),
            peer: up.remote.ip().to_canonical(),
            local: up.local.ip().to_canonical(),
        };
        self.turn_over().await;
        if self.file.is_none() && !self.open().await {
            return;
        }
        let Some(file) = &mut self.file else { return };
        let out = &mut file.buffer;
        match &entry.what {
            TappedWhat::Up(_) => {
                encode_state_change(out, at, &session, (OPEN_CONFIRM, ESTABLISHED));
            }
            TappedWhat::Down(_) => {
                encode_state_change(out, at, &session, (ESTABLISHED, IDLE));
                self.sessions.remove(&entry.slot);
            }
            TappedWhat::Failed(_) | TappedWhat::ReceivedOther(_) => {}
            TappedWhat::Received(message) => {
                let form = MessageForm {
                    four_octet: up.negotiated.four_octet,
                    add_path: false,
                    is_local: false,
                };
                encode_mrt_message(out, at, &session, form, message);
            }
            TappedWhat::Sent(message) => {
                let add_path = up.negotiated.add_path_send;
                let form = MessageForm {
                    four_octet: up.negotiated.four_octet,
                    add_path: family_of(message).is_some_and(|family| add_path.contains(family)),
                    is_local: true,
                };
                encode_mrt_message(out, at, &session, form, message);
            }
        }
        let written = file.write_if_full().await;
        self.check(written);
    }

    fn local_asn(&self) -> Asn {
        self.current.exchange.asn
    }

    /// Closes the file of an interval that is over.
    async fn turn_over(&mut self) {
        if self
            .period
            .is_some_and(|period| period != now_s() / self.interval_s)
        {
            self.close().await;
        }
    }

    /// At most once for each interval; named for its beginning, or for now where that was before us.
    async fn open(&mut self) -> bool {
        let period = now_s() / self.interval_s;
        if self.period == Some(period) {
            return false;
        }
        let at_s = match self.period {
            Some(_) => period * self.interval_s,
            None => now_s(),
        };
        self.period = Some(period);
        let created = MrtFile::create(&self.config.directory, "updates", at_s, true).await;
        match created {
            Ok(file) => self.file = Some(file),
            Err(error) => self.check(Err(error)),
        }
        self.file.is_some()
    }

    async fn close(&mut self) {
        if let Some(file) = self.file.take() {
            let finished = file.finish().await;
            self.check(finished.map(drop));
        }
    }

    /// What cannot be written is given up until the next interval.
    fn check(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.file = None;
            let directory: &PathBuf = &self.config.directory;
            error!(
                "UPDATEs cannot be written to {}: {error}; tried again in the next interval",
                directory.display()
            );
        }
    }

    fn complain(&mut self, what: &str) {
        let now_s = now_s();
        if now_s >= self.complained_s + QUIET_S {
            self.complained_s = now_s;
            warn!("{what}");
        }
    }
}

/// The family of an UPDATE that the server made: where it has MP_REACH_NLRI or MP_UNREACH_NLRI, that
/// is its first attribute.
fn family_of(message: &[u8]) -> Option<Family> {
    const UPDATE: u8 = 2;
    const EXTENDED: u8 = 0x10;
    if message.get(18) != Some(&UPDATE) {
        return None;
    }
    let withdrawn = usize::from(u16::from_be_bytes(*message.get(19..)?.first_chunk()?));
    let attributes = message.get(21 + withdrawn + 2..)?;
    match attributes {
        [flags, 14 | 15, rest @ ..] => {
            let value = rest.get(if flags & EXTENDED != 0 { 2 } else { 1 }..)?;
            let [high, low, safi, ..] = value else {
                return None;
            };
            Family::from_afi_safi(u16::from_be_bytes([*high, *low]), *safi)
        }
        _ => Some(Family::Ipv4),
    }
}
