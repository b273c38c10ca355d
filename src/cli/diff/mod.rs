//! `rialto diff`: what two route servers have that is not the same (RFC 7948 §4.4). A digest of each client's
//! routes says whether there is anything; only where there is, routes are fetched and compared.

mod compare;
mod side;

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::CommandFactory;
use clap::error::ErrorKind;
use serde::Serialize;

use super::args::{Cli, DiffArgs};
use super::fetch::FetchError;
use super::paint::{Paint, Tone};
use super::table::grouped;
use super::{Outcome, count, print};
use crate::base::Family;
use compare::{Difference, differences};
use side::{Digests, Fields, Peer, Side};

/// Prefixes of a client and family that are shown, unless all are asked for.
const SHOWN_MAX: usize = 40;

#[derive(Serialize)]
struct DiffView {
    a: String,
    b: String,
    /// Nothing is different.
    same: bool,
    clients: Vec<ClientDiff>,
}

/// One client, known by its address.
#[derive(Serialize)]
struct ClientDiff {
    address: IpAddr,
    name: String,
    /// Why it is not compared, if it is not: it is no client, or not up, at one of both.
    apart: Option<String>,
    compared: Vec<FamilyDiff>,
}

#[derive(Serialize)]
struct FamilyDiff {
    which: &'static str,
    family: Family,
    routes_a: u64,
    routes_b: u64,
    differences: Vec<Difference>,
}

pub fn diff(args: &DiffArgs) -> Result<Outcome, FetchError> {
    let [a, b] = sides(args);
    let (of_a, of_b) = (a.clients()?, b.clients()?);
    let is_meant = |address: &IpAddr| {
        let names = [of_a.get(address), of_b.get(address)];
        let is_it = |name: &String| {
            address.to_string() == *name || names.iter().flatten().any(|peer| peer.name == *name)
        };
        args.client.as_ref().is_none_or(is_it)
    };
    let mut addresses: Vec<IpAddr> = of_a.keys().chain(of_b.keys()).copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(is_meant);
    if let (Some(name), []) = (&args.client, &addresses[..]) {
        return Err(FetchError::Refused(format!(
            "neither has a client '{name}'"
        )));
    }
    let paint = Paint::of_output();
    let mut view = DiffView {
        a: a.name(),
        b: b.name(),
        same: true,
        clients: Vec::new(),
    };
    if !args.output.json {
        print(&format!("A  {}\nB  {}\n", view.a, view.b));
    }
    let with_birdwatcher = matches!(b, Side::Birdwatcher(_));
    let mut digests: Vec<Compared> = Vec::new();
    for which in which(args, with_birdwatcher) {
        digests.push(match with_birdwatcher {
            true => (which, BTreeMap::new(), BTreeMap::new()),
            false => (which, a.digests(which)?, b.digests(which)?),
        });
    }
    for address in addresses {
        let client = compare_client((&a, &b), address, (&of_a, &of_b), &digests)?;
        view.same &= client.is_same();
        if !args.output.json {
            print(&client.text(args.all, paint));
        }
        view.clients.push(client);
    }
    match args.output.json {
        true => {
            let value = serde_json::to_value(&view).unwrap_or_default();
            print(&format!("{value:#}\n"));
        }
        false => print(&view.summary()),
    }
    Ok(match view.same {
        true => Outcome::Well,
        false => Outcome::Wrong,
    })
}

/// Wrong words end the process, as those do that clap finds.
fn sides(args: &DiffArgs) -> [Side; 2] {
    match (&args.api[..], &args.birdwatcher) {
        ([a, b], None) => [Side::Rialto(a.clone()), Side::Rialto(b.clone())],
        ([a], Some(b)) => [Side::Rialto(a.clone()), Side::Birdwatcher(b.clone())],
        _ => {
            let why = "two servers are compared: --api A --api B, or --api A --birdwatcher B";
            Cli::command()
                .error(ErrorKind::WrongNumberOfValues, why)
                .exit()
        }
    }
}

type Peers = BTreeMap<IpAddr, Peer>;

/// What is compared, with the digests of both.
type Compared = (
    &'static str,
    BTreeMap<IpAddr, Digests>,
    BTreeMap<IpAddr, Digests>,
);

fn compare_client(
    (a, b): (&Side, &Side),
    address: IpAddr,
    (of_a, of_b): (&Peers, &Peers),
    compared: &[Compared],
) -> Result<ClientDiff, FetchError> {
    let (at_a, at_b) = (of_a.get(&address), of_b.get(&address));
    let apart = match (at_a, at_b) {
        (Some(_), None) => Some("is a client at A alone".to_owned()),
        (None, Some(_)) => Some("is a client at B alone".to_owned()),
        (Some(at_a), Some(at_b)) => match (at_a.is_up, at_b.is_up) {
            (true, false) => Some("is up at A alone".to_owned()),
            (false, true) => Some("is up at B alone".to_owned()),
            _ => None,
        },
        (None, None) => None,
    };
    let name = at_a
        .or(at_b)
        .map_or_else(String::new, |peer| peer.name.clone());
    let mut client = ClientDiff {
        address,
        name,
        apart,
        compared: Vec::new(),
    };
    let (Some(at_a), Some(at_b), None) = (at_a, at_b, &client.apart) else {
        return Ok(client);
    };
    if !at_a.is_up {
        return Ok(client);
    }
    let fields = match b {
        Side::Birdwatcher(_) => Fields::Common,
        Side::Rialto(_) => Fields::All,
    };
    for (which, digests_a, digests_b) in compared {
        if let (Some(a), Some(b)) = (digests_a.get(&address), digests_b.get(&address))
            && a == b
        {
            client.compared.extend(Family::ALL.map(|family| FamilyDiff {
                which,
                family,
                routes_a: a[family.index()].0,
                routes_b: b[family.index()].0,
                differences: Vec::new(),
            }));
            continue;
        }
        let (of_a, of_b) = (
            a.routes(at_a, which, fields)?,
            b.routes(at_b, which, fields)?,
        );
        for family in Family::ALL {
            let (of_a, of_b) = (&of_a[family.index()], &of_b[family.index()]);
            let count = |of: &compare::Routes| of.values().map(|paths| paths.len() as u64).sum();
            client.compared.push(FamilyDiff {
                which,
                family,
                routes_a: count(of_a),
                routes_b: count(of_b),
                differences: differences(of_a, of_b),
            });
        }
    }
    Ok(client)
}

fn which(args: &DiffArgs, with_birdwatcher: bool) -> Vec<&'static str> {
    use super::args::DiffWhich;
    match args.which {
        // It tells what it accepted.
        _ if with_birdwatcher => vec!["accepted"],
        Some(DiffWhich::Received) => vec!["received"],
        Some(DiffWhich::Accepted) => vec!["accepted"],
        Some(DiffWhich::Advertised) => vec!["advertised"],
        None => vec!["received", "advertised"],
    }
}

impl ClientDiff {
    fn is_same(&self) -> bool {
        self.apart.is_none() && self.compared.iter().all(|it| it.differences.is_empty())
    }

    /// Nothing where nothing is different.
    fn text(&self, all: bool, paint: Paint) -> String {
        if self.is_same() {
            return String::new();
        }
        let name = format!("{} ({})", self.name, self.address);
        let mut text = format!("\n{}", paint.paint(Tone::Strong, &name));
        if let Some(apart) = &self.apart {
            return format!("{text} {}\n", paint.paint(Tone::Bad, apart));
        }
        text.push('\n');
        for of in self.compared.iter().filter(|it| !it.differences.is_empty()) {
            text += &format!(
                "  {} {}: {} at A, {} at B; {} differ\n",
                of.which,
                of.family,
                grouped(of.routes_a),
                grouped(of.routes_b),
                count(of.differences.len(), "prefix").replace("prefixs", "prefixes"),
            );
            let shown = if all { usize::MAX } else { SHOWN_MAX };
            for one in of.differences.iter().take(shown) {
                text += &one.text(paint);
            }
            let left = of.differences.len().saturating_sub(shown);
            if left > 0 {
                text += &format!("    … and {} more (--all, --json)\n", grouped(left as u64));
            }
        }
        text
    }
}

impl DiffView {
    fn summary(&self) -> String {
        let all = count(self.clients.len(), "client");
        let apart = self.clients.iter().filter(|it| it.apart.is_some()).count();
        let other = self.clients.iter().filter(|it| !it.is_same()).count() - apart;
        match self.same {
            true => format!("\n{all}: all is the same\n"),
            false => format!("\n{all}: {other} with other routes, {apart} at one server alone\n"),
        }
    }
}
