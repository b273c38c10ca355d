//! A simulated client: a small BGP speaker that announces what it is told and keeps what it hears.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rialto::base::Time;

use super::codec::{self, Agreed, Hello, Message, Style, Update};
use super::oracle::{Attributes, Net, Table};
use super::rng::Rng;

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
        }
    }

    pub fn handle_connected(&mut self, now: Time) {
        self.state = State::OpenSent;
        self.heard_in_session = 0;
        self.inbox.clear();
        self.outbox.clear();
        self.is_closing = false;
        self.keepalive_at = now + KEEPALIVE;
        self.outbox.extend(codec::encode_open(&self.hello));
    }

    /// The connection is gone, whoever ended it.
    pub fn handle_closed(&mut self) {
        self.state = State::Idle;
        self.agreed = Agreed::default();
        self.table.clear();
        self.end_of_rib = [false; 2];
        self.stale = [None, None];
        self.ignores = [false; 2];
        self.inbox.clear();
        self.outbox.clear();
        self.is_closing = false;
        self.keepalive_at = Time::NEVER;
    }

    pub fn poll_timeout(&self) -> Time {
        self.keepalive_at
    }

    pub fn handle_timeout(&mut self, now: Time) {
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
            (_, Message::Notification { code, subcode }) => {
                self.notified.push((code, subcode));
                self.is_closing = true;
                // Nothing but Cease is ever the fault of the server's operator.
                if code == 6 {
                    Ok(())
                } else {
                    Err(format!("NOTIFICATION {code}/{subcode}"))
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
        }
        Ok(())
    }

    fn fresh(&mut self, key: &(Net, u32)) {
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
    pub fn cease(&mut self) {
        if self.state != State::Idle {
            self.outbox.extend(codec::encode_cease(4));
            self.is_closing = true;
        }
    }
}
