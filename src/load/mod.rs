//! Synthetic clients against any route server: they announce a full table, and what each of them
//! ends up with is compared with what a route server owes it. Shares `base` with the server and
//! nothing else: its own encoder, its own decoder, its own model of RFC 7947.

pub mod args;
mod attributes;
mod clock;
mod control;
pub mod demo;
mod expected;
mod forms;
mod lever;
mod measure;
mod memory;
mod model;
mod mrt;
mod outbox;
mod output;
mod outside;
pub mod owed;
mod paths;
mod pieces;
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
mod turns;
mod update;

use std::io;

use args::LoadArgs;
use plan::{Client, Plan};
use progress::Progress;
use report::Report;
use swarm::{Settings, Swarm};

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
    let configuration =
        |daemon| templates::configuration(&plan, daemon, args.target, &args.outside);
    if !args.connects() {
        write_outside(args, &plan)?;
    }
    if let Some(daemon) = args.print_config {
        output::print(&configuration(daemon));
        return Ok(true);
    }
    if let Some(file) = &args.write_config {
        let text = configuration(templates::Daemon::Rialto);
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
    args.check().map_err(LoadError::Words)?;
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
    // A configuration tells of clients and how much they announce, not what.
    let plan = match args.connects() || args.outside.writes_files() {
        true => synthetic::plan,
        false => synthetic::outline,
    };
    Ok(plan(&args.shape(), args.server_asn, clients))
}

/// What the configuration names beside itself.
fn write_outside(args: &LoadArgs, plan: &Plan) -> io::Result<()> {
    let outside = &args.outside;
    if let Some(folder) = &outside.irr_files {
        outside::write_irr(folder, plan, outside.irr_entries)?;
    }
    if let Some(file) = &outside.vrp_file {
        outside::write_vrps(file, plan, outside.vrps)?;
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
    let outcome = scenario::run(&mut swarm, args, progress)?;
    let server = (!args.server_pid.is_empty()).then(|| {
        let after = proc::usage(&args.server_pid);
        proc::Usage {
            kernel_s: after.kernel_s - before.kernel_s,
            cpu_s: after.cpu_s - before.cpu_s,
            memory_peak: after.memory_peak,
            memory: after.memory,
        }
    });
    progress.clear();
    let report = Report::new(&swarm, args, outcome, server);
    Ok((swarm, report))
}
