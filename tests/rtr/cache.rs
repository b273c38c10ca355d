//! An RTR cache on loopback that says what a test wants it to say.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use rialto::base::Asn;
use rialto::outside::rtr::pdu::{EndOfData, Intervals, Pdu, encode_pdu};
use rialto::policy::{Aspa, Vrp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a cache does with a query of a version that it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Names its own version, and waits.
    Says,
    /// Names its own version, and hangs up.
    SaysAndHangsUp,
    /// Says no in the version that it was asked in.
    Echoes,
    Answers,
    HangsUp,
}

pub struct Says {
    /// So many connections are cut at their first query, as by a proxy with nothing behind it.
    pub cuts: u32,
    pub version_max: u8,
    pub refusal: Refusal,
    pub session: u16,
    pub serial: u32,
    pub intervals: Intervals,
    pub has_data: bool,
    pub vrps: BTreeSet<Vrp>,
    pub aspas: Vec<Aspa>,
    /// In place of any answer: these octets, the last ones for ever if `is_endless`.
    pub octets: Option<Vec<u8>>,
    pub is_endless: bool,
    /// Put before the data of answers to Serial Queries.
    pub extra: Vec<Pdu>,
    /// What it held at each serial number that it remembers.
    history: BTreeMap<u32, BTreeSet<Vrp>>,
    /// Queries as they came: 'R' or 'S' and the version.
    pub queries: Vec<(char, u8)>,
    /// Codes of Error Reports that came.
    pub errors: Vec<u16>,
}

impl Says {
    pub fn new(session: u16, numbers: impl IntoIterator<Item = u32>) -> Says {
        Says {
            cuts: 0,
            version_max: 2,
            refusal: Refusal::Says,
            session,
            serial: 1,
            intervals: Intervals::default(),
            has_data: true,
            vrps: numbers.into_iter().map(vrp).collect(),
            aspas: Vec::new(),
            octets: None,
            is_endless: false,
            extra: Vec::new(),
            history: BTreeMap::new(),
            queries: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub fn set(&mut self, numbers: impl IntoIterator<Item = u32>) {
        let before = std::mem::replace(&mut self.vrps, numbers.into_iter().map(vrp).collect());
        self.history.insert(self.serial, before);
        self.serial += 1;
    }

    pub fn forget(&mut self) {
        self.history.clear();
    }

    fn end(&self) -> Pdu {
        Pdu::EndOfData(EndOfData {
            session: self.session,
            serial: self.serial,
            intervals: Some(self.intervals),
        })
    }

    fn load(&self, version: u8) -> Vec<Pdu> {
        let vrps = self.vrps.iter().map(|vrp| said(*vrp, true));
        let aspas = self.aspas.iter().filter(|_| version >= 2);
        let aspas = aspas.map(|aspa| Pdu::Aspa {
            aspa: aspa.clone(),
            is_announced: true,
        });
        let response = Pdu::CacheResponse {
            session: self.session,
        };
        let keys = (version >= 1).then_some(Pdu::RouterKey);
        let all = [response].into_iter().chain(vrps).chain(keys).chain(aspas);
        all.chain([self.end()]).collect()
    }

    fn changes(&self, since: u32) -> Vec<Pdu> {
        let held = match since == self.serial {
            true => Some(&self.vrps),
            false => self.history.get(&since),
        };
        let Some(held) = held else {
            return vec![Pdu::CacheReset];
        };
        let response = Pdu::CacheResponse {
            session: self.session,
        };
        let gone = held.difference(&self.vrps).map(|vrp| said(*vrp, false));
        let new = self.vrps.difference(held).map(|vrp| said(*vrp, true));
        let all = [response].into_iter().chain(self.extra.iter().cloned());
        all.chain(gone).chain(new).chain([self.end()]).collect()
    }
}

/// VRP number `number`, announced or withdrawn.
pub fn announced(number: u32, is_announced: bool) -> Pdu {
    said(vrp(number), is_announced)
}

fn said(vrp: Vrp, is_announced: bool) -> Pdu {
    Pdu::Vrp { vrp, is_announced }
}

pub fn vrp(number: u32) -> Vrp {
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + (number << 8));
    Vrp {
        prefix: format!("{address}/24").parse().unwrap(),
        max_len: 24,
        asn: Asn(64496 + number % 7),
    }
}

/// A running cache; it is gone, with its connections, when this is dropped.
pub struct Cache {
    pub address: SocketAddr,
    says: Arc<Mutex<Says>>,
    notify: watch::Sender<()>,
    _task: JoinSet<()>,
}

impl Cache {
    pub async fn start(says: Says) -> Cache {
        Cache::start_at("127.0.0.1:0".parse().unwrap(), says).await
    }

    pub async fn start_at(address: SocketAddr, says: Says) -> Cache {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new(says));
        let (notify, _) = watch::channel(());
        let mut task = JoinSet::new();
        task.spawn(accept(listener, says.clone(), notify.clone()));
        Cache {
            address,
            says,
            notify,
            _task: task,
        }
    }

    pub fn says(&self) -> MutexGuard<'_, Says> {
        self.says.lock().unwrap()
    }

    /// Serial Notifies go out.
    pub fn notify(&self) {
        self.notify.send_replace(());
    }

    /// It holds this from now on, and says so.
    pub fn set(&self, numbers: impl IntoIterator<Item = u32>) {
        self.says().set(numbers);
        self.notify();
    }
}

async fn accept(listener: TcpListener, says: Arc<Mutex<Says>>, notify: watch::Sender<()>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (says, notified) = (says.clone(), notify.subscribe());
        connections.spawn(async move {
            let _ = converse(stream, &says, notified).await;
        });
    }
}

/// One connection, until either side has had enough.
async fn converse(
    mut stream: TcpStream,
    says: &Mutex<Says>,
    mut notified: watch::Receiver<()>,
) -> io::Result<()> {
    let mut version = 0;
    loop {
        let mut header = [0; 8];
        tokio::select! {
            read = stream.read_exact(&mut header[..1]) => read?,
            changed = notified.changed() => {
                changed.map_err(io::Error::other)?;
                let notify = {
                    let says = says.lock().unwrap();
                    Pdu::SerialNotify { session: says.session, serial: says.serial }
                };
                stream.write_all(&encode_pdu(version, &notify)).await?;
                continue;
            }
        };
        stream.read_exact(&mut header[1..]).await?;
        let len = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
        let mut body = vec![0; len - 8];
        stream.read_exact(&mut body).await?;
        let (answer, hangs_up) = answer(&mut says.lock().unwrap(), &header, &body);
        version = answer.first().copied().unwrap_or(header[0]);
        stream.write_all(&answer).await?;
        let (endless, is_endless) = {
            let says = says.lock().unwrap();
            (says.octets.clone().unwrap_or_default(), says.is_endless)
        };
        if is_endless {
            loop {
                stream.write_all(&endless).await?;
            }
        }
        if hangs_up {
            return Ok(());
        }
    }
}

/// The octets of an answer, and whether the cache hangs up then.
fn answer(says: &mut Says, header: &[u8; 8], body: &[u8]) -> (Vec<u8>, bool) {
    let [asked, kind, a, b, ..] = *header;
    let field = u16::from_be_bytes([a, b]);
    match kind {
        1 => says.queries.push(('S', asked)),
        2 => says.queries.push(('R', asked)),
        _ => {
            says.errors.push(field);
            return (Vec::new(), true);
        }
    }
    if says.cuts > 0 {
        says.cuts -= 1;
        return (Vec::new(), true);
    }
    if let Some(octets) = &says.octets {
        return (octets.clone(), false);
    }
    let version = asked.min(says.version_max);
    let error = |code| Pdu::ErrorReport {
        code,
        text: "no".to_owned(),
    };
    if asked > version && says.refusal != Refusal::Answers {
        let octets = match says.refusal {
            Refusal::HangsUp => Vec::new(),
            Refusal::Echoes => encode_pdu(asked, &error(4)),
            _ => encode_pdu(version, &error(4)),
        };
        return (octets, says.refusal != Refusal::Says);
    }
    let pdus = match kind {
        _ if !says.has_data => vec![error(2)],
        1 if field != says.session => return (encode_pdu(version, &error(0)), true),
        1 => says.changes(u32::from_be_bytes(body[..4].try_into().unwrap())),
        _ => says.load(version),
    };
    let octets = pdus.iter().flat_map(|pdu| encode_pdu(version, pdu));
    (octets.collect(), false)
}
