//! A simulated client: a small BGP speaker that announces what it is told and keeps what it hears.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rialto::base::Time;

use super::codec::{self, Agreed, Hello, Message, Style, Update};
use super::oracle::{Attributes, Net, Table};
use super::restarts::Restarts;
use super::rng::Rng;
use super::stale::{Helper, Left};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No connection.
    Idle,
    OpenSent,
    OpenConfirm,
    Established,
}

pub struct Speaker {
    pub hello: Hello,
    pub state: State,
    pub agreed: Agreed,
    /// What it has heard and not lost since.
    pub table: Table,
    /// What it announces whenever it is up.
    pub announced: BTreeMap<Net, Attributes>,
    /// Families whose End-of-RIB it has heard.
    pub end_of_rib: [bool; 2],
    /// Between the server's BoRR and EoRR: what was not announced again (RFC 7313).
    stale: [Option<BTreeSet<(Net, u32)>>; 2],
    /// It has ignored a BoRR that came too early.
    ignores: [bool; 2],
    inbox: Vec<u8>,
    pub outbox: VecDeque<u8>,
    /// It has ended the connection.
    pub is_closing: bool,
    keepalive_at: Time,
    rng: Rng,
    pub updates_heard: u64,
    pub heard_in_session: u64,
    pub sends_end_of_rib: bool,
    /// Notifications that it was sent: (code, subcode).
    pub notified: Vec<(u8, u8)>,
    pub restarts: Restarts,
    /// What a helper may have of it.
    pub left: Option<Left>,
}

/// How often it says that it is still there.
const KEEPALIVE: Duration = Duration::from_secs(25);

impl Speaker {
    pub fn new(hello: Hello, rng: Rng) -> Speaker {
        Speaker {
            hello,
            state: State::Idle,
            agreed: Agreed::default(),
            table: Table::new(),
            announced: BTreeMap::new(),
            end_of_rib: [false; 2],
            stale: [None, None],
            ignores: [false; 2],
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            is_closing: false,
            keepalive_at: Time::NEVER,
            rng,
            updates_heard: 0,
            heard_in_session: 0,
            sends_end_of_rib: true,
            notified: Vec::new(),
            restarts: Restarts::default(),
            left: None,
        }
    }

    pub fn handle_connected(&mut self, now: Time) {
        self.state = State::OpenSent;
        self.restarts.begin_session();
        self.heard_in_session = 0;
        self.inbox.clear();
        self.outbox.clear();
        self.is_closing = false;
        self.keepalive_at = now + KEEPALIVE;
        self.outbox.extend(codec::encode_open(&self.hello));
    }

    /// Whether the server has a session may hang on luck, and with it what it keeps.
    pub fn is_in_between(&self) -> bool {
        self.state == State::OpenConfirm && self.hello.helped.is_some()
    }

    /// The session is about to end so that a helper keeps its routes for so long at most.
    pub fn leave(&mut self, now: Time, helper: Helper) {
        let Some(helped) = self.hello.helped.filter(|_| self.hello.graceful) else {
            return;
        };
        if self.state != State::Established {
            return;
        }
        let routes = self.announced.clone();
        let agreed = &self.agreed;
        let long_lived = helped.long_lived.map_or([0; 2], |said| said.times_s);
        let long_lived = [0, 1].map(|family| long_lived[family].min(helper.llgr_s[family]));
        let seconds = helped.time_s.min(helper.time_s);
        let families = [0, 1].map(|family| {
            let is_kept = seconds > 0 && helped.families[family] || long_lived[family] > 0;
            is_kept && agreed.families[family]
        });
        let is_left = |net: &Net, attributes: &mut Attributes| {
            families[codec::family_of(net)] && agreed.can_carry(net, attributes)
        };
        let until = now + Duration::from_secs(seconds.into());
        // What is long-lived of a session before lives on no longer for it.
        let before = self.left.as_ref().map(|left| left.at_last);
        self.left = (families != [false; 2]).then(|| Left {
            routes: routes
                .into_iter()
                .filter_map(|(net, mut attributes)| {
                    is_left(&net, &mut attributes).then_some((net, attributes))
                })
                .collect(),
            families,
            until,
            at_last: [0, 1].map(|family| {
                let at_last = until + Duration::from_secs(long_lived[family].into());
                before.map_or(at_last, |before| before[family].max(at_last))
            }),
        });
    }

    /// The server ended the connection: perhaps its routes are kept (RFC 4724 §4.2).
    pub fn handle_ended(&mut self, now: Time) {
        // A NOTIFICATION where that ends everything was for something else.
        let is_told = self.restarts.last_word.is_none() || self.both_keep_after_notifications();
        let is_asked = self.is_asked_to_keep() && is_told;
        let keeps = self.keeps_routes();
        let (agreed, table) = (self.agreed, std::mem::take(&mut self.table));
        let was_up = self.state == State::Established;
        let kept = self.restarts.kept.clone();
        self.handle_closed();
        match (was_up, keeps) {
            (true, true) => {
                self.table = table;
                let is_kept = |key: &(Net, u32)| agreed.restart.families[codec::family_of(&key.0)];
                self.table.retain(|key, _| is_kept(key));
                let keys = self.table.keys().copied().collect();
                let until = now + Duration::from_secs(agreed.restart.time_s.into());
                self.restarts.keep(keys, until);
            }
            // A connection that came to nothing changes nothing.
            (false, _) => (self.table, self.restarts.kept) = (table, kept),
            (true, false) => {}
        }
        if was_up {
            self.restarts.kept_at_end = Some((is_asked, keeps));
        }
    }

    fn keeps_routes(&self) -> bool {
        let both = self.both_keep_after_notifications();
        self.is_asked_to_keep()
            && match self.restarts.last_word {
                None => true,
                Some(word) => both && word != (6, 9),
            }
    }

    fn is_asked_to_keep(&self) -> bool {
        self.hello.graceful && self.agreed.restart.families != [false; 2]
    }

    fn both_keep_after_notifications(&self) -> bool {
        self.hello.graceful && self.hello.notifications && self.agreed.restart.notifications
    }

    /// The client itself ended it.
    pub fn handle_closed(&mut self) {
        self.state = State::Idle;
        self.agreed = Agreed::default();
        self.table.clear();
        self.restarts.kept.clear();
        self.end_of_rib = [false; 2];
        self.stale = [None, None];
        self.ignores = [false; 2];
        self.inbox.clear();
        self.outbox.clear();
        self.is_closing = false;
        self.keepalive_at = Time::NEVER;
    }

    pub fn poll_timeout(&self) -> Time {
        self.keepalive_at.min(self.kept_until())
    }

    /// When it gives up waiting for the server.
    fn kept_until(&self) -> Time {
        match self.state {
            State::Established => Time::NEVER,
            _ if self.restarts.kept.is_empty() => Time::NEVER,
            _ => self.restarts.until,
        }
    }

    pub fn handle_timeout(&mut self, now: Time) {
        if self.kept_until() <= now {
            self.drop_kept(|_| true);
        }
        if self.keepalive_at <= now {
            self.keepalive_at = now + KEEPALIVE;
            if matches!(self.state, State::OpenConfirm | State::Established) {
                self.outbox.extend(codec::encode_keepalive());
            }
        }
    }

    /// `Err` when the server broke a rule.
    pub fn handle_octets(&mut self, octets: &[u8]) -> Result<(), String> {
        self.inbox.extend_from_slice(octets);
        let mut done = 0;
        while let Some((message, len)) = codec::decode(&self.inbox[done..], &self.agreed)? {
            done += len;
            self.handle(message)?;
        }
        self.inbox.drain(..done);
        Ok(())
    }

    fn handle(&mut self, message: Message) -> Result<(), String> {
        match (self.state, message) {
            (
                state,
                Message::Notification {
                    code,
                    subcode,
                    inner,
                },
            ) => {
                self.notified.push((code, subcode));
                self.restarts.last_word = Some((code, subcode));
                self.is_closing = true;
                if state == State::Established {
                    self.judge_end((code, subcode), inner.is_some())?;
                }
                // Nothing but Cease is ever the fault of the server's operator.
                match inner.unwrap_or((code, subcode)) {
                    (6, _) => Ok(()),
                    (code, subcode) => Err(format!("NOTIFICATION {code}/{subcode}")),
                }
            }
            (State::OpenSent, Message::Open(said)) => {
                self.agree(&said);
                self.state = State::OpenConfirm;
                self.outbox.extend(codec::encode_keepalive());
                Ok(())
            }
            (State::OpenConfirm, Message::Keepalive) => {
                self.state = State::Established;
                self.left = None;
                let forwarding = self.agreed.restart.forwarding;
                self.drop_kept(|key| !forwarding[codec::family_of(&key.0)]);
                self.announce_all();
                Ok(())
            }
            (State::Established, Message::Keepalive) => Ok(()),
            (State::Established, Message::Update(update)) => self.take(update),
            (State::Established, Message::Refresh(family, subtype)) => {
                self.refresh(family, subtype)
            }
            (state, message) => Err(format!("{message:?} in state {state:?}")),
        }
    }

    fn agree(&mut self, said: &Agreed) {
        let own = &self.hello.agreed;
        let both = |a: [bool; 2], b: [bool; 2]| [a[0] && b[0], a[1] && b[1]];
        self.agreed = Agreed {
            families: both(own.families, said.families),
            four_octet: own.four_octet && said.four_octet,
            add_path: both(
                both(own.add_path, said.add_path),
                both(own.families, said.families),
            ),
            // Each direction hangs on what its receiver said (RFC 8654 §4).
            extended_in: own.extended_in,
            extended_out: said.extended_out,
            enhanced_refresh: own.enhanced_refresh && said.enhanced_refresh,
            v6_next_hops: own.v6_next_hops && said.v6_next_hops,
            restart: said.restart,
        };
    }

    fn take(&mut self, update: Update) -> Result<(), String> {
        self.updates_heard += 1;
        self.heard_in_session += 1;
        for key in &update.withdrawn {
            self.table.remove(key);
            self.fresh(key);
        }
        for key in &update.announced {
            let attributes = update
                .attributes
                .clone()
                .ok_or("an announcement without attributes")?;
            self.table.insert(*key, attributes);
            self.fresh(key);
        }
        if let Some(family) = update.end_of_rib {
            self.end_of_rib[family] = true;
            self.drop_kept(|key| codec::family_of(&key.0) == family);
        }
        self.restarts.note_lost(&self.table);
        Ok(())
    }

    fn drop_kept(&mut self, is_meant: impl Fn(&(Net, u32)) -> bool) {
        for key in self.restarts.kept.extract_if(.., |key| is_meant(key)) {
            self.table.remove(&key);
        }
    }

    /// What ends a session is hard or graceful as the server means it (RFC 8538).
    fn judge_end(&mut self, word: (u8, u8), is_hard: bool) -> Result<(), String> {
        let both = self.both_keep_after_notifications();
        // New settings, a collision, silence, and a server that restarts.
        let is_brief = matches!(word, (6, 6) | (6, 7) | (4, 0))
            || (self.restarts.is_server_restarting && word == (6, 4));
        self.restarts.hard_resets += u64::from(is_hard);
        match (both, is_hard, is_brief) {
            (false, true, _) => Err("a Hard Reset without the N bit".to_owned()),
            (true, false, false) => Err(format!("{word:?} is no Hard Reset")),
            _ => Ok(()),
        }
    }

    fn fresh(&mut self, key: &(Net, u32)) {
        self.restarts.kept.remove(key);
        if let Some(stale) = &mut self.stale[codec::family_of(&key.0)] {
            stale.remove(key);
        }
    }

    fn refresh(&mut self, family: usize, subtype: u8) -> Result<(), String> {
        match subtype {
            0 => self.answer_refresh(family),
            // RFC 7313 §4: before the End-of-RIB it is ignored.
            1 if !self.end_of_rib[family] => self.ignores[family] = true,
            1 => {
                self.ignores[family] = false;
                let of_family = |key: &&(Net, u32)| codec::family_of(&key.0) == family;
                self.stale[family] = Some(self.table.keys().filter(of_family).copied().collect());
            }
            2 => {
                if std::mem::take(&mut self.ignores[family]) {
                    return Ok(());
                }
                let stale = self.stale[family].take().ok_or("EoRR without BoRR")?;
                stale.iter().for_each(|key| drop(self.table.remove(key)));
            }
            other => return Err(format!("ROUTE-REFRESH subtype {other}")),
        }
        Ok(())
    }

    /// Everything of a family again, between BoRR and EoRR where that was negotiated.
    fn answer_refresh(&mut self, family: usize) {
        if self.agreed.enhanced_refresh {
            self.outbox.extend(codec::encode_refresh(family, 1));
        }
        self.announce_family(family);
        if self.agreed.enhanced_refresh {
            self.outbox.extend(codec::encode_refresh(family, 2));
        }
    }

    /// Loses some routes without a word, and everything again between BoRR and EoRR (RFC 7313); now
    /// and then it is interrupted and begins anew. What is lost is withdrawn by that.
    pub fn refresh_without(&mut self, nets: &[Net]) {
        if !self.agreed.enhanced_refresh || !self.speaks(nets) {
            return self.withdraw(nets);
        }
        let family = codec::family_of(&nets[0]);
        if self.rng.percent(30) {
            self.outbox.extend(codec::encode_refresh(family, 1));
            self.announce_family(family);
        }
        nets.iter().for_each(|net| drop(self.announced.remove(net)));
        self.answer_refresh(family);
    }

    fn announce_all(&mut self) {
        for family in 0..2 {
            if self.agreed.families[family] {
                self.announce_family(family);
                if self.sends_end_of_rib {
                    self.outbox.extend(codec::encode_end_of_rib(family));
                }
            }
        }
    }

    fn announce_family(&mut self, family: usize) {
        let mut by_attributes: Vec<(Attributes, Vec<Net>)> = Vec::new();
        for (net, attributes) in self
            .announced
            .iter()
            .filter(|(net, _)| codec::family_of(net) == family)
            .filter(|(net, attributes)| self.agreed.can_carry(net, attributes))
        {
            match by_attributes
                .iter_mut()
                .find(|(other, _)| other == attributes)
            {
                Some((_, nets)) => nets.push(*net),
                None => by_attributes.push((attributes.clone(), vec![*net])),
            }
        }
        self.rng.shuffle(&mut by_attributes);
        for (attributes, nets) in by_attributes {
            self.write_announcement(&[], &nets, &attributes, false);
        }
    }

    fn style(&mut self) -> Style {
        Style {
            pack_max: *self.rng.pick(&[1, 3, 100]),
            by_mp: self.rng.percent(10) && !self.hello.silent_about_ipv4,
            mp_last: self.rng.percent(30),
            broken_origin: false,
        }
    }

    fn write_announcement(
        &mut self,
        gone: &[Net],
        nets: &[Net],
        attributes: &Attributes,
        broken_origin: bool,
    ) {
        let style = Style {
            broken_origin,
            ..self.style()
        };
        self.outbox.extend(codec::encode_announcements(
            gone,
            nets,
            attributes,
            &self.agreed,
            style,
        ));
    }

    /// Prefixes of one family, from now on with these attributes. What this session cannot carry is
    /// kept for another one.
    pub fn announce(&mut self, nets: &[Net], attributes: &Attributes) {
        if !self.agreed.can_carry(&nets[0], attributes) {
            self.withdraw(nets);
        }
        for net in nets {
            self.announced.insert(*net, attributes.clone());
        }
        if self.speaks(nets) && self.agreed.can_carry(&nets[0], attributes) {
            self.write_announcement(&[], nets, attributes, false);
        }
    }

    /// Announces prefixes in UPDATEs that withdraw a few others of one family, too.
    pub fn replace(&mut self, gone: &[Net], nets: &[Net], attributes: &Attributes) {
        let can_carry = self.agreed.can_carry(&nets[0], attributes);
        if !self.speaks(nets) || !self.speaks(gone) || !can_carry {
            self.withdraw(gone);
            return self.announce(nets, attributes);
        }
        gone.iter().for_each(|net| drop(self.announced.remove(net)));
        for net in nets {
            self.announced.insert(*net, attributes.clone());
        }
        self.write_announcement(gone, nets, attributes, false);
    }

    /// Announces them in an UPDATE that the server must take for a withdrawal (RFC 7606).
    pub fn announce_amiss(&mut self, nets: &[Net], attributes: &Attributes) {
        if !self.agreed.can_carry(&nets[0], attributes) {
            return self.withdraw(nets);
        }
        nets.iter().for_each(|net| drop(self.announced.remove(net)));
        if self.speaks(nets) {
            self.write_announcement(&[], nets, attributes, true);
        }
    }

    pub fn withdraw(&mut self, nets: &[Net]) {
        nets.iter().for_each(|net| drop(self.announced.remove(net)));
        if self.speaks(nets) {
            let by_mp = self.rng.percent(20) && !self.hello.silent_about_ipv4;
            self.outbox.extend(codec::encode_withdrawals(nets, by_mp));
        }
    }

    fn speaks(&self, nets: &[Net]) -> bool {
        self.state == State::Established
            && !self.is_closing
            && nets
                .first()
                .is_some_and(|net| self.agreed.families[codec::family_of(net)])
    }

    /// Asks for all routes of a family again (RFC 2918).
    pub fn ask_refresh(&mut self, family: usize) {
        if self.state == State::Established && self.agreed.families[family] {
            self.outbox.extend(codec::encode_refresh(family, 0));
        }
    }

    /// Ends the session properly.
    pub fn cease(&mut self, now: Time, helper: Helper) {
        if self.state != State::Idle && !self.is_in_between() {
            let is_soft = self.hello.notifications && self.agreed.restart.notifications;
            match self.state {
                State::Established if is_soft => self.leave(now, helper),
                State::Established => self.left = None,
                _ => {}
            }
            self.outbox.extend(codec::encode_cease(4));
            self.is_closing = true;
        }
    }
}
