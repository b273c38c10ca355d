//! Synthetic clients against any route server: they announce a full table, and what each of them
//! ends up with is compared with what a route server owes it. Shares `base` with the server and
//! nothing else: its own encoder, its own decoder, its own model of RFC 7947.

pub mod args;
mod attributes;
mod clock;
pub mod demo;
mod model;
mod mrt;
mod output;
pub mod owed;
mod plan;
mod proc;
mod progress;
mod random;
mod reader;
mod report;
mod rules;
mod scenario;
mod second;
mod session;
mod swarm;
mod synthetic;
mod table;
mod templates;
mod update;

use std::io;
use std::net::SocketAddr;

use args::LoadArgs;
use plan::{Client, Plan};
use progress::Progress;
use report::Report;
use swarm::{Settings, Swarm};
use synthetic::Shape;

/// Distinct prefixes of a synthetic table, unless said otherwise.
const PREFIXES_DEFAULT: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Words(String),
    #[error("{0}")]
    GivenUp(String),
    #[error("cannot write {file}: {error}; see --write-config")]
    Write { file: String, error: io::Error },
    #[error("cannot read the table {file}: {why}")]
    Mrt { file: String, why: String },
}

impl LoadError {
    /// As the contract has it: 2 where the words on the command line are wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            LoadError::Words(_) => 2,
            _ => 1,
        }
    }
}

/// `rialto load`. Returns whether every client ended with what it is owed.
pub fn run(args: &LoadArgs) -> Result<bool, LoadError> {
    let plan = make_plan(args)?;
    if let Some(daemon) = args.print_config {
        output::print(&templates::configuration(&plan, daemon, args.target));
        return Ok(true);
    }
    if let Some(file) = &args.write_config {
        let text = templates::configuration(&plan, templates::Daemon::Rialto, args.target);
        std::fs::write(file, text).map_err(|error| LoadError::Write {
            file: file.display().to_string(),
            error,
        })?;
        return Ok(true);
    }
    let report = drive(plan, args, &Progress::new(args.json))?;
    if args.json {
        output::print(&report.json()?);
    }
    match report.connect_error {
        Some(why) if report.given_up => return Err(LoadError::GivenUp(why)),
        _ if !args.json => output::print(&report.table()),
        _ => {}
    }
    Ok(report.ok)
}

fn make_plan(args: &LoadArgs) -> Result<Plan, LoadError> {
    check_words(args)?;
    let count = usize::from(args.clients);
    let mut clients: Vec<Client> = (0..count)
        .map(|index| Client::new(index, args.source_net, args.ipv6_net))
        .collect();
    let first = count.saturating_sub(args.add_path_clients.into());
    clients[first..]
        .iter_mut()
        .for_each(|client| client.add_path = true);
    if let Some(file) = &args.mrt {
        return mrt::plan(file, args, clients);
    }
    let shape = Shape {
        prefixes: args.prefixes.unwrap_or(PREFIXES_DEFAULT),
        paths_per_prefix: args.paths_per_prefix,
        prefixes_per_attributes: args.prefixes_per_attributes,
        control_share: args.control_share,
        prepends: !args.no_prepends,
        unknown_share: args.unknown_share,
        families: args.family.unwrap_or(args::Families::Ipv4).set(),
        seed: args.seed,
    };
    Ok(synthetic::plan(&shape, args.server_asn, clients))
}

fn check_words(args: &LoadArgs) -> Result<(), LoadError> {
    let wrong = |what: &str| Err(LoadError::Words(what.to_owned()));
    if !matches!(args.target, SocketAddr::V4(_)) {
        return wrong("--target must be an IPv4 address: clients bind addresses of --source-net");
    }
    if args.source_net.prefix_len() > 16 {
        return wrong("--source-net must be a /16 or larger, such as 127.77.0.0/16");
    }
    let share = 0.0..=1.0;
    if !share.contains(&args.control_share) || !share.contains(&args.unknown_share) {
        return wrong("--control-share and --unknown-share go from 0 to 1");
    }
    if args.paths_per_prefix.is_nan()
        || args.prefixes_per_attributes.is_nan()
        || args.prefixes == Some(0)
    {
        return wrong("--prefixes, --paths-per-prefix and --prefixes-per-attributes are 1 or more");
    }
    if args.prefixes.is_some_and(|count| count > 2_500_000) {
        return wrong("--prefixes goes to 2500000");
    }
    if (1..3).contains(&args.hold_time) {
        return wrong("--hold-time is 0 or at least 3 (RFC 4271)");
    }
    Ok(())
}

/// Connects the clients of the plan and runs the scenario.
fn drive(plan: Plan, args: &LoadArgs, progress: &Progress) -> Result<Report, LoadError> {
    let (mut swarm, report) = drive_on(plan, args, progress)?;
    swarm.stop_all();
    Ok(report)
}

/// As [`drive`], and leaves the clients connected.
fn drive_on(
    plan: Plan,
    args: &LoadArgs,
    progress: &Progress,
) -> Result<(Swarm, Report), LoadError> {
    let settings = Settings {
        target: args.target,
        hold_time_s: args.hold_time,
        check: args.check,
        second_decoder: args.second_decoder,
    };
    let before = proc::usage(&args.server_pid);
    let mut swarm = Swarm::new(plan, settings)?;
    let steps = scenario::run(&mut swarm, args, progress)?;
    let server = (!args.server_pid.is_empty()).then(|| {
        let after = proc::usage(&args.server_pid);
        proc::Usage {
            cpu_s: after.cpu_s - before.cpu_s,
            memory_peak: after.memory_peak,
        }
    });
    progress.clear();
    let report = Report::new(&swarm, args, steps, server);
    Ok((swarm, report))
}
