//! One session as the blaster sees it: a shortest handshake, the kinds of the messages that come,
//! and how much of the table has gone. Knows no socket.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

use rialto::base::Family;
use rialto::load::owed::Owed;

use crate::octets::{self, AddPath, HEADER_LEN, KEEPALIVE, NOTIFICATION, OPEN, UPDATE};

const SERVER_ID: Ipv4Addr = Ipv4Addr::new(10, 255, 255, 254);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Stage {
    #[default]
    Announcing,
    /// Its End-of-RIB of every family was read.
    Announced,
    /// Its table is on its way.
    Due,
}

#[derive(Default)]
pub struct Client {
    pub stage: Stage,
    ends_of_rib: usize,
    /// Octets of a message not yet whole.
    inbox: Vec<u8>,
    /// OPEN and KEEPALIVEs; go before the table and after it.
    words: Vec<u8>,
    /// Where in the table: piece, and octet of it.
    at: (usize, usize),
}

impl Client {
    pub fn handle_octets(&mut self, owed: &Owed, client: usize, octets: &[u8]) -> io::Result<()> {
        if self.inbox.is_empty() {
            let used = self.take(owed, client, octets)?;
            self.inbox.extend(&octets[used..]);
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend(octets);
        let used = self.take(owed, client, &inbox)?;
        inbox.drain(..used);
        self.inbox = inbox;
        Ok(())
    }

    /// Passes over whole messages; returns how many octets those are.
    fn take(&mut self, owed: &Owed, client: usize, octets: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while let Some(header) = octets[at..].first_chunk::<HEADER_LEN>() {
            let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
            if len < HEADER_LEN {
                return Err(ErrorKind::InvalidData.into());
            }
            let Some(body) = octets.get(at + HEADER_LEN..at + len) else {
                break;
            };
            match header[18] {
                OPEN => self.words.extend(greeting(owed, client)),
                UPDATE if is_end_of_rib(body) => {
                    self.ends_of_rib += 1;
                    if self.ends_of_rib == owed.families.iter().count() {
                        self.stage = Stage::Announced;
                    }
                }
                NOTIFICATION => return Err(ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
            at += len;
        }
        Ok(at)
    }

    /// Between messages only: while the table is on its way it keeps the session alive itself.
    pub fn keep_alive(&mut self) {
        if self.at.1 == 0 {
            self.words.extend(octets::message(KEEPALIVE, &[]));
        }
    }

    /// What is still to be sent, in order.
    pub fn unsent<'a>(&'a self, owed: &'a Owed, client: usize) -> impl Iterator<Item = &'a [u8]> {
        let (piece, octet) = self.at;
        let words = Some(&self.words[..]).filter(|words| !words.is_empty());
        let mut table = Some(owed.pieces(client, piece))
            .filter(|_| self.stage == Stage::Due)
            .into_iter()
            .flatten();
        let cut = table.next().map(|cut| &cut[octet..]);
        words.into_iter().chain(cut).chain(table)
    }

    pub fn handle_sent(&mut self, owed: &Owed, client: usize, mut count: usize) {
        let words = count.min(self.words.len());
        self.words.drain(..words);
        count -= words;
        let (mut piece, mut octet) = self.at;
        let mut pieces = owed.pieces(client, piece);
        while count > 0 {
            let Some(left) = pieces.next().map(|piece| piece.len() - octet) else {
                break;
            };
            if count < left {
                octet += count;
                break;
            }
            (piece, octet) = (piece + 1, 0);
            count -= left;
        }
        self.at = (piece, octet);
    }
}

/// OPEN and the KEEPALIVE that answers the client's.
fn greeting(owed: &Owed, client: usize) -> Vec<u8> {
    let add_path = owed.receivers[client].add_path.then_some(AddPath::Send);
    let open = octets::open(owed.server_asn, SERVER_ID, owed.families, add_path);
    [open, octets::message(KEEPALIVE, &[])].concat()
}

/// RFC 4724 §2.
fn is_end_of_rib(body: &[u8]) -> bool {
    let [a, b] = Family::Ipv6.afi().to_be_bytes();
    let ipv6 = [0, 0, 0, 6, 0x80, 15, 3, a, b, Family::Ipv6.safi()];
    body == [0; 4] || body == ipv6
}
