//! The router's side of one connection to an RTR cache (RFC 8210 §5 to §8), without I/O: takes PDUs,
//! says what to do next. Knows nothing of what was said before but its session and serial number.

use super::encode::encode_query;
use super::payload::Update;
use super::pdu::{EndOfData, Pdu, PduError, Query, Received, error_code};

/// Which data of a cache are held. Of use to a connection of that version only (RFC 8210 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    pub version: u8,
    pub session: u16,
    pub serial: u32,
}

/// What to do after a PDU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Wait for more.
    Wait,
    /// Send [`Session::ask`] now.
    Ask,
    /// There is something new to ask for.
    AskSoon,
    /// The cache has no data: ask again after a while.
    NoData,
    /// An exchange is over.
    Loaded(Update),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Pdu(#[from] PduError),
    #[error("it answers in version {got}, was asked in version {asked}")]
    Version { asked: u8, got: u8 },
    #[error("it is in session {got} now, was in {held}: it has started anew")]
    SessionChanged { held: u16, got: u16 },
    #[error("it sent {0} where that cannot be")]
    Unexpected(&'static str),
    #[error("it withdrew something in answer to a Reset Query")]
    WithdrawnInLoad,
    #[error("it sent more than {0} entries at once")]
    TooMany(usize),
    #[error("it reports error {code}{}{text}", if .text.is_empty() { "" } else { ": " })]
    Reported { code: u16, text: String },
}

impl SessionError {
    /// The code of the Error Report due; an Error Report is not answered with one (RFC 8210 §5.11).
    pub fn code(&self) -> Option<u16> {
        match self {
            SessionError::Pdu(error) => Some(error.code()),
            SessionError::Version { .. } => Some(error_code::UNEXPECTED_VERSION),
            SessionError::Unexpected(_)
            | SessionError::SessionChanged { .. }
            | SessionError::WithdrawnInLoad => Some(error_code::CORRUPT_DATA),
            SessionError::TooMany(_) => Some(error_code::INTERNAL_ERROR),
            SessionError::Reported { .. } => None,
        }
    }
}

enum Phase {
    Idle,
    Asked(Query),
    Receiving { session: u16, update: Update },
}

/// One connection.
pub struct Session {
    version: u8,
    /// The cache has answered in this version, which stays (RFC 8210 §7).
    is_settled: bool,
    known: Option<Known>,
    phase: Phase,
    /// The serial number of the last Serial Notify since the last query.
    notified: Option<u32>,
    entry_count: usize,
    entries_max: usize,
}

impl Session {
    /// `entries_max` bounds what one exchange may bring: VRPs, router keys, ASPAs with their providers.
    pub fn new(version: u8, known: Option<Known>, entries_max: usize) -> Session {
        Session {
            version,
            is_settled: false,
            known: known.filter(|known| known.version == version),
            phase: Phase::Idle,
            notified: None,
            entry_count: 0,
            entries_max,
        }
    }

    pub fn version(&self) -> u8 {
        self.version
    }

    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// What is held now.
    pub fn known(&self) -> Option<Known> {
        self.known
    }

    /// Whether no answer is due.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether the cache has told of data that are not held.
    pub fn is_behind(&self) -> bool {
        let held = self.known.map(|known| known.serial);
        self.notified.is_some() && self.notified != held
    }

    /// The query that is next, as octets: for changes where something is held, else for all.
    pub fn ask(&mut self) -> Vec<u8> {
        let query = match self.known {
            Some(Known {
                session, serial, ..
            }) => Query::Serial { session, serial },
            None => Query::Reset,
        };
        self.phase = Phase::Asked(query);
        self.notified = None;
        encode_query(self.version, query)
    }

    pub fn handle_pdu(&mut self, received: Received) -> Result<Next, SessionError> {
        match received.pdu {
            Pdu::ErrorReport { code, text } => {
                return self.handle_error_report(received.version, code, text);
            }
            // Before the version is settled notifications mean nothing (RFC 8210 §7).
            Pdu::SerialNotify { .. } if !self.is_settled => return Ok(Next::Wait),
            _ => self.settle_version(received.version)?,
        }
        match received.pdu {
            Pdu::SerialNotify { session, serial } => self.handle_notify(session, serial),
            Pdu::CacheResponse { session } => self.handle_response(session),
            Pdu::CacheReset => self.handle_cache_reset(),
            Pdu::Vrp { vrp, is_announced } => self.take(is_announced, 1, |update| {
                update.vrps.push((vrp, is_announced));
            }),
            Pdu::Aspa { aspa, is_announced } => {
                self.take(is_announced, 1 + aspa.providers.len(), |update| {
                    update.aspas.push((aspa, is_announced));
                })
            }
            Pdu::RouterKey => self.take(true, 1, |_| {}),
            Pdu::EndOfData(end) => self.handle_end_of_data(end),
            Pdu::ErrorReport { .. } => Ok(Next::Wait),
        }
    }

    /// A cache may answer in a lower version, or name it in an Error Report (RFC 8210 §7).
    fn settle_version(&mut self, got: u8) -> Result<(), SessionError> {
        let asked = self.version;
        if got == asked {
            self.is_settled = true;
            return Ok(());
        }
        let is_first_answer = matches!(self.phase, Phase::Asked(Query::Reset));
        if self.is_settled || got > asked || !is_first_answer {
            return Err(SessionError::Version { asked, got });
        }
        self.version = got;
        self.is_settled = true;
        Ok(())
    }

    fn handle_error_report(
        &mut self,
        version: u8,
        code: u16,
        text: String,
    ) -> Result<Next, SessionError> {
        match code {
            error_code::UNSUPPORTED_VERSION if !self.is_settled && version < self.version => {
                self.version = version;
                self.known = None;
                self.phase = Phase::Idle;
                Ok(Next::Ask)
            }
            error_code::NO_DATA_AVAILABLE if matches!(self.phase, Phase::Asked(_)) => {
                self.phase = Phase::Idle;
                Ok(Next::NoData)
            }
            _ => Err(SessionError::Reported { code, text }),
        }
    }

    /// May come at any time, also amid an answer.
    fn handle_notify(&mut self, session: u16, serial: u32) -> Result<Next, SessionError> {
        if let Some(known) = self.known {
            check_session(known.session, session)?;
        }
        self.notified = Some(serial);
        Ok(match self.is_idle() && self.is_behind() {
            true => Next::AskSoon,
            false => Next::Wait,
        })
    }

    fn handle_response(&mut self, session: u16) -> Result<Next, SessionError> {
        let Phase::Asked(query) = self.phase else {
            return Err(SessionError::Unexpected("a Cache Response"));
        };
        if let Query::Serial { session: held, .. } = query {
            check_session(held, session)?;
        }
        self.entry_count = 0;
        let end = EndOfData {
            session,
            serial: 0,
            intervals: None,
        };
        let update = Update {
            is_reset: query == Query::Reset,
            version: self.version,
            vrps: Vec::new(),
            aspas: Vec::new(),
            end,
        };
        self.phase = Phase::Receiving { session, update };
        Ok(Next::Wait)
    }

    /// The cache does not know any more what has changed since.
    fn handle_cache_reset(&mut self) -> Result<Next, SessionError> {
        if !matches!(self.phase, Phase::Asked(Query::Serial { .. })) {
            return Err(SessionError::Unexpected("a Cache Reset"));
        }
        self.known = None;
        self.phase = Phase::Idle;
        Ok(Next::Ask)
    }

    fn take(
        &mut self,
        is_announced: bool,
        count: usize,
        push: impl FnOnce(&mut Update),
    ) -> Result<Next, SessionError> {
        let Phase::Receiving { update, .. } = &mut self.phase else {
            return Err(SessionError::Unexpected("data"));
        };
        if update.is_reset && !is_announced {
            return Err(SessionError::WithdrawnInLoad);
        }
        self.entry_count += count;
        if self.entry_count > self.entries_max {
            return Err(SessionError::TooMany(self.entries_max));
        }
        push(update);
        Ok(Next::Wait)
    }

    fn handle_end_of_data(&mut self, end: EndOfData) -> Result<Next, SessionError> {
        let Phase::Receiving {
            session,
            mut update,
        } = std::mem::replace(&mut self.phase, Phase::Idle)
        else {
            return Err(SessionError::Unexpected("an End of Data"));
        };
        check_session(session, end.session)?;
        update.end = end;
        self.known = Some(Known {
            version: self.version,
            session,
            serial: end.serial,
        });
        Ok(Next::Loaded(update))
    }
}

fn check_session(held: u16, got: u16) -> Result<(), SessionError> {
    match held == got {
        true => Ok(()),
        false => Err(SessionError::SessionChanged { held, got }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pdu::Intervals;
    use super::*;
    use crate::base::Asn;
    use crate::policy::{Aspa, Vrp};

    const KNOWN: Known = Known {
        version: 1,
        session: 5,
        serial: 7,
    };

    fn vrp(is_announced: bool) -> Pdu {
        let vrp = Vrp {
            prefix: "192.0.2.0/24".parse().unwrap(),
            max_len: 24,
            asn: Asn(1),
        };
        Pdu::Vrp { vrp, is_announced }
    }

    fn aspa() -> Pdu {
        let aspa = Aspa {
            customer: Asn(1),
            providers: vec![Asn(2), Asn(3)],
        };
        Pdu::Aspa {
            aspa,
            is_announced: true,
        }
    }

    fn response(session: u16) -> Pdu {
        Pdu::CacheResponse { session }
    }

    fn end(session: u16, serial: u32) -> Pdu {
        Pdu::EndOfData(EndOfData {
            session,
            serial,
            intervals: Some(Intervals::default()),
        })
    }

    fn notify(session: u16, serial: u32) -> Pdu {
        Pdu::SerialNotify { session, serial }
    }

    fn error(code: u16) -> Pdu {
        let text = "why".to_owned();
        Pdu::ErrorReport { code, text }
    }

    /// What a session says to PDUs, in a word; where it says to ask, it is asked, as a client does.
    fn talk(session: &mut Session, pdus: Pdus) -> Vec<String> {
        let mut words = Vec::new();
        for (version, pdu) in pdus {
            let word = match session.handle_pdu(Received {
                version,
                len: 8,
                pdu,
            }) {
                Ok(Next::Wait) => continue,
                Ok(Next::Ask) => format!("ask {:?}", &session.ask()[..2]),
                Ok(Next::AskSoon) => "ask soon".to_owned(),
                Ok(Next::NoData) => "no data".to_owned(),
                Ok(Next::Loaded(update)) => {
                    let what = if update.is_reset { "all" } else { "changes" };
                    format!("{what} {}", update.vrps.len() + update.aspas.len())
                }
                Err(error) => format!("error {:?}: {error}", error.code()),
            };
            words.push(word);
        }
        words
    }

    fn all(version: u8, pdus: Vec<Pdu>) -> Pdus {
        pdus.into_iter().map(|pdu| (version, pdu)).collect()
    }

    /// Each with its version.
    type Pdus = Vec<(u8, Pdu)>;

    #[test]
    fn conversations_that_begin_with_nothing() {
        let cases: Vec<(&str, Pdus, &[&str])> = vec![
            (
                "a load",
                all(
                    2,
                    vec![response(5), vrp(true), aspa(), Pdu::RouterKey, end(5, 1)],
                ),
                &["all 2"],
            ),
            (
                "a cache of version 0 answers in its own",
                all(0, vec![response(5), vrp(true), end(5, 1)]),
                &["all 1"],
            ),
            (
                "a cache of version 1 says so",
                all(1, vec![error(4), response(5), vrp(true), end(5, 1)]),
                &["ask [1, 2]", "all 1"],
            ),
            (
                "one that refuses its own version too",
                all(0, vec![error(4), error(4)]),
                &["ask [0, 2]", "error None: it reports error 4: why"],
            ),
            (
                "a notification before the version is settled",
                all(1, vec![notify(9, 9)]),
                &[],
            ),
            ("no data, later some", all(2, vec![error(2)]), &["no data"]),
            (
                "any other error report",
                all(2, vec![error(1)]),
                &["error None: it reports error 1: why"],
            ),
            (
                "data before an answer",
                all(2, vec![vrp(true)]),
                &["error Some(0): it sent data where that cannot be"],
            ),
            (
                "an End of Data before an answer",
                all(2, vec![end(5, 1)]),
                &["error Some(0): it sent an End of Data where that cannot be"],
            ),
            (
                "a Cache Reset where all was asked for",
                all(2, vec![Pdu::CacheReset]),
                &["error Some(0): it sent a Cache Reset where that cannot be"],
            ),
            (
                "two answers",
                all(2, vec![response(5), response(5)]),
                &["error Some(0): it sent a Cache Response where that cannot be"],
            ),
            (
                "an End of Data of another session",
                all(2, vec![response(5), end(6, 1)]),
                &["error Some(0): it is in session 6 now, was in 5: it has started anew"],
            ),
            (
                "a withdrawal in a load",
                all(2, vec![response(5), vrp(false)]),
                &["error Some(0): it withdrew something in answer to a Reset Query"],
            ),
            (
                "more than is allowed",
                all(
                    2,
                    vec![response(5), vrp(true), aspa(), vrp(true), vrp(true)],
                ),
                &["error Some(1): it sent more than 5 entries at once"],
            ),
            (
                "a change of version amid an answer",
                vec![(1, response(5)), (2, vrp(true))],
                &["error Some(8): it answers in version 2, was asked in version 1"],
            ),
        ];
        for (case, pdus, expected) in cases {
            let mut session = Session::new(2, Some(KNOWN), 5);
            assert_eq!(
                session.ask()[..2],
                [2, 2],
                "{case}: what is held of another version is no use"
            );
            assert_eq!(talk(&mut session, pdus), expected, "{case}");
        }
    }

    #[test]
    fn conversations_that_go_on() {
        let cases: Vec<(&str, Vec<Pdu>, &[&str])> = vec![
            (
                "changes",
                vec![response(5), vrp(false), end(5, 8)],
                &["changes 1"],
            ),
            ("no changes", vec![response(5), end(5, 7)], &["changes 0"]),
            (
                "the cache has forgotten what has changed since",
                vec![Pdu::CacheReset, response(5), vrp(true), end(5, 9)],
                &["ask [1, 2]", "all 1"],
            ),
            (
                "another session",
                vec![response(6)],
                &["error Some(0): it is in session 6 now, was in 5: it has started anew"],
            ),
            (
                "a notification in another session",
                vec![response(5), end(5, 8), notify(6, 1)],
                &[
                    "changes 0",
                    "error Some(0): it is in session 6 now, was in 5: it has started anew",
                ],
            ),
            (
                "a notification of something new",
                vec![response(5), end(5, 8), notify(5, 9)],
                &["changes 0", "ask soon"],
            ),
            (
                "a notification of what is held",
                vec![response(5), end(5, 8), notify(5, 8)],
                &["changes 0"],
            ),
            ("it has lost its data", vec![error(2)], &["no data"]),
            (
                "an answer in a lower version is of another session",
                vec![response(5)],
                &["error Some(8): it answers in version 0, was asked in version 1"],
            ),
        ];
        for (case, pdus, expected) in cases {
            let version = if case.contains("lower") { 0 } else { 1 };
            let mut session = Session::new(1, Some(KNOWN), 5);
            assert_eq!(
                session.ask(),
                [1, 1, 0, 5, 0, 0, 0, 12, 0, 0, 0, 7],
                "{case}"
            );
            assert_eq!(talk(&mut session, all(version, pdus)), expected, "{case}");
        }
    }

    #[test]
    fn a_notification_amid_an_answer_is_remembered() {
        for (case, serial, expected) in [("something newer", 9, true), ("what is coming", 8, false)]
        {
            let mut session = Session::new(1, Some(KNOWN), 5);
            session.ask();
            let pdus = vec![response(5), notify(5, serial), vrp(true), end(5, 8)];
            assert_eq!(talk(&mut session, all(1, pdus)), ["changes 1"], "{case}");
            assert_eq!(session.is_behind(), expected, "{case}");
            assert_eq!(session.known(), Some(Known { serial: 8, ..KNOWN }));
            session.ask();
            assert!(!session.is_behind(), "{case}: it is asked for");
        }
    }
}
