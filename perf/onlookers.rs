//! Whoever looks at a route server, all at once and without a pause: connections that ask for one address after the
//! other, subscribers of streams, a collector of BMP. Or, to compare with, what takes as much CPU time and looks at
//! nothing. `perf/onlookers` runs it. What comes is read and forgotten; it ends when its standard input does, and
//! says as JSON what came.

#![allow(
    clippy::disallowed_methods,
    reason = "it is measured how long answers take"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write, copy, sink, stdin};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

/// Looks at a route server, or takes as much CPU time
#[derive(Parser)]
enum Words {
    /// Ask, subscribe, collect
    Look {
        #[arg(long)]
        api: SocketAddr,
        /// An address in each line, all of which each connection asks for in turn
        #[arg(long)]
        addresses: PathBuf,
        #[arg(long, default_value_t = 2)]
        connections: usize,
        /// Which of them the first connection begins with; the others begin evenly spread behind it
        #[arg(long, default_value_t = 0)]
        first: usize,
        /// An address in each line whose answer does not end, or not soon
        #[arg(long)]
        streams: PathBuf,
        /// Where the collector listens
        #[arg(long)]
        bmp: SocketAddr,
    },
    /// Take CPU time
    Burn {
        /// Seconds in a second
        #[arg(long)]
        share: f64,
        #[arg(long, default_value_t = 1)]
        threads: u32,
    },
}

/// What came from an address.
#[derive(Default, Clone)]
struct Came {
    answers: u64,
    octets: u64,
    /// By status, where it is not 200.
    others: BTreeMap<u16, u64>,
    failures: u64,
    slowest: Duration,
}

type Tally = Arc<Mutex<BTreeMap<String, Came>>>;

fn main() -> Result<()> {
    let tally = Tally::default();
    match Words::parse() {
        Words::Look {
            api,
            addresses,
            connections,
            first,
            streams,
            bmp,
        } => {
            let addresses = lines(&addresses)?;
            for number in 0..connections {
                let (mut addresses, tally) = (addresses.clone(), tally.clone());
                let start = first + addresses.len() * number / connections.max(1);
                let start = start % addresses.len().max(1);
                addresses.rotate_left(start);
                spawn(move || ask_all(api, &addresses, &tally));
            }
            for stream in lines(&streams)? {
                let tally = tally.clone();
                spawn(move || again_and_again(|| ask(api, &stream, false, &tally)));
            }
            let listener = TcpListener::bind(bmp)?;
            let tally = tally.clone();
            spawn(move || again_and_again(|| collect(&listener, &tally)));
        }
        Words::Burn { share, threads } => {
            for _ in 0..threads {
                spawn(move || burn(share / f64::from(threads)));
            }
        }
    }
    copy(&mut stdin(), &mut sink())?;
    let came = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let of_address = |(address, came): (String, Came)| {
        let slowest_ms = came.slowest.as_secs_f64() * 1e3;
        let view = json!({
            "answers": came.answers, "octets": came.octets, "others": came.others, "failures": came.failures,
            "slowest_ms": slowest_ms,
        });
        (address, view)
    };
    let view: serde_json::Map<_, _> = came.into_iter().map(of_address).collect();
    println!("{}", serde_json::Value::from(view));
    Ok(())
}

fn lines(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// What fails is tried again in a while: the server may have more to do.
fn again_and_again(mut what: impl FnMut() -> Result<()>) {
    loop {
        if what().is_err() {
            sleep(Duration::from_millis(100));
        }
    }
}

fn note(tally: &Tally, address: &str, change: impl FnOnce(&mut Came)) {
    let mut all = tally.lock().unwrap_or_else(PoisonError::into_inner);
    match all.get_mut(address) {
        Some(came) => change(came),
        None => change(all.entry(address.to_owned()).or_default()),
    }
}

fn ask_all(api: SocketAddr, addresses: &[String], tally: &Tally) {
    // Every other round as a browser would.
    for round in 0.. {
        for address in addresses {
            if ask(api, address, round % 2 == 1, tally).is_err() {
                note(tally, address, |came| came.failures += 1);
            }
        }
    }
}

/// A connection for each question, as birdwatcher's and Bird's Eye's users do it.
fn ask(api: SocketAddr, address: &str, takes_gzip: bool, tally: &Tally) -> Result<()> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(api)?;
    let gzip = if takes_gzip {
        "Accept-Encoding: gzip\r\n"
    } else {
        ""
    };
    write!(
        stream,
        "GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{gzip}\r\n"
    )?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status: u16 = status.ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
    // An answer without end is counted as it comes.
    let mut octets = [0; 64 << 10];
    loop {
        match reader.read(&mut octets)? {
            0 => break,
            count => note(tally, address, |came| came.octets += count as u64),
        }
    }
    note(tally, address, |came| {
        came.answers += 1;
        came.slowest = came.slowest.max(begun.elapsed());
        if status != 200 {
            *came.others.entry(status).or_default() += 1;
        }
    });
    Ok(())
}

fn collect(listener: &TcpListener, tally: &Tally) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut octets = [0; 64 << 10];
    loop {
        match stream.read(&mut octets)? {
            0 => return Ok(()),
            count => note(tally, "BMP", |came| came.octets += count as u64),
        }
    }
}

/// In pieces as long as a question takes.
fn burn(share: f64) {
    const PIECE: Duration = Duration::from_micros(500);
    let begun = Instant::now();
    loop {
        let due = begun.elapsed().mul_f64(share);
        if own_cpu_time() >= due {
            sleep(PIECE);
            continue;
        }
        let piece = Instant::now();
        while piece.elapsed() < PIECE {
            std::hint::spin_loop();
        }
    }
}

/// Of this thread.
fn own_cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(first.unwrap_or_default())
}
